"""Kriging as a scikit-learn estimator: fit a covariance, predict with variance, leave one out."""

import math

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted

from runproof.kriging.covariances import Covariance, check_anisotropy, check_kind, stretch
from runproof.kriging.dense import DenseKriging
from runproof.kriging.likelihood import fit_likelihood
from runproof.kriging.local import predict_local
from runproof.kriging.sites import coordinates, sites_and_values
from runproof.kriging.trends import Trend
from runproof.kriging.variograms import empirical_variogram, fit_variogram
from runproof.kriging.vecchia import fit_vecchia
from runproof.validation import number, one_of, whole_number

__all__ = ["Kriging"]

_METHODS = "reml", "ml", "variogram", "vecchia", "fixed"


class Kriging(RegressorMixin, BaseEstimator):
    """Kriging: best linear unbiased prediction of a field from its values at some sites.

    The value at a site is trend + signal + nugget, see `Covariance`. The trend is a linear
    combination of known functions, estimated along with the prediction; so a constant trend is
    ordinary kriging and any other is universal kriging. Coordinates must be those of a plane
    (or of any Euclidean space): degrees are refused where the names of columns give them away.

    Parameters
    ----------
    trend : str or callable
        "constant", "linear" or "quadratic" in the coordinates, or a function that takes
        coordinates (n, d) and returns trend functions (n, q) beside the constant one.
    covariance : str or Covariance
        A kind of covariance, to be fitted, or a covariance function, to be used as it is.
    method : str
        How a kind of covariance is fitted: "reml" (restricted maximum likelihood), "ml"
        (maximum likelihood), "variogram" (weighted least squares on the empirical variogram of
        the residuals of ordinary least squares, which is biased downward where there is a
        trend), "vecchia" (an approximate likelihood for many sites). "fixed" insists that a
        covariance function is given.
    nugget : "fit" or float
        A number, at least 0, fixes the nugget; with "vecchia" only 0 does.
    anisotropy : None, "fit" or tuple of float
        None for isotropy, or (angle, ratio) as for `Covariance`. "fit" is for "reml" and "ml",
        and for two coordinates.
    neighbors : int, optional
        Predict every point from so many nearest sites; the trend is then estimated among them,
        and the surface jumps slightly where they change. (A fit with "vecchia" conditions on
        30.) Fitting with "vecchia" and predicting from neighbors never makes a matrix of all
        sites.
    n_jobs : int, optional
        Number of threads for "vecchia" and for prediction from neighbors, as for
        `joblib.Parallel`.
    progress : bool
        Whether these two show a progress bar.

    Attributes
    ----------
    covariance_ : Covariance
        The covariance function in use.
    at_bound_ : tuple of str
        What the fit could not tell: those of "range", "sill", "nugget" and "anisotropy" whose
        best value lies on a bound of the search, or for which a bound is nearly as good; empty
        if there are none. The same as `covariance_.at_bound`, see `Covariance`.
    trend_coef_ : pandas.Series
        Coefficients of the trend by generalized least squares. Polynomials are in u = (x -
        `trend_.center`) / `trend_.unit`. This and what follows takes a matrix of all sites.
    trend_cov_ : pandas.DataFrame
        Their covariance matrix.
    log_likelihood_ : float
        The log-likelihood for method="ml", the restricted one else: that of n - p orthonormal
        combinations of the values that are free of trend.

    Notes
    -----
    Predictions are of the surface trend + signal, and their variance is that of its error, the
    estimation of the trend included: the nugget is taken as noise. `include_nugget=True` is
    gstat's convention for its "Nug" (its "Err" is our default): the nugget belongs to the value
    at a place. The prediction at a site is then the value found there with variance 0; elsewhere
    it is the same surface, with the nugget added to the variance. With a nugget of 0 both
    interpolate exactly.

    References
    ----------
    N. Cressie, *Statistics for Spatial Data*, revised edition, Wiley 1993, chapters 2 and 3.
    """

    def __init__(
        self,
        trend="constant",
        covariance="matern32",
        *,
        method="reml",
        nugget="fit",
        anisotropy=None,
        neighbors=None,
        n_jobs=None,
        progress=False,
    ):
        self.trend = trend
        self.covariance = covariance
        self.method = method
        self.nugget = nugget
        self.anisotropy = anisotropy
        self.neighbors = neighbors
        self.n_jobs = n_jobs
        self.progress = progress

    def fit(self, X, y, drift=None):  # noqa: N803
        """Fit the covariance function, unless it is given, and factor its matrix.

        Parameters
        ----------
        X : array_like of float or pandas.DataFrame, shape (n, d)
            Coordinates of the sites, all different.
        y : array_like of float, shape (n,)
            Values.
        drift : array_like of float or pandas.DataFrame, shape (n, q), optional
            More trend functions, by their values at the sites. In a table, columns of text,
            booleans or categories become one indicator for each level but the first.

        Returns
        -------
        Kriging
            Itself.

        Raises
        ------
        TypeError, ValueError
            If a parameter is not as described; if X, y or drift have gaps, X has the same site
            twice or looks like degrees; if there are too few sites, or the trend functions are
            linearly dependent at them; if y does not vary around the trend.
        MemoryError
            If the matrices of n by n do not fit into memory.
        """
        self._check_parameters()
        vars(self).pop("covariance_", None)  # a failed fit must not look like the one before
        sites, values = sites_and_values(X, y, 1)
        self.n_features_in_ = sites.shape[1]
        self._columns = list(X.columns) if isinstance(X, pd.DataFrame) else None
        self.trend_ = Trend(self.trend)
        functions = self.trend_.fit(sites, drift)
        if self.neighbors is not None:
            self._check_neighbors(*functions.shape)
        self._sites, self._values, self._functions = sites, values, functions
        self._tree, self._solution = cKDTree(sites), None
        self.covariance_ = self._fit_covariance()
        self.covariance_.scale_coordinates(sites[:1])  # says so if the anisotropy does not fit
        if self.neighbors is None:
            self._dense()
        return self

    @property
    def at_bound_(self):
        """Parameters on a bound of the search, or for which a bound is nearly as good."""
        check_is_fitted(self, "covariance_")
        return self.covariance_.at_bound

    @property
    def trend_coef_(self):
        """Coefficients of the trend."""
        return pd.Series(self._dense().coefficients, index=self.trend_.names)

    @property
    def trend_cov_(self):
        """Covariance matrix of the coefficients of the trend."""
        names = self.trend_.names
        matrix = self._dense().coefficient_covariance()
        return pd.DataFrame(matrix, index=names, columns=names)

    @property
    def log_likelihood_(self):
        """Log-likelihood, restricted unless the method is "ml"."""
        return self._dense().log_likelihood(self.method != "ml")

    def predict(self, X, drift=None, *, return_std=False, return_var=False, include_nugget=False):  # noqa: N803
        """Predict the surface, or what is found at a place including the nugget.

        Parameters
        ----------
        X : array_like of float or pandas.DataFrame, shape (m, d)
            Coordinates of the targets.
        drift : array_like of float or pandas.DataFrame, shape (m, q), optional
            The trend functions given to `fit`, at the targets.
        return_std, return_var : bool
            Whether to return also the standard deviation, or the variance, of the error.
        include_nugget : bool
            Whether the nugget is part of what is predicted; see the notes of the class.

        Returns
        -------
        mean : ndarray of float, shape (m,)
        std or var : ndarray of float, shape (m,)
            Only if asked for.

        Raises
        ------
        TypeError, ValueError
            If the arguments do not fit those of `fit`, or have gaps.
        sklearn.exceptions.NotFittedError
            Before `fit`.
        """
        check_is_fitted(self, "covariance_")
        if return_std and return_var:
            raise ValueError("give return_std or return_var, not both")
        targets = self._targets(X)
        functions = self.trend_.transform(targets, drift)
        spread = return_std or return_var
        if self.neighbors is None:
            mean, variance = self._dense().predict(targets, functions, spread)
        else:
            mean, variance = predict_local(
                self._sites,
                self._values,
                self._functions,
                targets,
                functions,
                self.covariance_,
                self.neighbors,
                n_jobs=self.n_jobs,
                progress=self.progress,
            )
        if include_nugget:
            at_site, mean = self._put_values(targets, mean)
            if spread:
                variance = np.where(at_site, 0.0, variance + self.covariance_.nugget)
        if not spread:
            return mean
        return mean, np.sqrt(variance) if return_std else variance

    def leave_one_out(self):
        """Predict every value from all the others, with the covariance function as it is.

        If the covariance was fitted, the value left out took part in that.

        All predictions come from one factorization and equal those of n kriging models, each
        without one site; each estimates its own trend. All other sites are used, also where
        `neighbors` are set.

        Returns
        -------
        pandas.DataFrame
            A row for each site, in the order of the data: `prediction`, `variance` (of the
            value left out, so with the nugget), `residual` (value - prediction) and
            `standardized` (residual / sqrt(variance)).

        Raises
        ------
        ValueError
            If the trend cannot be estimated without one of the sites.
        MemoryError
            If the matrices of n by n do not fit into memory.
        sklearn.exceptions.NotFittedError
            Before `fit`.

        References
        ----------
        O. Dubrule, "Cross validation of kriging in a unique neighborhood", Journal of the
        International Association for Mathematical Geology 15 (1983), 687-699.
        """
        residual, precision = self._dense().leave_one_out()
        return pd.DataFrame(
            {
                "prediction": self._values - residual,
                "variance": 1 / precision,
                "residual": residual,
                "standardized": residual * np.sqrt(precision),
            }
        )

    def leave_one_out_scores(self):
        """Summarize `leave_one_out`.

        Returns
        -------
        pandas.Series
            `ME`, mean of the residuals (value - prediction); `MAE`, mean absolute error; `RMSE`,
            root mean squared error; `MSDR`, mean squared standardized residual: 1 if the
            variances are right on average, and near 1 almost by construction after REML;
            `correlation` of values and predictions, nan for a constant field.
        """
        table = self.leave_one_out()
        with np.errstate(divide="ignore", invalid="ignore"):
            correlation = np.corrcoef(self._values, table["prediction"])[0, 1]
        return pd.Series(
            {
                "ME": table["residual"].mean(),
                "MAE": table["residual"].abs().mean(),
                "RMSE": math.sqrt((table["residual"] ** 2).mean()),
                "MSDR": (table["standardized"] ** 2).mean(),
                "correlation": correlation,
            }
        )

    def _check_parameters(self):
        one_of("method", self.method, _METHODS)
        if isinstance(self.covariance, Covariance):
            if self.nugget != "fit" or self.anisotropy is not None:
                raise ValueError(
                    "nugget and anisotropy are those of the covariance function that is given; "
                    "leave them at their defaults"
                )
            return
        check_kind(self.covariance)
        if self.method == "fixed":
            raise ValueError(
                'method="fixed" needs a Covariance with its parameters, '
                f"got covariance={self.covariance!r}"
            )
        if self.nugget != "fit":
            number("nugget", self.nugget, 0)
        if self.anisotropy == "fit":
            if self.method not in ("reml", "ml"):
                raise ValueError(
                    f'anisotropy="fit" needs method "reml" or "ml", got {self.method!r}'
                )
        elif self.anisotropy is not None:
            check_anisotropy(self.anisotropy)

    def _check_neighbors(self, n, p):
        if whole_number("neighbors", self.neighbors, p) > n:
            raise ValueError(
                f"neighbors must be at most the number of sites {n}, got {self.neighbors}"
            )

    def _fit_covariance(self):
        if isinstance(self.covariance, Covariance):
            return self.covariance
        n, p = self._functions.shape
        free = 2 + (self.nugget == "fit") + 2 * (self.anisotropy == "fit")
        if n <= p + free:
            raise ValueError(
                f"X must have more than {p + free} sites for a trend of {p} functions and {free} "
                f"parameters of the covariance to be fitted, got {n}; give a Covariance"
            )
        data = self._sites, self._values, self._functions
        options = {"nugget": self.nugget, "anisotropy": self.anisotropy}
        if self.method == "variogram":
            return self._fit_to_variogram(**options)
        if self.method == "vecchia":
            options["nugget"] = None if self.nugget == "fit" else self.nugget
            options |= {"n_jobs": self.n_jobs, "progress": self.progress}
            return fit_vecchia(*data, self.covariance, **options)
        return fit_likelihood(*data, self.covariance, method=self.method, **options)

    def _fit_to_variogram(self, nugget, anisotropy):
        coefficients = np.linalg.lstsq(self._functions, self._values)[0]
        residuals = self._values - self._functions @ coefficients
        sites = self._sites if anisotropy is None else stretch(self._sites, anisotropy)
        table = empirical_variogram(sites, residuals)
        return fit_variogram(table, self.covariance, nugget=nugget, anisotropy=anisotropy)

    def _dense(self):
        check_is_fitted(self, "covariance_")
        if self._solution is None:
            self._solution = DenseKriging(
                self._sites, self._values, self._functions, self.covariance_
            )
        return self._solution

    def _targets(self, points):
        named = self._columns is not None and isinstance(points, pd.DataFrame)
        if named and list(points.columns) != self._columns:
            raise ValueError(
                f"X must have columns {self._columns}, as for fit, got {list(points.columns)}"
            )
        targets = coordinates(points)
        if targets.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X must have {self.n_features_in_} coordinates, as for fit, got {targets.shape[1]}"
            )
        return targets

    def _put_values(self, targets, mean):
        """Return which targets are sites, and the predictions with the values found there."""
        distance, nearest = self._tree.query(targets)
        at_site = distance == 0
        return at_site, np.where(at_site, self._values[nearest], mean)
