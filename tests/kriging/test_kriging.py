import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import null_space
from scipy.optimize import approx_fprime, minimize
from scipy.spatial.distance import cdist
from scipy.stats import multivariate_normal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from sklearn.model_selection import cross_val_score

from runproof import datasets
from runproof.kriging import (
    Covariance,
    Kriging,
    dense,
    empirical_variogram,
    fit_variogram,
    likelihood,
    smoothness,
)
from runproof.kriging import covariances as laws

KINDS = ["spherical", "exponential", "gaussian", "matern32", "matern52"]
#: Correlations at distance r, in units of the range, as one finds them in books.
FORMULAS = {
    "spherical": lambda r: np.where(r < 1, 1 - 1.5 * r + 0.5 * r**3, 0),
    "exponential": lambda r: np.exp(-r),
    "matern12": lambda r: np.exp(-r),
    "gaussian": lambda r: np.exp(-(r**2)),
    "matern32": Matern(nu=1.5).__call__,
    "matern52": Matern(nu=2.5).__call__,
}

several = settings(deadline=None, max_examples=25)
seeds = st.integers(0, 10**6)
kinds = st.sampled_from(KINDS)


@pytest.fixture(scope="module")
def meuse():
    return datasets.meuse().assign(root=lambda table: np.sqrt(table["dist"]))


@pytest.fixture(scope="module")
def river(meuse):
    """Sites and log zinc of Meuse."""
    return meuse[["x", "y"]], np.log(meuse["zinc"]).to_numpy()


def scattered(n, seed, d=2):
    """Return random sites and values."""
    rng = np.random.default_rng(seed)
    return rng.uniform(0, 10, (n, d)), rng.normal(size=n)


def simulated(covariance, n, seed):
    """Return random sites, and a field with this covariance and mean 5 at them."""
    sites, noise = scattered(n, seed)
    matrix = covariance.between(sites, sites) + covariance.nugget * np.eye(n)
    return sites, 5 + np.linalg.cholesky(matrix) @ noise


# Oracles: explicit linear algebra, from the definitions


def by_equations(covariance, sites, values, functions, target, target_functions):
    """Solve the kriging equations with Lagrange multipliers for one target.

    Returns the mean, and the variance of the error of the surface.
    """
    n, p = functions.shape
    left = np.zeros((n + p, n + p))
    left[:n, :n] = covariance(cdist(sites, sites)) + covariance.nugget * np.eye(n)
    left[:n, n:], left[n:, :n] = functions, functions.T
    right = np.append(covariance(cdist(sites, [target])[:, 0]), target_functions)
    solution = np.linalg.solve(left, right)
    return solution[:n] @ values, covariance.sill - solution @ right


def contrasts_log_density(covariance, sites, values, functions):
    """Return the log-density of orthonormal contrasts: the restricted log-likelihood."""
    contrasts = null_space(functions.T)
    matrix = covariance(cdist(sites, sites)) + covariance.nugget * np.eye(len(sites))
    return multivariate_normal(cov=contrasts.T @ matrix @ contrasts).logpdf(contrasts.T @ values)


def rotation(degrees):
    """Return the matrix that turns points counterclockwise."""
    angle = math.radians(degrees)
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


# Covariances


@pytest.mark.parametrize("kind", FORMULAS)
def test_covariances_follow_their_formulas(kind):
    h = np.linspace(0, 12, 200)
    law = Covariance(kind, 2.5, 4.0, 0.5)
    formula = FORMULAS[kind]
    if kind in ("matern32", "matern52"):
        expected = formula(h[:, None] / 4, [[0.0]])[:, 0]
    else:
        expected = formula(h / 4)
    np.testing.assert_allclose(law(h), 2.5 * expected, atol=1e-14)
    np.testing.assert_allclose(law.variogram(h[1:]), 3 - 2.5 * expected[1:], atol=1e-14)
    assert law.variogram(0) == 0


@several
@given(kind=kinds, h=st.floats(0.01, 4).filter(lambda h: abs(h - 1) > 1e-3))
def test_slopes_are_derivatives(kind, h):
    code, step = laws.KINDS[kind], 1e-5
    rise = laws.correlation(code, h + step) - laws.correlation(code, h - step)
    assert laws.correlation_slope(code, h) == pytest.approx(rise / (2 * step), abs=1e-8)


@several
@given(kind=kinds, seed=seeds, range_=st.floats(0.1, 30), ratio=st.floats(0.1, 1))
def test_covariance_matrices_are_positive_semidefinite(kind, seed, range_, ratio):
    sites, _ = scattered(30, seed)
    matrix = Covariance(kind, 1.0, range_, 0.0, (seed % 180, ratio)).between(sites, sites)
    np.testing.assert_array_equal(matrix, matrix.T)
    np.testing.assert_array_equal(matrix.diagonal(), 1)
    assert np.linalg.eigvalsh(matrix).min() > -1e-12


@pytest.mark.parametrize("angle", [0, 30, 90, 135])
def test_anisotropy_is_clockwise_from_the_second_coordinate(angle):
    law = Covariance("spherical", 1.0, 10.0, 0.0, (angle, 0.25))
    along = np.array([math.sin(math.radians(angle)), math.cos(math.radians(angle))])
    across = np.array([along[1], -along[0]])
    origin = np.zeros((1, 2))
    for direction, range_ in ((along, 10), (-along, 10), (across, 2.5), (-across, 2.5)):
        found = law.between(origin, [direction * range_ * f for f in (0.5, 0.999, 1.001)])
        np.testing.assert_allclose(found[0, 0], 0.3125, rtol=1e-12)
        assert found[0, 1] > 0 == found[0, 2]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("cubic", 1, 1), ValueError, "covariance must be one of .* got 'cubic'"),
        ((["matern32"], 1, 1), ValueError, "covariance must be one of"),
        (("matern32", 0, 1), ValueError, "sill must be above 0 and finite, got 0"),
        (("matern32", 1, -2), ValueError, "range_ must be above 0 and finite, got -2"),
        (("matern32", 1, 1, -0.1), ValueError, "nugget must be at least 0 and finite"),
        (("matern32", math.nan, 1), ValueError, "sill must be above 0"),
        (("matern32", 1, "far"), TypeError, "range_ must be a number, got 'far'"),
        (("matern32", 1, 1, 0, 30), ValueError, "anisotropy must be None or a pair"),
        (("matern32", 1, 1, 0, (30, 2)), ValueError, "0 < ratio <= 1"),
        (("matern32", 1, 1, 0, (math.inf, 0.5)), ValueError, "finite angle"),
    ],
)
def test_bad_covariances_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        Covariance(*arguments)


# Variograms


@pytest.mark.parametrize(
    ("drift", "kind", "nugget", "sill", "range_"),
    [
        (False, "spherical", 0.05066243, 0.59060780, 897.0209),
        (True, "exponential", 0.05712231, 0.17641559, 340.3201),
    ],
)
def test_variograms_equal_those_that_gstat_published(
    meuse, river, drift, kind, nugget, sill, range_
):
    sites, values = river
    model = Kriging(covariance=kind, method="variogram")
    law = model.fit(sites, values, meuse[["root"]] if drift else None).covariance_
    found = law.nugget, law.sill, law.range_
    np.testing.assert_allclose(found, (nugget, sill, range_), rtol=1e-4)


def test_empirical_variogram_equals_a_loop_over_pairs():
    sites, values = scattered(40, 3)
    table = empirical_variogram(sites, values, cutoff=5.0, bins=7)
    classes = [[] for _ in range(7)]
    for i in range(40):
        for j in range(i):
            if (h := math.dist(sites[i], sites[j])) <= 5:
                classes[int(h / 5 * 7)].append((h, (values[i] - values[j]) ** 2 / 2))
    assert table["pairs"].tolist() == [len(pairs) for pairs in classes]
    expected = [np.mean(pairs, axis=0) for pairs in classes]
    np.testing.assert_allclose(table[["distance", "gamma"]], expected)


def test_anisotropic_distances_are_those_along_the_range():
    sites, values = scattered(40, 3)
    squeezed = (sites @ rotation(30)) * [0.5, 1]  # the long direction becomes north, then east
    turned = empirical_variogram(sites, values, cutoff=4, anisotropy=(-30, 1))
    pd.testing.assert_frame_equal(turned, empirical_variogram(sites, values, cutoff=4))
    stretched = empirical_variogram(squeezed, values, cutoff=4, anisotropy=(0, 0.5))
    pd.testing.assert_frame_equal(stretched, turned)


@several
@given(
    kind=kinds,
    nugget=st.floats(0, 2),
    sill=st.floats(0.1, 10),
    range_=st.floats(0.8, 2),  # of a shorter one, the classes would show too little
    known=st.booleans(),
)
def test_a_variogram_without_noise_gives_its_model_back(kind, nugget, sill, range_, known):
    h = np.linspace(0.1, 3, 15)
    law = Covariance(kind, sill, range_, nugget)
    table = pd.DataFrame({"pairs": 100, "distance": h, "gamma": law.variogram(h)})
    found = fit_variogram(table, kind, nugget=nugget if known else "fit")
    np.testing.assert_allclose(found(h), law(h), atol=2e-4 * sill)
    assert found.nugget == pytest.approx(nugget, abs=2e-4 * sill)


def test_bad_variograms_are_refused():
    sites, values = scattered(20, 1)
    table = empirical_variogram(sites, values)
    with pytest.raises(ValueError, match="cutoff must leave some pairs"):
        empirical_variogram(sites, values, cutoff=1e-9)
    with pytest.raises(ValueError, match="cutoff must be above 0"):
        empirical_variogram(sites, values, cutoff=-1)
    with pytest.raises(TypeError, match="bins must be a whole number"):
        empirical_variogram(sites, values, bins=2.5)
    with pytest.raises(ValueError, match="no column gamma"):
        fit_variogram(table.drop(columns="gamma"), "spherical")
    with pytest.raises(ValueError, match="at least 3 classes with pairs, got 2"):
        fit_variogram(table[:2], "spherical")
    with pytest.raises(ValueError, match="does not rise"):
        fit_variogram(table.assign(gamma=np.linspace(2, 1, len(table))), "exponential")


# Likelihoods


@pytest.mark.parametrize("method", ["reml", "ml"])
@pytest.mark.parametrize("nugget", ["fit", 0.3, 0])
@pytest.mark.parametrize("turning", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_the_likelihood(kind, turning, nugget, method):
    sites, values = scattered(25, 5)
    basis = np.linalg.qr(np.column_stack([np.ones(25), sites]))[0]
    search = likelihood._Likelihood(sites / 10, values, basis, kind, method, nugget, turning)
    theta = np.array([math.log(0.2), *[math.log(0.3)] * (nugget != 0), *[0.2, -0.3] * turning])
    value, gradient = search(theta)
    assert value == search(theta, False)
    np.testing.assert_allclose(gradient, approx_fprime(theta, search, 1e-6, False), rtol=1e-3)


@several
@given(seed=seeds, kind=kinds, range_=st.floats(0.5, 5), nugget=st.floats(0.05, 2))
def test_the_restricted_likelihood_is_the_density_of_contrasts(seed, kind, range_, nugget):
    sites, values = scattered(20, seed)
    law = Covariance(kind, 1.5, range_, nugget)
    functions = np.column_stack([np.ones(20), sites, 100 * sites[:, 0] ** 2])
    model = Kriging("linear", law).fit(sites, values, drift=functions[:, 3])
    expected = contrasts_log_density(law, sites, values, functions)
    assert model.log_likelihood_ == pytest.approx(expected, rel=1e-9)


def test_the_plain_likelihood_is_the_density_around_the_trend():
    sites, values = scattered(20, 8)
    law = Covariance("matern52", 1.5, 2.0, 0.4)
    model = Kriging(covariance=law, method="ml").fit(sites, values)
    matrix = law.between(sites, sites) + 0.4 * np.eye(20)
    expected = multivariate_normal(np.full(20, model.trend_coef_["1"]), matrix).logpdf(values)
    assert model.log_likelihood_ == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("method", ["reml", "ml"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("drift", [None, ["root", "ffreq"]])
def test_no_other_parameters_are_more_likely(meuse, river, drift, kind, method):
    drift = None if drift is None else meuse[drift]
    best = Kriging(covariance=kind, method=method).fit(*river, drift)
    rng = np.random.default_rng(1)
    log_ranges, log_ratios = rng.uniform(4, 9, 30), rng.uniform(-5, 1, 30)
    # A multiple of the best sill is best for fixed ratios: scan the two others, and sills.
    for log_range, log_ratio in zip(log_ranges, log_ratios, strict=True):
        trial = best.covariance_.sill * math.exp(rng.uniform(-1, 1))
        law = Covariance(kind, trial, math.exp(log_range), trial * math.exp(log_ratio))
        other = Kriging(covariance=law, method=method).fit(*river, drift)
        assert other.log_likelihood_ <= best.log_likelihood_ + 1e-6


def test_the_fitted_sill_is_the_one_of_the_likelihood(river):
    for nugget in ("fit", 0, 1e-10, 0.08):
        fitted = Kriging(nugget=nugget).fit(*river)
        law = fitted.covariance_
        if nugget != "fit":
            assert law.nugget == nugget
        for factor in (0.97, 1.03):
            other = Covariance(law.kind, law.sill * factor, law.range_, law.nugget)
            assert Kriging(covariance=other).fit(*river).log_likelihood_ < fitted.log_likelihood_


def test_parameters_of_a_simulated_field_are_found():
    truth = Covariance("matern32", 2.0, 1.0, 0.2, (60, 0.4))
    found = Kriging(anisotropy="fit").fit(*simulated(truth, 500, 2)).covariance_
    assert found.sill == pytest.approx(2.0, rel=0.35)
    assert found.range_ == pytest.approx(1.0, rel=0.35)
    assert found.nugget == pytest.approx(0.2, rel=0.35)
    assert found.anisotropy[0] == pytest.approx(60, abs=8)
    assert found.anisotropy[1] == pytest.approx(0.4, abs=0.1)


@pytest.mark.parametrize("kind", ["exponential", "matern52"])
def test_fits_follow_units_rotation_and_shift(kind):
    sites, values = simulated(Covariance(kind, 1.0, 2.0, 0.1, (20, 0.4)), 120, 4)
    first = Kriging(covariance=kind, anisotropy="fit").fit(sites, values).covariance_
    moved = 3 * sites @ rotation(25).T + [1e5, -2e5]
    second = Kriging(covariance=kind, anisotropy="fit").fit(moved, 10 * values - 7).covariance_
    assert second.sill == pytest.approx(100 * first.sill, rel=1e-3)
    assert second.nugget == pytest.approx(100 * first.nugget, rel=1e-3)
    assert second.range_ == pytest.approx(3 * first.range_, rel=1e-3)
    assert second.anisotropy[1] == pytest.approx(first.anisotropy[1], rel=1e-3)
    turned = (first.anisotropy[0] - second.anisotropy[0]) % 180  # angles run clockwise
    assert turned == pytest.approx(25, abs=0.1)


def test_a_given_anisotropy_is_kept_and_the_fitted_one_is_more_likely(river):
    given_ = Kriging(anisotropy=(40, 0.6)).fit(*river)
    assert given_.covariance_.anisotropy == (40.0, 0.6)
    fitted = Kriging(anisotropy="fit").fit(*river)
    assert fitted.log_likelihood_ > given_.log_likelihood_ > Kriging().fit(*river).log_likelihood_


def test_a_field_without_signal_is_all_nugget():
    sites, values = scattered(200, 6)
    model = Kriging().fit(sites, values)
    mean = model.predict(sites + 0.05)
    assert np.ptp(mean) < 0.6 * np.ptp(values)
    assert model.leave_one_out_scores()["RMSE"] == pytest.approx(values.std(), rel=0.05)


# A given nugget, however small, must not bound the sill: standard errors would be too small
# without a word, by a factor of 4 to 60 on these data.


@pytest.mark.parametrize("nugget", [0, 1e-10, 1e-7])
@pytest.mark.parametrize(
    ("kind", "std", "msdr"), [("exponential", 0.300, 1.10), ("gaussian", 0.379, 1.17)]
)
def test_a_tiny_nugget_leaves_the_errors_of_meuse_alone(river, kind, std, msdr, nugget):
    model = Kriging(covariance=kind, nugget=nugget).fit(*river)
    found = model.predict(river[0] + [60.0, 40.0], return_std=True)[1].mean()
    assert found == pytest.approx(std, abs=6e-4)
    assert model.leave_one_out_scores()["MSDR"] == pytest.approx(msdr, abs=6e-3)
    assert model.covariance_.nugget == nugget


@pytest.mark.parametrize("method", ["reml", "ml"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_tiny_nugget_is_none(kind, method):
    sites, values = simulated(Covariance("exponential", 1.0, 2.0), 100, 3)
    none = Kriging(covariance=kind, nugget=0, method=method).fit(sites, values)
    for nugget in (1e-12, 1e-9, 1e-6):
        tiny = Kriging(covariance=kind, nugget=nugget, method=method).fit(sites, values)
        assert tiny.log_likelihood_ == pytest.approx(none.log_likelihood_, abs=0.02)
        assert tiny.covariance_.sill == pytest.approx(none.covariance_.sill, rel=0.02)
        assert tiny.covariance_.range_ == pytest.approx(none.covariance_.range_, rel=0.02)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("nugget", [1e-10, 1e-3, 0.2, 3.0])
def test_a_given_nugget_follows_the_unit(kind, nugget):
    sites, values = simulated(Covariance("exponential", 1.0, 2.0, 0.1), 80, 5)
    one = Kriging(covariance=kind, nugget=nugget).fit(sites, values)
    other = Kriging(covariance=kind, nugget=nugget * 1e10).fit(1000 * sites, 1e5 * values)
    assert other.covariance_.sill == pytest.approx(1e10 * one.covariance_.sill, rel=1e-2)
    assert other.covariance_.range_ == pytest.approx(1000 * one.covariance_.range_, rel=1e-2)
    assert other.at_bound_ == one.at_bound_


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("nugget", [1e-10, 0.05, 0.5])
def test_beside_a_given_nugget_no_other_parameters_are_more_likely(river, kind, nugget):
    best = Kriging(covariance=kind, nugget=nugget).fit(*river)
    rng = np.random.default_rng(1)
    for log_range, log_sill in zip(rng.uniform(4, 9, 40), rng.uniform(-3, 2, 40), strict=True):
        law = Covariance(kind, math.exp(log_sill), math.exp(log_range), nugget)
        other = Kriging(covariance=law).fit(*river)
        assert other.log_likelihood_ <= best.log_likelihood_ + 1e-6


# What a fit cannot tell

METHODS = ["reml", "ml", "variogram", "vecchia"]


@pytest.mark.parametrize("method", METHODS)
def test_normally_all_parameters_are_determined(method):
    sites, values = simulated(Covariance("matern32", 1.0, 1.0, 0.2), 300, 2)
    model = Kriging(method=method).fit(sites, values)
    assert model.at_bound_ == () == model.covariance_.at_bound
    assert "at_bound" not in repr(model.covariance_)


def test_a_fitted_anisotropy_is_normally_determined(river):
    assert Kriging(anisotropy="fit").fit(*river).at_bound_ == ()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("nugget", ["fit", 0])
def test_a_slope_has_no_range_and_no_sill(method, nugget):
    sites, _ = scattered(80, 1)
    model = Kriging(covariance="exponential", method=method, nugget=nugget)
    found = model.fit(sites, sites[:, 0] + 0.3 * sites[:, 1]).at_bound_
    assert found == ("range", "sill", "nugget")[: 3 if nugget == "fit" else 2]


def test_meuse_has_no_range_under_an_exponential_law(river, capsys):
    model = Kriging(covariance="exponential").fit(*river)
    assert model.at_bound_ == ("range", "sill")
    extent = np.ptp(river[0], axis=0).max()
    assert model.covariance_.range_ == pytest.approx(10 * extent, rel=1e-3)
    assert repr(model.covariance_).endswith("anisotropy=None, at_bound=('range', 'sill'))")
    assert capsys.readouterr() == ("", "")  # nor is a warning raised: tests turn them to errors
    model = Kriging(covariance="exponential", method="variogram").fit(*river)
    assert model.at_bound_ == ("nugget",)
    assert model.covariance_.nugget == 0


@pytest.mark.parametrize("method", METHODS)
def test_noise_without_a_nugget_has_a_range_below_the_spacing(method):
    sites = np.stack(np.meshgrid(np.arange(12.0), np.arange(12.0)), axis=-1).reshape(-1, 2)
    # Neighbors differ more than others: no positive correlation is worth having.
    values = (-1.0) ** sites.sum(axis=1) + 0.1 * np.random.default_rng(1).normal(size=144)
    model = Kriging(covariance="spherical", method=method, nugget=0).fit(sites, values)
    assert model.at_bound_ == ("range",)
    assert model.covariance_.range_ < 1.01


@pytest.mark.parametrize("method", METHODS)
def test_the_nugget_of_a_field_without_noise_is_on_its_bound(method):
    sites, _ = scattered(150, 4)
    values = np.sin(sites[:, 0]) + np.cos(sites[:, 1])
    model = Kriging(covariance="matern32", method=method).fit(sites, values)
    assert model.at_bound_ == ("nugget",)
    assert model.covariance_.nugget < 1e-5 * model.covariance_.sill


@pytest.mark.parametrize("method", ["reml", "ml"])
def test_noise_has_no_sill_and_so_no_range(method):
    sites = np.stack(np.meshgrid(np.arange(12.0), np.arange(12.0)), axis=-1).reshape(-1, 2)
    values = (-1.0) ** sites.sum(axis=1) + 0.1 * np.random.default_rng(1).normal(size=144)
    for nugget in ("fit", 50.0):
        model = Kriging(covariance="spherical", method=method, nugget=nugget).fit(sites, values)
        assert {"range", "sill"} <= set(model.at_bound_)


@pytest.mark.parametrize("method", ["reml", "ml"])
def test_a_field_of_stripes_has_no_ratio_of_ranges(method):
    sites, _ = scattered(150, 4)
    values = np.sin(3 * sites[:, 0])
    model = Kriging(anisotropy="fit", method=method).fit(sites, values)
    assert "anisotropy" in model.at_bound_
    assert model.covariance_.anisotropy[1] < 0.1


@pytest.mark.parametrize("nugget", [0, 1e-14])
def test_a_search_that_ends_at_a_singular_matrix_says_so(nugget):
    sites, _ = scattered(60, 0)
    model = Kriging(covariance="gaussian", nugget=nugget).fit(sites, sites @ [1.0, 0.3])
    assert model.at_bound_ == ("range", "sill")
    assert model.covariance_.range_ < 50  # far from the bound itself


@pytest.mark.parametrize("kind", KINDS)
def test_sites_that_nearly_coincide_do_not_end_where_no_matrix_can_be_factored(kind):
    rng = np.random.default_rng(0)
    sites = rng.uniform(0, 1000, (50, 2))
    values = 10 + 2 * np.sin(sites[:, 0] / 150) + np.cos(sites[:, 1] / 200)
    sites, values = np.vstack([sites, sites[:2] + 1e-9]), np.append(values, values[:2] + 0.3)
    best = Kriging(covariance=kind, nugget=0).fit(sites, values)
    for range_ in np.geomspace(2e-9, 1e-6, 30):
        law = Covariance(kind, best.covariance_.sill, range_)
        try:
            other = Kriging(covariance=law).fit(sites, values)
        except ValueError:
            continue
        assert other.log_likelihood_ < best.log_likelihood_ + 4  # the spherical one is rough


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", ["exponential", "matern52"])
def test_a_parameter_is_named_if_its_bound_is_as_likely(kind, seed):
    sites, values = simulated(Covariance("exponential", 1.0, 1.0, 0.05), 60, seed)
    model = Kriging(covariance=kind).fit(sites, values)
    law = model.covariance_
    total = law.sill + law.nugget

    def likely(range_, nugget_share):
        trials = [
            Covariance(kind, total * (1 - nugget_share) * f, range_, total * nugget_share * f)
            for f in np.linspace(0.7, 1.4, 141)
        ]
        models = [Kriging(covariance=trial).fit(sites, values) for trial in trials]
        return model.log_likelihood_ - max(m.log_likelihood_ for m in models) < 0.5

    assert ("nugget" in law.at_bound) == likely(law.range_, 1e-8)
    assert ("sill" in law.at_bound and "range" not in law.at_bound) == likely(law.range_, 1 - 1e-4)


def loss_at_the_longest_range(model, sites, values):
    """By how much the best likelihood at ten times the extent is lower, all else free."""
    law, longest = model.covariance_, 10 * np.ptp(sites, axis=0).max()

    def loss(logs):
        trial = Covariance(law.kind, math.exp(logs[0]), longest, math.exp(logs[1]))
        return -Kriging(covariance=trial).fit(sites, values).log_likelihood_

    starts = [
        [math.log(law.sill) + power * math.log(longest / law.range_), math.log(nugget)]
        for power in (0, 1, 2)
        for nugget in (0.01 * law.sill, 0.1 * law.sill)
    ]
    found = [minimize(loss, start, method="Nelder-Mead").fun for start in starts]
    return model.log_likelihood_ + min(found)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", ["spherical", "exponential", "matern32"])
def test_a_range_is_named_if_a_much_longer_one_is_as_likely(kind, seed):
    sites, values = simulated(Covariance("exponential", 1.0, 3.0, 0.05), 60, seed)
    model = Kriging(covariance=kind).fit(sites, values)
    expected = loss_at_the_longest_range(model, sites, values) < 0.5
    assert ("range" in model.at_bound_) == expected


def test_meuse_has_no_range_under_a_spherical_law_either(river):
    model = Kriging(covariance="spherical").fit(*river)
    assert model.covariance_.range_ == pytest.approx(3030, rel=0.01)  # far from the bound
    assert loss_at_the_longest_range(model, *river) == pytest.approx(0.3, abs=0.05)
    assert model.at_bound_ == ("range", "sill")
    model = Kriging(covariance="matern32").fit(*river)
    assert loss_at_the_longest_range(model, *river) > 5
    assert model.at_bound_ == ()


@pytest.mark.parametrize("method", ["reml", "ml", "vecchia"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [200, 300])
def test_a_field_that_shows_its_law_leaves_nothing_open(method, kind, n):
    ranges = {"spherical": 4.0, "exponential": 1.0, "gaussian": 2.0}
    sites, values = simulated(Covariance(kind, 1.0, ranges.get(kind, 1.5), 0.3), n, n)
    assert Kriging(covariance=kind, method=method).fit(sites, values).at_bound_ == ()


def test_a_variogram_may_leave_any_parameter_open():
    h = np.linspace(0.1, 3, 15)
    table = pd.DataFrame({"pairs": 100, "distance": h, "gamma": h})
    assert fit_variogram(table, "exponential").at_bound == ("range", "sill", "nugget")
    assert fit_variogram(table, "exponential", nugget=0).at_bound == ("range", "sill")
    gaussian = Covariance("gaussian", 1.0, 1.0).variogram(h)
    assert fit_variogram(table.assign(gamma=gaussian), "spherical").at_bound == ("nugget",)
    flat = table.assign(gamma=1.0)
    assert fit_variogram(flat, "spherical", nugget=0).at_bound == ("range",)
    slight = table.assign(gamma=1 + 1e-7 * np.arange(15))
    assert "sill" in fit_variogram(slight, "spherical").at_bound
    law = Covariance("spherical", 1.0, 1.5, 0.2)
    assert fit_variogram(table.assign(gamma=law.variogram(h)), "spherical").at_bound == ()


def test_what_a_fit_cannot_tell_is_no_part_of_the_law():
    law = Covariance("matern32", 1.0, 2.0, at_bound=["nugget"])
    assert law == Covariance("matern32", 1.0, 2.0)
    assert law.at_bound == ("nugget",)
    model = Kriging(covariance=law).fit(*scattered(20, 1))
    assert model.at_bound_ == ("nugget",)  # nothing was fitted: the law says it of itself
    assert Kriging(covariance=Covariance("matern32", 1.0, 2.0)).fit(SITES, VALUES).at_bound_ == ()
    for names in ("range", ["slope"]):
        with pytest.raises(ValueError, match="at_bound must hold some of range, sill, nugget"):
            Covariance("matern32", 1.0, 2.0, at_bound=names)


# Predictions


@several
@given(seed=seeds, kind=kinds, nugget=st.floats(0.01, 1), d=st.integers(1, 3))
def test_predictions_solve_the_kriging_equations(seed, kind, nugget, d):
    sites, values = scattered(25, seed, d)
    law = Covariance(kind, 1.7, 3.0, nugget)
    rng = np.random.default_rng(seed)
    drift, target, target_drift = (
        rng.normal(size=(25, 2)),
        rng.uniform(-2, 12, d),
        rng.normal(size=2),
    )
    model = Kriging("linear", law).fit(sites, values, drift)
    mean, variance = model.predict([target], [target_drift], return_var=True)
    functions = np.column_stack([np.ones(25), sites, drift])
    row = np.concatenate([[1], target, target_drift])
    expected = by_equations(law, sites, values, functions, target, row)
    np.testing.assert_allclose([mean[0], variance[0]], expected, rtol=1e-6, atol=1e-8)
    _, std = model.predict([target], [target_drift], return_std=True)
    assert std**2 == pytest.approx(variance)
    total = model.predict([target], [target_drift], return_var=True, include_nugget=True)
    np.testing.assert_allclose(total, [mean, variance + nugget])
    local = Kriging("linear", law, neighbors=25).fit(sites, values, drift)
    both = local.predict([target], [target_drift], return_var=True)
    np.testing.assert_allclose(both, [mean, variance], rtol=1e-6, atol=1e-8)


def test_predictions_equal_a_gaussian_process_with_a_vague_mean(river):
    sites, values = river
    law = Covariance("matern32", 0.6, 400.0, 0.1)
    kernel = ConstantKernel(1e5) + 0.6 * Matern(400.0, nu=1.5) + WhiteKernel(0.1)
    process = GaussianProcessRegressor(kernel, optimizer=None).fit(sites.to_numpy(), values)
    targets = sites.to_numpy()[:40] + 60
    mean, std = process.predict(targets, return_std=True)
    found = Kriging(covariance=law).fit(sites.to_numpy(), values).predict(targets, return_std=True)
    np.testing.assert_allclose(found[0], mean, rtol=1e-5)
    np.testing.assert_allclose(found[1] ** 2 + 0.1, std**2, rtol=1e-5)


def test_the_nugget_is_noise_or_belongs_to_the_place(river):
    sites, values = river
    model = Kriging(covariance=Covariance("spherical", 0.59, 897.0, 0.05)).fit(sites, values)
    surface, variance = model.predict(sites, return_var=True)
    assert np.abs(surface - values).max() > 0.1
    assert (variance > 0).all()
    found, zero = model.predict(sites, return_var=True, include_nugget=True)
    np.testing.assert_array_equal(found, values)
    np.testing.assert_array_equal(zero, 0)
    np.testing.assert_array_equal(model.predict(sites, include_nugget=True), values)


@several
@given(seed=seeds, kind=st.sampled_from(["spherical", "exponential", "matern32"]))
def test_without_nugget_kriging_interpolates(seed, kind):
    sites, values = scattered(30, seed)
    law = Covariance(kind, 2.0, 4.0)
    mean, variance = Kriging(covariance=law).fit(sites, values).predict(sites, return_var=True)
    np.testing.assert_allclose(mean, values, atol=1e-6)
    np.testing.assert_allclose(variance, 0, atol=1e-8)


def test_far_away_the_prediction_is_the_trend():
    sites, values = scattered(30, 2)
    model = Kriging("linear", Covariance("spherical", 1.0, 2.0, 0.1)).fit(sites, values)
    target = np.array([[500.0, -300.0]])
    u = (target - model.trend_.center) / model.trend_.unit
    row = np.concatenate([[1], u[0]])
    mean, variance = model.predict(target, return_var=True)
    assert mean[0] == pytest.approx(row @ model.trend_coef_)
    assert variance[0] == pytest.approx(1 + row @ model.trend_cov_ @ row)
    assert model.trend_coef_.index.tolist() == ["1", "u1", "u2"]


@pytest.mark.parametrize("trend", ["linear", "quadratic"])
def test_values_on_the_trend_are_predicted_exactly(trend):
    sites, _ = scattered(30, 9)
    sites += [180_000, 330_000]
    power = 1 if trend == "linear" else 2

    def surface(points):
        x, y = (points - sites.mean(axis=0)).T
        return 3 + x - 2 * y + (x * y - y**2) * (power == 2)

    model = Kriging(trend, Covariance("exponential", 1.0, 3.0, 0.1)).fit(sites, surface(sites))
    targets = sites[:5] + 40
    np.testing.assert_allclose(model.predict(targets), surface(targets), rtol=1e-8)


def test_chunks_do_not_change_predictions(monkeypatch):
    sites, values = scattered(30, 2)
    targets, _ = scattered(50, 3)
    model = Kriging(covariance=Covariance("matern32", 1.0, 2.0, 0.1)).fit(sites, values)
    whole = model.predict(targets, return_var=True)
    monkeypatch.setattr(dense, "_CHUNK_BYTES", 8 * 30 * 7)
    np.testing.assert_allclose(model.predict(targets, return_var=True), whole, rtol=1e-12)


def test_one_site_is_enough_for_a_given_covariance():
    model = Kriging(covariance=Covariance("matern32", 2.0, 1.0, 0.5)).fit([[0.0, 0.0]], [3.0])
    mean, variance = model.predict([[50.0, 0.0], [0.0, 0.0]], return_var=True)
    np.testing.assert_allclose(mean, 3)
    np.testing.assert_allclose(variance, [2 + 2.5, 0.5])
    with pytest.raises(ValueError, match="without the site in row 0"):
        model.leave_one_out()


def test_a_constant_field_is_predicted_from_a_given_covariance():
    sites, _ = scattered(10, 1)
    model = Kriging(covariance=Covariance("matern32", 2.0, 1.0, 0.5)).fit(sites, np.full(10, 7.0))
    np.testing.assert_allclose(model.predict(sites + 0.3), 7)
    scores = model.leave_one_out_scores()
    assert scores["RMSE"] == pytest.approx(0, abs=1e-12)


# Trends


def test_categories_become_indicators(meuse, river):
    law = Covariance("exponential", 0.15, 400.0, 0.04)
    drift = meuse[["root", "ffreq"]]
    by_table = Kriging(covariance=law).fit(*river, drift)
    assert by_table.trend_coef_.index.tolist() == ["1", "root", "ffreq=2", "ffreq=3"]
    columns = [meuse["root"], meuse["ffreq"] == 2, meuse["ffreq"] == 3]
    by_hand = Kriging(covariance=law).fit(*river, np.column_stack(columns).astype(float))
    assert by_hand.trend_coef_.index.tolist() == ["1", "drift1", "drift2", "drift3"]
    np.testing.assert_allclose(by_table.trend_coef_, by_hand.trend_coef_, rtol=1e-10)
    # Targets with fewer levels, in another order, are coded as the sites were.
    some = meuse[meuse["ffreq"] != 1].iloc[::-1]
    targets, places = some[["x", "y"]] + 10, some.index
    np.testing.assert_allclose(
        by_table.predict(targets, some[["root", "ffreq"]].astype({"ffreq": "int"})),
        by_hand.predict(targets, np.column_stack(columns).astype(float)[places]),
    )


def test_a_function_may_be_the_trend(meuse, river):
    def wave(points):
        return np.column_stack([np.sin(points[:, 0] / 500), np.cos(points[:, 0] / 500)])

    sites, values = river
    law = Covariance("exponential", 0.15, 400.0, 0.04)
    by_function = Kriging(wave, law).fit(sites, values)
    by_drift = Kriging(covariance=law).fit(sites, values, wave(sites.to_numpy()))
    np.testing.assert_allclose(by_function.trend_coef_, by_drift.trend_coef_)
    targets = sites.to_numpy()[:9] + 50
    np.testing.assert_allclose(
        by_function.predict(targets), by_drift.predict(targets, wave(targets))
    )


# Leave-one-out


@several
@given(seed=seeds, kind=kinds, nugget=st.floats(0.01, 1))
def test_leave_one_out_equals_refitting(seed, kind, nugget):
    sites, values = scattered(20, seed)
    drift = np.random.default_rng(seed).normal(size=20)
    law = Covariance(kind, 1.5, 3.0, nugget, (30, 0.5))
    table = Kriging("linear", law).fit(sites, values, drift).leave_one_out()
    for i in (0, 7, 19):
        rest = np.arange(20) != i
        refitted = Kriging("linear", law).fit(sites[rest], values[rest], drift[rest])
        mean, variance = refitted.predict(
            sites[[i]], drift[[i]], return_var=True, include_nugget=True
        )
        assert table["prediction"][i] == pytest.approx(mean[0], abs=1e-8)
        assert table["variance"][i] == pytest.approx(variance[0], abs=1e-8)
    np.testing.assert_allclose(table["residual"], values - table["prediction"])
    np.testing.assert_allclose(
        table["standardized"] ** 2, table["residual"] ** 2 / table["variance"]
    )


def test_leave_one_out_on_meuse_equals_155_refits(meuse, river):
    sites, values = river
    model = Kriging().fit(sites, values, meuse[["root", "ffreq"]])
    found = model.leave_one_out()[["prediction", "variance"]].to_numpy()
    for i in range(155):
        rest = meuse.drop(index=i)
        refitted = Kriging(covariance=model.covariance_)
        refitted.fit(rest[["x", "y"]], np.delete(values, i), rest[["root", "ffreq"]])
        left = meuse.loc[[i]]
        mean, variance = refitted.predict(
            left[["x", "y"]], left[["root", "ffreq"]], return_var=True, include_nugget=True
        )
        np.testing.assert_allclose(found[i], [mean[0], variance[0]], atol=1e-8)


@pytest.mark.parametrize(
    ("drift", "kind", "rmse"),
    [
        (None, "matern32", 0.386),
        (None, "exponential", 0.386),
        (["root"], "matern32", 0.375),
        (["root", "ffreq"], "matern32", 0.322),
        (["root", "ffreq"], "exponential", 0.322),
    ],
)
def test_reml_beats_the_published_errors_and_is_calibrated(meuse, river, drift, kind, rmse):
    model = Kriging(covariance=kind).fit(*river, None if drift is None else meuse[drift])
    scores = model.leave_one_out_scores()
    assert scores["RMSE"] <= rmse
    assert 0.95 <= scores["MSDR"] <= 1.05
    assert abs(scores["ME"]) < 0.01
    assert scores["MAE"] < scores["RMSE"]
    assert 0.8 < scores["correlation"] < 1


def test_a_factor_level_at_one_site_cannot_be_left_out():
    sites, values = scattered(12, 3)
    drift = pd.DataFrame({"soil": ["clay"] * 11 + ["peat"]})
    model = Kriging(covariance=Covariance("matern32", 1.0, 2.0, 0.1)).fit(sites, values, drift)
    with pytest.raises(ValueError, match="without the site in row 11"):
        model.leave_one_out()


# The estimator


def test_it_is_a_scikit_learn_estimator(river):
    sites, values = river
    law = Covariance("matern32", 0.6, 400.0, 0.1)
    model = Kriging(covariance=law, neighbors=20)
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    scores = cross_val_score(copy, sites, values, cv=3)
    assert scores.shape == (3,)
    assert Kriging(covariance=law).fit(sites, values).score(sites, values) > 0.8


def test_a_second_fit_forgets_the_first(river):
    sites, values = river
    model = Kriging(covariance=Covariance("matern32", 0.6, 400.0, 0.1)).fit(sites, values)
    model.set_params(neighbors=30).fit(sites[:50], values[:50])
    assert len(model.leave_one_out()) == 50
    with pytest.raises(ValueError, match="finite"):
        model.fit(sites[:50], np.full(50, np.nan))
    with pytest.raises(NotFittedError):
        model.predict(sites)


def test_data_are_copied():
    sites, values = scattered(15, 1)
    model = Kriging(covariance=Covariance("matern32", 1.0, 2.0, 0.1)).fit(sites, values)
    before = model.predict([[5.0, 5.0]])
    sites[:], values[:] = 0, 0
    model._solution = None
    np.testing.assert_array_equal(model.predict([[5.0, 5.0]]), before)


def test_vecchia_with_all_neighbors_is_restricted_likelihood():
    sites, values = simulated(Covariance("matern32", 1.0, 2.0, 0.1), 30, 4)
    exact = Kriging().fit(sites, values).log_likelihood_
    approximate = Kriging(method="vecchia", neighbors=30).fit(sites, values)
    assert approximate.log_likelihood_ == pytest.approx(exact, abs=0.01)


def test_many_sites_are_fitted_from_a_sample_first():
    sites, values = simulated(Covariance("exponential", 1.0, 2.0, 0.2), 450, 1)
    model = Kriging(covariance="exponential").fit(sites, values)
    law = model.covariance_
    for factor in (0.9, 1.1):
        other = Covariance(law.kind, law.sill, law.range_ * factor, law.nugget)
        assert Kriging(covariance=other).fit(sites, values).log_likelihood_ < model.log_likelihood_


# Hostile input


SITES, VALUES = scattered(12, 0)
LAW = Covariance("matern32", 1.0, 2.0, 0.1)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"trend": "cubic"}, "trend must be constant, linear, quadratic or a function"),
        ({"trend": ["linear"]}, "trend must be"),
        ({"covariance": "cubic"}, "covariance must be one of"),
        ({"covariance": None}, "covariance must be one of .* got None"),
        ({"method": "bayes"}, "method must be one of reml, ml, .* got 'bayes'"),
        ({"method": "fixed"}, 'method="fixed" needs a Covariance'),
        ({"nugget": -1}, "nugget must be at least 0"),
        ({"anisotropy": (30, 0)}, "0 < ratio <= 1"),
        ({"anisotropy": "fit", "method": "variogram"}, "needs method"),
        ({"covariance": LAW, "nugget": 0.1}, "those of the covariance function"),
        ({"covariance": LAW, "neighbors": 13}, "at most the number of sites 12, got 13"),
        ({"covariance": LAW, "neighbors": 0}, "neighbors must be at least 1, got 0"),
        ({"trend": "linear", "covariance": LAW, "neighbors": 2}, "at least 3, got 2"),
    ],
)
def test_bad_parameters_are_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        Kriging(**parameters).fit(SITES, VALUES)


@pytest.mark.parametrize(
    ("sites", "values", "error", "message"),
    [
        (SITES, VALUES[:5], ValueError, r"y must have shape \(12,\).* got \(5,\)"),
        (SITES, VALUES[:, None], ValueError, r"y must have shape \(12,\)"),
        (SITES[:, 0], VALUES, ValueError, r"X must have shape \(sites, coordinates\)"),
        (np.empty((0, 2)), [], ValueError, "X must have shape"),
        (np.where(SITES > 9, np.nan, SITES), VALUES, ValueError, "X must be finite"),
        (SITES, [*VALUES[:4], math.inf, *VALUES[5:]], ValueError, "y must be finite.*row 4"),
        ([["a", "b"]] * 12, VALUES, TypeError, "X must hold real numbers"),
        (SITES, VALUES + 1j, TypeError, "y must hold real numbers"),
        (SITES[[0, 1, 2, 1, 4, 0]], VALUES[:6], ValueError, "rows 1 and 3, 0 and 5 are equal"),
        (SITES[:1], VALUES[:1], ValueError, "more than 4 sites .* got 1; give a Covariance"),
        (SITES, np.full(12, 3.0), ValueError, "y must vary around its trend"),
    ],
)
def test_bad_data_are_refused(sites, values, error, message):
    with pytest.raises(error, match=message):
        Kriging().fit(sites, values)


def test_sites_on_a_line_have_no_linear_trend():
    line = np.column_stack([np.arange(12.0), 2 * np.arange(12.0) + 1])
    with pytest.raises(ValueError, match=r"3 \(1, u1, u2\) only 2 are, at 12 sites"):
        Kriging("linear", LAW).fit(line, VALUES)
    Kriging("constant", LAW).fit(line, VALUES)


def test_degrees_are_refused():
    degrees = pd.DataFrame({"Lon": SITES[:, 0], "lat": SITES[:, 1], "depth": VALUES})
    with pytest.raises(ValueError, match=r"columns 'lat' and 'Lon' look like degrees: project"):
        Kriging(covariance=LAW).fit(degrees, VALUES)
    in_meters = degrees.assign(Lon=1e5 * degrees["Lon"], lat=1e5 * degrees["lat"])
    Kriging(covariance=LAW).fit(in_meters, VALUES)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((SITES[:3], None), "drift must be given to fit and to predict.*; it was given to fit"),
        ((SITES[:3], [[1.0]] * 3), "drift must be a table with columns"),
        ((SITES[:3, :1], None), "X must have 2 coordinates, as for fit, got 1"),
        ((pd.DataFrame(SITES[:3], columns=["y", "x"]), None), r"columns \['x', 'y'\], as for fit"),
        ((SITES[:1], pd.DataFrame({"soil": ["sand"]})), "one of .*clay.* got 'sand'"),
        ((SITES[:2], pd.DataFrame({"soil": ["clay"]})), "2 rows"),
    ],
)
def test_targets_must_fit_the_data(arguments, message):
    drift = pd.DataFrame({"soil": ["clay", "peat"] * 6})
    model = Kriging(covariance=LAW)
    model.fit(pd.DataFrame(SITES, columns=["x", "y"]), VALUES, drift)
    with pytest.raises(ValueError, match=message):
        model.predict(*arguments)


def test_drift_must_fit_that_of_the_data():
    model = Kriging(covariance=LAW).fit(SITES, VALUES, VALUES)
    with pytest.raises(ValueError, match="drift must have 1 columns, got 2"):
        model.predict(SITES, SITES)
    with pytest.raises(ValueError, match="drift must have 12 rows"):
        model.fit(SITES, VALUES, VALUES[:4])
    with pytest.raises(ValueError, match="drift must be finite"):
        model.fit(SITES, VALUES, np.full(12, np.nan))
    with pytest.raises(ValueError, match="linearly independent"):
        model.fit(SITES, VALUES, np.ones(12))
    model = Kriging(covariance=LAW).fit(SITES, VALUES)
    with pytest.raises(ValueError, match="it was not given to fit"):
        model.predict(SITES, VALUES)
    with pytest.raises(ValueError, match="return_std or return_var, not both"):
        model.predict(SITES, return_std=True, return_var=True)


def test_before_fit_there_is_nothing():
    for act in (lambda model: model.predict(SITES), Kriging.leave_one_out):
        with pytest.raises(NotFittedError):
            act(Kriging())
    assert not hasattr(Kriging(), "trend_coef_")
    assert not hasattr(Kriging(), "at_bound_")


def test_a_matrix_that_is_singular_is_named():
    sites = np.linspace(0, 1, 60)[:, None]
    law = Covariance("gaussian", 1.0, 5.0)
    with pytest.raises(ValueError, match=r"singular in floating-point.*nugget above 0"):
        Kriging(covariance=law).fit(sites, sites[:, 0])


def test_what_does_not_fit_into_memory_is_refused(monkeypatch):
    from runproof import validation

    monkeypatch.setattr(validation, "available_memory", lambda: 1000)
    with pytest.raises(MemoryError, match=r'likelihood of 12 sites.*use method="vecchia"'):
        Kriging().fit(SITES, VALUES)
    with pytest.raises(MemoryError, match=r"matrix of 12 sites.*set neighbors=30"):
        Kriging(covariance=LAW).fit(SITES, VALUES)


# Smoothness


def grid(function, n, turn=0.0, width=1.0, height=1.0):
    """Sample a function of turned coordinates on [0, width] x [0, height], n by 2 n points."""
    x, y = np.linspace(0, width, 2 * n), np.linspace(0, height, n)
    points = np.stack(np.meshgrid(x, y), axis=-1) @ rotation(turn)
    return function(points[..., 0], points[..., 1]), (y[1] - y[0], x[1] - x[0])


@pytest.mark.parametrize("turn", [0, 20, 45, 71])
def test_smoothness_of_quadratic_surfaces_is_exact(turn):
    surface, spacing = grid(lambda x, y: 3 * x**2 + x * y - y**2 + 5 * x - 2, 12, turn, 2.0, 3.0)
    energy, _ = smoothness(surface, spacing)
    assert energy == pytest.approx((36 + 2 * 1 + 4) * 6, rel=1e-9)


@pytest.mark.parametrize("turn", [0, 30, 90])
def test_smoothness_of_a_paraboloid_is_its_curvature(turn):
    bowl, spacing = grid(lambda x, y: 2 * (x + 3) ** 2 + 2 * (y + 3) ** 2, 40, turn)
    energy, index = smoothness(bowl, spacing)
    assert energy == pytest.approx(32, rel=1e-9)
    assert index == pytest.approx(4, rel=1e-4)


@pytest.mark.parametrize("turn", [0, 25, 60])
def test_smoothness_of_plane_waves_converges_with_the_square_of_the_spacing(turn):
    k, cosine, sine = 7.0, math.cos(math.radians(turn)), math.sin(math.radians(turn))
    x, y = np.meshgrid(*[(np.arange(1000) + 0.5) / 1000] * 2)
    u = np.sin(k * (cosine * x + sine * y))
    expected = k**4 * (u**2).mean(), k**2 * np.abs(u).mean()
    errors = []
    for n in (40, 80, 160):
        wave, spacing = grid(lambda x, y: np.sin(k * x), n, turn)
        errors.append(np.abs(np.array(smoothness(wave, spacing)) / expected - 1))
    errors = np.array(errors)
    assert (errors[-1] < 1e-3).all()
    assert (errors[-1] < 0.1 * errors[0]).all()


def test_the_slope_index_does_not_see_that_a_cone_is_curved():
    cone, spacing = grid(lambda x, y: np.hypot(x + 0.5, y + 0.5), 60)
    energy, index = smoothness(cone, spacing)
    assert index < 1e-3
    x, y = np.meshgrid(*[np.linspace(0.5, 1.5, 1001)] * 2)
    assert energy == pytest.approx((1 / (x**2 + y**2)).mean(), rel=0.01)


def test_planes_are_smoothest():
    plane, spacing = grid(lambda x, y: 4 - 3 * x + 11 * y, 9, 33)
    np.testing.assert_allclose(smoothness(plane, spacing), 0, atol=1e-10)


def test_the_energy_sees_a_checkerboard():
    board = np.indices((20, 20)).sum(axis=0) % 2
    assert smoothness(board, 1.0).thin_plate_energy > 1000


@several
@given(seed=seeds, scale=st.floats(0.1, 10), unit=st.floats(0.1, 10))
def test_smoothness_follows_units(seed, scale, unit):
    z = np.random.default_rng(seed).normal(size=(7, 9))
    energy, index = smoothness(z, (0.5, 0.25))
    found = smoothness(scale * z.T + 3, (0.25 * unit, 0.5 * unit))
    np.testing.assert_allclose(found, [energy * scale**2 / unit**2, index * scale], rtol=1e-9)


@pytest.mark.parametrize(
    ("surface", "spacing", "error", "message"),
    [
        (np.zeros(9), 1, ValueError, "at least 4 by 4 heights, got shape"),
        (np.zeros((3, 9)), 1, ValueError, "at least 4 by 4"),
        (np.full((5, 5), np.nan), 1, ValueError, "surface must be finite"),
        (np.zeros((5, 5)), 0, ValueError, "spacing must be above 0"),
        (np.zeros((5, 5)), (1, 2, 3), ValueError, "spacing must be one number or two"),
        (np.zeros((5, 5)), "wide", TypeError, "spacing must be a number, got 'wide'"),
        (np.zeros((5, 5)), (1, None), TypeError, "spacing must be a number"),
    ],
)
def test_bad_surfaces_are_refused(surface, spacing, error, message):
    with pytest.raises(error, match=message):
        smoothness(surface, spacing)


# The data


def test_meuse_is_read_where_it_is_installed(meuse):
    assert meuse.shape == (155, 15)
    assert meuse["zinc"].sum() == 72806
    assert meuse["ffreq"].value_counts().to_dict() == {1: 84, 2: 48, 3: 23}


def test_meuse_says_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.setattr(datasets.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(datasets.DataError, match="pip install scikit-gstat"):
        datasets.meuse()

    class Elsewhere:
        origin = str(tmp_path / "__init__.py")

    monkeypatch.setattr(datasets.importlib.util, "find_spec", lambda name: Elsewhere)
    with pytest.raises(datasets.DataError, match=r"meuse\.txt is missing; reinstall scikit-gstat"):
        datasets.meuse()
