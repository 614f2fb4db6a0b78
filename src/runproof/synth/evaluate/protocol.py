"""The evaluation of ForestDiffusion, which comes with published results of nine generators.

Each table is split into 80 % and 20 % three times, by class. A generator is fitted to the
larger part, and draws five tables of its size. Numbers are scaled to the range of the
training table and the class is one-hot, so that the L1 distance is Gower's. Scores are means
over the 15 tables.

References
----------
A. Jolicoeur-Martineau, K. Fatras, T. Kachman, "Generating and Imputing Tabular Data via
Diffusion and Flow-based Gradient-Boosted Trees", AISTATS 2024; scores from the file of
results in the authors' repository, https://github.com/SamsungSAILMontreal/ForestDiffusion.
"""

from time import perf_counter
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.model_selection import train_test_split

from runproof.synth.evaluate.distances import (
    closer,
    closest,
    nearest,
    neighbor_radii,
    ratio_of_medians,
    transport,
)
from runproof.synth.space import MixedSpace, encode
from runproof.validation import one_of, whole_number

TARGET = "target"
CLASS_COUNTS = ("free", "train")
_ATTEMPTS = 50  # tables drawn until every class has its rows

# W1 to the test rows, coverage of the test rows, seconds on the authors' machines.
_PUBLISHED = {
    "iris": {
        "training copy": (0.2361080705, 0.9333333333, 0.0000697),
        "Forest-Flow": (0.3281705347, 0.9311111111, 12.38138024),
        "Forest-VP": (0.3326459638, 0.9377777778, 12.80237381),
        "TabDDPM": (0.3285884953, 0.9177777778, 225.729302),
        "STaSy": (0.5813140365, 0.8844444444, 175.6118806),
        "TVAE": (0.4849203574, 0.8133333333, 3.048223813),
        "CTAB-GAN+": (0.805927597, 0.3733333333, 5.057394743),
        "GaussianCopula": (0.7325724504, 0.5, 0.4656577905),
        "CopulaGAN": (1.04388197, 0.2, 8.498247623),
        "CTGAN": (1.073528535, 0.2288888889, 10.14255428),
    },
    "wine": {
        "training copy": (1.440255312, 0.9444444444, 0.0000544),
        "Forest-Flow": (1.420639609, 0.9537037037, 67.98894024),
        "Forest-VP": (1.430664181, 0.9481481481, 70.9395682),
        "TabDDPM": (1.530536897, 0.9074074074, 226.4809956),
        "STaSy": (1.816959607, 0.8148148148, 181.7879361),
        "TVAE": (1.787618402, 0.7481481481, 6.454209805),
        "CTAB-GAN+": (2.204020691, 0.4148148148, 6.953969638),
        "GaussianCopula": (2.09686071, 0.5481481481, 1.26252238),
        "CopulaGAN": (3.011885484, 0.08888888889, 13.00656573),
        "CTGAN": (2.915778187, 0.09074074074, 11.68017435),
    },
    "breast_cancer": {
        "training copy": (1.852712409, 0.968, 0.0001250108083),
        "Forest-Flow": (1.748776201, 0.9760233918, 254.774972),
        "Forest-VP": (1.847618823, 0.9187134503, 266.3432183),
        "TabDDPM": (3.437691512, 0.953, 227.0896171),
        "STaSy": (2.709640127, 0.611, 232.657891),
        "TVAE": (2.47202991, 0.304, 13.91110078),
        "CTAB-GAN+": (2.487145542, 0.320, 7.824323813),
        "GaussianCopula": (2.850021479, 0.151, 6.444821994),
        "CopulaGAN": (5.988088206, 0.0, 27.68371534),
        "CTGAN": (4.59866642, 0.00175, 19.31764309),
    },
}


class ProtocolResult(NamedTuple):
    """What `forest_diffusion_protocol` returns.

    Attributes
    ----------
    scores : pandas.Series
        Means of `runs`: w1_train, w1_test, coverage_train, coverage_test, dcr_ratio.
    runs : pandas.DataFrame
        One row for each split and generation.
    seconds : float
        To fit once and draw all generations, the mean over the splits.
    """

    scores: pd.Series
    runs: pd.DataFrame
    seconds: float


def published_scores():
    """Return the published scores of nine generators and of a copy of the training rows.

    Returns
    -------
    pandas.DataFrame
        Columns dataset ("iris", "wine", "breast_cancer"), generator, w1_test, coverage_test
        and seconds (of the authors' machines). For breast cancer the authors print the
        coverage with three digits.
    """
    return pd.DataFrame(
        [
            (dataset, generator, *scores)
            for dataset, rows in _PUBLISHED.items()
            for generator, scores in rows.items()
        ],
        columns=["dataset", "generator", "w1_test", "coverage_test", "seconds"],
    )


def forest_diffusion_protocol(
    generator,
    X,  # noqa: N803 (scikit-learn's name)
    y,
    splits=3,
    generations=5,
    class_counts="free",
    random_state=0,
):
    """Score a generator as the authors of ForestDiffusion scored nine of them.

    Beside their scores stands `dcr_ratio`: the median distance of synthetic rows to the
    closest training row, over that of the test rows. A method that copies has it near 0; see
    `runproof.synth.evaluate.dcr_ratio` for what it cannot show.

    Their coverage takes balls that reach to the k-th nearest test row, with the smallest k
    for which a table covers 95 % of itself, and one more; unless rows repeat, that is 2.

    Parameters
    ----------
    generator : Generator or None
        It is cloned for each split. None scores a copy of the training rows.
    X : array_like or pandas.DataFrame, shape (n, d)
        Numbers.
    y : array_like, shape (n,)
        The classes. The generator gets them as a last column of dtype category, "target".
    splits, generations : int
        3 and 5 are the published ones. Split s is scikit-learn's with random_state s.
    class_counts : {"free", "train"}
        "free": as many rows of a class as the generator draws, as published. "train": as
        many as in the training table, by drawing until there are enough. This takes the
        noise of the class counts out, and is no advantage that published scores had.
    random_state : int
        Seed of the samples.

    Returns
    -------
    ProtocolResult
        `scores` (means), `runs` and `seconds`.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.
    RuntimeError
        If a class of the training table is hardly ever drawn, with `class_counts="train"`.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> scores = forest_diffusion_protocol(None, *load_iris(return_X_y=True)).scores
    >>> round(float(scores["w1_test"]), 3)
    0.236
    """
    splits = whole_number("splits", splits, 1)
    generations = whole_number("generations", generations, 1)
    random_state = whole_number("random_state", random_state, 0)
    one_of("class_counts", class_counts, CLASS_COUNTS)
    df = _frame(X, y)
    runs, seconds = [], 0.0
    for split in range(splits):
        train, test = (
            part.reset_index(drop=True)
            for part in train_test_split(df, test_size=0.2, random_state=split, stratify=df[TARGET])
        )
        seeds = np.random.SeedSequence([random_state, split]).spawn(generations)
        started = perf_counter()
        tables = _draw(generator, train, seeds, class_counts)
        seconds += (perf_counter() - started) / splits
        for generation, table in enumerate(tables):
            runs.append({"split": split, "generation": generation, **_scores(train, test, table)})
    runs = pd.DataFrame(runs)
    return ProtocolResult(runs.drop(columns=["split", "generation"]).mean(), runs, seconds)


def _frame(X, y):  # noqa: N803
    df = X.reset_index(drop=True) if isinstance(X, pd.DataFrame) else pd.DataFrame(np.asarray(X))
    df.columns = df.columns.astype(str)
    if len(df) != len(y):
        raise ValueError(f"X and y must have as many rows, got {len(df)} and {len(y)}")
    if TARGET in df.columns:
        raise ValueError(f"X must have no column {TARGET!r}: that is the name of y")
    return df.assign(**{TARGET: pd.Categorical(np.asarray(y))})


def _draw(generator, train, seeds, class_counts):
    if generator is None:
        return [train] * len(seeds)
    model = clone(generator).fit(train)
    if class_counts == "free":
        return [model.sample(len(train), random_state=seed) for seed in seeds]
    return [_with_counts(model, train, seed) for seed in seeds]


def _with_counts(model, train, seed):
    """Draw tables until every class has as many rows as in the training table."""
    wanted = train[TARGET].value_counts()
    parts, have = [], wanted * 0
    for attempt in seed.spawn(_ATTEMPTS):
        table = model.sample(len(train), random_state=attempt)
        parts.append(table)
        have += table[TARGET].value_counts()
        if (have >= wanted).all():
            drawn = pd.concat(parts, ignore_index=True)
            rank = drawn.groupby(TARGET, observed=True).cumcount()
            return drawn[rank < drawn[TARGET].map(wanted).astype(int)].reset_index(drop=True)
    raise RuntimeError(f"after {_ATTEMPTS} tables a class lacks rows: {have.to_dict()}")


def _scores(train, test, table):
    schema, (seen, fresh, new) = encode(train=train, test=test, synthetic=table)
    space = MixedSpace.of(schema, seen)
    near, far, points = (space.points(codes)[0] for codes in (seen, fresh, new))
    return {
        "w1_train": transport(near, points),
        "w1_test": transport(far, points),
        "coverage_train": _coverage(near, points),
        "coverage_test": _coverage(far, points),
        "dcr_ratio": ratio_of_medians(nearest(space, new, seen), nearest(space, fresh, seen)),
    }


def _coverage(real, points):
    k = 1
    while (neighbor_radii(real, k) > 0).mean() < 0.95:
        k += 1
    return float(closer(closest(real, points), neighbor_radii(real, k + 1)).mean())
