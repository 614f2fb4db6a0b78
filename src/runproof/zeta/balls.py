"""The certified path: zeta, eta, Hardy's Z and the count of zeros by ball arithmetic.

Every value is enclosed by FLINT (Johansson 2017); precision is raised until the enclosure
is as narrow as is asked for.
"""

import math
import threading
from contextlib import contextmanager
from fractions import Fraction

import flint
import joblib
import numpy as np
from flint import acb, arb, ctx
from tqdm import tqdm

from runproof.validation import require_memory
from runproof.zeta.heights import T_MAX, real_array, window

SIGMA_MAX = 10.0  # FLINT takes seconds a point beyond 13 or so, where zeta is all but 1
_POINTS = 64  # of one task
_MOST_BITS = 4096
_PRINCIPAL = flint.dirichlet_char(1, 1)  # whose L function is zeta
_LOCK = threading.RLock()  # FLINT's precision belongs to the process, not to the thread


@contextmanager
def precision(bits):
    """Compute with balls of that many bits; one thread at a time."""
    with _LOCK, ctx.workprec(bits):
        yield


def eta(sigma, t, return_error=False, *, n_jobs=None, progress=False):
    """Evaluate Dirichlet's eta function, the sum of (-1)^(n-1) n^(-s), at s = sigma + it.

    Parameters
    ----------
    sigma, t : array_like of float
        Real and imaginary part of s; they broadcast. 0 <= sigma <= 10, abs(t) <= 1e10.
    return_error : bool
        Whether to return the errors, too.
    n_jobs : int, optional
        Number of processes, as for `joblib.Parallel`; the result does not depend on it.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    values : ndarray of complex128
        eta(s), of the shape sigma and t broadcast to; a scalar if both are scalars.
    errors : ndarray of float64
        Only with `return_error`: what ``abs(values - eta(s))`` is proven not to exceed.
        It is below ``max(1e-12, 2**-51 * abs(values))``; for sigma >= 1/2 and abs(t) <= 1e8
        below 1e-12.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.
    MemoryError
        If the arrays do not fit into memory.

    Notes
    -----
    eta(s) = (1 - 2^(1-s)) zeta(s). Rounding t log 2 costs the first factor as many bits as t
    has, so it is enclosed with more of them than zeta; where it has a zero, at s = 1 above
    all, FLINT's own eta is used. The error is the radius of the ball plus the
    rounding of its midpoint to a double.

    References
    ----------
    F. Johansson, "Arb: efficient arbitrary-precision midpoint-radius interval arithmetic",
    IEEE Trans. Comput. 66 (2017).
    """
    return _evaluate("eta", _eta_ball, sigma, t, return_error, n_jobs, progress)


def zeta(sigma, t, return_error=False, *, n_jobs=None, progress=False):
    """Evaluate Riemann's zeta function at s = sigma + it.

    Parameters
    ----------
    sigma, t : array_like of float
        Real and imaginary part of s; they broadcast. 0 <= sigma <= 10, abs(t) <= 1e10.
    return_error : bool
        Whether to return the errors, too.
    n_jobs : int, optional
        Number of processes, as for `joblib.Parallel`; the result does not depend on it.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    values : ndarray of complex128
        zeta(s), of the shape sigma and t broadcast to; a scalar if both are scalars.
    errors : ndarray of float64
        Only with `return_error`, and as for `eta`. Close to the pole at s = 1 values are
        large, and only their relative error is small.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or s = 1.
    MemoryError
        If the arrays do not fit into memory.
    """
    return _evaluate("zeta", _zeta_ball, sigma, t, return_error, n_jobs, progress)


def _evaluate(name, ball, sigma, t, return_error, n_jobs, progress):
    sigma = real_array("sigma", sigma, 0.0, SIGMA_MAX)
    t = real_array("t", t, -T_MAX, T_MAX)
    try:
        sigma, t = np.broadcast_arrays(sigma, t)
    except ValueError:
        raise ValueError(
            f"sigma and t must broadcast, got shapes {sigma.shape} and {t.shape}"
        ) from None
    if name == "zeta" and ((sigma == 1) & (t == 0)).any():
        raise ValueError("zeta has a pole at sigma = 1, t = 0: no value there")
    require_memory(f"{t.size:,} values", 120 * t.size)
    points = np.stack([sigma.ravel(), t.ravel()], axis=1)
    pieces = [points[i : i + _POINTS] for i in range(0, len(points), _POINTS)]
    jobs = (joblib.delayed(_enclose_all)(ball, piece) for piece in pieces)
    jobs = tqdm(jobs, total=len(pieces), unit=f"x{_POINTS}", disable=not progress)
    found = joblib.Parallel(n_jobs=n_jobs)(jobs)
    values = np.concatenate([np.empty(0, complex), *(v for v, _ in found)]).reshape(t.shape)
    if not return_error:
        return values[()]
    errors = np.concatenate([np.empty(0), *(e for _, e in found)]).reshape(t.shape)
    return values[()], errors[()]


def _enclose_all(ball, points):
    found = [_to_double(ball, s, t) for s, t in points.tolist()]
    return np.array([v for v, _ in found]), np.array([e for _, e in found])


def _to_double(ball, sigma, t):
    """Return the value and its error, with balls narrow against the rounding to doubles."""
    bits = 53
    while True:
        with precision(bits):
            enclosure = ball(acb(sigma, t), bits)
            if enclosure.is_finite():
                value = complex(float(enclosure.real.mid()), float(enclosure.imag.mid()))
                error = _distance(enclosure, value)
                if error <= max(1e-13, 2.0**-52 * abs(value)):
                    return value, error
        bits = _more(bits, f"s = {sigma!r} + {t!r} i")


def _distance(enclosure, value):
    """Return what bounds the distance of a double from every number of a ball."""
    with precision(120):
        return math.nextafter(float((enclosure - acb(value)).abs_upper()), math.inf)


def _more(bits, what):
    if bits >= _MOST_BITS:
        raise ArithmeticError(f"{bits} bits do not decide the value at {what}")
    return min(2 * bits if bits > 100 else bits + 12, _MOST_BITS)


def _zeta_ball(s, bits):
    return s.zeta()


def _eta_ball(s, bits):
    with precision(bits + 40):
        factor = 1 - acb(2) ** (1 - s)
    if factor.abs_lower() < 2.0**-8:
        return s.dirichlet_eta()
    return factor * s.zeta()


def hardy_z_ball(t, bits):
    """Enclose Z at a point t, a float or a Fraction."""
    with precision(bits):
        return _PRINCIPAL.hardy_z(acb(exact_arb(t, bits))).real


def exact_arb(t, bits):
    """Enclose a float (exactly) or a Fraction."""
    if isinstance(t, Fraction):
        with precision(bits):
            return arb(flint.fmpq(t.numerator, t.denominator))
    return arb(t)


def certified_z(t):
    """Return Z(t) and its error, t a float or a Fraction."""
    bits = 64 + max(0, math.frexp(float(t))[1])
    while True:
        enclosure = hardy_z_ball(t, bits)
        if enclosure.is_finite():
            value = float(enclosure.mid())
            error = _distance(acb(enclosure), value)
            if error <= 1e-16 + 2.0**-52 * abs(value):
                return value, error
        bits = _more(bits, f"t = {t}")


def certified_sign(t):
    """Return the sign, 1 or -1, of Z at a float t."""
    bits = 64 + max(0, math.frexp(t)[1])
    while True:
        enclosure = hardy_z_ball(t, bits)
        if enclosure > 0:
            return 1
        if enclosure < 0:
            return -1
        bits = _more(bits, f"t = {t!r}, which may be a zero itself: move this end point")


def count_zeros(t0, t1):
    """Count the zeros of zeta in the critical strip with t0 <= imaginary part < t1.

    Parameters
    ----------
    t0, t1 : float
        The ends of the window, 0 <= t0 < t1 <= 1e10. They are taken as the exact doubles.

    Returns
    -------
    int
        N(t1) - N(t0), exact, zeros counted with multiplicity, on the critical line or not.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.
    ArithmeticError
        If no precision tells an end from a zero. No double is known to be one.

    Notes
    -----
    N(t) is FLINT's: a Gram block in which Turing's method is satisfied, then signs of Z.
    """
    t0, t1 = window(t0, t1)
    return zeros_up_to(t1) - zeros_up_to(t0)


def zeros_up_to(t):
    """Return N(t), the number of zeros with 0 < imaginary part <= t."""
    bits = 64 + max(0, math.frexp(t)[1])
    while True:
        with precision(bits):
            count = arb(t).zeta_nzeros()
            exact = count.unique_fmpz() if count.is_finite() else None
        if exact is not None:
            return int(exact)
        bits = _more(bits, f"t = {t!r}, which may be a zero itself: move this end point")
