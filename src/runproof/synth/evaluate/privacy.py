"""Does a synthetic table give its training rows away? Two tests and two attacks.

All of them can find a leak, and none can prove that there is none: each looks for one sign.
"""

from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist
from scipy.special import gammaln, logsumexp
from scipy.stats import mannwhitneyu, norm
from sklearn.metrics import roc_auc_score, roc_curve

from runproof.synth.evaluate.fidelity import auc_error
from runproof.synth.space import MixedSpace, at_most, encode
from runproof.validation import number, one_of, random_generator, whole_number

ATTACKS = ("distance", "density")
ALTERNATIVES = ("greater", "less", "two-sided")
_BLOCK = 2_000_000
_TREE = 8  # numeric columns: with more of them a k-d tree visits nearly all its leaves
_FLOOR = 1e-20  # of an exact p-value: below it rounding decides
_WIDTH = 0.25  # of the gap between neighbors: narrow, since a leak is a peak


class HoldoutShare(NamedTuple):
    """What `holdout_share` returns.

    Attributes
    ----------
    value : float
        The share of synthetic rows whose closest real row is a training row.
    expected : float
        The share if the split means nothing to them: that of the training rows.
    se : float
        Standard error of `value` in that case.
    p_value : float
        Chance of such a share or a larger one in that case, by the normal law.
    """

    value: float
    expected: float
    se: float
    p_value: float


class TailTest(NamedTuple):
    """What `tail_test` returns.

    Attributes
    ----------
    value : float
        The largest standardized excess of training rows among the closest real rows; 0 if
        all distances are equal.
    p_value : float
        Exact chance of such a value or a larger one if the split means nothing to the
        synthetic table. At least 1e-20.
    closest : int
        The number of closest real rows at which the value is reached.
    members : float
        The number of training rows among these. Rows at the same distance share what is
        left of the places.
    """

    value: float
    p_value: float
    closest: int
    members: float


class Attack(NamedTuple):
    """What `membership_attack` returns.

    Attributes
    ----------
    auc : float
        Chance that a member scores higher than a nonmember; 0.5 for a guess.
    se : float
        Its standard error (Hanley and McNeil).
    p_value : float
        Chance of such an area or a larger one by guessing (Mann and Whitney).
    tpr : float
        Share of members found at a false positive rate of at most `fpr`.
    """

    auc: float
    se: float
    p_value: float
    tpr: float


def holdout_share(synthetic, train, holdout):
    """Return the share of synthetic rows that are closer to a training than to a holdout row.

    A generator that has learned the law and no row has no reason to prefer either. The error
    comes from relabelling the real rows: a real row that is closest to many synthetic ones
    counts once with all of them, which a binomial test would overlook. Real rows that are
    equal share what falls to them. Distances are Gower's, ranges those of all real rows.

    What it cannot show: a leak of a few rows disappears in the mean. A table that avoids
    training rows, or adds noise wider than the gaps between them, passes while its density
    may still tell members from others.

    Parameters
    ----------
    synthetic, train, holdout : pandas.DataFrame
        Same columns and dtypes. The generator saw `train` and not `holdout`; both are random
        parts of one table.

    Returns
    -------
    HoldoutShare
        `value`, `expected`, `se` and `p_value`.

    Raises
    ------
    TypeError, ValueError
        If the tables do not match, or are no tables.

    References
    ----------
    M. Platzer, T. Reutterer, "Holdout-Based Empirical Assessment of Mixed-Type Synthetic
    Data", Frontiers in Big Data 4, 2021.
    """
    schema, (new, seen, fresh) = encode(synthetic=synthetic, train=train, holdout=holdout)
    space = MixedSpace.of(schema, seen, fresh)
    points = space.points(np.concatenate([seen, fresh]))[0]
    different, group, size = np.unique(points, axis=0, return_inverse=True, return_counts=True)
    group = group.ravel()
    hits = np.bincount(
        _closest(space.points(new)[0], different, space)[1], minlength=len(different)
    )
    weight = (hits / size)[group] / len(new)  # of each real row
    n, total = len(seen), len(points)
    variance = n * (total - n) / (total * (total - 1)) * ((weight - 1 / total) ** 2).sum()
    value, expected, se = float(weight[:n].sum()), n / total, float(np.sqrt(variance))
    p_value = float(norm.sf((value - expected) / se)) if se else 1.0
    return HoldoutShare(value, expected, se, p_value)


def tail_test(synthetic, train, holdout, first=4, alternative="greater"):
    """Count the training rows among the real rows that are closest to a synthetic one.

    A generator that copies a few rows gives a few people away, and a mean over all people
    hardly moves. So look at the real rows with the smallest distances to the synthetic
    table: the closest `first`, then twice as many, and so on up to half of all. The excess
    of training rows over what the split leads to expect is divided by its standard error,
    and the largest of these numbers is the statistic.

    If the split means nothing to the table, all orders of the real rows are equally likely,
    and the counts are a chain of hypergeometric draws. The p-value sums its paths: it is
    exact for any two sizes and any ties, so no random number is drawn. Real rows at the same
    distance share the places that are left. Distances are Gower's, ranges those of all real
    rows. By default the test is one-sided.

    What it cannot show: who is a member, a copy whose noise is wider than the gaps between
    people, and a leak in anything but closeness. One-sided, it passes a table that keeps
    away from its training rows; "two-sided" looks for both. Rows must have been split at
    random one by one: where a person has several, split by person and keep one row of each.

    Parameters
    ----------
    synthetic, train, holdout : pandas.DataFrame, shapes (k, d), (n, d) and (m, d)
        Same columns and dtypes. The generator saw `train` and not `holdout`; both are random
        parts of one table.
    first : int
        The smallest number of closest rows to look at, from 1 to half of all real rows.
    alternative : {"greater", "less", "two-sided"}
        "greater": training rows are too close. "less": they are kept at a distance, as by a
        filter. "two-sided": either, by the largest absolute value.

    Returns
    -------
    TailTest
        `value`, `p_value`, `closest` and `members`.

    Raises
    ------
    TypeError, ValueError
        If the tables do not match, or are no tables, or an argument is out of range.

    References
    ----------
    The test is this book's. It is a kin of higher criticism: D. Donoho, J. Jin, "Higher
    criticism for detecting sparse heterogeneous mixtures", Annals of Statistics 32, 962-994,
    2004.

    Examples
    --------
    Seven people of 300 are copied:

    >>> import numpy as np
    >>> import pandas as pd
    >>> from runproof.synth.evaluate import tail_test
    >>> rng = np.random.default_rng(1)
    >>> train, holdout, new = (pd.DataFrame(rng.normal(size=(300, 3))) for _ in range(3))
    >>> new.iloc[:7] = train.iloc[:7]
    >>> found = tail_test(new, train, holdout)
    >>> found.closest, found.members, bool(found.p_value < 0.05)
    (8, 8.0, True)
    """
    one_of("alternative", alternative, ALTERNATIVES)
    first = whole_number("first", first, 1)
    schema, (new, seen, fresh) = encode(synthetic=synthetic, train=train, holdout=holdout)
    total = len(seen) + len(fresh)
    if 2 * first > total:
        raise ValueError(
            f"first must be at most half of the {total} rows of train and holdout, got {first}"
        )
    space = MixedSpace.of(schema, seen, fresh)
    distances = nearest_uncapped(space, np.concatenate([seen, fresh]), new)
    return _tail(distances, np.arange(total) < len(seen), first, alternative)


def _tail(distances, member, first, alternative):
    """Return the TailTest of distances and labels."""
    order = np.argsort(distances, kind="stable")
    ordered, total, n = distances[order], len(member), int(member.sum())
    hits = np.concatenate([[0], np.cumsum(member[order])])
    # Equal up to rounding is equal: such rows are one group, from `start` to `end`.
    cuts = np.flatnonzero(np.diff(ordered) > 1e-9 * ordered[1:]) + 1
    cuts = np.concatenate([[0], cuts, [total]])
    counts = first * 2 ** np.arange(int(np.log2(total / (2 * first))) + 1)
    group = np.searchsorted(cuts, counts) - 1
    start, end = cuts[group], cuts[group + 1]
    part = (counts - start) / (end - start)  # of the group that is among the closest
    members = (1 - part) * hits[start] + part * hits[end]
    if end[0] - start[0] == total:
        return TailTest(0.0, 1.0, int(counts[0]), float(members[0]))
    weights = start + part**2 * (end - start) - counts**2 / total
    error = np.sqrt(n * (total - n) / (total * (total - 1)) * weights)
    excess = _signed((members - counts * n / total) / error, alternative)
    best = int(excess.argmax())
    groups = {}
    for a, b, *check in zip(start, end, part, counts * n / total, error, strict=True):
        groups.setdefault((a, b), []).append(check)
    chance = _crossing(total, n, groups, excess[best] - 1e-9, alternative)
    return TailTest(float(excess[best]), chance, int(counts[best]), float(members[best]))


def _signed(excess, alternative):
    """Return excesses so that large ones speak for the alternative."""
    return {"greater": excess, "less": -excess, "two-sided": np.abs(excess)}[alternative]


def _crossing(total, n, groups, limit, alternative):
    """Return the chance that random labels reach the limit at one of the levels or more.

    The number of members among the closest rows is a Markov chain. Its states are carried
    from group to group, and paths that reach the limit are taken out and added up.
    """
    logs = gammaln(np.arange(total + 1) + 1.0)
    here, low, chance, found = 0, 0, np.ones(1), 0.0
    for (start, end), checks in groups.items():
        for there, tests in ((start, ()), (end, checks)):
            if there == here:
                continue
            hits = _reach(there, total, n, low)
            carried = np.zeros(len(hits))
            step = max(1, _BLOCK // len(hits))  # states at a time
            for i in range(0, len(chance), step):
                old = low + np.arange(i, min(i + step, len(chance)))[:, None]
                paths = chance[i : i + step, None] * _drawn(old, hits, here, there, total, n, logs)
                for part, mean, error in tests:
                    members = (1 - part) * old + part * hits
                    reached = _signed((members - mean) / error, alternative) >= limit
                    found += paths[reached].sum()
                    paths[reached] = 0
                carried += paths.sum(axis=0)
            here, low, chance = there, hits[0], carried
    return float(np.clip(found, _FLOOR, 1))


def _reach(rows, total, n, low):
    """Return the numbers of members among so many rows that have a chance to speak of."""
    mean = rows * n / total
    wide = 12 * np.sqrt(mean * (1 - n / total)) + 40
    return np.arange(
        max(low, n + rows - total, int(mean - wide)), min(n, rows, int(mean + wide)) + 1
    )


def _drawn(old, hits, here, there, total, n, logs):
    """Return the hypergeometric chance of so many hits after `there` rows, given the old."""
    rest, drawn, good, new = total - here, there - here, n - old, hits - old
    bad, miss = rest - good, drawn - new
    possible = (new >= 0) & (new <= good) & (miss >= 0) & (miss <= bad)
    good, bad, new, miss = (np.where(possible, v, 0) for v in (good, bad, new, miss))
    exponent = logs[good] - logs[new] - logs[good - new] + logs[bad] - logs[miss] - logs[bad - miss]
    exponent -= logs[rest] - logs[drawn] - logs[rest - drawn]
    return np.where(possible, np.exp(exponent), 0.0)


def membership_attack(
    synthetic,
    members,
    nonmembers,
    kind="distance",
    reference=None,
    fpr=0.01,
    max_rows=5000,
    random_state=None,
):
    """Guess from the synthetic table alone who was in the training table.

    "distance": the closer a synthetic row, the more likely a member.
    "density": the higher the density of synthetic rows at a person, compared with that of
    other real people, the more likely a member. Both are kernel estimates with the kernel
    exp(-distance / h), h a quarter of the median distance between closest neighbors in the
    reference. The comparison spares the attacker from taking everyone in a crowd for a member.

    What they cannot show: an attacker who knows the generator, many of its tables, or part
    of the training table can do better. An area of 0.5 is a mean over people: look at `tpr`
    for the few who are given away for certain. A leak smaller than the error stays unseen.

    Parameters
    ----------
    synthetic : pandas.DataFrame
        The table published.
    members, nonmembers : pandas.DataFrame
        Same columns and dtypes: training rows, and rows of the same law that are not.
    kind : {"distance", "density"}
        The attack.
    reference : pandas.DataFrame, optional
        For "density": real rows that are neither. Otherwise half of the nonmembers serve,
        drawn at random, and the other half are attacked.
    fpr : float
        False positive rate of `tpr`, between 0 and 1.
    max_rows : int or None
        Of larger tables so many rows are drawn, of the synthetic one too: an attacker who
        sees less of it finds fewer members. None takes all.
    random_state : None, int, SeedSequence, BitGenerator or Generator
        For these draws.

    Returns
    -------
    Attack
        `auc`, `se`, `p_value` and `tpr`.

    Raises
    ------
    TypeError, ValueError
        If the tables do not match, are no tables or too small, or an argument is out of range.

    References
    ----------
    "density": B. van Breugel, H. Sun, Z. Qian, M. van der Schaar, "Membership Inference
    Attacks against Synthetic Data through Overfitting Detection", AISTATS 2023.
    """
    one_of("kind", kind, ATTACKS)
    fpr = number("fpr", fpr, 0, 1, "()")
    if max_rows is not None:
        max_rows = whole_number("max_rows", max_rows, 4)
    tables = {"synthetic": synthetic, "members": members, "nonmembers": nonmembers}
    if reference is not None:
        if kind != "density":
            raise ValueError("reference is for kind='density' only")
        tables["reference"] = reference
    schema, codes = encode(**tables)
    rng = random_generator(random_state)
    new, inside, outside, *others = (at_most(rows, max_rows, rng) for rows in codes)
    if kind == "density" and not others:
        if len(outside) < 4:
            raise ValueError(f"nonmembers must have at least 4 rows, got {len(outside)}")
        outside, other = np.array_split(rng.permutation(outside), 2)
        others = [other]
    space = MixedSpace.of(schema, inside, outside, *others)
    if kind == "distance":
        scores = [-nearest_uncapped(space, rows, new) for rows in (inside, outside)]
    else:
        scores = _density_scores(space, new, others[0], inside, outside)
    return _attack(*scores, fpr)


def nearest_uncapped(space, queries, records):
    """Return the L1 distance of each query to the closest record, in one space."""
    return _closest(space.points(queries)[0], space.points(records)[0], space)[0]


def _closest(points, targets, space):
    """Return the L1 distance of each point to the closest target, and which one that is."""
    if sum(size == 0 for _, _, size, _ in space.columns) <= _TREE:
        return cKDTree(targets).query(points, p=1)
    distances, which = np.empty(len(points)), np.empty(len(points), int)
    step = max(1, _BLOCK // len(targets))
    for start in range(0, len(points), step):
        block = cdist(points[start : start + step], targets, "cityblock")
        which[start : start + step] = block.argmin(axis=1)
        distances[start : start + step] = block.min(axis=1)
    return distances, which


def _density_scores(space, new, other, *attacked):
    targets = [space.points(rows)[0] for rows in (new, other)]
    gaps = cKDTree(targets[1]).query(targets[1], k=2, p=1)[0][:, 1]
    width = _WIDTH * (np.median(gaps) or gaps.mean() or 1.0)
    return [
        _log_density(points, targets[0], width) - _log_density(points, targets[1], width)
        for points in (space.points(rows)[0] for rows in attacked)
    ]


def _log_density(points, targets, width):
    """Return the logarithm of the mean kernel, up to a constant."""
    found = np.empty(len(points))
    step = max(1, _BLOCK // len(targets))
    for start in range(0, len(points), step):
        block = slice(start, start + step)
        distances = cdist(points[block], targets, "cityblock")
        found[block] = logsumexp(-distances / width, axis=1)
    return found - np.log(len(targets))


def _attack(inside, outside, fpr):
    scores = np.concatenate([inside, outside])
    label = np.repeat([1, 0], [len(inside), len(outside)])
    auc = float(roc_auc_score(label, scores))
    test = mannwhitneyu(inside, outside, alternative="greater", method="asymptotic")
    false, true, _ = roc_curve(label, scores, drop_intermediate=False)
    tpr = float(true[false <= fpr].max())
    return Attack(auc, auc_error(auc, len(outside), len(inside)), float(test.pvalue), tpr)
