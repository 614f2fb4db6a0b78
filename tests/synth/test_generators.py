import math
import pickle
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal, assert_series_equal
from scipy import stats
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from runproof.synth import (
    Bootstrap,
    GaussianCopula,
    Generator,
    IndependentMargins,
    JitteredBootstrap,
    NoGAN,
    Schema,
    VineCopula,
)
from runproof.synth import nogan as nogan_module
from runproof.synth.dependence import nearest_correlation
from runproof.synth.margins import Margins

QUICK = [
    Bootstrap(),
    JitteredBootstrap(),
    IndependentMargins(),
    NoGAN(),
    NoGAN(bins=3, within="gaussian"),
    NoGAN(bins={}, within="uniform"),
    GaussianCopula(),
    GaussianCopula("spearman", shrinkage=0.3),
]
ALL = [*QUICK, VineCopula("gaussian", truncation=1)]
SAFE = [generator for generator in ALL if not generator.copies_rows]

each = pytest.mark.parametrize("generator", ALL, ids=repr)
several = settings(
    deadline=None, max_examples=15, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)


# Tables


@st.composite
def columns(draw, n):
    """A column of any dtype allowed, neither constant nor all missing."""
    kind = draw(st.sampled_from(sorted(MAKERS)))
    seed = draw(st.integers(0, 10**6))
    values = pd.Series(MAKERS[kind](np.random.default_rng(seed), n))
    if kind in CAN_MISS:
        share = draw(st.sampled_from([0, 0.1, 0.6]))
        lost = np.random.default_rng(seed + 1).random(n) < share
        lost[:2] = False  # two different values stay
        values[lost] = None if values.dtype == object else pd.NA
    return values


def differing(values):
    """Make sure that the first two differ."""
    values[0], values[1] = values.min(), values.max()
    return values


MAKERS = {
    "float64": lambda rng, n: rng.standard_normal(n),
    "float32": lambda rng, n: rng.gamma(1, 1e6, n).astype(np.float32),
    "zeros": lambda rng, n: np.where(np.arange(n) % 3 == 0, rng.random(n), 0.0),
    "Float64": lambda rng, n: pd.array(rng.standard_normal(n), dtype="Float64"),
    "whole": lambda rng, n: np.arange(n) % 7 - 3.0,
    "int8": lambda rng, n: (np.arange(n) % 5 - 2).astype(np.int8),
    "uint16": lambda rng, n: rng.permutation(n).astype(np.uint16),
    "Int64": lambda rng, n: pd.array(rng.permutation(n) * 10**9, dtype="Int64"),
    "bool": lambda rng, n: np.arange(n) % 2 == 0,
    "boolean": lambda rng, n: pd.array(np.arange(n) % 3 == 0, dtype="boolean"),
    "str": lambda rng, n: pd.Series(np.array(["b", "a", "c"])[np.arange(n) % 3], dtype="str"),
    "object": lambda rng, n: pd.Series([[1, "1", (2,)][i % 3] for i in range(n)], dtype=object),
    "category": lambda rng, n: pd.Categorical.from_codes(np.arange(n) % 2, ["y", "x", "unused"]),
    "ordered": lambda rng, n: pd.Categorical.from_codes(
        np.arange(n) % 4, [3, 1, 2, 0], ordered=True
    ),
}
CAN_MISS = set(MAKERS) - {"int8", "uint16", "bool"}


@st.composite
def tables(draw):
    n = draw(st.integers(3, 40))
    labels = draw(st.lists(st.sampled_from(["a", "b", 3, ("t", 1), "e"]), min_size=1, unique=True))
    series = [draw(columns(n)) for _ in labels]
    df = pd.concat(series, axis=1)
    df.columns = pd.Index(labels, tupleize_cols=False)
    df.index = np.arange(n) + 7
    return df


def churn(n=600, seed=0):
    """A table with every kind of column, and with known dependence."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((n, 3))
    plan = np.array(["gold", "basic", "silver"])[np.digitize(z[:, 0], [-0.5, 0.8])]
    df = pd.DataFrame(
        {
            "plan": plan,
            "spend": np.exp(z[:, 0] + 0.5 * z[:, 1]),
            "calls": rng.poisson(np.exp(0.8 * z[:, 0])),
            "left": z[:, 0] + z[:, 2] > 0.7,
            "score": 0.8 * z[:, 0] + 0.6 * z[:, 2],
        }
    )
    df.loc[z[:, 2] > 1, "score"] = np.nan
    return df


@pytest.fixture(scope="module")
def customers():
    return churn()


def numbers(df):
    """Return a frame as numbers, categories as positions."""
    return pd.DataFrame(Schema.from_frame(df).encode(df), columns=df.columns)


# The schema


@several
@given(df=tables())
def test_encoding_and_back_gives_the_same_table(df):
    schema = Schema.from_frame(df)
    assert_frame_equal(schema.decode(schema.encode(df)), df.reset_index(drop=True))


@several
@given(df=tables(), seed=st.integers(0, 99))
def test_decoding_keeps_ranges_and_categories_whatever_the_codes(df, seed):
    schema = Schema.from_frame(df)
    wild = np.random.default_rng(seed).standard_normal((50, df.shape[1])) * 1e12
    assert_allowed(schema.decode(wild), df)


def assert_allowed(synthetic, df):
    """A synthetic table stays within what the real one has."""
    assert list(synthetic.columns) == list(df.columns)
    assert isinstance(synthetic.index, pd.RangeIndex)
    for j in range(df.shape[1]):
        real, drawn = df.iloc[:, j], synthetic.iloc[:, j]
        assert drawn.dtype == real.dtype
        assert real.isna().any() or not drawn.isna().any()
        known, drawn = real.dropna(), drawn.dropna()
        if pd.api.types.is_numeric_dtype(real) and not pd.api.types.is_bool_dtype(real):
            assert ((known.min() <= drawn) & (drawn <= known.max())).all()
            if (known == np.rint(known)).all():
                assert (drawn == np.rint(drawn)).all()
        else:
            assert set(drawn) <= set(known)


def test_kinds():
    df = pd.DataFrame({"x": [0.5, 1], "k": [1, 2], "w": [1.0, 2.0], "b": [True, False]})
    df["c"] = ["u", "v"]
    assert Schema.from_frame(df).kinds == [
        "numeric",
        "integer",
        "integer",
        "boolean",
        "categorical",
    ]
    assert repr(Schema.from_frame(df[["x", "c"]])) == "Schema('x': numeric, 'c': categorical)"


def test_huge_floats_are_no_integers():
    assert Schema.from_frame(pd.DataFrame({"x": [1e300, 2e300]})).kinds == ["numeric"]


@pytest.mark.parametrize(
    ("column", "error", "message"),
    [
        ([1.5, 1.5], ValueError, "column 'x' of df is constant, 1.5"),
        (["a", "a"], ValueError, "constant"),
        ([True, True], ValueError, "constant"),
        ([np.nan, np.nan], ValueError, "all missing"),
        ([None, None], ValueError, "all missing"),
        ([1.0, np.inf], ValueError, "infinite"),
        ([2**60, 1], ValueError, "beyond 2\\^53"),
        (pd.to_datetime(["2020-01-01", "2020-01-02"]), TypeError, "datetime64"),
        (pd.arrays.SparseArray([0, 1]), TypeError, "sparse"),
        ([1j, 2j], TypeError, "complex"),
        ([[1], [2]], TypeError, "hashable"),
    ],
)
def test_columns_that_are_refused(column, error, message):
    with pytest.raises(error, match=message):
        IndependentMargins().fit(pd.DataFrame({"x": column}))


@pytest.mark.parametrize(
    ("df", "error", "message"),
    [
        (np.zeros((3, 2)), TypeError, "pandas DataFrame, got ndarray"),
        (pd.DataFrame({"x": [1.0]}), ValueError, "at least 2 rows, got 1"),
        (pd.DataFrame({"x": []}, dtype=float), ValueError, "at least 2 rows, got 0"),
        (pd.DataFrame(index=[0, 1]), ValueError, "at least one column"),
        (pd.DataFrame([[1, 2], [3, 4]], columns=["x", "x"]), ValueError, r"twice: \['x'\]"),
    ],
)
def test_tables_that_are_refused(df, error, message):
    with pytest.raises(error, match=message):
        Schema.from_frame(df)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda df: df.drop(columns="left"), r"missing \['left'\], new \[\]"),
        (lambda df: df.assign(more=1), r"new \['more'\]"),
        (lambda df: df[df.columns[::-1]], "in another order"),
        (lambda df: df.astype({"calls": float}), "column 'calls' of synthetic must have dtype"),
        (lambda df: df.assign(plan="tin"), "unseen category 'tin'"),
    ],
)
def test_tables_that_do_not_match_the_schema(customers, change, message):
    schema = Schema.from_frame(customers)
    with pytest.raises(ValueError, match=message):
        schema.encode(change(customers), "synthetic")


def test_matrices_that_cannot_be_decoded(customers):
    schema = Schema.from_frame(customers)
    codes = schema.encode(customers)
    with pytest.raises(ValueError, match=r"shape \(n, 5\)"):
        schema.decode(codes[:, :2])
    with pytest.raises(ValueError, match="infinite"):
        schema.decode(codes + np.inf)
    with pytest.raises(ValueError, match="'plan' has no missing values"):
        schema.decode(codes * np.nan)


# What every generator keeps


@pytest.mark.parametrize("generator", QUICK, ids=repr)
@several
@given(df=tables(), n=st.integers(1, 60), seed=st.integers(0, 99))
def test_samples_look_like_the_table_and_repeat(generator, df, n, seed):
    generator = clone(generator).fit(df)
    drawn = generator.sample(n, random_state=seed)
    assert len(drawn) == n
    assert_allowed(drawn, df)
    assert_frame_equal(drawn, generator.sample(n, random_state=np.random.default_rng(seed)))


@settings(several, max_examples=8)
@given(df=tables(), seed=st.integers(0, 99))
def test_vines_too(df, seed):
    generator = VineCopula("gaussian", truncation=1).fit(df)
    drawn = generator.sample(20, random_state=seed)
    assert_allowed(drawn, df)
    assert_frame_equal(drawn, generator.sample(20, random_state=seed))


@each
def test_fitting_twice_gives_the_same_samples(generator, customers):
    first, second = clone(generator).fit(customers), clone(generator).fit(customers)
    assert_frame_equal(first.sample(99, 5), second.sample(99, 5))
    assert not first.sample(99, 5).equals(first.sample(99, 6))


@each
def test_margins_are_right(generator, customers):
    drawn = clone(generator).fit(customers).sample(4000, 1)
    real, synthetic = numbers(customers), numbers(drawn)
    for label in ("spend", "score"):
        gap = stats.ks_2samp(real[label].dropna(), synthetic[label].dropna()).statistic
        assert gap < (0.3 if getattr(generator, "within", "") in ("uniform", "gaussian") else 0.06)
    assert abs(customers["score"].isna().mean() - drawn["score"].isna().mean()) < 0.03
    for label in ("plan", "left"):
        expected, found = (df[label].value_counts(normalize=True) for df in (customers, drawn))
        assert (expected - found).abs().max() < 0.03


@each
def test_a_pickled_model_draws_the_same(generator, customers):
    fitted = clone(generator).fit(customers)
    again = pickle.loads(pickle.dumps(fitted))
    assert_frame_equal(fitted.sample(50, 3), again.sample(50, 3))


def arrays_of(thing, seen):
    """Yield all arrays that an object holds, however deep."""
    if id(thing) in seen:
        return
    seen[id(thing)] = thing
    if isinstance(thing, np.ndarray):
        yield thing
    elif isinstance(thing, (pd.DataFrame, pd.Series, pd.Index)):
        yield thing.to_numpy()
    elif isinstance(thing, dict):
        for value in thing.values():
            yield from arrays_of(value, seen)
    elif isinstance(thing, (list, tuple, set)):
        for value in thing:
            yield from arrays_of(value, seen)
    elif hasattr(thing, "__dict__"):
        yield from arrays_of(vars(thing), seen)


def holds_rows(generator, codes):
    """Whether a model holds two numbers of a training row beside each other."""
    for array in arrays_of(pickle.loads(pickle.dumps(generator)), {}):
        if array.ndim == 2 and array.dtype.kind in "fiu":
            for matrix in (array, array.T):
                for row in codes[:, [1, 4]]:
                    if np.isclose(matrix[:, :, None], row, rtol=1e-12, atol=0).any(1).all(1).any():
                        return True
        elif len(array) == len(codes) and not (np.diff(array) >= 0).all():
            return True  # a column in the order of the rows
    return False


@each
def test_models_hold_training_rows_only_if_they_say_so(generator):
    df = churn(80).dropna()
    fitted = clone(generator).fit(df)
    codes = fitted.schema_.encode(df)
    assert holds_rows(fitted, codes) == generator.copies_rows
    assert ("copies training rows" in repr(generator)) == generator.copies_rows


@pytest.mark.parametrize("generator", SAFE, ids=repr)
def test_no_row_is_copied_unless_the_method_says_so(generator):
    df = churn(300).dropna()
    drawn = clone(generator).fit(df).sample(1000, 1)
    assert df.merge(drawn, on=["spend", "score"]).empty


@each
def test_requests_that_are_refused(generator, customers):
    with pytest.raises(NotFittedError):
        clone(generator).sample(5)
    fitted = clone(generator).fit(customers)
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        fitted.sample(0)
    with pytest.raises(TypeError, match="n must be a whole number"):
        fitted.sample(2.5)
    with pytest.raises(TypeError, match="random_state"):
        fitted.sample(5, random_state="seven")
    with pytest.raises(MemoryError, match="GB"):
        fitted.sample(10**12)


def test_a_failed_fit_leaves_no_model(customers):
    generator = NoGAN().fit(customers)
    with pytest.raises(ValueError, match="within"):
        generator.set_params(within="x").fit(customers)
    with pytest.raises(NotFittedError):
        generator.sample(3)


# Conditions

CONDITIONAL = [Bootstrap(), JitteredBootstrap(), IndependentMargins(), NoGAN(), GaussianCopula()]
conditional = pytest.mark.parametrize("generator", CONDITIONAL, ids=repr)


@conditional
def test_conditions_are_met(generator, customers):
    fitted = clone(generator).fit(customers)
    drawn = fitted.sample(200, 1, conditions={"plan": "silver", "left": True, "calls": 2})
    assert (drawn["plan"] == "silver").all()
    assert drawn["left"].all()
    assert (drawn["calls"] == 2).all()
    assert_allowed(drawn, customers)


@conditional
def test_each_row_can_have_its_own_condition(generator, customers):
    wanted = customers[["left", "plan"]].sample(150, random_state=1)
    drawn = clone(generator).fit(customers).sample(150, 2, conditions=wanted)
    assert_frame_equal(drawn[["left", "plan"]], wanted.reset_index(drop=True))


@conditional
def test_missing_values_can_be_asked_for(generator, customers):
    drawn = clone(generator).fit(customers).sample(100, 2, conditions={"score": np.nan})
    assert drawn["score"].isna().all()


@conditional
def test_conditions_that_are_refused(generator, customers):
    fitted = clone(generator).fit(customers)
    for conditions, message in [
        ({"plan": "tin"}, "has no value 'tin'"),
        ({"shoe": 1}, "no column 'shoe'"),
        ({"spend": -5}, "lies in"),
        ({"spend": "much"}, "is numeric, got 'much'"),
        ({"calls": 1.5}, "whole numbers"),
        ({"plan": None}, "no missing values"),
        (customers[["plan"]], "n=10 rows"),
    ]:
        with pytest.raises(ValueError, match=message):
            fitted.sample(10, conditions=conditions)
    with pytest.raises(TypeError, match="mapping"):
        fitted.sample(10, conditions="gold")


class Deaf(Generator):
    """A generator that takes no conditions."""

    def _fit(self, codes):
        self.n = len(codes)

    def _sample(self, n, rng, given):
        return np.zeros((n, len(self.schema_)))


def test_a_generator_without_conditions_names_those_that_have_them(customers):
    with pytest.raises(ValueError, match=r"Deaf cannot take conditions.*GaussianCopula.*NoGAN"):
        Deaf().fit(customers).sample(5, conditions={"left": True})


@pytest.mark.parametrize("generator", [Bootstrap(), NoGAN(bins=4)], ids=repr)
def test_conditions_that_no_row_has_are_refused(generator):
    df = pd.DataFrame({"a": ["x", "y"] * 20, "b": ["u", "v"] * 20, "z": np.arange(40) / 7})
    with pytest.raises(ValueError, match="a = 'x', b = 'v'"):
        generator.fit(df).sample(3, conditions={"a": "x", "b": "v"})


@pytest.mark.parametrize("generator", [Bootstrap(), NoGAN(), GaussianCopula()], ids=repr)
def test_the_rest_follows_the_condition(generator, customers):
    drawn = clone(generator).fit(customers).sample(3000, 1, conditions={"plan": "silver"})
    real = customers[customers["plan"] == "silver"]
    assert abs(drawn["left"].mean() - real["left"].mean()) < 0.1
    assert abs(drawn["spend"].median() / real["spend"].median() - 1) < 0.35


# The resamplers


def test_bootstrap_rows_are_training_rows(customers):
    drawn = Bootstrap().fit(customers).sample(500, 1)
    rows = set(map(tuple, numbers(customers).fillna(-9).to_numpy()))
    assert set(map(tuple, numbers(drawn).fillna(-9).to_numpy())) <= rows


def test_jitter_moves_numbers_and_nothing_else(customers):
    plain = Bootstrap().fit(customers).sample(300, 1)
    moved = JitteredBootstrap(scale=0.05).fit(customers).sample(300, 1)
    assert_frame_equal(plain[["plan", "left"]], moved[["plan", "left"]])
    assert_series_equal(plain["score"].isna(), moved["score"].isna())
    shift = (moved["spend"] - plain["spend"]) / customers["spend"].std(ddof=0)
    assert abs(shift.std() - 0.05) < 0.01
    assert not (moved["spend"] == plain["spend"]).any()


@pytest.mark.parametrize("scale", [0, -1, math.inf, math.nan, "much", True])
def test_jitter_must_be_a_positive_number(customers, scale):
    with pytest.raises((TypeError, ValueError), match="scale must be"):
        JitteredBootstrap(scale).fit(customers)


def test_independent_margins_have_no_dependence(customers):
    drawn = IndependentMargins().fit(customers).sample(20_000, 1)
    correlation = numbers(drawn).corr("spearman").to_numpy()
    assert np.abs(correlation - np.eye(5)).max() < 0.03


# Margins


@several
@given(df=tables())
def test_margins_lead_back_to_the_table(df):
    schema = Schema.from_frame(df)
    codes = schema.encode(df)
    margins = Margins(codes, schema)
    lower, upper = margins.intervals(codes)
    assert ((lower < upper) | np.isnan(lower)).all()
    assert np.nanmin(lower) >= 0
    assert np.nanmax(upper) <= 1 + 1e-12
    middle = np.nan_to_num((lower + upper) / 2, nan=0.5)
    back = margins.quantiles(middle)
    assert np.array_equal(np.isnan(back), np.isnan(codes))
    for j in np.flatnonzero(schema.discrete):
        assert np.array_equal(back[:, j], codes[:, j], equal_nan=True)


def test_long_columns_are_kept_as_quantiles():
    df = pd.DataFrame({"x": np.random.default_rng(0).standard_normal(50_000)})
    margins = IndependentMargins().fit(df).margins_
    assert sum(array.size for array in arrays_of(margins, {})) < 5000
    drawn = IndependentMargins().fit(df).sample(50_000, 1)
    assert stats.kstest(drawn["x"], "norm").statistic < 0.01
    assert 3.5 < drawn["x"].max() <= df["x"].max()


def test_categories_are_ordered_by_what_they_go_with():
    x = np.repeat([3.0, 1.0, 2.0], 50)
    noise = np.random.default_rng(0).standard_normal(150)
    df = pd.DataFrame({"k": np.repeat(["a", "b", "c"], 50), "x": x + noise / 9})
    schema = Schema.from_frame(df)
    order = list(Margins(schema.encode(df), schema).columns[0].values)
    assert order in ([0, 2, 1], [1, 2, 0])


# NoGAN


def inside(value, low, high, last):
    return low <= value < high or (low == high == value) or (last and value == high)


@several
@given(
    seed=st.integers(0, 999), n=st.integers(2, 60), count=st.integers(1, 12), whole=st.booleans()
)
def test_bins_hold_their_values(seed, n, count, whole):
    rng = np.random.default_rng(seed)
    values = np.rint(rng.gamma(1, 3, n)) if whole or seed % 3 == 0 else rng.standard_normal(n)
    sides = nogan_module._sides(values, count, whole)
    places = nogan_module._place(values, sides)
    assert (np.diff(sides) >= 0).all()
    assert places.min() >= 0
    assert places.max() <= len(sides) - 2
    for value, place in zip(values, places, strict=True):
        assert inside(value, sides[place], sides[place + 1], place == len(sides) - 2)


def test_quantile_bins_hold_equal_shares():
    values = np.random.default_rng(0).standard_normal(1000)
    places = nogan_module._place(values, nogan_module._sides(values, 8, False))
    assert np.bincount(places).tolist() == [125] * 8


@several
@given(seed=st.integers(0, 999), large=st.booleans())
def test_keys_are_the_same_for_the_same_rows_only(seed, large):
    rng = np.random.default_rng(seed)
    labels = rng.integers(-1, 10**6 if large else 2, (200, 12))
    labels[100:] = labels[rng.integers(100, size=100)]
    expected = np.unique(labels, axis=0, return_inverse=True)[1].ravel()
    found = np.unique(nogan_module._keys(labels), return_inverse=True)[1].ravel()
    pairs = {(a, b) for a, b in zip(expected, found, strict=True)}
    assert len(pairs) == len(set(expected)) == len(set(found))


def test_cells_are_drawn_with_their_shares():
    df = pd.DataFrame({"a": list("xxyyyy") * 10, "b": [True, False, True, True, True, False] * 10})
    drawn = NoGAN().fit(df).sample(60_000, 1)
    expected = df.value_counts(normalize=True)
    assert (drawn.value_counts(normalize=True) - expected).abs().max() < 0.01


def test_uniform_draws_are_uniform_between_the_sides():
    df = pd.DataFrame({"x": np.append(np.linspace(0, 1, 51), np.linspace(3, 11, 50))})
    drawn = NoGAN(2, "uniform").fit(df).sample(20_000, 1)["x"]
    middle = df["x"].median()
    assert abs((drawn < middle).mean() - 0.5) < 0.02
    for part, low, high in [
        (drawn[drawn < middle], 0, middle),
        (drawn[drawn >= middle], middle, 11),
    ]:
        assert stats.kstest(part, "uniform", (low, high - low)).pvalue > 0.001


def test_gaussian_draws_follow_the_values_of_the_bin():
    x = np.random.default_rng(0).normal(5, 1, 2000)
    df = pd.DataFrame({"x": x})
    gauss = NoGAN(bins=1, within="gaussian").fit(df).sample(20_000, 1)["x"]
    uniform = NoGAN(1, "uniform").fit(df).sample(20_000, 1)["x"]
    assert abs(gauss.mean() - x.mean()) < 0.03
    assert abs(gauss.std() - x.std()) < 0.03
    assert uniform.std() > 1.5


def test_tied_integers_have_a_bin_of_their_own():
    k = np.where(np.arange(900) % 3 == 0, 0, np.arange(900))
    drawn = NoGAN(6, "uniform").fit(pd.DataFrame({"k": k})).sample(20_000, 1)["k"]
    assert abs((drawn == 0).mean() - 1 / 3) < 0.02


@pytest.mark.parametrize("within", ["uniform", "gaussian", "quantile"])
@pytest.mark.parametrize("bins", [1, 3, 10])
def test_integers_are_not_shifted(within, bins):
    df = pd.DataFrame({"k": np.arange(1000) % 20, "x": np.arange(1000) / 3})
    drawn = NoGAN(bins, within).fit(df).sample(40_000, 1)["k"]
    assert abs(drawn.mean() - 9.5) < 0.15
    assert set(drawn) == set(range(20))


def test_quantile_draws_keep_the_column_whatever_the_bins():
    x = np.random.default_rng(0).lognormal(size=2000)
    for bins in (1, 2, 7):
        drawn = NoGAN(bins).fit(pd.DataFrame({"x": x})).sample(20_000, 1)["x"]
        assert stats.ks_2samp(drawn, x).statistic < 0.02


def test_tied_values_keep_their_share():
    x = np.where(np.arange(900) % 3 == 0, 0.0, np.random.default_rng(0).random(900))
    drawn = NoGAN(bins=6).fit(pd.DataFrame({"x": x})).sample(20_000, 1)["x"]
    assert abs((drawn == 0).mean() - 1 / 3) < 0.02


def test_the_automatic_number_of_bins_finds_dependence_and_its_absence():
    rng = np.random.default_rng(0)
    x = rng.random(1000)
    ring = pd.DataFrame({"x": np.cos(7 * x), "y": np.sin(7 * x)})
    noise = pd.DataFrame(rng.random((1000, 2)), columns=["x", "y"])
    assert min(NoGAN().fit(ring).bins_.values()) >= 6
    assert NoGAN().fit(noise).n_cells_ <= 4


def loss(df, bins):
    """Leave-one-out score by its definition: every row once left out."""
    generator = NoGAN(bins).fit(df)
    labels = np.column_stack(
        [nogan_module._place(df[c].to_numpy(), generator._sides[j]) for j, c in enumerate(df)]
    )
    n, total = len(df), 0
    for i in range(n):
        same = (labels == labels[i]).all(axis=1)
        volume = math.prod((labels[:, j] == labels[i, j]).mean() for j in range(df.shape[1]))
        total += math.log((same.sum() - 1) / volume + 1)
    return total / n


def test_the_automatic_number_of_bins_has_the_best_score_nearby():
    rng = np.random.default_rng(1)
    x = rng.standard_normal(150)
    df = pd.DataFrame({"x": x, "y": x + rng.standard_normal(150) / 2})
    best = NoGAN().fit(df).bins_
    score = loss(df, best)
    ladder = nogan_module._LADDER
    for label, count in best.items():
        for step in (-1, 1):
            other = ladder[max(ladder.index(count) + step, 0)]
            assert loss(df, best | {label: other}) <= score + 1e-9
    assert score > loss(df, 1)


def test_the_automatic_number_of_bins_needs_only_some_of_many_rows(monkeypatch):
    monkeypatch.setattr(nogan_module, "_ENOUGH", 500)
    x = np.random.default_rng(0).random(5000)
    fitted = NoGAN().fit(pd.DataFrame({"x": np.cos(7 * x), "y": np.sin(7 * x)}))
    assert min(fitted.bins_.values()) >= 6
    assert fitted._shares.sum() == pytest.approx(1)
    assert (fitted._shares * 5000).round().sum() == 5000


def test_bins_by_column(customers):
    fitted = NoGAN(bins={"spend": 4, "calls": 2}).fit(customers)
    assert fitted.bins_["spend"] == 4
    assert fitted.bins_["calls"] == 2
    assert fitted.bins_["score"] >= 1


@pytest.mark.parametrize(
    ("bins", "error", "message"),
    [
        (0, ValueError, "at least 1, got 0"),
        (601, ValueError, "at most the 600 rows, got 601"),
        (2.5, TypeError, "whole number"),
        ("many", ValueError, "bins must be 'auto'"),
        ({"plan": 3}, ValueError, "each of its categories is a bin"),
        ({"shoe": 3}, ValueError, "no column 'shoe'"),
        ({"spend": True}, TypeError, "bins of column 'spend'"),
    ],
)
def test_bins_that_are_refused(customers, bins, error, message):
    with pytest.raises(error, match=message):
        NoGAN(bins).fit(customers)


# Copulas


def normal_table(rho, n, seed=0, discrete=()):
    """Two normal columns with correlation rho, some of them cut into two."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((n, 2)) @ np.linalg.cholesky([[1, rho], [rho, 1]]).T
    df = pd.DataFrame(z, columns=["x", "y"])
    for label in discrete:
        df[label] = df[label] > 0.4
    return df


@pytest.mark.parametrize("correlation", ["normal", "spearman"])
@pytest.mark.parametrize("discrete", [(), ("y",), ("x", "y")])
@pytest.mark.parametrize("rho", [-0.7, 0.2, 0.9])
def test_the_latent_correlation_is_found(correlation, discrete, rho):
    df = normal_table(rho, 20_000, discrete=discrete)
    fitted = GaussianCopula(correlation, shrinkage=0).fit(df)
    assert abs(fitted.correlation_[0, 1] - rho) < 0.025


def test_spearman_follows_the_formula_for_continuous_columns():
    df = np.exp(normal_table(0.6, 300))
    fitted = GaussianCopula("spearman", shrinkage=0).fit(df)
    expected = 2 * math.sin(math.pi / 6 * stats.spearmanr(df["x"], df["y"]).statistic)
    assert fitted.correlation_[0, 1] == pytest.approx(expected, abs=1e-6)


def test_two_booleans_get_the_tetrachoric_correlation():
    df = normal_table(0.5, 2000, discrete=("x", "y"))
    rho = GaussianCopula(shrinkage=0).fit(df).correlation_[0, 1]
    cuts = stats.norm.ppf(1 - df.mean())
    normal = stats.multivariate_normal([0, 0], [[1, rho], [rho, 1]])
    both = 1 - stats.norm.cdf(cuts).sum() + normal.cdf(cuts)
    assert both == pytest.approx((df["x"] & df["y"]).mean(), abs=1e-4)


def test_margins_do_not_matter_to_the_copula():
    df = normal_table(0.6, 500)
    plain = GaussianCopula().fit(df).correlation_
    assert np.allclose(plain, GaussianCopula().fit(np.exp(df)).correlation_)


@pytest.mark.parametrize(("shrinkage", "expected"), [(0, 0.8), (0.25, 0.6), (1, 0)])
def test_given_shrinkage(shrinkage, expected):
    fitted = GaussianCopula(shrinkage=shrinkage).fit(normal_table(0.8, 20_000))
    assert abs(fitted.correlation_[0, 1] - expected) < 0.02
    assert fitted.shrinkage_ == shrinkage


def test_automatic_shrinkage_is_large_for_short_tables_of_noise():
    rng = np.random.default_rng(0)
    short = pd.DataFrame(rng.standard_normal((20, 15)))
    assert GaussianCopula().fit(short).shrinkage_ > 0.5
    assert GaussianCopula().fit(normal_table(0.8, 5000)).shrinkage_ < 0.01


def test_the_nearest_correlation_matrix():
    # Higham's example, with the answer he prints.
    matrix = np.array([[1, 1, 0], [1, 1, 1], [0, 1, 1.0]])
    expected = [[1, 0.7607, 0.1573], [0.7607, 1, 0.7607], [0.1573, 0.7607, 1]]
    nearest = nearest_correlation(matrix)
    assert np.abs(nearest - expected).max() < 1e-3
    assert np.linalg.eigvalsh(nearest)[0] > 0
    assert nearest_correlation(np.eye(4)).tolist() == np.eye(4).tolist()


def test_dependence_between_columns_comes_back(customers):
    for generator in (GaussianCopula(), VineCopula()):
        drawn = clone(generator).fit(customers).sample(6000, 1)
        real, synthetic = (numbers(df).drop(columns="plan") for df in (customers, drawn))
        gap = real.corr("spearman") - synthetic.corr("spearman")
        assert gap.abs().to_numpy().max() < 0.15
        for frame in (real, synthetic):
            frame["lost"] = frame["score"].isna()
        gap = real[["lost", "left"]].corr() - synthetic[["lost", "left"]].corr()
        assert gap.abs().to_numpy().max() < 0.15


def test_conditional_sampling_follows_the_conditional_normal():
    df = normal_table(0.8, 4000)
    fitted = GaussianCopula(shrinkage=0).fit(df)
    drawn = fitted.sample(8000, 1, conditions={"x": 1.0})["y"]
    assert abs(drawn.mean() - 0.8) < 0.05
    assert abs(drawn.std() - 0.6) < 0.04


def test_several_discrete_conditions_agree_with_keeping_what_fits():
    rng = np.random.default_rng(0)
    common = rng.standard_normal(3000)
    df = pd.DataFrame(common[:, None] + rng.standard_normal((3000, 3)) / 2, columns=list("abc"))
    df["a"], df["b"] = df["a"] > 1, df["b"] > -1
    fitted = GaussianCopula().fit(df)
    free = fitted.sample(200_000, 1)
    kept = free[free["a"] & free["b"]]["c"]
    drawn = fitted.sample(20_000, 2, conditions={"a": True, "b": True})["c"]
    assert abs(drawn.mean() - kept.mean()) < 0.03
    assert abs(drawn.std() - kept.std()) < 0.03


def cells_table(n=900, seed=0):
    """Correlation of opposite signs in two groups, and a third group of a few rows."""
    rng = np.random.default_rng(seed)
    df = pd.DataFrame({"g": rng.choice(["up", "down", "few"], n, p=[0.5, 0.495, 0.005])})
    sign = df["g"].map({"up": 0.9, "down": -0.9, "few": 0.0}).to_numpy(float)
    x, noise = rng.standard_normal((2, n))
    df["x"] = x
    df["y"] = sign * x + np.sqrt(1 - sign**2) * noise
    df["h"] = rng.random(n) < np.where(df["g"] == "up", 0.8, 0.3)
    return df


@pytest.mark.parametrize("method", [GaussianCopula, VineCopula])
def test_a_copula_for_each_cell(method):
    df = cells_table()
    fitted = method(by="g").fit(df)
    drawn = fitted.sample(6000, 1)
    for group, expected in [("up", 0.9), ("down", -0.9)]:
        part = drawn[drawn["g"] == group]
        assert abs(part["x"].corr(part["y"]) - expected) < 0.08
        assert abs(part["h"].mean() - df.loc[df["g"] == group, "h"].mean()) < 0.05
    shares = (drawn["g"].value_counts(normalize=True) - df["g"].value_counts(normalize=True)).abs()
    assert shares.max() < 0.03
    assert "few" in set(drawn["g"])
    down = fitted.sample(500, 2, conditions={"g": "down"})
    assert set(down["g"]) == {"down"}
    assert down["x"].corr(down["y"]) < -0.8
    with pytest.raises(ValueError, match="these columns only"):
        fitted.sample(5, conditions={"x": 0})


def test_small_cells_are_drawn_from_the_whole():
    df = cells_table()
    few = df.loc[df["g"] == "few", "x"]
    assert len(few) < 10
    drawn = GaussianCopula(by="g").fit(df).sample(300, 1, conditions={"g": "few"})["x"]
    assert drawn.min() < few.min() - 0.5
    assert drawn.max() > few.max() + 0.5
    alone = GaussianCopula(by="g", min_rows=2).fit(df).sample(300, 1, conditions={"g": "few"})["x"]
    assert few.min() <= alone.min() <= alone.max() <= few.max()


def test_cells_that_never_occurred_are_drawn_from_the_whole():
    df = cells_table()
    df = df[~((df["g"] == "up") & df["h"])]
    fitted = GaussianCopula(by=["g", "h"]).fit(df)
    drawn = fitted.sample(50, 1, conditions={"g": "up", "h": True})
    assert set(drawn["g"]) == {"up"}
    assert drawn["h"].all()
    both = fitted.sample(400, 1, conditions={"h": True})
    assert set(both["g"]) <= {"down", "few"}


@several
@given(df=tables(), seed=st.integers(0, 99))
def test_cells_of_any_size(df, seed):
    discrete = [
        c for c, kind in zip(df, Schema.from_frame(df).kinds, strict=True) if kind != "numeric"
    ]
    by = discrete[:2] if len(discrete) < df.shape[1] else discrete[1:3]
    fitted = GaussianCopula(by=by, min_rows=2).fit(df)
    assert_allowed(fitted.sample(30, seed), df)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"correlation": "pearson"}, "correlation must be"),
        ({"shrinkage": 1.5}, "shrinkage must be from 0 to 1"),
        ({"shrinkage": "none"}, "shrinkage must be"),
        ({"shrinkage": True}, "shrinkage must be"),
        ({"by": "shoe"}, "no column 'shoe'"),
        ({"by": "spend"}, "categories or integers"),
        ({"by": ["plan", "plan"]}, "different columns"),
        ({"by": "plan", "min_rows": 1}, "min_rows must be at least 2"),
    ],
)
def test_parameters_of_the_gaussian_copula_that_are_refused(customers, parameters, message):
    with pytest.raises((TypeError, ValueError), match=message):
        GaussianCopula(**parameters).fit(customers)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"families": "best"}, "families must be"),
        ({"truncation": 0}, "truncation must be at least 1"),
        ({"max_rows": 5}, "max_rows must be at least 10"),
        ({"n_jobs": -1}, "n_jobs must be at least 1"),
    ],
)
def test_parameters_of_the_vine_that_are_refused(customers, parameters, message):
    with pytest.raises(ValueError, match=message):
        VineCopula(**parameters).fit(customers)


def test_by_must_leave_a_column():
    df = pd.DataFrame({"a": [1, 2, 1, 2]})
    with pytest.raises(ValueError, match="at least one column"):
        GaussianCopula(by="a").fit(df)


def test_a_vine_takes_conditions_on_its_groups_only(customers):
    fitted = VineCopula("gaussian", truncation=1).fit(customers)
    with pytest.raises(ValueError, match="GaussianCopula takes them on all columns"):
        fitted.sample(5, conditions={"plan": "gold"})


def test_a_vine_finds_tail_dependence_that_a_normal_copula_lacks():
    rng = np.random.default_rng(0)
    shared = rng.gamma(0.5, size=2000)[:, None]  # Clayton's copula, by Marshall and Olkin
    u = (1 + rng.exponential(size=(2000, 2)) / shared) ** -0.5
    df = pd.DataFrame(u, columns=["x", "y"])

    def low(frame):
        return (frame < 0.05).all(axis=1).mean() / 0.05

    vine, gauss = (g.fit(df).sample(40_000, 1) for g in (VineCopula(), GaussianCopula()))
    assert abs(low(vine) - 0.71) < 0.08  # (2 u^-2 - 1)^-(1/2) / u at u = 0.05
    assert low(gauss) < low(vine) - 0.1


def test_a_longer_table_than_the_vine_needs():
    df = normal_table(0.7, 3000)
    drawn = VineCopula(max_rows=500).fit(df).sample(3000, 1)
    assert abs(drawn["x"].corr(drawn["y"]) - 0.7) < 0.06
    assert re.match(r"VineCopula\(", repr(VineCopula()))


def test_fitting_again_forgets_the_cells():
    df = cells_table()
    fitted = GaussianCopula(by="g").fit(df)
    fitted.set_params(by=None).fit(df)
    assert_frame_equal(fitted.sample(50, 1), GaussianCopula().fit(df).sample(50, 1))
