"""Hardy's Z on a grid, all zeros of a window, and values of eta, against FLINT and mpmath.

python benchmarks/bench_zeta.py [--quick]

Times are of the processor, all threads together: on an idle machine with one thread those of
the clock, and not disturbed by other programs. Each of our runs is a fresh process, after a
small call that loads what is loaded once. Peers that are slow per point are timed on a
sample of the points, and their seconds scaled up.
"""

import argparse
import tempfile
from pathlib import Path
from time import process_time

import flint
import mpmath
import numpy as np
from common import RESULTS, row, run_alone, target, write_results
from flint import acb, ctx

from runproof.zeta import eta, hardy_z, isolate_zeros

PACKAGES = ["python-flint", "mpmath", "numpy", "joblib"]
STEP = 1 / 512  # so that the points are doubles, and mean the same to everyone
ZETA = flint.dirichlet_char(1, 1)


def timed(function, *arguments):
    """Return the processor seconds of a call, and its value."""
    started = process_time()
    value = function(*arguments)
    return process_time() - started, value


def grid(t0, count):
    """Return the seconds for a grid, and its values with bounds."""
    hardy_z(t0 - 50, STEP, 100)
    return timed(hardy_z, t0, STEP, count, True)


def flint_z(points, bits):
    """Return Z at points by FLINT, and the greatest radius."""
    with ctx.workprec(bits):
        balls = [ZETA.hardy_z(acb(t)).real for t in points]
        return np.array([float(z.mid()) for z in balls]), max(float(z.rad()) for z in balls)


def mpmath_z(points):
    """Return Z at points by mpmath."""
    return np.array([float(mpmath.siegelz(t)) for t in points])


def grids(t0, count, sample, runs):
    """Z on a grid: time per point, and error."""
    rng = np.random.default_rng(1)
    mine, peers = [], {"python-flint, 53 bits": [], "python-flint, 64 bits": []}
    peers["mpmath siegelz"] = []
    error = 0.0
    mpmath.siegelz(t0 - 50)
    for _ in range(runs):
        (seconds, found), memory = run_alone(grid, t0, count)
        mine.append(seconds)
        picks = rng.choice(count, sample, replace=False)
        points = (t0 + picks * STEP).tolist()
        for name, bits in (("python-flint, 53 bits", 53), ("python-flint, 64 bits", 64)):
            seconds, _ = timed(flint_z, points, bits)
            peers[name].append(seconds * count / sample)
        seconds, _ = timed(mpmath_z, points[:20])
        peers["mpmath siegelz"].append(seconds * count / 20)
        exact, _ = flint_z(points, 100)
        error = max(error, float(np.abs(found.values[picks] - exact).max()))
    bound = float(found.errors.max())
    note = f"greatest error {error:.1e} at {runs * sample} points, proven bound {bound:.1e}; "
    note += f"peers on {sample} points (mpmath 20), scaled"
    case = f"Z at {count:,} points from t = {t0:.0f}"
    return row(case, mine, peers, memory, note), error, bound


def zeros(t0, t1):
    """Return the seconds for all zeros of a window, and the zeros."""
    isolate_zeros(t0 - 50, t0 - 45)
    return timed(isolate_zeros, t0, t1)


def flint_zeros(first, count):
    """Return the zeros first, first + 1, ... by FLINT, as balls."""
    with ctx.workprec(64):
        return [zero.imag for zero in acb.zeta_zeros(first, count)]


def holds(low, high, number, zero):
    """Return whether an interval holds a zero, whose ball may have to be made smaller."""
    if not low <= zero <= high:
        with ctx.workprec(120):
            zero = acb.zeta_zero(number).imag
    return low <= zero <= high


def windows(t0, t1, runs):
    """All zeros of a window: time, and whether the intervals hold FLINT's zeros."""
    mine = []
    for _ in range(runs):
        (seconds, found), memory = run_alone(zeros, t0, t1)
        mine.append(seconds)
    seconds, balls = timed(flint_zeros, found.first, len(found.intervals))
    pairs = enumerate(zip(found.intervals.tolist(), balls, strict=True), found.first)
    inside = sum(holds(low, high, number, zero) for number, ((low, high), zero) in pairs)
    width = float(np.diff(found.intervals).max())
    note = f"{inside:,} of {len(balls):,} intervals, at most {width:.1e} wide, hold FLINT's zero; "
    note += f"{found.slow} points by ball arithmetic"
    case = f"all {len(balls):,} zeros of [{t0}, {t1})"
    peers = {"python-flint acb.zeta_zeros": [seconds]}
    return row(case, mine, peers, memory, note), inside == len(balls)


def values(t):
    """Return the seconds for eta(1/2 + it), and the values with errors."""
    eta(0.5, t[:2] - 50)
    return timed(eta, 0.5, t, True)


def mpmath_eta(t):
    """Return the same by mpmath at its usual 15 digits."""
    return np.array([complex(mpmath.altzeta(mpmath.mpc(0.5, v))) for v in t.tolist()])


def etas(count, runs):
    """Values of eta at the height of the published piece."""
    t = np.linspace(400000, 400020, count)
    mpmath_eta(t[:1] - 50)
    mine, theirs = [], []
    for _ in range(runs):
        (seconds, (found, errors)), memory = run_alone(values, t)
        mine.append(seconds)
        seconds, reference = timed(mpmath_eta, t)
        theirs.append(seconds)
    note = f"proven error {errors.max():.1e}; from mpmath's {np.abs(found - reference).max():.1e}"
    return row(
        f"eta at {count} points from t = 400000", mine, {"mpmath altzeta": theirs}, memory, note
    )


def main():
    """Measure, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="a small trial; nothing is stored")
    quick = parser.parse_args().quick
    runs = 1 if quick else 3
    grid_row, error, bound = grids(400000.0, 10**5 if quick else 10**6, 50 if quick else 300, runs)
    high_row, _, _ = grids(1e8, 10**4 if quick else 10**5, 20 if quick else 100, 1)
    zeros_row, inside = windows(400000, 400050 if quick else 402000, runs)
    eta_row = etas(30 if quick else 300, runs)
    by_53, _, by_mpmath = (peer["ratio"] for peer in grid_row["peers"])
    (by_zeros,), (by_eta,) = ([p["ratio"] for p in r["peers"]] for r in (zeros_row, eta_row))
    targets = [
        target("Z: at least 500x python-flint per point", f"{by_53:,.0f}x", by_53 >= 500),
        target("Z: at least 10,000x mpmath per point", f"{by_mpmath:,.0f}x", by_mpmath >= 10000),
        target(
            "Z: error below 1e-9 at t = 400000",
            f"measured {error:.1e}, proven {bound:.1e}",
            max(error, bound) < 1e-9,
        ),
        target("zeros: at least 15x acb.zeta_zeros", f"{by_zeros:,.0f}x", by_zeros >= 15),
        target("zeros: every interval holds FLINT's zero", str(inside), inside),
        target("eta: at least 50x mpmath", f"{by_eta:,.0f}x", by_eta >= 50),
    ]
    title = "Hardy's Z, zeros and eta at t = 400000 (processor time)"
    folder = Path(tempfile.mkdtemp()) if quick else RESULTS
    write_results(
        "zeta", title, PACKAGES, [grid_row, high_row, zeros_row, eta_row], targets, folder
    )


if __name__ == "__main__":
    main()
