import pickle

import jax
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.special import ndtr
from scipy.stats import ks_2samp, kstest
from sklearn.base import clone
from sklearn.datasets import load_iris

from runproof.synth import (
    GAN,
    Bootstrap,
    ForestFlow,
    GaussianCopula,
    Sequential,
    VineCopula,
    _adversarial,
)
from runproof.synth._ranks import Law, normal_scores
from runproof.synth.forest import _spread, _velocity
from runproof.synth.gan import _Encoder
from runproof.synth.table import Schema
from runproof.synth.trees import _Lines, _Shares, even

several = settings(
    deadline=None, max_examples=15, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
SMALL_FLOW = ForestFlow(steps=2, n_estimators=2)
SMALL_GAN = GAN(latent=4, hidden=(8,), critic=(8,), steps=5, batch_size=16, ema_decay=0.5)
MODELS = [Sequential(), SMALL_FLOW, SMALL_GAN]
one_step = jax.jit(_adversarial.step, static_argnames="plan")
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


BY = [GaussianCopula, VineCopula, ForestFlow]


@pytest.mark.parametrize("kind", BY)
@pytest.mark.parametrize("by", [["g", "h"], ("g", "h"), pd.Index(["g", "h"])], ids=str)
def test_by_takes_columns_in_any_list(kind, by):
    rng = np.random.default_rng(0)
    g, h = rng.integers(0, 2, 200), rng.integers(0, 2, 200)
    df = pd.DataFrame({"x": 5.0 * g - 3 * h + rng.normal(size=200), "g": g, "h": h})
    drawn = kind(by=by).fit(df).sample(2000, random_state=1)
    means = drawn.groupby(["g", "h"])["x"].mean()
    assert means.to_numpy() == pytest.approx([0, -3, 5, 2], abs=0.6)


@pytest.mark.parametrize("kind", BY)
def test_by_takes_a_column_whose_name_is_a_tuple(kind):
    rng = np.random.default_rng(0)
    g = rng.integers(0, 2, 100)
    df = pd.DataFrame({("a", "x"): 5.0 * g + rng.normal(size=100), ("a", "g"): g})
    drawn = kind(by=("a", "g")).fit(df).sample(500, random_state=1)
    assert drawn.groupby([("a", "g")])[[("a", "x")]].mean().to_numpy().ravel() == pytest.approx(
        [0, 5], abs=0.5
    )


@pytest.mark.parametrize("kind", BY)
@pytest.mark.parametrize(
    ("by", "message"),
    [
        ("nobody", "no column 'nobody'"),
        (("target", "nobody"), "no column 'nobody'"),
        (["target", "target"], "different columns"),
        ("petal width (cm)", "categories or integers"),
    ],
)
def test_by_names_columns_of_labels(kind, by, message):
    with pytest.raises(ValueError, match=message):
        kind(by=by).fit(iris())


@pytest.mark.parametrize("kind", BY)
def test_by_leaves_a_column(kind):
    df = pd.DataFrame({"g": [0, 1] * 20, "h": ["a", "b", "c", "d"] * 10})
    with pytest.raises(ValueError, match="at least one column"):
        kind(by=["h", "g"]).fit(df)


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        (Sequential(order="target"), TypeError, "order must be a list"),
        (Sequential(order=["nobody"]), ValueError, "no column 'nobody'"),
        (Sequential(order=["target", "target"]), ValueError, "name a column once"),
        (Sequential(min_samples_leaf=1), ValueError, "min_samples_leaf must be at least 2"),
        (ForestFlow(by="target", min_rows=60), ValueError, "only 50 rows have"),
        (ForestFlow(temperature=0), ValueError, "temperature must be above 0"),
        (ForestFlow(temperature=1.1), ValueError, "at most 1, got 1.1"),
        (ForestFlow(temperature="cold"), ValueError, "temperature must be one of auto"),
        (ForestFlow(steps=0), ValueError, "steps must be at least 1"),
        (ForestFlow(n_estimators=1.5), TypeError, "n_estimators must be a whole number"),
        (GAN(loss="hinge"), ValueError, "loss must be"),
        (GAN(hidden=128), TypeError, "hidden must be a tuple"),
        (GAN(critic=(0,)), ValueError, "critic must be at least 1"),
        (GAN(learning_rate=0.0), ValueError, "learning_rate must be above 0"),
        (GAN(ema_decay=1), ValueError, "ema_decay must be at least 0 and below 1"),
        (GAN(holdout=0.5), ValueError, "holdout must be at least 0 and below 0.5"),
        (GAN(holdout=0.1, patience=0), ValueError, "patience must be at least 1"),
        (GAN(lr_decay=1.5), ValueError, "lr_decay must be from 0 to 1"),
        (GAN(penalty="some"), TypeError, "penalty must be a number"),
        (GAN(penalty=-1), ValueError, "penalty must be at least 0"),
        (GAN(scores="yes"), TypeError, "scores must be True or False"),
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
    law = Law(values)
    ranks = (np.arange(len(values)) + 0.5) / len(values)
    assert np.allclose(law.quantile(ranks), np.sort(values))
    u = np.linspace(0, 1, 101)
    assert (np.diff(law.quantile(u)) >= 0).all()


def test_a_law_of_many_values_is_a_grid():
    values = np.random.default_rng(5).normal(size=20_000)
    law = Law(values)
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
    """A small plan with two places, one of them gated, and two labels; rows, and a state."""
    plan = _adversarial.Plan(
        latent=3,
        hidden=(5,),
        critic=(6,),
        places=2,
        blocks=(2, 3),
        gates=(-1, 4),
        relativistic=True,
        penalty=0.3,
        batch_size=8,
        learning_rate=1e-3,
        lr_decay=(1, 2),
        ema_decay=0.9,
    )
    rows = jax.random.normal(jax.random.key(1), (20, 7))
    return plan, rows, _adversarial.start(plan, jax.random.key(0))


def test_the_compiled_loop_equals_steps_one_by_one(bench):
    plan, rows, state = bench
    key = jax.random.key(2)
    compiled = _adversarial.train(state, rows, key, plan, 0, 3)
    parts = _adversarial.train(state, rows, key, plan, 0, 1)
    parts = _adversarial.train(parts, rows, key, plan, 1, 2)
    for i in range(3):
        state = one_step(state, rows, jax.random.fold_in(key, i), plan)
    states = (compiled, parts, state)
    # But for the critic's last bias: it drops out of the loss, and Adam moves it all the same.
    kept = [(s.generator, s.average, s.critic[:-1], s.critic[-1][0]) for s in states]
    for ours, part, plain in zip(*map(jax.tree.leaves, kept), strict=True):
        assert np.allclose(ours, plain, atol=1e-5)
        assert np.allclose(ours, part, atol=1e-5)
    moved = np.asarray(compiled.generator[0][0]) - np.asarray(bench[2].generator[0][0])
    assert np.abs(moved).max() > 1e-4


def test_the_learning_rate_falls_to_zero(bench):
    for plan, rates in [
        (bench[0], [1, 1, 0.5, 0, 0]),
        (bench[0]._replace(lr_decay=(0, 0)), [1, 1, 1, 1, 1]),
    ]:
        optimizer = _adversarial._optimizer(plan)
        memory = optimizer.init(jax.numpy.zeros(1))
        for rate in rates:  # Adam divides a gradient by its size
            update, memory = optimizer.update(jax.numpy.full(1, 3.0), memory)
            assert float(update[0]) == pytest.approx(-1e-3 * rate, rel=1e-4, abs=1e-9)


def test_labels_are_one_hot_and_gates_close_places(bench):
    plan, _, state = bench
    plan = plan._replace(batch_size=200)
    made = np.asarray(_adversarial.make_rows(state.generator, jax.random.key(3), plan))
    assert made.shape == (200, 7)
    for block in (made[:, 2:4], made[:, 4:7]):
        assert np.allclose(np.sort(block, axis=1)[:, :-1], 0, atol=1e-6)
        assert np.allclose(block.max(axis=1), 1, atol=1e-6)
    opened = made[:, 2 + plan.gates[1]] > 0.5
    assert 0 < opened.sum() < 200
    assert (np.abs(made[~opened, 1]) < 1e-5).all()
    assert (np.abs(made[opened, 1]) > 1e-5).mean() > 0.8  # all, but for silent layers
    assert (np.abs(made[:, 0]) > 1e-5).mean() > 0.8


def test_labels_follow_the_softmax_of_their_logits(bench):
    plan, _, state = bench
    plan = plan._replace(batch_size=20_000)
    weights, bias = state.generator[-1]
    logits = np.log([0.3, 0.7, 0.2, 0.5, 0.3])
    flat = [*state.generator[:-1], (0 * weights, np.append(0 * bias[:2], logits))]
    made = np.asarray(_adversarial.make_rows(flat, jax.random.key(3), plan))
    assert np.abs(made[:, 2:].mean(axis=0) - np.exp(logits)).max() < 0.015
    gradient = jax.grad(lambda z: _adversarial._one_hot(z, plan)[:, 1].mean())(np.zeros((4, 5)))
    t = _adversarial._TEMPERATURE  # of a softmax of two equal logits the slope is 1 / 4 t
    assert np.allclose(gradient[:, :2], np.array([-1, 1]) / (4 * t) / 4, atol=1e-6)
    assert np.allclose(gradient[:, 2:], 0)


def test_numpy_draws_what_jax_trains(bench):
    plan = bench[0]._replace(blocks=(), places=7, gates=(-1,) * 7)
    state = _adversarial.start(plan, jax.random.key(0))
    key = jax.random.key(4)
    noise = jax.random.normal(jax.random.split(key)[0], (8, 3))
    weights = [(np.asarray(w), np.asarray(b)) for w, b in state.generator]
    made = _adversarial.make_rows(state.generator, key, plan)
    assert np.allclose(_adversarial.forward(weights, np.asarray(noise)), made, atol=1e-5)


def test_the_losses_of_a_linear_critic_are_known(bench):
    plan, rows, state = bench
    slope = np.arange(7.0) / 5
    critic = [(jax.numpy.asarray(slope[:, None]), jax.numpy.zeros(1))]
    key = jax.random.key(5)
    pick, make = jax.random.split(key)
    real = np.asarray(rows)[np.asarray(jax.random.randint(pick, (8,), 0, 20))] @ slope
    made = np.asarray(_adversarial.make_rows(state.generator, make, plan)) @ slope

    def softplus(x):
        return np.log1p(np.exp(x)).mean()

    first = plan._replace(relativistic=False)
    expected = {
        (_adversarial.critic_loss, plan): softplus(made - real) + 0.3 * slope @ slope,
        (_adversarial.critic_loss, first): (softplus(-real) + softplus(made)) / 2,
        (_adversarial.generator_loss, plan): softplus(real - made),
        (_adversarial.generator_loss, first): softplus(-made),
    }
    for (loss, which), value in expected.items():
        one, two = (critic, state.generator)[:: 1 if loss is _adversarial.critic_loss else -1]
        assert float(loss(one, two, rows, key, which)) == pytest.approx(value, rel=1e-4)


def codes_of(df):
    schema = Schema.from_frame(df)
    return schema, schema.encode(df)


@pytest.mark.parametrize("scores", [False, True])
def test_encoding_and_back(scores):
    df = mixed()
    schema, codes = codes_of(df)
    rng = np.random.default_rng(8)
    encoder = _Encoder(codes, schema, scores)
    rows = encoder.encode(codes, rng)
    assert rows.shape == (len(df), encoder.width)
    sure = np.hstack([rows[:, : encoder.places], 1e3 * rows[:, encoder.places :]])
    back = encoder.decode(sure, rng)
    assert (np.isnan(back) == np.isnan(codes)).all()
    assert np.nanmax(np.abs(back - codes)[:, [0, 5]]) < 0.5
    pd.testing.assert_frame_equal(
        schema.decode(back).drop(columns=["size"]), df.drop(columns=["size"])
    )


def test_values_that_repeat_are_labels_beside_the_other_numbers():
    rng = np.random.default_rng(3)
    cost = np.where(rng.random(400) < 0.4, 0, rng.gamma(2, 50, 400))
    cost[rng.random(400) < 0.1] = np.nan
    schema, codes = codes_of(pd.DataFrame({"cost": cost, "plain": rng.normal(size=400)}))
    encoder = _Encoder(codes, schema, True)
    assert (encoder.places, encoder.blocks, encoder.gates) == (2, [3], [2, -1])
    rows = encoder.encode(codes, rng)
    assert (rows[:, 2] == (cost == 0)).all()
    assert (rows[:, 3] == np.isnan(cost)).all()
    assert ((rows[:, 0] != 0) == rows[:, 4].astype(bool)).all()
    assert abs(rows[rows[:, 4] == 1, 0].std() - 1) < 0.1


def test_a_column_gets_the_quantiles_of_the_table_whatever_the_network_makes():
    rng = np.random.default_rng(4)
    schema, codes = codes_of(pd.DataFrame({"x": rng.gamma(2, size=2000)}))
    encoder = _Encoder(codes, schema, True)
    made = rng.uniform(3, 5, (40_000, 1))  # far from normal scores
    wrong = encoder.decode(made, rng)
    encoder.calibrate(made[:20_000], rng)
    right = encoder.decode(made[20_000:], rng)
    assert ks_2samp(wrong[:, 0], codes[:, 0]).statistic > 0.9
    assert ks_2samp(right[:, 0], codes[:, 0]).statistic < 0.02


def test_normal_scores_are_drawn_evenly_from_the_ranks_of_a_value():
    rng = np.random.default_rng(5)
    values = np.array([3.0] * 500 + [1.0] * 250 + [np.nan] * 50 + [2.0] * 250)
    scores = ndtr(normal_scores(values[:, None], rng)[:, 0])
    for value, low, high in [(1.0, 0, 0.25), (2.0, 0.25, 0.5), (3.0, 0.5, 1)]:
        u = (scores[values == value] - low) / (high - low)
        assert kstest(u, "uniform").pvalue > 0.01
    assert 0.3 < scores[np.isnan(values)].mean() < 0.7


def test_the_published_network():
    df = iris()
    model = GAN.published(random_state=1).set_params(steps=3).fit(df)
    shapes = [w.shape for w, _ in model.weights_]
    assert shapes == [(10, 15), (15, 30), (30, 5)]
    plan = model._plan()
    state = _adversarial.start(plan, jax.random.key(1))
    assert [w.shape for w, _ in state.critic] == [(5, 25), (25, 50), (50, 1)]
    published = GAN.published()
    assert (published.steps, published.batch_size, published.learning_rate) == (10_000, 128, 1e-3)
    check_is_like(model.sample(40, random_state=1), df, 40)
    codes = model.schema_.encode(df)
    rows = jax.numpy.asarray((codes - codes.mean(0)) / codes.std(0), "float32")
    for i in range(3):
        state = one_step(state, rows, jax.random.fold_in(jax.random.key(1), i), plan)
    for (w, _), (plain, _) in zip(model.weights_, state.generator, strict=True):
        assert np.allclose(w, plain, atol=1e-4)


def test_a_gan_learns():
    rng = np.random.default_rng(9)
    side = rng.random(600) < 0.3
    df = pd.DataFrame({"x": rng.normal(np.where(side, 4, -4), 0.5), "side": side})
    model = GAN(
        latent=8,
        hidden=(32,),
        critic=(32,),
        steps=800,
        batch_size=64,
        learning_rate=2e-3,
        ema_decay=0.9,
    )
    sample = model.fit(df).sample(1000, random_state=1)
    assert ((sample["x"] > 0) == sample["side"]).mean() > 0.85
    assert abs(sample["side"].mean() - 0.3) < 0.15
    untrained = clone(model).set_params(steps=1).fit(df)
    wrong = untrained.sample(1000, random_state=1)
    assert ((wrong["x"] > 0) == wrong["side"]).mean() < 0.75


def test_energy_distance_by_definition(bench):
    plan, rows, state = bench[0], np.asarray(bench[1]), bench[2]
    made = _adversarial.make_rows(state.generator, jax.random.key(0), plan._replace(batch_size=30))
    made = np.asarray(made)
    pairs = [np.linalg.norm(made[:, None] - other, axis=2).mean() for other in (rows, made)]
    found = _adversarial.distance(state.generator, rows, plan, 30)
    assert float(found) == pytest.approx(2 * pairs[0] - pairs[1], rel=1e-3)


def test_a_gan_stops_early_and_keeps_its_best_look():
    df = pd.DataFrame({"x": np.random.default_rng(10).normal(size=60)})
    options = {"hidden": (8,), "critic": (8,), "steps": 5000, "batch_size": 16, "lr_decay": 0.0}
    model = GAN(**options, holdout=0.3, patience=2, learning_rate=0.02, ema_decay=0.0).fit(df)
    steps, distances = zip(*model.history_, strict=True)
    assert model.best_step_ == steps[int(np.argmin(distances))]
    assert steps[-1] - model.best_step_ == 500  # two looks
    assert steps[-1] < 5000
    again = clone(model).set_params(steps=model.best_step_, patience=100).fit(df)
    assert all(
        np.array_equal(a, b) for a, b in zip(again.weights_[0], model.weights_[0], strict=True)
    )
    everything = clone(model).set_params(holdout=0.0, steps=300).fit(df)
    assert everything.history_ == []
    assert everything.best_step_ == 300


def test_a_holdout_needs_rows():
    with pytest.raises(ValueError, match="needs at least 20 rows, got 10"):
        clone(SMALL_GAN).set_params(holdout=0.2).fit(iris()[::15])


def test_a_gan_finds_the_hole_that_a_copula_misses():
    df = ring(500, seed=2)
    model = GAN(hidden=(64, 64), critic=(64, 64), steps=1500, ema_decay=0.99).fit(df)
    radius = np.hypot(*model.sample(1000, random_state=1).to_numpy().T)
    assert (radius < 0.5).mean() < 0.05
    assert abs(np.median(radius) - 1) < 0.05


def test_a_training_that_diverges_is_refused():
    model = clone(SMALL_GAN).set_params(learning_rate=1e30, steps=20)
    with pytest.raises(FloatingPointError, match="lower learning_rate"):
        model.fit(iris())
