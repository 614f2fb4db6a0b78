"""Variograms: the empirical one by distance classes, and a model fitted to it."""

import math

import numpy as np
import pandas as pd
from numba import njit
from scipy.optimize import minimize_scalar, nnls

from runproof.kriging.bounds import in_order
from runproof.kriging.covariances import (
    KINDS,
    Covariance,
    _correlations,
    check_anisotropy,
    check_kind,
    stretch,
)
from runproof.kriging.sites import sites_and_values
from runproof.validation import number, require_memory, whole_number

__all__ = ["empirical_variogram", "fit_variogram"]

_RANGES = 60  # trial ranges, before the best one is refined
_FLAT = 1e-6  # of the least sum of squares: what tells no parameters apart
_NOTHING = 1e-12  # of the sum of squares of the variogram itself: rounding


def empirical_variogram(sites, values, *, cutoff=None, bins=15, anisotropy=None):
    """Average half the squared differences of all pairs of sites, by classes of distance.

    This is Matheron's estimator, with the classes that gstat makes unless told otherwise.

    Parameters
    ----------
    sites : array_like of float, shape (n, d)
        Coordinates of the sites.
    values : array_like of float, shape (n,)
        Values, or residuals of a trend.
    cutoff : float, optional
        The largest distance, above 0; by default a third of the diagonal of the box around the
        sites.
    bins : int
        Number of classes of equal width, at least 2.
    anisotropy : tuple of float, optional
        As for `Covariance`: the distances are then those along the direction of the range.

    Returns
    -------
    pandas.DataFrame
        A row for each class with a pair in it: `pairs`, their number; `distance`, their mean
        distance; `gamma`, the mean of half the squared differences.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or no pair is within the cutoff.

    References
    ----------
    G. Matheron, "Principles of geostatistics", Economic Geology 58 (1963), 1246-1266.
    """
    sites, values = sites_and_values(sites, values, 2)
    bins = whole_number("bins", bins, 2)
    if anisotropy is not None:
        sites = stretch(sites, check_anisotropy(anisotropy))
    if cutoff is None:
        cutoff = float(np.linalg.norm(np.ptp(sites, axis=0))) / 3
    cutoff = number("cutoff", cutoff, 0, ends="()")
    require_memory("a variogram of these classes", 24 * bins)
    pairs, distance, gamma = _by_distance(sites, values, cutoff, bins)
    table = pd.DataFrame({"pairs": pairs, "distance": distance, "gamma": gamma})
    table = table[table["pairs"] > 0].reset_index(drop=True)
    if table.empty:
        raise ValueError(f"cutoff must leave some pairs of sites, got {cutoff:g} with none")
    return table.assign(distance=table.distance / table.pairs, gamma=table.gamma / table.pairs)


@njit(cache=True)
def _by_distance(sites, values, cutoff, bins):
    pairs = np.zeros(bins, np.int64)
    distance, gamma = np.zeros(bins), np.zeros(bins)
    for i in range(len(sites)):
        for j in range(i):
            square = 0.0
            for k in range(sites.shape[1]):
                square += (sites[i, k] - sites[j, k]) ** 2
            h = math.sqrt(square)
            if 0.0 < h <= cutoff:
                place = min(int(h / cutoff * bins), bins - 1)
                pairs[place] += 1
                distance[place] += h
                gamma[place] += 0.5 * (values[i] - values[j]) ** 2
    return pairs, distance, gamma


def fit_variogram(table, kind, *, nugget="fit", anisotropy=None):
    """Fit a variogram model to an empirical variogram by weighted least squares.

    The weights are pairs / distance^2, gstat's default. For a given range, nugget and sill are
    a linear problem with signs; so only the range is searched for, over the whole span from a
    tenth of the smallest distance to ten times the largest one.

    Parameters
    ----------
    table : pandas.DataFrame
        From `empirical_variogram`.
    kind : str
        As for `Covariance`.
    nugget : "fit" or float
        A number, at least 0, fixes the nugget.
    anisotropy : tuple of float, optional
        That of the distances in the table, for the result.

    Returns
    -------
    Covariance
        Its `at_bound` names the parameters on a bound of the search (a nugget of 0 is one), and
        those for which a bound fits as well.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or no model with a positive sill fits.
    """
    check_kind(kind)
    if nugget != "fit":
        nugget = number("nugget", nugget, 0)
    missing = {"pairs", "distance", "gamma"} - set(getattr(table, "columns", ()))
    if missing or len(table) < 3:
        raise ValueError(
            "table must come from empirical_variogram and have at least 3 classes with pairs, "
            f"got {'no column ' + ', '.join(sorted(missing)) if missing else len(table)}"
        )
    h, gamma = table["distance"].to_numpy(float), table["gamma"].to_numpy(float)
    weights = np.sqrt(table["pairs"].to_numpy(float)) / h  # roots: they multiply residuals

    def solve(log_range, nugget=nugget):
        rise = 1 - _correlations(KINDS[kind], h / math.exp(log_range))
        if nugget == "fit":
            return nnls(
                weights[:, None] * np.column_stack([np.ones_like(h), rise]), weights * gamma
            )
        (sill,), error = nnls((weights * rise)[:, None], weights * (gamma - nugget))
        return (nugget, sill), error

    trials = np.linspace(math.log(h.min() / 10), math.log(10 * h.max()), _RANGES)
    best = int(np.argmin([solve(trial)[1] for trial in trials]))
    bracket = trials[max(best - 1, 0)], trials[min(best + 1, _RANGES - 1)]
    found = minimize_scalar(
        lambda trial: solve(trial)[1], bounds=bracket, method="bounded", options={"xatol": 1e-8}
    )
    (jump, sill), _ = solve(found.x)
    if sill <= 0:
        raise ValueError(
            "no variogram model with a positive sill fits: the empirical variogram does not rise "
            "with distance"
        )
    constant = np.average(gamma, weights=weights**2) if nugget == "fit" else nugget
    trials = {
        ("range",): solve(trials[0])[1],
        ("range", "sill"): solve(trials[-1])[1],
        ("sill",): np.linalg.norm(weights * (gamma - constant)),
    }
    if nugget == "fit":
        trials["nugget",] = solve(found.x, 0.0)[1]
    as_good = (1 + _FLAT) * found.fun**2 + _NOTHING * np.square(weights * gamma).sum()
    unsure = in_order(names for names, error in trials.items() if error**2 <= as_good)
    return Covariance(kind, sill, math.exp(found.x), jump, anisotropy, at_bound=unsure)
