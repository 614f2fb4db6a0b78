"""The trend of universal kriging: polynomials of the coordinates, and external drift."""

from itertools import combinations_with_replacement

import numpy as np
import pandas as pd

from runproof.kriging.sites import finite_matrix

DEGREES = {"constant": 0, "linear": 1, "quadratic": 2}


class Trend:
    """The trend functions at any sites, as fixed by those of the data.

    Polynomials are taken of coordinates that are moved to the middle of the sites and divided
    by half their largest extent, so that squares of large coordinates cost no digits.

    Parameters
    ----------
    trend : str or callable
        "constant", "linear", "quadratic", or a function of coordinates (n, d) that returns
        trend functions (n, q) beside the constant one.
    """

    def __init__(self, trend):
        if not callable(trend) and not (isinstance(trend, str) and trend in DEGREES):
            raise ValueError(
                f"trend must be {', '.join(DEGREES)} or a function of the coordinates, "
                f"got {trend!r}"
            )
        self.trend = trend

    def fit(self, sites, drift):
        """Fix units and names from the data, and return the trend functions at its sites.

        Parameters
        ----------
        sites : ndarray of float, shape (n, d)
        drift : None, array_like of float (n, q) or pandas.DataFrame
            Columns of a table that are text, booleans or categories become one indicator for
            each level but the first.

        Returns
        -------
        ndarray of float, shape (n, p)

        Raises
        ------
        TypeError, ValueError
            If the drift has gaps or another length, or the p functions are not linearly
            independent at the sites.
        """
        low, high = sites.min(axis=0), sites.max(axis=0)
        self.center = (low + high) / 2
        self.unit = float((high - low).max()) / 2 or 1.0
        self.width = None if drift is None else np.shape(drift)[1:]
        self.columns = list(drift.columns) if isinstance(drift, pd.DataFrame) else None
        self.levels = {
            column: list(pd.Categorical(drift[column]).remove_unused_categories().categories)
            for column in self.columns or ()
            if _is_factor(drift[column])
        }
        self.names = self._names(sites.shape[1], drift)
        functions = self.transform(sites, drift)
        self.names += [f"f{k}" for k in range(1, functions.shape[1] - len(self.names) + 1)]
        rank = np.linalg.matrix_rank(functions / np.abs(functions).max(axis=0).clip(1e-300))
        if rank < functions.shape[1]:
            raise ValueError(
                f"trend must have linearly independent functions at the sites: of "
                f"{functions.shape[1]} ({', '.join(self.names)}) only {rank} are, at {len(sites)} "
                "sites; take fewer, or sites that are not on a line"
            )
        return functions

    def transform(self, points, drift):
        """Return the trend functions at points, shape (n, p)."""
        parts = [np.ones((len(points), 1))]
        if callable(self.trend):
            parts.append(finite_matrix("trend", self.trend(points), len(points)))
        else:
            u = (points - self.center) / self.unit
            powers = _powers(u.shape[1], DEGREES[self.trend])
            parts += [u[:, power].prod(axis=1)[:, None] for power in powers]
        return np.hstack([*parts, *self._drift(drift, len(points))])

    def _names(self, d, drift):
        if callable(self.trend):
            return ["1"]  # the others are known when the function was called
        powers = _powers(d, DEGREES[self.trend])
        names = ["1"] + ["*".join(f"u{k + 1}" for k in power) for power in powers]
        for column in self.columns or ():
            levels = self.levels.get(column)
            names += [str(column)] if levels is None else [f"{column}={v}" for v in levels[1:]]
        if drift is not None and self.columns is None:
            names += [f"drift{k + 1}" for k in range(self.width[0] if self.width else 1)]
        return names

    def _drift(self, drift, rows):
        if (drift is None) != (self.width is None):
            raise ValueError(
                "drift must be given to fit and to predict, or to neither; it was "
                f"{'not ' if self.width is None else ''}given to fit"
            )
        if drift is None:
            return []
        if self.columns is None:
            drift = finite_matrix("drift", drift, rows)
            if drift.shape[1:] != (self.width or (1,)):
                raise ValueError(
                    f"drift must have {(self.width or (1,))[0]} columns, got {drift.shape[1]}"
                )
            return [drift]
        columns = list(getattr(drift, "columns", ()))
        if columns != self.columns:
            raise ValueError(
                f"drift must be a table with columns {self.columns}, as for fit, "
                f"got {columns or type(drift).__name__}"
            )
        return [self._column(drift[column], rows) for column in self.columns]

    def _column(self, column, rows):
        name = f"drift[{column.name!r}]"
        if column.name not in self.levels:
            return finite_matrix(name, column, rows)
        levels = self.levels[column.name]
        codes = pd.Index(levels).get_indexer(column.to_numpy())
        if (codes < 0).any():
            stranger = column[codes < 0].iloc[0]
            raise ValueError(f"{name} must be one of {levels}, as for fit, got {stranger!r}")
        return finite_matrix(name, np.eye(len(levels))[codes][:, 1:], rows)


def _powers(d, degree):
    return [
        list(power)
        for order in range(1, degree + 1)
        for power in combinations_with_replacement(range(d), order)
    ]


def _is_factor(column):
    return not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)
