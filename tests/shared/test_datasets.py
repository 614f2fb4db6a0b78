"""The loader: checked hashes, errors that say what to do, and complete data cards."""

import hashlib
import re

import pandas as pd
import pytest

from runproof import datasets
from tools.book import ROOT

#: What a data card must say, and how it is recognized.
FACTS = {
    "what a row is": r"\b(a|each|one|every) row\b",
    "its columns": r"^\|.*\bcolumn\b.*\|",
    "their units": r"^\|.*\bunits?\b.*\|",
    "where the data come from": r"\b(origin|source)\b|\b(computed|measured|collected) by\b",
    "how it was produced": r"\bproduced\b|\bhow it was made\b",
    "its license": r"\blicense\b|\bpublic domain\b",
}
FOLDERS = sorted(path.parent for path in (ROOT / "data").glob("*/README.md"))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A dataset `tides` of two files, in a data folder of its own."""
    folder = tmp_path / "tides"
    folder.mkdir()
    (folder / "heights.csv").write_text("hour,height\n0,1.5\n1,1.25\n", encoding="utf-8")
    (folder / "stations.csv").write_text("station\nBrest\n", encoding="utf-8")
    names = ("heights.csv", "stations.csv")
    sums = [f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}" for name in names]
    (folder / datasets.SUMS).write_text("\n".join(sums) + "\n", encoding="utf-8")
    monkeypatch.setattr(datasets, "data_dir", lambda: tmp_path)
    return folder


def card_faults(folder):
    """Return what is missing from a dataset's folder, or wrong in it."""
    card = (folder / "README.md").read_text(encoding="utf-8")
    flags = re.IGNORECASE | re.MULTILINE
    faults = [fact for fact, pattern in FACTS.items() if not re.search(pattern, card, flags)]
    sums = datasets.read_sums(folder)
    tables = {path.name for path in folder.glob("*.csv")}
    faults += [f"{name} without a sha256" for name in sorted(tables - set(sums))]
    for name, digest in sums.items():
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != digest:
            faults.append(f"another sha256 of {name} in {datasets.SUMS}")
        if digest not in card:
            faults.append(f"the sha256 of {name} in the card")
        columns = pd.read_csv(folder / name).columns
        faults += [f"column {column} of {name}" for column in columns if f"`{column}`" not in card]
    return faults


# The loader


def test_load_reads_the_first_file_or_the_one_named(folder):
    expected = pd.DataFrame({"hour": [0, 1], "height": [1.5, 1.25]})
    pd.testing.assert_frame_equal(datasets.load("tides"), expected)
    assert datasets.load("tides", "stations.csv")["station"].tolist() == ["Brest"]


def test_names_lists_the_folders_with_sums(folder):
    (folder.parent / "no_sums").mkdir()
    assert datasets.names() == ["tides"]


def test_unknown_name_lists_the_known_ones(folder):
    with pytest.raises(ValueError, match=r"unknown dataset 'tide'; known: tides"):
        datasets.load("tide")


@pytest.mark.parametrize("name", ["", "../tides", None, 7])
def test_what_is_no_name_is_unknown(folder, name):
    with pytest.raises(ValueError, match="unknown dataset"):
        datasets.load(name)


def test_unknown_file_lists_those_there_are(folder):
    with pytest.raises(ValueError, match=r"no file 'x.csv'; it has: heights.csv, stations.csv"):
        datasets.load("tides", "x.csv")


def test_changed_file_is_refused_with_both_hashes(folder):
    path = folder / "heights.csv"
    expected = datasets.read_sums(folder)[path.name]
    path.write_text("hour,height\n0,1.5\n1,1.26\n", encoding="utf-8")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(datasets.DataError) as caught:
        datasets.load("tides")
    assert all(part in str(caught.value) for part in (str(path), expected, found))


def test_missing_file_is_named(folder):
    (folder / "heights.csv").unlink()
    with pytest.raises(datasets.DataError, match=r"heights\.csv is missing"):
        datasets.load("tides")


def test_data_folder_that_is_nowhere_is_explained(tmp_path, monkeypatch):
    module = tmp_path / "src" / "runproof" / "datasets.py"
    monkeypatch.setattr(datasets, "__file__", str(module))
    with pytest.raises(datasets.DataError, match="no data folder"):
        datasets.data_dir()


def test_installed_data_come_first(tmp_path, monkeypatch):
    module = tmp_path / "src" / "runproof" / "datasets.py"
    (tmp_path / "data").mkdir(parents=True)
    monkeypatch.setattr(datasets, "__file__", str(module))
    assert datasets.data_dir() == tmp_path / "data"
    (module.parent / "data").mkdir(parents=True)
    assert datasets.data_dir() == module.parent / "data"


# The published data; that they load from the wheel as well is tested in test_launch.py.


def test_every_folder_has_a_card_and_sums():
    folders = sorted(path for path in (ROOT / "data").iterdir() if path.is_dir())
    assert folders == FOLDERS
    assert datasets.names() == [folder.name for folder in folders]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_published_data_are_complete(folder):
    assert card_faults(folder) == []
    for file in datasets.read_sums(folder):
        assert len(datasets.load(folder.name, file)) > 0


def test_incomplete_card_is_noticed(folder):
    (folder / "README.md").write_text("# Tides\n\nEach row is an hour.\n", encoding="utf-8")
    (folder / "more.csv").write_text("x\n", encoding="utf-8")
    faults = card_faults(folder)
    assert set(FACTS) - set(faults) == {"what a row is"}
    assert {"more.csv without a sha256", "column height of heights.csv"} <= set(faults)
    assert "the sha256 of heights.csv in the card" in faults


def test_complete_card_passes(folder):
    sums = "\n".join(datasets.read_sums(folder).values())
    table = "| Column | Unit | Meaning |\n|---|---|---|\n| `hour` | h | |\n| `height` | m | |"
    card = f"# Tides\n\nEach row is an hour.\n\n{table}\n| `station` | | |\n\n{sums}\n"
    card += "Origin: a gauge. Produced by `make.py`. License: CC0.\n"
    (folder / "README.md").write_text(card, encoding="utf-8")
    assert card_faults(folder) == []
    (folder / "heights.csv").write_text("hour,height\n", encoding="utf-8")
    assert card_faults(folder) == ["another sha256 of heights.csv in SHA256SUMS"]
