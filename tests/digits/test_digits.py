"""Digits of square roots and their runs, against oracles that share no code with them."""

import errno
import json
import os
import pickle
import signal
import subprocess
import sys
import time
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import pairwise
from math import isqrt

import gmpy2
import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runproof import digits
from runproof.datasets import data_dir
from runproof.digits import (
    Bits,
    _command,
    first_occurrences,
    formula,
    random_bits,
    roots,
    run_length_counts,
    run_lengths_by_formula,
    runs,
    sqrt_bits,
    zero_run_records,
)

# The published tables for sqrt(1/2): records of runs of zeros; all runs up to position 100.
TABLE_4_1 = [
    (1, 1), (8, 5), (453, 8), (1302, 9), (5334, 10), (8881, 12), (24001, 18), (574130, 19),
    (3333659, 20), (4079881, 22), (8356568, 23), (76570752, 25), (202460869, 26), (457034355, 28),
]  # fmt: skip
TABLE_4_2 = {
    1: 1, 4: 1, 6: 1, 8: 5, 14: 2, 20: 2, 24: 2, 28: 2, 37: 2, 42: 1, 47: 2, 51: 2, 54: 2, 57: 4,
    62: 3, 66: 1, 69: 2, 72: 1, 78: 1, 81: 3, 85: 2, 89: 1, 92: 2, 96: 1, 100: 1,
}  # fmt: skip
# OEIS A084187 and A084186: first run of exactly k zeros, k ones in sqrt(2); k = 1, 2, ...
A084187 = [
    2, 15, 63, 58, 9, 1003, 524, 454, 1303, 5335, 22472, 8882, 37469, 32279, 220311, 92988, 698343,
    24002, 574131, 3333660, 5940559, 4079882, 8356569, 115885798, 76570753,
]  # fmt: skip
A084186 = [
    1, 3, 40, 17, 74, 265, 31, 336, 11937, 1403, 8894, 3524, 33223, 126903, 3067, 109312, 390536,
    553171, 280266, 962560, 1747112, 1740081, 30793169, 13109551, 118101037,
]  # fmt: skip
# OEIS A004539, the digits of sqrt(2) from its leading 1, which are those of sqrt(1/2).
A004539 = "1011010100000100111100110011001111111001110111100110010010000100010110010111110110001"

# Near a rational square from either side: runs of hundreds of zeros, or of ones.
ALMOST_SQUARES = [
    pytest.param(2**200 + 1, 2**202, id="1/4+"),
    pytest.param(2**200 - 1, 2**202, id="1/4-"),
    pytest.param(3**130 - 1, 3**130, id="1-"),
    pytest.param(2**700 + 1, 2**702, id="1/4+ closer"),
    pytest.param(3**441 - 1, 3**441, id="1- closer"),
]
FRACTIONS = [
    (1, 2), (1, 3), (2, 3), (3, 7), (5, 8), (1, 1000003),
    pytest.param(10**40 + 1, 10**41 + 9, id="large"),
    pytest.param(4 * 3**80 + 1, 9 * 3**80, id="4/9+"),
]  # fmt: skip


steady = settings(deadline=None, derandomize=True)  # the same cases in every run


@pytest.fixture(scope="module")
def ten_million():
    return sqrt_bits(1, 2, 10**7)


def plain_runs(text):
    """All complete runs of zeros in a string of digits, by a loop: (position, length)."""
    found, last = [], 0
    for position, digit in enumerate(text, start=1):
        if digit == "1":
            if last and position > last + 1:
                found.append((last, position - last - 1))
            last = position
    return found


def plain_records(text):
    records = []
    for position, length in plain_runs(text):
        if not records or length > records[-1][1]:
            records.append((position, length))
    return records


def text_of(bits):
    return "".join(map(str, bits.unpack()))


# Bits


@steady
@given(st.text("01", min_size=1, max_size=100), st.data())
def test_bits_hold_exactly_their_digits(text, data):
    bits = Bits.from_digits(text)
    start = data.draw(st.integers(0, len(text) - 1))
    stop = data.draw(st.integers(start + 1, len(text)))
    assert len(bits) == len(text)
    assert text_of(bits) == text
    assert "".join(map(str, bits.unpack(start, stop))) == text[start:stop]
    assert bits[start:stop] == Bits.from_digits(text[start:stop])
    assert [bits[k] for k in (0, start, -1)] == [int(text[k]) for k in (0, start, -1)]
    assert text_of(~bits) == text.translate({48: "1", 49: "0"})
    assert ~~bits == bits
    assert pickle.loads(pickle.dumps(bits)) == bits
    assert Bits.from_digits(np.array([int(d) for d in text])) == bits


def test_bits_differ_by_digits_and_by_length():
    assert Bits.from_digits("01") != Bits.from_digits("00")
    assert Bits.from_digits("01") != Bits.from_digits("010")
    assert Bits.from_digits("01") != "01"


def test_bits_cannot_be_changed():
    for bits in (Bits.from_digits("0101"), pickle.loads(pickle.dumps(Bits.from_digits("0101")))):
        with pytest.raises(ValueError, match="read-only"):
            bits.packed[0] = 1
        with pytest.raises(AttributeError):
            bits.n = 3


def test_bits_show_their_beginning():
    assert repr(Bits.from_digits("0110")) == "Bits(0110, n=4)"
    assert repr(sqrt_bits(1, 2, 40)) == f"Bits({A004539[:32]}..., n=40)"


@pytest.mark.parametrize(
    ("packed", "n", "error", "message"),
    [
        ([0], 8, TypeError, "packed must be a NumPy array of uint8"),
        (np.zeros(1), 8, TypeError, "packed must be a NumPy array of uint8"),
        (np.zeros(2, np.uint8), 8, ValueError, r"packed must have shape \(1,\) for n=8"),
        (np.zeros(1, np.uint8), 9, ValueError, r"packed must have shape \(2,\) for n=9"),
        (np.full(1, 1, np.uint8), 7, ValueError, "packed must be zero after digit n=7"),
        (np.zeros(0, np.uint8), 0, ValueError, "n must be at least 1, got 0"),
    ],
)
def test_bits_refuse_what_is_no_packed_sequence(packed, n, error, message):
    with pytest.raises(error, match=message):
        Bits(packed, n)


@pytest.mark.parametrize("bad", ["012", [0, 2], [0.5], [], [[0, 1]], 5])
def test_bits_refuse_what_is_no_digit(bad):
    with pytest.raises(ValueError, match=r"digits must be|at least 1"):
        Bits.from_digits(bad)


@pytest.mark.parametrize("bad", [slice(0, 4, 2), slice(3, 3), slice(3, 1)])
def test_bits_refuse_a_slice_with_gaps_or_without_digits(bad):
    with pytest.raises(ValueError, match="non-empty with step 1"):
        Bits.from_digits("0101")[bad]


def test_bits_refuse_an_index_beyond_the_end():
    with pytest.raises(IndexError):
        Bits.from_digits("0101")[4]


# Digits


def test_first_digits_are_those_in_the_encyclopedia():
    assert text_of(sqrt_bits(1, 2, len(A004539))) == A004539


@pytest.mark.parametrize(("p", "q"), [(1, 2), (3, 7), (71, 226)])
def test_digits_agree_with_decimal_arithmetic(p, q):
    n = 3000
    with localcontext() as context:
        context.prec = 1000  # decimal digits, more than 3000 binary ones
        scaled = int((Decimal(p) / Decimal(q)).sqrt() * 2**n)
    assert text_of(sqrt_bits(p, q, n)) == f"{scaled:0{n}b}"


@pytest.mark.parametrize(("p", "q"), [*FRACTIONS, *ALMOST_SQUARES])
@pytest.mark.parametrize("n", [1, 2, 7, 8, 9, 63, 64, 65, 199, 1000, 20_001])
def test_both_ways_give_the_same_digits(p, q, n):
    bits = sqrt_bits(p, q, n)
    assert bits == sqrt_bits(p, q, n, method="isqrt")
    assert text_of(bits) == f"{isqrt((p << 2 * n) // q):0{n}b}"


coprime = st.tuples(st.integers(1, 10**12), st.integers(1, 10**12)).map(
    lambda pair: Fraction(min(pair), max(pair))
)
irrational = coprime.filter(
    lambda x: x < 1 and not (gmpy2.is_square(x.numerator) and gmpy2.is_square(x.denominator))
)


@steady
@given(irrational, st.integers(1, 5000))
def test_both_ways_agree_for_any_fraction(x, n):
    p, q = x.numerator, x.denominator
    assert sqrt_bits(p, q, n) == sqrt_bits(p, q, n, method="isqrt")


@pytest.mark.parametrize("n", [10**6 + 3, 3 * 10**6])
def test_both_ways_agree_over_several_pieces(n):
    assert sqrt_bits(2, 3, n) == sqrt_bits(2, 3, n, method="isqrt")


def test_any_kind_of_integer_will_do():
    expected = sqrt_bits(1, 2, 100)
    assert sqrt_bits(np.int64(1), gmpy2.mpz(2), np.uint8(100)) == expected


def test_precision_is_raised_until_the_ball_proves_the_last_digit(monkeypatch):
    used = []
    precision = roots._precision
    monkeypatch.setattr(roots, "_GUARD_BITS", 1)
    monkeypatch.setattr(roots, "_precision", lambda bits: used.append(bits) or precision(bits))
    for p, q in [(1, 2), (3, 7), (71, 226), (2**200 + 1, 2**202), (3**130 - 1, 3**130)]:
        for n in range(8, 400, 8):
            assert text_of(sqrt_bits(p, q, n)) == f"{isqrt((p << 2 * n) // q):0{n}b}"
    assert len(used) > 5 * 49, "no ball was ever too wide"


def test_precision_is_left_as_it_was():
    before = roots.flint.ctx.prec
    sqrt_bits(1, 2, 1000)
    assert roots.flint.ctx.prec == before


def test_random_digits_repeat_with_the_seed_only():
    bits = random_bits(1001, 7)
    assert isinstance(bits, Bits)
    assert len(bits) == 1001
    assert bits == random_bits(1001, 7) == random_bits(1001, np.random.default_rng(7))
    assert bits != random_bits(1001, 8)
    assert random_bits(1001) != random_bits(1001)
    assert abs(random_bits(10**6, 1).unpack().mean() - 0.5) < 0.0025  # five standard errors


# Runs

# Digits that are hard on a scan: bytes of zeros, runs across bytes and blocks, nothing at all.
pieces = st.one_of(
    st.text("01", min_size=1, max_size=30),
    st.integers(1, 300).map(lambda k: "0" * k),
    st.integers(1, 300).map(lambda k: "1" * k),
    st.integers(1, 80).map(lambda k: "01" * k),
    st.integers(1, 40).map(lambda k: "00000000" * k + "1"),
    st.lists(st.integers(1, 17), min_size=1).map(lambda ks: "".join("1" + "0" * k for k in ks)),
)
every_short_run = "1" + "".join("0" * k + "1" for k in range(1, 15))
patterns = st.tuples(
    st.sampled_from(["", every_short_run]), st.lists(pieces, min_size=1, max_size=12)
).map(lambda parts: parts[0] + "".join(parts[1]))


@pytest.fixture(params=[1, 3, 1 << 18], ids=lambda size: f"blocks of {size} bytes")
def block(request, monkeypatch):
    monkeypatch.setattr(runs, "_BLOCK_BYTES", request.param)
    return request.param


def check_runs(text):
    bits, found = Bits.from_digits(text), plain_runs(text)
    assert zero_run_records(bits) == plain_records(text)
    first = {}
    for position, length in found:
        first.setdefault(length, position)
    assert first_occurrences(bits) == first
    assert list(first_occurrences(bits)) == sorted(first)
    lengths = [length for _, length in found]
    assert run_length_counts(bits).to_dict() == {k: lengths.count(k) for k in set(lengths)}
    assert run_length_counts(~bits, 1).to_dict() == run_length_counts(bits).to_dict()


@steady
@given(patterns)
@example("0")
@example("1")
@example("1" + "0" * 5000 + "1")
@example("0" * 5000)
@example("1" * 5000)
@example("0" * 5000 + "1" + "0" * 5000)
@example(every_short_run + "0" * 9999 + "1")
@example(every_short_run + "0" * 9999)
@example(every_short_run + ("0" * 31 + "1") * 100)
def test_runs_are_those_a_plain_loop_finds(text):
    check_runs(text)


@pytest.mark.parametrize("seed", range(20))
def test_runs_are_those_a_plain_loop_finds_across_blocks(block, seed):
    rng = np.random.default_rng(seed)
    lengths = rng.geometric(rng.uniform(0.02, 0.6), 300) - 1
    text = "1".join("0" * k for k in [*range(15), *lengths, *rng.integers(0, 300, 5)])
    check_runs(text + "1" * int(rng.integers(0, 2)))


@pytest.mark.parametrize("offset", range(8))
def test_a_run_of_fourteen_may_hide_from_bytes(offset):
    short = "1" + "".join("0" * k + "1" for k in range(1, 14))
    check_runs(short + "1" * (9000 + offset) + "0" * 14 + "1" * 9 + "0" * 15 + "1")


def test_runs_of_one_length_more_than_a_histogram_holds():
    text = "1" + "".join("0" * k + "1" for k in (1022, 1023, 1024, 1023, 5000, 1))
    assert run_length_counts(Bits.from_digits(text)).to_dict() == {
        1: 1, 1022: 1, 1023: 2, 1024: 1, 5000: 1,
    }  # fmt: skip


def test_a_scan_of_a_million_random_digits_equals_the_plain_loop():
    check_runs(text_of(random_bits(10**6, 42)))


def test_counts_are_a_series_of_lengths():
    counts = run_length_counts(Bits.from_digits("1001011"))
    expected = pd.Series([1, 1], pd.Index([1, 2], name="length"), name="count")
    pd.testing.assert_series_equal(counts, expected)
    empty = run_length_counts(Bits.from_digits("000"))
    pd.testing.assert_series_equal(empty, expected.iloc[:0])


def test_table_4_1_and_its_outside_oracle(ten_million):
    assert zero_run_records(ten_million) == TABLE_4_1[:11]
    expected = {k: position - 1 for k, position in enumerate(A084187, start=1) if position <= 10**7}
    assert first_occurrences(ten_million) == expected


def test_runs_of_ones_against_the_outside_oracle(ten_million):
    expected = {k: position - 1 for k, position in enumerate(A084186, start=1) if position <= 10**7}
    expected[1] = 5  # the run at position 1 has no zero before it; "010" begins at 5
    assert first_occurrences(~ten_million) == expected


def test_a_record_is_more_than_a_first_occurrence(ten_million):
    first, records = first_occurrences(ten_million), zero_run_records(ten_million)
    assert first[17] == 698342
    assert (698342, 17) not in records  # 18 zeros came earlier
    assert set(records) < {(position, length) for length, position in first.items()}


def test_stored_records_continue_the_published_table():
    folder = data_dir() / "sqrt2_records"
    records = pd.read_csv(folder / "records.csv")
    first = pd.read_csv(folder / "first_runs.csv").set_index("length")["position"]
    assert [*zip(records["position"], records["length"], strict=True)][:14] == TABLE_4_1
    assert records["position"].is_monotonic_increasing
    assert records["length"].is_monotonic_increasing
    assert (first[records["length"]].to_numpy() == records["position"].to_numpy()).all()
    # k = 26, ..., 31 by C. W. Wu and N. Hobson, in OEIS A084187
    oeis = [*A084187, 202460870, 1034477781, 457034356, 1005210009, 3753736439, 2204906858]
    assert (first.to_numpy() + 1 == oeis).all()


# The formula


def test_table_4_2():
    lengths = run_lengths_by_formula(1, 2, 100)
    assert lengths[lengths > 0].to_dict() == TABLE_4_2
    assert (lengths.index.name, lengths.name, lengths.index[0]) == ("position", "length", 1)


def plain_lengths(text, n):
    """L at every position, read off the digits; beyond n there must be another one."""
    ones = [k for k, digit in enumerate(text, start=1) if digit == "1"]
    lengths = dict.fromkeys(range(1, n + 1), -1)
    lengths |= {a: b - a - 1 for a, b in pairwise(ones) if a <= n}
    return list(lengths.values())


@pytest.mark.parametrize(("p", "q"), FRACTIONS)
def test_formula_equals_the_digits(p, q):
    n = 10**5
    text = text_of(sqrt_bits(p, q, n + 200, method="isqrt"))
    assert run_lengths_by_formula(p, q, n).tolist() == plain_lengths(text, n)


@pytest.mark.parametrize(("p", "q"), ALMOST_SQUARES)
def test_formula_equals_the_digits_in_runs_of_hundreds(p, q):
    n = 3000
    text = text_of(sqrt_bits(p, q, n + 1000))
    lengths = run_lengths_by_formula(p, q, n)
    assert lengths.tolist() == plain_lengths(text, n)
    assert max(lengths.max(), max(map(len, text.split("0")))) > 75


@settings(steady, max_examples=50)
@given(irrational, st.integers(1, 1500))
def test_formula_equals_the_digits_for_any_fraction(x, n):
    p, q = x.numerator, x.denominator
    text = text_of(sqrt_bits(p, q, n + 200))
    assert run_lengths_by_formula(p, q, n).tolist() == plain_lengths(text, n)


@pytest.mark.parametrize("guard", [3, 4, 8, 16])
@pytest.mark.parametrize(("p", "q"), [(1, 2), (3, 7), *ALMOST_SQUARES])
def test_formula_decides_nothing_that_its_leading_bits_leave_open(guard, p, q, monkeypatch):
    exact = formula._exact_step
    calls = []
    monkeypatch.setattr(formula, "_GUARD_BITS", guard)
    monkeypatch.setattr(formula, "_BLOCK_STEPS", 40)
    monkeypatch.setattr(formula, "_exact_step", lambda *state: calls.append(1) or exact(*state))
    n = 5000
    text = text_of(sqrt_bits(p, q, n + 1000))
    assert run_lengths_by_formula(p, q, n).tolist() == plain_lengths(text, n)
    assert 0 < len(calls) < n


def published_expression(p, q, n):
    """Return floor(n + 1 + log2(p q) / 2 - log2(delta_n)), in whole numbers."""
    delta = 4**n * p - q * isqrt(4**n * p // q) ** 2
    return ((4 ** (n + 1) * p * q // delta**2).bit_length() - 1) // 2


def test_formula_is_the_published_expression_for_half_of_the_square_root_of_two():
    lengths = run_lengths_by_formula(1, 2, 999)  # as far as the published program goes
    for n in range(1, 1000):
        assert (isqrt(4**n // 2) % 2 == 1) == (lengths[n] >= 0)
        if lengths[n] >= 0:
            assert lengths[n] == published_expression(1, 2, n)


def test_published_expression_may_be_one_too_long_at_the_first_positions():
    assert run_lengths_by_formula(2, 5, 1)[1] == 1
    assert published_expression(2, 5, 1) == 2
    too_long = {}
    for q in range(2, 40):
        for p in range(1, q):
            if gmpy2.gcd(p, q) == 1 and not gmpy2.is_square(p * q):
                lengths = run_lengths_by_formula(p, q, 30)
                for n, length in lengths[lengths >= 0].items():
                    excess = published_expression(p, q, n) - length
                    assert excess in (0, 1)
                    if excess:
                        too_long[p, q] = n
    assert len(too_long) > 50
    assert max(too_long.values()) <= 10


# Bad input

BAD_FRACTIONS = [
    ((1, 4), ValueError, "p/q must not be the square of a fraction, got p=1, q=4"),
    ((9, 16), ValueError, "p/q must not be the square"),
    ((2, 4), ValueError, "p and q must be coprime, got p=2, q=4 with gcd 2"),
    ((0, 2), ValueError, "p must be at least 1, got 0"),
    ((1, 0), ValueError, "q must be at least 1, got 0"),
    ((-1, 2), ValueError, "p must be at least 1, got -1"),
    ((3, 2), ValueError, "p must be smaller than q, got p=3, q=2"),
    ((1, 1), ValueError, "p must be smaller than q"),
    ((1.0, 2), TypeError, r"p must be a whole number \(int\), got 1.0 of type float"),
    ((True, 2), TypeError, "p must be a whole number"),
    ((1, np.True_), TypeError, "q must be a whole number"),
    ((1, "2"), TypeError, "q must be a whole number.*got '2' of type str"),
    ((None, 2), TypeError, "p must be a whole number"),
    ((Fraction(1), 2), TypeError, "p must be a whole number"),
]
BAD_COUNTS = [
    (0, ValueError, "n must be at least 1, got 0"),
    (-5, ValueError, "n must be at least 1, got -5"),
    (1e3, TypeError, r"n must be a whole number \(int\), got 1000.0 of type float"),
    (True, TypeError, "n must be a whole number"),
    ("10", TypeError, "n must be a whole number"),
]


@pytest.mark.parametrize("function", [sqrt_bits, run_lengths_by_formula])
@pytest.mark.parametrize(("pair", "error", "message"), BAD_FRACTIONS)
def test_bad_fractions_are_refused(function, pair, error, message):
    with pytest.raises(error, match=message):
        function(*pair, 10)


@pytest.mark.parametrize(
    "function",
    [lambda n: sqrt_bits(1, 2, n), lambda n: run_lengths_by_formula(1, 2, n), random_bits],
)
@pytest.mark.parametrize(("n", "error", "message"), BAD_COUNTS)
def test_bad_counts_are_refused(function, n, error, message):
    with pytest.raises(error, match=message):
        function(n)


def test_other_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="method must be one of flint, isqrt, got 'fast'"):
        sqrt_bits(1, 2, 10, method="fast")
    for function in (zero_run_records, first_occurrences, run_length_counts):
        with pytest.raises(TypeError, match="bits must be Bits, got str"):
            function("0101")
    for digit in (2, -1):
        with pytest.raises(ValueError, match=f"digit must be.*got {digit}"):
            run_length_counts(Bits.from_digits("01"), digit)
    with pytest.raises(TypeError, match="digit must be a whole number"):
        run_length_counts(Bits.from_digits("01"), "0")
    for bad, error in ((-1, ValueError), ("seed", TypeError), (1.5, TypeError)):
        with pytest.raises(error, match=f"random_state must be None.*got {bad!r}"):
            random_bits(10, bad)


# Memory


@pytest.mark.parametrize(
    "call",
    [
        lambda n: sqrt_bits(1, 2, n),
        lambda n: sqrt_bits(1, 2, n, method="isqrt"),
        lambda n: run_lengths_by_formula(1, 2, n),
        random_bits,
    ],
)
def test_a_request_that_cannot_fit_is_refused_with_an_estimate(call):
    with pytest.raises(MemoryError, match=r"would take about [\d,.]+ GB .* only [\d,.]+ GB are"):
        call(10**16)


# The command line


def command(*arguments):
    return [sys.executable, "-m", "runproof.digits", *map(str, arguments)]


def test_records_are_written_with_their_origin(tmp_path, capsys):
    out, first = tmp_path / "records.csv", tmp_path / "first.csv"
    assert (
        _command.main(["records", "--digits", "1e6", "--out", str(out), "--first-runs", str(first)])
        == 0
    )
    assert [*pd.read_csv(out).itertuples(index=False, name=None)] == TABLE_4_1[:8]
    rows = pd.read_csv(first)
    assert dict(zip(rows["length"], rows["position"], strict=True))[17] == 698342
    details = json.loads(out.with_suffix(".json").read_text())
    assert (details["p"], details["q"], details["digits"]) == (1, 2, 10**6)
    assert details["peak_memory_bytes"] > 10**6
    assert sorted(os.listdir(tmp_path)) == ["first.csv", "records.csv", "records.json"]
    shown = capsys.readouterr()
    assert "8 record runs in 1,000,000 digits" in shown.out
    assert "square root to 1,000,000 digits, about" in shown.err


def test_the_module_runs_as_a_program(tmp_path):
    arguments = ["--p", 2, "--q", 3, "--digits", "2e4", "--method", "isqrt"]
    done = subprocess.run(
        command("records", *arguments, "--out", tmp_path / "r.csv"),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    records = [*pd.read_csv(tmp_path / "r.csv").itertuples(index=False, name=None)]
    assert records == plain_records(f"{isqrt((2 << 40_000) // 3):020000b}")
    assert "record runs" in done.stdout


def test_check_compares_formula_and_digits(capsys, monkeypatch):
    assert _command.main(["check", "--p", "3", "--q", "7", "--digits", "1e4"]) == 0
    assert "agree at all 10,000 positions" in capsys.readouterr().out
    assert (
        _command.main(["check", "--p", str(2**700 + 1), "--q", str(2**702), "--digits", "20"]) == 0
    )
    wrong = run_lengths_by_formula(3, 7, 100)
    wrong[50] += 1
    monkeypatch.setattr(_command, "run_lengths_by_formula", lambda *_, **__: wrong)
    assert _command.main(["check", "--p", "3", "--q", "7", "--digits", "100"]) == 1
    assert "differ, first at position 50" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["1.5", "1e-3", "ten", "nan", "inf", "1e999999999"])
def test_digits_must_be_a_whole_number(text, capsys, tmp_path):
    with pytest.raises(SystemExit) as stop:
        _command.main(["records", "--digits", text, "--out", str(tmp_path / "r.csv")])
    assert stop.value.code == 2
    assert "is not a whole number such as" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--q", "4", "--digits", "10"], "p/q must not be the square"),
        (["--digits", "0"], "digits must be at least 1, got 0"),
        (["--digits", "1e16"], "10,000,000,000,000,000 digits would take about"),
        (["--digits", "10", "--out", "missing/r.csv"], "must be a directory that can be written"),
        (["--digits", "10", "--out", "folder"], "exists and is not a regular file"),
        (["--digits", "10", "--out", "r.json"], "must have different names"),
        (["--digits", "10", "--first-runs", "r.csv"], "must have different names"),
    ],
)
def test_what_cannot_work_is_refused_before_any_work(
    arguments, message, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    monkeypatch.setattr(_command, "_in_child", lambda *_: pytest.fail("work was begun"))
    assert _command.main(["records", "--out", "r.csv", *arguments]) == 1
    assert message in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["folder"]


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_and_shows_the_result(
    failing, tmp_path, monkeypatch, capsys
):
    out = tmp_path / "r.csv"
    out.write_text("old")

    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(_command, "_in_child", lambda *_: ({1: 1, 5: 8, 8: 453}, {}))
    monkeypatch.setattr(os, failing, fail)
    assert _command.main(["records", "--digits", "1000", "--out", str(out)]) == 1
    shown = capsys.readouterr()
    assert shown.out == "position,length\n1,1\n8,5\n453,8\n"
    assert "nothing was written; the records stand above" in shown.err
    assert "No space left on device" in shown.err
    assert out.read_text() == "old"
    assert os.listdir(tmp_path) == ["r.csv"]


def after(setup, words):
    """Return a command line that runs some Python first, and then becomes the command.

    `preexec_fn` would fork this process, which is not safe once a test has started JAX.
    """
    become = f"{setup}; import os, sys; os.execv(sys.argv[1], sys.argv[1:])"
    return [sys.executable, "-c", become, *map(str, words)]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on a file's size")
def test_a_file_that_may_not_grow_is_not_left_half_written(tmp_path):
    done = subprocess.run(
        after(
            "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))",
            command("records", "--digits", 1000, "--out", tmp_path / "r.csv"),
        ),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "error: [Errno 27] File too large" in done.stderr
    assert "453,8" in done.stdout
    assert os.listdir(tmp_path) == []


def group_ends(group, seconds=30):
    """Wait until no process of the group is left; return whether that came about."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.skipif(
    sys.platform == "win32", reason="Windows sends no signal to a group of processes"
)
@pytest.mark.parametrize(
    ("signum", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["ctrl-c", "terminate"]
)
def test_an_interrupted_run_stops_and_leaves_nothing(signum, status, tmp_path):
    # Enough digits for minutes: it ends early only if the signal reaches the C call's process.
    run = subprocess.Popen(
        # A shell that starts the tests in the background has Ctrl-C ignored by all below it.
        after(
            "import signal; signal.signal(signal.SIGINT, signal.SIG_DFL)",
            command("records", "--digits", "3e8", "--out", tmp_path / "r.csv"),
        ),
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    shown = ""
    while "square root to" not in shown:
        shown += (char := run.stderr.read(1))
        assert char, shown
    os.killpg(run.pid, signum)
    rest = run.communicate(timeout=60)[1]
    assert run.returncode == status
    assert "Traceback" not in rest
    if signum == signal.SIGINT:
        assert "interrupted: nothing was written" in rest
    assert os.listdir(tmp_path) == []
    assert group_ends(run.pid)


def _die(sender, *_):
    os.kill(os.getpid(), signal.SIGKILL)


def _fail(sender, *_):
    sender.send(("error", MemoryError("no memory left")))


@pytest.mark.parametrize(
    ("work", "message"),
    [
        pytest.param(
            _die,
            "ended from outside, perhaps for lack of memory",
            marks=pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL"),
        ),
        (_fail, "no memory left"),
    ],
)
def test_a_computation_that_dies_is_reported(work, message, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(_command, "_work", work)
    assert _command.main(["records", "--digits", "1000", "--out", str(tmp_path / "r.csv")]) == 1
    assert f"error: {message}" in capsys.readouterr().err.replace("the computing process was ", "")
    assert os.listdir(tmp_path) == []


def test_everything_public_is_documented():
    for name in digits.__all__:
        assert len(getattr(digits, name).__doc__) > 100
