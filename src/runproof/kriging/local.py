"""Local kriging: every target from its nearest sites, in compiled code.

Both this module and `runproof.kriging.vecchia` rest on one step, the bordered Cholesky
factorization `factor`: for a covariance matrix C = U'U of a few sites and columns B beside
it, [C | B] becomes [U | U'^-1 B]. The columns are then whitened: in them, dot products are
those of generalized least squares.
"""

import joblib
import numpy as np
from numba import njit
from scipy.spatial import cKDTree
from tqdm import tqdm

from runproof.kriging.covariances import correlation
from runproof.kriging.sites import coordinates, finite_matrix
from runproof.validation import require_memory, whole_number

__all__ = ["nearest_sites", "predict_local"]

# Conditional variances of a site given the others, as a share of the total variance: below
# this, rounding rules. The share is then added to the diagonal, as a tiny nugget would be.
JITTER = 1e-10
_SINGULAR = 1e-12  # the same for trend functions: below this they are linearly dependent
_CHUNK_BYTES = 1 << 25


def predict_local(
    sites,
    values,
    drift,
    targets,
    target_drift,
    covariance,
    neighbors,
    *,
    n_jobs=None,
    progress=False,
):
    """Predict the noise-free surface at targets, each from its nearest sites.

    This is universal kriging in a moving neighborhood. The nugget is taken as the variance
    of noise: the surface is smooth through it, and the variance returned is that of the
    surface. Add the nugget for that of a new observation.

    Parameters
    ----------
    sites : array_like of float, shape (n, d)
        Coordinates of the observations.
    values : array_like of float, shape (n,)
        The observations.
    drift : array_like of float, shape (n, p)
        The trend functions at the sites, a constant column among them; p = 0 is simple
        kriging of a field of mean zero.
    targets : array_like of float, shape (m, d)
        Where to predict.
    target_drift : array_like of float, shape (m, p)
        The trend functions at the targets.
    covariance : Covariance
        Sill, range, nugget and anisotropy; nearness is measured after its anisotropy.
    neighbors : int
        How many sites to use, from max(1, p) to n. With n the result is that of all sites.
    n_jobs : int, optional
        Number of threads, as for `joblib.Parallel`; the result does not depend on it.
    progress : bool
        Whether to show a progress bar, one step per target.

    Returns
    -------
    mean : ndarray of float, shape (m,)
    variance : ndarray of float, shape (m,)
        Of the error of the mean, the estimation of the trend included.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or if the trend functions are linearly dependent
        among the nearest sites of a target: a factor level or a line that these do not show.
    MemoryError
        If the work space would not fit; it does not grow with the number of targets.

    Notes
    -----
    Sites at the same distance are taken in their order. Where a covariance is so smooth
    that a matrix of k sites is singular in floating-point numbers, 1e-10 of the total
    variance is added to its diagonal. Between sites of a field of that law, this adds an error
    of about 1e-5 of the standard deviation.

    References
    ----------
    N. Cressie, *Statistics for Spatial Data*, revised edition, Wiley 1993, section 3.4.
    """
    sites, values, drift = check_sites(sites, values, drift)
    targets = coordinates(targets, "targets")
    target_drift = finite_matrix("target_drift", target_drift, len(targets))
    for name, given, wanted in (("targets", targets, sites), ("target_drift", target_drift, drift)):
        if given.shape[1] != wanted.shape[1]:
            raise ValueError(
                f"{name} must have {wanted.shape[1]} columns as at the sites, got {given.shape[1]}"
            )
    k = whole_number("neighbors", neighbors, max(1, drift.shape[1]))
    if k > len(sites):
        raise ValueError(f"neighbors must be at most the number of sites {len(sites)}, got {k}")
    threads = joblib.effective_n_jobs(n_jobs)
    rows = max(16, min(4096, _CHUNK_BYTES // (24 * k)))
    require_memory(
        f"kriging with {k} neighbors",
        threads * 8 * k * (k + 4 * rows) + 16 * len(targets),
        "take fewer neighbors",
    )
    if k == len(sites):  # one neighborhood, to be factored once for each thread
        rows = -(-len(targets) // threads)
    sites, targets = (covariance.scale_coordinates(points) for points in (sites, targets))
    values, drift, target_drift, level = _centered(values, drift, target_drift)
    tree = cKDTree(sites)
    law = covariance.code, covariance.sill, covariance.nugget
    mean, variance = np.empty(len(targets)), np.empty(len(targets))

    def work(start):
        chunk = slice(start, start + rows)
        nearest = nearest_sites(tree, targets[chunk], k)
        places = targets[chunk], target_drift[chunk]
        given = sites, values, drift, *places, nearest, *law
        failed = _krige(*given, mean[chunk], variance[chunk])
        if failed >= 0:
            raise ValueError(
                f"the {drift.shape[1]} columns of drift are linearly dependent among the {k} "
                f"sites nearest to target {start + failed}: use more neighbors or fewer columns"
            )
        return len(places[0])

    jobs = joblib.Parallel(n_jobs, require="sharedmem", return_as="generator_unordered")(
        joblib.delayed(work)(start) for start in range(0, len(targets), rows)
    )
    with tqdm(total=len(targets), unit="target", disable=not progress) as bar:
        for done in jobs:
            bar.update(done)
    return mean + level, variance


def nearest_sites(tree, points, k):
    """Return the k nearest sites of points; of sites at equal distance, the first ones.

    Parameters
    ----------
    tree : scipy.spatial.cKDTree
        Of the sites.
    points : ndarray of float, shape (m, d)
    k : int
        At most the number of sites.

    Returns
    -------
    ndarray of int, shape (m, k) or (1, k)
        Indices into the sites, ascending in each row; one row if it is that of all points.
    """
    if k == tree.n:
        return np.arange(k)[None, :]
    distances, nearest = tree.query(points, k + 1)
    tied = distances[:, k] <= distances[:, k - 1] * (1 + 1e-12)
    nearest = np.sort(nearest[:, :k], axis=1)
    for row in np.flatnonzero(tied):
        near = np.array(tree.query_ball_point(points[row], distances[row, k] * (1 + 1e-12)))
        gaps = np.linalg.norm(tree.data[near] - points[row], axis=1)
        # Rounding must not decide: distances that agree to 1e-12 are one distance.
        gaps[gaps >= distances[row, k - 1] * (1 - 1e-12)] = np.inf
        nearest[row] = np.sort(near[np.lexsort((near, gaps))[:k]])
    return nearest


def check_sites(sites, values, drift):
    """Return sites, values and trend functions as arrays of float of matching shapes.

    Parameters
    ----------
    sites, values, drift : array_like
        As for `predict_local`.

    Returns
    -------
    sites, values, drift : ndarray of float

    Raises
    ------
    TypeError, ValueError
        If a shape is wrong, or an entry is no finite number.
    """
    sites = coordinates(sites, "sites")
    values = finite_matrix("values", values, len(sites))
    if values.shape[1] != 1:
        raise ValueError(f"values must have shape ({len(sites)},), got {values.shape}")
    return sites, values[:, 0].copy(), finite_matrix("drift", drift, len(sites))


def _centered(values, drift, target_drift):
    """Center values and trend functions if a constant is among these: it loses fewer digits.

    The constant column comes first. Returns also the trend to add to the predictions.
    """
    constant = np.flatnonzero((np.ptp(drift, axis=0) == 0) & (drift != 0).all(axis=0))
    if not constant.size:
        return values, drift, target_drift, np.zeros(len(target_drift))
    first = int(constant[0])
    ones = target_drift[:, first] / drift[0, first]
    means = drift.mean(axis=0)
    means[first] = 0.0
    order = [first, *(column for column in range(drift.shape[1]) if column != first)]
    level = values.mean()
    drift = (drift - means)[:, order]
    target_drift = (target_drift - ones[:, None] * means)[:, order]
    return values - level, drift.copy(), target_drift.copy(), level * ones


# Compiled code. Kernels are cached on disk; the cache knows changes of this file only, so
# after a change of `correlation` remove __pycache__. They release the global lock.


@njit(nogil=True, cache=True)
def factor(matrix, size, floor):
    """Turn [C | B] into [U | U'^-1 B] in place, with C = U'U and U upper triangular.

    Parameters
    ----------
    matrix : ndarray of float, shape (>= size, >= size)
        C in the first `size` rows and columns, of which the upper triangle is read; B in the
        columns after them.
    size : int
    floor : float
        The smallest square of a diagonal element of U allowed.

    Returns
    -------
    bool
        False if the floor was reached; the matrix is then in between.
    """
    columns = matrix.shape[1]
    for j in range(size):
        if not matrix[j, j] > floor:
            return False
        scale = 1 / np.sqrt(matrix[j, j])
        for c in range(j, columns):
            matrix[j, c] *= scale
        for i in range(j + 1, size):
            weight = matrix[j, i]
            for c in range(i, columns):
                matrix[i, c] -= weight * matrix[j, c]
    return True


@njit(nogil=True, cache=True)
def distance(a, i, b, j):
    """Return the Euclidean distance of rows i of a and j of b."""
    total = 0.0
    for axis in range(a.shape[1]):
        total += (a[i, axis] - b[j, axis]) ** 2
    return np.sqrt(total)


@njit(nogil=True, cache=True)
def fill(matrix, sites, values, drift, chosen, code, sill, diagonal):
    """Write [C | F | y] of the chosen sites, with C from the diagonal upwards.

    The distances are in units of the range, as in all kernels here.
    """
    k, p = len(chosen), drift.shape[1]
    for i in range(k):
        for j in range(i + 1, k):
            h = distance(sites, chosen[i], sites, chosen[j])
            matrix[i, j] = sill * correlation(code, h)
        matrix[i, i] = diagonal
        for column in range(p):
            matrix[i, k + column] = drift[chosen[i], column]
        matrix[i, k + p] = values[chosen[i]]


@njit(nogil=True, cache=True)
def fill_and_factor(matrix, sites, values, drift, chosen, code, sill, nugget):
    """Whiten the trend functions and values of the chosen sites; see `fill` and `factor`."""
    k, total = len(chosen), sill + nugget
    fill(matrix, sites, values, drift, chosen, code, sill, total)
    if factor(matrix, k, JITTER * total):
        return
    fill(matrix, sites, values, drift, chosen, code, sill, (1 + JITTER) * total)
    factor(matrix, k, 0.0)


@njit(nogil=True, cache=True)
def _krige(
    sites, values, drift, targets, target_drift, nearest, code, sill, nugget, mean, variance
):
    """Fill mean and variance; return the first target whose trend is singular, or -1."""
    k, p = nearest.shape[1], drift.shape[1]
    matrix = np.empty((k, k + p + 1))
    column = np.empty(k)
    normal = np.empty((p, p + 1))
    small = np.empty((p, p + 2))
    for t in range(len(targets)):
        chosen = nearest[min(t, len(nearest) - 1)]
        if t == 0 or (t < len(nearest) and not np.array_equal(chosen, nearest[t - 1])):
            fill_and_factor(matrix, sites, values, drift, chosen, code, sill, nugget)
            for a in range(p):
                for b in range(a, p + 1):
                    normal[a, b] = 0.0
                    for i in range(k):
                        normal[a, b] += matrix[i, k + a] * matrix[i, k + b]
        for i in range(k):
            column[i] = sill * correlation(code, distance(sites, chosen[i], targets, t))
        expected, explained = 0.0, 0.0
        for a in range(p):
            small[a, p + 1] = target_drift[t, a]
        for j in range(k):
            column[j] /= matrix[j, j]
            weight = column[j]
            for i in range(j + 1, k):
                column[i] -= weight * matrix[j, i]
            for a in range(p):
                small[a, p + 1] -= weight * matrix[j, k + a]
            expected += weight * matrix[j, k + p]
            explained += weight * weight
        # What is left is the trend: generalized least squares among the neighbors, with
        # trend functions of length one, so that the floor means the same for all.
        for a in range(p):
            if not normal[a, a] > 0:
                return t
        for a in range(p):
            scale = 1 / np.sqrt(normal[a, a])
            for b in range(a, p):
                small[a, b] = normal[a, b] * scale / np.sqrt(normal[b, b])
            small[a, p] = normal[a, p] * scale
            small[a, p + 1] *= scale
        if not factor(small, p, _SINGULAR):
            return t
        added = 0.0
        for a in range(p):
            expected += small[a, p + 1] * small[a, p]
            added += small[a, p + 1] ** 2
        mean[t] = expected
        variance[t] = max(0.0, sill - explained) + added
    return -1
