"""Copulas: margins and dependence, learned apart and put together again.

Every value becomes a latent number through its column's distribution function; a Gaussian
copula or a vine describes how the latent numbers depend on each other; new ones go back
through the quantile functions. A value of a discrete column, or a missing one, tells only an
interval of its latent number, and both copulas here are fitted to intervals.
"""

import numpy as np

from runproof.synth.dependence import Gaussian, Vine
from runproof.synth.margins import Margins
from runproof.synth.table import Conditions, Generator
from runproof.validation import number_or_auto, one_of, whole_number

__all__ = ["GaussianCopula", "VineCopula"]


class _Copula(Generator):
    """A copula for the whole table, or one for each cell of the columns in `by`.

    A subclass has `_dependence(margins, codes)`, which returns something with
    `uniforms(n, rng)`.
    """

    supports_conditions = True

    def _fit(self, codes):
        self.min_rows_ = whole_number("min_rows", self.min_rows, 2)
        by = self.schema_.cell_columns(self.by)
        self.margins_ = Margins(codes, self.schema_)
        self._cells = None
        if not len(by):
            self.copula_ = self._dependence(self.margins_, codes)
            return
        # For cells with few rows, and for those with none that conditions may ask for.
        self.copula_ = Gaussian(self.margins_, codes)
        cells = list(Conditions(by, codes[:, by]).groups())
        self._by = by
        self._lines = np.array([line for line, _ in cells])
        self._shares = np.array([len(rows) for _, rows in cells]) / len(codes)
        self._cells = [self._fit_cell(codes[rows]) for _, rows in cells]

    def _fit_cell(self, codes):
        if len(codes) < self.min_rows_:
            return None
        margins = Margins(codes, self.schema_)
        return margins, self._dependence(margins, codes)

    def _sample(self, n, rng, given):
        if self._cells is None:
            return self._sample_whole(n, rng, given)
        if given is not None and not set(given.columns) <= set(self._by):
            names = [self.schema_.names[j] for j in self._by]
            raise ValueError(f"with by={names}, conditions may name these columns only")
        codes = np.empty((n, len(self.schema_)))
        for cell, line, columns, rows in self._assign(n, rng, given):
            if cell is None or self._cells[cell] is None:
                lines = Conditions(columns, np.tile(line, (len(rows), 1)))
                codes[rows] = self._sample_given(lines, rng)
            else:
                margins, dependence = self._cells[cell]
                codes[rows] = margins.quantiles(dependence.uniforms(len(rows), rng))
                codes[np.ix_(rows, columns)] = line
        return codes

    def _assign(self, n, rng, given):
        """Yield cells, the values that fix them, and the rows that fall to each."""
        if given is None:
            requests = [(np.ones(len(self._lines), bool), None, None, np.arange(n))]
        else:
            places = [list(self._by).index(j) for j in given.columns]
            values = self._lines[:, places]
            requests = [
                (_same(values, line).all(axis=1), line, given.columns, rows)
                for line, rows in given.groups()
            ]
        for matching, line, columns, rows in requests:
            if not matching.any():
                yield None, line, columns, rows
                continue
            shares = np.where(matching, self._shares, 0)
            counts = rng.multinomial(len(rows), shares / shares.sum())
            parts = np.split(rng.permutation(rows), np.cumsum(counts)[:-1])
            for cell in np.flatnonzero(counts):
                yield cell, self._lines[cell], self._by, parts[cell]

    def _sample_whole(self, n, rng, given):
        if given is None:
            return self.margins_.quantiles(self.copula_.uniforms(n, rng))
        if not isinstance(self.copula_, Gaussian):
            raise ValueError(
                f"{type(self).__name__} takes conditions on the columns of by= only, and has "
                "none; GaussianCopula takes them on all columns"
            )
        return self._sample_given(given, rng)

    def _sample_given(self, given, rng):
        latent, lower, upper = self.margins_.locate(given.columns, given.codes)
        u = self.copula_.uniforms_given(latent, lower, upper, rng)
        codes = self.margins_.quantiles(u)
        codes[:, given.columns] = given.codes
        return codes


class GaussianCopula(_Copula):
    """Margins of the table, dependence of a normal distribution.

    Parameters
    ----------
    correlation : {"normal", "spearman"}, default "normal"
        From what the correlations are estimated: normal scores, or ranks.
    shrinkage : "auto" or float, default "auto"
        How far the correlations are moved to 0: from 0, not at all, to 1, independence.
        "auto" is the estimate of Ledoit and Wolf (2004) from the scores.
    by : label, or list, tuple or Index of labels, optional
        Columns of categories or integers; each combination of their values gets margins and
        a copula of its own, and the cells are drawn with their shares.
    min_rows : int, default 10
        A cell with fewer rows is drawn from the copula of the whole table, given the cell's
        values in `by`; at least 2.

    Attributes
    ----------
    correlation_ : ndarray of float
        Of the latent numbers of the whole table: one for each column, then one for each
        column with missing values.
    shrinkage_ : float
        The shrinkage of the whole table's copula.

    Notes
    -----
    A row's score in a column is the mean of a normal variable over the interval of its
    latent number (or of a uniform variable, for ranks). For continuous columns the
    correlation of normal scores is that of the copula, and Spearman's rho_S gives
    2 sin(pi rho_S / 6). Ties weaken it. If s_j = sum_m c_jm h_m is the expansion of a column's
    score in normed Hermite polynomials of the latent normal variable, Mehler's formula gives

        correlation of scores = sum_m c_jm c_km rho^m / (norm(s_j) norm(s_k)),

    which grows with rho, and is solved for it; two booleans then get the tetrachoric
    correlation. Shrinkage follows, and last the nearest correlation matrix by alternating
    projections (Higham 2002) where the result is not positive definite.

    An unordered column's categories are put in an order first, see
    `runproof.synth.margins.Margins`. A column with missing values has a second latent number
    that says whether the value is missing, so that missing values depend on the rest too.

    With `conditions` on several discrete columns, their latent numbers are drawn by 30 sweeps
    of a Gibbs sampler, an approximation; with one discrete or with continuous columns the
    conditional distribution is exact. With `by`, conditions may name its columns only.

    Quantiles of the margins end at the least and the greatest training value, and samples
    come close to them. In a small cell of `by` these belong to one person each.

    References
    ----------
    O. Ledoit and M. Wolf, "A well-conditioned estimator for large-dimensional covariance
    matrices", Journal of Multivariate Analysis 88 (2004), 365-411.
    N. J. Higham, "Computing the nearest correlation matrix - a problem from finance", IMA
    Journal of Numerical Analysis 22 (2002), 329-343.
    """

    def __init__(self, correlation="normal", shrinkage="auto", by=None, min_rows=10):
        self.correlation = correlation
        self.shrinkage = shrinkage
        self.by = by
        self.min_rows = min_rows

    def _fit(self, codes):
        one_of("correlation", self.correlation, ("normal", "spearman"))
        number_or_auto("shrinkage", self.shrinkage, 0, 1)
        super()._fit(codes)
        self.correlation_ = self.copula_.correlation
        self.shrinkage_ = self.copula_.shrinkage

    def _dependence(self, margins, codes):
        return Gaussian(margins, codes, self.correlation, self.shrinkage)


class VineCopula(_Copula):
    """Margins of the table, dependence of a vine of bivariate copulas.

    A regular vine, chosen by maximum spanning trees on Kendall's tau, with a family for each
    pair; fitted by pyvinecopulib, with discrete columns as such.

    Parameters
    ----------
    families : {"simple", "gaussian", "all"}, default "simple"
        The families of bivariate copulas to choose from: those with one parameter (Gaussian,
        Clayton, Gumbel, Frank, Joe, and their rotations); the Gaussian alone; or also those
        with two (Student, BB1 to BB8) and a nonparametric one, which takes some ten times as
        long.
    truncation : int, optional
        How many trees have dependence, at least 1; default is all.
    max_rows : int, default 1000
        Of a longer table, or cell, the vine is fitted to this many rows at random, always the
        same ones; the margins are fitted to all. At least 10.
    by, min_rows
        As for `GaussianCopula`; a cell with fewer rows is drawn from a Gaussian copula of the
        whole table.
    n_jobs : int, default 1
        Number of threads of the fit.

    Attributes
    ----------
    vine_ : pyvinecopulib.Vinecop or None
        Of the whole table; None with `by`.

    Notes
    -----
    A pair with missing values is fitted on the rows that have both. Rows with a value then
    differ from all rows; 10,000 rows drawn from the vine show how far, and each such column's
    latent numbers are corrected by their quantiles. Conditions may name the columns of `by`
    only.

    References
    ----------
    K. Aas, C. Czado, A. Frigessi and H. Bakken, "Pair-copula constructions of multiple
    dependence", Insurance: Mathematics and Economics 44 (2009), 182-198.
    A. Panagiotelis, C. Czado and H. Joe, "Pair copula constructions for multivariate discrete
    data", Journal of the American Statistical Association 107 (2012), 1063-1072.
    """

    def __init__(
        self,
        families="simple",
        truncation=None,
        max_rows=1000,
        by=None,
        min_rows=10,
        n_jobs=1,
    ):
        self.families = families
        self.truncation = truncation
        self.max_rows = max_rows
        self.by = by
        self.min_rows = min_rows
        self.n_jobs = n_jobs

    def _fit(self, codes):
        one_of("families", self.families, ("simple", "gaussian", "all"))
        if self.truncation is not None:
            whole_number("truncation", self.truncation, 1)
        whole_number("max_rows", self.max_rows, 10)
        whole_number("n_jobs", self.n_jobs, 1)
        super()._fit(codes)
        self.vine_ = getattr(self.copula_, "vine", None)

    def _dependence(self, margins, codes):
        lower, upper = margins.intervals(codes)
        if len(codes) > self.max_rows:
            rows = np.random.default_rng(0).choice(len(codes), self.max_rows, replace=False)
            lower, upper = lower[rows], upper[rows]
        vine = Vine(lower, upper, margins.tied, self.families, self.truncation, self.n_jobs)
        vine.calibrate(margins)
        return vine


def _same(values, line):
    return (values == line) | (np.isnan(values) & np.isnan(line))
