"""The simulated tables: their scripts make them again, and they follow the law on their cards."""

import re
import runpy

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest, lognorm

from runproof import datasets

SCRIPTS = {"churn": "make_churn.py", "insurance": "make_insurance.py"}


def script(name):
    """Return what a dataset's script defines."""
    return runpy.run_path(str(datasets.data_dir() / name / SCRIPTS[name]))


def card(name):
    return (datasets.data_dir() / name / "README.md").read_text(encoding="utf-8")


def check_same(made, stored):
    # Another math library may round a last digit differently.
    pd.testing.assert_frame_equal(made, stored, check_dtype=False, rtol=0, atol=0.051)


# Churn


def test_churn_is_made_again_by_its_script():
    law = script("churn")
    check_same(law["simulate"](law["ROWS"], law["SEED"]), datasets.load("churn"))


def test_churn_follows_its_card():
    df = script("churn")["simulate"](400_000, 1)
    mean = df[["churn", "paperless", "tenure", "monthly_charges"]].mean()
    words = [r"([\d.]+) % leave", r"([\d.]+) % have", r"tenure is ([\d.]+)", r"bill ([\d.]+) dol"]
    written = [float(re.search(pattern, card("churn"))[1]) for pattern in words]
    assert np.allclose([100, 100, 1, 1] * mean, written, rtol=0.006)
    shares = df["contract"].value_counts(normalize=True)[["month-to-month", "one year", "two year"]]
    assert np.allclose(shares, [0.55, 0.21, 0.24], atol=0.004)
    ratio = df["total_charges"] / (df["tenure"] * df["monthly_charges"])
    assert kstest(ratio[df["tenure"] > 12], "uniform", (0.95, 0.1)).statistic < 0.005


def test_churn_has_the_probability_its_script_states():
    law = script("churn")
    df = law["simulate"](400_000, 2)
    p = law["churn_probability"](df)
    bins = pd.cut(p, 20)
    groups = pd.DataFrame({"p": p, "left": df["churn"]}).groupby(bins, observed=True)
    p, left = groups["p"].mean(), groups["left"].mean()
    assert (np.abs(left - p) < 4 * np.sqrt(p * (1 - p) / groups.size())).all()
    row = df.iloc[[0]].assign(contract="two year", tenure=10, monthly_charges=50.0, paperless=True)
    eta = -2.2 - 1.0 - 0.35 + 0.9 + 0.4  # by hand, from the card
    assert law["churn_probability"](row)[0] == pytest.approx(1 / (1 + np.exp(-eta)))


# Insurance


def test_insurance_is_made_again_by_its_script(tmp_path):
    script("insurance")["main"](tmp_path)
    for file in ("insurance.csv", "cells.csv"):
        check_same(pd.read_csv(tmp_path / file), datasets.load("insurance", file))


def test_insurance_has_the_published_counts():
    df, cells = datasets.load("insurance"), datasets.load("insurance", "cells.csv")
    keys = ["sex", "smoker", "region"]
    counts = df.value_counts(keys)[pd.MultiIndex.from_frame(cells[keys])]
    assert (counts.to_numpy() == cells["count"]).all()
    assert cells["count"].sum() == 1338
    assert cells.groupby("smoker")["count"].sum().to_dict() == {"no": 1064, "yes": 274}
    assert cells.groupby("sex")["count"].sum().to_dict() == {"female": 662, "male": 676}


def test_mean_charges_are_those_of_the_law():
    """A sum over ages, and over a fine grid of bmi that is rounded as the table's is."""
    median = {"northeast": 29.0, "northwest": 29.0, "southeast": 33.0, "southwest": 30.5}
    age, bmi = np.arange(18, 65)[:, None], np.arange(50, 1500) / 10
    children = 0.24 + 2 * 0.18 + 3 * 0.12 + 4 * 0.02 + 5 * 0.01
    for row in datasets.load("insurance", "cells.csv").itertuples():
        law = lognorm(0.2, scale=median[row.region] * np.exp(0.0015 * (age - 41)))
        weight = law.cdf(bmi + 0.05) - law.cdf(bmi - 0.05)
        charge = 2000 + 3 * age**2 + 600 * children
        charge = charge + (row.smoker == "yes") * (500 * bmi + 16000 * (bmi >= 30))
        assert (weight * charge).sum(axis=1).mean() == pytest.approx(row.mean_charge, abs=0.011)


def test_charges_scatter_as_the_card_says():
    law = script("insurance")
    cells = law["read_cells"]().assign(count=20_000)
    df = law["simulate"](cells, np.random.default_rng(3))
    expected = law["expected_charge"](df["age"], df["bmi"], df["children"], df["smoker"])
    for smoker, deviation in (("no", 0.4), ("yes", 0.1)):
        noise = np.log(df["charges"] / expected)[df["smoker"] == smoker]
        law_of_noise = (-(deviation**2) / 2, deviation)
        assert kstest(noise, "norm", law_of_noise).statistic < 0.006
