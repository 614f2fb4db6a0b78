"""The reader's turn in an interview notebook: stubs fail, solutions pass, constants fail."""

import ast
import re

import numpy as np
import pytest

from runproof.exercises import attempt, case, same
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


# The cases themselves


def my_double(x):
    return 2 * x


def test_an_example_shows_what_was_wanted_and_an_edge_does_not(capsys):
    attempt(my_double, case(1, gives=2), case(2, gives=5), case(3, gives=7, name="three"))
    assert capsys.readouterr().out == (
        "my_double: 1 of 3 cases passes\n"
        "  my_double(2) gave 4, wanted 5\n"
        "  three: my_double(3) gave 6\n"
    )


def test_a_case_gets_a_copy(capsys):
    numbers = [3, 1]

    def my_sort(items):
        items.sort()
        return items

    attempt(my_sort, case(numbers, gives=[1, 3]))
    assert numbers == [3, 1]
    assert capsys.readouterr().out == "my_sort: the case passes\n"


def test_what_is_raised_is_told(capsys):
    attempt(
        my_double,
        case(None, raises=TypeError),
        case(None, gives=0),
        case("a", raises=ValueError, name="a text"),
    )
    said = capsys.readouterr().out
    assert said.startswith("my_double: 1 of 3 cases passes\n  my_double(None) raised TypeError: ")
    assert said.endswith("wanted 0\n  a text: my_double('a') gave 'aa'\n")


def test_a_property_may_meet_an_answer_of_another_kind(capsys):
    attempt(
        my_double,
        case(2, holds=lambda got: got % 2 == 0, name="even"),
        case([], holds=lambda got: got["key"], name="has a key"),
    )
    assert capsys.readouterr().out == (
        "my_double: 1 of 2 cases passes\n  has a key: my_double([]) gave []\n"
    )


def test_only_the_first_case_tells_that_nothing_is_answered(capsys):
    def my_half(x):
        if x % 2:
            raise NotImplementedError("odd")
        return x // 2

    attempt(my_half, case(2, gives=1), case(3, gives=1.5, name="odd"))
    assert capsys.readouterr().out == (
        "my_half: 1 of 2 cases passes\n  odd: my_half(3) raised NotImplementedError: odd\n"
    )


def test_a_class_is_tried_by_a_function(capsys):
    class MyStack(list):
        pass

    def replay(stack, items):
        made = stack()
        made.extend(items)
        return len(made)

    attempt(MyStack, case([1, 2], gives=2), case([], gives=1), by=replay)
    assert capsys.readouterr().out == (
        "MyStack: 1 of 2 cases passes\n  MyStack([]) gave 0, wanted 1\n"
    )


@pytest.mark.parametrize(
    ("got", "wanted", "answer"),
    [
        (1, 1.0, True),
        (1, 2, False),
        (10**400, 1.0, False),
        (10**20, 10**20 + 1, False),
        (float("nan"), float("nan"), True),
        (float("inf"), float("inf"), True),
        (0.1 + 0.2, 0.3, True),
        (1 + 1e-12j, 1, True),
        (True, 1, False),
        (1, True, False),
        (np.True_, True, True),
        (np.int64(3), 3, True),
        (None, 0, False),
        (None, None, True),
        (NotImplemented, None, False),
        ("a", "a", True),
        (b"a", "a", False),
        ("", [], False),
        ((1, 2), [1, 2], True),
        (range(2), [0, 1], True),
        (np.array([1, 2]), [1, 2], True),
        ([1, 2], np.array([[1, 2]]), False),
        ([[1], [2, 3]], [(1,), (2, 3)], True),
        ([[1], [2, 4]], [(1,), (2, 3)], False),
        ([1], [1, 2], False),
        ({1, 2}, {2, 1}, True),
        ([1, 2], {1, 2}, False),
        ({"a": [1]}, {"a": (1,)}, True),
        ({"a": 1}, {"b": 1}, False),
        ([True], [1], False),
    ],
)
def test_same(got, wanted, answer):
    assert same(got, wanted) is answer


def test_pandas_objects_are_compared_whole():
    import pandas as pd

    one = pd.Series([1.0, np.nan])
    assert same(one.copy(), one)
    assert not same(one.fillna(0), one)
    assert not same([1.0, np.nan], one)


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: case(1), TypeError, "exactly one of"),
        (lambda: case(1, gives=1, raises=ValueError), TypeError, "exactly one of"),
        (lambda: case(1, holds=bool), ValueError, "needs a name"),
        (lambda: attempt(my_double), TypeError, "one or more cases"),
        (lambda: attempt(my_double, (1, 2)), TypeError, "one or more cases"),
    ],
)
def test_a_malformed_case_is_refused(make, error, says):
    with pytest.raises(error, match=says):
        make()
