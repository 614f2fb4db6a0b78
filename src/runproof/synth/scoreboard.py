"""Many generators, tables and metrics in one frame, each score beside its noise band.

Two lines of real rows say how much of a score is noise. *Fresh rows* stand in the place of
the synthetic table: the noise of two samples, for a generator that knew the law. A generator
knows the law from its training rows only, and adds their noise to its own. n rows drawn from
what n rows tell have the variances of n/2 rows drawn from the law, and the covariances with
the training rows of half of these. So the second line is a *redrawn half*: half of the
training rows, each at most once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from html import escape
from typing import NamedTuple

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy.stats import t as student
from sklearn.base import clone
from tqdm import tqdm

from runproof import html
from runproof.synth import evaluate as ev
from runproof.synth.evaluate.noise import cut, measured
from runproof.synth.table import Schema
from runproof.validation import number, whole_number

BAND_LEVEL = 0.9
FRESH, REDRAWN = "fresh rows", "redrawn half"


class Metric(NamedTuple):
    """A score of a synthetic table.

    Attributes
    ----------
    function : callable
        ``function(train, holdout, synthetic, random_state) -> float``, or a tuple that
        begins with a float.
    better : {"low", "high", "half", "one"}
        Which values are good: small ones, large ones, those near 0.5 or near 1.
    against_train : bool
        Whether it compares with the training rows. Fresh rows are then thirds, three real
        tables, since a training table is no fresh sample to itself.
    redrawn : bool
        Whether half of the training rows are a reference. They are none where training rows
        are looked for, nor where it counts that rows are fewer, as in a coverage.
    """

    function: object
    better: str = "low"
    against_train: bool = False
    redrawn: bool = True


class Paired(NamedTuple):
    """What `paired` returns: the mean difference, an interval for it, and how many splits."""

    mean: float
    low: float
    high: float
    splits: int


def utility(target):
    """Return the metric "tstr": the score trained on synthetic rows, minus that on real ones.

    Parameters
    ----------
    target : hashable
        The column to predict.

    Returns
    -------
    Metric
    """
    return Metric(partial(_tstr, target=target), "high", True)


def _tstr(train, holdout, synthetic, random_state, target):
    scores = ev.tstr(train, synthetic, holdout, target)
    return scores.synthetic - scores.real


def _attack(kind, train, holdout, synthetic, random_state):
    return ev.membership_attack(
        synthetic, train, holdout, kind, max_rows=2000, random_state=random_state
    )


#: What `scoreboard` computes unless told otherwise, and "tstr" if it gets a target.
METRICS = {
    "ks": Metric(lambda t, h, s, seed: ev.ecdf_ks(h, s, repeats=3, random_state=seed)),
    "column_ks": Metric(lambda t, h, s, seed: ev.column_ks(h, s).mean()),
    "total_variation": Metric(lambda t, h, s, seed: ev.total_variation(h, s).mean()),
    "correlation": Metric(lambda t, h, s, seed: ev.correlation_distance(h, s)),
    "association": Metric(lambda t, h, s, seed: ev.association_distance(h, s)),
    "wasserstein1": Metric(
        lambda t, h, s, seed: ev.wasserstein1(h, s, max_rows=1000, random_state=seed),
        redrawn=False,
    ),
    "coverage": Metric(
        lambda t, h, s, seed: ev.coverage_density(h, s).coverage, "high", redrawn=False
    ),
    "density": Metric(
        lambda t, h, s, seed: ev.coverage_density(h, s).density, "one", redrawn=False
    ),
    "two_sample_auc": Metric(
        lambda t, h, s, seed: ev.two_sample_auc(h, s, max_rows=2000, random_state=seed), "half"
    ),
    "dcr_ratio": Metric(lambda t, h, s, seed: ev.dcr_ratio(s, t, h), "high", True, False),
    # Rows that are kept away from the training rows give these away as well.
    "holdout_share": Metric(lambda t, h, s, seed: ev.holdout_share(s, t, h), "half", True, False),
    "distance_attack": Metric(partial(_attack, "distance"), "half", True, False),
    "density_attack": Metric(partial(_attack, "density"), "half", True, False),
    "tail_test": Metric(
        lambda t, h, s, seed: ev.tail_test(s, t, h, alternative="two-sided"), "low", True, False
    ),
}
_IDEALS = {"half": 0.5, "one": 1.0}


@dataclass(frozen=True, repr=False)
class Scoreboard:
    """What `scoreboard` returns.

    Attributes
    ----------
    frame : pandas.DataFrame
        One row for each dataset, generator, metric and split: `value`, and the noise band of
        the metric on that dataset, `low` to `high`.
    references : pandas.DataFrame
        The same of real rows, without the band: the generators are called "fresh rows" and
        "redrawn half". Splits of one number are the same for all.
    metrics : dict
        Name to Metric.
    copying : frozenset of str
        Names of the generators that say that they copy rows.
    """

    frame: pd.DataFrame
    references: pd.DataFrame
    metrics: dict
    copying: frozenset

    def __repr__(self):
        return repr(self.summary())

    def _repr_html_(self):
        return self.summary()._repr_html_()

    def means(self):
        """Return the means over the splits.

        Returns
        -------
        pandas.DataFrame
            Columns dataset, generator, metric, value, low, high, verdict: "within" the noise
            band, "better" or "worse".
        """
        keys = ["dataset", "generator", "metric"]
        means = self.frame.groupby(keys, sort=False)[["value", "low", "high"]].mean()
        means = means.reset_index()
        means["verdict"] = [
            verdict(row.value, row.low, row.high, self.metrics[row.metric].better)
            for row in means.itertuples()
        ]
        return means

    def compare(self, one, other, level=0.95):
        """Say how much worse one generator is than another on the same splits.

        Parameters
        ----------
        one, other : str
            Generators, or "fresh rows" or "redrawn half".
        level : float
            Of the intervals.

        Returns
        -------
        pandas.DataFrame
            For each dataset and metric that both have: what `paired` returns.

        Raises
        ------
        ValueError
            If there is no such generator, or level is out of range.
        """
        every = pd.concat([self.frame, self.references])
        for name in (one, other):
            if name not in set(every["generator"]):
                known = list(every["generator"].unique())
                raise ValueError(f"generators must be among {known}, got {name!r}")
        keys = ["dataset", "metric"]
        values = every.set_index([*keys, "split"]).groupby("generator")["value"]
        pairs = pd.concat(
            {"one": values.get_group(one), "other": values.get_group(other)}, axis=1, join="inner"
        )
        return pd.DataFrame(
            [
                (*key, *paired(lines["one"], lines["other"], self.metrics[key[1]].better, level))
                for key, lines in pairs.groupby(keys, sort=False)
            ],
            columns=[*keys, *Paired._fields],
        )

    def summary(self):
        """Return a table to read, accessible as HTML.

        Returns
        -------
        Summary
        """
        return Summary(self)

    def plot(self, fidelity="association", privacy="dcr_ratio", dataset=None, ax=None):
        """Draw one metric against another, a mark of its own for each generator.

        Parameters
        ----------
        fidelity, privacy : str
            Names of metrics, for the x and the y axis.
        dataset : str, optional
            By default the first one.
        ax : matplotlib.axes.Axes, optional
            Where to draw.

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        ValueError
            If there is no such metric or dataset.
        """
        return _plot(self, fidelity, privacy, dataset, ax)


def verdict(value, low, high, better):
    """Say where a value lies in respect of a noise band.

    Parameters
    ----------
    value, low, high : float
        The value and the band.
    better : {"low", "high", "half", "one"}
        As in `Metric`.

    Returns
    -------
    {"within", "better", "worse", "none"}
        "none" if the value or the band is not a number.
    """
    if np.isnan([value, low, high]).any():
        return "none"
    if low <= value <= high:
        return "within"
    if better in _IDEALS:
        ideal = _IDEALS[better]
        nearer = abs(value - ideal) < min(abs(low - ideal), abs(high - ideal))
        return "better" if nearer and not low <= ideal <= high else "worse"
    return "better" if (value < low) == (better == "low") else "worse"


def excess(value, better):
    """Return how far a value is from the best there is; the least is best.

    Parameters
    ----------
    value : float or ndarray
        One value or many.
    better : {"low", "high", "half", "one"}
        As in `Metric`.

    Returns
    -------
    float or ndarray
    """
    if better in _IDEALS:
        return abs(value - _IDEALS[better])
    return {"low": value, "high": -value}[better]


def paired(one, other, better, level=0.95):
    """Return how much worse one generator is than another, split by split.

    Both met the same splits, whose luck cancels in the difference. For a given table the
    splits are independent, so Student's interval holds for the mean over all splits of
    *this* table. It says nothing of other tables of the same law.

    Parameters
    ----------
    one, other : array_like, shape (k,)
        Values of the same splits. Any that are infinite, or no numbers, are left out.
    better : {"low", "high", "half", "one"}
        As in `Metric`.
    level : float
        Of the interval.

    Returns
    -------
    Paired
        Above 0: `one` is worse. The interval is infinite unless there are two splits.

    Raises
    ------
    ValueError
        If the shapes differ, or level does not lie between 0 and 1.

    Examples
    --------
    >>> found = paired([0.31, 0.35, 0.33], [0.21, 0.24, 0.24], "low")
    >>> round(found.mean, 3), round(found.low, 3), round(found.high, 3), found.splits
    (0.1, 0.075, 0.125, 3)
    """
    one, other = np.asarray(one, float), np.asarray(other, float)
    if one.ndim != 1 or one.shape != other.shape:
        raise ValueError(f"one and other must be as long, got shapes {one.shape}, {other.shape}")
    number("level", level, 0, 1, "()")
    both = np.isfinite(one) & np.isfinite(other)
    gap = excess(one[both], better) - excess(other[both], better)
    mean, wide = float(gap.mean()) if len(gap) else float("nan"), float("inf")
    if len(gap) > 1:
        wide = student.ppf((1 + level) / 2, len(gap) - 1) * gap.std(ddof=1) / np.sqrt(len(gap))
    return Paired(mean, mean - float(wide), mean + float(wide), len(gap))


def scoreboard(
    df,
    generators,
    metrics=None,
    splits=5,
    random_state=0,
    n_jobs=None,
    target=None,
    band_splits=20,
    level=BAND_LEVEL,
    progress=False,
):
    """Score generators on tables, with the noise band of every score.

    Each table is shuffled and halved `splits` times. A generator is fitted to one half and
    draws a table of its size; the metrics compare it with the other half, and some of them
    with its own (privacy, "tstr").

    In `band_splits` halvings real rows play the synthetic table. *Fresh rows*: a half against
    the other, or, where the training rows count, thirds; these are smaller, so those bands are
    a little wide. *Redrawn half*: half of the training rows, each at most once, which have
    the noise of a table drawn from all that the training rows tell, and from nothing else. The
    band of a metric holds `level` of the values of fresh rows and of redrawn halves, or of
    fresh rows alone where half of the training rows are no reference (`Metric.redrawn`). A
    generator that knew the law, and one that knows what its training rows tell, both have
    nearly all their scores within. Two scores within it may still differ:
    `Scoreboard.compare` pairs them.

    The work is one `joblib.Parallel` call: under ``joblib.parallel_config(backend="dask")``
    it runs on a cluster and gives the same frame.

    Parameters
    ----------
    df : pandas.DataFrame or mapping of str to DataFrame
        The real table, or several by name. A single one is called "data".
    generators : mapping of str to Generator, or sequence of Generator
        They are cloned for each split. In a sequence the class is the name.
    metrics : sequence of str or mapping of str to Metric or callable, optional
        Names out of `METRICS` or "tstr", or metrics of your own. By default all that the
        table has columns for.
    splits : int
        The number of halvings.
    random_state : int
        Seed of everything; of a generator's fit too, if it has a parameter `random_state`
        that is None.
    n_jobs : int, optional
        As for joblib.
    target : hashable, optional
        The column that "tstr" predicts: the score trained on synthetic rows minus that
        trained on real ones.
    band_splits : int
        The number of shuffles for each band.
    level : float
        The share of the values of each line that lies between its ends.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    Scoreboard
        `frame` is the tidy table; it shows itself as `summary`, and has `plot`.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described. What a generator or metric raises says in a note
        on which table and split.
    """
    tables = _tables(df)
    generators = _generators(generators)
    splits = whole_number("splits", splits, 1)
    band_splits = whole_number("band_splits", band_splits, 2)
    random_state = whole_number("random_state", random_state, 0)
    number("level", level, 0, 1, "()")
    chosen = {name: _metrics(metrics, table, target) for name, table in tables.items()}
    tasks = [
        delayed(_task)(table, chosen[name], generator, (random_state, 1, split), where)
        for name, table in tables.items()
        for label, generator, count in [
            ("real rows", None, band_splits),
            *((label, generator, splits) for label, generator in generators.items()),
        ]
        for split in range(count)
        for where in [(name, label, split)]
    ]
    done = Parallel(n_jobs=n_jobs, return_as="generator")(tasks)
    rows = [
        row
        for part in tqdm(done, total=len(tasks), desc="scoreboard", disable=not progress)
        for row in part
    ]
    frame = pd.DataFrame(rows, columns=["dataset", "generator", "metric", "split", "value"])
    every = {name: metric for table in chosen.values() for name, metric in table.items()}
    copying = frozenset(
        label for label, generator in generators.items() if getattr(generator, "copies_rows", False)
    )
    return Scoreboard(*_with_band(frame, level), every, copying)


def _tables(df):
    tables = {"data": df} if isinstance(df, pd.DataFrame) else df
    if not isinstance(tables, Mapping) or not tables:
        raise TypeError(
            f"df must be a DataFrame or a mapping of names to some, got {type(df).__name__}"
        )
    for name, table in tables.items():
        if not isinstance(table, pd.DataFrame):
            raise TypeError(f"df[{name!r}] must be a DataFrame, got {type(table).__name__}")
        if len(table) < 20:
            raise ValueError(f"table {name!r} must have at least 20 rows, got {len(table)}")
    return {str(name): table for name, table in tables.items()}


def _generators(generators):
    if not isinstance(generators, Mapping):
        named = [(type(generator).__name__, generator) for generator in generators]
        generators = dict(named)
        if len(generators) < len(named):
            raise ValueError("two generators of one class need names: give a mapping")
    if not generators:
        raise ValueError("generators must hold at least one")
    for name, generator in generators.items():
        if not (hasattr(generator, "fit") and hasattr(generator, "sample")):
            raise TypeError(f"generator {name!r} must have fit and sample, got {generator!r}")
    if taken := {FRESH, REDRAWN} & set(generators):
        raise ValueError(f"a generator must not be called {taken.pop()!r}")
    return {str(name): generator for name, generator in generators.items()}


def _metrics(metrics, table, target):
    known = dict(METRICS)
    if target is not None:
        if target not in table.columns:
            raise ValueError(f"target must be a column, {list(table.columns)}, got {target!r}")
        known["tstr"] = utility(target)
    if metrics is None:
        return {name: known[name] for name in known if name not in _inapplicable(table)}
    if isinstance(metrics, Mapping):
        chosen = {
            name: metric if isinstance(metric, Metric) else Metric(metric)
            for name, metric in metrics.items()
        }
        for name, metric in chosen.items():
            if not callable(metric.function) or metric.better not in ("low", "high", *_IDEALS):
                raise TypeError(f"metric {name!r} must be a Metric or callable, got {metric!r}")
        return chosen
    if unknown := [name for name in metrics if name not in known]:
        hint = " (give a target)" if "tstr" in unknown else ""
        raise ValueError(f"metrics must be among {list(known)}, got {unknown}{hint}")
    return {name: known[name] for name in metrics}


def _inapplicable(table):
    schema = Schema.from_frame(table)
    out = set()
    if schema.discrete.all():
        out.add("column_ks")
    if not schema.discrete.any():
        out.add("total_variation")
    if len(schema.kinds) - schema.kinds.count("categorical") < 2:
        out.add("correlation")
    if len(schema) < 2:
        out.add("association")
    return out


def _task(table, metrics, generator, seed, where):
    """Score one split of one table: of a generator, or of real rows if it is None."""
    try:
        found = _values(table, metrics, generator, np.random.SeedSequence(seed))
        return [(where[0], line or where[1], name, where[2], value) for line, name, value in found]
    except Exception as error:
        error.add_note(f"scoreboard: table {where[0]!r}, {where[1]!r}, split {where[2]}")
        raise


def _values(table, metrics, generator, seed):
    # The split depends on the seed alone, so every generator meets the same ones.
    cutting, fitting, drawing, scoring = seed.spawn(4)
    rng = np.random.default_rng(cutting)
    train, holdout = cut(table, 2, rng)
    if generator is not None:
        model = clone(generator)
        if model.get_params().get("random_state", 0) is None:
            model.set_params(random_state=int(fitting.generate_state(1)[0] >> 1))
        synthetic = model.fit(train).sample(len(train), random_state=np.random.default_rng(drawing))
        for name, metric in metrics.items():
            yield None, name, _value(metric, scoring, train, holdout, synthetic)
        return
    # A half is a fresh sample to the other half, but not to itself.
    half, thirds = cut(train, 2, rng)[0], cut(table, 3, rng)
    for name, metric in metrics.items():
        fresh = thirds if metric.against_train else (train, holdout, train)
        yield FRESH, name, _value(metric, scoring, *fresh)
        if metric.redrawn:
            yield REDRAWN, name, _value(metric, scoring, train, holdout, half)


def _value(metric, seed, train, holdout, synthetic):
    return measured(metric.function(train, holdout, synthetic, np.random.default_rng(seed)))


def _with_band(frame, level):
    """Return the scores of generators beside the bands, and those of real rows."""
    real = frame["generator"].isin([FRESH, REDRAWN])
    lines = frame[real].groupby(["dataset", "metric", "generator"], sort=False)["value"]
    tail = (1 - level) / 2
    ends = pd.DataFrame({"low": lines.quantile(tail), "high": lines.quantile(1 - tail)})
    band = ends.groupby(["dataset", "metric"]).agg({"low": "min", "high": "max"})
    scores = frame[~real].join(band, on=["dataset", "metric"])
    return scores.reset_index(drop=True), frame[real].reset_index(drop=True)


class Summary:
    """The means of a scoreboard as a table; HTML where it can be shown.

    Parameters
    ----------
    board : Scoreboard
        The scores.

    Attributes
    ----------
    table : pandas.DataFrame
        Text: a line for each dataset and generator, and for the noise band of each dataset.
    """

    def __init__(self, board):
        lines = {}
        for row in board.means().itertuples():
            band = lines.setdefault((row.dataset, "real rows: noise band"), {})
            band[row.metric] = f"{row.low:.3g} to {row.high:.3g}"
            copies = " (copies rows)" if row.generator in board.copying else ""
            line = lines.setdefault((row.dataset, row.generator + copies), {})
            line[row.metric] = f"{row.value:.3g}{_MARKS[row.verdict]}"
        self.table = pd.DataFrame(
            [[line.get(metric, "") for metric in board.metrics] for line in lines.values()],
            index=pd.MultiIndex.from_tuples(lines, names=["dataset", "generator"]),
            columns=list(board.metrics),
        )

    def __repr__(self):
        return f"{self.table.to_string()}\n{_LEGEND}"

    def _repr_html_(self):
        names = ("dataset", "generator", *self.table.columns)
        body = "".join(
            f'<tr><td>{escape(dataset)}</td><th scope="row">{escape(generator)}</th>'
            + "".join(f"<td>{_cell(text)}</td>" for text in line)
            + "</tr>"
            for (dataset, generator), line in zip(
                self.table.index, self.table.to_numpy(), strict=True
            )
        )
        return html.table(
            "runproof-scoreboard",
            f"Mean scores over the splits. {_LEGEND}",
            html.header(str(name).replace("_", " ") for name in names),
            body,
            label="Scoreboard of generators",
        )


_MARKS = {"within": "", "better": " ▲", "worse": " ▼", "none": ""}
_WORDS = {"▲": "better", "▼": "worse"}
_LEGEND = "▲ better than the noise band, ▼ worse, no mark: within."


def _cell(text):
    for mark, word in _WORDS.items():
        if text.endswith(mark):
            value = escape(text[: -len(mark)])
            return f'{value}<span role="img" aria-label="{word} than noise">{mark}</span>'
    return escape(text)


def _plot(board, fidelity, privacy, dataset, ax):
    import matplotlib.pyplot as plt

    from runproof import figures

    means = board.means()
    dataset = means["dataset"].iloc[0] if dataset is None else dataset
    means = means[means["dataset"] == dataset]
    if means.empty:
        raise ValueError(f"dataset must be among {list(board.frame['dataset'].unique())}")
    picked = {}
    for axis, metric in (("x", fidelity), ("y", privacy)):
        rows = means[means["metric"] == metric].set_index("generator")
        if rows.empty:
            raise ValueError(f"there is no metric {metric!r}; there are {list(board.metrics)}")
        picked[axis] = rows
    ax = plt.subplots(figsize=(8.4, 4.2))[1] if ax is None else ax
    for axis, span in (("x", ax.axvspan), ("y", ax.axhspan)):
        low, high = picked[axis][["low", "high"]].iloc[0]
        span(low, high, color=figures.REFERENCE, alpha=0.18, linewidth=0)
    for place, name in enumerate(picked["x"].index):
        ax.plot(
            picked["x"]["value"][name],
            picked["y"]["value"][name],
            linestyle="none",
            marker=_SHAPES[place % len(_SHAPES)],
            color=figures.COLORS[place % len(figures.COLORS)],
            markersize=8,
            label=f"{name} (copies rows)" if name in board.copying else name,
        )
    ax.set_xlabel(_axis_label(fidelity, board.metrics[fidelity]))
    ax.set_ylabel(_axis_label(privacy, board.metrics[privacy]))
    ax.set_title(f"{dataset}: grey bands are real rows against real rows")
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize="small")
    return ax


_SHAPES = "osD^vPX*<>hd"


def _axis_label(name, metric):
    good = {"low": "lower is better", "high": "higher is better"}
    ideal = good.get(metric.better) or f"ideal: {_IDEALS[metric.better]:g}"
    return f"{name.replace('_', ' ')} (no unit; {ideal})"
