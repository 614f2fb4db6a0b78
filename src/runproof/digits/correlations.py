"""Correlation between the binary digits of pX and qX.

Digits are numbered from 1, the first one after the binary point. With the square wave
r(u) = 1 for 0 <= u < 1/2 and -1 for 1/2 <= u < 1, of period 1, digit k of pX is
(1 - r(p u)) / 2 at u = 2^(k-1) X. So the correlation over all digits of a number X whose
digits are random is the integral of r(p u) r(q u) over one period.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import gmpy2
import joblib
import numpy as np
from tqdm import tqdm

from runproof.digits.bits import Bits, require_bits
from runproof.validation import number, random_generator, whole_number

__all__ = [
    "DigitCorrelation",
    "bit_correlation",
    "digit_correlation",
    "digits_needed",
    "long_run_variance",
    "multiple_bits",
    "product_autocovariance",
    "square_wave_integral",
    "theoretical_correlation",
]

_LARGEST = 10**5  # of p and q in lowest terms: the exact variance takes about 2 (p + q) cells
_GUARD = 256  # random digits that a stretch sees of the one after it
_STRETCH = 1 << 30  # digits of one task
_BLOCK = 1 << 20  # digits of one big-integer step: whole bytes that fit into a cache


@dataclass(frozen=True)
class DigitCorrelation:
    """The digits of pX and qX at the same places, compared.

    Attributes
    ----------
    p, q : int
        The multipliers.
    n : int
        The number of digits.
    correlation : float
        Pearson's correlation of the two sequences; nan if one of them is constant.
    standard_error : float
        Its standard deviation over random X, to first order in n^(-1/2).
    expected : fractions.Fraction
        The limit for n to infinity, for almost every X.
    """

    p: int
    q: int
    n: int
    correlation: float
    standard_error: float
    expected: Fraction

    @property
    def z(self):
        """Deviation from the expected value in standard errors; nan if they are 0."""
        if self.standard_error == 0:
            return math.nan
        return (self.correlation - float(self.expected)) / self.standard_error


def digit_correlation(p, q, n, random_state=None, *, x=None, n_jobs=None, progress=False):
    """Correlate the first n binary digits after the point of pX and of qX.

    X is random, or given by its digits. The digits of the multiples come from products of
    big integers; the ones in them and in their exclusive-or are counted word by word.

    Parameters
    ----------
    p, q : int
        The multipliers, at least 1, and at most 10^5 after division by their greatest
        common divisor.
    n : int
        The number of digits, at least 2.
    random_state : None, int, SeedSequence, BitGenerator or Generator
        As for `numpy.random.default_rng`; the digits of X are then fair and independent.
    x : Bits, optional
        The digits of X after the point, in place of random ones. Give some 64 more than n:
        the last digits of pX depend on what follows.
    n_jobs : int, optional
        Number of processes, as for `joblib.Parallel`; the result does not depend on it. For
        random X only.
    progress : bool
        Whether to show a progress bar, one step for 2^30 digits. For random X only.

    Returns
    -------
    DigitCorrelation

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, if both `random_state` and `x` are given, or if
        `x` ends so early that digit n of a multiple is not settled.

    Notes
    -----
    Random digits are drawn in stretches of at most 2^30, each with a seed of its own and
    worked through in blocks from the last to the first, with the carry handed on: memory
    does not grow with n. The carry into a stretch comes from the first 256 digits of the
    next one; the chance that digits beyond those would change it is below (p + q) / 2^256.

    The products of the two sequences, as signs, form a stationary sequence with
    correlated neighbors. The standard error is sqrt(v / n) with their
    `long_run_variance` v; the two means that Pearson's formula subtracts change it only to
    second order.

    References
    ----------
    M. Kac, "On the distribution of values of sums of the type sum f(2^k t)", Annals of
    Mathematics 47 (1946), 33-49: the central limit theorem behind the standard error.
    """
    p, q = _multipliers(p, q)
    n = whole_number("n", n, 2)
    if x is None:
        counts = _count_random(p, q, n, random_generator(random_state), n_jobs, progress)
    elif random_state is None:
        counts = _count_given(p, q, n, require_bits("x", x))
    else:
        raise ValueError(f"give either random_state or x, not both, got {random_state=}")
    error = math.sqrt(long_run_variance(p, q) / n)
    return DigitCorrelation(p, q, n, _pearson(n, *counts), error, theoretical_correlation(p, q))


def theoretical_correlation(p, q):
    """Return the correlation of all digits of pX and qX, for almost every X.

    Parameters
    ----------
    p, q : int
        The multipliers, at least 1.

    Returns
    -------
    fractions.Fraction
        1 / (p' q') if p' = p / gcd(p, q) and q' = q / gcd(p, q) are both odd, else 0.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.
    """
    p, q = _reduced(p, q)
    return Fraction(p % 2 * (q % 2), p * q)


def square_wave_integral(p, q):
    """Integrate r(p u) r(q u) over 0 <= u < 1 exactly, by adding up the pieces.

    This is an independent check of `theoretical_correlation`: it knows no formula, only
    where the waves jump.

    Parameters
    ----------
    p, q : int
        The multipliers, at least 1, and at most 10^5 in lowest terms.

    Returns
    -------
    fractions.Fraction

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.
    """
    _, widths, signs, total = _pieces(*_multipliers(p, q))
    return Fraction(int((widths * signs).sum()), total)


def product_autocovariance(p, q, max_lag):
    """Return how the products of digits at different places vary together.

    The product at place k is +1 if digit k of pX equals digit k of qX, else -1.

    Parameters
    ----------
    p, q : int
        The multipliers, at least 1, and at most 10^5 in lowest terms.
    max_lag : int
        The largest distance between two places, at least 0.

    Returns
    -------
    ndarray of float, shape (max_lag + 1,)
        The covariance of the products at places k and k + h, for random X, by lag h.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.

    Notes
    -----
    The covariance at lag h is the integral of f(u) f(2^h u) = f(u) (T^h f)(u), where f is
    r(p u) r(q u) less its mean and T f(u) = (f(u / 2) + f((u + 1) / 2)) / 2. Doubling takes
    every jump of f to one of 2 (p + q) places, jumps of f or 0, so T maps step functions on
    these pieces to such functions, and nothing is approximated but by rounding.

    """
    p, q = _multipliers(p, q)
    max_lag = whole_number("max_lag", max_lag, 0)
    starts, widths, signs, total = _pieces(p, q)
    deviations = signs - (widths * signs).sum() / total
    middles = 2 * starts + widths  # twice the place, so that halves stay whole
    left = np.searchsorted(4 * starts, middles, side="right") - 1
    right = np.searchsorted(4 * starts, middles + 2 * total, side="right") - 1
    covariances, image = [], deviations
    for _ in range(max_lag + 1):
        covariances.append((widths * deviations * image).sum() / total)
        image = (image[left] + image[right]) / 2
    return np.array(covariances)


def long_run_variance(p, q):
    """Return n times the variance of the mean of n products of digits, for large n.

    Parameters
    ----------
    p, q : int
        The multipliers, at least 1, and at most 10^5 in lowest terms.

    Returns
    -------
    float
        The sum of `product_autocovariance` over all lags of both signs. It is 1 if
        independent products would do, and 0 if the digits are the same.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.

    Notes
    -----
    T^h f(u) is the mean of f over 2^h places at equal distances. So it is at most V / 2^h,
    where V <= 4 (p + q) is the variation of f, and lags beyond log2(V) + 53 are lost in
    rounding.
    """
    return _variance(*_reduced(*_multipliers(p, q)))


@lru_cache
def _variance(p, q):
    covariances = product_autocovariance(p, q, (p + q).bit_length() + 55)
    return float(max(0.0, 2 * covariances.sum() - covariances[0]))


def digits_needed(p, q, z=3):
    """Return how many digits put the expected correlation z standard errors above zero.

    Parameters
    ----------
    p, q : int
        The multipliers, both odd in lowest terms and at most 10^5: else the
        expected correlation is zero.
    z : float
        The number of standard errors, above 0.

    Returns
    -------
    int
        The smallest n with expected correlation >= z sqrt(long_run_variance / n).

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.
    """
    p, q = _multipliers(p, q)
    z = number("z", z, 0, ends="()")
    expected = theoretical_correlation(p, q)
    if expected == 0:
        raise ValueError(f"the digits of {p}X and {q}X are uncorrelated: no n shows it")
    return max(2, math.ceil(long_run_variance(p, q) * (z / float(expected)) ** 2))


def multiple_bits(x, p, n):
    """Return the first n binary digits of pX after the point.

    Parameters
    ----------
    x : Bits
        The digits of X after the point, at least n; give some 64 more.
    p : int
        The multiplier, at least 1.
    n : int
        The number of digits, at least 1.

    Returns
    -------
    Bits
        The digits of pX for whatever digits of X may follow those in `x`.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or if `x` ends so early that digit n of pX is
        not settled.
    """
    x, p, n = require_bits("x", x), whole_number("p", p, 1), whole_number("n", n, 1)
    carry = _carry_after(x, p, n)
    number = gmpy2.f_mod_2exp(p * _integer(x.packed, n) + carry, n) << -n % 8
    packed = np.frombuffer(gmpy2.to_binary(number)[2:], np.uint8)[::-1]
    return Bits(np.pad(packed, (-(-n // 8) - packed.size, 0)), n)


def bit_correlation(a, b):
    """Return Pearson's correlation of two sequences of binary digits.

    Parameters
    ----------
    a, b : Bits
        Sequences of the same length.

    Returns
    -------
    float
        nan if a sequence is constant.

    Raises
    ------
    TypeError, ValueError
        If an argument is not `Bits`, or the lengths differ.
    """
    a, b = require_bits("a", a), require_bits("b", b)
    if a.n != b.n:
        raise ValueError(f"a and b must have the same length, got {a.n} and {b.n}")
    return _pearson(a.n, *(_ones(packed) for packed in (a.packed, b.packed, a.packed ^ b.packed)))


# Checks


def _reduced(p, q):
    p, q = whole_number("p", p, 1), whole_number("q", q, 1)
    common = math.gcd(p, q)
    return p // common, q // common


def _multipliers(p, q):
    if max(_reduced(p, q)) > _LARGEST:
        raise ValueError(
            f"p and q must be at most {_LARGEST} after division by their greatest common "
            f"divisor, got p={p}, q={q}"
        )
    return int(p), int(q)


# Waves


def _pieces(p, q):
    """Cut 0 <= u < 1 where r(p u) or r(q u) jumps.

    Returns the pieces' starts and widths in units of 1 / total, the value of r(p u) r(q u)
    on each, and total = 2 p q, for p and q in lowest terms.
    """
    p, q = _reduced(p, q)
    total = 2 * p * q
    starts = np.union1d(np.arange(0, total, p), np.arange(0, total, q))
    widths = np.diff(starts, append=total)
    flips = starts // p + starts // q  # jumps of the two waves so far
    return starts, widths, 1 - 2 * (flips % 2), total


# Digits


def _count_given(p, q, n, x):
    """Count the ones in the first n digits of pX, of qX and of their exclusive-or."""
    carries = _carry_after(x, p, n), _carry_after(x, q, n)
    counts, stop = np.zeros(3, dtype=np.int64), n
    while stop:
        start = (stop - 1) // _BLOCK * _BLOCK
        block = _integer(x.packed[start // 8 :], stop - start)
        more, carries = _count_block(block, stop - start, p, q, carries)
        counts, stop = counts + more, start
    return counts.tolist()


def _count_random(p, q, n, generator, n_jobs, progress):
    """Count as `_count_given` does, for digits drawn in stretches."""
    tasks = -(-n // _STRETCH)
    sizes = np.diff([n * k // tasks for k in range(tasks + 1)]).tolist()
    heads = [_random_integer(generator, _GUARD) for _ in range(tasks + 1)]
    seeds = [_random_integer(generator, 128) for _ in range(tasks)]
    jobs = [
        joblib.delayed(_count_stretch)(p, q, size, head, seed, after)
        for size, head, seed, after in zip(sizes, heads, seeds, heads[1:], strict=False)
    ]
    jobs = tqdm(jobs, unit="stretch", disable=not progress)
    return sum(joblib.Parallel(n_jobs=n_jobs)(jobs)).tolist()


def _random_integer(generator, digits):
    return int.from_bytes(generator.bytes(digits // 8))


def _count_stretch(p, q, size, head, seed, after):
    """Count in a stretch: its head, then blocks, which are drawn from the last one on."""
    after = gmpy2.mpz(after)  # the digits that follow
    carries = (p * after) >> _GUARD, (q * after) >> _GUARD
    counts, left = np.zeros(3, dtype=np.int64), max(0, size - _GUARD)
    state = gmpy2.random_state(seed)
    while left:
        length = min(left, _BLOCK)
        block = gmpy2.mpz_urandomb(state, length)
        more, carries = _count_block(block, length, p, q, carries)
        counts, left = counts + more, left - length
    length = min(size, _GUARD)
    head = gmpy2.mpz(head) >> (_GUARD - length)
    return counts + _count_block(head, length, p, q, carries)[0]


def _count_block(block, length, p, q, carries):
    """Multiply a block of digits; return the counts and the carries into the block before."""
    a, b = p * block + carries[0], q * block + carries[1]
    carries = a >> length, b >> length
    a, b = gmpy2.f_mod_2exp(a, length), gmpy2.f_mod_2exp(b, length)
    return [gmpy2.popcount(a), gmpy2.popcount(b), gmpy2.popcount(a ^ b)], carries


def _carry_after(x, p, n):
    """Return the carry from the digits after n into digit n of pX, if `x` settles it."""
    if x.n < n:
        raise ValueError(f"x must have at least n={n} digits, and some to spare, got {x.n}")
    wanted = n + p.bit_length() + 64
    size = min(x.n, wanted) - n
    tail = p * (_integer(x[n : n + size].packed, size) if size else 0)
    # The digits that follow add less than p to `tail`.
    if gmpy2.f_mod_2exp(tail, size) + p > 1 << size:
        raise ValueError(
            f"x ends too early to settle digit n={n} of {p}X: it has {x.n} digits; "
            f"give {wanted}, or more"
        )
    return tail >> size


def _integer(packed, n):
    """Return the first n packed digits as one integer."""
    size = -(-n // 8)
    return gmpy2.from_binary(b"\x01\x01" + packed[size - 1 :: -1].tobytes()) >> -n % 8


def _ones(packed):
    return int(np.bitwise_count(packed).sum(dtype=np.int64))


def _pearson(n, a, b, different):
    """Return Pearson's correlation from the numbers of ones and of differing digits."""
    both = (a + b - different) // 2
    scale = math.sqrt(a * (n - a)) * math.sqrt(b * (n - b))
    return (n * both - a * b) / scale if scale else math.nan
