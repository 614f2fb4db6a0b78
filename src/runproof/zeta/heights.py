"""What heights t must be, checked before any work is done."""

import math

import numpy as np

from runproof.validation import number

T_MAX = 1e10  # the largest height |t| that the error bounds are made for


def exact_number(name, value, low, high, open_low=False):
    """Return the value as a float within [low, high], or raise what says why not."""
    if value == high == math.inf:
        return math.inf  # no limit
    exact = number(name, value, low, high, "(]" if open_low else "[]")
    if exact != value:
        raise ValueError(f"{name} must be exactly representable as a float, got {value!r}")
    return exact


def real_array(name, values, low, high):
    """Return the values as an array of float64 within [low, high], or raise."""
    array = np.asarray(values)
    if array.dtype.kind not in "iuf" or array.dtype.itemsize > 8:
        raise TypeError(f"{name} must hold real numbers (int or float), got {array.dtype}")
    array = array.astype(np.float64)
    wrong = ~((low <= array) & (array <= high))
    if wrong.any():
        raise ValueError(
            f"{name} must be in [{low:g}, {high:g}], got {float(array[wrong].flat[0])!r}"
        )
    return array


def window(t0, t1):
    """Return the ends of a window as floats, 0 <= t0 < t1, or raise."""
    t0, t1 = exact_number("t0", t0, 0, T_MAX), exact_number("t1", t1, 0, T_MAX)
    if t1 <= t0:
        raise ValueError(f"t1 must be greater than t0, got t0={t0!r}, t1={t1!r}")
    return t0, t1
