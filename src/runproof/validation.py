"""Arguments of all engines: numbers, choices, seeds, and the memory that work needs.

What an argument means in its field (sites, notes, times) is checked beside its engine.
"""

import math
import operator
from numbers import Real
from pathlib import Path

import numpy as np
import psutil


def whole_number(name, value, minimum):
    """Return a value as an int.

    Parameters
    ----------
    name : str
        The argument's name, for the message.
    value : int
        What was given; NumPy integers are accepted, booleans are not.
    minimum : int
        The smallest value allowed.

    Returns
    -------
    int

    Raises
    ------
    TypeError, ValueError
        If the value is no whole number, or is below the minimum.
    """
    if isinstance(value, (bool, np.bool_)) or not hasattr(value, "__index__"):
        raise TypeError(
            f"{name} must be a whole number (int), got {value!r} of type {type(value).__name__}"
        )
    value = operator.index(value)
    if value < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {value}")
    return value


def number(name, value, low=-math.inf, high=math.inf, ends="[]", unit=""):
    """Return a finite real number as a float.

    Parameters
    ----------
    name : str
        The argument's name, for the message.
    value : numbers.Real
        What was given: an int, a float, a NumPy number, a fraction; no boolean.
    low, high : float
        The range.
    ends : {"[]", "[)", "(]", "()"}
        Whether the range holds its ends; what is infinite is refused in any case.
    unit : str, optional
        The unit of the range, for the message.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        If the value is no real number, or is out of range.

    Examples
    --------
    >>> from runproof.validation import number
    >>> number("share", 0.5, 0, 1)
    0.5
    >>> number("share", 0, 0, 1, "(]")
    Traceback (most recent call last):
    ValueError: share must be above 0 and at most 1, got 0
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {value!r} of type {type(value).__name__}")
    try:
        inside = _inside(float(value), low, high, ends)
    except OverflowError:
        inside = False
    if not inside:
        raise ValueError(f"{name} must be {_range(low, high, ends, unit)}, got {value}")
    return float(value)


def _inside(value, low, high, ends):
    above = value >= low if ends[0] == "[" else value > low
    below = value <= high if ends[1] == "]" else value < high
    return above and below and math.isfinite(value)


def _range(low, high, ends, unit):
    """Say a range in words."""
    unit = f" {unit}" if unit else ""
    if ends == "[]" and math.isfinite(low) and math.isfinite(high):
        return f"from {low:.12g} to {high:.12g}{unit}"
    words = []
    if math.isfinite(low):
        words.append(f"{'at least' if ends[0] == '[' else 'above'} {low:.12g}{unit}")
    if math.isfinite(high):
        words.append(f"{'at most' if ends[1] == ']' else 'below'} {high:.12g}{unit}")
    if len(words) < 2:
        words.append("finite")
    return " and ".join(words)


def number_or_auto(name, value, low=-math.inf, high=math.inf, ends="[]"):
    """Return a value that is the word "auto" or a number, see :func:`number`.

    Parameters
    ----------
    name, value, low, high, ends
        As for :func:`number`.

    Returns
    -------
    float or str

    Raises
    ------
    TypeError, ValueError
        If the value is neither.
    """
    if isinstance(value, str):
        return one_of(name, value, ["auto"])
    return number(name, value, low, high, ends)


def one_of(name, value, allowed):
    """Return a value that is one of the allowed strings.

    Parameters
    ----------
    name : str
        The argument's name, for the message.
    value : str
        What was given.
    allowed : iterable of str

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If it is none of them.

    Examples
    --------
    >>> from runproof.validation import one_of
    >>> one_of("method", "ols", ("ols", "huber"))
    'ols'
    """
    allowed = [*allowed]
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {value!r}")
    return value


def random_generator(random_state):
    """Return a generator for a seed.

    Parameters
    ----------
    random_state : None, int or numpy.random.Generator

    Returns
    -------
    numpy.random.Generator

    Raises
    ------
    TypeError, ValueError
        If it is none of these.
    """
    try:
        return np.random.default_rng(random_state)
    except (TypeError, ValueError) as error:
        raise type(error)(
            f"random_state must be None, an int >= 0 or a NumPy generator, got {random_state!r}"
        ) from error


def available_memory():
    """Return the bytes that this process may still take, also inside a container.

    Returns
    -------
    int
    """
    available = psutil.virtual_memory().available
    group = Path("/sys/fs/cgroup")
    try:
        limit = int((group / "memory.max").read_text())
        used = int((group / "memory.current").read_text())
        stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        return min(available, limit - used + int(stat["inactive_file"]))
    except (OSError, ValueError, KeyError):  # no such file, or "max": no limit is set
        return available


def require_memory(what, needed, advice="ask for less at a time"):
    """Refuse work that needs more memory than there is, before it starts.

    Parameters
    ----------
    what : str
        What was asked for, as the subject of a sentence.
    needed : int
        The estimate, in bytes.
    advice : str, optional
        What to do instead.

    Raises
    ------
    MemoryError
        With the estimate, and what is available.
    """
    available = available_memory()
    if needed > available:
        raise MemoryError(
            f"{what} would take about {needed / 1e9:,.2f} GB of memory, "
            f"but only {available / 1e9:,.2f} GB are available: {advice}"
        )
