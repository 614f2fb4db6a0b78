"""Likelihood of large data sets by Vecchia's approximation, and the fit of a covariance to it.

The density of all values is a product of conditional densities, one for each site given
the sites before it. The approximation conditions on the nearest of these only. The cost then
grows with the number of sites, not with its cube, and no large matrix is ever held.
"""

import math

import joblib
import numpy as np
from numba import njit
from scipy.optimize import minimize
from scipy.spatial import cKDTree
from tqdm import tqdm

from runproof.kriging.bounds import at_bound
from runproof.kriging.covariances import (
    KINDS,
    Covariance,
    check_anisotropy,
    check_kind,
    correlation_slope,
    stretch,
)
from runproof.kriging.local import JITTER, check_sites, distance, factor, fill
from runproof.validation import require_memory, whole_number

__all__ = ["fit_vecchia", "vecchia_log_likelihood"]

_BLOCK = 1024  # sites of one task: fixed, so that sums do not depend on the number of threads
_ROWS = 4096  # sites whose neighbors are sought at a time
_FLAT = 0.5  # of the log-likelihood, one standard error: what tells little apart


def fit_vecchia(
    sites,
    values,
    drift,
    kind,
    *,
    neighbors=30,
    nugget=None,
    anisotropy=None,
    reml=True,
    n_jobs=None,
    progress=False,
):
    """Fit sill, range and nugget by the likelihood in Vecchia's approximation.

    Parameters
    ----------
    sites : array_like of float, shape (n, d)
        Coordinates of the observations.
    values : array_like of float, shape (n,)
        The observations.
    drift : array_like of float, shape (n, p)
        The trend functions at the sites, a constant column among them; p = 0 is a field of
        mean zero. The trend is estimated within the likelihood.
    kind : str
        The covariance function, a name in `KINDS`.
    neighbors : int
        On how many sites a value is conditioned, at least 1. From n - 1 on, nothing is
        approximated.
    nugget : float, optional
        0 for a field without nugget; by default the nugget is estimated.
    anisotropy : tuple of float, optional
        (angle, ratio) as for `Covariance`; it is held fixed.
    reml : bool
        Whether the likelihood is the restricted one, that of the contrasts free of the trend.
        It does not take the variance that the trend absorbs for smoothness.
    n_jobs : int, optional
        Number of threads, as for `joblib.Parallel`; the result does not depend on it.
    progress : bool
        Whether to show a progress bar, one step per evaluation of the likelihood.

    Returns
    -------
    Covariance
        Its `at_bound` names the parameters on a bound of the search, and those for which a
        bound is nearly as likely: within 0.5 of the log-likelihood, about one standard error.
        The others are sought anew for the longest range, and held at the other bounds.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, if there are fewer than p + 3 sites or all are in
        one place, if trend functions are linearly dependent, or if the trend leaves no
        residuals.
    MemoryError
        If the neighbors' indices would not fit.

    Notes
    -----
    The sill is profiled: given the range and the ratio of nugget to sill, its best value is a
    mean of squares. Over these two logarithms L-BFGS-B climbs with the exact gradient, from
    the best of eight starts. The range is sought from half the median distance of nearest
    sites to ten times the diagonal, the ratio from 1e-8 to 1e4.

    The sites are ordered from coarse to fine (see `coarse_to_fine`): then those before one are
    near and far, which a good approximation needs (Guinness 2018).

    References
    ----------
    A. V. Vecchia, "Estimation and model identification for continuous spatial processes",
    Journal of the Royal Statistical Society B 50 (1988), 297-312.

    J. Guinness, "Permutation and grouping methods for sharpening Gaussian process
    approximations", Technometrics 60 (2018), 415-429.
    """
    check_kind(kind)
    if nugget not in (None, 0):
        raise ValueError(f"nugget must be None (estimate it) or 0, got {nugget!r}")
    likelihood = _Likelihood(sites, values, drift, KINDS[kind], neighbors, anisotropy, reml, n_jobs)
    spacing, diagonal = likelihood.scales()
    bounds = [(math.log(spacing / 2), math.log(10 * diagonal)), (math.log(1e-8), math.log(1e4))]
    ranges = np.geomspace(2 * spacing, diagonal / 2, 4)
    starts = [(math.log(a), math.log(ratio)) for a in ranges for ratio in (0.02, 0.5)]
    names = [(("range",), ("range", "sill")), (("nugget",), ("sill",))]
    if nugget == 0:
        bounds, names = bounds[:1], names[:1]
        starts = [start[:1] for start in starts[::2]]

    with tqdm(unit="evaluation", disable=not progress) as bar:

        def loss(logs, gradient=True):
            bar.update()
            parameters = [*np.exp(logs), 0.0][:2]
            value, slopes, _ = likelihood(*parameters, gradient)
            # Per site, so that the optimizer's tolerances mean the same for any n.
            return -value / likelihood.n, -slopes[: len(logs)] / likelihood.n

        best = min(starts, key=lambda start: loss(np.array(start), False)[0])
        found = minimize(
            loss, best, jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-10}
        )
        unsure = at_bound(loss, found.x, bounds, names, _FLAT / likelihood.n, ridge=-1)
    range_, ratio = [*np.exp(found.x), 0.0][:2]
    sill = likelihood(range_, ratio, False)[2]
    return Covariance(kind, sill, range_, ratio * sill, anisotropy, at_bound=unsure)


def vecchia_log_likelihood(
    sites, values, drift, covariance, *, neighbors=30, reml=True, n_jobs=None
):
    """Return the log-likelihood of a covariance in Vecchia's approximation.

    Parameters
    ----------
    sites, values, drift : array_like
        As for `fit_vecchia`.
    covariance : Covariance
    neighbors, reml, n_jobs
        As for `fit_vecchia`.

    Returns
    -------
    float
        With the trend at its best. With `neighbors` from n - 1 on, it is exact. The restricted
        one is ``-1/2 [(n-p) log 2 pi + log|C| + log|F'C^-1 F| - log|F'F| + r'C^-1 r]``,
        with the covariance C of the values, nugget included, and the residuals r of
        generalized least squares.

    Raises
    ------
    TypeError, ValueError, MemoryError
        As for `fit_vecchia`.
    """
    likelihood = _Likelihood(
        sites, values, drift, covariance.code, neighbors, covariance.anisotropy, reml, n_jobs
    )
    return likelihood.at(covariance)


class _Likelihood:
    """The likelihood of values at sites, as a function of range and ratio nugget / sill."""

    def __init__(self, sites, values, drift, code, neighbors, anisotropy, reml, n_jobs):
        sites, values, drift = check_sites(sites, values, drift)
        self.n, self.p = drift.shape
        if self.n < self.p + 3:
            raise ValueError(f"sites must be at least p + 3 = {self.p + 3}, got {self.n}")
        if not np.ptp(sites, axis=0).any():
            raise ValueError(f"sites must not all be in one place, got {sites[0].tolist()}")
        m = min(whole_number("neighbors", neighbors, 1), self.n - 1)
        threads = joblib.effective_n_jobs(n_jobs)
        work = threads * 24 * m * (m + self.p + 3) + 100 * m * min(self.n, _ROWS)
        require_memory(
            f"Vecchia's likelihood of {self.n} sites with {m} neighbors",
            self.n * (4 * m + 16 * (self.p + sites.shape[1] + 4)) + work,
            "take fewer neighbors",
        )
        if anisotropy is not None:
            sites = stretch(sites, check_anisotropy(anisotropy))
        order = coarse_to_fine(sites)
        self.sites = (sites - sites.mean(axis=0))[order]
        # In an orthonormal basis of the trends and with residuals, fewer digits cancel; of the
        # restricted likelihood, log |F'F| is then 0.
        basis = _orthonormal(drift)
        residuals = values - basis @ (basis.T @ values)
        if np.abs(residuals).max() <= 1e-12 * np.abs(values).max():
            raise ValueError("values must not be fitted by the trend exactly: nothing is left")
        self.drift, self.values = basis[order], residuals[order]
        self.code, self.reml, self.n_jobs = code, reml, n_jobs
        self.neighbors = previous_neighbors(self.sites, m, n_jobs)

    def scales(self):
        """Return the median distance of nearest places, and the diagonal of them all."""
        places = np.unique(self.sites, axis=0)
        gaps = cKDTree(places).query(places[:: len(places) // 2000 + 1], 2)[0][:, 1]
        diagonal = np.linalg.norm(np.ptp(places, axis=0))
        return float(np.median(gaps)), float(diagonal)

    def sums(self, range_, ratio, gradient):
        """Return log |C|, Z'Z and what they gain with the logs of range and ratio.

        C is the covariance for sill 1, Z the whitened [F y].
        """
        sites = self.sites / range_
        parts = joblib.Parallel(self.n_jobs, require="sharedmem")(
            joblib.delayed(_block)(
                sites, self.values, self.drift, self.neighbors, start, self.code, ratio, gradient
            )
            for start in range(0, self.n, _BLOCK)
        )
        return (sum(terms) for terms in zip(*parts, strict=True))

    def __call__(self, range_, ratio, gradient):
        """Return the profile log-likelihood, its slopes by the two logs, and the sill."""
        logdet, gram, logdet_slopes, gram_slopes = self.sums(range_, ratio, gradient)
        p, count = self.p, self.n - self.p * self.reml
        normal = gram[:p, :p]
        trend = np.linalg.solve(normal, gram[:p, p])
        contrast = np.append(-trend, 1.0)
        squares = contrast @ gram @ contrast
        value = count * (math.log(2 * math.pi * squares / count) + 1) + logdet
        slopes = logdet_slopes + count * (contrast @ gram_slopes @ contrast) / squares
        if self.reml:
            value += np.linalg.slogdet(normal)[1]
            slopes += [np.trace(np.linalg.solve(normal, slope[:p, :p])) for slope in gram_slopes]
        return -value / 2, -slopes / 2, squares / count

    def at(self, covariance):
        """Return the log-likelihood of a covariance, its sill as given."""
        sill = covariance.sill
        logdet, gram, *_ = self.sums(covariance.range_, covariance.nugget / sill, False)
        p, count = self.p, self.n - self.p * self.reml
        contrast = np.append(-np.linalg.solve(gram[:p, :p], gram[:p, p]), 1.0)
        value = count * math.log(2 * math.pi * sill) + logdet + contrast @ gram @ contrast / sill
        if self.reml:
            value += np.linalg.slogdet(gram[:p, :p])[1]
        return float(-value / 2)


def _orthonormal(drift):
    norms = np.linalg.norm(drift, axis=0)
    basis, triangle = np.linalg.qr(drift / np.where(norms > 0, norms, 1))
    if (np.abs(np.diag(triangle)) <= 1e-10).any():
        raise ValueError(f"the {drift.shape[1]} columns of drift are linearly dependent")
    return basis


def coarse_to_fine(sites):
    """Order sites so that the first ones of any number cover the region evenly.

    Parameters
    ----------
    sites : ndarray of float, shape (n, d)

    Returns
    -------
    ndarray of int, shape (n,)
        A permutation, the same in every call.

    Notes
    -----
    Grids of finer and finer cells are laid over the sites; in every cell that holds none of
    the chosen sites, the one nearest to its center is chosen; those of one grid are shuffled.
    This comes close to max-min ordering, where each site is the one farthest from those before
    it, at less work.
    """
    n, d = sites.shape
    rng = np.random.default_rng(0)
    places = (sites - sites.min(axis=0)) / np.ptp(sites, axis=0).max()
    order, left, cells = np.empty(0, dtype=np.int64), np.arange(n), 1.0
    while left.size and cells**d < 2**62:
        side = int(cells)
        cell = np.minimum((places * side).astype(np.int64), side - 1)
        off_center = np.abs(places * side - cell - 0.5).max(axis=1)
        key = cell @ side ** np.arange(d)
        left = left[np.argsort(off_center[left], kind="stable")]
        keys, first = np.unique(key[left], return_index=True)
        chosen = rng.permutation(left[first[~np.isin(keys, key[order])]])
        order, left = np.append(order, chosen), np.setdiff1d(left, chosen)
        cells *= 1.5
    return np.append(order, left)


def previous_neighbors(sites, m, n_jobs=None):
    """Return for each site the m nearest of those before it, or all if there are fewer.

    Parameters
    ----------
    sites : ndarray of float, shape (n, d)
    m : int
    n_jobs : int, optional
        Number of threads.

    Returns
    -------
    ndarray of int32, shape (n, m)
        Row i ends with -1 where i < m.
    """
    n, workers = len(sites), joblib.effective_n_jobs(n_jobs)
    found = np.full((n, m), -1, dtype=np.int32)
    for i in range(1, min(n, m + 1)):
        found[i, :i] = np.arange(i)
    start = m + 1
    while start < n:
        # The sites before the last of a block, at most twice as many as before the first: of
        # the nearest of them, half or more come before.
        stop = min(n, 2 * start)
        tree = cKDTree(sites[:stop])
        for low in range(start, stop, _ROWS):
            rows, wanted = np.arange(low, min(low + _ROWS, stop)), 2 * m + 8
            while rows.size:
                wanted = min(wanted, stop)
                nearest = tree.query(sites[rows], wanted, workers=workers)[1]
                before = nearest < rows[:, None]
                enough = before.sum(axis=1) >= m
                # A stable sort moves those before to the front, nearest first.
                front = np.argsort(~before[enough], axis=1, kind="stable")[:, :m]
                found[rows[enough]] = np.take_along_axis(nearest[enough], front, axis=1)
                rows, wanted = rows[~enough], 2 * wanted
        start = stop
    return found


@njit(nogil=True, cache=True)
def _block(sites, values, drift, neighbors, start, code, ratio, gradient):
    """Return the sums of `_Likelihood.sums` over one block of sites."""
    p, m = drift.shape[1], neighbors.shape[1]
    width = p + 1
    gram, gram_slopes = np.zeros((width, width)), np.zeros((2, width, width))
    logdet, logdet_slopes = 0.0, np.zeros(2)
    chosen = np.empty(m + 1, np.int64)
    whole = np.empty((m + 1, m + 1 + width))
    moved = np.empty((2, m))
    slopes = np.empty((2, width))
    for i in range(start, min(start + _BLOCK, len(sites))):
        k = min(i, m)
        chosen[:k] = neighbors[i, :k]
        chosen[k] = i
        # The site comes last: the last row is then what is new in it, given its neighbors.
        matrix = whole[: k + 1, : k + 1 + width]
        fill(matrix, sites, values, drift, chosen[: k + 1], code, 1.0, 1.0 + ratio)
        if not factor(matrix, k + 1, JITTER * (1 + ratio)):
            diagonal = (1.0 + JITTER) * (1.0 + ratio)
            fill(matrix, sites, values, drift, chosen[: k + 1], code, 1.0, diagonal)
            factor(matrix, k + 1, 0.0)
        root = matrix[k, k]
        new = matrix[k, k + 1 :]
        logdet += 2 * np.log(root)
        for a in range(width):
            for b in range(width):
                gram[a, b] += new[a] * new[b]
        if not gradient:
            continue
        _solve(matrix, k)
        # The error of the prediction is v'y with v = (-weights, 1), and its variance v'Cv. To
        # first order, new weights change the variance by nothing, and the error by
        # (dC v)' times what C^-1 makes of the neighbors' columns.
        moved[:] = 0.0
        curved = 0.0
        for r in range(k):
            for c in range(r + 1, k + 1):
                h = distance(sites, chosen[r], sites, chosen[c])
                slope = -h * correlation_slope(code, h)
                weight = -matrix[c, k] if c < k else 1.0
                moved[0, r] += slope * weight
                curved -= 2 * matrix[r, k] * slope * weight
                if c < k:
                    moved[0, c] -= slope * matrix[r, k]
        flat = 1.0
        for r in range(k):
            moved[1, r] = -matrix[r, k]
            flat += matrix[r, k] ** 2
        changes = (curved, ratio * flat)
        for parameter in range(2):
            relative = changes[parameter] / root**2
            logdet_slopes[parameter] += relative
            unit = 1.0 if parameter == 0 else ratio
            for a in range(width):
                shift = 0.0
                for r in range(k):
                    shift += moved[parameter, r] * matrix[r, k + 1 + a]
                slopes[parameter, a] = -unit * shift / root - new[a] * relative / 2
            for a in range(width):
                for b in range(width):
                    gram_slopes[parameter, a, b] += (
                        slopes[parameter, a] * new[b] + new[a] * slopes[parameter, b]
                    )
    return logdet, gram, logdet_slopes, gram_slopes


@njit(nogil=True, cache=True)
def _solve(matrix, size):
    """Turn [U | W] into [U | U^-1 W] in place, for the first `size` rows."""
    columns = matrix.shape[1]
    for i in range(size - 1, -1, -1):
        for j in range(i + 1, size):
            weight = matrix[i, j]
            for c in range(size, columns):
                matrix[i, c] -= weight * matrix[j, c]
        for c in range(size, columns):
            matrix[i, c] /= matrix[i, i]
