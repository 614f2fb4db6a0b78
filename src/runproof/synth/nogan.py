"""NoGAN: a histogram of hyper-rectangles whose sides are quantiles.

Every column is cut at quantiles; a row falls into one cell of the grid; cells are drawn with
their shares of rows, and numbers within a cell's sides. Cells are found by hashing: each row
becomes one whole number, and equal numbers are counted by sorting, so that the cost grows
with rows times columns, whatever the number of cells.

The method, with its quantile bins and multinomial counts, is from V. Granville, "Practical AI
& Machine Learning Projects and Datasets", MLTechniques.com (2023), and its program NoGAN.py.
The automatic numbers of bins and the draws by quantiles are ours.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from runproof.synth.margins import Margins
from runproof.synth.table import Generator
from runproof.validation import whole_number

__all__ = ["NoGAN"]

_ENOUGH = 20_000  # rows to choose numbers of bins from
_LADDER = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)  # numbers of bins to choose from


class NoGAN(Generator):
    """Draw cells of a grid of quantile bins, and numbers within their sides.

    Parameters
    ----------
    bins : "auto", int or mapping, default "auto"
        How many quantile bins each numeric or integer column gets, at most the number of
        rows. A mapping gives it by column; columns it leaves out get an automatic number.
        A column with large ties gets fewer bins than asked for, and a bin of its own for each
        tied value. Each category, each boolean and "missing" is a bin of its own.
    within : {"quantile", "uniform", "gaussian"}, default "quantile"
        How numbers are drawn between the two sides of a bin. "gaussian" takes the mean and
        standard deviation of the column's values in this bin, over all cells, cut off at the
        sides; "quantile" follows the column's quantiles, so that its distribution is right
        however few the bins. Integers are drawn among the integers of the bin.

    Attributes
    ----------
    bins_ : dict
        The number of bins of each numeric or integer column, ties left aside.
    n_cells_ : int
        How many cells hold training rows.

    Notes
    -----
    The automatic numbers, each at most 64, maximize the leave-one-out score

        sum_B  n_B log( ((n_B - 1) / v_B + 1) / n ),

    the logarithm of the histogram's density at a row, fitted to the other rows and one more
    that could be anywhere. Cell B has n_B of the n rows, and its volume v_B is the product
    over columns of the shares of rows between its sides: so density is measured against
    independent columns, and a row alone in its cell costs log(n), however small the cell. The
    search starts from the best number that all columns can share, or from two bins for the
    two columns with the strongest rank correlation, and then moves one column at a time.
    Of more than 20,000 rows it takes 20,000 at random, always the same ones.

    The model keeps the sides, the occupied cells and their shares. The more bins, the fewer
    rows share a cell: when nearly every cell holds one, samples are training rows with noise,
    and nothing in the method prevents it.

    Categories have no say in the number of their bins. Columns of categories alone can make
    cells of one row, and the automatic rule can then only take bins away from the numbers.
    Of two numbers with correlation 0.9 and 2,000 rows, beside three columns of six unrelated
    categories, it gives each number one bin, and their dependence is lost. Of a table of
    categories only, a cell *is* a row, so every sample is one of the training rows. Neither
    raises a warning: look at `bins_` and `n_cells_`, and give `bins` by hand or merge rare
    categories.
    """

    supports_conditions = True

    def __init__(self, bins="auto", within="quantile"):
        self.bins = bins
        self.within = within

    def _fit(self, codes):
        if self.within not in ("uniform", "gaussian", "quantile"):
            raise ValueError(
                f"within must be 'uniform', 'gaussian' or 'quantile', got {self.within!r}"
            )
        numbers = np.flatnonzero(~self.schema_.discrete)
        wanted = self._wanted(numbers)
        labels = np.where(np.isnan(codes), -1, codes).astype(np.int64)  # of the discrete columns
        if automatic := [j for j in numbers if wanted[j] is None]:
            for j in numbers:
                labels[:, j] = self._labels(codes, j, wanted[j] or 1)
            rows = slice(None)
            if len(codes) > _ENOUGH:
                rows = np.random.default_rng(0).choice(len(codes), _ENOUGH, replace=False)
            wanted |= _choose_bins(codes[rows], labels[rows], automatic, self._labels)
        self._sides = {j: self._cut(codes, j, wanted[j]) for j in numbers}
        for j, sides in self._sides.items():
            labels[:, j] = _place(codes[:, j], sides)
        self.bins_ = {self.schema_.names[j]: int(wanted[j]) for j in numbers}
        _, first, counts = np.unique(_keys(labels), return_index=True, return_counts=True)
        self._cells = labels[first].astype(np.int32)
        self._shares = counts / counts.sum()
        self.n_cells_ = len(counts)
        if self.within == "gaussian":
            self._moments = {
                j: _moments(codes[:, j], labels[:, j], sides, self._whole(j))
                for j, sides in self._sides.items()
            }
        elif self.within == "quantile":
            self._margins = Margins(codes, self.schema_)
            self._levels = {
                j: _levels(labels[:, j], len(sides) - 1) for j, sides in self._sides.items()
            }

    def _sample(self, n, rng, given):
        cells = self._cells[self._draw_cells(n, rng, given)]
        codes = np.where(cells < 0, np.nan, cells)
        for j, sides in self._sides.items():
            known = np.flatnonzero(cells[:, j] >= 0)
            codes[known, j] = self._within(j, sides, cells[known, j], rng)
        if given is not None:
            codes[:, given.columns] = given.codes
        return codes

    def _wanted(self, numbers):
        """Return the number of bins asked for by position; None if automatic."""
        bins, names = self.bins, self.schema_.names
        if isinstance(bins, Mapping):
            wanted = {self.schema_.position(label): count for label, count in bins.items()}
            for j in wanted:
                if self.schema_.discrete[j]:
                    raise ValueError(
                        f"bins must name numeric or integer columns, got {names[j]!r}: each of "
                        "its categories is a bin"
                    )
        elif isinstance(bins, str):
            if bins != "auto":
                raise ValueError(f"bins must be 'auto', an int or a mapping, got {bins!r}")
            wanted = {}
        else:
            wanted = dict.fromkeys(numbers, bins)
        for j, count in wanted.items():
            wanted[j] = whole_number(f"bins of column {names[j]!r}", count, 1)
            if wanted[j] > self.n_rows_:
                raise ValueError(
                    f"bins of column {names[j]!r} must be at most the {self.n_rows_} rows, "
                    f"got {count}"
                )
        return {j: wanted.get(j) for j in numbers}

    def _cut(self, codes, j, count):
        return _sides(codes[:, j], count, self._whole(j))

    def _labels(self, codes, j, count):
        return _place(codes[:, j], self._cut(codes, j, count))

    def _whole(self, j):
        return self.schema_.kinds[j] == "integer"

    def _draw_cells(self, n, rng, given):
        if given is None:
            counts = rng.multinomial(n, self._shares)
            return rng.permutation(np.repeat(np.arange(self.n_cells_), counts))
        drawn = np.empty(n, np.int64)
        for line, rows in given.groups():
            matching = np.ones(self.n_cells_, bool)
            for j, code in zip(given.columns, line, strict=True):
                if j in self._sides:
                    code = _place(np.array([code]), self._sides[j])[0]
                matching &= self._cells[:, j] == (-1 if np.isnan(code) else code)
            if not matching.any():
                text = self.schema_.describe(given.columns, line)
                raise ValueError(f"no cell with training rows has {text}")
            shares = np.where(matching, self._shares, 0)
            drawn[rows] = rng.choice(self.n_cells_, size=len(rows), p=shares / shares.sum())
        return drawn

    def _within(self, j, sides, places, rng):
        """Draw numbers of a column in given bins."""
        low, high, u = sides[places], sides[places + 1], rng.random(len(places))
        if self.within == "uniform":
            drawn = low + u * (high - low)
        elif self.within == "gaussian":
            mean, deviation = (moment[places] for moment in self._moments[j])
            start, end = ndtr((low - mean) / deviation), ndtr((high - mean) / deviation)
            drawn = mean + deviation * ndtri(start + u * (end - start))
        else:
            start, end = self._levels[j][places], self._levels[j][places + 1]
            drawn = self._margins.columns[j].quantile(start + u * (end - start))
        if self._whole(j):
            drawn, high = np.floor(drawn), high - 1
        return np.clip(drawn, low, high)


def _sides(values, count, whole):
    """Return the sides of quantile bins: bin i holds sides[i] <= x < sides[i + 1].

    A number at which several quantiles coincide gets a bin of its own, with both sides there;
    the last bin holds its upper side. Sides of whole numbers are whole, and the last one is
    beyond the maximum: bins then hold the whole numbers from one side to before the next.
    """
    values = np.sort(values[~np.isnan(values)])
    method = "inverted_cdf" if whole else "linear"
    cuts, times = np.unique(
        np.quantile(values, np.linspace(0, 1, count + 1), method=method), return_counts=True
    )
    tied = cuts[times > 1]
    if whole:
        return np.unique(np.concatenate([cuts, tied + 1, [values[-1] + 1]]))
    if len(cuts) == 1:
        return np.repeat(cuts, 2)
    return np.sort(np.concatenate([cuts, tied]))


def _place(values, sides):
    """Return the bins of values; -1 where one is missing."""
    places = np.searchsorted(sides, values, side="right") - 1
    at_tie = (places > 0) & (sides[places] == values) & (sides[places - 1] == values)
    places = np.clip(places - at_tie, 0, len(sides) - 2)
    return np.where(np.isnan(values), -1, places)


def _keys(labels):
    """Return one whole number for each row: the same for the same labels.

    Labels are digits of a number in mixed radix. Before it would leave 64 bits, the numbers
    so far are replaced by their ranks.
    """
    keys, size = np.zeros(len(labels), np.int64), 1
    for column in labels.T:
        low = int(column.min())
        radix = int(column.max()) - low + 1
        if size * radix >= 2**62:
            _, keys = np.unique(keys, return_inverse=True)
            size = int(keys.max()) + 1
        keys, size = keys * radix + (column - low), size * radix
    return keys


def _choose_bins(codes, labels, columns, cut):
    """Return the numbers of bins of some columns with a high leave-one-out score.

    Parameters
    ----------
    codes : ndarray of float, shape (n, d)
        The table.
    labels : ndarray of int, shape (n, d)
        The bins of its columns, with one bin for each of `columns`.
    columns : list of int
        Whose numbers of bins to choose.
    cut : callable
        ``cut(codes, j, count)`` gives the labels of column j for a number of bins.

    Returns
    -------
    dict of int to int
    """
    ladder = [count for count in _LADDER if count <= len(codes)]
    grid = _Grid(labels)
    starts = [dict.fromkeys(columns, step) for step in range(len(ladder))]
    if len(columns) > 1:
        pair = _most_correlated(codes, columns)
        starts.append({j: int(j in pair) for j in columns})
    scores = []
    for steps in starts:
        grid.replace({j: cut(codes, j, ladder[step]) for j, step in steps.items()})
        scores.append(grid.score())
    steps = starts[int(np.argmax(scores))]
    grid.replace({j: cut(codes, j, ladder[step]) for j, step in steps.items()})
    best, improved = max(scores), True
    while improved:
        improved = False
        for j in columns:
            for step in (steps[j] + 1, steps[j] - 1):
                if not 0 <= step < len(ladder):
                    continue
                trial = cut(codes, j, ladder[step])
                score = grid.score(j, trial)
                if score > best + 1e-9:
                    grid.replace({j: trial})
                    steps[j], best, improved = step, score, True
                    break
    return {j: ladder[step] for j, step in steps.items()}


class _Grid:
    """Cells of rows whose sides change one column at a time.

    A row's key is the sum, modulo 2^64, of one random number for each column and bin; so one
    column can be taken out and put in again. Two cells share a key with probability 2^-64.
    """

    def __init__(self, labels):
        self.size, d = labels.shape
        rng = np.random.default_rng(0)
        self.words = rng.integers(2**64, size=(d, max(labels.max() + 2, 256)), dtype=np.uint64)
        self.parts = [self._part(j, labels[:, j]) for j in range(d)]
        self.keys = sum(keys for keys, _ in self.parts)
        self.volumes = sum(volumes for _, volumes in self.parts)

    def _part(self, j, labels):
        """Return the words and the log shares of the bins of a column's rows."""
        shares = np.log(np.maximum(np.bincount(labels + 1), 1) / self.size)
        return self.words[j, labels + 1], shares[labels + 1]

    def replace(self, columns):
        """Give columns new labels."""
        for j, labels in columns.items():
            keys, volumes = self._part(j, labels)
            self.keys = self.keys - self.parts[j][0] + keys
            self.volumes = self.volumes - self.parts[j][1] + volumes
            self.parts[j] = keys, volumes

    def score(self, j=None, labels=None):
        """Return the leave-one-out score per row, if a column had new labels."""
        keys, volumes = self.keys, self.volumes
        if j is not None:
            part = self._part(j, labels)
            keys = keys - self.parts[j][0] + part[0]
            volumes = volumes - self.parts[j][1] + part[1]
        _, first, counts = np.unique(keys, return_index=True, return_counts=True)
        density = (counts - 1) * np.exp(-volumes[first]) + 1
        return float(counts @ np.log(density)) / self.size


def _most_correlated(codes, columns):
    """Return the two columns with the strongest rank correlation."""
    ranks = pd.DataFrame(codes[:, columns]).corr("spearman").abs().to_numpy(copy=True)
    np.fill_diagonal(ranks, -1)
    place = np.unravel_index(np.argmax(np.nan_to_num(ranks, nan=-1)), ranks.shape)
    return [columns[i] for i in place]


def _levels(places, size):
    """Return the share of known values below each side."""
    counts = np.bincount(places[places >= 0], minlength=size)
    return np.append(0, np.cumsum(counts)) / counts.sum()


def _moments(values, places, sides, whole):
    """Return mean and standard deviation of the values in each bin.

    A bin whose values are all the same, or that has none, gets its middle and a quarter of
    its width, so that no single value is kept.
    """
    known, size = places >= 0, len(sides) - 1
    values, places = values[known] + (0.5 if whole else 0), places[known]
    counts = np.maximum(np.bincount(places, minlength=size), 1)
    means = np.bincount(places, values, size) / counts
    spread = np.sqrt(np.bincount(places, (values - means[places]) ** 2, size) / counts)
    alone = spread <= 1e-12 * np.abs(means)
    width = np.maximum(np.diff(sides), np.finfo(float).tiny)
    return np.where(alone, (sides[1:] + sides[:-1]) / 2, means), np.where(alone, width / 4, spread)
