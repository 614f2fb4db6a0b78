"""Simulate the table of this folder, ``churn.csv``, and its ``SHA256SUMS``.

    python make_churn.py

Each column is a function of its own uniform random number and of the columns before it.
The card ``README.md`` states the law in formulas.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd

ROWS, SEED = 7032, 20231
FILE = "churn.csv"
CONTRACTS = np.array(["month-to-month", "one year", "two year"])
#: Shares of the contracts, and the two shape parameters of the tenure under each.
SHARES = (0.55, 0.21, 0.24)
TENURE_SHAPES = np.array([[0.75, 1.9], [1.6, 1.4], [2.0, 0.75]])
#: Churn's log-odds: constant, month-to-month, two year, month of tenure, dollar, paperless.
CHURN = (-2.2, 1.0, -1.0, -0.035, 0.018, 0.4)


def quantile(u, a, b):
    """Return the quantile of Kumaraswamy's law on [0, 1], F(x) = 1 - (1 - x^a)^b."""
    return (1 - (1 - u) ** (1 / b)) ** (1 / a)


def logistic(x):
    """Return 1 / (1 + exp(-x))."""
    return 1 / (1 + np.exp(-x))


def churn_probability(df):
    """Return the probability that a customer of a table leaves.

    Parameters
    ----------
    df : pandas.DataFrame, shape (n, >= 4)
        With tenure, monthly_charges, contract and paperless.

    Returns
    -------
    ndarray, shape (n,)
    """
    constant, monthly, two_year, month, dollar, paperless = CHURN
    return logistic(
        constant
        + monthly * (df["contract"] == CONTRACTS[0]).to_numpy()
        + two_year * (df["contract"] == CONTRACTS[2]).to_numpy()
        + month * df["tenure"].to_numpy()
        + dollar * df["monthly_charges"].to_numpy()
        + paperless * df["paperless"].to_numpy()
    )


def simulate(n, seed):
    """Draw customers.

    Parameters
    ----------
    n : int
        How many.
    seed : int
        Of NumPy's default generator.

    Returns
    -------
    pandas.DataFrame, shape (n, 6)
    """
    u = np.random.default_rng(seed).random((7, n))
    contract = np.searchsorted(np.cumsum(SHARES)[:2], u[0], side="right")
    tenure = 1 + np.floor(72 * quantile(u[1], *TENURE_SHAPES[contract].T)).astype(int)
    basic = 18 + 6 * u[3]
    rich = 25 + 95 * quantile(u[3], 2.5, 2.0)
    monthly = np.round(np.where(u[2] < 0.22, basic, rich) * 20) / 20
    df = pd.DataFrame({"tenure": np.minimum(tenure, 72), "monthly_charges": monthly})
    df["total_charges"] = np.round(df["tenure"] * monthly * (0.95 + 0.1 * u[4]), 2)
    df["contract"] = CONTRACTS[contract]
    df["paperless"] = u[5] < logistic(-0.8 + 0.018 * monthly)
    df["churn"] = u[6] < churn_probability(df)
    return df


def main():
    """Write the table and its hash."""
    folder = Path(__file__).parent
    text = simulate(ROWS, SEED).to_csv(index=False, lineterminator="\n")
    (folder / FILE).write_text(text, encoding="utf-8", newline="\n")
    digest = hashlib.sha256(text.encode()).hexdigest()
    (folder / "SHA256SUMS").write_text(f"{digest}  {FILE}\n", encoding="utf-8", newline="\n")
    print(digest)


if __name__ == "__main__":
    main()
