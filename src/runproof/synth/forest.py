"""Flow matching with forests: noise is moved step by step until it looks like the table.

The flow starts from a normal distribution with the table's correlations, and forests learn
only what that gets wrong.

References
----------
A. Jolicoeur-Martineau, K. Fatras, T. Kachman, "Generating and Imputing Tabular Data via
Diffusion and Flow-based Gradient-Boosted Trees", AISTATS 2024 (Forest-Flow); M. S. Albergo,
N. M. Boffi, E. Vanden-Eijnden, "Stochastic Interpolants: A Unifying Framework for Flows and
Diffusions", arXiv:2303.08797 (the trigonometric path); P. Geurts, D. Ernst, L. Wehenkel,
"Extremely randomized trees", Machine Learning 63 (2006) 3-42.
"""

import math

import numpy as np
from joblib import Parallel, delayed
from scipy.spatial import cKDTree
from scipy.special import ndtr
from sklearn.covariance import ledoit_wolf
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.linear_model import Ridge

from runproof.synth._ranks import Law, copies, normal, normal_scores
from runproof.synth.space import MixedSpace
from runproof.synth.table import Column, Conditions, Generator, Schema
from runproof.synth.trees import Chain, even, features
from runproof.validation import number_or_auto, require_memory, whole_number

__all__ = ["ForestFlow"]

_SMALLEST = 0.01  # residuals of normal scores below this count as equal
_PROBES = 2000  # rows that temperature="auto" looks at, at most
_CLOSEST = 0.9  # of the distance between training rows, for temperature="auto"


class ForestFlow(Generator):
    """A copula whose errors forests correct, by flow matching.

    Parameters
    ----------
    by : label, or list, tuple or Index of labels, optional
        Columns of categories or integers; each combination of their values gets a flow of its
        own, and needs `min_rows` rows. For a table with classes, name the class.
    steps : int, default 10
        Steps from noise to data; each has its forest.
    n_estimators : int, default 5
        Trees of a forest.
    min_samples_leaf : int, default 5
        The smallest number of training rows that a leaf may rest on, about; at least 2.
    temperature : float or "auto", default 1.0
        Scale of the noise, above 0 and at most 1. Below 1, numbers keep to the middle of
        their distribution given the labels, see Notes. "auto" takes the least noise, from 0.5
        on, at which the median distance from a sample to the closest training row is 0.9 of
        that between training rows.
    min_rows : int, default 10
        The smallest cell of `by` that is accepted, at least 2.
    random_state : int, default 0
        Seed of the fit.
    n_jobs : int, optional
        As for `joblib.Parallel`; the steps are fitted side by side.

    Notes
    -----
    Labels - discrete columns, and whether a number is missing - come first, from a chain of
    trees as in `Sequential`. The numbers of a row are turned into normal scores x1; a value
    that repeats gets scores spread over its share. Noise x0 is normal: its mean is a ridge
    regression of x1 on the labels, its covariance R that of the residuals, shrunk after Ledoit
    and Wolf (2004). Between them runs the path

        x(t) = m + cos(pi t / 2) (x0 - m) + sin(pi t / 2) (x1 - m),

    and a forest of extremely randomized trees learns the mean velocity at x(t), given the
    labels. If the scores are normal, x(t) has the law N(m, R) at all t and the mean velocity
    is 0 everywhere: what forests learn is the departure from a Gaussian copula. Forest-Flow
    starts from independent noise and has to learn the correlations too; its boosted trees
    split down to single rows, and the flow runs to the training rows. Here a leaf rests on
    `min_samples_leaf` rows or more. The model keeps trees, and quantiles of the columns.

    Samples are spread evenly: the noise is a Latin hypercube, and the cells of `by` get their
    shares rounded. Each row has the right law, but the rows of one sample are not independent
    of each other.

    A temperature below 1 does not make a better model. It lowers the Wasserstein distance to a
    finite table, since rows in the middle are close to more rows than rows drawn from the true
    law are: the metric rewards too little spread, and a copy of the training rows, whose
    spread is right, loses to it. Samples come closer to the training rows, and a classifier
    tells them from real ones more easily. "auto" looks at training rows only, and stops where
    samples would be noticeably closer.

    `conditions` may name the columns of `by` only.

    Attributes
    ----------
    temperature_ : float
        The scale in use.
    """

    supports_conditions = True

    def __init__(
        self,
        by=None,
        steps=10,
        n_estimators=5,
        min_samples_leaf=5,
        temperature=1.0,
        min_rows=10,
        random_state=0,
        n_jobs=None,
    ):
        self.by = by
        self.steps = steps
        self.n_estimators = n_estimators
        self.min_samples_leaf = min_samples_leaf
        self.temperature = temperature
        self.min_rows = min_rows
        self.random_state = random_state
        self.n_jobs = n_jobs

    def _fit(self, codes):
        whole_number("steps", self.steps, 1)
        whole_number("n_estimators", self.n_estimators, 1)
        whole_number("min_samples_leaf", self.min_samples_leaf, 2)
        whole_number("min_rows", self.min_rows, 2)
        whole_number("random_state", self.random_state, 0)
        number_or_auto("temperature", self.temperature, 0, 1, "(]")
        self.by_ = self.schema_.cell_columns(self.by)
        groups = list(Conditions(self.by_, codes[:, self.by_]).groups())
        for line, rows in groups:
            if len(self.by_) and len(rows) < self.min_rows:
                raise ValueError(
                    f"min_rows={self.min_rows}, but only {len(rows)} rows have "
                    f"{self.schema_.describe(self.by_, line)}: name fewer columns in by"
                )
        self.lines_ = np.array([line for line, _ in groups])
        self.shares_ = np.array([len(rows) for _, rows in groups]) / len(codes)
        self.flows_ = [_Flow(codes[rows], self.schema_, self) for _, rows in groups]
        auto = self.temperature == "auto"
        self.temperature_ = self._least_noise(codes) if auto else float(self.temperature)

    def _sample(self, n, rng, given):
        cells = _spread(self.shares_, n, rng) if given is None else self._cells(given, rng)
        return self._draw(cells, rng, self.temperature_)

    def _draw(self, cells, rng, temperature):
        codes = np.empty((len(cells), len(self.schema_)))
        for cell in np.unique(cells):
            rows = np.flatnonzero(cells == cell)
            codes[rows] = self.flows_[cell].draw(len(rows), rng, temperature)
        return codes

    def _least_noise(self, codes):
        """Return the temperature for "auto", by bisection."""
        codes = codes[np.random.default_rng(self.random_state).permutation(len(codes))[:_PROBES]]
        space = MixedSpace.of(self.schema_, codes)
        tree = cKDTree(space.points(codes)[0])
        wanted = _CLOSEST * np.median(tree.query(tree.data, k=2, p=1)[0][:, 1])
        low, high = 0.5, 1.0
        for _ in range(6):
            rng = np.random.default_rng(self.random_state)
            cells = _spread(self.shares_, _PROBES, rng)
            probes = space.points(self._draw(cells, rng, (low + high) / 2))[0]
            close = np.median(tree.query(probes, p=1)[0]) < wanted
            low, high = ((low + high) / 2, high) if close else (low, (low + high) / 2)
        return high

    def _cells(self, given, rng):
        """Return the cell of each row of conditions."""
        if not set(given.columns) <= set(self.by_):
            raise ValueError(
                f"conditions may name the columns of by only; fit ForestFlow with "
                f"by={[self.schema_.names[j] for j in given.columns]}"
            )
        cells = np.empty(len(given.codes), int)
        values = self.lines_[:, [list(self.by_).index(j) for j in given.columns]]
        for line, rows in given.groups():
            same = ((values == line) | (np.isnan(values) & np.isnan(line))).all(axis=1)
            if not same.any():
                wanted = self.schema_.describe(given.columns, line)
                raise ValueError(f"no training row has {wanted}")
            shares = np.where(same, self.shares_, 0)
            cells[rows] = _spread(shares / shares.sum(), len(rows), rng)
        return cells


class _Flow:
    """Labels from a chain of trees, and numbers as noise that forests have moved."""

    def __init__(self, codes, schema, model):
        self.numbers = np.flatnonzero(~schema.discrete)
        self.discrete = np.flatnonzero(schema.discrete)
        missing = np.isnan(codes[:, self.numbers])
        self.gaps = self.numbers[missing.any(axis=0)]
        self.width = len(schema)
        columns = [schema.columns[j] for j in self.discrete]
        columns += [_flag(schema.columns[j]) for j in self.gaps]
        labels = np.column_stack([codes[:, self.discrete], np.isnan(codes[:, self.gaps])])
        self.schema = Schema(columns, None)
        order = list(range(len(columns)))
        self.chain = Chain(labels, self.schema, order, model.min_samples_leaf)
        if len(self.numbers):
            self._fit_numbers(codes[:, self.numbers], self._features(labels), schema, model)

    def _fit_numbers(self, codes, seen, schema, model):
        self.laws = [Law(column[~np.isnan(column)]) for column in codes.T]
        times = copies(len(codes))
        rows, width = times * len(codes), codes.shape[1]
        size = rows * (width + seen.shape[1])
        require_memory(f"a flow of {rows} x {width} numbers", 40 * size * model.steps)
        rng = np.random.default_rng(model.random_state)
        data = np.vstack([normal_scores(codes, rng) for _ in range(times)])
        seen = np.tile(seen, (times, 1))
        self.mean = _Linear(seen, data)
        data = data - self.mean(seen)
        self.spread = _Linear(seen, np.log(np.abs(data) + _SMALLEST))
        data = data / np.exp(self.spread(seen))
        self.root = np.linalg.cholesky(ledoit_wolf(data, assume_centered=True)[0])
        jobs = []
        for step in range(model.steps):
            noise = rng.standard_normal(data.shape) @ self.root.T
            t, seed = (step + 0.5) / model.steps, int(rng.integers(2**31))
            leaf = times * model.min_samples_leaf
            jobs.append(delayed(_velocity)(noise, data, seen, t, model.n_estimators, leaf, seed))
        self.forests = Parallel(model.n_jobs)(jobs)

    def draw(self, n, rng, temperature):
        """Draw rows, as codes."""
        labels = self.chain.draw(np.full((n, len(self.schema)), np.nan), rng)
        codes = np.empty((n, self.width))
        codes[:, self.discrete] = labels[:, : len(self.discrete)]
        if len(self.numbers):
            codes[:, self.numbers] = self._draw_numbers(n, self._features(labels), rng, temperature)
        flags = labels[:, len(self.discrete) :] == 1
        codes[:, self.gaps] = np.where(flags, np.nan, codes[:, self.gaps])
        return codes

    def _draw_numbers(self, n, seen, rng, temperature):
        u = np.column_stack([even(n, rng) for _ in self.numbers])  # a Latin hypercube
        x = temperature * normal(u) @ self.root.T
        for forest in self.forests:
            x += forest.predict(np.hstack([x, seen])).reshape(x.shape) / len(self.forests)
        u = ndtr(self.mean(seen) + x * np.exp(self.spread(seen)))
        return np.column_stack([law.quantile(v) for law, v in zip(self.laws, u.T, strict=True)])

    def _features(self, labels):
        seen = features(labels, range(len(self.schema)), self.schema)
        return np.where(np.isnan(seen), -1, seen)


class _Linear:
    """A ridge regression on labels; without labels, the mean."""

    def __init__(self, seen, values):
        self.intercept = values.mean(axis=0)
        self.ridge = Ridge().fit(seen, values - self.intercept) if seen.shape[1] else None

    def __call__(self, seen):
        if self.ridge is None:
            return self.intercept
        return self.intercept + self.ridge.predict(seen).reshape(len(seen), -1)


def _velocity(noise, data, seen, t, n_estimators, leaf, seed):
    """Fit the mean velocity at time t."""
    cos, sin = math.cos(math.pi / 2 * t), math.sin(math.pi / 2 * t)
    place, speed = cos * noise + sin * data, math.pi / 2 * (cos * data - sin * noise)
    forest = ExtraTreesRegressor(n_estimators, min_samples_leaf=leaf, random_state=seed)
    return forest.fit(np.hstack([place, seen]), speed if speed.shape[1] > 1 else speed[:, 0])


def _flag(column):
    """Return a column that says where a number is missing."""
    return Column((column.name, "missing"), "boolean", np.dtype(bool), (False, True), 0, 1, False)


def _spread(shares, n, rng):
    """Return n cells in random order, each as often as its share says, up to rounding."""
    places = (np.arange(n) + rng.random()) / n
    cells = np.searchsorted(np.cumsum(shares), places, side="right")
    return rng.permutation(np.minimum(cells, len(shares) - 1))
