"""The book's data, one loader for all: ``load(name)`` checks the hash, then reads.

Each dataset is a folder ``data/<name>/`` with one or more CSV files, a data card
``README.md``, and ``SHA256SUMS`` with the files' hashes. The folder is installed inside
the wheel, so that the same call works in a clone, in an installed package and on Colab.
"""

import hashlib
import importlib.util
from pathlib import Path

import pandas as pd

SUMS = "SHA256SUMS"
_RESTORE = "restore it with git or reinstall runproof"
_MEUSE = "b27776bc1cad63c4bf308923c86a5a76a0a02566ac75984b018df2a477b52f64"


class DataError(RuntimeError):
    """A data file is missing or is not the file that was published."""


def data_dir():
    """Return the folder that holds the datasets.

    Returns
    -------
    pathlib.Path
        ``runproof/data`` in an installed wheel, ``data`` at the root of a clone.

    Raises
    ------
    DataError
        If neither exists.
    """
    here = Path(__file__).resolve()
    for folder in (here.parent / "data", here.parents[2] / "data"):
        if folder.is_dir():
            return folder
    raise DataError(
        f"no data folder beside {here.parent}; reinstall the package, or work in a clone"
    )


def names():
    """Return the names that :func:`load` knows, sorted.

    Returns
    -------
    list of str
    """
    return sorted(path.parent.name for path in data_dir().glob(f"*/{SUMS}"))


def load(name, file=None):
    """Load a dataset after checking that its file is the published one.

    Parameters
    ----------
    name : str
        A name from :func:`names`.
    file : str, optional
        The file, for a dataset of several; default is the first one in ``SHA256SUMS``.

    Returns
    -------
    pandas.DataFrame
        The columns are described in the dataset's card.

    Raises
    ------
    ValueError
        If no dataset, or no file of it, has this name. The message lists those there are.
    DataError
        If the file is missing, or its hash is not the recorded one.
    """
    if name not in (known := names()):
        raise ValueError(f"unknown dataset {name!r}; known: {', '.join(known)}")
    sums = read_sums(data_dir() / name)
    file = next(iter(sums)) if file is None else file
    if file not in sums:
        raise ValueError(f"dataset {name!r} has no file {file!r}; it has: {', '.join(sums)}")
    path = data_dir() / name / file
    _verify(path, sums[file])
    return pd.read_csv(path)


def meuse():
    """Load heavy metals in the flood plain of the river Meuse, from the scikit-gstat package.

    The table is part of that package, under its license, and no part of this book's data: it
    is read where it is installed.

    Returns
    -------
    pandas.DataFrame, 155 rows
        A row is a sample of topsoil. `x` and `y` are its easting and northing in m (the Dutch
        grid); `cadmium`, `copper`, `lead`, `zinc` are in mg/kg of soil; `elev` is the elevation
        above the river bed in m; `dist` is the distance to the river, scaled to [0, 1], and
        `dist.m` the one in m noted in the field; `om` is organic matter in percent, missing for
        two. `ffreq` (flooding frequency class), `soil`, `lime` and `landuse` (missing for one)
        are categories.

    Raises
    ------
    DataError
        If scikit-gstat is not installed, or its file is not the one this book was tested with.
    """
    spec = importlib.util.find_spec("skgstat")  # not imported: that takes seconds
    if spec is None:
        raise DataError("the Meuse data come with scikit-gstat: pip install scikit-gstat")
    path = Path(spec.origin).parent / "data" / "samples" / "meuse.txt"
    _verify(path, _MEUSE, "reinstall scikit-gstat")
    return pd.read_csv(path).astype(dict.fromkeys(("ffreq", "soil", "lime", "landuse"), "category"))


def read_sums(folder):
    """Read ``SHA256SUMS`` of a dataset.

    Parameters
    ----------
    folder : pathlib.Path
        The dataset's folder.

    Returns
    -------
    dict of str to str
        File name to hash, in the order of the file.
    """
    lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    return {file: digest for digest, file in (line.split(maxsplit=1) for line in lines)}


def _verify(path, expected, remedy=_RESTORE):
    if not path.is_file():
        raise DataError(f"data file {path} is missing; {remedy}")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != expected:
        raise DataError(
            f"data file {path} has changed\n  expected sha256 {expected}\n"
            f"  found    sha256 {found}\n{remedy}"
        )
