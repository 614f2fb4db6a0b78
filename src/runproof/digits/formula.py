"""Run lengths without digits, by a recurrence on integers."""

import gmpy2
import numpy as np
import pandas as pd
from tqdm import tqdm

from runproof.digits.roots import fraction
from runproof.validation import require_memory, whole_number

_BLOCK_STEPS = 256
_GUARD_BITS = 64


def run_lengths_by_formula(p, q, n, progress=False):
    """Return the length of the run of zeros after every position, by integers alone.

    With K_k the integer below 2^k sqrt(p / q) and delta_k = 4^k p - q K_k^2 > 0,
    digit k is a one just when K_k is odd, and then L_k, the number of zeros
    after it, is the greatest L with 4^L delta_k < q (2^(L + 1) K_k + 1).
    The published form, floor(k + 1 + log2(p q) / 2 - log2(delta_k)), is right
    for large k: it neglects the fraction K_k drops from 2^k sqrt(p / q), and
    can be one too long at the first few positions, as for sqrt(2 / 5) at 1.

    Parameters
    ----------
    p, q : int
        Coprime, 0 < p < q, and p / q not the square of a fraction.
    n : int
        The number of positions, at least 1.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    Series of int
        Named ``"length"``, indexed by ``"position"`` 1, ..., n: the number of
        zeros that follow a one (0 if a one follows), also when they reach
        beyond position n, and -1 where the digit is a zero.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.
    MemoryError
        If n positions need more memory than is available.

    Notes
    -----
    One step takes (delta, K) to (4 delta, 2 K), or, if 4 delta > 4 q K + q, to
    (4 delta - 4 q K - q, 2 K + 1). A step on numbers of k bits takes time O(k).
    So, as in Lehmer's algorithm for the greatest common divisor, a block of
    steps is decided on the leading bits, then applied to (delta, K) at once; a
    step that the leading bits cannot decide is made exactly.
    """
    p, q = fraction(p, q)
    n = whole_number("n", n, 1)
    require_memory(f"{n:,} run lengths", 16 * n)
    lengths = np.empty(n, np.int64)
    delta, root, k = gmpy2.mpz(p), gmpy2.mpz(0), 0
    with tqdm(total=n, unit="digit", unit_scale=True, disable=not progress) as bar:
        while k < n:
            digits, block = _leading_steps(delta, root, q, min(_BLOCK_STEPS, n - k))
            j = len(block)
            delta = (delta << 2 * j) - q * digits * ((root << (j + 1)) + digits)
            root = (root << j) + digits
            if not block:
                delta, root, length = _exact_step(delta, root, q)
                block = [length]
            lengths[k : k + len(block)] = block
            k += len(block)
            bar.update(len(block))
    return pd.Series(lengths, pd.RangeIndex(1, n + 1, name="position"), name="length")


def _exact_step(delta, root, q):
    """Take (delta, K) one position on; return them and L there."""
    delta, trial, root = delta << 2, q * (4 * root + 1), 2 * root
    if delta < trial:
        return delta, root, -1
    delta, root = delta - trial, root + 1
    length = max(0, (2 * q * root).bit_length() - delta.bit_length() - 1)
    while delta << 2 * (length + 1) < q * ((root << (length + 2)) + 1):
        length += 1
    return delta, root, length


def _leading_steps(delta, root, q, steps):
    """Make up to `steps` steps as far as the leading bits decide them.

    Returns the digits made, as one integer, and the list of L.

    Let e = delta_j / 2^(j + shift) and y = 2 q K_j / 2^(j + shift) at step j of
    the block. A step takes e to 2 e, or to 2 e - y - q / 2^(j + 1 + shift), and
    y grows by less than 2 q / 2^shift over the block. With q < 2^shift, the
    integers used here in place of e and y are thus wrong by less than
    5 * 2^j - 4 and 4: nothing within `slack` of a tie is decided.
    """
    divisor = 2 * q * root
    shift = divisor.bit_length() - steps - 2 * _GUARD_BITS
    digits, block = 0, []
    if shift < q.bit_length():
        return digits, block
    e, y, slack = int(delta >> shift), int(divisor >> shift), 8 << steps
    for _ in range(steps):
        e, digit, length = 2 * e, 0, -1
        if abs(e - y) < slack:
            break
        if e > y:
            e, digit = e - y, 1
            length = y.bit_length() - e.bit_length()
            length -= e << length > y
            if length < 0 or not (e + slack) << length <= y < (e - slack) << (length + 1):
                break
        digits = 2 * digits + digit
        block.append(length)
    return digits, block
