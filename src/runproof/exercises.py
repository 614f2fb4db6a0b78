"""Try a reader's function on examples and edge cases, and tell which of them fail.

An example shows what was wanted. An edge case, which has a name, tells only that it fails:
the reader finds out why.

Examples
--------
>>> from runproof.exercises import attempt, case
>>> def my_largest(numbers):
...     return sorted(numbers)[-1]
>>> attempt(
...     my_largest,
...     case([3, 1], gives=3),
...     case([], gives=None, name="no numbers"),
... )
my_largest: 1 of 2 cases passes
  no numbers: my_largest([]) raised IndexError: list index out of range
>>> def my_largest(numbers):
...     raise NotImplementedError
>>> attempt(my_largest, case([3, 1], gives=3), case([], gives=None, name="no numbers"))
my_largest: not answered yet (2 cases wait)
"""

import math
from collections.abc import Iterator, Mapping, Set
from copy import deepcopy
from dataclasses import dataclass
from numbers import Number
from reprlib import Repr

import numpy as np

_UNSET = object()
_REPR = Repr()
_REPR.maxlist = _REPR.maxtuple = _REPR.maxset = _REPR.maxdict = 12
_REPR.maxstring = _REPR.maxother = 80


@dataclass(frozen=True)
class Case:
    """One call and what must come out; made by :func:`case`.

    Attributes
    ----------
    arguments : tuple
        What the function is called with.
    gives : object
        The value that must come out, if one is given.
    holds : callable or None
        What must be true of the value that comes out.
    raises : type or None
        The exception that must come out.
    name : str or None
        The name of an edge case; an example has none.

    Examples
    --------
    >>> from runproof.exercises import case
    >>> case(4, gives=2.0).arguments
    (4,)
    """

    arguments: tuple
    gives: object = _UNSET
    holds: object = None
    raises: object = None
    name: str | None = None


def case(*arguments, gives=_UNSET, holds=None, raises=None, name=None):
    """State one call of the reader's function and what must come out.

    Parameters
    ----------
    *arguments : object
        What the function is called with. It gets copies and may change them.
    gives : object, optional
        The value that must come out; see :func:`same`.
    holds : callable, optional
        Called with the value that came out; must return true. Such a case needs a name.
    raises : type, optional
        The exception that must come out.
    name : str, optional
        Makes it an edge case: if it fails, the name is told and what came out, but not what
        was wanted.

    Returns
    -------
    Case

    Raises
    ------
    TypeError
        If not exactly one of `gives`, `holds` and `raises` is given.
    ValueError
        If a case with `holds` has no name.

    Examples
    --------
    >>> from runproof.exercises import attempt, case
    >>> attempt(abs, case(-2, gives=2), case("x", raises=TypeError, name="no number"))
    abs: all 2 cases pass
    """
    if (gives is not _UNSET) + (holds is not None) + (raises is not None) != 1:
        raise TypeError("a case takes exactly one of gives=, holds= and raises=")
    if holds is not None and not name:
        raise ValueError("a case with holds= needs a name, which says what must hold")
    return Case(arguments, gives, holds, raises, name)


def attempt(function, *cases, by=None):
    """Run a reader's function on cases and print which fail.

    Parameters
    ----------
    function : callable
        The reader's function or class. One that raises NotImplementedError on the first case
        counts as not answered yet.
    *cases : Case
        What to try, from :func:`case`.
    by : callable, optional
        How a case is run, as ``by(function, *arguments)``; by default ``function(*arguments)``.
        Use it for a class, or to turn an iterator into a list.

    Raises
    ------
    TypeError
        If there is no case, or what stands among the cases is none.

    Examples
    --------
    >>> from runproof.exercises import attempt, case
    >>> def my_squares(n):
    ...     return (i * i for i in range(n))
    >>> attempt(my_squares, case(3, gives=[0, 1, 4]), by=lambda f, n: list(f(n)))
    my_squares: the case passes
    """
    if not cases or not all(isinstance(each, Case) for each in cases):
        raise TypeError("attempt takes a function and one or more cases; make them by case(...)")
    name = getattr(function, "__name__", repr(function))
    failed = []
    for number, each in enumerate(cases):
        got, error = _call(function, by, each)
        if number == 0 and isinstance(error, NotImplementedError):
            wait = "1 case waits" if len(cases) == 1 else f"{len(cases)} cases wait"
            print(f"{name}: not answered yet ({wait})")
            return
        if not _passes(each, got, error):
            failed.append(_complaint(name, each, got, error))
    print("\n".join([f"{name}: {_count(len(cases) - len(failed), len(cases))}", *failed]))


def same(got, wanted):
    """Tell whether two answers are the same to a reader.

    Parameters
    ----------
    got, wanted : object
        Numbers agree to nine digits, NaN with NaN. Lists, tuples and arrays are the same if
        they hold the same items in the same order. A bool is no number.

    Returns
    -------
    bool

    Examples
    --------
    >>> from runproof.exercises import same
    >>> same((1, 0.1 + 0.2), [1, 0.3]), same(1, True), same(None, 0)
    (True, False, False)
    """
    if isinstance(wanted, (bool, np.bool_)) or isinstance(got, (bool, np.bool_)):
        both = isinstance(wanted, (bool, np.bool_)) and isinstance(got, (bool, np.bool_))
        return both and bool(got) == bool(wanted)
    if isinstance(wanted, Number) and isinstance(got, Number):
        return _same_number(got, wanted)
    if isinstance(wanted, (str, bytes)) or isinstance(got, (str, bytes)):
        return type(got) is type(wanted) and got == wanted
    if isinstance(wanted, Mapping):
        return (
            isinstance(got, Mapping)
            and got.keys() == wanted.keys()
            and all(same(got[key], value) for key, value in wanted.items())
        )
    if isinstance(wanted, Set):
        return isinstance(got, Set) and got == wanted
    if hasattr(wanted, "equals"):  # a pandas object
        return type(got) is type(wanted) and bool(wanted.equals(got))
    if _is_sequence(wanted) and _is_sequence(got):
        return _same_items(got, wanted)
    return type(got) is type(wanted) and bool(got == wanted)


def _same_number(got, wanted):
    if isinstance(got, complex) or isinstance(wanted, complex):
        return bool(np.isclose(got, wanted, rtol=1e-9, atol=1e-12, equal_nan=True))
    if isinstance(got, (int, np.integer)) and isinstance(wanted, (int, np.integer)):
        return int(got) == int(wanted)
    try:
        if math.isnan(got) or math.isnan(wanted):
            return math.isnan(got) and math.isnan(wanted)
        return math.isclose(got, wanted, rel_tol=1e-9, abs_tol=1e-12)
    except OverflowError:  # an int that no float can hold
        return got == wanted


def _is_sequence(value):
    return isinstance(value, (list, tuple, range, np.ndarray))


def _same_items(got, wanted):
    if isinstance(wanted, np.ndarray) or isinstance(got, np.ndarray):
        got, wanted = np.asarray(got, dtype=object), np.asarray(wanted, dtype=object)
        if got.shape != wanted.shape:
            return False
        got, wanted = got.ravel().tolist(), wanted.ravel().tolist()
    return len(got) == len(wanted) and all(map(same, got, wanted))


def _call(function, by, each):
    """Return what came out and what was raised; one of them is None."""
    arguments = deepcopy(each.arguments)
    try:
        got = by(function, *arguments) if by else function(*arguments)
    except Exception as error:
        return None, error
    return got, None


def _passes(each, got, error):
    if each.raises is not None:
        return isinstance(error, each.raises)
    if error is not None:
        return False
    if each.holds is not None:
        try:
            return bool(each.holds(got))
        except (TypeError, ValueError, LookupError, AttributeError):
            return False  # not even of the kind that the property is about
    return same(got, each.gives)


def _complaint(name, each, got, error):
    call = f"{name}({', '.join(map(_REPR.repr, each.arguments))})"
    if isinstance(got, Iterator):
        outcome = "gave an iterator"
    elif error is None:
        outcome = f"gave {_REPR.repr(got)}"
    else:
        outcome = f"raised {type(error).__name__}" + (f": {error}" if str(error) else "")
    if each.name:
        return f"  {each.name}: {call} {outcome}"
    wanted = each.raises.__name__ if each.raises else _REPR.repr(each.gives)
    return f"  {call} {outcome}, wanted {wanted}"


def _count(passed, n):
    if passed == n:
        return "the case passes" if n == 1 else f"all {n} cases pass"
    return f"{passed} of {n} cases {'passes' if passed == 1 else 'pass'}"
