"""Checks of arguments and of memory, before any work is done."""

import math
import operator
from pathlib import Path

import gmpy2
import numpy as np
import psutil


def whole_number(name, value, minimum):
    """Return the value as an int, or raise what says why it is none."""
    if isinstance(value, (bool, np.bool_)) or not hasattr(value, "__index__"):
        raise TypeError(
            f"{name} must be a whole number (int), got {value!r} of type {type(value).__name__}"
        )
    value = operator.index(value)
    if value < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {value}")
    return value


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


def _available_memory():
    """Return the bytes this process may still take, also inside a container."""
    available = psutil.virtual_memory().available
    group = Path("/sys/fs/cgroup")
    try:
        limit = int((group / "memory.max").read_text())
        used = int((group / "memory.current").read_text())
        stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        return min(available, limit - used + int(stat["inactive_file"]))
    except (OSError, ValueError, KeyError):  # no such file, or "max": no limit is set
        return available


def require_memory(what, needed):
    """Refuse what needs more bytes than are available."""
    available = _available_memory()
    if needed > available:
        raise MemoryError(
            f"{what} would take about {needed / 1e9:,.2f} GB of memory, "
            f"but only {available / 1e9:,.2f} GB are available: ask for fewer digits"
        )
