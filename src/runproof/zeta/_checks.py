"""Checks of arguments, before any work is done."""

import math
from numbers import Real

import numpy as np

T_MAX = 1e10  # the largest height |t| that the error bounds are made for


def real_number(name, value, low, high, open_low=False):
    """Return the value as a float within [low, high], or raise what says why not."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real):
        raise TypeError(
            f"{name} must be a real number, got {value!r} of type {type(value).__name__}"
        )
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if math.isfinite(number) and number != value:
        raise ValueError(f"{name} must be exactly representable as a float, got {value!r}")
    if not low <= number <= high or (open_low and number == low):
        bracket = "(" if open_low else "["
        raise ValueError(f"{name} must be in {bracket}{low:g}, {high:g}], got {value!r}")
    return number


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
    t0, t1 = real_number("t0", t0, 0, T_MAX), real_number("t1", t1, 0, T_MAX)
    if t1 <= t0:
        raise ValueError(f"t1 must be greater than t0, got t0={t0!r}, t1={t1!r}")
    return t0, t1
