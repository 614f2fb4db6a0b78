"""The stored scores of the Scoreboard page: what they are called, how they are read and ranked."""

import math
from statistics import fmean

from scipy.stats import binom

from runproof.synth.scoreboard import excess, paired

# Metric, name on the page. The privacy metrics get no star: inside their band nothing is left
# to win, and beyond it a table is far from the training rows because it is far from all rows.
GROUPS = {
    "Fidelity": {
        "two_sample_auc": "two-sample AUC",
        "column_ks": "column KS",
        "ks": "joint KS",
        "association": "association",
    },
    "Utility": {"tstr": "TSTR"},
    "Privacy": {
        "dcr_ratio": "DCR ratio",
        "holdout_share": "holdout share",
        "distance_attack": "distance attack",
        "density_attack": "density attack",
        "tail_test": "tail test",
    },
}
METRICS = {metric: name for group in GROUPS.values() for metric, name in group.items()}
ATTACKS = ("distance_attack", "density_attack")
LINES = {"fresh": "never seen by a generator", "redrawn": "half of the training rows"}
TAIL, SIGNIFICANT = "tail_test", 0.05
COLUMNS = {"w1_test": "W1", "coverage_test": "coverage", "f1": "F1", "dcr_ratio": "DCR ratio"}
COPY, BOOTSTRAP = "training copy", "Bootstrap"
GAN, SOURCE_GAN = "GAN", "GAN, after the source"
FOREST, COOL_FOREST = "ForestFlow", "ForestFlow, auto temperature"


def number(value, digits=3):
    """Return a number as text; it must be one, and finite."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no finite number")
    return f"{value:.{digits}f}".replace("-", "−")


def mean(line, metric):
    """Return the mean of a score of one generator on one table."""
    value = line["scores"][metric]["mean"]
    number(value)
    return value


def values(line, metric):
    """Return a score of one generator in each split."""
    return line["scores"][metric]["values"]


def difference(one, other, metric, table):
    """Return how much worse one generator is than another, paired by split.

    Only splits that both met count. They are numbered, and everyone begins with the first.
    """
    one, other = values(one, metric), values(other, metric)
    common = min(len(one), len(other))
    return paired(one[:common], other[:common], table["metrics"][metric]["better"])


def ranking(table, metric):
    """Return the line of the best generator that copies no rows, and those not told from it.

    Of those with this score that met all splits: a mean over fewer is another mean.
    """
    better = table["metrics"][metric]["better"]
    most = max(line["splits"] for line in table["generators"])
    models = [
        line
        for line in table["generators"]
        if not line["copies_rows"]
        and line["splits"] == most
        and line["scores"][metric]["mean"] is not None
    ]
    best = min(models, key=lambda line: fmean(excess(v, better) for v in values(line, metric)))
    level = [
        line
        for line in models
        if line is not best and difference(line, best, metric, table).low <= 0
    ]
    return best, level


def leaks(line, metrics):
    """Whether one of these metrics has a mark against a generator."""
    return any(line["scores"][metric]["verdict"] == "worse" for metric in metrics)


def lines_of(tables, name):
    """Return (table, line) of a generator for each table that has it."""
    return [(t, line) for t in tables for line in t["generators"] if line["generator"] == name]


def both(tables, one, other):
    """Return (table, line of one, line of the other) for each table that has both."""
    others = {table["table"]: line for table, line in lines_of(tables, other)}
    return [
        (table, line, others[table["table"]])
        for table, line in lines_of(tables, one)
        if table["table"] in others
    ]


def off(line):
    """Return how far the two-sample AUC is from one half."""
    return abs(mean(line, "two_sample_auc") - 0.5)


def span(values):
    """Return the range of values as text."""
    return f"{number(min(values))} to {number(max(values))}"


def listing(parts):
    """Join parts as in a sentence."""
    *most, last = parts
    mark = ";" if any("," in part for part in [*most, last]) else ","
    return f"{f'{mark} '.join(most)}{mark if mark == ';' else ''} and {last}" if most else last


def outside(value, band):
    """Return how far a value lies outside a band."""
    return max(band[0] - value, value - band[1])


def names(lines):
    """Return the names of generators."""
    return [line["generator"] for line in lines]


def datasets(protocol):
    """Return the names of the tables of the protocol."""
    return list(protocol["rows"][0]["scores"])


def copy_of(protocol, published=False):
    """Return the line of the copy of the training rows, ours or the published one."""
    return next(
        line
        for line in protocol["rows"]
        if line["generator"] == COPY and line["published"] == published
    )


def published(protocol):
    """Return the lines of the published generators."""
    return [x for x in protocol["rows"] if x["published"] and x["generator"] != COPY]


def least_dcr(line, sets):
    """Return the smallest DCR ratio of a generator of ours."""
    return min(line["scores"][d]["dcr_ratio"] for d in sets)


def w1(line, dataset):
    """Return the Wasserstein distance to the test rows."""
    return line["scores"][dataset]["w1_test"]


def shown(name):
    """Return the name of a dataset as a reader writes it."""
    return name.replace("_", " ")


def false_alarms(splits):
    """Return the chance of a mark by the tail test without a leak."""
    chances = [float(binom.sf(few - 1, splits, SIGNIFICANT)) for few in range(splits + 2)]
    return next(chance for chance in chances if chance <= SIGNIFICANT)


def below(line):
    """Return the number of splits in which the tail test has a small p-value."""
    return sum(p < SIGNIFICANT for p in line["scores"][TAIL]["p"])
