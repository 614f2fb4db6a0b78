"""Kriging: prediction of a field from scattered sites, with honest variances.

::

    Kriging(trend, covariance)      scikit-learn estimator: ordinary and universal kriging,
                                    REML, leave-one-out from one factorization
    Covariance(kind, sill, range_, nugget)      a covariance function with its parameters
    empirical_variogram, fit_variogram          the classical way to one, as in gstat
    predict_local, fit_vecchia      for many sites: nearest neighbors, no large matrix
    smoothness(surface, spacing)    how rough a surface on a grid is
"""

from runproof.kriging.covariances import Covariance
from runproof.kriging.local import predict_local
from runproof.kriging.model import Kriging
from runproof.kriging.smoothness import Smoothness, smoothness
from runproof.kriging.variograms import empirical_variogram, fit_variogram
from runproof.kriging.vecchia import fit_vecchia, vecchia_log_likelihood

__all__ = [
    "Covariance",
    "Kriging",
    "Smoothness",
    "empirical_variogram",
    "fit_variogram",
    "fit_vecchia",
    "predict_local",
    "smoothness",
    "vecchia_log_likelihood",
]
