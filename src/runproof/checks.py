"""Checks that engines share: of whole numbers, and of the memory that is left."""

from __future__ import annotations

import operator
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
