"""Make the simulated insurance table, and the exact mean of charges in its cells.

    python make_insurance.py

It needs NumPy, pandas and SciPy, and writes `insurance.csv` and `cells.csv` beside itself.
The law is written out in the data card.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import ndtr

SEED = 1338
#: Rows of the real table with each sex, smoker, region, in the order in which the 16
#: combinations first appear in it.
CELLS = """
    female yes southwest 21   male no southeast 134     male no northwest 132
    female no southeast 139   female no northwest 135   male no northeast 125
    female yes southeast 36   male no southwest 126     male yes southeast 55
    female no northeast 132   male yes southwest 37     female no southwest 141
    female yes northeast 29   male yes northeast 38     male yes northwest 29
    female yes northwest 29
"""
AGES = np.arange(18, 65)
CHILDREN = (0.43, 0.24, 0.18, 0.12, 0.02, 0.01)
#: Median body mass index at age 41.
BMI = {"northeast": 29.0, "northwest": 29.0, "southeast": 33.0, "southwest": 30.5}
SLOPE, SPREAD = 0.0015, 0.2  # of log bmi: per year of age, and the standard deviation
NOISE = {"no": 0.4, "yes": 0.1}  # standard deviation of log charges


def read_cells():
    words = np.array(CELLS.split()).reshape(16, 4)
    cells = pd.DataFrame(words, columns=["sex", "smoker", "region", "count"])
    return cells.astype({"count": int})


def expected_charge(age, bmi, children, smoker):
    """Mean charge in US dollars of people with these values."""
    base = 2000 + 3 * age**2 + 600 * children
    return base + (smoker == "yes") * (500 * bmi + 16000 * (bmi >= 30))


def simulate(cells, rng):
    table = cells.loc[cells.index.repeat(cells["count"]), ["sex", "smoker", "region"]]
    n, smoker = len(table), table["smoker"].to_numpy()
    age = rng.choice(AGES, size=n)
    median = table["region"].map(BMI).to_numpy() * np.exp(SLOPE * (age - 41))
    bmi = np.round(median * np.exp(SPREAD * rng.standard_normal(n)), 1)
    children = rng.choice(6, p=CHILDREN, size=n)
    noise = np.where(smoker == "yes", NOISE["yes"], NOISE["no"])
    factor = np.exp(noise * rng.standard_normal(n) - noise**2 / 2)  # of mean 1
    charges = np.round(expected_charge(age, bmi, children, smoker) * factor, 2)
    table = table.assign(age=age, bmi=bmi, children=children, charges=charges)
    columns = ["age", "sex", "bmi", "children", "smoker", "region", "charges"]
    return table[columns].iloc[rng.permutation(n)].reset_index(drop=True)


def mean_charge(smoker, region):
    """Exact mean of charges in a cell: a sum over all ages, with closed forms inside it."""
    log_median = np.log(BMI[region]) + SLOPE * (AGES - 41)
    children = np.dot(CHILDREN, range(6))
    mean = (2000 + 3 * AGES**2 + 600 * children).mean()
    if smoker == "no":
        return mean
    bmi = np.exp(log_median + SPREAD**2 / 2).mean()
    obese = ndtr((log_median - np.log(29.95)) / SPREAD).mean()  # rounded, bmi is 30 or more
    return mean + 500 * bmi + 16000 * obese


def main(folder):
    cells = read_cells()
    table = simulate(cells, np.random.default_rng(SEED))
    cells["mean_charge"] = [
        round(mean_charge(smoker, region), 2)
        for smoker, region in zip(cells["smoker"], cells["region"], strict=True)
    ]
    names = ("insurance.csv", "cells.csv")
    for name, frame in zip(names, (table, cells), strict=True):
        frame.to_csv(folder / name, index=False, lineterminator="\n")
    digests = [hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names]
    lines = [f"{digest}  {name}\n" for digest, name in zip(digests, names, strict=True)]
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main(Path(__file__).resolve().parent)
