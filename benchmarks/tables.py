"""The tables of the chapters on synthetic data, for the benchmarks.

Churn and insurance are simulated; the data cards say by which law.
"""

import pandas as pd
from sklearn.datasets import load_breast_cancer, make_circles
from statsmodels.datasets import randhie

from runproof import datasets


def health(rows):
    """Return rows of the RAND Health Insurance Experiment; it is all numbers."""
    table = randhie.load_pandas().data
    return table.sample(min(rows, len(table)), random_state=1).reset_index(drop=True)


def circles():
    """Two noisy circles, 1,000 rows: two numbers and a class."""
    points, label = make_circles(1000, noise=0.08, factor=0.5, random_state=1)
    return pd.DataFrame(points, columns=["x", "y"]).assign(circle=pd.Categorical(label))


def cancer():
    """The breast cancer table, 569 rows: 30 numbers and a class."""
    frame = load_breast_cancer(as_frame=True).frame
    return frame.assign(target=frame["target"].astype("category"))


CHAPTER_TABLES = {
    "breast cancer": cancer,
    "randhie": lambda: health(20190),
    "circles": circles,
    "churn": lambda: datasets.load("churn"),
    "insurance": lambda: datasets.load("insurance"),
}
