import pickle

import jax
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.datasets import load_iris

from runproof.synth import GAN, Bootstrap, ForestFlow, GaussianCopula, Sequential, _adversarial
from runproof.synth.forest import _Law, _spread, _velocity
from runproof.synth.gan import _Encoder
from runproof.synth.table import Schema
from runproof.synth.trees import _Lines, _Shares, even

several = settings(
    deadline=None, max_examples=15, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
SMALL_FLOW = ForestFlow(steps=2, n_estimators=2)
SMALL_GAN = GAN(
    latent=4, hidden=(8,), critic=(8,), modes=2, steps=5, critic_steps=1, batch_size=16, holdout=0
)
MODELS = [Sequential(), SMALL_FLOW, SMALL_GAN]
several_models = pytest.mark.parametrize("model", MODELS, ids=lambda m: type(m).__name__)


def mixed(n=300, seed=0):
    """Numbers, integers, booleans, categories and strings that depend on each other."""
    rng = np.random.default_rng(seed)
    group = rng.integers(0, 3, n)
    frame = pd.DataFrame(
        {
            "size": rng.normal(3.0 * group, 1 + group),
            "visits": rng.poisson(1 + 2 * group),
            "member": rng.random(n) < 0.2 + 0.3 * group,
            "region": pd.Categorical(np.array(["n", "s", "w"])[group], ["w", "s", "n", "unused"]),
            "note": np.where(rng.random(n) < 0.5, "yes", "no"),
            "age": pd.array(rng.integers(18, 90, n), "Int64"),
        }
    )
    frame.loc[rng.random(n) < np.where(group == 2, 0.5, 0.1), "size"] = np.nan
    frame.loc[rng.random(n) < 0.1, "age"] = pd.NA
    return frame


def iris():
    frame = load_iris(as_frame=True).frame
    return frame.astype({"target": "category"})


def ring(n, seed=0):
    """Two columns that no Gaussian copula can do: uncorrelated, on a circle."""
    rng = np.random.default_rng(seed)
    angle, radius = rng.uniform(0, 2 * np.pi, n), rng.normal(1, 0.05, n)
    return pd.DataFrame({"x": radius * np.cos(angle), "y": radius * np.sin(angle)})


def check_is_like(sample, df, n):
    assert len(sample) == n
    assert list(sample.columns) == list(df.columns)
    assert (sample.dtypes == df.dtypes).all()
    for name in df:
        known, made = df[name].dropna(), sample[name].dropna()
        assert df[name].isna().any() or len(made) == n
        if len(made) and pd.api.types.is_numeric_dtype(known) and known.dtype != bool:
            assert made.min() >= known.min()
            assert made.max() <= known.max()
        else:
            assert set(made) <= set(known)


# One interface


@several_models
def test_types_order_ranges_and_categories_come_back(model):
    df = mixed()
    fitted = clone(model).fit(df)
    for n in (1, 500):
        check_is_like(fitted.sample(n, random_state=1), df, n)


@several_models
def test_seeds_repeat_and_differ(model):
    df = mixed()
    one, two = clone(model).fit(df), clone(model).fit(df)
    sample = one.sample(50, random_state=3)
    pd.testing.assert_frame_equal(sample, two.sample(50, random_state=3))
    pd.testing.assert_frame_equal(sample, pickle.loads(pickle.dumps(one)).sample(50, 3))
    assert not sample.equals(one.sample(50, random_state=4))


def test_no_model_holds_a_training_row():
    df = pd.DataFrame(np.random.default_rng(1).normal(size=(200, 4)), columns=list("abcd"))
    rows = [row.tobytes() for row in df.to_numpy()]
    for model in MODELS:
        stored = pickle.dumps(clone(model).fit(df))
        assert not any(row in stored for row in rows)
        assert not model.copies_rows
    stored = pickle.dumps(Bootstrap().fit(df))  # the check can fail
    assert all(row in stored for row in rows)


@several_models
def test_no_value_of_a_continuous_column_is_copied(model):
    df = pd.DataFrame(np.random.default_rng(1).normal(size=(200, 4)), columns=list("abcd"))
    sample = clone(model).fit(df).sample(1000, random_state=1)
    inside = (sample > df.min()) & (sample < df.max())  # values outside were set to the ends
    for name in df:
        assert not sample.loc[inside[name], name].isin(df[name]).any()


columns = st.sampled_from(["float", "int", "bool", "label", "gaps"])


@st.composite
def tables(draw):
    n, kinds = draw(st.integers(4, 60)), draw(st.lists(columns, min_size=1, max_size=4))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    scale = 10.0 ** draw(st.integers(-200, 200))
    make = {
        "float": lambda: scale * rng.standard_normal(n),
        "int": lambda: rng.integers(-5, 5, n),
        "bool": lambda: rng.random(n) < 0.4,
        "label": lambda: rng.choice(list("abc"), n),
        "gaps": lambda: np.where(rng.random(n) < 0.4, np.nan, rng.standard_normal(n)),
    }
    first = {
        "float": [scale, -scale],
        "int": [1, 2],
        "bool": [True, False],
        "label": ["a", "b"],
        "gaps": [1.0, 2.0],
    }
    values = {f"{k}{j}": [*first[k], *make[k]()[2:].tolist()] for j, k in enumerate(kinds)}
    return pd.DataFrame(values)


@several
@given(df=tables(), n=st.integers(1, 40), seed=st.integers(0, 99))
@pytest.mark.parametrize("model", MODELS[:2], ids=lambda m: type(m).__name__)
def test_any_table_can_be_learned(model, df, n, seed):
    check_is_like(clone(model).fit(df).sample(n, random_state=seed), df, n)


# Trees


def test_the_laws_of_leaves():
    rng = np.random.default_rng(3)
    leaves, values = rng.integers(5, 8, 300), rng.normal(size=300)
    lines = _Lines(leaves, values)
    levels = np.linspace(0, 1, 20)
    for leaf in (5, 6, 7):
        found = lines.quantile(np.full(20, leaf), levels * (1 - 1e-15))
        assert np.allclose(found, np.quantile(values[leaves == leaf], levels))
    labels = rng.integers(0, 4, 300)
    shares = _Shares(leaves, labels)
    for leaf in (5, 6, 7):
        u = (np.arange(10_000) + 0.5) / 10_000
        drawn = np.bincount(shares.quantile(np.full(10_000, leaf), u).astype(int), minlength=4)
        expected = np.bincount(labels[leaves == leaf], minlength=4) / (leaves == leaf).sum()
        assert np.abs(drawn / 10_000 - expected).max() < 2e-4
    assert (shares.quantile(np.array([5, 7]), np.array([1.0, 1.0])) == [3, 3]).all()


def test_even_numbers_have_one_in_each_part():
    u = even(50, np.random.default_rng(1))
    assert sorted(np.floor(u * 50)) == list(range(50))
    assert not (np.diff(u) > 0).all()


def test_sequential_keeps_a_rule_and_its_direction():
    rng = np.random.default_rng(4)
    df = pd.DataFrame({"a": rng.choice(list("pqr"), 400)})
    df["b"] = df["a"].map({"p": 1.0, "q": 5.0, "r": 9.0}) + 0.1 * rng.standard_normal(400)
    df["c"] = rng.random(400)
    sample = Sequential().fit(df).sample(600, random_state=1)
    middle = sample.groupby("a")["b"].mean()
    assert np.allclose(middle, [1, 5, 9], atol=0.1)
    assert abs(sample["b"].corr(sample["c"])) < 0.15


def test_sequential_keeps_where_values_are_missing():
    df = mixed(2000)
    sample = Sequential(order=["region"]).fit(df).sample(2000, random_state=1)
    real, made = (
        frame["size"].isna().groupby(frame["region"], observed=True).mean()
        for frame in (df, sample)
    )
    assert np.allclose(real, made, atol=0.08)


def test_leaves_rest_on_enough_rows():
    model = Sequential(min_samples_leaf=20).fit(iris())
    for factor in model.chain_.factors:
        if factor.tree is not None:
            tree = factor.tree.tree_
            assert tree.n_node_samples[tree.children_left == -1].min() >= 20


def test_sequential_takes_conditions_on_its_first_columns():
    model = Sequential(order=["target"]).fit(iris())
    setosa = model.sample(30, random_state=1, conditions={"target": 0})
    assert (setosa["target"] == 0).all()
    assert setosa["petal length (cm)"].max() < 2.5
    with pytest.raises(ValueError, match=r"order=\['petal length \(cm\)'\]"):
        model.sample(3, conditions={"petal length (cm)": 4.0})


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        (Sequential(order="target"), TypeError, "order must be a list"),
        (Sequential(order=["nobody"]), ValueError, "no column 'nobody'"),
        (Sequential(order=["target", "target"]), ValueError, "name a column once"),
        (Sequential(min_samples_leaf=1), ValueError, "min_samples_leaf must be at least 2"),
        (ForestFlow(by="petal width (cm)"), ValueError, "categories or integers"),
        (ForestFlow(by=["target", "target"]), ValueError, "different columns"),
        (ForestFlow(by="target", min_rows=60), ValueError, "only 50 rows have"),
        (ForestFlow(temperature=0), ValueError, "temperature must be above 0"),
        (ForestFlow(temperature=1.1), ValueError, "at most 1, got 1.1"),
        (ForestFlow(temperature="cold"), TypeError, "must be 'auto' or a number"),
        (ForestFlow(steps=0), ValueError, "steps must be at least 1"),
        (ForestFlow(n_estimators=1.5), TypeError, "n_estimators must be a whole number"),
        (GAN(loss="hinge"), ValueError, "loss must be"),
        (GAN(hidden=128), TypeError, "hidden must be a tuple"),
        (GAN(critic=(0,)), ValueError, "critic must be at least 1"),
        (GAN(learning_rate=0.0), ValueError, "learning_rate must be above 0"),
        (GAN(averaging=1), ValueError, "averaging must be at least 0 and below 1"),
        (GAN(holdout=0.5), ValueError, "holdout must be at least 0 and below 0.5"),
        (GAN(holdout="some"), TypeError, "holdout must be a number"),
        (GAN(steps=True), TypeError, "steps must be a whole number"),
    ],
)
def test_bad_parameters_are_named(model, error, message):
    with pytest.raises(error, match=message):
        model.fit(iris())


@pytest.mark.parametrize("model", MODELS[2:], ids=["GAN"])
def test_a_gan_takes_no_conditions(model):
    with pytest.raises(ValueError, match="cannot take conditions"):
        clone(model).fit(iris()).sample(2, conditions={"target": 1})


# Forests


@several
@given(values=st.lists(st.integers(-5, 5), min_size=2, max_size=60))
def test_a_law_gives_back_its_values_with_their_shares(values):
    values = np.array(values, float)
    law = _Law(values)
    ranks = (np.arange(len(values)) + 0.5) / len(values)
    assert np.allclose(law.quantile(ranks), np.sort(values))
    u = np.linspace(0, 1, 101)
    assert (np.diff(law.quantile(u)) >= 0).all()


def test_a_law_of_many_values_is_a_grid():
    values = np.random.default_rng(5).normal(size=20_000)
    law = _Law(values)
    assert len(law.values) < 1100
    u = np.linspace(0.001, 0.999, 500)
    assert np.abs(law.quantile(u) - np.quantile(values, u)).max() < 0.02


def test_forests_have_nothing_to_learn_between_normal_laws():
    rng = np.random.default_rng(6)
    root = np.linalg.cholesky([[1, 0.8], [0.8, 1]])
    noise, data = (rng.standard_normal((4000, 2)) @ root.T for _ in range(2))
    nothing = np.empty((4000, 0))
    place = np.cos(np.pi / 8) * noise + np.sin(np.pi / 8) * data
    forest = _velocity(noise, data, nothing, 0.25, 10, 400, 0)
    assert np.abs(forest.predict(place)).mean() < 0.1
    squared = np.sign(data) * data**2  # and something where the law is another one
    place = np.cos(np.pi / 8) * noise + np.sin(np.pi / 8) * squared
    forest = _velocity(noise, squared, nothing, 0.25, 10, 400, 0)
    assert np.abs(forest.predict(place)).mean() > 0.15


def test_a_flow_finds_the_hole_that_a_copula_misses():
    df = ring(1000)
    share = {}
    for model in (GaussianCopula(), ForestFlow()):
        sample = model.fit(df).sample(1000, random_state=1)
        share[type(model).__name__] = (np.hypot(sample["x"], sample["y"]) < 0.6).mean()
    assert share["ForestFlow"] < share["GaussianCopula"] / 2


def test_cells_get_their_shares_rounded():
    model = ForestFlow(by="target", steps=2, n_estimators=2).fit(iris())
    assert (model.sample(150, random_state=1)["target"].value_counts() == 50).all()
    counts = np.bincount(_spread(np.array([0.5, 0.3, 0.2]), 1001, np.random.default_rng(1)))
    assert np.abs(counts - 1001 * np.array([0.5, 0.3, 0.2])).max() < 1
    fixed = model.sample(20, random_state=1, conditions={"target": 2})
    assert (fixed["target"] == 2).all()
    assert fixed["petal length (cm)"].min() > 4
    with pytest.raises(ValueError, match=r"by=\['petal length"):
        model.sample(1, conditions={"petal length (cm)": 2.0})


def test_correlations_of_a_flow():
    rng = np.random.default_rng(7)
    df = pd.DataFrame(rng.standard_normal((800, 3)) @ rng.standard_normal((3, 3)))
    sample = ForestFlow(steps=4).fit(df).sample(2000, random_state=1)
    assert np.abs(sample.corr() - df.corr()).to_numpy().max() < 0.06
    assert np.allclose(sample.std(), df.std(), rtol=0.06)


def test_less_noise_means_less_spread_and_closer_rows():
    df = iris()
    flow = ForestFlow(by="target", steps=2, n_estimators=2)
    numbers = list(df.columns[:4])
    spread = {}
    for temperature in (1.0, 0.6):
        sample = clone(flow).set_params(temperature=temperature).fit(df).sample(450, 1)
        spread[temperature] = sample.groupby("target", observed=True)[numbers].std().mean().mean()
    assert spread[0.6] < 0.75 * spread[1.0]
    chosen = clone(flow).set_params(temperature="auto").fit(df).temperature_
    assert 0.5 < chosen <= 1


# The adversaries


@pytest.fixture(scope="module")
def bench():
    """A small plan with two places and two labels, rows, modes, and the first state."""
    plan = _adversarial.Plan(3, (5,), (6,), 7, (2, 3), 2, True, 10.0, 2, 8, 1e-3, 0.9)
    rows = jax.random.normal(jax.random.key(1), (20, 9))
    middle, reach = np.zeros((2, 5, 2), np.float32)
    middle[:2, 0], reach[:2, 0] = [-1, 1], [0.5, 0.2]
    middle[2:, 1], reach[2:, 1] = [0, 3, 5], [1, 2, 3]
    modes = _adversarial.Modes(jax.numpy.asarray(middle), jax.numpy.asarray(reach))
    return plan, rows, modes, _adversarial.start(plan, jax.random.key(0))


def test_the_compiled_loop_equals_steps_one_by_one(bench):
    plan, rows, modes, state = bench
    key = jax.random.key(2)
    compiled = _adversarial.train(state, rows, modes, key, plan, 2)
    for turn in jax.random.split(key, 2):
        state = _adversarial.step(state, rows, modes, turn, plan)
    for ours, plain in zip(jax.tree.leaves(compiled), jax.tree.leaves(state), strict=True):
        assert np.allclose(ours, plain, atol=1e-5)
    moved = np.asarray(compiled.generator[0][0]) - np.asarray(bench[3].generator[0][0])
    assert np.abs(moved).max() > 1e-4


def test_labels_leave_the_generator_through_a_softmax_each(bench):
    plan, _, modes, state = bench
    made = np.asarray(_adversarial._generate(state.generator, modes, jax.random.key(3), plan, 50))
    assert made.shape == (50, 9)
    assert np.abs(made[:, :2]).max() <= 1
    assert np.allclose(made[:, 2:4].sum(axis=1), 1, atol=1e-5)
    assert np.allclose(made[:, 4:7].sum(axis=1), 1, atol=1e-5)
    numbers = made[:, 2:7] @ modes.middle + made[:, :2] * (made[:, 2:7] @ modes.reach)
    assert np.allclose(made[:, 7:], numbers, atol=1e-4)
    logits = np.random.default_rng(1).normal(size=(9, 5)) * 5
    soft = np.asarray(_adversarial._softmax(jax.numpy.asarray(logits), plan))
    for block in (slice(0, 2), slice(2, 5)):
        assert np.allclose(soft[:, block], jax.nn.softmax(logits[:, block]), atol=1e-5)


def test_numpy_draws_what_jax_trains(bench):
    plan, modes = bench[0]._replace(blocks=(), places=0), bench[2]
    state = _adversarial.start(plan, jax.random.key(0))
    key = jax.random.key(4)
    noise = jax.random.normal(jax.random.split(key)[0], (6, 3))
    weights = [(np.asarray(w), np.asarray(b)) for w, b in state.generator]
    made = _adversarial._generate(state.generator, modes, key, plan, 6)
    assert np.allclose(_adversarial.forward(weights, np.asarray(noise)), made, atol=1e-5)


def test_the_loss_of_a_linear_critic_is_known(bench):
    plan, rows, modes, state = bench
    slope = np.arange(9.0) / 5
    critic = [(jax.numpy.asarray(slope[:, None]), jax.numpy.zeros(1))]
    key = jax.random.key(5)
    pick, make, _ = jax.random.split(key, 3)
    real = np.asarray(rows)[np.asarray(jax.random.randint(pick, (8,), 0, 20))]
    made = np.asarray(_adversarial._generate(state.generator, modes, make, plan, 8))
    expected = (made - real).mean(axis=0) @ slope + 10 * (np.linalg.norm(slope) - 1) ** 2
    found = _adversarial._critic_loss(critic, state.generator, rows, modes, key, plan)
    assert float(found) == pytest.approx(expected, rel=1e-4)


def test_energy_distance_by_definition(bench):
    plan, rows, modes, state = bench
    key = jax.random.key(6)
    made = np.asarray(_adversarial._generate(state.generator, modes, key, plan, 30))
    weights = np.array([0, 1, 1, 1, 2, 1, 1, 1, 1], np.float32)
    made, scaled = made * weights, np.asarray(rows) * weights
    pairs = [np.linalg.norm(made[:, None] - other, axis=2).mean() for other in (scaled, made)]
    found = _adversarial.distance(state.generator, rows, modes, weights, key, plan, 30)
    assert float(found) == pytest.approx(2 * pairs[0] - pairs[1], rel=1e-3)


@pytest.mark.parametrize("modes", [0, 3])
def test_encoding_and_back(modes):
    df = mixed()
    schema, rng = Schema.from_frame(df), np.random.default_rng(8)
    codes = schema.encode(df)
    encoder = _Encoder(codes, schema, modes, rng)
    rows = encoder.encode(codes, rng)
    assert rows.shape == (len(df), encoder.width)
    places = rows[:, : encoder.places]
    if modes:
        assert np.abs(places).max() <= 1
        places = np.arctanh(np.clip(places, -1 + 1e-12, 1 - 1e-12))
        numbers = encoder.numbers(rows)
        exact = (df["size"] - df["size"].mean()) / df["size"].std(ddof=0)
        error = np.abs(numbers[:, 0] - exact)[df["size"].notna()]
        assert np.median(error) < 1e-6
        assert encoder.weights(encoder.width + encoder.places).sum() < encoder.width
    sure = np.where(rows[:, encoder.places :] == 1, 1e3, 0)
    back = encoder.decode(np.hstack([places, sure]), rng)
    assert (np.isnan(back) == np.isnan(codes)).all()
    assert np.nanmax(np.abs(back - codes)) < 0.3 * np.nanstd(codes[:, 0])
    pd.testing.assert_frame_equal(
        schema.decode(back).drop(columns=["size", "age"]), df.drop(columns=["size", "age"])
    )


def test_the_published_network():
    df = iris()
    model = GAN.published(random_state=1).set_params(steps=3).fit(df)
    shapes = [w.shape for w, _ in model.weights_]
    assert shapes == [(10, 15), (15, 30), (30, 5)]
    plan = model._plan()
    critic = _adversarial.start(plan, jax.random.key(0)).critic
    assert [w.shape for w, _ in critic] == [(5, 25), (25, 50), (50, 1)]
    published = GAN.published()
    assert (published.steps, published.batch_size, published.learning_rate) == (10_000, 128, 1e-3)
    check_is_like(model.sample(40, random_state=1), df, 40)


def test_a_gan_learns_and_stops_early():
    rng = np.random.default_rng(9)
    side = rng.random(600) < 0.3
    df = pd.DataFrame({"x": rng.normal(np.where(side, 4, -4), 0.5), "side": side})
    model = GAN(
        latent=8,
        hidden=(32,),
        critic=(32,),
        modes=3,
        steps=1400,
        critic_steps=1,
        batch_size=64,
        learning_rate=2e-3,
        averaging=0.9,
        patience=2,
    ).fit(df)
    steps, distances = zip(*model.history_, strict=True)
    assert model.best_step_ == steps[int(np.argmin(distances))]
    assert steps[-1] == 1400 or steps[-1] - model.best_step_ == 400
    sample = model.sample(1000, random_state=1)
    assert ((sample["x"] > 0) == sample["side"]).mean() > 0.85
    assert abs(sample["side"].mean() - 0.3) < 0.15
    untrained = GAN(hidden=(32,), critic=(32,), modes=3, steps=1, batch_size=64, holdout=0).fit(df)
    wrong = untrained.sample(1000, random_state=1)
    assert ((wrong["x"] > 0) == wrong["side"]).mean() < 0.75


def test_a_training_that_diverges_is_refused():
    model = clone(SMALL_GAN).set_params(learning_rate=1e30, steps=20)
    with pytest.raises(FloatingPointError, match="lower learning_rate"):
        model.fit(iris())
