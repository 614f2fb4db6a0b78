"""Binary digits of square roots, by two independent ways."""

import math
from contextlib import contextmanager
from itertools import count

import flint
import gmpy2
import numpy as np

from runproof.digits.bits import cut_to_bits
from runproof.validation import one_of, require_memory, whole_number

# Peak memory in bytes per digit, measured from 10^8 to 10^10 digits, rounded up.
BYTES_PER_DIGIT = {"flint": 0.8, "isqrt": 1.2}
_BASE_MEMORY = 1 << 26
_GUARD_BITS = 64


def fraction(p, q):
    """Return p and q as coprime ints, 0 < p < q, with sqrt(p / q) irrational."""
    p, q = whole_number("p", p, 1), whole_number("q", q, 1)
    if p >= q:
        raise ValueError(f"p must be smaller than q, got p={p}, q={q}")
    if math.gcd(p, q) != 1:
        raise ValueError(f"p and q must be coprime, got p={p}, q={q} with gcd {math.gcd(p, q)}")
    if gmpy2.is_square(p) and gmpy2.is_square(q):
        raise ValueError(f"p/q must not be the square of a fraction, got p={p}, q={q}")
    return p, q


def sqrt_bits(p, q, n, method="flint"):
    """Return the first n binary digits of sqrt(p / q) after the point.

    Parameters
    ----------
    p, q : int
        Coprime, 0 < p < q, and p / q not the square of a fraction.
    n : int
        The number of digits, at least 1.
    method : {"flint", "isqrt"}
        ``"flint"`` encloses sqrt(p / q) = p / sqrt(p q) in a ball, whose radius
        proves the last digit. ``"isqrt"`` is an independent check, 1.5 times
        slower: the integer square root of floor(4^n p / q) by GMP.

    Returns
    -------
    Bits

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.
    MemoryError
        If n digits need more memory than is available; nothing was computed.

    References
    ----------
    F. Johansson, "Arb: efficient arbitrary-precision midpoint-radius interval
    arithmetic", IEEE Trans. Computers 66 (2017).
    """
    p, q = fraction(p, q)
    n = whole_number("n", n, 1)
    one_of("method", method, BYTES_PER_DIGIT)
    require_memory_for_root(n, method)
    size = -(-n // 8)  # whole bytes: the digits then need no shift
    if method == "flint":
        root = _certified_root(p, q, 8 * size)
    else:
        root = gmpy2.isqrt((gmpy2.mpz(p) << 16 * size) // q)
    packed = np.frombuffer(int(root).to_bytes(size, "big"), np.uint8)
    return cut_to_bits(packed, n)


def require_memory_for_root(n, method):
    """Refuse n digits if the memory available will not do."""
    require_memory(f"{n:,} digits", int(BYTES_PER_DIGIT[method] * n) + _BASE_MEMORY)


def _certified_root(p, q, n):
    """Return floor(2^n sqrt(p / q)) as an fmpz, proved by the radius of a ball."""
    for guard in (_GUARD_BITS << k for k in count()):
        with _precision(n + guard):
            ball = flint.arb(p * q).rsqrt()
            if p > 1:
                ball *= p
        mantissa, exponent = ball.mid().man_exp()
        radius = _ceiling(ball.rad(), exponent)
        del ball
        dropped = -int(exponent) - n
        if dropped <= 0:  # the midpoint ends before digit n: it cannot prove it
            continue
        tail = mantissa & ((1 << dropped) - 1)
        if radius <= tail < (1 << dropped) - radius:  # no integer within the ball
            return mantissa >> dropped


@contextmanager
def _precision(bits):
    """Work with that many bits; `flint.ctx.workprec` takes fewer than 2^31."""
    before = flint.ctx.prec
    flint.ctx.prec = bits
    try:
        yield
    finally:
        flint.ctx.prec = before


def _ceiling(radius, exponent):
    """Return the smallest integer not below radius / 2^exponent."""
    mantissa, power = map(int, radius.man_exp())
    shift = power - int(exponent)
    return mantissa << shift if shift >= 0 else -(-mantissa >> -shift)
