"""Distances between tables of mixed types: nearest records, transport, coverage."""

import os
import warnings
from typing import NamedTuple
from unittest import mock

import numpy as np
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from runproof.synth.space import MixedSpace, at_most, encode
from runproof.validation import random_generator, require_memory, whole_number

_BLOCK = 2_000_000  # distances computed at a time


class CoverageDensity(NamedTuple):
    """What `coverage_density` returns."""

    coverage: float
    density: float


def closest_record_distance(table, reference):
    """Return the distance of each row of a table to the closest row of another.

    The distance of two rows is the mean over the columns of Gower's: the difference of two
    numbers over the range in `reference`, at most 1; 0 or 1 for categories; 1 where one of
    two values is missing. This is SDMetrics' "distance to closest record". In these
    coordinates it is an L1 norm, so a k-d tree finds the rows; those outside the range of the
    reference are compared one by one.

    A small distance alone shows no leak: compare with `dcr_ratio` or `holdout_share`.

    Parameters
    ----------
    table, reference : pandas.DataFrame, shapes (n, d) and (m, d)
        Same columns and dtypes.

    Returns
    -------
    ndarray, shape (n,)
        Between 0 and 1.

    Raises
    ------
    TypeError, ValueError
        If the tables do not match, or are no tables.
    """
    schema, (queries, records) = encode(table=table, reference=reference)
    return nearest(MixedSpace.of(schema, records), queries, records) / len(schema)


def nearest(space, queries, records):
    """Return the L1 distance of each query to the closest record; both are codes."""
    (points, outside), (targets, _) = space.points(queries), space.points(records)
    distances = np.empty(len(points))
    inside = ~outside
    if inside.any():
        distances[inside] = closest(points[inside], targets)
    if outside.any():
        distances[outside] = _nearest_capped(space, queries[outside], records)
    return distances


def closest(points, targets):
    """Return the L1 distance of each point to the closest of the targets."""
    return cKDTree(targets).query(points, p=1)[0]


def closer(distances, radii):
    """Return where distances are less than radii; equal up to rounding is not less."""
    return distances < radii * (1 - 1e-9)


def _nearest_capped(space, queries, records):
    """Compare row by row: a column counts 1 at most, which is no norm."""
    found = np.empty(len(queries))
    step = max(1, _BLOCK // len(records))
    for start in range(0, len(queries), step):
        block = queries[start : start + step]
        total = np.zeros((len(block), len(records)))
        for (_, span, size, _), a, b in zip(space.columns, block.T, records.T, strict=True):
            if size or not span:
                differ = (a[:, None] != b).astype(float)
            else:
                differ = np.minimum(np.abs(a[:, None] - b) / span, 1)
            gaps = np.isnan(a)[:, None] + np.isnan(b).astype(int)
            total += np.where(gaps == 0, differ, gaps == 1)
        found[start : start + step] = total.min(axis=1)
    return found


def dcr_ratio(synthetic, train, holdout):
    """Return how far synthetic rows keep from the training rows, against fresh real rows.

    The median distance from a synthetic row to its closest training row, over the same for
    holdout rows. About 1: as far as new people are. Near 0: copies.

    What it cannot show: a ratio of 1 is no proof of privacy. It is about the median row, and
    a generator that copies one row in three, or only outliers, passes. It also rewards noise
    of no use. "The DCR Delusion" (Yao et al., 2025, arXiv:2505.01524) shows tables that pass
    and leak: run `membership_attack` as well.

    Parameters
    ----------
    synthetic, train, holdout : pandas.DataFrame
        Same columns and dtypes. The generator saw `train` and not `holdout`.

    Returns
    -------
    float
        Infinite if more than half of the holdout rows stand in the training table, and
        synthetic rows do not; 1 if both do.

    Raises
    ------
    TypeError, ValueError
        If the tables do not match, or are no tables.
    """
    schema, (new, seen, fresh) = encode(synthetic=synthetic, train=train, holdout=holdout)
    space = MixedSpace.of(schema, seen)
    return ratio_of_medians(nearest(space, new, seen), nearest(space, fresh, seen))


def ratio_of_medians(distances, reference):
    """Return a ratio of medians, where both may be 0."""
    numerator, denominator = np.median(distances), np.median(reference)
    if denominator == 0:
        return 1.0 if numerator == 0 else np.inf
    return float(numerator / denominator)


def wasserstein1(real, synthetic, max_rows=5000, random_state=None):
    """Return the exact Wasserstein-1 distance of two tables.

    The least mean distance over which the rows of one table must be moved to become the
    other. The distance of two rows is Gower's, summed over the columns, with the ranges of
    `real`: the ground cost of ForestDiffusion's evaluation, solved by POT.

    What it cannot show: its optimum against a training table is a copy of that table, and
    against a holdout table the training table is hard to beat. It says nothing of privacy.

    Parameters
    ----------
    real, synthetic : pandas.DataFrame
        Same columns and dtypes.
    max_rows : int or None
        Of larger tables so many rows are drawn, since the work grows with the cube of the
        rows and the memory with their square.
    random_state : None, int, SeedSequence, BitGenerator or Generator
        For that draw.

    Returns
    -------
    float
        Between 0 and the number of columns, if no synthetic value is out of range.

    Raises
    ------
    TypeError, ValueError
        If the tables do not match, or are no tables.
    MemoryError
        If the matrix of distances does not fit.
    """
    if max_rows is not None:
        max_rows = whole_number("max_rows", max_rows, 2)
    schema, (a, b) = encode(real=real, synthetic=synthetic)
    space, rng = MixedSpace.of(schema, a), random_generator(random_state)
    points = [at_most(space.points(codes)[0], max_rows, rng) for codes in (a, b)]
    return transport(*points)


def transport(a, b):
    """Return the mean L1 distance under the best plan between two sets of points."""
    require_memory(f"the distances of {len(a)} and {len(b)} rows", 24 * len(a) * len(b))
    weights = [np.full(len(points), 1 / len(points)) for points in (a, b)]
    return float(_pot().emd2(*weights, cdist(a, b, "cityblock"), numItermax=10_000_000))


def _pot():
    # POT loads every array library it finds, jax for seconds, unless told not to. Python
    # warns of its escape sequences when it compiles POT for the first time.
    names = ("JAX", "PYTORCH", "TENSORFLOW", "CUPY")
    switched_off = {f"POT_BACKEND_DISABLE_{name}": "1" for name in names}
    with mock.patch.dict(os.environ, switched_off), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import ot
    return ot


def coverage_density(real, synthetic, k=5):
    """Return coverage and density, the two halves of likeness: variety and plausibility.

    Around each real row lies a ball that reaches to its k-th nearest real neighbor (Gower's
    distance). Coverage is the share of balls that hold a synthetic row; density is the mean
    number of balls around a synthetic row, over k. Both are about 1 for a fresh sample of the
    same law, the coverage a little less: 1 - 2^-k.

    What they cannot show: a copy of the real table scores best.

    Parameters
    ----------
    real, synthetic : pandas.DataFrame
        Same columns and dtypes.
    k : int
        At least 1 and less than the number of real rows.

    Returns
    -------
    CoverageDensity
        Two floats, `coverage` and `density`.

    Raises
    ------
    TypeError, ValueError
        If the tables do not match, or are no tables, or k is out of range.

    References
    ----------
    M. F. Naeem et al., "Reliable Fidelity and Diversity Metrics for Generative Models",
    ICML 2020.
    """
    k = whole_number("k", k, 1)
    schema, (a, b) = encode(real=real, synthetic=synthetic)
    if k >= len(a):
        raise ValueError(f"k must be less than the number of real rows, {len(a)}, got {k}")
    space = MixedSpace.of(schema, a)
    points, others = space.points(a)[0], space.points(b)[0]
    radii = neighbor_radii(points, k)
    inside = np.empty(len(points), np.int64)
    step = max(1, _BLOCK // len(others))
    for start in range(0, len(points), step):
        block = slice(start, start + step)
        distances = cdist(points[block], others, "cityblock")
        inside[block] = closer(distances, radii[block, None]).sum(axis=1)
    return CoverageDensity(float((inside > 0).mean()), float(inside.sum() / (k * len(others))))


def neighbor_radii(points, k):
    """Return the L1 distance of each point to its k-th nearest other point."""
    return cKDTree(points).query(points, k=[k + 1], p=1)[0][:, 0]
