"""Kriging with many sites, against PyKrige, GSTools and gstlearn; and Meuse zinc left one out.

python benchmarks/bench_kriging.py [--quick]

The fields are simulated: 4,000 cosine waves with random directions and phases that share out
the spectral density of a covariance function, so that the truth is known at every place, plus
noise. The laws are exponential or Matern 3/2, with sill 1, range 0.1 of the region's side and
nugget 0.01. It takes about ten minutes, and at most 1.5 GB (GSTools').

Times are of the processor, all threads together: on an idle machine with one thread those of
the clock, and not disturbed by other programs. Each of our runs is a fresh process, after a
small call that loads what is compiled once. Rows with several threads also tell the clock's.
"""

import argparse
import tempfile
import warnings
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
from common import RESULTS, row, run_alone, target, write_results
from threadpoolctl import threadpool_limits

from runproof.datasets import meuse
from runproof.kriging import Covariance, Kriging, fit_vecchia, predict_local

PACKAGES = ["pykrige", "gstools", "gstlearn", "numba", "numpy", "scipy", "scikit-learn"]
NEIGHBORS = 30
WAVES = 4000
TWICE_NU = {"exponential": 1, "matern32": 3}


def law(kind):
    """Return the covariance of the simulated fields."""
    return Covariance(kind, 1.0, 0.1, 0.01)


def timed(function, *arguments, **options):
    """Return the processor seconds of a call, and its value."""
    started = process_time()
    value = function(*arguments, **options)
    return process_time() - started, value


# The fields


class Field:
    """A field in the unit square, known everywhere: a sum of waves by its spectral density.

    The density of Matern's covariance with smoothness nu is that of Student's t with 2 nu
    degrees of freedom in the plane. It is cut into rings of equal width in the logarithm of
    the frequency: so there are many waves on every scale, however little they add.
    """

    def __init__(self, kind, seed):
        rng = np.random.default_rng(seed)
        nu2, edges = TWICE_NU[kind], np.geomspace(1e-2, 1e5, WAVES + 1)
        beyond = (1 + edges**2 / nu2) ** (-nu2 / 2)
        beyond[0], beyond[-1] = 1.0, 0.0
        radii = edges[:-1] * (edges[1:] / edges[:-1]) ** rng.uniform(size=WAVES)
        angles = rng.uniform(0, 2 * np.pi, WAVES)
        self.frequencies = radii / law(kind).range_ * np.array([np.cos(angles), np.sin(angles)])
        self.phases = rng.uniform(0, 2 * np.pi, WAVES)
        self.amplitudes = np.sqrt(2 * -np.diff(beyond))

    def at(self, places):
        """Return the field at places (n, 2)."""
        parts = np.array_split(places, len(places) // 2000 + 1)
        waves = [np.cos(part @ self.frequencies + self.phases) @ self.amplitudes for part in parts]
        return np.concatenate(waves)

    def on_grid(self, side):
        """Return the field on the grid of `cells`: two factors for each wave, so one product."""
        axis = np.linspace(0, 1, side)
        x, y = (np.exp(1j * np.outer(axis, f)) for f in self.frequencies)
        return ((y * (self.amplitudes * np.exp(1j * self.phases))) @ x.T).real.ravel()


def cells(side):
    """Return the nodes of a grid over the unit square, row by row from the south."""
    axis = np.linspace(0, 1, side)
    return np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)


def observed(kind, n, seed=1):
    """Return the field, random sites, and its values there with noise."""
    field, rng = Field(kind, seed), np.random.default_rng([seed, n])
    sites = rng.uniform(size=(n, 2))
    return field, sites, field.at(sites) + 0.1 * rng.normal(size=n)


def ones(places):
    """Return the trend functions of ordinary kriging."""
    return np.ones((len(places), 1))


# What is timed: ours


def local(kind, sites, values, side, n_jobs=None):
    """Return processor and wall seconds, means and variances of local kriging on a grid."""
    given = sites, values, ones(sites)
    few = sites[:50]
    predict_local(*given, few, ones(few), law(kind), NEIGHBORS, n_jobs=n_jobs)
    places, clock = cells(side), perf_counter()
    seconds, found = timed(
        predict_local, *given, places, ones(places), law(kind), NEIGHBORS, n_jobs=n_jobs
    )
    return seconds, perf_counter() - clock, *found


def full(kind, sites, values, side):
    """Return processor seconds, means and variances of our kriging from all sites."""
    kriging = Kriging(covariance=law(kind), method="fixed")
    kriging.fit(sites[:50], values[:50]).predict(sites[:9])
    with threadpool_limits(1):
        seconds, model = timed(kriging.fit, sites, values)
        more, found = timed(model.predict, cells(side), return_var=True)
    return seconds + more, *found


def vecchia(kind, sites, values, n_jobs=None):
    """Return processor and wall seconds of a fit, and the covariance."""
    fit_vecchia(sites[:200], values[:200], ones(sites[:200]), kind, n_jobs=n_jobs)
    clock = perf_counter()
    seconds, fitted = timed(
        fit_vecchia, sites, values, ones(sites), kind, neighbors=NEIGHBORS, n_jobs=n_jobs
    )
    return seconds, perf_counter() - clock, fitted


def reml(kind, sites, values):
    """Return processor seconds of a fit by the exact likelihood."""
    Kriging(covariance=kind).fit(sites[:50], values[:50])
    with threadpool_limits(1):
        return timed(Kriging(covariance=kind).fit, sites, values)[0]


# What is timed: theirs, imported where they are used: the memory measured is ours then


def pykrige(backend, kind, sites, values, side):
    """Return processor seconds and means of PyKrige; its range is where 95 % are reached."""
    from pykrige.ok import OrdinaryKriging

    if kind != "exponential":
        raise ValueError(f"PyKrige has no covariance function {kind!r}")
    truth = law(kind)
    parameters = {"psill": truth.sill, "range": 3 * truth.range_, "nugget": truth.nugget}
    axis = np.linspace(0, 1, side)

    def work():
        model = OrdinaryKriging(
            *sites.T, values, variogram_model=kind, variogram_parameters=parameters
        )
        return model.execute("grid", axis, axis, backend=backend, n_closest_points=NEIGHBORS)

    with threadpool_limits(1):
        seconds, (means, _) = timed(work)
    return seconds, np.asarray(means).ravel()


def gstlearn(kind, sites, values, side, neighbors=NEIGHBORS, part=1.0):
    """Return processor seconds, means and deviations of gstlearn, with its tree of sites.

    With `part`, only that share of the grid's rows is done, and the seconds are scaled up.
    """
    import gstlearn as gl

    data = gl.Db.create()
    data["x"], data["y"], data["z"] = *sites.T, values
    data.setLocators(["x", "y"], gl.ELoc.X)
    data.setLocator("z", gl.ELoc.Z)
    rows = max(2, round(part * side))
    skip = (side - rows) // 2  # rows from the middle
    step = 1 / (side - 1)
    grid = gl.DbGrid.create([side, rows], [step, step], [0, skip * step])
    truth = law(kind)
    name, smoothness = (
        (gl.ECov.EXPONENTIAL, 1.0) if kind == "exponential" else (gl.ECov.MATERN, 1.5)
    )
    # Of Matern's function, its scale has no factor sqrt(2 nu).
    scale = truth.range_ if kind == "exponential" else truth.range_ / np.sqrt(3)
    model = gl.Model.createFromParam(
        type=name, range=scale, sill=truth.sill, param=smoothness, flagRange=False
    )
    model.addCovFromParam(gl.ECov.NUGGET, sill=truth.nugget)
    model.setDriftIRF(0)
    near = gl.NeighMoving.create(nmaxi=neighbors, radius=10.0, useBallTree=True)
    seconds, _ = timed(gl.kriging, data, grid, model, near)
    found = np.asarray(grid["Kriging.z.estim"])
    return seconds * side / rows, found, slice(skip * side, (skip + rows) * side)


def gstools(kind, sites, values, side):
    """Return processor seconds and means of GSTools: all sites, one inverse.

    Only a twentieth of the grid's rows is predicted; the seconds for that are scaled up.
    """
    import gstools as gs

    truth = law(kind)
    if kind == "exponential":
        model = gs.Exponential(dim=2, len_scale=truth.range_, nugget=truth.nugget)
    else:  # its Matern function has sqrt(nu) where ours has sqrt(2 nu)
        model = gs.Matern(dim=2, len_scale=truth.range_ / np.sqrt(2), nu=1.5, nugget=truth.nugget)
    axis, rows = np.linspace(0, 1, side), side // 20
    with threadpool_limits(1):
        seconds, kriging = timed(gs.krige.Ordinary, model, sites.T, values, pseudo_inv=False)
        more, (means, _) = timed(kriging.structured, [axis, axis[:rows]])
    return seconds + more * side / rows, np.asarray(means).T.ravel()


def rms(values):
    """Return the root of the mean square."""
    return float(np.sqrt(np.mean(np.square(values))))


# The comparisons


def against_peers(kind, n, side, runs):
    """Local kriging on a grid, against peers with as many neighbors, and against all sites."""
    _, sites, values = observed(kind, n)
    mine, peers = [], {}
    backends = ("loop", "C") if kind == "exponential" else ()
    for _ in range(runs):
        (seconds, _, means, variances), memory = run_alone(local, kind, sites, values, side)
        mine.append(seconds)
        for backend in backends:
            (seconds, theirs), _ = run_alone(pykrige, backend, kind, sites, values, side)
            peers.setdefault(f'PyKrige "{backend}"', []).append(seconds)
            apart = rms(means - theirs)
        (seconds, theirs, _), _ = run_alone(gstlearn, kind, sites, values, side)
        peers.setdefault("gstlearn", []).append(seconds)
    (_, exact, spread), _ = run_alone(full, kind, sites, values, side)
    error, wider = rms(means - exact), float((variances / spread).max())
    note = f"rms difference to kriging from all sites {error:.4f}, variance at most {wider:.3f} "
    note += f"times as large; to gstlearn {rms(means - theirs):.0e}"
    note += f", to PyKrige {apart:.0e}" if backends else ""
    case = f"{side}x{side} grid from {n:,} sites, {kind}, {NEIGHBORS} neighbors"
    return row(case, mine, peers, memory, note), error


def prediction_curve(counts, largest, side):
    """Cost of one grid as the number of sites grows; matrices of all sites up to `largest`."""
    rows, kind = [], "exponential"
    for n in counts:
        _, sites, values = observed(kind, n)
        given = kind, sites, values, side
        (seconds, _, means, _), memory = run_alone(local, *given)
        (theirs, found, _), _ = run_alone(gstlearn, *given)
        peers, note = {"gstlearn": [theirs]}, f"rms to gstlearn {rms(means - found):.0e}"
        if n <= largest:
            (theirs, _), size = run_alone(pykrige, "C", *given)
            peers |= {'PyKrige "C"': [theirs]}
            (ours, exact, _), ours_mb = run_alone(full, *given)
            (theirs, found), theirs_mb = run_alone(gstools, *given)
            peers |= {"all sites, ours": [ours], "all sites, GSTools": [theirs]}
            note += f", to all sites {rms(means - exact):.4f}; GSTools to ours "
            note += (
                f"{rms(found - exact[: len(found)]):.0e}; memory: PyKrige {size:,} MB, all sites "
            )
            note += f"{ours_mb:,} MB ours, {theirs_mb:,} MB GSTools, timed on 5 % of the grid"
            base = n, theirs
        else:
            hours = base[1] * (n / base[0]) ** 2 / 3600
            note += f"; a matrix of all sites: {8e-9 * n * n:,.1f} GB; GSTools by the square of n "
            note += f"at least {hours:,.1f} h"
        case = f"prediction: {side}x{side} grid from {n:,} sites, {kind}"
        rows.append(row(case, [seconds], peers, memory, note))
    return rows


def fit_curve(counts, largest):
    """Cost of a fit as the number of sites grows; the exact likelihood up to `largest`."""
    rows = []
    for n in counts:
        _, sites, values = observed("matern32", n)
        (seconds, _, found), memory = run_alone(vecchia, "matern32", sites, values)
        peers = {}
        if n <= largest:
            (exact, _) = run_alone(reml, "matern32", sites, values)
            peers = {"exact likelihood, ours": [exact]}
        case = f"fit: Vecchia's likelihood of {n:,} sites, {NEIGHBORS} neighbors"
        rows.append(row(case, [seconds], peers, memory, describe(found)))
    return rows


def describe(found):
    """Say what was fitted."""
    return f"sill {found.sill:.3f}, range {found.range_:.4f}, nugget {found.nugget:.5f}"


def fit_and_predict(kind, sites, values, side, n_jobs):
    """Return what `vecchia` and then, with what was fitted, `predict_local` return."""
    *times, found = vecchia(kind, sites, values, n_jobs)
    places, clock = cells(side), perf_counter()
    seconds, predictions = timed(
        predict_local,
        *(sites, values, ones(sites), places, ones(places), found, NEIGHBORS),
        n_jobs=n_jobs,
    )
    return (*times, found, seconds, perf_counter() - clock, *predictions)


def large(n, side, n_jobs=2):
    """Fit many sites and predict very many cells, whose truth is known."""
    field, sites, values = observed("matern32", n)
    given = "matern32", sites, values, side
    found, memory = run_alone(fit_and_predict, *given, n_jobs)
    fit, fit_wall, fitted, predict, predict_wall, means, variances = found
    errors = means - field.on_grid(side)
    inside = float(np.mean(np.abs(errors) <= 1.96 * np.sqrt(variances)))
    share = min(1.0, 20 / side)
    (theirs, found, part), _ = run_alone(gstlearn, *given, NEIGHBORS, share)
    apart = rms(found - field.on_grid(side)[part]) / rms(errors[part])
    first = row(
        f"fit {n:,} sites on {n_jobs} threads",
        [fit],
        memory_mb=memory,
        note=f"{fit_wall:.0f} s by the clock; {describe(fitted)}; true 1, 0.1, 0.01",
    )
    second = row(
        f"predict {side * side:,} cells from them on {n_jobs} threads",
        [predict],
        {"gstlearn": [theirs]},
        memory,
        f"{predict_wall:.0f} s by the clock; rms error {rms(errors):.4f}, expected "
        f"{rms(np.sqrt(variances)):.4f}; {100 * inside:.1f} % of truths within 1.96 deviations; "
        f"gstlearn on {100 * share:.0f} % of the cells, scaled, with the true law: its rms error "
        f"there is {apart:.4f} of ours",
    )
    text = f"fit {n:,} sites and predict {side * side:,} cells on 2 cores and 8 GB"
    measured = f"{fit_wall + predict_wall:.0f} s by the clock, {memory:,} MB"
    return [first, second], target(text, measured, memory < 8000)


# Meuse


def refits(model, sites, values, drift):
    """Predict every value by kriging without it, with the covariance as it is."""
    fixed = Kriging(covariance=model.covariance_, method="fixed")
    found = []
    for i in range(len(sites)):
        rest = np.arange(len(sites)) != i
        beside, there = (None, None) if drift is None else (drift[rest], drift[[i]])
        fixed.fit(sites[rest], values[rest], beside)
        found.append(fixed.predict(sites[[i]], there, return_var=True))
    means, variances = np.ravel([m for m, _ in found]), np.ravel([v for _, v in found])
    return means, variances + model.covariance_.nugget


def meuse_rows():
    """Log zinc left one out, and the published variograms."""
    data = meuse()
    sites, values = data[["x", "y"]].to_numpy(), np.log(data["zinc"].to_numpy())
    root = np.sqrt(data[["dist"]].to_numpy())
    floods = np.column_stack([root, data["ffreq"] == 2, data["ffreq"] == 3]).astype(float)
    rows, targets, apart, ratios = [], [], 0.0, []
    cases = ("ordinary", None, 0.386), ("sqrt(dist)", root, 0.375)
    for name, drift, goal in (*cases, ("sqrt(dist), ffreq", floods, 0.322)):
        fit, model = timed(Kriging().fit, sites, values, drift)
        once, table = timed(model.leave_one_out)
        slow, (means, variances) = timed(refits, model, sites, values, drift)
        scores = model.leave_one_out_scores()
        apart = max(apart, np.abs(means - table["prediction"]).max())
        apart = max(apart, np.abs(variances / table["variance"] - 1).max())
        ratios.append(scores["MSDR"])
        note = f"RMSE {scores['RMSE']:.4f}, MSDR {scores['MSDR']:.3f}; fit by REML {fit:.2f} s"
        rows.append(
            row(f"Meuse, {name}: leave one out", [once], {"155 refits": [slow]}, None, note)
        )
        text = f"Meuse log zinc, {name}: RMSE left one out at most {goal}"
        targets.append(target(text, f"{scores['RMSE']:.4f}", scores["RMSE"] <= goal))
    text = ", ".join(f"{ratio:.3f}" for ratio in ratios)
    good = all(0.95 <= ratio <= 1.05 for ratio in ratios)
    targets.append(target("Meuse: MSDR within 0.95 and 1.05", text, good))
    targets.append(target("leaving one out equals refits to 1e-8", f"{apart:.0e}", apart <= 1e-8))
    return rows, [*targets, published_variograms(sites, values, root)]


def published_variograms(sites, values, root):
    """Compare with the parameters in gstat's vignette."""
    cases = (
        ("spherical", None, (0.05066243, 0.59060780, 897.0209)),
        ("exponential", root, (0.05712231, 0.17641559, 340.3201)),
    )
    worst = 0.0
    for kind, drift, expected in cases:
        found = Kriging(covariance=kind, method="variogram").fit(sites, values, drift).covariance_
        parameters = np.array([found.nugget, found.sill, found.range_])
        worst = max(worst, float(np.abs(parameters / expected - 1).max()))
    return target("gstat's variograms to 2 %", f"{100 * worst:.3f} %", worst <= 0.02)


def main():
    """Measure, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="a small trial; nothing is stored")
    quick = parser.parse_args().quick
    warnings.simplefilter("ignore", SyntaxWarning)  # of peers, when they are compiled
    n, side, runs = (800, 40, 1) if quick else (6200, 100, 3)
    first, rough = against_peers("exponential", n, side, runs)
    second, smooth = against_peers("matern32", n, side, runs)
    counts = (200, 1000) if quick else (200, 1000, 5000, 20000, 100000)
    predictions = prediction_curve(counts, 500 if quick else 5000, side)
    fits = fit_curve(counts, 500 if quick else 1000)
    many, done = large(*((2000, 200) if quick else (100000, 1000)))
    zinc, checks = meuse_rows()
    fastest = min(peer["ratio"] for peer in first["peers"] if "PyKrige" in peer["name"])
    targets = [
        target("at least 8x the faster of PyKrige's backends", f"{fastest:.0f}x", fastest >= 8),
        *(
            target(
                f"rms difference to all sites below 0.01 sqrt(sill), {kind}",
                f"{error:.4f}",
                error < 0.01,
            )
            for kind, error in (("exponential", rough), ("matern32", smooth))
        ),
        done,
        *checks,
    ]
    title = "Kriging with many sites (processor time)"
    folder = Path(tempfile.mkdtemp()) if quick else RESULTS
    rows = [first, second, *predictions, *fits, *many, *zinc]
    write_results("kriging", title, PACKAGES, rows, targets, folder)


if __name__ == "__main__":
    main()
