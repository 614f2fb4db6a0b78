"""Harmonic analysis and gap filling, against UTide.

python benchmarks/bench_tides.py [--quick]

Times are of the processor. Each of our timed runs, and each of UTide's, is a fresh process,
after a first call that loads what is loaded once; they run with one thread, and once more with
as many as the libraries like. The simulated records are the tide of real stations, their
harmonic constants' seasons included, plus weather with a spectrum proportional to
f^-low (1 + (f / knee)^2)^((low - high) / 2) with a peak about the diurnal and one about the
semidiurnal tides, and white noise of 3 mm; no model that is fitted here is of this form.
"""

import argparse
import os
import tempfile
from pathlib import Path
from time import perf_counter, process_time

import joblib
import numpy as np
import utide
from common import RESULTS, row, run_alone, target, write_results
from scipy import linalg

from runproof import datasets
from runproof.tides import fill_gaps, fit, predict, rayleigh_select
from runproof.tides.astronomy import ALIASES
from runproof.tides.design import Design

PACKAGES = ["utide", "numpy", "scipy", "numba", "pandas"]
YEARS = {"2020-01-01": 8784, "2019-01-01": 8760}  # UTide resolves the yearly line in the first
STATIONS = {  # id: latitude
    "1612340": 21.3,  # Honolulu
    "9414290": 37.8,  # San Francisco
    "8443970": 42.4,  # Boston
    "8729840": 30.4,  # Pensacola
    "9447130": 47.6,  # Seattle
    "8724580": 24.6,  # Key West
    "8410140": 44.9,  # Eastport
}
LAWS = {  # deviation in m, low and high exponent, knee in hours
    "quiet": (0.05, 1.0, 2.5, 120.0),
    "coastal": (0.12, 0.7, 2.7, 96.0),
    "stormy": (0.20, 0.5, 3.0, 72.0),
}
CUSP, NOISE = 0.01, 0.003  # m


def year(start):
    """Return the hours of a year."""
    return hourly(start, YEARS[start])


def hourly(start, count):
    """Return hours from a date."""
    return (np.datetime64(start, "h") + np.arange(count)).astype("datetime64[ns]")


def spectrum(n, law):
    """Return the variances of the Fourier frequencies of 4 n hours, from 0 on."""
    std, low, high, knee = LAWS[law]
    f = np.fft.rfftfreq(4 * n)[1:]
    shares = (f * knee) ** -low * (1 + (f * knee) ** 2) ** ((low - high) / 2)
    shares *= std**2 / shares.sum()
    for period in (23.93, 12.42):
        peak = 1 / (1 + ((f - 1 / period) * 360) ** 2)  # half width: a cycle in 15 days
        shares += CUSP**2 / 2 * peak / peak.sum()
    return np.append(0, shares)


def weather(n, law, rng):
    """Return n hours of a simulated residual, cut from a four times longer record."""
    shares = spectrum(n, law)
    z = np.sqrt(shares) * (rng.normal(size=shares.size) + 1j * rng.normal(size=shares.size))
    return np.fft.irfft(z)[:n] * 2 * n + NOISE * rng.normal(size=n)


def gaps(n, rng, share=0.2, hour=1):
    """Return where a share of n samples is missing, in blocks of 1 to 14 days."""
    missing = np.zeros(n, dtype=bool)
    while missing.mean() < share:
        length = int(rng.integers(24 * hour, 14 * 24 * hour + 1))
        start = int(rng.integers(0, n - length))
        missing[start : start + length] = True
    return missing


# Times of a fit


def our_fit(times, levels, runs):
    """Return the seconds of repeated fits, and the residual's deviation."""
    fit(times, levels)
    seconds = []
    for _ in range(runs):
        started = process_time()
        found = fit(times, levels)
        seconds.append(process_time() - started)
    return seconds, found.residual_std, len(found.table)


def utide_fit(times, levels, latitude, kind, runs):
    """Return the same of UTide, with confidence intervals of a kind."""
    options = {"lat": latitude, "conf_int": kind, "verbose": False}
    utide.solve(times[:1000], levels[:1000], **options)
    seconds = []
    for _ in range(runs):
        started = process_time()
        found = utide.solve(times, levels, **options)
        seconds.append(process_time() - started)
    modeled = utide.reconstruct(times, found, min_SNR=0, verbose=False)
    return seconds, float(np.std(levels - modeled.h)), len(found.name)


def fits(runs):
    """Time the fit of a year with confidence intervals, with one thread and with all."""
    rng, times = np.random.default_rng(1), year("2020-01-01")
    levels = predict("9414290", times) + weather(len(times), "coastal", rng)
    rows, ratios = [], []
    for threads in ("1", None):
        with environment(threads):
            (mine, residual, count), memory = run_alone(our_fit, times, levels, runs)
            peers = {}
            for kind in ("linear", "MC", "none"):
                (seconds, theirs, lines), _ = run_alone(utide_fit, times, levels, 37.8, kind, runs)
                peers[f"utide.solve, conf_int={kind}"] = seconds
        case = f"fit of {len(times):,} h, " + ("one thread" if threads else "threads as by default")
        note = f"{count} constituents, residual {100 * residual:.3f} cm; "
        note += f"UTide {lines}, {100 * theirs:.3f} cm"
        rows.append(row(case, mine, peers, memory, note))
        ratios.append(rows[-1]["peers"][0]["ratio"])
    return rows, ratios


class environment:  # noqa: N801
    """Set the number of threads that processes started inside take."""

    NAMES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

    def __init__(self, threads):
        self.threads = threads

    def __enter__(self):
        self.before = {name: os.environ.pop(name, None) for name in self.NAMES}
        if self.threads:
            os.environ.update(dict.fromkeys(self.NAMES, self.threads))

    def __exit__(self, *_):
        for name, value in self.before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


# Residuals and gaps


UTIDE = "UTide, trend=False, min_SNR=2"
BEST = "the law of the weather known"


def filled(station, law, seed):
    """Return the errors in the gaps of one simulated record by method, and what else is scored."""
    rng, start = np.random.default_rng(seed), list(YEARS)[seed % 2]
    times = year(start)
    n = len(times)
    levels = predict(station, times) + weather(n, law, rng)
    missing = gaps(n, rng)
    given, seen = np.where(missing, np.nan, levels), ~missing
    started = process_time()
    ours = fill_gaps(times, given)
    seconds = process_time() - started
    estimates = {"fill_gaps": ours.mean, "harmonics only": fit(times, given).predict(times)}
    for trend in (False, True):
        solved = utide.solve(times, given, lat=STATIONS[station], trend=trend, verbose=False)
        for least in (2, 0):
            model = utide.reconstruct(times, solved, min_SNR=least, verbose=False)
            estimates[f"UTide, trend={trend}, min_SNR={least}"] = np.asarray(model.h)
    estimates["linear interpolation"] = np.interp(np.arange(n), np.flatnonzero(seen), levels[seen])
    if seed % 100 < 2 and station in list(STATIONS)[:2]:
        estimates[BEST] = kriging(times, given, law)
    errors = {name: (levels - values)[missing] for name, values in estimates.items()}
    covered = np.abs(errors["fill_gaps"]) < 1.96 * ours.std_reading[missing]
    solved = utide.solve(times, levels, lat=STATIONS[station], verbose=False)
    model = utide.reconstruct(times, solved, min_SNR=0, verbose=False)
    residuals = fit(times, levels).residual_std, float(np.std(levels - model.h))
    return {
        "law": law,
        "start": start,
        "errors": errors,
        "covered": covered,
        "residuals": residuals,
        "seconds": seconds,
    }


def kriging(times, given, law):
    """Return the best linear estimate of all levels by one who knows the law of the weather."""
    n, seen = len(times), np.flatnonzero(np.isfinite(given))
    covariance = np.fft.irfft(spectrum(n, law))[:n] * 2 * n
    design = Design(times, rayleigh_select(n))
    matrix = np.hstack([design.block(rows) for rows in design.slices()]).T
    inside = covariance[np.abs(np.subtract.outer(seen, seen))]
    inside[np.diag_indices_from(inside)] += NOISE**2
    factor = linalg.cho_factor(inside, overwrite_a=True)
    solved = linalg.cho_solve(factor, matrix[seen])
    beta = np.linalg.solve(matrix[seen].T @ solved, solved.T @ given[seen])
    rest = linalg.cho_solve(factor, given[seen] - matrix[seen] @ beta)
    return matrix @ beta + covariance[np.abs(np.subtract.outer(np.arange(n), seen))] @ rest


def rms(parts):
    """Return the root mean square of several arrays."""
    return float(np.sqrt(np.mean(np.square(np.concatenate(parts)))))


def ratio(results, name, other):
    """Return the RMSE of one method over that of another, errors in units of the weather."""
    both = [r for r in results if name in r["errors"] and other in r["errors"]]
    sides = [[r["errors"][m] / LAWS[r["law"]][0] for r in both] for m in (name, other)]
    return rms(sides[0]) / rms(sides[1])


def fillings(seeds):
    """Fill gaps at all stations under all laws; return a row, and the results."""
    jobs = [
        (station, law, 100 * (len(LAWS) * k + m) + seed)
        for k, station in enumerate(STATIONS)
        for m, law in enumerate(LAWS)
        for seed in range(seeds)
    ]
    with environment("1"):
        results = joblib.Parallel(n_jobs=2)(joblib.delayed(filled)(*job) for job in jobs)
    parts = []
    for law in LAWS:
        mine = [r for r in results if r["law"] == law]
        errors = {
            name: 100 * rms([r["errors"][name] for r in mine])
            for name in mine[0]["errors"]
            if name != BEST
        }
        covered = np.mean(np.concatenate([r["covered"] for r in mine]))
        parts.append(
            f"{law}: "
            + ", ".join(f"{name} {value:.2f}" for name, value in errors.items())
            + f", covered {covered:.3f}, ratio to UTide {ratio(mine, 'fill_gaps', UTIDE):.3f}"
        )
    note = f"RMSE in the gaps in cm; {'; '.join(parts)}"
    case = f"gaps of a year filled, {len(jobs)} records"
    return row(case, [r["seconds"] for r in results], note=note), results


# Recovery


def recovery():
    """Fit a year without noise at every station; return the largest error a year later, in m."""
    table = datasets.load("tide_stations", "constituents.csv").astype({"id": str})
    times, later = year("2019-01-01"), hourly("2021-01-01", 8760)
    errors = {}
    for station, rows in table.groupby("id"):
        names = [ALIASES.get(name, name) for name in rows.constituent]
        chosen = "auto" if len(names) < 40 else names  # Anchorage: 119 lines
        found = fit(times, predict(station, times), chosen)
        errors[station] = np.sqrt(np.mean((found.predict(later) - predict(station, later)) ** 2))
    return max(errors.values()), len(errors)


# A million samples


def million(n):
    """Fill gaps in n samples at 6 minutes; return processor and clock seconds, and scores."""
    rng = np.random.default_rng(2)
    times = np.datetime64("2005-01-01", "ns") + np.arange(n) * np.timedelta64(360, "s")
    hours = weather(n // 10 + 2, "coastal", rng)
    levels = predict("9414290", times) + np.interp(np.arange(n) / 10, np.arange(len(hours)), hours)
    levels += NOISE * rng.normal(size=n)
    missing = gaps(n, rng, hour=10)
    fill_gaps(times[:2000], levels[:2000], ["M2", "K1"])
    started, clock = process_time(), perf_counter()
    found = fill_gaps(times, np.where(missing, np.nan, levels))
    seconds, clock = process_time() - started, perf_counter() - clock
    error = (levels - found.mean)[missing]
    covered = np.mean(np.abs(error) < 1.96 * found.std_reading[missing])
    return seconds, clock, rms([error]), float(covered)


def main():
    """Measure, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="a small trial; nothing is stored")
    quick = parser.parse_args().quick
    fit_rows, (one, default) = fits(2 if quick else 7)
    gap_row, results = fillings(1 if quick else 2)
    worst, stations = recovery()
    n = 10**5 if quick else 10**6
    (seconds, clock, error, share), memory = run_alone(million, n)
    note = f"{clock:.0f} s by the clock; RMSE in the gaps {100 * error:.2f} cm, covered {share:.3f}"
    big_row = row(f"gaps of {n:,} samples at 6 minutes filled", [seconds], None, memory, note)
    by_year = [ratio([r for r in results if r["start"] == y], "fill_gaps", UTIDE) for y in YEARS]
    by_law = [ratio([r for r in results if r["law"] == law], "fill_gaps", UTIDE) for law in LAWS]
    names = [name for name in results[0]["errors"] if name.startswith("UTide")]
    best = max(ratio(results, "fill_gaps", name) for name in names)
    known = [ratio(results, BEST, name) for name in ("fill_gaps", UTIDE)]
    covered = float(np.mean(np.concatenate([r["covered"] for r in results])))
    ours, theirs = np.array([r["residuals"] for r in results]).T
    targets = [
        target(
            "fit of a year with confidence intervals: at least 30x faster than utide.solve",
            f"one thread {one:.1f}x, threads as by default {default:.1f}x (processor time)",
            min(one, default) >= 30,
        ),
        target(
            "fit: residual no larger than UTide's",
            f"mean ratio {np.mean(ours / theirs):.4f}, {(ours > theirs).sum()} of {len(ours)} "
            f"records larger, by at most {100 * max(0, (ours / theirs).max() - 1):.2f} %",
            (ours <= theirs).all(),
        ),
        target(
            "gaps: RMSE at least 25 % below UTide's reconstruction",
            f"ratio to its defaults {by_year[0]:.3f} in 366 days, {by_year[1]:.3f} in 365, where "
            f"it leaves out SA; by law "
            + ", ".join(f"{law} {value:.3f}" for law, value in zip(LAWS, by_law, strict=True))
            + f"; to its best variant {best:.3f}; knowing the law would give {known[0]:.3f} of "
            f"ours, {known[1]:.3f} of UTide's",
            max(by_year) <= 0.75,
        ),
        target(
            "gaps: 93 to 97 % of readings in the 95 % band",
            f"{covered:.3f}",
            0.93 <= covered <= 0.97,
        ),
        target(
            "a year without noise: prediction of another year within 1 mm rms",
            f"{1000 * worst:.2g} mm at the worst of {stations} stations",
            worst < 0.001,
        ),
        target(f"{n:,} samples filled in a minute", f"{clock:.0f} s", clock < 60),
    ]
    title = "Tides: harmonic analysis and gap filling (processor time)"
    folder = Path(tempfile.mkdtemp()) if quick else RESULTS
    write_results("tides", title, PACKAGES, [*fit_rows, gap_row, big_row], targets, folder)
    if quick:
        print(*(entry["note"] for entry in (*fit_rows, gap_row, big_row)), sep="\n")


if __name__ == "__main__":
    main()
