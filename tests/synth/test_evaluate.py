from itertools import combinations, product

import cloudpickle
import distributed
import joblib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from matplotlib import pyplot as plt
from scipy.optimize import linear_sum_assignment
from scipy.stats import ks_2samp, ttest_rel
from scipy.stats.contingency import association
from sklearn.datasets import load_breast_cancer, load_iris, load_wine

from runproof.synth import evaluate as ev
from runproof.synth import scoreboard as boards
from runproof.synth import space
from runproof.synth.evaluate import distances, fidelity, privacy, protocol
from runproof.synth.scoreboard import METRICS, Metric, scoreboard
from runproof.synth.table import Generator

several = settings(deadline=None, max_examples=40)
sizes = st.integers(2, 30)


# Tables and generators small enough to see through


def mixed_table(n, seed, missing=0.15):
    """Dependent columns of every kind, with missing values."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    df = pd.DataFrame(
        {
            "x": x,
            "count": rng.poisson(np.exp(1 + x / 3)),
            "flag": rng.random(n) < 1 / (1 + np.exp(-x)),
            "city": pd.Categorical(rng.choice(["a", "b", "c"], n), categories=["a", "b", "c"]),
            "gap": np.where(rng.random(n) < missing, np.nan, x + rng.normal(size=n)),
            "word": np.where(rng.random(n) < missing, None, rng.choice(["u", "v"], n)),
        }
    )
    # Every kind in full, in any two rows: no column is constant.
    df.loc[[0, 1], ["x", "count", "flag"]] = [[-3.0, 0, False], [3.0, 9, True]]
    df.loc[[0, 1], ["gap", "word"]] = [[-3.0, "u"], [3.0, "v"]]
    df["city"] = pd.Categorical(
        df["city"].where(df.index > 1, ["a", "b"] + [None] * (n - 2)), categories=["a", "b", "c"]
    )
    return df


def numbers(n, d, seed):
    return pd.DataFrame(
        np.random.default_rng(seed).normal(size=(n, d)), columns=[f"x{j}" for j in range(d)]
    )


class Copy(Generator):
    """Gives the training rows back."""

    copies_rows = True

    def _fit(self, codes):
        self.codes_ = codes

    def _sample(self, n, rng, given):
        return self.codes_[rng.permutation(len(self.codes_))[:n]]


class Shuffled(Generator):
    """Shuffles every column by itself."""

    def _fit(self, codes):
        self.codes_ = codes

    def _sample(self, n, rng, given):
        return np.column_stack([rng.choice(column, n) for column in self.codes_.T])


class Broken(Shuffled):
    def _sample(self, n, rng, given):
        raise RuntimeError("out of order")


# Oracles: one row, one node, one pair at a time


def gower(a, b, columns):
    """The distance of two rows by the definition; `columns` gives range or None."""
    total = 0.0
    for u, v, span in zip(a, b, columns, strict=True):
        if pd.isna(u) or pd.isna(v):
            total += 0.0 if pd.isna(u) and pd.isna(v) else 1.0
        elif span is None or span == 0:
            total += float(u != v)
        else:
            total += min(abs(u - v) / span, 1.0)
    return total


def spans(df):
    return [
        float(df[c].max() - df[c].min()) if df[c].dtype.kind in "if" else None for c in df.columns
    ]


def brute_force_dcr(table, reference):
    columns = spans(reference)
    rows = reference.astype(object).to_numpy()
    return np.array(
        [
            min(gower(a, b, columns) for b in rows) / len(columns)
            for a in table.astype(object).to_numpy()
        ]
    )


# Joint law


@several
@given(
    rows=hnp.arrays(float, st.tuples(sizes, st.integers(1, 4)), elements=st.integers(-3, 3)),
    count=st.integers(1, 40),
    seed=st.integers(0, 99),
)
def test_ecdf_counts_rows_below_each_node(rows, count, seed):
    nodes = np.random.default_rng(seed).integers(-4, 5, (count, rows.shape[1])) / 1.0
    expected = [np.mean([all(row <= node) for row in rows]) for node in nodes]
    assert np.array_equal(fidelity.ecdf(rows, nodes), expected)


def test_ecdf_in_blocks_is_the_same(monkeypatch):
    rows, nodes = numbers(200, 3, 1).to_numpy(), numbers(90, 3, 2).to_numpy()
    whole = fidelity.ecdf(rows, nodes)
    monkeypatch.setattr(fidelity, "_CACHE", 1000)
    assert np.array_equal(fidelity.ecdf(rows, nodes), whole)


def test_ecdf_ks_in_one_dimension_is_the_usual_one():
    a, b = numbers(80, 1, 1), numbers(60, 1, 2)
    nodes = np.concatenate([a, b])  # the distance is reached at one of the rows
    found = ev.ecdf_ks(a, b, nodes=nodes)
    assert found.value == pytest.approx(ks_2samp(a["x0"], b["x0"]).statistic, abs=1e-12)
    assert found.se == 0
    assert found.largest == found.value


def test_ecdf_ks_at_drawn_nodes_is_a_lower_bound_that_rises():
    a, b = numbers(80, 2, 1), numbers(60, 2, 2)
    grid = np.array(list(product(np.r_[a["x0"], b["x0"]], np.r_[a["x1"], b["x1"]])))
    exact = ev.ecdf_ks(a, b, nodes=grid).value
    few, many = (ev.ecdf_ks(a, b, nodes=k, repeats=30, random_state=1) for k in (10, 1000))
    assert few.value < many.value <= many.largest <= exact + 1e-12
    assert few.se > many.se > 0


def test_the_error_of_ecdf_ks_is_that_of_the_draw():
    a, b = numbers(80, 3, 1), numbers(60, 3, 2)
    runs = [ev.ecdf_ks(a, b, 50, repeats=8, random_state=s) for s in range(120)]
    spread = np.std([run.value for run in runs], ddof=1)
    assert np.mean([run.se**2 for run in runs]) == pytest.approx(spread**2, rel=0.35)


def test_ecdf_ks_is_reproducible_and_zero_for_a_copy():
    df = mixed_table(90, 1)
    assert ev.ecdf_ks(df, df, random_state=1).largest == 0
    other = mixed_table(90, 2)
    assert ev.ecdf_ks(df, other, random_state=3) == ev.ecdf_ks(df, other, random_state=3)
    assert np.isnan(ev.ecdf_ks(df, other, repeats=1, random_state=3).se)


def test_nodes_are_quantiles_and_half_of_them_reach_up():
    df = numbers(5000, 4, 1)
    nodes = ev.ecdf_nodes(df, 4000, random_state=2)
    assert nodes.shape == (4000, 4)
    levels = np.column_stack(
        [np.searchsorted(np.sort(df[c]), v) / 5000 for c, v in zip(df, nodes.T, strict=True)]
    )
    assert levels[:2000].mean() == pytest.approx(1 / 2, abs=0.02)
    assert levels[2000:].mean() == pytest.approx(4 / 5, abs=0.02)  # the mean of u^(1/4)
    assert np.mean(levels[2000:].max(axis=1) ** 16) == pytest.approx(1 / 2, abs=0.03)


@several
@given(
    column=hnp.arrays(float, st.integers(1, 20), elements=st.floats(-5, 5)),
    levels=hnp.arrays(float, 9, elements=st.floats(0, 1)),
)
def test_quantiles_are_those_of_numpy(column, levels):
    found = fidelity._quantile(np.sort(column), levels)
    assert np.allclose(found, np.quantile(column, levels), rtol=0, atol=1e-12)


# Margins


def test_column_ks_is_that_of_scipy():
    a, b = mixed_table(90, 1), mixed_table(70, 2)
    found = ev.column_ks(a, b)
    assert list(found.index) == ["x", "count", "gap"]
    for name in found.index:
        u, v = (df[name].fillna(-np.inf) for df in (a, b))
        assert found[name] == pytest.approx(ks_2samp(u, v).statistic, abs=1e-12)


def test_total_variation_is_half_the_sum_of_differences():
    a, b = mixed_table(90, 1), mixed_table(70, 2)
    found = ev.total_variation(a, b)
    assert list(found.index) == ["flag", "city", "word"]
    for name in found.index:
        u, v = (
            df[name].astype(object).fillna("missing").value_counts(normalize=True) for df in (a, b)
        )
        assert found[name] == pytest.approx(u.sub(v, fill_value=0).abs().sum() / 2)


def test_a_category_that_only_one_table_has_counts_in_full():
    a = pd.DataFrame({"c": ["u", "v", "u", "v"]})
    b = pd.DataFrame({"c": ["w", "z"]})
    assert ev.total_variation(a, b)["c"] == 1
    assert np.array_equal(ev.closest_record_distance(b, a), [1, 1])


def test_margins_of_tables_without_such_columns_are_empty():
    words = pd.DataFrame({"a": ["u", "v"]})
    assert ev.column_ks(words, words).empty
    assert ev.total_variation(numbers(5, 2, 1), numbers(5, 2, 2)).empty


# Dependence


@pytest.mark.parametrize("method", ["pearson", "spearman"])
def test_correlations_are_those_of_pandas(method):
    df = numbers(80, 4, 1)
    df["x1"] += df["x0"]
    df["x2"] = (df["x2"] * 2).round()  # with ties
    assert np.allclose(fidelity.correlations(df.to_numpy(), method), df.corr(method), atol=1e-12)


def test_correlations_use_the_rows_where_both_values_are():
    df = numbers(60, 3, 1) * [1e-9, 1e6, 1]
    df["x1"] += 1e6 * df["x2"] + 1e8
    df[np.random.default_rng(1).random(df.shape) < 0.3] = np.nan
    assert np.allclose(fidelity.correlations(df.to_numpy()), df.corr(), atol=1e-7)


def test_correlation_distance_leaves_the_diagonal_out():
    a, b = mixed_table(200, 1), mixed_table(150, 2)
    names = ["x", "count", "flag", "gap"]
    gaps = np.abs(a[names].astype(float).corr() - b[names].astype(float).corr()).to_numpy()
    found = ev.correlation_distance(a, b)
    assert found.mean == pytest.approx(gaps.sum() / 12)
    assert found.largest == pytest.approx(gaps.max())


def test_the_correlation_of_a_constant_synthetic_column_is_zero():
    a = numbers(30, 2, 1)
    b = a.assign(x1=a["x1"].iloc[0])
    expected = abs(a.corr().iloc[0, 1])
    assert ev.correlation_distance(a, b).mean == pytest.approx(expected)


def test_associations_are_those_of_scipy_and_of_the_definition():
    df = mixed_table(300, 3, missing=0)
    schema, (codes, _) = space.encode(a=df, b=df)
    found = fidelity.associations(codes, schema)
    assert np.allclose(found, found.T)
    cell = dict(zip(product(df.columns, df.columns), found.ravel(), strict=True))
    table = pd.crosstab(df["city"], df["word"]).to_numpy()
    assert cell["city", "word"] == pytest.approx(association(table, "cramer"))
    means = df.groupby("flag")["x"].transform("mean")
    assert cell["flag", "x"] == pytest.approx(np.sqrt(means.var(ddof=0) / df["x"].var(ddof=0)))
    assert cell["x", "gap"] == pytest.approx(df["x"].corr(df["gap"]))
    assert ev.association_distance(df, df) == (0, 0)


def test_association_sees_what_shuffling_breaks():
    df = mixed_table(800, 1)
    other, shuffled = mixed_table(800, 2), Shuffled().fit(df).sample(800, random_state=1)
    fresh, broken = (ev.association_distance(df, t).mean for t in (other, shuffled))
    assert broken > 3 * fresh
    assert ev.column_ks(df, shuffled).max() < 0.1


# Distances


@pytest.mark.parametrize("missing", [0, 0.3])
@pytest.mark.parametrize("rows", [(40, 60), (2, 2)])
def test_closest_records_are_those_of_brute_force(missing, rows):
    a, b = (mixed_table(n, s, missing) for n, s in zip(rows, (1, 2), strict=True))
    expected = brute_force_dcr(a, b)
    assert np.allclose(ev.closest_record_distance(a, b), expected, rtol=0, atol=1e-12)


def test_values_out_of_range_and_constant_columns_count_one_at_most(monkeypatch):
    reference = numbers(50, 3, 1).assign(x2=4.0)
    table = numbers(50, 3, 2) * [5, 1, 1]
    table.loc[:9, "x2"] = 4.0
    table.loc[5:12, "x0"] = np.nan
    reference.loc[3, "x1"] = np.nan
    expected = brute_force_dcr(table, reference)
    assert np.allclose(ev.closest_record_distance(table, reference), expected, atol=1e-12)
    monkeypatch.setattr(distances, "_BLOCK", 120)
    assert np.allclose(ev.closest_record_distance(table, reference), expected, atol=1e-12)


@several
@given(
    a=hnp.arrays(float, st.tuples(sizes, st.just(3)), elements=st.integers(0, 3)),
    b=hnp.arrays(float, st.tuples(sizes, st.just(3)), elements=st.integers(0, 3)),
)
def test_closest_records_of_any_table(a, b):
    labels = {0.0: "u", 1.0: "v", 2.0: "w", 3.0: None}
    tables = []
    for values in (a, b):
        # The first two rows keep columns from being constant in both tables.
        values = np.vstack([[[0, 0, 0], [1, 1, 1]], values])
        df = pd.DataFrame(values, columns=list("xyz"))
        df["y"] = df["y"].replace(3, np.nan)
        df["z"] = df["z"].map(labels).astype(object)
        tables.append(df)
    expected = brute_force_dcr(*tables)
    assert np.allclose(ev.closest_record_distance(*tables), expected, rtol=0, atol=1e-12)


def test_dcr_ratio_tells_copies_from_fresh_rows():
    a, b, c = (mixed_table(300, s) for s in (1, 2, 3))
    assert ev.dcr_ratio(a, a, b) == 0
    assert ev.dcr_ratio(c, a, b) == pytest.approx(1, abs=0.25)
    assert ev.dcr_ratio(a, a, a) == 1
    assert ev.dcr_ratio(c, a, a) == np.inf


@pytest.mark.parametrize("missing", [0, 0.3])
def test_wasserstein_is_that_of_the_best_assignment(missing):
    a = mixed_table(40, 1, missing)
    b = Shuffled().fit(a).sample(40, random_state=1)
    columns = spans(a)
    cost = np.array(
        [
            [gower(u, v, columns) for v in b.astype(object).to_numpy()]
            for u in a.astype(object).to_numpy()
        ]
    )
    rows, picked = linear_sum_assignment(cost)
    assert ev.wasserstein1(a, b) == pytest.approx(cost[rows, picked].mean(), abs=1e-9)


def test_wasserstein_of_a_shift_is_the_shift():
    a = pd.DataFrame({"x": np.arange(5.0), "c": list("uvuvu")})
    b = a.assign(x=a["x"] + 8)  # twice the range, and no less: moving is not capped
    assert ev.wasserstein1(a, b) == pytest.approx(2)
    assert ev.wasserstein1(a, a) == pytest.approx(0)


def test_wasserstein_draws_from_large_tables():
    a, b = numbers(500, 2, 1), numbers(400, 2, 2)
    whole = ev.wasserstein1(a, b, max_rows=None)
    parts = [ev.wasserstein1(a, b, max_rows=100, random_state=s) for s in (1, 1, 2)]
    assert parts[0] == parts[1] != parts[2]
    assert parts[0] > whole


def test_coverage_and_density_are_those_of_the_definition(monkeypatch):
    a, b = mixed_table(60, 1, missing=0), mixed_table(45, 2, missing=0)
    columns = spans(a)
    rows = [df.astype(object).to_numpy() for df in (a, b)]
    monkeypatch.setattr(distances, "_BLOCK", 100)
    for k in (1, 4):
        inside = []
        for i, u in enumerate(rows[0]):
            others = sorted(uncapped(u, v, columns) for j, v in enumerate(rows[0]) if i != j)
            radius = others[k - 1] * (1 - 1e-9)
            inside.append(sum(uncapped(u, v, columns) < radius for v in rows[1]))
        found = ev.coverage_density(a, b, k)
        assert found.coverage == np.mean(np.array(inside) > 0)
        assert found.density == pytest.approx(sum(inside) / (k * 45))


def uncapped(a, b, columns):
    pairs = zip(a, b, columns, strict=True)
    return sum(float(u != v) if span is None else abs(u - v) / span for u, v, span in pairs)


def test_coverage_of_a_fresh_table_is_near_its_limit():
    a, b = numbers(2000, 3, 1), numbers(2000, 3, 2)
    found = ev.coverage_density(a, b, k=3)
    assert found.coverage == pytest.approx(1 - 2**-3, abs=0.03)
    assert found.density == pytest.approx(1, abs=0.05)


# Classifiers


def test_two_sample_auc():
    a, b = mixed_table(300, 1), mixed_table(300, 2)
    fresh = ev.two_sample_auc(a, b, random_state=1)
    assert fresh.value == pytest.approx(0.5, abs=3 * fresh.se)
    shuffled = Shuffled().fit(a).sample(300, random_state=1)
    assert ev.two_sample_auc(b, shuffled, random_state=1).value > 0.65
    assert ev.two_sample_auc(a, b, random_state=1) == fresh
    assert ev.two_sample_auc(a, b, max_rows=100, random_state=1).se > fresh.se


def test_the_error_of_an_area_is_its_spread():
    rng = np.random.default_rng(1)
    areas = [(rng.normal(1, 1, 60)[:, None] > rng.normal(0, 1, 40)).mean() for _ in range(2000)]
    assert fidelity.auc_error(np.mean(areas), 40, 60) == pytest.approx(np.std(areas), rel=0.1)


def test_tstr_for_classes_and_numbers():
    real, test = mixed_table(400, 1, missing=0), mixed_table(400, 2, missing=0)
    shuffled = Shuffled().fit(real).sample(400, random_state=1)
    for target in ("flag", "gap"):
        same = ev.tstr(real, real, test, target)
        assert same.synthetic == same.real
        bad = ev.tstr(real, shuffled, test, target)
        assert bad.real == same.real > bad.synthetic + 0.1


def test_tstr_when_a_class_was_never_drawn():
    real = mixed_table(100, 1, missing=0)
    found = ev.tstr(real, real[real["flag"]], real, "flag")
    assert 0 < found.synthetic < 0.5 < found.real


# Privacy


def leak(n, share, seed):
    """Train, holdout, and a table of fresh rows, a share of them replaced by training rows."""
    train, holdout, fresh = (numbers(n, 5, 3 * seed + s) for s in range(3))
    copied = int(share * n)
    return train, holdout, pd.concat([train[:copied], fresh[copied:]], ignore_index=True)


@pytest.mark.parametrize("share", [0.15, 1.0])
def test_every_test_finds_a_planted_leak(share):
    train, holdout, table = leak(500, share, 1)
    assert ev.holdout_share(table, train, holdout).p_value < 1e-3
    for kind in ("distance", "density"):
        found = ev.membership_attack(table, train, holdout, kind, random_state=1)
        assert found.p_value < 0.01
        assert found.auc > 0.5 + 2 * found.se
        assert found.tpr > 0.05


def test_a_copy_is_given_away_in_full():
    train, holdout, table = leak(300, 1.0, 1)
    assert ev.holdout_share(table, train, holdout)[:2] == (pytest.approx(1), 0.5)
    assert ev.membership_attack(table, train, holdout).auc == 1
    assert ev.membership_attack(table, train, holdout).tpr == 1


def test_fresh_rows_pass_about_as_often_as_they_should():
    tests = {"share": [], "distance": [], "density": []}
    for seed in range(40):
        train, holdout, table = leak(150, 0, seed + 10)
        tests["share"].append(ev.holdout_share(table, train, holdout).p_value)
        for kind in ("distance", "density"):
            found = ev.membership_attack(table, train, holdout, kind, random_state=seed)
            tests[kind].append(found.p_value)
    for p_values in tests.values():
        assert np.mean(np.array(p_values) < 0.05) <= 0.15  # 6 of 40 or fewer
        assert 0.3 < np.mean(p_values) < 0.7


def test_the_density_attack_takes_a_reference():
    train, holdout, table = leak(400, 0.3, 2)
    other = numbers(400, 5, 99)
    attack = ev.membership_attack(table, train, holdout, "density", reference=other)
    assert attack.p_value < 1e-3


def test_the_error_of_the_holdout_share_is_that_of_relabelling():
    real, table = mixed_table(80, 1), mixed_table(60, 2)
    real = pd.concat([real, real[:20]], ignore_index=True)  # equal rows share
    values, errors = [], []
    for seed in range(300):
        order = np.random.default_rng(seed).permutation(100)
        found = ev.holdout_share(table, real.iloc[order[:70]], real.iloc[order[70:]])
        values.append(found.value)
        errors.append(found.se)
    assert found.expected == 0.7
    assert np.mean(values) == pytest.approx(0.7, abs=4 * np.std(values) / np.sqrt(300))
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.15)


def by_enumeration(distances, member, first, alternative):
    """Value and p-value of the tail test, from all ways to label the rows."""
    total, n = len(distances), int(member.sum())
    weights = []  # of each row in the count of members among the closest m
    for m in first * 2 ** np.arange(int(np.log2(total / (2 * first))) + 1):
        edge = np.sort(distances)[m - 1]
        above, tied = distances < edge, distances == edge
        weights.append(above + tied * (m - above.sum()) / tied.sum())
    weights = np.array(weights)
    spread = ((weights - weights.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    error = np.sqrt(n * (total - n) / (total * (total - 1)) * spread)

    def largest(labels):
        excess = weights @ labels - weights.mean(axis=1) * labels.sum()
        excess = np.divide(excess, error, out=np.zeros(len(error)), where=error > 1e-9)
        return max({"greater": excess, "less": -excess, "two-sided": abs(excess)}[alternative])

    every = (np.isin(np.arange(total), c) for c in combinations(range(total), n))
    value = largest(member)
    return value, np.mean([largest(labels) >= value - 1e-9 for labels in every])


@several
@given(
    st.lists(st.integers(0, 12), min_size=4, max_size=11),
    st.integers(0, 2**32 - 1),
    st.sampled_from(privacy.ALTERNATIVES),
)
def test_the_tail_test_is_exact_with_any_ties_and_sizes(distances, seed, alternative):
    rng, total = np.random.default_rng(seed), len(distances)
    member = rng.permutation(total) < rng.integers(2, total - 1)
    first = int(rng.integers(1, total // 2 + 1))
    found = privacy._tail(np.array(distances, float), member, first, alternative)
    value, p_value = by_enumeration(np.array(distances), member, first, alternative)
    assert found.value == pytest.approx(value, abs=1e-9)
    assert found.p_value == pytest.approx(p_value, abs=1e-9)


def test_the_tail_test_measures_as_gower_does():
    table, train, holdout = (mixed_table(n, seed) for n, seed in [(30, 1), (25, 2), (20, 3)])
    real = pd.concat([train, holdout], ignore_index=True)
    rows, others = (df.astype(object).to_numpy() for df in (real, table))
    distances = np.array([min(uncapped(a, b, spans(real)) for b in others) for a in rows])
    expected = privacy._tail(distances, np.arange(45) < 25, 4, "greater")
    found = ev.tail_test(table, train, holdout)
    assert found == pytest.approx(expected)
    assert found.closest in (4, 8, 16)


def test_the_tail_test_finds_few_copies_that_means_overlook():
    found, overlooked = [], []
    for seed in range(20):
        train, holdout, table = leak(600, 0.02, seed)
        found.append(ev.tail_test(table, train, holdout))
        overlooked.append(ev.membership_attack(table, train, holdout).p_value)
    assert np.mean([test.p_value < 0.05 for test in found]) >= 0.9
    assert np.mean(np.array(overlooked) < 0.05) <= 0.5
    assert all(test.members > test.closest / 2 for test in found)


@pytest.mark.parametrize("alternative", privacy.ALTERNATIVES)
def test_without_a_leak_the_p_values_of_the_tail_test_are_uniform(alternative):
    rng, distances, p_values = np.random.default_rng(1), np.arange(300.0), []
    for _ in range(400):
        member = rng.permutation(300) < 120
        p_values.append(privacy._tail(distances, member, 4, alternative).p_value)
    # A law with steps: no level is exceeded, and none is missed by far.
    for level in (0.05, 0.2, 0.5, 0.8):
        share = np.mean(np.array(p_values) <= level)
        assert abs(share - level) < 4 * np.sqrt(level * (1 - level) / 400) + 0.02


def test_the_sides_of_the_tail_test():
    train, holdout, table = leak(300, 0, 5)
    gap = ev.closest_record_distance(table, train)
    away = table[gap > np.median(gap)]  # a filter against closeness
    tests = {side: ev.tail_test(away, train, holdout, 4, side) for side in privacy.ALTERNATIVES}
    assert tests["greater"].p_value > 0.5
    assert tests["less"].p_value < 1e-6
    assert tests["less"].members < tests["less"].closest / 2
    assert tests["two-sided"].value == tests["less"].value
    assert tests["less"].p_value <= tests["two-sided"].p_value < 1e-6
    copied = ev.tail_test(train, train, holdout, alternative="two-sided")
    assert copied.members == copied.closest
    assert copied.p_value == 1e-20


def test_the_order_of_equal_rows_does_not_matter_to_the_tail_test():
    base = numbers(120, 2, 1).round(0)  # many rows are equal
    train, holdout, table = base[:40], base[40:80], base[80:]
    expected = ev.tail_test(table, train, holdout)
    for seed in range(3):
        mixed = [df.sample(frac=1, random_state=seed) for df in (table, train, holdout)]
        assert ev.tail_test(*mixed) == pytest.approx(expected)
    turned = ev.tail_test(table, holdout, train, alternative="less")
    assert turned.value == pytest.approx(expected.value)
    assert turned.p_value == pytest.approx(expected.p_value)


def test_the_tail_test_of_distances_that_are_all_equal_says_nothing():
    df = mixed_table(40, 1)
    every = pd.concat([df, df], ignore_index=True)
    assert ev.tail_test(every, df, df) == (0, 1, 4, 2)


def test_both_ends_of_first():
    train, holdout, table = leak(50, 0.2, 1)
    assert ev.tail_test(table, train, holdout, first=1).closest <= 50
    assert ev.tail_test(table, train, holdout, first=50).closest == 50
    with pytest.raises(ValueError, match="first must be at most half of the 100 rows"):
        ev.tail_test(table, train, holdout, first=51)


def test_many_states_at_a_time_or_few(monkeypatch):
    member = np.random.default_rng(1).permutation(2000) < 700
    expected = privacy._tail(np.arange(2000.0), member, 4, "two-sided")
    monkeypatch.setattr(privacy, "_BLOCK", 1000)
    assert privacy._tail(np.arange(2000.0), member, 4, "two-sided") == pytest.approx(expected)


def test_a_tree_and_a_search_of_all_rows_find_the_same(monkeypatch):
    train, holdout, table = leak(150, 0.1, 1)
    tests = (ev.holdout_share, ev.membership_attack, ev.tail_test)
    expected = [test(table, train, holdout) for test in tests]
    monkeypatch.setattr(privacy, "_TREE", 0)
    for test, values in zip(tests, expected, strict=True):
        assert test(table, train, holdout) == pytest.approx(values)


# Noise


def test_a_noise_band_holds_fresh_tables():
    df = mixed_table(600, 1)
    band = ev.noise_band(ev.association_distance, df, splits=30, random_state=1)
    low, median, high, values = band
    assert values.shape == (30,)
    assert values.min() <= low < median < high <= values.max()
    again = ev.noise_band(ev.association_distance, df, splits=30, random_state=1)
    assert np.array_equal(again[3], values)
    shuffled = Shuffled().fit(df[:300]).sample(300, random_state=1)
    assert ev.association_distance(df[300:], shuffled).mean > band.high


def test_the_parts_of_a_noise_band_are_disjoint():
    df = pd.DataFrame({"row": range(31)})
    parts = []
    ev.noise_band(lambda *three: parts.append(three) or 0.0, df, splits=2, parts=3)
    for three in parts:
        assert sorted(pd.concat(three)["row"]) == list(range(31))
        assert {len(part) for part in three} == {10, 11}


# The published protocol


@pytest.mark.parametrize(
    ("load", "name", "w1", "coverage"),
    [
        (load_iris, "iris", "0.236", "0.933"),
        (load_wine, "wine", "1.440", "0.944"),
        (load_breast_cancer, "breast_cancer", "1.853", "0.968"),
    ],
)
def test_the_copy_of_the_training_rows_scores_as_published(load, name, w1, coverage):
    scores = ev.forest_diffusion_protocol(None, *load(return_X_y=True), generations=1).scores
    assert f"{scores['w1_test']:.3f}" == w1
    assert f"{scores['coverage_test']:.3f}" == coverage
    assert (scores["w1_train"], scores["dcr_ratio"]) == (pytest.approx(0, abs=1e-12), 0)
    published = ev.published_scores().set_index(["dataset", "generator"])
    row = published.loc[(name, "training copy")]
    # Further digits of theirs differ, by one part in 7,000 at most.
    assert scores["w1_test"] == pytest.approx(row["w1_test"], rel=1 / 7000)
    assert scores["coverage_test"] == pytest.approx(row["coverage_test"], abs=5e-4)


def test_published_scores_are_complete():
    table = ev.published_scores()
    assert table.groupby("dataset").size().to_dict() == dict.fromkeys(
        ["breast_cancer", "iris", "wine"], 10
    )
    best = table[table["generator"] != "training copy"].groupby("dataset")["w1_test"].min()
    assert best.round(3).to_dict() == {"breast_cancer": 1.749, "iris": 0.328, "wine": 1.421}


def test_the_protocol_draws_tables_of_the_size_of_the_training_part():
    data = load_iris(return_X_y=True)
    found = ev.forest_diffusion_protocol(Shuffled(), *data, splits=2, generations=3)
    assert found.runs.shape == (6, 7)
    assert np.allclose(found.scores, found.runs.iloc[:, 2:].mean())
    assert found.seconds > 0
    assert found.scores["dcr_ratio"] > 2
    again = ev.forest_diffusion_protocol(Shuffled(), *data, splits=2, generations=3)
    pd.testing.assert_frame_equal(found.runs, again.runs)


def test_class_counts_can_be_those_of_the_training_part(monkeypatch):
    tables = []
    monkeypatch.setattr(
        protocol, "_scores", lambda train, test, table: tables.append((train, table)) or {"a": 0}
    )
    data = load_wine(return_X_y=True, as_frame=True)
    for counts in protocol.CLASS_COUNTS:
        ev.forest_diffusion_protocol(Shuffled(), *data, 2, 2, class_counts=counts)
    same = [
        train["target"].value_counts().equals(table["target"].value_counts()[[1, 0, 2]])
        for train, table in tables
    ]
    assert not any(same[:4])
    assert all(same[4:])
    assert all(len(train) == len(table) == 142 for train, table in tables)


def test_a_class_that_is_never_drawn_ends_the_protocol():
    class OneClass(Shuffled):
        def _sample(self, n, rng, given):
            codes = super()._sample(n, rng, given)
            codes[:, -1] = 0
            return codes

    with pytest.raises(RuntimeError, match="a class lacks rows"):
        ev.forest_diffusion_protocol(OneClass(), *load_iris(return_X_y=True), class_counts="train")


# Bad input


PAIRS = [
    lambda a, b: ev.ecdf_ks(a, b),
    ev.column_ks,
    ev.total_variation,
    ev.correlation_distance,
    ev.association_distance,
    ev.wasserstein1,
    ev.coverage_density,
    ev.two_sample_auc,
    ev.closest_record_distance,
    lambda a, b: ev.dcr_ratio(a, a, b),
    lambda a, b: ev.holdout_share(a, a, b),
    lambda a, b: ev.membership_attack(a, a, b),
    lambda a, b: ev.tail_test(a, a, b),
    lambda a, b: ev.tstr(a, a, b, "x"),
]


@pytest.mark.parametrize("function", PAIRS)
def test_tables_that_do_not_match_are_refused(function):
    df = mixed_table(20, 1)
    with pytest.raises(TypeError, match="must be a pandas DataFrame, got ndarray"):
        function(df, df.to_numpy())
    with pytest.raises(ValueError, match="at least 2 rows, got 1"):
        function(df, df[:1])
    with pytest.raises(ValueError, match="must have the columns of"):
        function(df, df[df.columns[::-1]])
    with pytest.raises(ValueError, match="must have the columns of"):
        function(df, df.drop(columns="city"))
    with pytest.raises(ValueError, match=r"column 'count' of .* must have the dtype"):
        function(df, df.astype({"count": float}))
    with pytest.raises(ValueError, match=r"column 'city' of .* must have the dtype"):
        function(df, df.assign(city=df["city"].cat.add_categories("new")))
    with pytest.raises(ValueError, match="is constant"):
        function(df.assign(x=1.0), df.assign(x=1.0))
    with pytest.raises(ValueError, match="all missing"):
        function(df.assign(gap=np.nan), df.assign(gap=np.nan))
    with pytest.raises(ValueError, match="infinite"):
        function(df, df.assign(x=np.inf))


DF = mixed_table(40, 1)
HOSTILE = [
    (lambda: ev.ecdf_ks(DF, DF, nodes=0), ValueError, "nodes must be at least 1"),
    (lambda: ev.ecdf_ks(DF, DF, nodes=[[1.0]]), ValueError, "nodes must have shape"),
    (lambda: ev.ecdf_ks(DF, DF, repeats=0), ValueError, "repeats must be at least 1"),
    (lambda: ev.ecdf_ks(DF, DF, random_state="x"), TypeError, "random_state"),
    (lambda: ev.ecdf_nodes(DF, 1.5), TypeError, "count must be a whole number"),
    (lambda: ev.correlation_distance(DF, DF, "kendall"), ValueError, "method must be"),
    (
        lambda: ev.correlation_distance(DF[["x", "city"]], DF[["x", "city"]]),
        ValueError,
        "two numeric columns are needed, got 1",
    ),
    (lambda: ev.association_distance(DF[["x"]], DF[["x"]]), ValueError, "two columns"),
    (lambda: ev.wasserstein1(DF, DF, max_rows=1), ValueError, "max_rows must be at least 2"),
    (lambda: ev.coverage_density(DF, DF, k=40), ValueError, "k must be less than"),
    (lambda: ev.two_sample_auc(DF, DF, folds=41), ValueError, "folds must be at most"),
    (lambda: ev.two_sample_auc(DF, DF, folds=1), ValueError, "folds must be at least 2"),
    (lambda: ev.tstr(DF, DF, DF, "nothing"), ValueError, "no column 'nothing'"),
    (lambda: ev.tstr(DF[["x"]], DF[["x"]], DF[["x"]], "x"), ValueError, "beside the target"),
    (
        lambda: ev.tstr(DF, DF.assign(word=None).astype(DF.dtypes), DF, "word"),
        ValueError,
        "synthetic must have at least 2 rows with a target",
    ),
    (lambda: ev.membership_attack(DF, DF, DF, "guess"), ValueError, "kind must be one of"),
    (
        lambda: ev.membership_attack(DF, DF, DF, fpr=1),
        ValueError,
        "fpr must be above 0 and below 1",
    ),
    (
        lambda: ev.membership_attack(DF, DF, DF, reference=DF),
        ValueError,
        "reference is for kind='density' only",
    ),
    (
        lambda: ev.membership_attack(DF, DF, DF[:3], "density"),
        ValueError,
        "nonmembers must have at least 4 rows, got 3",
    ),
    (lambda: ev.tail_test(DF, DF, DF, first=0), ValueError, "first must be at least 1, got 0"),
    (lambda: ev.tail_test(DF, DF, DF, first=4.0), TypeError, "first must be a whole number"),
    (lambda: ev.tail_test(DF, DF, DF, 4, "both"), ValueError, "alternative must be one of"),
    (lambda: ev.noise_band("ks", DF), TypeError, "metric must be callable"),
    (lambda: ev.noise_band(ev.wasserstein1, 3), TypeError, "df must be a pandas DataFrame"),
    (lambda: ev.noise_band(ev.wasserstein1, DF[:3]), ValueError, "at least 4 rows for 2 parts"),
    (lambda: ev.noise_band(ev.wasserstein1, DF, level=1), ValueError, "level must be above 0"),
    (
        lambda: ev.forest_diffusion_protocol(None, np.eye(3), [0, 1]),
        ValueError,
        "as many rows, got 3 and 2",
    ),
    (
        lambda: ev.forest_diffusion_protocol(None, np.eye(2), [0, 1], class_counts="all"),
        ValueError,
        "class_counts must be one of",
    ),
    (
        lambda: ev.forest_diffusion_protocol(None, pd.DataFrame({"target": [1, 2]}), [0, 1]),
        ValueError,
        "X must have no column 'target'",
    ),
    (lambda: scoreboard([1], [Copy()]), TypeError, "df must be a DataFrame or a mapping"),
    (lambda: scoreboard({"a": 1}, [Copy()]), TypeError, r"df\['a'\] must be a DataFrame"),
    (lambda: scoreboard(DF[:19], [Copy()]), ValueError, "at least 20 rows, got 19"),
    (lambda: scoreboard(DF, []), ValueError, "at least one"),
    (lambda: scoreboard(DF, [Copy(), Copy()]), ValueError, "need names"),
    (lambda: scoreboard(DF, [3]), TypeError, "must have fit and sample"),
    (lambda: scoreboard(DF, {"fresh rows": Copy()}), ValueError, "must not be called"),
    (lambda: scoreboard(DF, [Copy()], level=1), ValueError, "level must be above 0 and below 1"),
    (lambda: boards.paired([1, 2], [1], "low"), ValueError, "must be as long"),
    (lambda: boards.paired([1], [1], "low", 0), ValueError, "level must be above 0 and below 1"),
    (lambda: scoreboard(DF, [Copy()], ["ks", "nil"]), ValueError, r"got \['nil'\]"),
    (lambda: scoreboard(DF, [Copy()], ["tstr"]), ValueError, "give a target"),
    (lambda: scoreboard(DF, [Copy()], {"a": 3}), TypeError, "metric 'a' must be"),
    (lambda: scoreboard(DF, [Copy()], target="nil"), ValueError, "target must be a column"),
    (lambda: scoreboard(DF, [Copy()], splits=0), ValueError, "splits must be at least 1"),
]


@pytest.mark.parametrize(("call", "error", "message"), HOSTILE)
def test_bad_arguments_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


# The scoreboard


FEW = ["ks", "association", "dcr_ratio", "distance_attack"]


@pytest.fixture(scope="module")
def board():
    tables = {"small": mixed_table(60, 1), "large": mixed_table(200, 2)}
    generators = {"copy": Copy(), "shuffled": Shuffled()}
    return scoreboard(tables, generators, FEW, splits=3, band_splits=8, random_state=1)


def test_the_frame_is_tidy(board):
    frame = board.frame
    assert list(frame.columns) == [
        "dataset",
        "generator",
        "metric",
        "split",
        "value",
        "low",
        "high",
    ]
    assert len(frame) == 2 * 2 * 4 * 3
    assert not frame.duplicated(["dataset", "generator", "metric", "split"]).any()
    assert not frame.isna().any(axis=None)
    assert (frame["low"] <= frame["high"]).all()
    assert len(frame[["dataset", "metric", "low", "high"]].drop_duplicates()) == 2 * 4


def test_the_scoreboard_tells_copies_from_noise(board):
    verdicts = board.means().set_index(["dataset", "generator", "metric"])["verdict"]
    assert verdicts["large", "copy", "dcr_ratio"] == "worse"
    assert verdicts["large", "copy", "distance_attack"] == "worse"
    assert verdicts["large", "copy", "ks"] == "within"
    assert verdicts["large", "shuffled", "association"] == "worse"


def test_every_generator_meets_the_same_splits():
    seen = []
    metrics = {"rows": lambda t, h, s, seed: seen.append((t["x"].sum(), h["x"].sum())) or 0.0}
    df = mixed_table(40, 1)
    scoreboard(df, {"a": Copy(), "b": Shuffled()}, metrics, splits=3, band_splits=2)
    assert seen[4:7] == seen[7:10]
    assert len(set(seen[4:7])) == 3
    assert seen[0] == seen[1] == seen[4]  # fresh rows, redrawn half
    assert seen[2] == seen[3] == seen[5]


def test_real_rows_make_the_band(board):
    real = board.references
    assert set(real["generator"]) == {boards.FRESH, boards.REDRAWN}
    redrawn = real[real["generator"] == boards.REDRAWN]
    assert set(redrawn["metric"]) == {"ks", "association"}  # no reference for privacy
    assert (real.groupby(["dataset", "generator", "metric"])["split"].nunique() == 8).all()
    lines = real.groupby(["dataset", "metric", "generator"])["value"]
    band = board.frame.groupby(["dataset", "metric"])[["low", "high"]].first()
    low, high = (lines.quantile(q).groupby(["dataset", "metric"]) for q in (0.05, 0.95))
    pd.testing.assert_series_equal(band["low"], low.min(), check_names=False)
    pd.testing.assert_series_equal(band["high"], high.max(), check_names=False)


def test_what_plays_the_synthetic_table():
    seen = []
    spy = Metric(lambda t, h, s, seed: seen.append((t, h, s)) or 0.0)
    df = mixed_table(80, 3).reset_index(names="row")
    scoreboard(df, [Copy()], {"a": spy}, splits=1, band_splits=2)
    for train, holdout, fresh in seen[0:4:2]:
        assert fresh["row"].tolist() == train["row"].tolist()
        assert not set(fresh["row"]) & set(holdout["row"])
    for train, _, half in seen[1:4:2]:
        assert len(half) == len(train) / 2 == half["row"].nunique()
        assert set(half["row"]) < set(train["row"])
    seen.clear()
    thirds = spy._replace(against_train=True, redrawn=False)
    scoreboard(df, [Copy()], {"a": thirds}, splits=1, band_splits=2)
    for parts in seen[:2]:
        rows = [set(part["row"]) for part in parts]
        assert [len(part) for part in rows] == [27, 27, 26]
        assert len(set.union(*rows)) == 80
    assert len(seen) == 3


def test_the_level_of_a_band(board):
    options = {"metrics": FEW[:2], "splits": 1, "band_splits": 20}
    df = mixed_table(60, 1)
    wide, narrow = (
        scoreboard(df, [Copy()], **options, level=level).frame.set_index("metric")
        for level in (0.9, 0.5)
    )
    assert (narrow["low"] > wide["low"]).all()
    assert (narrow["high"] < wide["high"]).all()


def test_generators_are_compared_split_by_split(board):
    found = board.compare("shuffled", "copy").set_index(["dataset", "metric"]).sort_index()
    assert len(found) == 2 * 4
    gap = found.loc[("large", "association")]
    assert (gap["splits"], gap["low"] > 0) == (3, True)
    keys = ["dataset", "metric", "generator", "split"]
    frame = board.frame.set_index(keys)["value"].sort_index()
    one, other = (frame["large", "association", name] for name in ("shuffled", "copy"))
    expected = ttest_rel(one, other).confidence_interval(0.95)
    assert (gap["low"], gap["high"]) == pytest.approx(tuple(expected))
    against = board.compare("copy", boards.REDRAWN)
    assert set(against["metric"]) == {"ks", "association"}
    assert (against["splits"] == 3).all()  # of eight
    turned = board.compare("copy", "shuffled").set_index(["dataset", "metric"]).sort_index()
    pd.testing.assert_series_equal(turned["mean"], -found["mean"])
    with pytest.raises(ValueError, match="generators must be among"):
        board.compare("copy", "nobody")


def test_paired_differences():
    # An area of .44 is as far from one half as one of .56.
    assert boards.paired([0.44, 0.46], [0.56, 0.54], "half").mean == pytest.approx(0)
    assert boards.paired([0.9, 1.3], [1.1, 1.0], "one").mean == pytest.approx(0.15)
    assert boards.paired([0.9, 0.8], [0.5, 0.6], "high").mean == pytest.approx(-0.3)
    alone = boards.paired([0.3, np.inf], [0.1, 0.2], "low")
    assert alone == (pytest.approx(0.2), -np.inf, np.inf, 1)
    nothing = boards.paired([], [], "low")
    assert np.isnan(nothing.mean)
    assert nothing.splits == 0
    # A common spread of a hundred times the difference hides nothing.
    luck = np.random.default_rng(1).normal(size=6)
    assert boards.paired(luck + 0.01 + 1e-3 * luck**2, luck, "low").low > 0


def frames_alone_and_together(backend):
    """Return the frame of a scoreboard, made alone and in parallel."""
    df, generators = mixed_table(60, 1), [Copy(), Shuffled()]
    options = {"metrics": FEW, "splits": 2, "band_splits": 3, "random_state": 5}
    alone = scoreboard(df, generators, **options).frame
    with joblib.parallel_config(backend=backend, n_jobs=2):
        return alone, scoreboard(df, generators, **options).frame


def test_threads_give_the_same_frame():
    pd.testing.assert_frame_equal(*frames_alone_and_together("threading"))


def test_dask_gives_the_same_frame():
    """Its threads use the module `random`, so it must not outlive the test: Hypothesis minds."""
    with (
        distributed.LocalCluster(
            n_workers=1,
            threads_per_worker=2,
            processes=False,
            protocol="tcp",
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",  # None would take port 8787
        ) as cluster,
        distributed.Client(cluster),
    ):
        pd.testing.assert_frame_equal(*frames_alone_and_together("dask"))


def test_tasks_travel_to_other_processes():
    task = (mixed_table(40, 1), METRICS, None, (1, 0, 0), ("data", "real rows", 0))
    there = cloudpickle.loads(cloudpickle.dumps((boards._task, task)))
    assert there[0](*there[1]) == boards._task(*task)


def test_all_metrics_run_on_a_mixed_table_and_only_those_that_can_elsewhere(capsys):
    options = {"splits": 1, "band_splits": 2}
    whole = scoreboard(mixed_table(60, 1), [Shuffled()], target="flag", progress=True, **options)
    assert set(whole.frame["metric"]) == {*METRICS, "tstr"}
    assert np.isfinite(whole.frame[["value", "low", "high"]]).all(axis=None)
    assert "scoreboard: 100%" in capsys.readouterr().err
    words = pd.DataFrame({"a": list("uvwuvwuvwuvw") * 3, "b": list("uuuvvv") * 6})
    some = scoreboard(words, [Shuffled()], ["ks"], **options)
    assert list(some.metrics) == ["ks"]
    assert set(boards._metrics(None, words, None)) == {*METRICS} - {"column_ks", "correlation"}
    assert set(boards._metrics(None, numbers(20, 1, 1), None)) == {*METRICS} - {
        "total_variation",
        "correlation",
        "association",
    }


def test_seeds_reach_generators_that_take_one():
    class Seeded(Shuffled):
        def __init__(self, random_state=None):
            self.random_state = random_state

        def _fit(self, codes):
            seeds.append(self.random_state)
            super()._fit(codes)

    seeds = []
    for _ in range(2):
        scoreboard(DF, {"a": Seeded(), "b": Seeded(7)}, ["ks"], splits=2, band_splits=2)
    assert seeds[:4] == seeds[4:]
    assert seeds[0] != seeds[1]
    assert seeds[2:4] == [7, 7]


def test_what_fails_says_where():
    with pytest.raises(RuntimeError, match="out of order") as caught:
        scoreboard({"t": DF}, {"bad": Broken()}, ["ks"], splits=1, band_splits=2)
    assert "table 't', 'bad', split 0" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    ("value", "better", "expected"),
    [
        (0.5, "low", "within"),
        (0.3, "low", "better"),
        (0.7, "low", "worse"),
        (0.3, "high", "worse"),
        (0.7, "high", "better"),
        (0.3, "half", "worse"),
        (0.7, "one", "better"),
        (0.3, "one", "worse"),
        (0.44, "half", "within"),
        (np.nan, "low", "none"),
    ],
)
def test_verdicts(value, better, expected):
    assert boards.verdict(value, 0.4, 0.6, better) == expected


@pytest.mark.parametrize("metric", ["holdout_share", "distance_attack", "density_attack"])
def test_shares_and_attacks_leak_in_both_directions(metric):
    for value in (0.44, 0.56):
        assert boards.verdict(value, 0.46, 0.54, METRICS[metric].better) == "worse"


def test_the_summary_is_an_accessible_table(board):
    html = board.summary()._repr_html_()
    assert html.count("<caption>") == 1
    assert html.count('<th scope="col">') == 2 + len(FEW)
    assert html.count('<th scope="row">') == 2 * 3
    assert 'tabindex="0" role="region" aria-label=' in html
    assert 'aria-label="worse than noise"' in html
    assert "copy (copies rows)" in html
    assert "real rows: noise band" in html
    text = repr(board.summary())
    assert "within" in text
    assert (repr(board), board._repr_html_()) == (text, html)
    assert board.summary().table.index.names == ["dataset", "generator"]
    assert (board.summary().table != "").all(axis=None)


def test_names_are_escaped():
    metrics = {"<b>": Metric(lambda *tables: 1.0)}
    html = scoreboard({"<t>": DF}, {"<g>": Copy()}, metrics, splits=1, band_splits=2)
    html = html.summary()._repr_html_()
    assert not any(name in html for name in ("<b>", "<t>", "<g>"))


def test_the_plot_needs_no_color(board):
    ax = board.plot(dataset="large")
    marks = ax.get_lines()
    assert [line.get_label() for line in marks] == ["copy (copies rows)", "shuffled"]
    assert len({line.get_marker() for line in marks}) == len(marks)
    assert "lower is better" in ax.get_xlabel()
    assert "higher is better" in ax.get_ylabel()
    assert board.plot("ks", "distance_attack", ax=ax) is ax
    plt.close(ax.figure)
    with pytest.raises(ValueError, match="there is no metric 'tstr'"):
        board.plot("tstr")
    with pytest.raises(ValueError, match="dataset must be among"):
        board.plot(dataset="none")
