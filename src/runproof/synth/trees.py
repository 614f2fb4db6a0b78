"""Tables drawn column by column, each from a tree grown on the columns before it.

The joint law is the product of p(x_1) p(x_2 | x_1) p(x_3 | x_1, x_2) ... . A classification
or regression tree stands for each factor: a new row falls into a leaf, and its next value is
drawn from what the leaf knows of that column.

References
----------
J. P. Reiter, "Using CART to generate partially synthetic public use microdata", Journal of
Official Statistics 21 (2005) 441-462; B. Nowok, G. M. Raab, C. Dibben, "synthpop: Bespoke
Creation of Synthetic Data in R", Journal of Statistical Software 74 (11) (2016).
"""

import numpy as np
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from runproof.synth.table import Generator
from runproof.validation import require_memory, whole_number

__all__ = ["Sequential"]

_LEVELS = 20  # quantiles kept of a leaf, at most
_REPEATS = {"integer": 2, "numeric": 10}  # occurrences of a value, on average, of a discrete law
_BELOW_ONE = 1 - 1e-9  # so that the number of a leaf and a share add up to less than the next


class Sequential(Generator):
    """Draw the columns one after the other, each from a tree on those before it.

    Parameters
    ----------
    order : list, optional
        The columns, first to last; default is the order of the table. Columns that are left
        out follow in the order of the table. The order matters: a tree sees only what comes
        before it.
    min_samples_leaf : int, default 5
        The smallest number of training rows that a leaf may rest on, at least 2.

    Notes
    -----
    No leaf hands out a training value as such. Of a number a leaf keeps quantiles, at most 20,
    and draws from the straight lines between them, so that a value occurs twice only if it
    did among the leaf's rows. Categories, and numbers that repeat - on average, each integer
    twice or more, any other number ten times - are drawn by their shares in the leaf: their
    values are those of the training table by nature, and only the combinations are new.
    Missing values are drawn by their share in a leaf of a tree of their own.

    That no value is copied is no privacy: after a few columns a leaf of five rows is those
    five people, and attacks find them. Larger leaves leak less and fit worse; measure it.

    Samples are spread evenly: the uniform numbers behind a column are one in each n-th part.
    Each row has the right law, but the rows of one sample are not quite independent.

    `conditions` may name the columns that come first in `order`.

    Examples
    --------
    >>> import pandas as pd
    >>> df = pd.DataFrame({"a": [1, 1, 1, 2, 2, 2] * 5, "b": ["x", "x", "x", "y", "y", "y"] * 5})
    >>> sample = Sequential().fit(df).sample(100, random_state=1)
    >>> pd.crosstab(sample["a"], sample["b"]).to_numpy().diagonal().sum()
    np.int64(100)
    """

    supports_conditions = True

    def __init__(self, order=None, min_samples_leaf=5):
        self.order = order
        self.min_samples_leaf = min_samples_leaf

    def _fit(self, codes):
        smallest = whole_number("min_samples_leaf", self.min_samples_leaf, 2)
        order = _positions(self.order, self.schema_)
        self.chain_ = Chain(codes, self.schema_, order, smallest)

    def _sample(self, n, rng, given):
        codes = np.full((n, len(self.schema_)), np.nan)
        if given is None:
            return self.chain_.draw(codes, rng)
        self._require_first(given.columns)
        codes[:, given.columns] = given.codes
        return self.chain_.draw(codes, rng, len(given.columns))

    def _require_first(self, columns):
        if set(columns) != set(self.chain_.order[: len(columns)]):
            names = [self.schema_.names[j] for j in columns]
            raise ValueError(
                f"Sequential takes conditions on the columns that come first; fit it with "
                f"order={names}"
            )


class Chain:
    """A tree for each column, given those before it in an order.

    Parameters
    ----------
    codes : ndarray of float, shape (n, d)
        The table.
    schema : Schema
        Of its columns.
    order : list of int
        Positions of the columns.
    smallest : int
        The number of rows that a leaf rests on, at least.
    """

    def __init__(self, codes, schema, order, smallest):
        self.schema, self.order, self.factors = schema, order, []
        width = sum(map(_width, schema.columns))
        require_memory(f"trees on {width} features", 16 * len(codes) * width)
        for step, j in enumerate(order):
            seen = features(codes, order[:step], schema)
            kind = _Labels if schema.columns[j].is_discrete else _Numbers
            self.factors.append(kind(seen, codes[:, j], schema.columns[j].kind, smallest))

    def draw(self, codes, rng, known=0):
        """Fill in the columns of a table, in place; the first `known` ones are there."""
        for step in range(known, len(self.order)):
            seen = features(codes, self.order[:step], self.schema)
            codes[:, self.order[step]] = self.factors[step].draw(seen, rng)
        return codes


class _Labels:
    """One factor for a categorical or boolean column; a missing value is a label too."""

    def __init__(self, features, values, kind, smallest):
        labels = np.where(np.isnan(values), -1, values)
        self.tree = _grow(DecisionTreeClassifier, features, labels, smallest)
        self.shares = _Shares(_leaves(self.tree, features), labels)

    def draw(self, features, rng):
        labels = self.shares.quantile(_leaves(self.tree, features), even(len(features), rng))
        return np.where(labels < 0, np.nan, labels)


class _Numbers:
    """One factor for a column of numbers, with a tree of its own for those missing."""

    def __init__(self, features, values, kind, smallest):
        missing = np.isnan(values)
        self.missing = None
        if missing.any():
            self.missing = _Labels(features, missing.astype(float), "boolean", smallest)
        known = values[~missing]
        repeats = len(np.unique(known)) * _REPEATS[kind] <= len(known)
        scaled = _unit_range(known, known.min(), known.max())
        self.tree = _grow(DecisionTreeRegressor, features[~missing], scaled, smallest)
        leaves = _leaves(self.tree, features[~missing])
        self.law = (_Shares if repeats else _Lines)(leaves, known)

    def draw(self, features, rng):
        values = self.law.quantile(_leaves(self.tree, features), even(len(features), rng))
        if self.missing is not None:
            values[self.missing.draw(features, rng) == 1] = np.nan
        return values


class _Shares:
    """The distinct values of each leaf with the shares of rows up to them, end to end.

    Leaf k owns the interval [k, k + 1), so that one search serves all leaves.
    """

    def __init__(self, leaves, values):
        self.names, leaf = np.unique(leaves, return_inverse=True)
        pairs, counts = np.unique(np.column_stack([leaf, values]), axis=0, return_counts=True)
        leaf, self.values = pairs[:, 0].astype(int), pairs[:, 1]
        sizes = np.bincount(leaf, counts)
        before = np.append(0, np.cumsum(sizes))[leaf]
        self.upper = leaf + np.minimum((np.cumsum(counts) - before) / sizes[leaf], 1)

    def quantile(self, leaves, u):
        place = np.searchsorted(self.names, leaves) + np.minimum(u, _BELOW_ONE)
        return self.values[np.searchsorted(self.upper, place, side="right")]


class _Lines:
    """The quantiles of each leaf, with straight lines between them."""

    def __init__(self, leaves, values):
        self.names, leaf, sizes = np.unique(leaves, return_inverse=True, return_counts=True)
        ordered = values[np.lexsort([values, leaf])]
        levels = np.linspace(0, 1, max(2, min(_LEVELS, sizes.max())))
        self.quantiles = np.array(
            [np.quantile(part, levels) for part in np.split(ordered, np.cumsum(sizes)[:-1])]
        )

    def quantile(self, leaves, u):
        leaf = np.searchsorted(self.names, leaves)
        place = u * (self.quantiles.shape[1] - 1)
        low = np.minimum(place.astype(int), self.quantiles.shape[1] - 2)
        left, right = self.quantiles[leaf, low], self.quantiles[leaf, low + 1]
        return left + (place - low) * (right - left)


def _grow(kind, features, values, smallest):
    """Return a tree, or None where nothing is there to split by."""
    if features.shape[1] == 0 or len(values) < 2 * smallest or values.min() == values.max():
        return None
    return kind(min_samples_leaf=smallest, random_state=0).fit(features, values)


def _leaves(tree, features):
    return np.zeros(len(features), int) if tree is None else tree.apply(features)


def even(n, rng):
    """Return n numbers in [0, 1) in random order, one in each n-th part."""
    return (rng.permutation(n) + rng.random(n)) / n


def _width(column):
    """Return how many features a column makes: more than two unordered categories, one each."""
    nominal = len(column.categories) > 2 and not getattr(column.dtype, "ordered", False)
    return len(column.categories) if nominal else 1


def features(codes, columns, schema):
    """Return what trees see of some columns; an unordered category has a feature of its own."""
    blocks = [np.empty((len(codes), 0), np.float32)]
    for j in columns:
        column, values = schema.columns[j], codes[:, [j]]
        if (width := _width(column)) > 1:
            block = values == np.arange(width)
        else:
            block = _unit_range(values, column.minimum, column.maximum)
        blocks.append(block.astype(np.float32))
    return np.hstack(blocks)


def _unit_range(values, low, high):
    """Return values from 0 to 1: trees see float32. Halves, since a range may overflow."""
    half = high / 2 - low / 2
    return (values / 2 - low / 2) / half if half > 0 else np.where(np.isnan(values), np.nan, 0.0)


def _positions(order, schema):
    """Return positions of columns, those of `order` first."""
    if order is None:
        return list(range(len(schema)))
    if isinstance(order, str) or not np.iterable(order):
        raise TypeError(f"order must be a list of columns, got {order!r}")
    first = [schema.position(label) for label in order]
    if len(set(first)) < len(first):
        raise ValueError(f"order must name a column once, got {list(order)!r}")
    return first + [j for j in range(len(schema)) if j not in set(first)]
