"""The examples in the package's docstrings run, and print what they say."""

import doctest
import importlib
from pathlib import Path

import pytest

import runproof
from tools.book import ROOT

FOLDER = Path(runproof.__file__).parent
SOURCES = {
    ".".join(path.relative_to(FOLDER.parent).with_suffix("").parts): text
    for path in sorted(FOLDER.rglob("*.py"))
    if ">>> " in (text := path.read_text(encoding="utf-8"))
}
NETWORK = "runproof.tides.stations"  # its example asks NOAA's server


@pytest.mark.parametrize("name", sorted(SOURCES.keys() - {NETWORK}))
def test_examples_print_what_they_say(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    done = doctest.testmod(importlib.import_module(name))
    assert done.attempted > 0
    assert done.failed == 0


def test_no_example_is_left_out():
    assert len(SOURCES) > 10
    assert [name for name, text in SOURCES.items() if "+SKIP" in text] == [NETWORK]
