"""Does a synthetic table give its training rows away? Two tests, two attacks.

All of them can find a leak, and none can prove that there is none: each looks for one sign.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist
from scipy.special import logsumexp
from scipy.stats import mannwhitneyu, norm
from sklearn.metrics import roc_auc_score, roc_curve

from runproof.checks import whole_number
from runproof.synth.evaluate._frames import MixedSpace, at_most, encode
from runproof.synth.evaluate.fidelity import auc_error
from runproof.synth.table import random_generator

ATTACKS = ("distance", "density")
_BLOCK = 2_000_000
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
        cKDTree(different).query(space.points(new)[0], p=1)[1], minlength=len(different)
    )
    weight = (hits / size)[group] / len(new)  # of each real row
    n, total = len(seen), len(points)
    variance = n * (total - n) / (total * (total - 1)) * ((weight - 1 / total) ** 2).sum()
    value, expected, se = float(weight[:n].sum()), n / total, float(np.sqrt(variance))
    p_value = float(norm.sf((value - expected) / se)) if se else 1.0
    return HoldoutShare(value, expected, se, p_value)


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
    if kind not in ATTACKS:
        raise ValueError(f"kind must be one of {ATTACKS}, got {kind!r}")
    if not 0 < fpr < 1:
        raise ValueError(f"fpr must lie between 0 and 1, got {fpr!r}")
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
    return cKDTree(space.points(records)[0]).query(space.points(queries)[0], p=1)[0]


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
