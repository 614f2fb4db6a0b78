"""How much of a score is chance: the same metric, real rows against real rows."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from runproof.validation import number, whole_number


class Band(NamedTuple):
    """What `noise_band` returns: two quantiles, the median, and all values."""

    low: float
    median: float
    high: float
    values: np.ndarray


def noise_band(metric, df, splits=20, parts=2, level=0.9, random_state=None):
    """Measure what a metric says of two tables of the same law.

    The rows are shuffled and cut into equal parts, which the metric compares, over and over.
    A synthetic table of the same size whose score lies within the band cannot be told from
    fresh real rows by this metric. The splits overlap, so the band is that of splits of this
    table, and a little too narrow for tables to come.

    Parameters
    ----------
    metric : callable
        ``metric(*parts) -> float``, or a tuple that begins with a float.
    df : pandas.DataFrame
        The real table.
    splits : int
        The number of shuffles.
    parts : int
        2 for halves. Metrics of training, holdout and synthetic rows need 3: thirds.
    level : float
        The share of values within the band.
    random_state : None, int, SeedSequence or Generator
        For the shuffles.

    Returns
    -------
    Band
        `low`, `median`, `high` and `values`, of shape (splits,).

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or a part would have fewer than two rows.

    Examples
    --------
    >>> df = pd.DataFrame({"x": np.arange(100.0)})
    >>> band = noise_band(lambda a, b: abs(a["x"].mean() - b["x"].mean()), df, random_state=1)
    >>> bool(0 <= band.low < band.high < 20)
    True
    """
    if not callable(metric):
        raise TypeError(f"metric must be callable, got {type(metric).__name__}")
    if not isinstance(df, pd.DataFrame):
        raise TypeError(f"df must be a pandas DataFrame, got {type(df).__name__}")
    splits = whole_number("splits", splits, 1)
    parts = whole_number("parts", parts, 2)
    level = number("level", level, 0, 1, "()")
    if len(df) < 2 * parts:
        raise ValueError(f"df must have at least {2 * parts} rows for {parts} parts, got {len(df)}")
    rng = np.random.default_rng(random_state)
    values = np.array([measured(metric(*cut(df, parts, rng))) for _ in range(splits)])
    tail = (1 - level) / 2
    low, median, high = np.quantile(values, [tail, 0.5, 1 - tail])
    return Band(float(low), float(median), float(high), values)


def cut(df, parts, rng):
    """Shuffle a table and cut it into parts of the same size, up to one row."""
    order = rng.permutation(len(df))
    return [df.iloc[rows].reset_index(drop=True) for rows in np.array_split(order, parts)]


def measured(value):
    """Return a float, or the first field of a tuple."""
    return float(value[0] if isinstance(value, tuple) else value)
