"""What a fit cannot tell: parameters on a bound of the search, or as good there as anywhere."""

from __future__ import annotations

__all__ = ["NAMES", "at_bound", "in_order"]

#: The parameters of a covariance function, in the order in which they are named.
NAMES = "range", "sill", "nugget", "anisotropy"
_ON = 1e-3  # of a logarithm: as near to a bound as an optimizer may stop


def at_bound(loss, best, bounds, names, tolerance):
    """Name the parameters whose best value lies on a bound of the search, or might as well.

    Parameters
    ----------
    loss : callable
        Takes a list of parameters, the others held, and returns what was minimized.
    best : sequence of float, length k
        The optimum.
    bounds : sequence of (float, float), length k
        Lowest and highest value of each parameter.
    names : sequence of (tuple of str, tuple of str), length k
        For each parameter, what to name if its lower bound is as good, and if its upper one is.
    tolerance : float
        How much more loss at a bound is no loss.

    Returns
    -------
    tuple of str
        Some of `NAMES`, in their order; empty if the data determine all parameters.
    """
    best, found = [float(value) for value in best], []
    level = loss(best) + tolerance
    for i, (ends, labels) in enumerate(zip(bounds, names, strict=True)):
        for end, label in zip(ends, labels, strict=True):
            if abs(best[i] - end) <= _ON or loss([*best[:i], end, *best[i + 1 :]]) <= level:
                found.append(label)
    return in_order(found)


def in_order(groups):
    """Return the names in some groups of them, each once, in the order of `NAMES`."""
    found = {name for group in groups for name in group}
    return tuple(name for name in NAMES if name in found)
