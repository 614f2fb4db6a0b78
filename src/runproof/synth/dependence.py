"""How latent uniform numbers depend on each other: a normal distribution, or a vine.

Both are fitted to intervals [F(x-), F(x)]: for a discrete column, that is all a value tells.
"""

import math

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri
from sklearn.covariance import ledoit_wolf_shrinkage

from runproof.validation import require_memory

__all__ = ["Gaussian", "Vine", "nearest_correlation"]

_TERMS = 128  # of the Hermite series
_CLOSEST = 0.9999  # the largest latent correlation
_SWEEPS = 30  # of the Gibbs sampler
_CALIBRATION = 10_000  # rows drawn to see what a vine does to columns with missing values

# The Gaussian copula


class Gaussian:
    """A normal distribution of the latent numbers' normal quantiles."""

    def __init__(self, margins, codes, correlation="normal", shrinkage="auto"):
        require_memory("a correlation matrix", 24 * _TERMS * margins.n_latent**2)
        lower, upper = margins.intervals(codes)
        score = _normal_scores if correlation == "normal" else _uniform_scores
        scores = _standardized(score(lower, upper))
        observed = _pairwise_correlation(scores)
        series = np.array(
            [
                _hermite_series(lower[:, j], upper[:, j], score, margins.tied[j])
                for j in range(margins.n_latent)
            ]
        )
        latent = _latent_correlation(observed, series)
        varying = np.nan_to_num(scores)
        varying = varying[:, varying.any(axis=0)]
        if shrinkage == "auto":
            several = varying.shape[1] > 1
            shrinkage = ledoit_wolf_shrinkage(varying, assume_centered=True) if several else 0
        self.shrinkage = float(shrinkage)
        latent *= 1 - self.shrinkage
        np.fill_diagonal(latent, 1)
        self.correlation = nearest_correlation(latent)

    def uniforms(self, n, rng):
        """Draw latent numbers."""
        root = np.linalg.cholesky(self.correlation)
        return ndtr(rng.standard_normal((n, len(root))) @ root.T)

    def uniforms_given(self, latent, lower, upper, rng):
        """Draw latent numbers of which some lie in given intervals."""
        low, high = ndtri(lower), ndtri(upper)
        inside = self.correlation[np.ix_(latent, latent)]
        fixed = _truncated_normal(inside, low, high, rng)
        rest = np.setdiff1d(np.arange(len(self.correlation)), latent)
        z = np.empty((len(low), len(self.correlation)))
        z[:, latent] = fixed
        if len(rest):
            across = self.correlation[np.ix_(rest, latent)]
            weights = np.linalg.solve(inside, across.T)
            left = self.correlation[np.ix_(rest, rest)] - across @ weights
            noise = rng.standard_normal((len(low), len(rest)))
            z[:, rest] = fixed @ weights + noise @ _root(left).T
        return ndtr(z)


def _density(u):
    """Return the normal density at the quantile of u, 0 at both ends."""
    return np.exp(-(ndtri(u) ** 2) / 2) / math.sqrt(2 * math.pi)


def _normal_scores(lower, upper):
    """Return the mean of a standard normal variable over each interval of its ranks."""
    width = upper - lower
    with np.errstate(invalid="ignore", divide="ignore"):
        return (_density(lower) - _density(upper)) / width


def _uniform_scores(lower, upper):
    return (lower + upper - 1) / 2


def _standardized(scores):
    """Return columns of mean 0 and variance 1; of 0 if a column is constant."""
    counts = np.maximum((~np.isnan(scores)).sum(axis=0), 1)
    scores = scores - np.nansum(scores, axis=0) / counts
    scale = np.sqrt(np.nansum(scores**2, axis=0) / counts)
    return np.where(scale > 1e-9, scores / np.where(scale > 1e-9, scale, 1), scores * 0)


def _pairwise_correlation(scores):
    """Return correlations over the rows that know both columns; 0 where there are too few."""
    if np.isnan(scores).any():
        correlation = pd.DataFrame(scores).corr(min_periods=3).to_numpy(copy=True)
    else:
        correlation = scores.T @ scores / len(scores)
    return np.clip(np.nan_to_num(correlation), -1, 1)


def _hermite_series(lower, upper, score, tied):
    """Expand a column's score in normed Hermite polynomials of its latent normal variable.

    Returns
    -------
    ndarray of float, shape (_TERMS,)
        Coefficients 1, 2, ... of the score divided by its standard deviation.
    """
    m = np.arange(1, _TERMS + 1)
    if not tied and score is _normal_scores:
        return (m == 1).astype(float)
    if not tied:  # the series of arcsin in 6 / pi arcsin(rho / 2)
        k = (m - 1) // 2
        logs = np.array([math.lgamma(2 * i + 1) - 2 * math.lgamma(i + 1) for i in k])
        squares = 6 / math.pi * np.exp(logs - k * math.log(4) - m * math.log(2)) / m
        return np.where(m % 2 == 1, (-1.0) ** k * np.sqrt(squares), 0)
    known = ~np.isnan(lower)
    edges = np.unique(np.append(lower[known], upper[known]))
    scores = score(edges[:-1], edges[1:])
    size = math.sqrt(max(np.diff(edges) @ scores**2 - (np.diff(edges) @ scores) ** 2, 0))
    series = np.zeros(_TERMS)
    if size < 1e-9:  # a constant
        return series
    # The integral of h_m times the density from a to b is -h_(m-1) times the density / sqrt(m).
    jumps, z = np.diff(scores) / size, ndtri(edges[1:-1])
    before, now = np.zeros_like(z), _density(edges[1:-1])
    for i in range(_TERMS):
        series[i] = jumps @ now / math.sqrt(i + 1)
        before, now = now, (z * now - math.sqrt(i) * before) / math.sqrt(i + 1)
    return series


def _latent_correlation(observed, series):
    """Solve Mehler's formula for the latent correlation of each pair, by bisection."""
    i, j = np.triu_indices(len(observed), 1)
    target = observed[i, j]
    products = series[i] * series[j]
    low, high = np.full(len(i), -_CLOSEST), np.full(len(i), _CLOSEST)
    for _ in range(40):
        middle = (low + high) / 2
        value = np.zeros(len(i))
        for term in products.T[::-1]:
            value = (value + term) * middle
        low, high = np.where(value < target, middle, low), np.where(value < target, high, middle)
    latent = np.eye(len(observed))
    # A constant column has no series; nothing tells its correlation.
    latent[i, j] = latent[j, i] = np.where(products.any(axis=1), (low + high) / 2, 0)
    return latent


def nearest_correlation(matrix, smallest=1e-6):
    """Return the nearest correlation matrix that is safely positive definite.

    Parameters
    ----------
    matrix : ndarray of float, shape (k, k)
        Symmetric, with ones on the diagonal.
    smallest : float
        The smallest eigenvalue, about.

    Returns
    -------
    ndarray of float, shape (k, k)
        The matrix itself if its eigenvalues are large enough.
    """
    correction, nearest = np.zeros_like(matrix), matrix
    for _ in range(100):
        values, vectors = np.linalg.eigh(nearest - correction)
        if values[0] >= smallest and not correction.any():
            return matrix
        lifted = (vectors * np.maximum(values, smallest)) @ vectors.T
        correction = lifted - (nearest - correction)
        step = lifted.copy()
        np.fill_diagonal(step, 1)
        change, nearest = np.abs(step - nearest).max(), step
        if change < 1e-8:
            break
    values, vectors = np.linalg.eigh(nearest)
    lifted = (vectors * np.maximum(values, smallest)) @ vectors.T
    scale = np.sqrt(np.diag(lifted))
    return lifted / np.outer(scale, scale)


def _root(covariance):
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0))


def _truncated_normal(correlation, low, high, rng):
    """Draw normal vectors with each entry in an interval, by Gibbs sampling."""
    precision = np.linalg.inv(correlation)
    free = np.flatnonzero((low < high).any(axis=0))
    start = rng.random(low.shape)
    z = ndtri(ndtr(low) + start * (ndtr(high) - ndtr(low)))
    z = np.clip(z, low, high)
    for _ in range(_SWEEPS if len(free) > 1 else 1):
        for j in free:
            deviation = 1 / math.sqrt(precision[j, j])
            mean = z[:, j] - z @ precision[j] / precision[j, j]
            z[:, j] = mean + deviation * _truncated_standard(
                (low[:, j] - mean) / deviation, (high[:, j] - mean) / deviation, rng
            )
            z[:, j] = np.clip(z[:, j], low[:, j], high[:, j])
    return z


def _truncated_standard(low, high, rng):
    """Draw standard normal numbers in intervals; on the side of 0 where tails are exact."""
    flip = low > 0
    low, high = np.where(flip, -high, low), np.where(flip, -low, high)
    start, end = ndtr(low), ndtr(high)
    z = np.clip(ndtri(start + rng.random(len(low)) * (end - start)), low, high)
    return np.where(flip, -z, z)


# The vine


class Vine:
    """A vine of the latent numbers that vary; the others are uniform."""

    def __init__(self, lower, upper, tied, families, truncation, n_jobs):
        import pyvinecopulib as pv  # slow to load, and only here

        self.n_latent = len(tied)
        self.active = np.flatnonzero([len(np.unique(u[~np.isnan(u)])) > 1 for u in upper.T])
        self.vine, self.corrections = None, {}
        if len(self.active) < 2:
            return
        tied = tied[self.active]
        lower, upper = lower[:, self.active], upper[:, self.active]
        data = np.where(tied, upper, (lower + upper) / 2)
        data = np.asfortranarray(np.column_stack([data, lower[:, tied]]))
        controls = pv.FitControlsVinecop(
            family_set=_families(pv.BicopFamily, families), num_threads=n_jobs
        )
        if truncation is not None:
            controls.trunc_lvl = truncation
        kinds = ["d" if discrete else "c" for discrete in tied]
        self.vine = pv.Vinecop.from_data(data, controls=controls, var_types=kinds)

    def uniforms(self, n, rng):
        """Draw latent numbers."""
        u = rng.random((n, self.n_latent))
        if self.vine is not None:
            u[:, self.active] = self.vine.inverse_rosenblatt(np.asfortranarray(u[:, self.active]))
        for j, grid in self.corrections.items():
            u[:, j] = np.interp(u[:, j], grid, np.linspace(0, 1, len(grid)))
        return u

    def calibrate(self, margins):
        """Make the latent numbers of rows with a value uniform."""
        u = self.uniforms(_CALIBRATION, np.random.default_rng(0)) if len(margins.flags) else None
        levels = np.linspace(0, 1, 101)
        for known, j in margins.known(u):
            if known.sum() > len(levels):
                grid = np.quantile(u[known, j], levels)
                grid[[0, -1]] = 0, 1
                self.corrections[j] = grid


def _families(known, families):
    names = ["indep", "gaussian"]
    if families != "gaussian":
        names += ["clayton", "gumbel", "frank", "joe"]
    if families == "all":
        names += ["student", "bb1", "bb6", "bb7", "bb8", "tll"]
    return [getattr(known, name) for name in names]
