"""The reader's turn: what is told, what is kept back, and whether cases tell right from wrong."""

import numpy as np
import pytest

from runproof.exercises import CONSTANTS, attempt, case, catch, fresh, require, same, seal


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
        (np.str_("a"), "a", True),
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
        (lambda: case(1, gives=1, sealed=seal(1)), TypeError, "exactly one of"),
        (lambda: case(1, sealed="4"), ValueError, r"seal\(\) did not make"),
        (lambda: require(my_double), TypeError, "one or more cases"),
        (lambda: catch(my_double, [1]), TypeError, "one or more cases"),
        (lambda: attempt(my_double), TypeError, "one or more cases"),
        (lambda: attempt(my_double, (1, 2)), TypeError, "one or more cases"),
    ],
)
def test_a_malformed_case_is_refused(make, error, says):
    with pytest.raises(error, match=says):
        make()


def test_pass_by_one_digit(capsys):
    attempt(my_double, case(0.5, gives=1.0004, digits=3), case(0.5, gives=1.0004, digits=5))
    assert capsys.readouterr().out == (
        "my_double: 1 of 2 cases passes\n  my_double(0.5) gave 1.0, wanted 1.0004\n"
    )


# What is sealed


def test_a_sealed_case_tells_no_answer(capsys):
    attempt(my_double, case(2, sealed=seal(4)), case(3, sealed=seal(7)))
    assert capsys.readouterr().out == "my_double: 1 of 2 cases passes\n  my_double(3) gave 6\n"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0),
        (0, -0.0),
        (0.0, 1e-17),
        (2, 2.0000000000001),
        (0.1 + 0.2, 0.3),
        (2**60, np.int64(2**60)),
        (float("nan"), np.float32("nan")),
        (float("inf"), np.inf),
        (True, np.True_),
        ((1, 2), np.array([1.0, 2.0])),
        ([[1], [2]], np.array([[1], [2]])),
        ({"b": 1, "a": (2,)}, {"a": [2.0], "b": 1}),
        (range(2), [0, 1]),
        ("a", np.str_("a")),
    ],
)
def test_the_same_value_has_the_same_seal(one, other):
    assert seal(one) == seal(other)
    assert same(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 2),
        (1, True),
        (1, "1"),
        (0, None),
        (0.3, 0.30001),
        (1.0, -1.0),
        (10**20, 10**20 + 1),
        ([1, 2], [2, 1]),
        ([1, [2]], [[1], 2]),
        ([], ""),
        ({"a": 1}, {"b": 1}),
        (float("inf"), float("-inf")),
    ],
)
def test_other_values_have_other_seals(one, other):
    assert seal(one) != seal(other)


def test_a_seal_says_how_many_digits_count():
    assert seal(1.23456, 3) == seal(1.23, 3) != seal(1.24, 3)
    assert seal(1.23456, 3).startswith("3:")
    assert seal(1.23, 3) != seal(1.23, 4)


def test_a_number_on_the_edge_of_rounding_is_not_sealed():
    with pytest.raises(ValueError, match="on the edge"):
        seal([1.0, 0.1234567885], 9)
    assert seal([1.0, 0.1234567885], 8)


@pytest.mark.parametrize("value", [object(), {1, 2}, 1j, lambda: 1, iter("ab")])
def test_what_cannot_be_sealed_is_refused(value):
    with pytest.raises(TypeError, match="cannot be sealed"):
        seal(value)


def test_an_answer_of_another_kind_does_not_break_a_seal(capsys):
    attempt(lambda x: {1}, case(1, sealed=seal(1)))
    attempt(lambda x: np.array(1), case(1, sealed=seal(1)))
    assert capsys.readouterr().out.count("0 of 1 cases pass") == 2


# Graders ask for all; authors prove their cases


def test_a_grader_fails_with_what_a_reader_is_told():
    require(my_double, case(2, gives=4))
    with pytest.raises(
        AssertionError, match=r"1 of 2 cases passes\n  three: my_double\(3\) gave 6$"
    ):
        require(my_double, case(2, gives=4), case(3, gives=7, name="three"))

    def my_stub(x):
        raise NotImplementedError

    with pytest.raises(AssertionError, match="not answered yet"):
        require(my_stub, case(2, gives=4))


def test_cases_catch_mistakes(capsys):
    catch(my_double, [case(2, gives=4), case(3, gives=6)], np.square, abs)
    assert capsys.readouterr().out == (
        "my_double: all 2 cases pass; 2 mistakes and 10 constants are caught\n"
    )


def test_cases_that_let_a_mistake_pass_are_found():
    with pytest.raises(AssertionError, match="square, a wrong answer, passes all"):
        catch(my_double, [case(2, gives=4), case(0, gives=0)], np.square)


def test_a_mistake_that_only_crashes_proves_nothing():
    def broken(x):
        return x.nothing

    with pytest.raises(AssertionError, match="broken raises an error in all cases"):
        catch(my_double, [case(2, gives=4), case(3, gives=6)], np.square, broken)


def test_the_solution_is_run_once():
    calls = []

    def counted(x):
        calls.append(x)
        return 2 * x

    catch(counted, [case(2, gives=4), case(3, gives=6)], abs)
    assert calls == [2, 3]


@pytest.mark.parametrize("constant", CONSTANTS, ids=repr)
def test_cases_that_a_constant_passes_are_found(constant):
    with pytest.raises(AssertionError, match=r"always .*, a wrong answer, passes all"):
        catch(lambda x: constant, [case(1, gives=constant), case(2, gives=constant)])


def test_a_solution_that_fails_is_found():
    with pytest.raises(AssertionError, match="0 of 1 cases pass"):
        catch(my_double, [case(2, gives=5)])


def test_an_author_is_told_the_seals():
    with pytest.raises(AssertionError) as told:
        catch(my_double, [case(2, sealed="9:?"), case(3, gives=6), case(0.25, sealed="4:?")])
    assert str(told.value) == (
        f'seal these cases:\n  my_double(2): sealed="{seal(4)}"\n'
        f'  my_double(0.25): sealed="{seal(0.5, 4)}"'
    )


def test_fresh_cases_differ_by_seed_and_repeat():
    def draw(rng):
        return rng.integers(100, size=2).tolist()

    def add(a, b):
        return a + b

    first, again, other = (fresh(add, draw, seed, n=5) for seed in (1, 1, [2, 3]))
    assert first == again != other
    assert [each.name for each in first] == [f"instance {i}" for i in range(1, 6)]
    assert all(each.gives == sum(each.arguments) for each in other)


def test_a_fresh_case_keeps_its_arguments_from_the_solution():
    def sort(items):
        items.sort()
        return items

    (made,) = fresh(sort, lambda rng: ([3, 1],), 1, n=1)
    assert made.arguments == ([3, 1],)
    assert made.gives == [1, 3]
