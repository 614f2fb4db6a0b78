"""Columns of numbers as normal scores, and back: what `GAN` and `ForestFlow` work on."""

import numpy as np
from scipy.special import ndtri

_GRID = 1000  # quantiles kept of a column with many values
_EDGE = 1e-6  # uniform numbers stay this far from 0 and 1
_TRAINING_ROWS = 20_000  # rows that a model is fitted to, about
_COPIES = 20  # of one row among them, at most


class Law:
    """The distribution of a column: values at the middle of their rank, lines between them.

    A value that repeats keeps its whole share. Beyond the least and the greatest value a line
    goes on to half the next gap: the range of a part of the table is not the table's.

    Parameters
    ----------
    known : ndarray of float, shape (n,)
        The column without its missing values; n is 1 at least.
    """

    def __init__(self, known):
        values, counts = np.unique(known, return_counts=True)
        upper = np.cumsum(counts)
        levels = np.concatenate([upper - counts + 0.5, upper - 0.5]) / len(known)
        order = np.argsort(levels, kind="stable")
        levels, values = levels[order], np.tile(values, 2)[order]
        if len(levels) > 2 * _GRID:
            grid = np.linspace(0, 1, _GRID)
            grid = np.unique(np.concatenate([grid, levels[:10], levels[-10:]]))
            levels, values = grid, np.interp(grid, levels, values)
        gaps = np.diff(np.unique(values))
        ends = (gaps[0] / 2, gaps[-1] / 2) if len(gaps) else (0, 0)
        self.levels = np.concatenate([[0], levels, [1]])
        self.values = np.concatenate([[values[0] - ends[0]], values, [values[-1] + ends[1]]])

    def quantile(self, u):
        """Return the values at levels u in [0, 1]."""
        return np.interp(u, self.levels, self.values)


def normal_scores(codes, rng):
    """Draw the normal scores of columns, those of a value evenly from its ranks.

    Parameters
    ----------
    codes : ndarray of float, shape (n, d)
        NaN is missing: nothing is known of its score, which is drawn from all.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of float, shape (n, d)
    """
    u = rng.random(codes.shape)
    for j, column in enumerate(codes.T):
        known = ~np.isnan(column)
        _, place, counts = np.unique(column[known], return_inverse=True, return_counts=True)
        upper = np.cumsum(counts)[place]
        u[known, j] = (upper - u[known, j] * counts[place]) / max(known.sum(), 1)
    return normal(u)


def normal(u):
    """Return the standard normal quantiles of numbers in [0, 1]; the ends stay finite."""
    return ndtri(np.clip(u, _EDGE, 1 - _EDGE))


def copies(n):
    """Return how often to draw the scores of n rows, so that ranks are not learned as values."""
    return min(max(_TRAINING_ROWS // n, 1), _COPIES)
