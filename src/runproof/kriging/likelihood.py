"""Maximum likelihood, restricted (REML) or plain, for the parameters of a covariance.

With V = R + eta I, where R holds the correlations of the signal and eta is nugget / sill, the
covariance matrix of the values is sill V. For a given V the best sill has a closed form. So the
search runs over log range, log eta, and two numbers for the anisotropy, with the gradient. Where
the nugget is given and above 0, log sill takes the place of log eta: its bounds then do not
depend on how small the nugget is.
"""

import math

import numpy as np
from numba import njit
from scipy.linalg import expm, expm_frechet, lapack, solve_triangular
from scipy.optimize import minimize
from scipy.spatial import cKDTree
from threadpoolctl import threadpool_limits

from runproof.kriging.bounds import at_bound, in_order
from runproof.kriging.covariances import (
    GAUSSIAN,
    KINDS,
    Covariance,
    correlation,
    correlation_slope,
    stretch,
)
from runproof.validation import require_memory

__all__ = ["fit_likelihood"]

_SAMPLE = 400  # sites that the starts are compared on
_ONE_THREAD = 800  # sites up to which more threads of BLAS cost more than they bring
_STARTS = 3  # of them, taken to their optimum
_ETA = 1e-8, 1e4  # bounds of nugget / sill
_SILL = 1e-6, 1e8  # bounds of the sill beside a given nugget, in mean squares of the residuals
_FLAT = 1.0  # of minus twice the log-likelihood, one standard error: what tells little apart
_STILL = 1.0  # of its slope by log range: what is no optimum
_SINGULAR = 1e10  # a value for each site that says: this matrix cannot be factored
_STRETCH = 1.5  # bound of the two numbers of the anisotropy: ratios down to about 0.02


def fit_likelihood(sites, values, drift, kind, *, method="reml", nugget="fit", anisotropy=None):
    """Fit a covariance function by maximum likelihood.

    Parameters
    ----------
    sites : ndarray of float, shape (n, d)
    values : ndarray of float, shape (n,)
    drift : ndarray of float, shape (n, p)
        The trend functions at the sites, the constant one among them; of rank p.
    kind : str
        As for `Covariance`.
    method : {"reml", "ml"}
        Restricted maximum likelihood uses n - p combinations of the values that are free of
        trend. It takes into account that the trend is estimated; plain maximum likelihood does
        not, and its sill comes out too low.
    nugget : "fit" or float
        A number fixes the nugget.
    anisotropy : None, "fit" or tuple of float
        As for `Covariance`; "fit" needs two coordinates.

    Returns
    -------
    Covariance
        Its `at_bound` names the parameters on a bound of the search, and those for which a
        bound is nearly as likely: within 0.5 of the log-likelihood, about one standard error.
        The others are sought anew for the longest range, and held at the other bounds.

    Raises
    ------
    ValueError
        If the trend explains the values exactly, or two coordinates are needed and not given.
    MemoryError
        If three matrices of n by n do not fit into memory.

    Notes
    -----
    L-BFGS-B runs from the best few of a grid of starts. The range is sought from half the
    smallest spacing to ten times the extent of the sites, the ratio of nugget to sill from 1e-8
    (1e-6 for "gaussian") to 1e4, and the sill beside a given nugget above 0 from 1e-6 to 1e8
    times the mean square of the residuals from the trend. With a nugget of 0, or one that is
    tiny beside the sill, ranges at which the matrix is singular in floating-point numbers are
    left out; for smooth kinds that can exclude the best one. A range at the edge of these
    counts as one on a bound.

    References
    ----------
    P. K. Kitanidis, "Statistical estimation of polynomial generalized covariance functions and
    hydrologic applications", Water Resources Research 19 (1983), 909-921.
    """
    require_memory(
        f"a likelihood of {len(sites)} sites", 24 * len(sites) ** 2, 'use method="vecchia"'
    )
    basis = np.linalg.qr(drift)[0]  # orthonormal: the restricted likelihood needs no more terms
    residuals = values - basis @ (basis.T @ values)
    if np.linalg.norm(residuals) <= 1e-10 * np.linalg.norm(values):
        raise ValueError("y must vary around its trend for a covariance to be fitted, it does not")
    plane = sites if anisotropy in (None, "fit") else stretch(sites, anisotropy)
    size = float(np.ptp(plane, axis=0).max())
    unit = (plane - plane.mean(axis=0)) / size
    search = _Likelihood(unit, residuals, basis, kind, method, nugget, anisotropy == "fit")
    theta = search.optimize(_starts(search))
    if search(theta, False) >= _SINGULAR:  # some sites nearly coincide: try shorter ranges
        theta = search.optimize(_starts(search, closer=True))
    return search.covariance(theta, size, anisotropy)


class _Likelihood:
    """Minus twice the log-likelihood as a function of the parameters, with its gradient.

    The parameters are log range; log eta if the nugget is fitted, log sill if it is given and
    above 0; and, where the anisotropy is fitted, a and b: the metric is expm(2 [[a, b], [b, -a]])
    / range^2. This form is smooth also where there is no anisotropy, at a = b = 0, where an angle
    is undefined.
    """

    def __init__(self, sites, values, basis, kind, method, nugget, turning):
        self.sites, self.values, self.basis = sites, values, basis
        self.kind, self.method, self.nugget, self.turning = kind, method, nugget, turning
        self.degrees = len(values) - (basis.shape[1] if method == "reml" else 0)
        self.given = nugget not in ("fit", 0)  # a nugget above 0, whose sill is sought
        self.mean_square = float(values @ values) / self.degrees
        if turning and sites.shape[1] != 2:
            raise ValueError(f'anisotropy="fit" needs 2 coordinates, got {sites.shape[1]}')

    def subset(self, places):
        """Return the likelihood of some of the sites, or itself if that loses the trend."""
        rows = self.basis[places]
        if np.linalg.matrix_rank(rows) < rows.shape[1]:
            return self
        data = self.sites[places], self.values[places], np.linalg.qr(rows)[0]
        return _Likelihood(*data, self.kind, self.method, self.nugget, self.turning)

    def with_fitted_nugget(self):
        """Return the likelihood for the same data whose nugget is fitted."""
        data = self.sites, self.values, self.basis
        return _Likelihood(*data, self.kind, self.method, "fit", self.turning)

    def bounds(self):
        """Return the bounds of the parameters."""
        spacing = cKDTree(self.sites).query(self.sites, k=2)[0][:, 1].min()
        low = max(_ETA[0], 1e-6) if KINDS[self.kind] == GAUSSIAN else _ETA[0]
        bounds = [(math.log(spacing / 2), math.log(10.0))]
        bounds += [(math.log(low), math.log(_ETA[1]))] * (self.nugget == "fit")
        bounds += [tuple(math.log(b * self.mean_square) for b in _SILL)] * self.given
        return bounds + [(-_STRETCH, _STRETCH)] * (2 * self.turning)

    def at_bound(self, theta):
        """Name the parameters on a bound of the search, or nearly as likely there."""
        names = [(("range",), ("range", "sill"))]
        names += [(("nugget",), ("sill",))] * (self.nugget == "fit")
        names += [(("sill",), ("sill",))] * self.given
        names += [(("anisotropy",), ("anisotropy",))] * (2 * self.turning)
        bounds = self.bounds()
        ridge = 1 if self.given else -(self.nugget == "fit")
        with self.threads():
            found = at_bound(self.loss, theta, bounds, names, _FLAT, ridge)
        farthest = [bounds[0][1], *theta[1:]]
        if self(farthest, False) >= _SINGULAR and self(theta)[1][0] < -_STILL:
            found = in_order([found, ("range", "sill")])  # the search stopped at an edge
        return found

    def parts(self, theta):
        """Return range, eta, the sill (None for the best one), metric, its derivatives."""
        theta, sill, eta = list(theta), None, 0.0
        range_ = math.exp(theta.pop(0))
        if self.given:
            sill = math.exp(theta.pop(0))
            eta = self.nugget / sill
        elif self.nugget == "fit":
            eta = math.exp(theta.pop(0))
        if not self.turning:
            metric = np.eye(self.sites.shape[1]) / range_**2
            return range_, eta, sill, metric, -2 * metric[None]
        directions = np.array([[[2.0, 0], [0, -2]], [[0, 2], [2, 0]]])
        shape = np.tensordot(theta, directions, axes=1)
        metric = expm(shape) / range_**2
        turns = [expm_frechet(shape, d, compute_expm=False) / range_**2 for d in directions]
        return range_, eta, sill, metric, np.array([-2 * metric, *turns])

    def __call__(self, theta, slopes=True):
        """Return minus twice the log-likelihood and, if wanted, its gradient."""
        value, gradient, _ = self.evaluate(theta, slopes)
        return (value, gradient) if slopes else value

    def loss(self, theta, slopes):
        """Return minus twice the log-likelihood, and its gradient if wanted."""
        return self.evaluate(theta, slopes)[:2]

    def evaluate(self, theta, slopes=False):
        """Return minus twice the log-likelihood, its gradient if wanted, and the sill."""
        _, eta, sill, metric, changes = self.parts(theta)
        code, n = KINDS[self.kind], len(self.values)
        factor, fault = lapack.dpotrf(
            _correlations(code, self.sites, metric, eta).T, lower=1, overwrite_a=1
        )
        # A pivot of the size of rounding errors is no pivot. Too smooth for this precision is
        # worse than anything.
        if fault or factor.diagonal().min() ** 2 < n * np.finfo(float).eps:
            return _SINGULAR * n, np.zeros(len(theta)), math.nan
        white = solve_triangular(factor, np.column_stack([self.basis, self.values]), lower=True)
        trend, triangle = np.linalg.qr(white[:, :-1])
        rest = white[:, -1] - trend @ (trend.T @ white[:, -1])
        square = rest @ rest
        if sill is None:
            sill = square / self.degrees
        value = self.degrees * math.log(2 * math.pi * sill) + square / sill
        value += 2 * np.log(factor.diagonal()).sum()
        if self.method == "reml":
            value += 2 * np.log(np.abs(triangle.diagonal())).sum()
        if not slopes:
            return value, None, sill
        projected = solve_triangular(factor, rest, lower=True, trans=1)
        image = solve_triangular(factor, trend, lower=True, trans=1)
        inverse = lapack.dpotri(factor, lower=1, overwrite_c=1)[0]
        inverse = _mirror(inverse.T)  # the transpose is in C order, with its upper half filled
        if self.method == "reml":
            inverse -= image @ image.T
        gradient = list(_gradient(code, self.sites, metric, changes, inverse, projected, sill))
        if self.nugget != 0:
            slope = eta * (np.trace(inverse) - projected @ projected / sill)
            gradient.insert(1, self.degrees - square / sill - slope if self.given else slope)
        return value, np.array(gradient), sill

    def optimize(self, starts):
        """Return the best parameters that the starts lead to."""
        options = {"jac": True, "method": "L-BFGS-B", "bounds": self.bounds()}
        with self.threads():
            found = [minimize(self, start, **options) for start in starts]
        return min(found, key=lambda result: result.fun).x

    def threads(self):
        """Return a context in which BLAS has one thread if the matrices are small."""
        few = len(self.values) <= _ONE_THREAD
        return threadpool_limits(1 if few else None, user_api="blas")

    def covariance(self, theta, size, anisotropy):
        """Return the covariance function with these parameters, in units of the data."""
        range_, eta, _, metric, _ = self.parts(theta)
        sill = self.evaluate(theta)[2]
        nugget = eta * sill if self.nugget == "fit" else self.nugget
        unsure = self.at_bound(theta)
        if self.turning:
            stiffness, axes = np.linalg.eigh(metric)  # the range is longest along the first axis
            range_ = stiffness[0] ** -0.5
            angle = math.degrees(math.atan2(*axes[:, 0])) % 180
            anisotropy = angle, math.sqrt(stiffness[0] / stiffness[1])
        return Covariance(self.kind, sill, range_ * size, nugget, anisotropy, at_bound=unsure)


def _starts(search, closer=False):
    """Return parameters to start from: the best on a grid, for some of the sites.

    Likelihoods have several maxima, those of the spherical kind have many: the starts are the
    best points along the range. `closer` takes all sites, and ranges down to the lowest.
    """
    n = len(search.sites)
    few = search
    if n > _SAMPLE and not closer:
        few = search.subset(np.random.default_rng(0).choice(n, _SAMPLE, replace=False))
    lows, highs = np.transpose(few.bounds())
    lowest = lows[0] if closer else max(lows[0], math.log(0.01))
    ranges = np.linspace(lowest, math.log(3), 96 if closer else 24)
    level = [0.0, 0.0] * search.turning
    with few.threads():
        grid = [[[r, *second, *level] for second in _seconds(few, r, level)] for r in ranges]
        rows = [min((few(theta, False), theta) for theta in row) for row in grid]
    heights = np.pad([value for value, _ in rows], 1, constant_values=math.inf)
    dips = (heights[1:-1] <= heights[:-2]) & (heights[1:-1] <= heights[2:])
    best = sorted(row for row, dip in zip(rows, dips, strict=True) if dip)[:_STARTS]
    starts = [np.clip(theta, lows, highs) for _, theta in best]
    if search.turning:
        turns = [(0.4, 0), (-0.4, 0), (0, 0.4), (0, -0.4)]
        turned = [np.array([*starts[0][:-2], *turn]) for turn in turns]
        starts = [*starts[:2], min(turned, key=lambda theta: few(theta, False))]
    return starts if few is search else [few.optimize(starts)]


def _seconds(search, log_range, level):
    """Return values of the second parameter to start from, as lists: of none, if there is none."""
    if not search.given:
        return np.log([[1e-3], [0.03], [0.15], [0.6], [2.5]]) if search.nugget == "fit" else [[]]
    sills = [factor * search.mean_square for factor in (0.05, 0.5, 5)]
    # Beside a tiny nugget, the best sill is nearly that for a fixed ratio of the two.
    loose, sill = search.with_fitted_nugget(), search.mean_square
    for _ in range(3):
        sill = loose.evaluate([log_range, math.log(search.nugget / sill), *level])[2]
        if not math.isfinite(sill):
            break
        sills.append(sill)
    return np.log(np.clip(sills, *np.exp(search.bounds()[1])))[:, None].tolist()


@njit(cache=True)
def _correlations(code, sites, metric, eta):
    n, d = sites.shape
    out = np.empty((n, n))
    for i in range(n):
        out[i, i] = 1.0 + eta
        for j in range(i):
            square = 0.0
            for k in range(d):
                for m in range(d):
                    square += (
                        (sites[i, k] - sites[j, k]) * metric[k, m] * (sites[i, m] - sites[j, m])
                    )
            out[i, j] = out[j, i] = correlation(code, math.sqrt(max(square, 0.0)))
    return out


@njit(cache=True)
def _mirror(matrix):
    """Copy the upper half of a square matrix to its lower half."""
    for i in range(len(matrix)):
        for j in range(i):
            matrix[i, j] = matrix[j, i]
    return matrix


@njit(cache=True)
def _gradient(code, sites, metric, slopes, weight, projected, sill):
    """Sum over pairs what their correlation adds, for each derivative of the metric."""
    n, d = sites.shape
    out = np.zeros(len(slopes))
    for i in range(n):
        for j in range(i):
            square = 0.0
            for k in range(d):
                for m in range(d):
                    square += (
                        (sites[i, k] - sites[j, k]) * metric[k, m] * (sites[i, m] - sites[j, m])
                    )
            h = math.sqrt(max(square, 1e-300))
            change = (weight[i, j] - projected[i] * projected[j] / sill) * (
                correlation_slope(code, h) / h
            )
            for s in range(len(slopes)):
                for k in range(d):
                    for m in range(d):
                        out[s] += change * (
                            (sites[i, k] - sites[j, k])
                            * slopes[s, k, m]
                            * (sites[i, m] - sites[j, m])
                        )
    return out
