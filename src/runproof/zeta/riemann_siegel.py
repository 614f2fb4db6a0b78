"""The quick path: Hardy's Z by the Riemann-Siegel formula, with a proven bound.

With N the whole part of sqrt(t / 2 pi), a = sqrt(t / 2 pi) and x = a - N - 1/2,

    Z(t) = 2 sum_{n <= N} n^(-1/2) cos(theta(t) - t log n) + G(x) + R,
    G(x) = (-1)^(N-1) sum_{k <= 4} C_k(x) a^(-k-1/2),   abs(R) < 0.017 t^(-11/4) for t >= 200

(Gabcke 1979, Satz 4.2.3). The C_k are combinations of derivatives of
Psi(x) = cos(2 pi x^2 + 3 pi / 8) / cos(2 pi x), x in [-1/2, 1/2].

With a phase reduced modulo 1 for each n and the factorization of ``panels.py``, points of a
grid cost a matrix product. That many near points are cheaper together is the idea of Odlyzko
and Schoenhage (1988); a product of two factors is its plainest form (cf. Hiary 2011, "A
nearly-optimal method to compute the truncated theta function", arXiv 0711.5005).
"""

import math
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from flint import arb
from tqdm import tqdm

from runproof.validation import require_memory, whole_number
from runproof.zeta.balls import certified_z, exact_arb, precision
from runproof.zeta.heights import T_MAX, exact_number
from runproof.zeta.panels import BLOCK, CHUNK, U, make_panel, turns, two_product, two_sum

T_MIN = 200.0  # Gabcke's bound holds from here on
_SUPER = 1 << 20  # points of one matrix product
_FEW = 64  # points that are not worth a matrix product


class GridValues(NamedTuple):
    """What `hardy_z` returns with ``return_error=True``.

    Attributes
    ----------
    values : ndarray of float64, shape (count,)
        Z at the points of the grid.
    errors : ndarray of float64, shape (count,)
        What the error of each value is proven not to exceed.
    certified : ndarray of bool, shape (count,)
        Whether the value comes from the certified path, by ball arithmetic.
    """

    values: np.ndarray
    errors: np.ndarray
    certified: np.ndarray


def hardy_z(t0, step, count, return_error=False, *, max_error=1e-9, progress=False):
    """Evaluate Hardy's function Z(t) = exp(i theta(t)) zeta(1/2 + it) on a uniform grid.

    Parameters
    ----------
    t0 : float
        The first point, at least 0.
    step : float
        The distance of the points, positive. Point k is the real number t0 + k step,
        k = 0, ..., count - 1, *not* rounded to a double: at t = 4e5 that rounding alone moves
        Z by up to 1e-8. With a step such as 1/512 the points are doubles.
    count : int
        The number of points; the last one may not exceed 1e10.
    return_error : bool
        Whether to return a `GridValues` with bounds instead of the values alone.
    max_error : float
        Where the quick path cannot prove an error below this one, and below t = 200, the
        certified path is taken, at 0.1 to 1 ms a point and more for t above 1e7. With the
        default that is so below t = 428. ``math.inf`` takes the quick path wherever t >= 200.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    values : ndarray of float64, shape (count,)
        Z at the points; or, with `return_error`, a `GridValues` (values, errors, certified).

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.
    MemoryError
        If the grid needs more memory than is available.

    Notes
    -----
    The Riemann-Siegel formula with corrections C0 to C4, the main sum as matrix products; the
    bound is Gabcke's for the remainder plus one for all rounding, derived at the head of the
    module ``runproof.zeta.panels``. The grid is cut exactly where N changes.

    References
    ----------
    W. Gabcke, Neue Herleitung und explizite Restabschaetzung der Riemann-Siegel-Formel,
    dissertation, Goettingen 1979. C. B. Haselgrove, J. C. P. Miller, Tables of the Riemann
    zeta function, 1960. H. M. Edwards, Riemann's Zeta Function, 1974, chapter 7.
    A. M. Odlyzko, A. Schoenhage, Trans. Amer. Math. Soc. 309 (1988).
    """
    t0 = exact_number("t0", t0, 0, T_MAX)
    step = exact_number("step", step, 0, T_MAX, open_low=True)
    count = whole_number("count", count, 1)
    max_error = exact_number("max_error", max_error, 0, math.inf)
    last = Fraction(t0) + (count - 1) * Fraction(step)
    if last > Fraction(T_MAX):
        raise ValueError(
            f"the last point t0 + (count - 1) step must be at most {T_MAX:g}, got {float(last):g}"
        )
    require_memory(f"{count:,} values of Z", 17 * count + 80 * min(count, _SUPER) + 10**8)
    found = grid(t0, step, count, max_error, progress)
    return found if return_error else found.values


def grid(t0, step, count, max_error=math.inf, progress=False):
    """Do the work of `hardy_z` on arguments that were checked."""
    result = GridValues(np.empty(count), np.empty(count), np.zeros(count, bool))
    t0, step = Fraction(t0), Fraction(step)
    with tqdm(total=count, unit="point", unit_scale=True, disable=not progress) as bar:
        start = min(count, max(0, math.ceil((Fraction(T_MIN) - t0) / step)))
        _certified_points(result, t0, step, 0, start, bar)
        while start < count:
            panel = make_panel(terms_at(t0 + start * step))
            stop = min(count, _first_beyond(panel.n_terms + 1, t0, step))
            good = stop
            if panel.rounding < max_error:
                t_good = (0.0172 / (max_error - panel.rounding)) ** (4 / 11)
                good = min(stop, max(start, math.ceil((Fraction(t_good) - t0) / step)))
            _certified_points(result, t0, step, start, good, bar)
            for k in range(good, stop, _SUPER):
                end = min(stop, k + _SUPER)
                quick = _few_points if end - k < _FEW else _matrix_points
                result.values[k:end] = quick(panel, t0, step, k, end)
                result.errors[k:end] = panel.bound(float(t0 + k * step))
                bar.update(end - k)
            start = stop
    return result


def _certified_points(result, t0, step, start, stop, bar):
    for k in range(start, stop):
        result.values[k], result.errors[k] = certified_z(t0 + k * step)
        result.certified[k] = True
        bar.update()


def scattered(t):
    """Return Z and its bound at an array of doubles in [200, 1e10]."""
    values, errors = np.empty(t.size), np.empty(t.size)
    n_terms = _terms_of(t)
    for n in np.unique(n_terms):
        here = np.flatnonzero(n_terms == n)
        panel, points = make_panel(int(n)), t[here]
        values[here] = panel.z(points, np.zeros_like(points))
        errors[here] = panel.bound(points)
    return values, errors


def _terms_of(t):
    """Return N for an array of doubles, exact also next to a jump."""
    root = np.sqrt(t / (2 * np.pi))
    n_terms = np.floor(root).astype(np.int64)
    for k in np.flatnonzero(np.abs(root - np.rint(root)) < 16 * U * root):
        n_terms[k] = terms_at(float(t[k]))
    return n_terms


def terms_at(t):
    """Return N, the whole part of sqrt(t / 2 pi), of a float or Fraction t."""
    return _whole(lambda bits: (exact_arb(t, bits) / (2 * arb.pi())).sqrt().floor())


def _first_beyond(n, t0, step):
    """Return the first k with t0 + k step > 2 pi n^2."""
    return _whole(
        lambda bits: ((2 * arb.pi() * n * n - exact_arb(t0, bits)) / exact_arb(step, bits)).ceil()
    )


def _whole(enclose):
    """Return the whole number in a ball, at a precision that leaves but one."""
    bits = 128
    while True:
        with precision(bits):
            number = enclose(bits).unique_fmpz()
        if number is not None:
            return int(number)
        bits *= 2


def _few_points(panel, t0, step, start, stop):
    points = [t0 + k * step for k in range(start, stop)]
    high = np.array([float(t) for t in points])
    low = np.array([float(t - Fraction(h)) for t, h in zip(points, high.tolist(), strict=True)])
    return panel.z(high, low)


def _matrix_points(panel, t0, step, start, stop):
    """Return Z at the points start, ..., stop - 1 by matrix products.

    Rows of `width` points; the last row ends with the last point and may overlap the one
    before it, so no row leaves the panel.
    """
    count = stop - start
    width = 1 << (math.isqrt(2 * count).bit_length() - 1)
    begin = np.minimum(np.arange(-(-count // width)) * width, count - width)
    rows = _grid_pairs(t0 + start * step, step, begin + (width - 1) / 2)
    columns = _grid_pairs(Fraction(0), step, np.arange(width // 2) + 0.5)
    real, imag = _sums(panel, rows, columns)
    values = np.empty((begin.size, width))
    distance = panel.from_center(*rows)[:, None] + np.r_[-columns[0][::-1], columns[0]]
    for k in range(0, begin.size, max(1, BLOCK // width)):
        part = slice(k, k + max(1, BLOCK // width))
        angle = 2 * np.pi * panel.base(distance[part])
        z = np.cos(angle) * real[part] - np.sin(angle) * imag[part]
        values[part] = 2 * z + panel.g(distance[part])
    overlap = begin.size * width - count
    return np.concatenate([values[:-1].ravel(), values[-1, overlap:]])


def _grid_pairs(t0, step, k):
    """Return t0 + k step as pairs of doubles for an array of (half) whole numbers."""
    high = float(t0)
    product, error = two_product(float(step), k)
    total, more = two_sum(high, product)
    return two_sum(total, more + (error + float(t0 - Fraction(high))))


def _sums(panel, rows, columns):
    """Return real and imaginary part of the sum over n, less the factor e(offset + P)."""
    half, n_rows = columns[0].size, rows[0].size
    weights, total = panel.weights, 0.0
    for k in range(0, panel.n_terms, CHUNK):
        rates = panel.rates[0][k : k + CHUNK], panel.rates[1][k : k + CHUNK]
        size = rates[0].size
        left, right = np.empty((2 * n_rows, size)), np.empty((size, 2 * half))
        for j in range(0, n_rows, BLOCK // CHUNK):
            part = slice(j, min(n_rows, j + BLOCK // CHUNK))
            angle = turns((rows[0][part, None], rows[1][part, None]), rates)
            angle *= 2 * np.pi
            left[part] = np.cos(angle) * weights[k : k + CHUNK]
            left[n_rows:][part] = np.sin(angle) * weights[k : k + CHUNK]
        for j in range(0, size, max(1, BLOCK // half)):
            part = slice(j, j + max(1, BLOCK // half))
            angle = turns(columns, (rates[0][part, None], rates[1][part, None]))
            angle *= 2 * np.pi
            right[part, :half], right[part, half:] = np.cos(angle), np.sin(angle)
        total += left @ right
    cc, cs = total[:n_rows, :half], total[:n_rows, half:]  # row's cosine times column's ...
    sc, ss = total[n_rows:, :half], total[n_rows:, half:]
    real = np.concatenate([(cc + ss)[:, ::-1], cc - ss], axis=1)
    imag = np.concatenate([(sc - cs)[:, ::-1], sc + cs], axis=1)
    return real, imag
