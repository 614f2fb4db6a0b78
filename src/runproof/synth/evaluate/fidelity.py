"""How like a synthetic table is to a real one: laws, margins, dependence, classifiers."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from runproof.synth.space import at_most, encode
from runproof.validation import one_of, random_generator, whole_number

_CACHE = 1 << 20  # comparisons at a time: they should stay in the processor's cache


class Estimate(NamedTuple):
    """A value and its standard error."""

    value: float
    se: float


class EcdfKS(NamedTuple):
    """What `ecdf_ks` returns.

    Attributes
    ----------
    value : float
        The largest difference at one set of nodes, a mean over the sets drawn.
    se : float
        Standard error of that mean, from the draw of the nodes alone; 0 for given nodes.
    largest : float
        The largest difference at any node of any set: a lower bound of the distance.
    """

    value: float
    se: float
    largest: float


class Discrepancy(NamedTuple):
    """Differences of a matrix of dependences, without its diagonal."""

    mean: float
    largest: float


# Joint law


def ecdf_ks(real, synthetic, nodes=1000, repeats=10, random_state=None):
    """Return the multivariate Kolmogorov-Smirnov distance of two tables at random nodes.

    F(z) is the share of rows that are at most z in every column; the distance is the largest
    difference of the two F. It is taken at random nodes only, which gives a lower bound that
    grows with their number, so a value means something only beside the number of nodes.
    Nodes are quantiles of `real` (see `ecdf_nodes`), counts are exact. Categories count in
    the order of their dtype, or sorted; a missing value is below all others.

    What it cannot show: the value depends on the order of categories and on the sign of
    columns, and in many columns F is near 0 at most nodes, so it sees less and less. A copy
    of the real table has distance 0.

    Parameters
    ----------
    real, synthetic : pandas.DataFrame
        Same columns and dtypes.
    nodes : int or ndarray, shape (m, d)
        How many to draw, or which: numbers as in the table, categories as positions.
    repeats : int
        How many sets of nodes to draw, for the error of the draw.
    random_state : None, int, SeedSequence, BitGenerator or Generator
        For the draw.

    Returns
    -------
    EcdfKS
        `value`, `se` and `largest`.

    Raises
    ------
    TypeError, ValueError
        If the tables do not match, or are no tables, or nodes have another shape.

    References
    ----------
    J. Kiefer, J. Wolfowitz, "On the deviations of the empiric distribution function of
    vector chance variables", Trans. Amer. Math. Soc. 87, 1958; for two samples, P. J. Bickel,
    "A distribution free version of the Smirnov two sample test in the p-variate case", Ann.
    Math. Statist. 40, 1969; over all quadrants, so that signs do not matter, J. A. Peacock,
    "Two-dimensional goodness-of-fit testing in astronomy", MNRAS 202, 1983;
    random nodes: V. Granville, program NoGAN.py of 2023, and the book of 2023 whose Section
    2.1 explains it (read in its version of May 2024, steps 1 and 2).
    """
    repeats = whole_number("repeats", repeats, 1)
    schema, (a, b) = encode(real=real, synthetic=synthetic)
    a, b = (np.where(np.isnan(codes), -np.inf, codes) for codes in (a, b))
    if np.ndim(nodes):
        nodes = np.asarray(nodes, float)
        if nodes.ndim != 2 or nodes.shape[1] != len(schema):
            raise ValueError(f"nodes must have shape (m, {len(schema)}), got {nodes.shape}")
        value = float(np.abs(ecdf(a, nodes) - ecdf(b, nodes)).max())
        return EcdfKS(value, 0.0, value)
    nodes = whole_number("nodes", nodes, 1)
    rng = random_generator(random_state)
    every = np.concatenate([_nodes(a, nodes, rng) for _ in range(repeats)])
    largest = np.abs(ecdf(a, every) - ecdf(b, every)).reshape(repeats, nodes).max(axis=1)
    se = largest.std(ddof=1) / np.sqrt(repeats) if repeats > 1 else np.nan
    return EcdfKS(float(largest.mean()), float(se), float(largest.max()))


def ecdf_nodes(real, count, random_state=None):
    """Draw nodes at which distribution functions are compared.

    Each coordinate is a quantile of its column. Half of the nodes have independent uniform
    levels u; the other half have u^(1/d), which reach the upper part of F in d columns.

    Parameters
    ----------
    real : pandas.DataFrame, shape (n, d)
        The table.
    count : int
        The number of nodes.
    random_state : None, int, SeedSequence, BitGenerator or Generator
        For the draw.

    Returns
    -------
    ndarray, shape (count, d)

    Raises
    ------
    TypeError, ValueError
        If `real` is no table, or count is below 1.
    """
    count = whole_number("count", count, 1)
    _, (codes, _) = encode(real=real, again=real)
    return _nodes(np.where(np.isnan(codes), -np.inf, codes), count, random_generator(random_state))


def _nodes(codes, count, rng):
    levels = rng.random((count, codes.shape[1]))
    upper = levels[count // 2 :]
    upper **= 1 / codes.shape[1]
    return np.column_stack(
        [_quantile(np.sort(column), u) for column, u in zip(codes.T, levels.T, strict=True)]
    )


def _quantile(ordered, levels):
    """Interpolate as np.quantile does, without a NaN where values are -inf."""
    place = levels * (len(ordered) - 1)
    below = np.floor(place).astype(int)
    low, high = ordered[below], ordered[np.minimum(below + 1, len(ordered) - 1)]
    with np.errstate(invalid="ignore"):
        between = low + (high - low) * (place - below)
    return np.where(np.isfinite(low), between, low)


def ecdf(rows, nodes):
    """Return the share of rows that are at most each node in every column.

    Parameters
    ----------
    rows : ndarray, shape (n, d)
    nodes : ndarray, shape (m, d)

    Returns
    -------
    ndarray, shape (m,)
        Exact counts over n.
    """
    counts = np.empty(len(nodes), np.int64)
    step = min(max(1, _CACHE // len(rows)), np.iinfo(np.uint16).max)
    for start in range(0, len(nodes), step):
        block = nodes[start : start + step]
        below = np.ones((len(block), len(rows)), bool)
        for column, values in zip(rows.T, block.T, strict=True):
            # Compare places among the nodes, in 2 bytes, and not the numbers, in 8.
            order = np.sort(values)
            places = np.searchsorted(order, column).astype(np.uint16)
            ranks = (np.searchsorted(order, values, side="right") - 1).astype(np.uint16)
            below &= places <= ranks[:, None]
        counts[start : start + step] = np.count_nonzero(below, axis=1)
    return counts / len(rows)


# Margins


def column_ks(real, synthetic):
    """Return the two-sample Kolmogorov-Smirnov distance of each numeric column.

    What it cannot show: anything about dependence. Shuffled columns score 0.

    Parameters
    ----------
    real, synthetic : pandas.DataFrame
        Same columns and dtypes. A missing value counts as one below all others.

    Returns
    -------
    pandas.Series
        Indexed by the numeric and integer columns; empty if there are none.

    Raises
    ------
    TypeError, ValueError
        If the tables do not match, or are no tables.
    """
    schema, tables = encode(real=real, synthetic=synthetic)
    found = {}
    for j, column in enumerate(schema.columns):
        if not column.is_discrete:
            a, b = (np.sort(np.nan_to_num(codes[:, j], nan=-np.inf)) for codes in tables)
            places = np.concatenate([a, b])
            shares = [np.searchsorted(v, places, side="right") / len(v) for v in (a, b)]
            found[column.name] = float(np.abs(shares[0] - shares[1]).max())
    return pd.Series(found, dtype=float)


def total_variation(real, synthetic):
    """Return the total variation distance of each categorical or boolean column.

    Half the sum of the differences of the shares. A missing value is one more category.

    Parameters
    ----------
    real, synthetic : pandas.DataFrame
        Same columns and dtypes.

    Returns
    -------
    pandas.Series
        Indexed by the categorical and boolean columns; empty if there are none.

    Raises
    ------
    TypeError, ValueError
        If the tables do not match, or are no tables.
    """
    schema, tables = encode(real=real, synthetic=synthetic)
    found = {}
    for j, column in enumerate(schema.columns):
        if column.is_discrete:
            size = len(column.categories)
            shares = [
                np.bincount(_labels(codes[:, j], size), minlength=size + 1) / len(codes)
                for codes in tables
            ]
            found[column.name] = float(np.abs(shares[0] - shares[1]).sum() / 2)
    return pd.Series(found, dtype=float)


def _labels(codes, missing):
    return np.where(np.isnan(codes), missing, codes).astype(int)


# Dependence


def correlation_distance(real, synthetic, method="pearson"):
    """Return how far the correlations of the numeric columns are apart.

    The diagonal, which is always right, does not count: with it, the mean over d columns is
    smaller by the factor (d - 1) / d.

    Parameters
    ----------
    real, synthetic : pandas.DataFrame
        Same columns and dtypes, with two or more numeric, integer or boolean columns.
    method : {"pearson", "spearman"}
        Correlation of the values or of their ranks, over the rows where both are there. Of a
        constant column it is 0.

    Returns
    -------
    Discrepancy
        `mean` and `largest` of the absolute differences over the pairs of columns.

    Raises
    ------
    TypeError, ValueError
        If the tables do not match, or are no tables, or there is no pair of numeric columns.
    """
    one_of("method", method, ("pearson", "spearman"))
    schema, tables = encode(real=real, synthetic=synthetic)
    picked = [j for j, kind in enumerate(schema.kinds) if kind != "categorical"]
    if len(picked) < 2:
        raise ValueError(f"two numeric columns are needed, got {len(picked)}: {schema!r}")
    return _discrepancy(*(correlations(codes[:, picked], method) for codes in tables))


def correlations(codes, method="pearson"):
    """Return the correlation matrix, over the rows where both values are there."""
    codes = rankdata(codes, axis=0, nan_policy="omit") if method == "spearman" else codes
    known = ~np.isnan(codes)
    scale = np.nanmax(np.abs(codes), axis=0, initial=0, where=known)
    values = np.where(known, codes / np.where(scale, scale, 1), 0)
    values = np.where(known, values - values.sum(axis=0) / np.maximum(known.sum(axis=0), 1), 0)
    weight = known.astype(float)
    count = np.maximum(weight.T @ weight, 1)
    total = values.T @ weight  # [j, k]: column j, over the rows where k is there too
    square = (values**2).T @ weight - total**2 / count
    product = values.T @ values - total * total.T / count
    norm = np.sqrt(np.maximum(square * square.T, 0))
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(norm > 1e-12 * count, product / norm, 0)
    return np.clip(found, -1, 1)


def association_distance(real, synthetic):
    """Return how far the associations of all pairs of columns are apart, types mixed.

    Two numbers: Pearson's correlation, with its sign. A number and a category: the
    correlation ratio, the root of the share of variance between the categories. Two
    categories (booleans count as such): Cramer's V. A missing category is a category; rows
    with a missing number are left out of its pairs.

    What it cannot show: dependence of three or more columns at once, and what a correlation
    cannot see in two.

    Parameters
    ----------
    real, synthetic : pandas.DataFrame
        Same columns and dtypes, two columns or more.

    Returns
    -------
    Discrepancy
        `mean` and `largest` of the absolute differences over the pairs of columns.

    Raises
    ------
    TypeError, ValueError
        If the tables do not match, or are no tables, or there is only one column.
    """
    schema, tables = encode(real=real, synthetic=synthetic)
    if len(schema) < 2:
        raise ValueError(f"two columns are needed, got {schema.names}")
    return _discrepancy(*(associations(codes, schema) for codes in tables))


def associations(codes, schema):
    """Return the matrix of associations of the columns; see `association_distance`."""
    numeric = np.flatnonzero(~schema.discrete)
    discrete = np.flatnonzero(schema.discrete)
    found = np.eye(len(schema))
    found[np.ix_(numeric, numeric)] = correlations(codes[:, numeric])
    sizes = {j: len(schema.columns[j].categories) for j in discrete}
    labels = {j: _labels(codes[:, j], sizes[j]) for j in discrete}
    for j in discrete:
        for k in numeric:
            found[j, k] = found[k, j] = _correlation_ratio(labels[j], codes[:, k])
        for k in discrete[discrete < j]:
            found[j, k] = found[k, j] = _cramers_v(labels[j], labels[k], sizes[k] + 1)
    return found


def _correlation_ratio(labels, values):
    known = ~np.isnan(values)
    labels, values = labels[known], values[known]
    if not len(values) or values.min() == values.max():
        return 0.0
    values = values - values.mean()
    count = np.bincount(labels)
    between = np.bincount(labels, values) ** 2 / np.maximum(count, 1)
    return float(np.sqrt(min(between.sum() / (values**2).sum(), 1)))


def _cramers_v(a, b, size):
    table = np.bincount(a * size + b, minlength=(a.max() + 1) * size).reshape(-1, size)
    table = table[table.any(axis=1)][:, table.any(axis=0)]
    if min(table.shape) < 2:
        return 0.0
    expected = table.sum(axis=1)[:, None] * table.sum(axis=0) / table.sum()
    chi2 = ((table - expected) ** 2 / expected).sum()
    return float(np.sqrt(chi2 / (table.sum() * (min(table.shape) - 1))))


def _discrepancy(a, b):
    differences = np.abs(a - b)[np.triu_indices(len(a), 1)]
    return Discrepancy(float(differences.mean()), float(differences.max()))


# Classifiers


def two_sample_auc(real, synthetic, folds=5, max_rows=10_000, random_state=None):
    """Return how well a classifier tells synthetic from real rows: the area under its ROC.

    0.5 if it cannot, 1 if it always can. Boosted trees are trained on four fifths of both
    tables and judged on the rest, in turn.

    What it cannot show: the classifier may be too weak for the rows it has, so 0.5 is no
    proof of equal laws. Less than 0.5 is a sign of copies: a row and its copy in another
    fold, with the other label, mislead it.

    Parameters
    ----------
    real, synthetic : pandas.DataFrame
        Same columns and dtypes, at least `folds` rows each.
    folds : int
        At least 2.
    max_rows : int or None
        Of larger tables so many rows are drawn.
    random_state : None, int, SeedSequence, BitGenerator or Generator
        For the folds and that draw.

    Returns
    -------
    Estimate
        `value` and `se`. The error is that of the area at this number of rows, by Hanley and
        McNeil's formula, a little small since the folds share training rows.

    Raises
    ------
    TypeError, ValueError
        If the tables do not match, or are no tables, or have fewer rows than folds.
    """
    folds = whole_number("folds", folds, 2)
    if max_rows is not None:
        max_rows = whole_number("max_rows", max_rows, folds)
    _, tables = encode(real=real, synthetic=synthetic)
    rng = random_generator(random_state)
    a, b = (at_most(codes, max_rows, rng) for codes in tables)
    if min(len(a), len(b)) < folds:
        raise ValueError(f"folds must be at most the number of rows, {min(len(a), len(b))}")
    rows, label = np.concatenate([a, b]), np.repeat([0, 1], [len(a), len(b)])
    seed = int(rng.integers(2**31))
    score = np.empty(len(rows))
    model = HistGradientBoostingClassifier(
        max_iter=60, min_samples_leaf=5, max_leaf_nodes=15, early_stopping=False, random_state=0
    )
    for train, test in StratifiedKFold(folds, shuffle=True, random_state=seed).split(rows, label):
        # Chances, not ranks, are pooled: folds differ little in their scale.
        score[test] = model.fit(rows[train], label[train]).predict_proba(rows[test])[:, 1]
    value = float(roc_auc_score(label, score))
    return Estimate(value, auc_error(value, len(a), len(b)))


def auc_error(auc, negatives, positives):
    """Return the standard error of an area under the ROC (Hanley and McNeil, 1982)."""
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    spread = (positives - 1) * (q1 - auc**2) + (negatives - 1) * (q2 - auc**2)
    return float(np.sqrt((auc * (1 - auc) + spread) / (negatives * positives)))
