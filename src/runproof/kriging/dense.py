"""Kriging from all sites at once: one factorization for trend, predictions and leave-one-out."""

import math

import numpy as np
from scipy.linalg import lapack, solve_triangular

from runproof.validation import require_memory

__all__ = ["DenseKriging"]

_CHUNK_BYTES = 1 << 27  # of the covariances between sites and targets, at a time


class DenseKriging:
    """The covariance matrix V = L L' of all sites, factored, and what follows from it.

    Parameters
    ----------
    sites : ndarray of float, shape (n, d)
    values : ndarray of float, shape (n,)
    functions : ndarray of float, shape (n, p)
        The trend functions F at the sites, of rank p.
    covariance : Covariance

    Attributes
    ----------
    coefficients : ndarray of float, shape (p,)
        b, of generalized least squares: F' V^-1 (y - F b) = 0.

    Raises
    ------
    ValueError
        If V is singular in floating-point numbers.
    MemoryError
        If two matrices of n by n do not fit into memory.
    """

    def __init__(self, sites, values, functions, covariance):
        n, p = functions.shape
        require_memory(
            f"a covariance matrix of {n} sites",
            16 * n * n,
            'set neighbors=30, and method="vecchia" if the covariance is to be fitted',
        )
        self.sites, self.functions, self.covariance = sites, functions, covariance
        matrix = covariance.between(sites, sites)
        matrix.flat[:: n + 1] += covariance.nugget
        self.factor, fault = lapack.dpotrf(matrix.T, lower=1, overwrite_a=1)
        if fault:
            raise ValueError(
                f"the covariance matrix of {n} sites is singular in floating-point numbers, with "
                f"{covariance}: give it a nugget above 0, or a kind that is less smooth"
            )
        white = self._whiten(np.column_stack([functions, values]))
        self.white = white[:, :p]
        self.basis, self.triangle = np.linalg.qr(self.white)
        self.coefficients = solve_triangular(self.triangle, self.basis.T @ white[:, p])
        self.rest = white[:, p] - self.white @ self.coefficients
        self.weights = self._whiten(self.rest, trans=1)  # V^-1 (y - F b)

    def predict(self, targets, functions, with_variance):
        """Predict the surface at targets, without nugget.

        Parameters
        ----------
        targets : ndarray of float, shape (m, d)
        functions : ndarray of float, shape (m, p)
        with_variance : bool

        Returns
        -------
        mean : ndarray of float, shape (m,)
        variance : ndarray of float, shape (m,), or None
        """
        mean = np.empty(len(targets))
        variance = np.empty(len(targets)) if with_variance else None
        rows = max(1, _CHUNK_BYTES // (8 * len(self.sites)))
        for start in range(0, len(targets), rows):
            chunk = slice(start, start + rows)
            between = self.covariance.between(targets[chunk], self.sites)
            mean[chunk] = functions[chunk] @ self.coefficients + between @ self.weights
            if with_variance:
                variance[chunk] = self._variance(between.T, functions[chunk].T)
        return mean, variance

    def leave_one_out(self):
        """Return the residual of every value left out, and one over its variance (Dubrule 1983).

        Returns
        -------
        residual, precision : ndarray of float, shape (n,)

        Raises
        ------
        ValueError
            If the trend cannot be estimated without one of the sites.
        MemoryError
            If two more matrices of n by n do not fit into memory.
        """
        n = len(self.weights)
        require_memory(f"leave-one-out of {n} sites", 16 * n * n, "take fewer sites")
        inverse = lapack.dtrtri(self.factor, lower=1)[0]
        whole = np.einsum("ij,ij->j", inverse, inverse)  # diagonal of V^-1
        # Q = V^-1 - V^-1 F (F' V^-1 F)^-1 F' V^-1; a residual is (Q y)_i / Q_ii.
        precision = whole - np.square(inverse.T @ self.basis).sum(axis=1)
        if (alone := precision <= 1e-9 * whole).any():
            raise ValueError(
                f"the trend cannot be estimated without the site in row {np.argmax(alone)}: "
                "the others do not show all of its functions"
            )
        return self.weights / precision, precision

    def coefficient_covariance(self):
        """Return the covariance matrix of the coefficients, shape (p, p)."""
        inverse = solve_triangular(self.triangle, np.eye(len(self.triangle)))
        return inverse @ inverse.T

    def log_likelihood(self, restricted):
        """Return the log-likelihood of the values; see `Kriging.log_likelihood_`."""
        degrees = len(self.weights)
        value = self.rest @ self.rest + 2 * np.log(self.factor.diagonal()).sum()
        if restricted:
            # The functions may be of any size: what counts is the space that they span.
            plain = np.linalg.qr(self.functions, mode="r").diagonal()
            value += 2 * np.log(np.abs(self.triangle.diagonal() / plain)).sum()
            degrees -= len(plain)
        return -0.5 * float(value + degrees * math.log(2 * math.pi))

    def _variance(self, between, functions):
        """Return variances for columns of covariances and of trend functions."""
        white = self._whiten(between)
        missed = functions - self.white.T @ white
        trend = solve_triangular(self.triangle, missed, trans=1)
        known = np.einsum("ij,ij->j", white, white)
        signal = np.maximum(self.covariance.sill - known, 0)
        return signal + np.einsum("ij,ij->j", trend, trend)

    def _whiten(self, right, trans=0):
        """Solve with L, or with its transpose."""
        return solve_triangular(self.factor, right, lower=True, trans=trans, check_finite=False)
