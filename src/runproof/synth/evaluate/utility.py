"""Is a synthetic table of use? Train on it, test on real rows."""

from typing import NamedTuple

import numpy as np
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import f1_score, r2_score

from runproof.synth.space import encode


class Utility(NamedTuple):
    """What `tstr` returns: the score trained on synthetic rows, and on real ones."""

    synthetic: float
    real: float


def tstr(train, synthetic, holdout, target):
    """Train on synthetic rows, test on real ones; and train on real ones, to compare.

    The model is boosted trees, the score the macro-averaged F1 for a categorical or boolean
    target and R^2 for a number. Rows with a missing target are left out.

    What it cannot show: one task with one model. A table can be good for it and wrong
    elsewhere; a copy of the training table scores as the real one does.

    Parameters
    ----------
    train, synthetic, holdout : pandas.DataFrame
        Same columns and dtypes. The generator saw `train` and not `holdout`.
    target : hashable
        The column to predict.

    Returns
    -------
    Utility
        `synthetic` and `real`, both on `holdout`; the nearer, the better.

    Raises
    ------
    TypeError, ValueError
        If the tables do not match, are no tables, or have no such column or no other one.
    """
    schema, (real, new, test) = encode(train=train, synthetic=synthetic, holdout=holdout)
    place = schema.position(target)
    if len(schema) < 2:
        raise ValueError(f"a column beside the target {target!r} is needed")
    discrete = bool(schema.discrete[place])
    test = _labelled(test, place, "holdout")
    scores = []
    for name, codes in (("synthetic", new), ("train", real)):
        scores.append(_score(discrete, *_labelled(codes, place, name), *test))
    return Utility(*scores)


def _labelled(codes, place, name):
    """Return features and target of the rows that have one."""
    y = codes[:, place]
    known = ~np.isnan(y)
    if known.sum() < 2:
        raise ValueError(f"{name} must have at least 2 rows with a target, got {known.sum()}")
    return np.delete(codes[known], place, axis=1), y[known]


def _score(discrete, X, y, X_test, y_test):  # noqa: N803 (scikit-learn's names)
    options = {"max_iter": 100, "min_samples_leaf": 10, "early_stopping": False}
    if not discrete:
        model = HistGradientBoostingRegressor(**options, random_state=0)
        return float(r2_score(y_test, model.fit(X, y).predict(X_test)))
    if len(np.unique(y)) < 2:
        model = DummyClassifier()
    else:
        model = HistGradientBoostingClassifier(**options, random_state=0)
    predicted = model.fit(X, y).predict(X_test)
    return float(f1_score(y_test, predicted, labels=np.unique(y_test), average="macro"))
