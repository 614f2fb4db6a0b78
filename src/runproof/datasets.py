"""The book's data, one loader for all: ``load(name)`` checks the hash, then reads.

Each dataset is a folder ``data/<name>/`` with one or more CSV files, a data card
``README.md``, and ``SHA256SUMS`` with the files' hashes. The folder is installed inside
the wheel, so that the same call works in a clone, in an installed package and on Colab.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd

SUMS = "SHA256SUMS"


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


def _verify(path, expected):
    if not path.is_file():
        raise DataError(f"data file {path} is missing; restore it with git or reinstall runproof")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != expected:
        raise DataError(
            f"data file {path} has changed\n  expected sha256 {expected}\n"
            f"  found    sha256 {found}\nrestore it with git or reinstall runproof"
        )
