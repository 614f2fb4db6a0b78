"""Panels: what the Riemann-Siegel formula needs for one N, and the bound of all rounding.

Everything that depends on N alone is a *panel*, made once by ball arithmetic. Let
c = 2 pi (N + 1/2)^2, so t = c + W y with -1 <= y <= 1 (W = 2 pi (N + 3/4), rounded up). Then

    theta(t) = theta'(c) t + offset + P(y),    P(y) = sum_{j >= 2} theta_j y^j,

and all angles are kept in turns (units of 2 pi), reduced modulo 1. Term n has the phase
``turns(t * rate_n) + offset + P(y)`` with rate_n = (theta'(c) - log n) / 2 pi. On a grid,
t = t_row + d, the phase is a sum over row and column, and the sum over n a matrix product:

    sum_n [n^(-1/2) e(t_row rate_n)] [e(d rate_n)],      e(v) = exp(2 pi i v).

Columns come in pairs +-d, which share one real product.

Rounding
--------
u = 2^-53; second-order terms are in the factor 1.01 of `_bound`. Assumed of the platform:
IEEE doubles; NumPy's sin and cos within 4 u for arguments up to 10; matrix products by sums
of products in any order, with or without fused steps.

1. t and rate_n are pairs of doubles (high, low); the pair of rate_n is wrong by at most
   8 u^2 r, r the greatest of theta'(c) / 2 pi and log(N) / 2 pi. `turns` forms high * high
   exactly (Dekker) and takes the nearest whole number from it exactly. What is left out or
   rounded below is at most 64 u^2 r t together with the errors of t and the rates; the last
   addition rounds a number below 0.51. So turns are wrong by at most

       turn = 0.51 u + 64 u^2 r t.

2. y and x come from t - c, whose high parts subtract exactly (Sterbenz: N >= 5); each is
   wrong by at most 6 u. Horner's rule to degree J on rounded coefficients errs by at most
   (2 J + 2) u sum abs(theta_j). With the Taylor remainder (`cut`) and
   abs(P') <= sum j abs(theta_j), offset + P, at most 0.8, is wrong by at most

       base = u (3/2 + sum (2 J + 2 + 6 j) abs(theta_j)) + cut.

   The remainder: abs(theta^(j)(t)) / j! <= t^(1-j) / j for j >= 2, t >= 5, from the series
   of the polygamma functions. G likewise, as its Taylor polynomial in x.

3. An angle 2 pi v, abs(v) <= 0.51, rounds by at most 6.8 u, then its sine or cosine by 4 u.
   Let W1 = sum n^(-1/2), gamma = m u / (1 - m u), m = 512 + ceil(N / 512), since sums run in
   chunks of 512 terms. What multiplies 2 W1 is

   at scattered points: 2 pi (turn + base + 1.4 u) + 6.8 u + 4 u for a cosine, 2 u for a
   weight, gamma for the sum;

   on a grid: 2 pi turn + 6.8 u + 5.7 u (as a complex number) for an entry of either matrix,
   3 u for the weights, 1.5 gamma for the complex sum, as a real one errs by gamma W1
   (abs(cos a cos b) + abs(sin a sin b) <= 1), 2 pi base + 10.6 u + 5.7 u for e(offset + P),
   7 u for what is added and multiplied after that.

   Adding G rounds by u (2 W1 + abs(G)).

`_bound` takes the greater one. At t = 4e5 it is 6e-12, of which R is 7e-18.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import flint
import numpy as np
from flint import acb, arb, arb_poly

from runproof.zeta.balls import precision

CHUNK = 512  # terms of one sum
BLOCK = 1 << 15  # numbers that are worked on in cache
U = 2.0**-53  # half the spacing of doubles at 1
_NEGLIGIBLE = 2.0**-62
_SERIES = 80  # coefficients of G that are enclosed; the others are bounded by Cauchy
_BITS = 200


@dataclass(frozen=True, eq=False)
class Panel:
    """All that belongs to one N: constants for 2 pi N^2 <= t < 2 pi (N + 1)^2.

    Attributes
    ----------
    n_terms : int
        N.
    center : tuple of float
        c as a pair (high, low).
    half_width : float
        W.
    rates : tuple of ndarray, each of shape (N,)
        (theta'(c) - log n) / 2 pi as pairs.
    offset : float
        (theta(c) - theta'(c) c) / 2 pi modulo 1.
    theta : ndarray
        Coefficients of P from y^2 on, in turns.
    correction : ndarray
        Coefficients of G.
    rounding : float
        All of the bound but Gabcke's.
    """

    n_terms: int
    center: tuple
    half_width: float
    rates: tuple
    offset: float
    theta: np.ndarray
    correction: np.ndarray
    rounding: float

    @property
    def weights(self):
        return 1 / np.sqrt(np.arange(1.0, self.n_terms + 1))

    def bound(self, t):
        """Return the bound that holds from t on."""
        return 1.01 * 0.017 * t**-2.75 + self.rounding

    def from_center(self, high, low):
        """Return t - c."""
        return (high - self.center[0]) + (low - self.center[1])

    def base(self, distance):
        """Return offset + P in turns at c + distance."""
        y = distance / self.half_width
        return self.offset + y * y * _horner(self.theta, y)

    def g(self, distance):
        """Return the correction G at c + distance."""
        a = np.sqrt((self.center[0] + distance) / (2 * np.pi))
        x = distance / (2 * np.pi) / (a + (self.n_terms + 0.5))
        return _horner(self.correction, x)

    def z(self, high, low):
        """Return Z at scattered points, given as pairs of doubles."""
        distance = self.from_center(high, low)
        base, total, weights = self.base(distance), np.zeros(high.size), self.weights
        rows = BLOCK // CHUNK
        for k in range(0, high.size, rows):
            part = slice(k, k + rows)
            t = high[part, None], low[part, None]
            for j in range(0, self.n_terms, CHUNK):
                phase = turns(t, [rate[j : j + CHUNK] for rate in self.rates])
                phase += base[part, None]
                phase -= np.rint(phase)
                phase *= 2 * np.pi
                total[part] += np.cos(phase) @ weights[j : j + CHUNK]
        return 2 * total + self.g(distance)


def _horner(coefficients, x):
    value = np.full_like(x, coefficients[-1])
    for c in coefficients[-2::-1]:
        value *= x
        value += c
    return value


def two_product(a, b):
    """Return a * b as a pair of doubles, exactly (Dekker 1971)."""
    (a1, a2), (b1, b2) = _halves(a), _halves(b)
    product = a * b
    error = a1 * b1
    error -= product
    error += a1 * b2
    error += a2 * b1
    error += a2 * b2
    return product, error


def _halves(a):
    """Split doubles in two halves of 26 bits (Veltkamp)."""
    high = 134217729.0 * a
    high = high - (high - a)
    return high, a - high


def two_sum(a, b):
    """Return a + b as a pair of doubles, exactly (Knuth)."""
    total = a + b
    other = total - a
    return total, (a - (total - other)) + (b - other)


def turns(t, rates):
    """Return t * rates modulo 1, in [-0.51, 0.51]; both are pairs of doubles."""
    product, error = two_product(t[0], rates[0])
    error += t[0] * rates[1]
    if np.any(t[1]):
        error += t[1] * rates[0]
    product -= np.rint(product)
    product += error
    return product


@lru_cache(maxsize=32)
def make_panel(n):
    """Make the panel of N = n."""
    with precision(_BITS):
        two_pi = 2 * arb.pi()
        middle = arb(2 * n + 1) / 2
        center = two_pi * middle**2
        half_width = math.nextafter(float(two_pi * (n + arb(3) / 4)) * (1 + 2.0**-50), math.inf)
        s = acb(arb(1) / 4, center / 2)
        rate = (s.digamma().real - arb.pi().log()) / (2 * two_pi)
        offset = (s.lgamma().imag - center / 2 * arb.pi().log()) / two_pi - rate * center
        offset -= (offset.mid() + 0.5).floor()
        theta, cut = _theta_series(s, half_width)
        g, g_cut = _correction_series(n)
        rates = _rates(_pair(rate), n)
        parts = _pair(center)
    largest = max(float(rate), math.log(n) / (2 * math.pi))
    rounding = _bound(n, theta, cut, g, g_cut, largest)
    return Panel(n, parts, half_width, rates, float(offset), theta, g, rounding)


def _pair(number):
    high = float(number.mid())
    return high, float((number - high).mid())


def _upper(number):
    """Return a double not below the absolute value of a ball."""
    return math.nextafter(float(abs(number).upper()), math.inf)


def _theta_series(s, width):
    """Return the coefficients of P from y^2 on, in turns, and what bounds the rest.

    theta^(j) = Im[(i / 2)^j psi^(j-1)(s)] for j >= 2, s = 1/4 + i c / 2.
    """
    low = 2 * float(s.imag.lower()) - width
    coefficients, power, j = [], acb(0, arb(width) / 2) / (2 * arb.pi()), 1
    while True:
        rest = width * (width / low) ** j / (j + 1)  # radians, so generous
        if rest < _NEGLIGIBLE and j > 1:
            break
        j += 1
        power = power * acb(0, arb(width) / 2) / j
        coefficients.append((power * s.polygamma(j - 1)).imag)
    return np.array([float(c.mid()) for c in coefficients]), rest


def _correction_series(n):
    """Return the coefficients of G, and what bounds the rest for abs(x) <= 1/2.

    For abs(x) <= 3, abs(Psi) < 2.8e24: cosh(18 pi) above, and on the circle
    abs(cos(2 pi x)) > 0.67 below. Cauchy's estimate for derivatives then gives
    abs(G) < 1.4e25 for abs(x) <= 2, so coefficient j of G is below 1.4e25 / 2^j.
    """
    middle = arb(2 * n + 1) / 2
    total = arb_poly([])
    for k, polynomial in enumerate(_haselgrove()):
        total += polynomial * arb_poly(_binomial_series(middle, -k - arb(1) / 2))
    coefficients = total.coeffs()[:_SERIES]
    if n % 2 == 0:
        coefficients = [-c for c in coefficients]
    cut = 1.4e25 * 4.0**-_SERIES * 4 / 3
    size = [_upper(c) * 0.5**j for j, c in enumerate(coefficients)]
    while size[-1] + cut < _NEGLIGIBLE:
        cut += size.pop()
    return np.array([float(c.mid()) for c in coefficients[: len(size)]]), cut


def _binomial_series(middle, exponent):
    """Return the Taylor coefficients of (middle + x)^exponent."""
    coefficients = [middle**exponent]
    for j in range(_SERIES - 1):
        coefficients.append(coefficients[-1] * (exponent - j) / ((j + 1) * middle))
    return coefficients


@lru_cache(maxsize=1)
def _haselgrove():
    """Return the Taylor polynomials of C_0, ..., C_4 in x (Haselgrove; Edwards, section 7.6)."""
    with precision(1000):
        psi = _psi_series(_SERIES + 12)
        pi2 = arb.pi() ** 2
        c0 = _derivative(psi, 0)
        c1 = _derivative(psi, 3) * (-1 / (96 * pi2))
        c2 = _derivative(psi, 6) * (1 / (18432 * pi2**2)) + _derivative(psi, 2) * (1 / (64 * pi2))
        c3 = (
            _derivative(psi, 9) * (-1 / (5308416 * pi2**3))
            + _derivative(psi, 5) * (-1 / (3840 * pi2**2))
            + _derivative(psi, 1) * (-1 / (64 * pi2))
        )
        c4 = (
            _derivative(psi, 12) * (1 / (2038431744 * pi2**4))
            + _derivative(psi, 8) * (11 / (5898240 * pi2**3))
            + _derivative(psi, 4) * (19 / (24576 * pi2**2))
            + _derivative(psi, 0) * (1 / (128 * pi2))
        )
        return c0, c1, c2, c3, c4


def _psi_series(size):
    """Return Taylor coefficients of cos(2 pi x^2 + 3 pi / 8) / cos(2 pi x)."""
    two_pi, angle = 2 * arb.pi(), 3 * arb.pi() / 8
    top, bottom = [arb(0)] * size, [arb(0)] * size
    for m in range(0, size, 2):
        bottom[m] = (-1) ** (m // 2) * two_pi**m / arb(flint.fmpz.fac_ui(m))
        j = m // 2
        value = angle.cos() if j % 2 == 0 else -angle.sin()
        top[m] = (-1) ** (j // 2) * value * two_pi**j / arb(flint.fmpz.fac_ui(j))
    quotient = []
    for m in range(size):
        quotient.append(top[m] - sum((quotient[m - i] * bottom[i] for i in range(2, m + 1, 2)), 0))
    return quotient


def _derivative(series, order):
    """Differentiate a Taylor polynomial and keep _SERIES coefficients."""
    factor = flint.fmpz.fac_ui
    return arb_poly([series[k + order] * (factor(k + order) // factor(k)) for k in range(_SERIES)])


def _rates(rate, n):
    """Return rate - log(k) / 2 pi for k = 1, ..., n as pairs."""
    logs = _log_turns(1 << n.bit_length())
    high, low = two_sum(rate[0], -logs[0][:n])
    return two_sum(high, low + (rate[1] - logs[1][:n]))


@lru_cache(maxsize=4)
def _log_turns(size):
    """Return log(k) / 2 pi for k = 1, ..., size as pairs."""
    with precision(_BITS):
        factor = 1 / (2 * arb.pi())
        pairs = [_pair(arb(k).log() * factor) for k in range(1, size + 1)]
    return np.array(pairs).T.copy()


def _bound(n, theta, cut, g, g_cut, rate):
    """Return the bound of all rounding and of what the series leave out (see the module)."""
    w1 = float(np.sum(1 / np.sqrt(np.arange(1.0, n + 1)))) * (1 + n * U)
    turn = 0.51 * U + 64 * U**2 * rate * 2 * math.pi * (n + 1) ** 2
    j, size = np.arange(2, theta.size + 2), np.abs(theta)
    base = U * (1.5 + float(np.sum((2 * j[-1] + 2 + 6 * j) * size))) + cut
    if 0.5 + size.sum() > 0.8:
        raise ArithmeticError(f"the panel of N = {n} is too wide")  # never: P is at most 1/4
    k = np.arange(g.size)
    g_size = np.abs(g) * 0.5**k
    g_error = U * float(np.sum((2 * k[-1] + 2 + 12 * k) * g_size)) + g_cut

    def gamma(m):
        return m * U / (1 - m * U)

    summed = gamma(CHUNK + -(-n // CHUNK))
    points = 2 * math.pi * (turn + base + 1.4 * U) + (6.8 + 4 + 2) * U + summed
    entry = 2 * math.pi * turn + (6.8 + 5.7) * U
    matrix = 2 * entry + 1.5 * summed + 2 * math.pi * base + (3 + 10.6 + 5.7 + 7) * U
    last = g_error + U * (2 * w1 + float(g_size.sum()))
    return 1.01 * (2 * w1 * max(points, matrix) + last)
