"""Local kriging and Vecchia's likelihood, against dense linear algebra written out here."""

import math
from itertools import pairwise

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.spatial import cKDTree

from runproof.kriging import local, vecchia
from runproof.kriging.covariances import Covariance
from runproof.kriging.local import nearest_sites, predict_local
from runproof.kriging.vecchia import fit_vecchia, vecchia_log_likelihood

KINDS = ["spherical", "exponential", "gaussian", "matern32", "matern52"]
TRENDS = ["zero", "constant", "linear"]


def correlations(kind, a, b, range_):
    """The correlation functions, written down once more."""
    h = np.linalg.norm(a[:, None, :] - b[None, :, :], axis=2) / range_
    return {
        "spherical": np.where(h < 1, 1 - 1.5 * h + 0.5 * h**3, 0),
        "exponential": np.exp(-h),
        "gaussian": np.exp(-(h**2)),
        "matern32": (1 + 3**0.5 * h) * np.exp(-(3**0.5) * h),
        "matern52": (1 + 5**0.5 * h + 5 / 3 * h**2) * np.exp(-(5**0.5) * h),
    }[kind]


def trend(points, kind):
    columns = [np.ones(len(points)), *points.T]
    return np.transpose(columns[: {"zero": 0, "constant": 1, "linear": None}[kind]]).reshape(
        len(points), -1
    )


def universal_kriging(sites, values, drift, targets, target_drift, law):
    """Mean and variance from the textbook's system with Lagrange multipliers."""
    n, p = drift.shape
    system = np.zeros((n + p, n + p))
    system[:n, :n] = law.sill * correlations(law.kind, sites, sites, law.range_)
    system[:n, :n] += law.nugget * np.eye(n)
    system[:n, n:], system[n:, :n] = drift, drift.T
    right = np.vstack(
        [law.sill * correlations(law.kind, sites, targets, law.range_), target_drift.T]
    )
    weights = np.linalg.solve(system, right)
    return weights[:n].T @ values, law.sill - (weights * right).sum(axis=0)


def log_likelihood(sites, values, drift, law, reml):
    n, p = drift.shape
    matrix = law.sill * correlations(law.kind, sites, sites, law.range_) + law.nugget * np.eye(n)
    inverse = np.linalg.inv(matrix)
    normal = drift.T @ inverse @ drift
    rest = values - drift @ np.linalg.solve(normal, drift.T @ inverse @ values)
    total = n * math.log(2 * math.pi) + np.linalg.slogdet(matrix)[1] + rest @ inverse @ rest
    if reml:
        total -= p * math.log(2 * math.pi)
        total += np.linalg.slogdet(normal)[1] - np.linalg.slogdet(drift.T @ drift)[1]
    return -total / 2


def scattered(n, seed=0, m=0):
    """Sites, values with a trend, targets."""
    rng = np.random.default_rng(seed)
    sites, targets = rng.uniform(size=(n, 2)), rng.uniform(size=(m, 2))
    return sites, rng.normal(size=n) + 3 + sites @ [1, -2], targets


def field(n, law, seed=0):
    """Sites and values of a Gaussian field with a known law and mean 3."""
    rng = np.random.default_rng(seed)
    sites = rng.uniform(size=(n, 2))
    matrix = law.sill * correlations(law.kind, sites, sites, law.range_) + law.nugget * np.eye(n)
    return sites, 3 + np.linalg.cholesky(matrix) @ rng.normal(size=n)


# Local kriging


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("basis", TRENDS)
def test_all_neighbors_are_full_kriging(kind, basis):
    sites, values, targets = scattered(80, 1, 40)
    law = Covariance(kind, 2.0, 0.3, 0.05)
    given = sites, values, trend(sites, basis), targets, trend(targets, basis)
    mean, variance = predict_local(*given, law, 80)
    expected, spread = universal_kriging(*given, law)
    np.testing.assert_allclose(mean, expected, rtol=0, atol=1e-8)
    np.testing.assert_allclose(variance, spread, rtol=0, atol=1e-8)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("basis", TRENDS)
def test_each_target_is_full_kriging_of_its_neighbors(kind, basis):
    sites, values, targets = scattered(200, 2, 25)
    law = Covariance(kind, 0.5, 0.2, 0.01)
    mean, variance = predict_local(
        sites, values, trend(sites, basis), targets, trend(targets, basis), law, 17
    )
    for i, place in enumerate(targets):
        near = np.argsort(np.linalg.norm(sites - place, axis=1))[:17]
        given = sites[near], values[near], trend(sites[near], basis)
        expected, spread = universal_kriging(*given, place[None], trend(place[None], basis), law)
        assert mean[i] == pytest.approx(expected[0], abs=1e-8)
        assert variance[i] == pytest.approx(spread[0], abs=1e-8)


def test_anisotropy_is_isotropy_in_turned_and_stretched_coordinates():
    sites, values, targets = scattered(150, 3, 30)
    law = Covariance("exponential", 1.0, 0.4, 0.1, (30.0, 0.25))
    along = np.array([math.sin(math.radians(30)), math.cos(math.radians(30))])
    axes = np.transpose([along, 4 * np.array([along[1], -along[0]])])
    ones = np.ones((150, 1)), np.ones((30, 1))
    found = predict_local(sites, values, ones[0], targets, ones[1], law, 12)
    plain = Covariance("exponential", 1.0, 0.4, 0.1)
    other = predict_local(sites @ axes, values, ones[0], targets @ axes, ones[1], plain, 12)
    np.testing.assert_allclose(found, other, rtol=0, atol=1e-10)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 30), st.sampled_from(KINDS), st.floats(-50, 50))
def test_a_trend_added_to_the_values_is_added_to_the_predictions(seed, k, kind, size):
    sites, values, targets = scattered(30, seed, 10)
    law = Covariance(kind, 1.0, 0.3, 0.2)
    drift, there = trend(sites, "linear"), trend(targets, "linear")
    coefficients = size * np.array([1.0, 2.0, -1.0])
    k = max(k, 5)
    mean, variance = predict_local(sites, values, drift, targets, there, law, k)
    moved, same = predict_local(sites, values + drift @ coefficients, drift, targets, there, law, k)
    tolerance = 1e-9 * (1 + abs(size)) * (1 + np.sqrt(variance))
    assert (np.abs(moved - mean - there @ coefficients) <= tolerance).all()
    np.testing.assert_array_equal(same, variance)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 40), st.sampled_from(KINDS))
def test_the_order_of_sites_and_targets_does_not_matter(seed, k, kind):
    sites, values, targets = scattered(40, seed, 15)
    law = Covariance(kind, 1.0, 0.3, 0.1)
    ones = np.ones((40, 1)), np.ones((15, 1))
    first = predict_local(sites, values, ones[0], targets, ones[1], law, k)
    rng = np.random.default_rng(seed)
    one, other = rng.permutation(40), rng.permutation(15)
    second = predict_local(sites[one], values[one], ones[0], targets[other], ones[1], law, k)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_allclose(a[other], b, rtol=0, atol=1e-9)
    assert (first[1] >= 0).all()


def test_more_neighbors_lower_the_variance_towards_full_kriging():
    sites, values, targets = scattered(300, 4, 50)
    law = Covariance("exponential", 1.0, 0.3, 0.05)
    given = sites, values, np.ones((300, 1)), targets, np.ones((50, 1))
    spreads = [predict_local(*given, law, k)[1] for k in (5, 20, 80, 300)]
    for more, less in pairwise(spreads):
        assert (less <= more + 1e-12).all()
    assert (spreads[1] - spreads[3]).max() < 0.02


def test_without_nugget_sites_are_met():
    sites, values, _ = scattered(100, 5)
    law = Covariance("matern32", 1.0, 0.2)
    given = sites, values, np.ones((100, 1)), sites, np.ones((100, 1))
    mean, variance = predict_local(*given, law, 9)
    np.testing.assert_allclose(mean, values, rtol=0, atol=1e-8)
    np.testing.assert_allclose(variance, 0, rtol=0, atol=1e-8)


def test_large_coordinates_and_values_lose_no_digits():
    sites, values, targets = scattered(120, 6, 30)
    law = Covariance("spherical", 1.0, 0.4, 0.1)
    shift = np.array([300_000.0, 5_000_000.0]) / 1024  # exact in the last place that counts
    moved_sites, moved_targets = sites + shift, targets + shift
    sites, targets = moved_sites - shift, moved_targets - shift
    plain = predict_local(
        sites, values, trend(sites, "linear"), targets, trend(targets, "linear"), law, 15
    )
    moved = predict_local(
        moved_sites,
        values + 1e6,
        trend(moved_sites, "linear"),
        moved_targets,
        trend(moved_targets, "linear"),
        law,
        15,
    )
    np.testing.assert_allclose(moved[0] - 1e6, plain[0], rtol=0, atol=1e-7)
    np.testing.assert_allclose(moved[1], plain[1], rtol=0, atol=1e-7)


def test_a_constant_column_may_stand_anywhere_and_have_any_value():
    sites, values, targets = scattered(60, 7, 20)
    law = Covariance("exponential", 1.0, 0.4, 0.1)
    first = trend(sites, "linear"), trend(targets, "linear")
    factors = np.array([2.0, -3.0, 5.0])
    second = [(columns * factors)[:, [1, 2, 0]] for columns in first]
    a = predict_local(sites, values, first[0], targets, first[1], law, 14)
    b = predict_local(sites, values, second[0], targets, second[1], law, 14)
    np.testing.assert_allclose(a, b, rtol=0, atol=1e-9)


def test_a_singular_gaussian_matrix_is_solved_as_with_a_tiny_nugget():
    sites = np.linspace(0, 1, 21)[:, None]
    values, targets = np.sin(6 * sites[:, 0]), np.array([[0.013], [0.512], [0.99]])
    law = Covariance("gaussian", 1.0, 1.0)
    ones = np.ones((21, 1)), np.ones((3, 1))
    mean, variance = predict_local(sites, values, ones[0], targets, ones[1], law, 21)
    # Exact arithmetic for the same matrix with 1e-10 on its diagonal.
    with mpmath.workdps(60):
        sites, targets = ([mpmath.mpf(float(v)) for v in a[:, 0]] for a in (sites, targets))
        matrix = mpmath.matrix(22)
        for i, a in enumerate(sites):
            for j, b in enumerate(sites):
                matrix[i, j] = mpmath.exp(-((a - b) ** 2)) + (i == j) * mpmath.mpf(local.JITTER)
            matrix[i, 21] = matrix[21, i] = 1
        for place, found, spread in zip(targets, mean, variance, strict=True):
            right = mpmath.matrix([mpmath.exp(-((place - a) ** 2)) for a in sites] + [1])
            weights = mpmath.lu_solve(matrix, right)
            expected = mpmath.fsum(w * v for w, v in zip(weights, values.tolist(), strict=False))
            error = 1 - mpmath.fsum(w * r for w, r in zip(weights, right, strict=True))
            assert found == pytest.approx(float(expected), abs=1e-5)
            assert spread == pytest.approx(float(error), abs=1e-8)
            assert found == pytest.approx(float(mpmath.sin(6 * place)), abs=1e-4)


def test_one_place_twice_is_the_mean_of_both():
    sites = np.array([[0.0, 0.0], [0.0, 0.0], [1.0, 0.0]])
    law = Covariance("exponential", 1.0, 1.0)
    mean, variance = predict_local(
        sites, [1.0, 3.0, 0.0], np.ones((3, 1)), [[0.0, 0.0]], [[1.0]], law, 3
    )
    assert mean[0] == pytest.approx(2, abs=1e-6)
    assert 0 <= variance[0] < 1e-8


@pytest.mark.parametrize("k", [4, 30, 100])
def test_threads_and_chunks_do_not_change_a_bit(k, monkeypatch):
    sites, values, targets = scattered(100, 8, 90)
    law = Covariance("matern52", 1.0, 0.3, 0.01)
    given = sites, values, trend(sites, "linear"), targets, trend(targets, "linear")
    whole = predict_local(*given, law, k)
    monkeypatch.setattr(local, "_CHUNK_BYTES", 1)
    np.testing.assert_array_equal(predict_local(*given, law, k, n_jobs=2), whole)


# Neighbors


@pytest.mark.parametrize("k", [1, 4, 5, 12, 48])
def test_ties_go_to_the_first_sites(k):
    # Centers of a lattice's cells are as far from 4, then 8, ... sites; 0.1 is not exact.
    lattice = 0.1 * np.stack(np.meshgrid(np.arange(7), np.arange(7)), -1).reshape(-1, 2)
    sites = lattice[np.random.default_rng(0).permutation(49)]
    places = np.vstack([lattice[lattice.max(axis=1) < 0.55] + 0.05, lattice])
    found = nearest_sites(cKDTree(sites), places, k)
    for place, row in zip(places, found, strict=True):
        gaps = np.linalg.norm(sites - place, axis=1).round(9)
        assert row.tolist() == sorted(np.lexsort((np.arange(49), gaps))[:k].tolist())


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 120), st.integers(1, 40), st.integers(1, 3))
def test_previous_neighbors_are_the_nearest_before(seed, n, m, dimensions):
    sites = np.random.default_rng(seed).uniform(size=(n, dimensions))
    found = vecchia.previous_neighbors(sites, m)
    assert found.shape == (n, m)
    for i in range(n):
        gaps = np.linalg.norm(sites[:i] - sites[i], axis=1)
        count = min(i, m)
        assert (found[i, count:] == -1).all()
        expected = np.sort(gaps)[:count]
        np.testing.assert_allclose(np.sort(gaps[found[i, :count]]), expected)
        assert len(set(found[i, :count].tolist())) == count


def test_previous_neighbors_of_a_cluster_that_comes_late():
    rng = np.random.default_rng(9)
    sites = np.vstack([rng.uniform(size=(100, 2)), 0.5 + 1e-3 * rng.uniform(size=(150, 2))])
    found = vecchia.previous_neighbors(sites, 20)
    for i in (99, 100, 101, 130, 249):
        gaps = np.linalg.norm(sites[:i] - sites[i], axis=1)
        assert sorted(found[i].tolist()) == sorted(np.argsort(gaps)[:20].tolist())


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_the_order_is_a_permutation_and_its_beginning_covers_the_region(dimensions):
    sites = np.random.default_rng(10).uniform(size=(2000, dimensions))
    order = vecchia.coarse_to_fine(sites)
    assert sorted(order.tolist()) == list(range(2000))

    def spacing(chosen):
        return cKDTree(sites[chosen]).query(sites[chosen], 2)[0][:, 1].min()

    for count in (20, 100, 400):
        assert spacing(order[:count]) > spacing(np.arange(count))


def test_the_order_ends_where_sites_are_equal_or_on_a_line():
    sites = np.repeat([[0.0, 1.0], [2.0, 1.0]], 5, axis=0)
    assert sorted(vecchia.coarse_to_fine(sites).tolist()) == list(range(10))


# Vecchia's likelihood


@pytest.mark.parametrize("reml", [False, True])
@pytest.mark.parametrize("basis", TRENDS)
@pytest.mark.parametrize("kind", KINDS)
def test_with_all_neighbors_the_likelihood_is_exact(kind, basis, reml):
    sites, values, _ = scattered(60, 11)
    law = Covariance(kind, 2.0, 0.3, 0.2)
    drift = trend(sites, basis)
    found = vecchia_log_likelihood(sites, values, drift, law, neighbors=59, reml=reml)
    expected = log_likelihood(sites, values, drift, law, reml)
    assert found == pytest.approx(expected, rel=1e-10, abs=1e-8)
    assert vecchia_log_likelihood(sites, values, drift, law, neighbors=500, reml=reml) == found


def test_the_likelihood_is_the_product_of_conditional_densities():
    sites, values, _ = scattered(50, 12)
    law = Covariance("spherical", 1.5, 0.4, 0.1)
    order = vecchia.coarse_to_fine(sites)
    sites, values = sites[order], values[order]
    matrix = 1.5 * correlations("spherical", sites, sites, 0.4) + 0.1 * np.eye(50)
    total = 0.0
    for i in range(50):
        near = np.argsort(np.linalg.norm(sites[:i] - sites[i], axis=1))[:6]
        weights = np.linalg.solve(matrix[np.ix_(near, near)], matrix[near, i])
        variance = matrix[i, i] - weights @ matrix[near, i]
        rest = values[i] - weights @ values[near]
        total -= (math.log(2 * math.pi * variance) + rest**2 / variance) / 2
    found = vecchia_log_likelihood(sites, values, np.empty((50, 0)), law, neighbors=6)
    assert found == pytest.approx(total, rel=1e-12)


def test_more_neighbors_approximate_better():
    law = Covariance("exponential", 1.0, 0.3, 0.01)
    sites, values = field(400, law)
    drift = np.ones((400, 1))
    exact = log_likelihood(sites, values, drift, law, True)
    errors = [
        abs(vecchia_log_likelihood(sites, values, drift, law, neighbors=m) - exact)
        for m in (2, 10, 40)
    ]
    assert errors[0] > 10
    assert errors[1] < 2
    assert errors[2] < 0.2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reml", [False, True])
def test_the_gradient_is_that_of_the_likelihood(kind, reml):
    sites, values, _ = scattered(90, 13)
    drift = trend(sites, "linear")
    code = Covariance(kind, 1, 1).code
    likelihood = vecchia._Likelihood(sites, values, drift, code, 12, None, reml, None)
    logs, step = np.log([0.25, 0.1]), 1e-5
    slopes = likelihood(*np.exp(logs), True)[1]
    for axis in range(2):
        move = step * np.eye(2)[axis]
        ahead, behind = (likelihood(*np.exp(logs + s * move), False)[0] for s in (1, -1))
        assert slopes[axis] == pytest.approx((ahead - behind) / (2 * step), rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("kind", ["exponential", "matern32"])
@pytest.mark.parametrize("reml", [False, True])
def test_with_all_neighbors_the_fit_is_the_exact_one(kind, reml):
    sites, values = field(100, Covariance(kind, 1.0, 0.2, 0.1))
    drift = trend(sites, "linear")
    found = fit_vecchia(sites, values, drift, kind, neighbors=99, reml=reml)

    def loss(logs):
        return -log_likelihood(sites, values, drift, Covariance(kind, *np.exp(logs)), reml)

    options = {"xatol": 1e-7, "fatol": 1e-10, "maxiter": 4000}
    best = minimize(loss, np.log([1.0, 0.2, 0.1]), method="Nelder-Mead", options=options)
    assert best.success
    parameters = [found.sill, found.range_, found.nugget]
    assert loss(np.log(parameters)) <= best.fun + 1e-6
    np.testing.assert_allclose(parameters, np.exp(best.x), rtol=2e-3)


def test_the_law_of_a_simulated_field_is_found():
    law = Covariance("exponential", 2.0, 0.1, 0.2)
    sites, values = field(1500, law, 14)
    found = fit_vecchia(sites, values, np.ones((1500, 1)), "exponential")
    assert found.kind == "exponential"
    assert found.nugget == pytest.approx(0.2, rel=0.4)
    # What the data determine best is the slope of the variogram at 0.
    assert found.sill / found.range_ == pytest.approx(20, rel=0.2)
    assert found.range_ == pytest.approx(0.1, rel=0.4)
    drift = np.ones((1500, 1))
    truth = vecchia_log_likelihood(sites, values, drift, law)
    best = vecchia_log_likelihood(sites, values, drift, found)
    assert truth <= best < truth + 10


def test_a_fit_scales_with_values_and_coordinates():
    sites, values = field(200, Covariance("matern32", 1.0, 0.2, 0.1), 15)
    drift = np.ones((200, 1))
    one = fit_vecchia(sites, values, drift, "matern32")
    other = fit_vecchia(1000 * sites + 1e5, 10 * values + 7, drift, "matern32")
    expected = [100 * one.sill, 1000 * one.range_, 100 * one.nugget]
    np.testing.assert_allclose([other.sill, other.range_, other.nugget], expected, rtol=1e-3)


def test_a_fit_with_anisotropy_is_one_in_stretched_coordinates():
    sites, values = field(120, Covariance("matern32", 1.0, 0.2, 0.1), 16)
    squeezed = sites * [1, 0.5]  # what was isotropic has half the range from south to north
    drift = np.ones((120, 1))
    found = fit_vecchia(squeezed, values, drift, "matern32", anisotropy=(90, 0.5), neighbors=119)
    plain = fit_vecchia(sites, values, drift, "matern32", neighbors=119)
    assert found.anisotropy == (90, 0.5)
    assert found.range_ == pytest.approx(plain.range_, rel=1e-3)
    assert found.nugget == pytest.approx(plain.nugget, rel=1e-3)


def test_a_nugget_of_zero_is_held():
    sites, values = field(150, Covariance("exponential", 1.0, 0.2, 0.3), 17)
    found = fit_vecchia(sites, values, np.ones((150, 1)), "exponential", nugget=0)
    free = fit_vecchia(sites, values, np.ones((150, 1)), "exponential")
    assert found.nugget == 0
    assert free.nugget > 0.1
    assert found.range_ < free.range_


def test_a_fit_names_what_it_cannot_tell():
    sites, values = field(200, Covariance("matern32", 1.0, 0.1, 0.2), 15)
    drift = np.ones((200, 1))
    assert fit_vecchia(sites, values, drift, "matern32").at_bound == ()
    slope = fit_vecchia(sites, sites[:, 0], drift, "exponential")
    assert slope.at_bound == ("range", "sill", "nugget")
    slope = fit_vecchia(sites, sites[:, 0], drift, "exponential", nugget=0)
    assert slope.at_bound == ("range", "sill")
    smooth = fit_vecchia(sites, np.sin(9 * sites[:, 0]), drift, "matern32")
    assert smooth.at_bound == ("nugget",)
    lattice = np.stack(np.meshgrid(np.arange(12.0), np.arange(12.0)), axis=-1).reshape(-1, 2)
    board = (-1.0) ** lattice.sum(axis=1) + 0.1 * np.random.default_rng(1).normal(size=144)
    noise = fit_vecchia(lattice, board, drift[:144], "spherical")
    assert {"range", "sill"} <= set(noise.at_bound)


def test_noise_alone_is_found_to_be_noise():
    values = np.random.default_rng(18).normal(size=300)
    sites = np.random.default_rng(19).uniform(size=(300, 2))
    found = fit_vecchia(sites, values, np.ones((300, 1)), "exponential")
    near = found(np.array([0.05]))[0]  # covariance at the distance of neighbors
    assert near < 0.15 * values.var()


def test_threads_do_not_change_a_bit(monkeypatch):
    monkeypatch.setattr(vecchia, "_ROWS", 50)
    sites, values = field(1200, Covariance("exponential", 1.0, 0.2, 0.1), 20)
    law = Covariance("exponential", 1.0, 0.3, 0.1)
    given = sites, values, trend(sites, "linear"), law
    one, two = (vecchia_log_likelihood(*given, neighbors=8, n_jobs=jobs) for jobs in (1, 2))
    assert one == two


def test_values_at_one_place_twice_need_no_care():
    law = Covariance("matern52", 1.0, 0.3, 0.1)
    sites, values = field(60, law, 21)
    sites, values = np.vstack([sites, sites]), np.concatenate([values, values + 0.1])
    drift = np.ones((120, 1))
    found = vecchia_log_likelihood(sites, values, drift, law, neighbors=119)
    expected = log_likelihood(sites, values, drift, law, True)
    assert found == pytest.approx(expected, abs=1e-6)
    assert math.isfinite(fit_vecchia(sites, values, drift, "matern52", nugget=0).sill)


# Bad input, and the user


def arguments(**changes):
    sites, values, targets = scattered(20, 22, 5)
    given = {
        "sites": sites,
        "values": values,
        "drift": np.ones((20, 1)),
        "targets": targets,
        "target_drift": np.ones((5, 1)),
        "covariance": Covariance("exponential", 1.0, 0.3),
        "neighbors": 5,
    }
    return given | changes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sites": np.ones(20)}, "sites"),
        ({"sites": np.full((20, 2), np.nan)}, "sites must be finite"),
        ({"values": np.ones(19)}, "values"),
        ({"values": np.ones((20, 2))}, "values"),
        ({"values": np.r_[np.ones(19), np.inf]}, r"values must be finite.*row 19"),
        ({"drift": np.ones((19, 1))}, "drift"),
        ({"targets": np.ones((5, 3))}, "targets must have 2 columns.*got 3"),
        ({"target_drift": np.ones((4, 1))}, "target_drift"),
        ({"target_drift": np.ones((5, 2))}, "target_drift must have 1 columns.*got 2"),
        ({"targets": np.empty((0, 2))}, "targets must have shape"),
        ({"neighbors": 0}, "neighbors must be at least 1"),
        ({"neighbors": 21}, "neighbors must be at most the number of sites 20, got 21"),
    ],
)
def test_bad_arguments_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        predict_local(**arguments(**changes))


def test_bad_types_are_named():
    with pytest.raises(TypeError, match="neighbors must be a whole number"):
        predict_local(**arguments(neighbors=5.0))
    with pytest.raises(TypeError, match="values must hold real numbers"):
        predict_local(**arguments(values=["high"] * 20))


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("dependent", [np.zeros(20), np.r_[np.zeros(19), 1.0]])
def test_a_trend_that_neighbors_do_not_show_is_refused(dependent, n_jobs, monkeypatch):
    monkeypatch.setattr(local, "_CHUNK_BYTES", 1)  # many chunks, some still to come
    given = arguments(neighbors=4, n_jobs=n_jobs)
    given["sites"][19] = [50, 50]
    given["targets"] = np.random.default_rng(0).uniform(size=(500, 2))
    given["drift"] = np.c_[np.ones(20), dependent]
    given["target_drift"] = np.ones((500, 2))
    with pytest.raises(ValueError, match="linearly dependent among the 4 sites nearest to target"):
        predict_local(**given)


def test_fewer_neighbors_than_trend_functions_are_refused():
    given = arguments(neighbors=2)
    given["drift"] = trend(given["sites"], "linear")
    given["target_drift"] = trend(given["targets"], "linear")
    with pytest.raises(ValueError, match="neighbors must be at least 3, got 2"):
        predict_local(**given)


def test_too_much_memory_is_refused(monkeypatch):
    monkeypatch.setattr("runproof.validation.available_memory", lambda: 1000)
    given = arguments()
    with pytest.raises(MemoryError, match="kriging with 5 neighbors would take about"):
        predict_local(**given)
    with pytest.raises(MemoryError, match="Vecchia's likelihood of 20 sites with 19 neighbors"):
        fit_vecchia(given["sites"], given["values"], given["drift"], "exponential")


def test_input_is_left_alone():
    given = arguments()
    before = {name: np.array(given[name]) for name in ("sites", "values", "drift", "targets")}
    predict_local(**given)
    fit_vecchia(given["sites"], given["values"], given["drift"], "exponential")
    for name, copy in before.items():
        np.testing.assert_array_equal(given[name], copy)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "cubic"}, "cubic"),
        ({"neighbors": 0}, "neighbors must be at least 1"),
        ({"nugget": 0.1}, "nugget must be None .* or 0, got 0.1"),
        ({"values": np.full(20, 7.0)}, "values must not be fitted by the trend exactly"),
        ({"drift": np.ones((20, 2))}, "the 2 columns of drift are linearly dependent"),
        ({"sites": np.ones((20, 2))}, "sites must not all be in one place"),
        ({"anisotropy": (0, 2)}, "ratio"),
        ({"sites": np.ones((3, 2)), "values": np.ones(3), "drift": np.ones((3, 1))}, "at least p"),
    ],
)
def test_bad_arguments_of_the_fit_are_named(changes, message):
    given = arguments(kind="exponential")
    names = "sites", "values", "drift", "kind"
    with pytest.raises(ValueError, match=message):
        fit_vecchia(**({name: given[name] for name in names} | changes))


def test_progress_is_shown_on_stderr_only_if_asked(capsys):
    predict_local(**arguments())
    assert capsys.readouterr() == ("", "")
    given = arguments(progress=True)
    predict_local(**given)
    out, shown = capsys.readouterr()
    assert (out, "5/5" in shown) == ("", True)
    fit_vecchia(given["sites"], given["values"], given["drift"], "exponential", progress=True)
    assert "evaluation" in capsys.readouterr().err
