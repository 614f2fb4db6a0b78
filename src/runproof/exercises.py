"""Try a reader's function on cases, tell which of them fail, and prove that the cases can tell.

An example shows what was wanted. An edge case, which has a name, and a sealed case tell only
that they fail: the reader finds out why.

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

import hashlib
import math
import re
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

#: How many digits of two numbers agree if nothing else is said.
DIGITS = 9

#: What a lazy reader's function might give whatever it is asked.
CONSTANTS = (None, 0, 1, -1, 0.5, True, False, [], "", (0, 0))


@dataclass(frozen=True)
class Case:
    """One call and what must come out; made by :func:`case`.

    Attributes
    ----------
    arguments : tuple
        What the function is called with.
    gives : object
        The value that must come out, if one is given.
    sealed : str or None
        The seal of the value that must come out.
    holds : callable or None
        What must be true of the value that comes out.
    raises : type or None
        The exception that must come out.
    name : str or None
        The name of an edge case; an example has none.
    digits : int
        How many digits of a number must agree.

    Examples
    --------
    >>> from runproof.exercises import case
    >>> case(4, gives=2.0).arguments
    (4,)
    """

    arguments: tuple
    gives: object = _UNSET
    sealed: str | None = None
    holds: object = None
    raises: object = None
    name: str | None = None
    digits: int = DIGITS


def case(*arguments, gives=_UNSET, sealed=None, holds=None, raises=None, name=None, digits=DIGITS):
    """State one call of the reader's function and what must come out.

    Parameters
    ----------
    *arguments : object
        What the function is called with. It gets copies and may change them.
    gives : object, optional
        The value that must come out; see :func:`same`.
    sealed : str, optional
        What :func:`seal` made of the value that must come out. If the case fails, what was
        wanted is not told, and nobody reads it off the case. An author writes "9:?", and
        :func:`catch` tells the seal.
    holds : callable, optional
        Called with the value that came out; must return true. Such a case needs a name.
    raises : type, optional
        The exception that must come out.
    name : str, optional
        Makes it an edge case: if it fails, the name is told and what came out, but not what
        was wanted.
    digits : int, optional
        How many digits of a number must agree with `gives`. A seal knows its own.

    Returns
    -------
    Case

    Raises
    ------
    TypeError
        If not exactly one of `gives`, `sealed`, `holds` and `raises` is given.
    ValueError
        If a case with `holds` has no name, or the seal is none.

    Examples
    --------
    >>> from runproof.exercises import attempt, case
    >>> attempt(abs, case(-2, gives=2), case("x", raises=TypeError, name="no number"))
    abs: all 2 cases pass
    """
    given = [gives is not _UNSET, sealed is not None, holds is not None, raises is not None]
    if sum(given) != 1:
        raise TypeError("a case takes exactly one of gives=, sealed=, holds= and raises=")
    if holds is not None and not name:
        raise ValueError("a case with holds= needs a name, which says what must hold")
    if sealed is not None and not _SEAL.fullmatch(sealed):
        raise ValueError(f"sealed is {sealed!r}, which seal() did not make")
    return Case(arguments, gives, sealed, holds, raises, name, digits)


def seal(value, digits=DIGITS):
    """Hide a value, so that a case can recognize it and nobody reads it by chance.

    A seal is no secret: who tries all small whole numbers finds one of them, and equal values
    have equal seals. What must be hidden from students is asked by a grader.

    Parameters
    ----------
    value : object
        Numbers, texts, bools, None, and lists, tuples, arrays and dicts of them.
    digits : int, optional
        How many digits of a number count.

    Returns
    -------
    str
        The digits and a hash: equal for values that agree to so many digits.

    Raises
    ------
    TypeError
        If the value is of another type.
    ValueError
        If a number lies so near the edge between two rounded values that another processor
        might round it to the other; take another instance or fewer digits.

    Examples
    --------
    >>> from runproof.exercises import attempt, case, seal
    >>> seal([2, 0.1 + 0.2]) == seal((2.0, 0.3))
    True
    >>> attempt(abs, case(-7, sealed=seal(7)), case(-1, sealed=seal(8)))
    abs: 1 of 2 cases passes
      abs(-1) gave 1
    """
    shaken = {_seal(value, digits, 1 + sign * 10.0 ** -(digits + 3)) for sign in (-1, 0, 1)}
    if len(shaken) > 1:
        raise ValueError(
            f"a number of {_REPR.repr(value)} lies on the edge between two values of {digits} "
            "digits; take another instance or fewer digits"
        )
    return shaken.pop()


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
    print(_tried(function, cases, by)[1])


def require(function, *cases, by=None):
    """Run a reader's function on cases and fail if one of them fails.

    A grader asks this where :func:`attempt` would tell.

    Parameters
    ----------
    function, *cases, by
        As for :func:`attempt`.

    Raises
    ------
    AssertionError
        If a case fails; the message is what `attempt` would print.
    TypeError
        If there is no case, or what stands among the cases is none.

    Examples
    --------
    >>> from runproof.exercises import case, require
    >>> require(abs, case(-2, gives=2))
    >>> require(abs, case(-2, gives=-2))
    Traceback (most recent call last):
    AssertionError: abs: 0 of 1 cases pass
      abs(-2) gave 2, wanted -2
    """
    passed, text = _tried(function, cases, by)
    if not passed:
        raise AssertionError(text)


def catch(solution, cases, *mistakes, by=None):
    """Prove that cases tell right from wrong: they pass a solution and catch its mistakes.

    Constants are tried, too, whatever they are asked.

    Parameters
    ----------
    solution : callable
        A right answer.
    cases : sequence of Case
        What the reader's function is tried on.
    *mistakes : callable
        Wrong answers that people give.
    by : callable, optional
        As for :func:`attempt`.

    Raises
    ------
    AssertionError
        If a case waits for its seal, which the message tells; if the solution fails a case;
        if a wrong answer passes all, or raises an error in all, for that proves nothing.
    TypeError
        If there is no case, or what stands among the cases is none.

    Examples
    --------
    >>> from runproof.exercises import case, catch
    >>> def area(a, b):
    ...     return a * b
    >>> def perimeter(a, b):
    ...     return 2 * (a + b)
    >>> catch(area, [case(2, 3, gives=6), case(1, 1, gives=1)], perimeter)
    area: all 2 cases pass; 1 mistake and 10 constants are caught
    >>> catch(area, [case(4, 4, gives=16)], perimeter)
    Traceback (most recent call last):
    AssertionError: perimeter, a wrong answer, passes all cases
    """
    _refuse(cases)
    if unsealed := [each for each in cases if each.sealed and each.sealed.endswith("?")]:
        raise AssertionError("\n".join(["seal these cases:", *_seals(solution, unsealed, by)]))
    passed, told = _tried(solution, cases, by)
    if not passed:
        raise AssertionError(told)
    for wrong in [*mistakes, *map(_constantly, CONSTANTS)]:
        if _tried(wrong, cases, by)[0]:
            raise AssertionError(f"{wrong.__name__}, a wrong answer, passes all cases")
    for wrong in mistakes:
        if all(_call(wrong, by, each)[1] for each in cases):
            raise AssertionError(f"{wrong.__name__} raises an error in all cases: no one's mistake")
    caught = f"{len(mistakes)} mistake{'s' * (len(mistakes) != 1)} and {len(CONSTANTS)} constants"
    print(f"{told}; {caught} are caught")


def fresh(solution, draw, seed, n=10, digits=DIGITS):
    """Make cases that nobody has seen: random instances, answered by a solution.

    Parameters
    ----------
    solution : callable
        A right answer.
    draw : callable
        Called with a `numpy.random.Generator`; returns the arguments of one call, as a tuple
        or a list.
    seed : int or sequence of int
        What the instances are drawn from; a grader keeps it.
    n : int, optional
        How many.
    digits : int, optional
        How many digits of a number must agree.

    Returns
    -------
    list of Case
        Named "instance 1" and so on.

    Examples
    --------
    >>> from runproof.exercises import attempt, fresh
    >>> def my_middle(a, b):
    ...     return (a + b) // 2
    >>> def draw(rng):
    ...     return rng.integers(9, size=2).tolist()
    >>> attempt(my_middle, *fresh(lambda a, b: (a + b) / 2, draw, seed=1, n=4))
    my_middle: 2 of 4 cases pass
      instance 3: my_middle(0, 1) gave 0
      instance 4: my_middle(7, 8) gave 7
    """
    rng = np.random.default_rng(seed)
    drawn = [tuple(draw(rng)) for _ in range(n)]
    return [
        case(*each, gives=solution(*deepcopy(each)), name=f"instance {i}", digits=digits)
        for i, each in enumerate(drawn, 1)
    ]


def same(got, wanted, digits=DIGITS):
    """Tell whether two answers are the same to a reader.

    Parameters
    ----------
    got, wanted : object
        Numbers agree to so many digits, NaN with NaN. Lists, tuples and arrays are the same if
        they hold the same items in the same order. A bool is no number.
    digits : int, optional
        How many digits.

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
        return _same_number(got, wanted, 10.0**-digits)
    if isinstance(wanted, (str, bytes)) or isinstance(got, (str, bytes)):
        return isinstance(got, str) == isinstance(wanted, str) and got == wanted
    if isinstance(wanted, Mapping):
        return (
            isinstance(got, Mapping)
            and got.keys() == wanted.keys()
            and all(same(got[key], value, digits) for key, value in wanted.items())
        )
    if isinstance(wanted, Set):
        return isinstance(got, Set) and got == wanted
    if hasattr(wanted, "equals"):  # a pandas object
        return type(got) is type(wanted) and bool(wanted.equals(got))
    if _is_sequence(wanted) and _is_sequence(got):
        return _same_items(got, wanted, digits)
    return type(got) is type(wanted) and bool(got == wanted)


def _same_number(got, wanted, tolerance):
    if isinstance(got, complex) or isinstance(wanted, complex):
        return bool(np.isclose(got, wanted, rtol=tolerance, atol=tolerance / 1e3, equal_nan=True))
    if isinstance(got, (int, np.integer)) and isinstance(wanted, (int, np.integer)):
        return int(got) == int(wanted)
    try:
        if math.isnan(got) or math.isnan(wanted):
            return math.isnan(got) and math.isnan(wanted)
        return math.isclose(got, wanted, rel_tol=tolerance, abs_tol=tolerance / 1e3)
    except OverflowError:  # an int that no float can hold
        return got == wanted


def _is_sequence(value):
    return isinstance(value, (list, tuple, range, np.ndarray))


def _same_items(got, wanted, digits):
    if isinstance(wanted, np.ndarray) or isinstance(got, np.ndarray):
        got, wanted = np.asarray(got, dtype=object), np.asarray(wanted, dtype=object)
        if got.shape != wanted.shape:
            return False
        got, wanted = got.ravel().tolist(), wanted.ravel().tolist()
    return len(got) == len(wanted) and all(
        same(a, b, digits) for a, b in zip(got, wanted, strict=True)
    )


_SEAL = re.compile(r"(\d+):([0-9a-f]{12}|\?)")


def _seal(value, digits, factor=1.0):
    """Return the seal of a value whose numbers are multiplied by a factor near one."""
    told = _spelled(value, digits, factor)
    return f"{digits}:{hashlib.sha256(told.encode()).hexdigest()[:12]}"


def _spelled(value, digits, factor):
    """Spell a value so that what is the same to a reader is spelled the same."""
    if isinstance(value, Mapping):
        pairs = (f"{key!r}: {_spelled(each, digits, factor)}" for key, each in value.items())
        return f"{{{', '.join(sorted(pairs))}}}"
    if _is_sequence(value):
        return f"[{', '.join(_spelled(each, digits, factor) for each in value)}]"
    if isinstance(value, (bool, np.bool_, str)) or value is None:
        plain = str if isinstance(value, str) else bool
        return repr(value if value is None else plain(value))
    if isinstance(value, Number) and not isinstance(value, complex):
        if value == value and abs(value) < 2**53 and value == int(value):
            return str(int(value))
        if isinstance(value, (int, np.integer)):
            return str(int(value))
        if abs(value) < 1e-12:
            return "0"
        rounded = float(f"{float(value) * factor:.{digits - 1}e}")
        return str(int(rounded)) if rounded.is_integer() else repr(rounded)
    raise TypeError(f"a {type(value).__name__} cannot be sealed; seal numbers, texts and lists")


def _refuse(cases):
    """Refuse what are no cases."""
    if not cases or not all(isinstance(each, Case) for each in cases):
        raise TypeError("wanted are a function and one or more cases; make them by case(...)")


def _tried(function, cases, by):
    """Return whether all cases pass, and what a reader is told."""
    _refuse(cases)
    name = getattr(function, "__name__", repr(function))
    failed = []
    for number, each in enumerate(cases):
        got, error = _call(function, by, each)
        if number == 0 and isinstance(error, NotImplementedError):
            wait = "1 case waits" if len(cases) == 1 else f"{len(cases)} cases wait"
            return False, f"{name}: not answered yet ({wait})"
        if not _passes(each, got, error):
            failed.append(_complaint(name, each, got, error))
    count = _count(len(cases) - len(failed), len(cases))
    return not failed, "\n".join([f"{name}: {count}", *failed])


def _constantly(value):
    def answer(*arguments, **options):
        return value

    answer.__name__ = f"always {value!r}"
    return answer


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
    if each.sealed is not None:
        return _is_sealed(got, each.sealed)
    if each.holds is not None:
        try:
            return bool(each.holds(got))
        except (TypeError, ValueError, LookupError, AttributeError):
            return False  # not even of the kind that the property is about
    return same(got, each.gives, each.digits)


def _is_sealed(got, sealed):
    try:
        return _seal(got, int(_SEAL.fullmatch(sealed)[1])) == sealed
    except (TypeError, ValueError, OverflowError):
        return False


def _seals(solution, cases, by):
    for each in cases:
        got, error = _call(solution, by, each)
        if error:
            raise error
        call = _spelled_call(solution.__name__, each)
        yield f'  {call}: sealed="{seal(got, int(each.sealed[:-2]))}"'


def _spelled_call(name, each):
    return f"{name}({', '.join(map(_REPR.repr, each.arguments))})"


def _complaint(name, each, got, error):
    call = _spelled_call(name, each)
    if isinstance(got, Iterator):
        outcome = "gave an iterator"
    elif error is None:
        outcome = f"gave {_REPR.repr(got)}"
    else:
        outcome = f"raised {type(error).__name__}" + (f": {error}" if str(error) else "")
    if each.name:
        return f"  {each.name}: {call} {outcome}"
    if each.sealed:
        return f"  {call} {outcome}"
    wanted = each.raises.__name__ if each.raises else _REPR.repr(each.gives)
    return f"  {call} {outcome}, wanted {wanted}"


def _count(passed, n):
    if passed == n:
        return "the case passes" if n == 1 else f"all {n} cases pass"
    return f"{passed} of {n} cases {'passes' if passed == 1 else 'pass'}"
