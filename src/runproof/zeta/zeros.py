"""Every zero of zeta in a window, each in an interval with a proven change of sign."""

import math
from itertools import count, pairwise
from typing import NamedTuple

import joblib
import numpy as np
from tqdm import tqdm

from runproof.validation import require_memory
from runproof.zeta.balls import certified_sign, certified_z, zeros_up_to
from runproof.zeta.heights import T_MAX, exact_number, window
from runproof.zeta.riemann_siegel import T_MIN, grid, scattered

_ZEROS = 512  # of one task, about
_PER_ZERO = 6  # points of the first grid, at least
_MOST_POINTS = 1 << 18  # of one task, before it gives up
_TINY = 1e-30  # stands for a value that is 0 but for rounding; its sign is proven


class Zeros(NamedTuple):
    """What `isolate_zeros` returns.

    Attributes
    ----------
    intervals : ndarray of float64, shape (m, 2)
        The ends of the intervals, ascending. Each interval holds exactly one zero, which is
        simple and lies on the critical line, and Z has opposite proven signs at its ends.
    first : int
        The number of the first zero of the window: zero k of zeta is ``intervals[k - first]``.
    slow : int
        How many points needed the certified path, by ball arithmetic.
    """

    intervals: np.ndarray
    first: int
    slow: int


def isolate_zeros(t0, t1, tol=1e-9, n_jobs=None, *, progress=False):
    """Isolate every zero 1/2 + it of zeta with t0 <= t < t1.

    Parameters
    ----------
    t0, t1 : float
        The ends of the window, 0 <= t0 < t1 <= 1e10. They are taken as the exact doubles.
    tol : float
        The greatest width of an interval; where doubles lie farther apart than that, it is
        their distance at t1 (5.8e-11 at t = 4e5, 1.5e-8 at 1e8).
    n_jobs : int, optional
        Number of processes, as for `joblib.Parallel`; the result does not depend on it, so
        ``joblib.parallel_config(backend="dask")`` carries the work to a cluster.
    progress : bool
        Whether to show a progress bar, one step for about 512 zeros.

    Returns
    -------
    Zeros
        A named tuple (intervals, first, slow). Interval ends are whole multiples of the
        largest power of two that is not above `tol`, so they do not depend on rounding or
        on the machine; only with a `tol` wider than the grid of the search do points of that
        grid or ends of the window occur.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.
    MemoryError
        If the window needs more memory than is available.
    ArithmeticError
        If signs do not account for every zero: two zeros closer than doubles can tell, a
        double zero or one off the critical line, none of which has ever been found; or if
        no precision tells an end of the window from a zero.

    Notes
    -----
    Complete, because the number of proven changes of sign equals the exact number of zeros
    in the critical strip (`count_zeros`). Signs come from the Riemann-Siegel formula where
    abs(Z) exceeds its proven bound, and from ball arithmetic elsewhere and below t = 200.
    The search starts on a grid of at least six points to a zero, and refines it where Z turns
    without a change of sign until the count is met. Then all brackets shrink at once by the
    Illinois rule, on multiples of the power of two alone, every sign proven.

    References
    ----------
    H. M. Edwards, Riemann's Zeta Function, 1974, chapter 8 (Turing's method). A. M. Odlyzko,
    A. Schoenhage, Trans. Amer. Math. Soc. 309 (1988). F. Johansson, IEEE Trans. Comput. 66
    (2017).
    """
    t0, t1 = window(t0, t1)
    tol = exact_number("tol", tol, 0, T_MAX, open_low=True)
    expected = max(1.0, (t1 - t0) * _density(t1))
    require_memory(f"about {expected:,.0f} zeros", 200 * expected + 10**8)
    cell = max(2.0 ** (math.frexp(tol)[1] - 1), float(np.spacing(t1)))
    ends = _windows(t0, t1, expected)
    jobs = (joblib.delayed(_one_window)(a, b, cell) for a, b in pairwise(ends))
    jobs = tqdm(jobs, total=len(ends) - 1, unit="window", disable=not progress)
    found = joblib.Parallel(n_jobs=n_jobs)(jobs)
    intervals = np.concatenate([piece for piece, _, _ in found])
    return Zeros(intervals, found[0][1] + 1, sum(slow for _, _, slow in found))


def _density(t):
    """Return the mean number of zeros per unit of t, or more where t is small."""
    return math.log(max(t, 200.0) / (2 * math.pi)) / (2 * math.pi)


def _step(t):
    """Return the power of two that is the step of the first grid."""
    return 2.0 ** math.floor(math.log2(1 / (_PER_ZERO * _density(t))))


def _windows(t0, t1, expected):
    """Return ends of windows of about _ZEROS zeros, whole multiples of the grid's step inside."""
    pieces = math.ceil(expected / _ZEROS)
    step = _step(t1)
    inner = [round((t0 + (t1 - t0) * k / pieces) / step) * step for k in range(1, pieces)]
    return [t0, *inner, t1]


def _one_window(t0, t1, cell):
    """Return the intervals of one window, N(t0), and the number of slow points."""
    before = zeros_up_to(t0)
    wanted = zeros_up_to(t1) - before
    points, values, slow = _first_grid(t0, t1)
    points, values, more = _until_count_is_met(points, values, wanted)
    change = np.flatnonzero(values[:-1] * np.sign(values[1:]) < 0)
    intervals, last = _shrink(points, values, change, cell)
    return intervals, before, slow + more + last


def _first_grid(t0, t1):
    """Return points, Z with a proven sign at each, and the number of slow points."""
    step = _step(t1)
    first, last = math.floor(t0 / step) + 1, math.ceil(t1 / step) - 1
    points = np.arange(first, last + 1) * step
    values, slow = np.empty(0), 0
    if points.size:
        found = grid(points[0], step, points.size)
        values, slow = _prove_signs(points, found.values, found.errors)
        slow += int(found.certified.sum())
    ends, more = _values(np.array([t0, t1]))
    points = np.concatenate([[t0], points, [t1]])
    return points, np.concatenate([ends[:1], values, ends[1:]]), slow + more


def _values(points):
    """Return Z with a proven sign at scattered points, and the number of slow points."""
    values, errors = np.empty(points.size), np.zeros(points.size)
    low = points < T_MIN
    for k in np.flatnonzero(low):
        values[k], errors[k] = certified_z(float(points[k]))
    values[~low], errors[~low] = scattered(points[~low])
    values, slow = _prove_signs(points, values, errors)
    return values, slow + int(low.sum())


def _prove_signs(points, values, errors):
    """Give values the proven sign where their bound does not; count these."""
    doubtful = np.flatnonzero(np.abs(values) <= errors)
    for k in doubtful:
        values[k] = certified_sign(float(points[k])) * max(abs(values[k]), _TINY)
    return values, doubtful.size


def _until_count_is_met(points, values, wanted):
    """Add points until signs change `wanted` times; return them, Z, and the slow points."""
    slow = 0
    for level in count(1):
        same = values[:-1] * np.sign(values[1:]) > 0
        changes = int(np.count_nonzero(~same))
        if changes == wanted:
            return points, values, slow
        if changes > wanted:
            raise ArithmeticError(
                f"{changes} changes of sign but {wanted} zeros in [{points[0]!r}, {points[-1]!r}): "
                "this is a defect of runproof or of FLINT, please report it"
            )
        size = np.abs(values)
        turn = np.r_[True, size[1:] <= size[:-1]] & np.r_[size[:-1] <= size[1:], True]
        where = same & (turn[:-1] | turn[1:])  # beside a point where abs(Z) is least
        if level % 4 == 0 or not where.any():
            where = np.ones_like(same)  # a change of sign may hide three zeros
        left, right = points[:-1][where], points[1:][where]
        new = np.concatenate([left + (right - left) * part for part in (0.25, 0.5, 0.75)])
        new = np.setdiff1d(new, points)
        if not (level % 4 or new.size) or points.size + new.size > _MOST_POINTS:
            raise ArithmeticError(
                f"{changes} changes of sign for {wanted} zeros in "
                f"[{float(points[0])!r}, {float(points[-1])!r}): the others lie too close "
                "together, or are not simple, or not on the critical line"
            )
        found, more = _values(new)
        order = np.argsort(np.concatenate([points, new]), kind="stable")
        points = np.concatenate([points, new])[order]
        values = np.concatenate([values, found])[order]
        slow += more


def _shrink(points, values, change, cell):
    """Shrink brackets to neighboring multiples of `cell`; return them and the slow points.

    All ends but those of the search are multiples of `cell`, a power of two.
    """
    low, high = points[change], points[change + 1]
    f_low, f_high = values[change].copy(), values[change + 1].copy()
    above = np.sign(f_high)
    slow, rounds, side = 0, 0, np.zeros(change.size, np.int8)
    while True:
        first, last = np.floor(low / cell) + 1, np.ceil(high / cell) - 1
        active = np.flatnonzero(first <= last)
        if not active.size:
            return np.stack([low, high], axis=1), slow
        a, b, fa, fb = low[active], high[active], f_low[active], f_high[active]
        share = fa / (fa - fb) if rounds % 8 < 7 else 0.5
        x = np.clip(np.rint((a + (b - a) * share) / cell), first[active], last[active]) * cell
        f, more = _values(x)
        slow, rounds = slow + more, rounds + 1
        to_left = np.sign(f) == above[active]  # the zero lies left of x
        was = side[active]
        f_low[active] = np.where(to_left, np.where(was == 1, fa / 2, fa), f)
        f_high[active] = np.where(to_left, f, np.where(was == -1, fb / 2, fb))
        low[active], high[active] = np.where(to_left, a, x), np.where(to_left, x, b)
        side[active] = np.where(to_left, 1, -1)
