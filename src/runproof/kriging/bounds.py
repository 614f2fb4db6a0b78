"""What a fit cannot tell: parameters on a bound of the search, or nearly as good there."""

from scipy.optimize import minimize

__all__ = ["NAMES", "at_bound", "in_order"]

#: The parameters of a covariance function, in the order in which they are named.
NAMES = "range", "sill", "nugget", "anisotropy"
_ON = 1e-3  # of a logarithm: as near to a bound as an optimizer may stop
_POWERS = 0, 1, 3, 5  # of the range, that a sill may rise with: 0 holds it
_STEPS = 5  # of the optimizer that starts from the best of these


def at_bound(loss, best, bounds, names, tolerance, ridge):
    """Name the parameters whose best value lies on a bound of the search, or might as well.

    At the longest range the other parameters are sought anew, at the other bounds they are held.
    For a longer range with a larger sill often fits as well, but not with the same ratio of the
    nugget to the sill: likelihoods have a ridge there, where sill / range^(2 nu) is the same, for
    a correlation of smoothness nu.

    Parameters
    ----------
    loss : callable
        Takes a list of parameters, the first of them log range, and whether the gradient is
        wanted. Returns what was minimized, and the gradient.
    best : sequence of float, length k
        The optimum.
    bounds : sequence of (float, float), length k
        Lowest and highest value of each parameter.
    names : sequence of (tuple of str, tuple of str), length k
        For each parameter, what to name if its lower bound is as good, and if its upper one is.
    tolerance : float
        How much more loss at a bound is no loss.
    ridge : int
        What the second parameter is: 1 for log sill, -1 for the logarithm of nugget / sill, 0 for
        neither.

    Returns
    -------
    tuple of str
        Some of `NAMES`, in their order; empty if no bound is as good.

    References
    ----------
    H. Zhang, "Inconsistent estimation and asymptotically equal interpolations in model-based
    geostatistics", Journal of the American Statistical Association 99 (2004), 250-261.
    """
    best, found = [float(value) for value in best], []
    level = loss(best, False)[0] + tolerance
    for i, (ends, labels) in enumerate(zip(bounds, names, strict=True)):
        for end, label in zip(ends, labels, strict=True):
            held = [*best[:i], end, *best[i + 1 :]]
            if abs(best[i] - end) <= _ON or loss(held, False)[0] <= level:
                found.append(label)
    farthest = names[0][1]
    if farthest not in found and _as_good_far_away(loss, best, bounds, level, ridge):
        found.append(farthest)
    return in_order(found)


def _as_good_far_away(loss, best, bounds, level, ridge):
    """Say whether some other parameters bring the loss at the longest range to a level."""
    if len(best) == 1:
        return False

    def stop(intermediate_result):
        if intermediate_result.fun <= level:
            raise StopIteration

    longest, (low, high) = bounds[0][1], bounds[1]
    rise = ridge * (longest - best[0])
    seconds = {min(max(best[1] + power * rise, low), high) for power in _POWERS}
    starts = [[longest, second, *best[2:]] for second in sorted(seconds)]
    start = min(starts, key=lambda start: loss(start, False)[0])
    found = minimize(
        lambda parameters: loss(parameters, True),
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=[(longest, longest), *bounds[1:]],
        callback=stop,
        options={"maxiter": _STEPS, "maxfun": 2 * _STEPS},
    )
    return found.fun <= level


def in_order(groups):
    """Return the names in some groups of them, each once, in the order of `NAMES`."""
    found = {name for group in groups for name in group}
    return tuple(name for name in NAMES if name in found)
