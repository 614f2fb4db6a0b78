"""Distributions of single columns: from codes to uniform numbers and back.

A column with a distribution function F has one latent number in (0, 1) for its value; a
column with missing values has a second one that says whether the value is missing. A
continuous column is kept as quantiles, a discrete one as its values and their shares. What
is kept is about columns one at a time: it does not tell which values stood in one row. But
the values are real ones, every category and up to 1000 numbers of a column, and the margins
of a few rows are those people.
"""

import numpy as np
import pandas as pd

__all__ = ["Margins"]

_GRID = 1000  # quantiles kept of a longer column
_TIED = 0.01  # share of the largest tie above which a column counts as discrete


class Margins:
    """The margins of a table.

    Numbers are kept as quantiles with straight lines between them: of up to 1000 values all,
    which is the sorted column, of more a grid of 1000 levels that is denser at the ends.
    Integers that repeat, each value twice or more on average, are kept like categories: as
    the values with their shares. The categories of an unordered column are put in an order
    first, see Notes.

    Parameters
    ----------
    codes : ndarray of float, shape (n, d)
        The table.
    schema : Schema
        Of the table, or of a larger one that it is a part of.

    Attributes
    ----------
    n_latent : int
        d plus the number of columns with missing values.
    columns : list
        Each column's distribution, with `quantile(u)`.
    flags : ndarray of int
        The columns with missing values, in the order of their second latent numbers.
    tied : ndarray of bool, shape (n_latent,)
        Which latent numbers belong to a discrete distribution, known only as intervals.

    Notes
    -----
    A copula needs an order of the categories. Of the many, we take the one along which the
    other columns vary most: each category is the mean of the other columns' scores over its
    rows, and the categories are sorted by the first principal axis of these means, weighted
    by their counts. This is one axis: what a category does to the other columns across it is
    lost, and `by=` keeps it.
    """

    def __init__(self, codes, schema):
        orders = _category_orders(codes, schema)
        self.columns, self._missing = [], []
        for j, column in enumerate(schema.columns):
            known = codes[~np.isnan(codes[:, j]), j]
            self._missing.append(1 - len(known) / len(codes))
            self.columns.append(_distribution(column, known, orders.get(j)))
        self.flags = np.flatnonzero(self._missing)  # columns with a second latent number
        self.n_latent = len(schema) + len(self.flags)
        self.tied = np.ones(self.n_latent, bool)
        for j in range(len(schema)):
            counts = np.unique(codes[~np.isnan(codes[:, j]), j], return_counts=True)[1]
            self.tied[j] = counts.max(initial=1) > max(1, _TIED * len(codes))

    def intervals(self, codes):
        """Return what each row of the training table says of its latent numbers.

        Parameters
        ----------
        codes : ndarray of float, shape (n, d)
            The training table.

        Returns
        -------
        lower, upper : ndarray of float, shape (n, n_latent)
            F(x-) and F(x) of the empirical distributions; NaN for a missing value.
        """
        return self._read(np.arange(codes.shape[1]), codes, _ranks)

    def locate(self, columns, codes):
        """Return what given values of some columns say of the latent numbers.

        Parameters
        ----------
        columns : ndarray of int, shape (k,)
            Positions of the columns.
        codes : ndarray of float, shape (n, k)
            Their values; NaN stands for missing.

        Returns
        -------
        latent : ndarray of int
            Positions of the latent numbers meant.
        lower, upper : ndarray of float, shape (n, len(latent))
            Their intervals, of length 0 inside a continuous column.
        """
        lower, upper = self._read(columns, codes, lambda values, given: values.locate(given))
        flags = [k for k, j in enumerate(self.flags, len(self.columns)) if j in columns]
        latent = np.array([*columns, *flags], int)
        lower, upper = lower[:, latent], upper[:, latent]
        return latent, np.where(np.isnan(lower), 0, lower), np.where(np.isnan(upper), 1, upper)

    def quantiles(self, u):
        """Return the table of given latent numbers.

        Parameters
        ----------
        u : ndarray of float, shape (n, n_latent)
            In [0, 1].

        Returns
        -------
        ndarray of float, shape (n, d)
        """
        d = len(self.columns)
        codes = np.column_stack([self.columns[j].quantile(u[:, j]) for j in range(d)])
        for known, j in self.known(u):
            codes[~known, j] = np.nan
        return codes

    def known(self, u):
        """Iterate over the columns with missing values: which rows have one, and the column.

        Parameters
        ----------
        u : ndarray of float, shape (n, n_latent)
            In [0, 1].

        Yields
        ------
        known : ndarray of bool, shape (n,)
        column : int
        """
        for k, j in enumerate(self.flags, len(self.columns)):
            yield u[:, k] >= self._missing[j], int(j)

    def _read(self, columns, codes, read):
        """Return the intervals that some columns give to the latent numbers, else NaN."""
        lower = np.full((len(codes), self.n_latent), np.nan)
        upper = lower.copy()
        for j, values in zip(columns, codes.T, strict=True):
            missing = np.isnan(values)
            lower[~missing, j], upper[~missing, j] = read(self.columns[j], values[~missing])
            if self._missing[j]:
                flag = len(self.columns) + np.searchsorted(self.flags, j)
                lower[:, flag] = np.where(missing, 0, self._missing[j])
                upper[:, flag] = np.where(missing, self._missing[j], 1)
        return lower, upper


class _Steps:
    """Values in an order, with the shares of rows up to each."""

    def __init__(self, values, counts):
        self.values = values
        self.upper = np.cumsum(counts) / counts.sum()

    def quantile(self, u):
        last = len(self.values) - 1
        return self.values[np.minimum(np.searchsorted(self.upper, u, side="right"), last)]

    def locate(self, codes):
        order = np.argsort(self.values)
        place = np.searchsorted(self.values[order], codes)
        place = order[np.minimum(place, len(order) - 1)]
        # A value that was never seen lies between its neighbors: at the step before.
        return np.append(0.0, self.upper)[place], self.upper[place]


class _Curve:
    """Quantiles with straight lines between them."""

    def __init__(self, known):
        n = len(known)
        self.levels = np.linspace(0, 1, min(n, _GRID)) if n > 1 else np.array([0.0])
        if n > _GRID:
            tail = np.geomspace(1 / n, 1 / _GRID, 20)[:-1]
            self.levels = np.unique(np.concatenate([self.levels, tail, 1 - tail]))
        self.values = np.quantile(known, self.levels) if n else np.array([0.0])
        self.inside = 0.5 / max(n, 1)

    def quantile(self, u):
        return np.interp(u, self.levels, self.values)

    def locate(self, codes):
        first = np.searchsorted(self.values, codes, side="left")
        last = np.searchsorted(self.values, codes, side="right") - 1
        tied = first <= last
        between = np.interp(codes, self.values, self.levels)
        lower = np.where(tied, self.levels[np.minimum(first, len(self.levels) - 1)], between)
        upper = np.where(tied, self.levels[last], between)
        inside = self.inside, 1 - self.inside  # the ends of the range are no infinite scores
        return np.clip(lower, *inside), np.clip(upper, *inside)


def _distribution(column, known, order):
    values, counts = np.unique(known, return_counts=True)
    repeats = column.kind == "integer" and 2 * len(values) <= len(known) and len(values) <= _GRID
    if not column.is_discrete and not repeats:
        return _Curve(known)
    if order is not None:
        place = np.argsort(np.argsort(order)[values.astype(int)])
        values, counts = values[place], counts[place]
    return _Steps(values, counts) if len(values) else _Curve(known)


def _ranks(values, codes):
    """Return the empirical F(x-) and F(x) of the training values themselves."""
    if isinstance(values, _Steps):
        return values.locate(codes)
    _, inverse, counts = np.unique(codes, return_inverse=True, return_counts=True)
    upper = np.cumsum(counts) / max(len(codes), 1)
    return (upper - counts / max(len(codes), 1))[inverse], upper[inverse]


def _category_orders(codes, schema):
    """Return an order of the categories of each unordered column with more than two."""
    nominal = [
        j
        for j, column in enumerate(schema.columns)
        if len(column.categories) > 2 and not getattr(column.dtype, "ordered", False)
    ]
    if not nominal:
        return {}
    amounts = pd.DataFrame(codes).rank().to_numpy()
    scores = {j: amounts[:, [j]] for j in range(len(schema))}
    for j in nominal:
        scores[j] = (codes[:, [j]] == np.arange(len(schema.columns[j].categories))).astype(float)
    scores = {j: _standardize(block) for j, block in scores.items()}
    return {j: _principal_order(codes[:, j], j, scores, schema) for j in nominal}


def _principal_order(codes, j, scores, schema):
    size = len(schema.columns[j].categories)
    others = [block for k, block in scores.items() if k != j]
    if not others:
        return np.arange(size)
    known = ~np.isnan(codes)
    others = np.column_stack(others)[known]
    member = codes[known].astype(int)
    counts = np.bincount(member, minlength=size)
    sums = np.zeros((size, others.shape[1]))
    np.add.at(sums, member, others)
    means = sums / np.maximum(counts, 1)[:, None]
    means -= counts @ means / max(counts.sum(), 1)
    axis = np.linalg.svd(np.sqrt(counts)[:, None] * means, full_matrices=False)[2][0]
    axis *= np.sign(axis[np.argmax(np.abs(axis))]) or 1
    return np.argsort(means @ axis, kind="stable")


def _standardize(block):
    """Return columns with mean 0 and variance 1; missing and constant values become 0."""
    missing = np.isnan(block)
    count = np.maximum((~missing).sum(axis=0), 1)
    block = np.where(missing, 0, block)
    block = np.where(missing, 0, block - block.sum(axis=0) / count)
    scale = np.sqrt((block**2).sum(axis=0) / count)
    return np.divide(block, scale, out=np.zeros_like(block), where=scale > 0)
