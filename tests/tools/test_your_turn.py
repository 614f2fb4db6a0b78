"""The reader's turn in an interview notebook: stubs fail, solutions pass, constants fail."""

import ast
import re

import numpy as np
import pytest

from tools.book import ROOT
from tools.chapter import read_entries

PATHS = sorted((ROOT / "notebooks" / "interview").glob("*.ipynb"))
ENTRIES = [entry for path in PATHS for entry in read_entries(path)]
CODED = [entry for entry in ENTRIES if entry.kind == "code"]
every = pytest.mark.parametrize("entry", CODED, ids=lambda entry: entry.slug)


def stubs(entry):
    """Return the names of what the reader is to write."""
    return [node.name for node in ast.parse(entry.code["turn"]).body if hasattr(node, "name")]


def tried(entry, capsys, **answers):
    """Return what the cases say when the stubs are replaced."""
    names = {}
    exec(entry.code["turn"], names)
    names |= answers
    capsys.readouterr()
    exec(entry.code["cases"], names)
    return capsys.readouterr().out


@every
def test_a_stub_is_not_answered(entry, capsys):
    said = tried(entry, capsys)
    assert said.count("not answered yet") == len(stubs(entry)) == said.count("\n")


@every
def test_the_solution_passes(entry, capsys):
    names = {}
    exec(entry.code["solution"], names)
    answers = {name: names[re.sub(r"^my_|^My", "", name)] for name in stubs(entry)}
    said = tried(entry, capsys, **answers)
    assert said.count(" cases pass\n") == said.count("\n") == len(answers), said
    assert said.count(": all ") == len(answers), said


@every
@pytest.mark.parametrize("constant", [None, 0, 1, True, False, [], "", np.zeros(3)], ids=repr)
def test_a_constant_fails(entry, capsys, constant):
    def answer(*arguments, **options):
        return constant

    said = tried(entry, capsys, **dict.fromkeys(stubs(entry), answer))
    assert ": all " not in said, said


def test_there_are_turns():
    assert len(CODED) >= 48
