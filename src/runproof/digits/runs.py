"""Runs of equal digits: records, first occurrences, counts."""

import math
from collections import Counter
from itertools import count

import numpy as np
import pandas as pd

from runproof.digits.bits import require_bits
from runproof.validation import whole_number

_BLOCK_BYTES = 1 << 18  # digits are looked at in blocks that stay in cache
_SHORT_RUNS = frozenset(range(1, 15))  # the lengths a run without a zero byte can have
_BYTE_DIGITS = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)
_LEADING_ZEROS = np.argmax(_BYTE_DIGITS, axis=1)
_TRAILING_ZEROS = np.argmax(_BYTE_DIGITS[:, ::-1], axis=1)


def zero_run_records(bits):
    """Return the runs of zeros that are longer than every run before them.

    A run counts if a one comes before it and a one ends it within the n digits:
    zeros before the first one, or after the last, are no run.

    Parameters
    ----------
    bits : Bits
        For the records of runs of ones pass ``~bits``.

    Returns
    -------
    list of (int, int)
        ``(position, length)`` in ascending order; the position is that of the
        one before the run, counted from 1.

    Raises
    ------
    TypeError
        If `bits` is not `Bits`.
    """
    return records_among(first_occurrences(bits))


def records_among(first):
    """Keep the lengths that appear before every greater length does."""
    records, earliest = [], math.inf
    for length, position in sorted(first.items(), reverse=True):
        if position < earliest:
            earliest = position
            records.append((position, length))
    return records[::-1]


def first_occurrences(bits):
    """Return where a run of exactly k zeros occurs first, for every k that occurs.

    Parameters
    ----------
    bits : Bits
        For runs of ones pass ``~bits``.

    Returns
    -------
    dict of int to int
        Length to position (of the one before the run, from 1), by length.
        Runs count as in `zero_run_records`.

    Raises
    ------
    TypeError
        If `bits` is not `Bits`.

    Notes
    -----
    A run of 15 zeros or more holds a whole zero byte. So digits are looked at
    one by one only until every shorter length has occurred, bytes after that.

    The sequence for sqrt(2) is OEIS A084187, whose positions are one greater.
    """
    require_bits("bits", bits)
    first = {}
    for ones in _ones(bits, 1 << 10):
        _note_first(first, ones[:-1], np.diff(ones) - 1)
        if first.keys() >= _SHORT_RUNS:
            for positions, lengths in _byte_runs(bits.packed, (int(ones[-1]) - 1) // 8):
                _note_first(first, positions, lengths)
            break
    return dict(sorted(first.items()))


def run_length_counts(bits, digit=0):
    """Count the runs of one digit by their length.

    Parameters
    ----------
    bits : Bits
    digit : {0, 1}
        The digit that is repeated.

    Returns
    -------
    Series of int
        Named ``"count"``, indexed by ``"length"``: every length >= 1 that
        occurs, ascending. A run counts if the other digit stands on both sides
        of it within the n digits, as in `zero_run_records`.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.
    """
    require_bits("bits", bits)
    if whole_number("digit", digit, 0) > 1:
        raise ValueError(f"digit must be 0 or 1, got {digit}")
    table, longer, cap = np.zeros(1024, np.int64), Counter(), 1023
    for ones in _ones(bits if digit == 0 else ~bits, _BLOCK_BYTES):
        lengths = np.diff(ones) - 1
        if lengths.max(initial=0) >= cap:
            longer.update(lengths[lengths >= cap].tolist())
            lengths = lengths[lengths < cap]
        table += np.bincount(lengths, minlength=table.size)
    counts = {k: int(table[k]) for k in range(1, cap) if table[k]} | dict(sorted(longer.items()))
    index = pd.Index(list(counts), dtype=np.int64, name="length")
    return pd.Series(list(counts.values()), index, dtype=np.int64, name="count")


def _ones(bits, block):
    """Yield the positions of the ones, block by block, each from the last one before it.

    Blocks grow from `block` to `_BLOCK_BYTES` bytes; a block without a new one is left out.
    """
    last = np.empty(0, np.int64)
    start = 0
    while start < len(bits):
        ones = np.flatnonzero(bits.unpack(start, start + 8 * block)) + (start + 1)
        if ones.size:
            yield np.concatenate([last, ones])
            last = ones[-1:]
        start += 8 * block
        block = min(2 * block, _BLOCK_BYTES)


def _byte_runs(packed, start):
    """Yield the (positions, lengths) of the runs that hold a zero byte.

    `start` is the index of a byte that is not zero; runs that begin before the
    last one in it are left out.
    """
    opened = np.empty(0, np.int64)  # the first byte of a group that is not yet closed
    while start < packed.size:
        zero = packed[start : start + 4 * _BLOCK_BYTES] == 0
        flips = np.flatnonzero(np.diff(zero, prepend=opened.size > 0)) + start
        flips = np.concatenate([opened, flips])
        paired = flips.size // 2 * 2
        opened, begin, end = flips[paired:], flips[:paired:2], flips[1:paired:2]
        before = _TRAILING_ZEROS[packed[begin - 1]]
        after = _LEADING_ZEROS[packed[end]]
        yield 8 * begin - before, 8 * (end - begin) + before + after
        start += zero.size


def _note_first(first, positions, lengths):
    """Enter into `first` the lengths that are new; positions ascend."""
    missing = next(k for k in count(1) if k not in first)
    wanted = np.flatnonzero(lengths >= missing)
    new, index = np.unique(lengths[wanted], return_index=True)
    for length, position in zip(new.tolist(), positions[wanted[index]].tolist(), strict=True):
        first.setdefault(length, position)
