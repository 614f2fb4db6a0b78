import math
from fractions import Fraction

import gmpy2
import joblib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import runproof.digits.correlations as engine
from runproof.digits import Bits, random_bits, sqrt_bits
from runproof.digits.correlations import (
    bit_correlation,
    digit_correlation,
    digits_needed,
    long_run_variance,
    multiple_bits,
    product_autocovariance,
    square_wave_integral,
    theoretical_correlation,
)

PAIRS = [(5, 3), (1, 3), (3, 7), (15, 13), (2, 3), (6, 10), (4, 2), (9, 15), (1, 8), (21, 33)]

multipliers = st.integers(1, 60)
several = settings(deadline=None, max_examples=60)


# Oracles: one digit at a time, from the definitions


def as_fraction(bits):
    return Fraction(int("".join(map(str, bits.unpack())), 2), 2**bits.n)


def digits_by_definition(number, n):
    """Digit k is the parity of the integer part of 2^k times the number."""
    return np.array([math.floor(number * 2**k) % 2 for k in range(1, n + 1)])


def wave(u):
    return 1 if u % 1 < Fraction(1, 2) else -1


def integral_by_midpoints(function, jumps):
    """Integrate a function that is constant between the multiples of 1 / jumps."""
    middles = (Fraction(2 * k + 1, 2 * jumps) for k in range(jumps))
    return Fraction(sum(map(function, middles)), jumps)


def carry_loop(digits, p):
    """Multiply by p with paper and pencil, from the last digit to the first."""
    product, carry = [0] * len(digits), 0
    for k in reversed(range(len(digits))):
        carry, product[k] = divmod(p * int(digits[k]) + carry, 2)
    return np.array(product)


# Digits


@several
@given(p=multipliers, n=st.integers(1, 90), seed=st.integers(0, 99))
def test_digits_follow_from_the_definition(p, n, seed):
    x = random_bits(n + 80, seed)
    digits = multiple_bits(x, p, n)
    assert digits.n == n
    assert np.array_equal(digits.unpack(), digits_by_definition(p * as_fraction(x), n))


@pytest.mark.parametrize("p", [1, 2, 3, 5, 239, 10**30])
def test_digits_equal_the_carry_loop(p):
    x, n = random_bits(5000, 1), 4800
    assert np.array_equal(multiple_bits(x, p, n).unpack(), carry_loop(x.unpack(), p)[:n])


def test_leading_zeros_of_a_product_are_kept():
    x = Bits.from_digits([0] * 40 + [1, 0, 1] + [0] * 100)
    assert multiple_bits(x, 1, 43) == x[:43]
    assert not multiple_bits(x, 1, 30).unpack().any()


@several
@given(p=multipliers, q=multipliers, seed=st.integers(0, 99))
def test_multiplying_twice_is_multiplying_by_the_product(p, q, seed):
    x = random_bits(500, seed)
    assert multiple_bits(multiple_bits(x, p, 420), q, 340) == multiple_bits(x, p * q, 340)


def test_what_follows_the_given_digits_cannot_change_the_result():
    x, n = random_bits(300, 2), 220
    zeros, ones = (Bits.from_digits(np.append(x.unpack(), [d] * 60)) for d in (0, 1))
    assert multiple_bits(x, 239, n) == multiple_bits(zeros, 239, n) == multiple_bits(ones, 239, n)


def test_undecided_digits_are_refused():
    third = Bits.from_digits("01" * 50)  # 3 X may be 0.1111... or 1.0000...
    with pytest.raises(ValueError, match="too early to settle digit n=20 of 3X"):
        multiple_bits(third, 3, 20)
    with pytest.raises(ValueError, match="too early"):
        digit_correlation(5, 3, 20, x=third)
    with pytest.raises(ValueError, match="give 86, or more"):
        multiple_bits(random_bits(20, 1), 3, 20)
    assert multiple_bits(third, 1, 100) == third


def test_multiples_of_a_root_are_the_root_of_a_multiple():
    n = 10_000
    root = sqrt_bits(41, 64, n + 103)[3:]  # the digits of sqrt(41)
    for p, square in [(239, 2341961), (211, 1825361)]:
        integer_root = gmpy2.isqrt(gmpy2.mpz(square) << 2 * n)
        expected = Bits.from_digits(gmpy2.f_mod_2exp(integer_root, n).digits(2).zfill(n))
        assert multiple_bits(root, p, n) == expected


# Correlations


@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_correlation_equals_numpys(p, q):
    x, n = random_bits(3200, 7), 3000
    a, b = (digits_by_definition(m * as_fraction(x), n) for m in (p, q))
    found = digit_correlation(p, q, n, x=x)
    assert found.correlation == pytest.approx(np.corrcoef(a, b)[0, 1], abs=1e-12)
    both = bit_correlation(multiple_bits(x, p, n), multiple_bits(x, q, n))
    assert found.correlation == pytest.approx(both, abs=1e-15)


def test_constant_digits_have_no_correlation():
    x = Bits.from_digits([0] * 200)
    assert math.isnan(digit_correlation(5, 3, 50, x=x).correlation)
    assert math.isnan(bit_correlation(x, ~x))


def test_known_correlations_of_bits():
    a = random_bits(999, 1)
    assert bit_correlation(a, a) == pytest.approx(1)
    assert bit_correlation(a, ~a) == pytest.approx(-1)
    assert bit_correlation(Bits.from_digits("0011"), Bits.from_digits("0101")) == 0


@several
@given(p=multipliers, q=multipliers, seed=st.integers(0, 99))
def test_the_two_multiples_may_be_swapped(p, q, seed):
    x = random_bits(700, seed)
    one, other = digit_correlation(p, q, 500, x=x), digit_correlation(q, p, 500, x=x)
    assert one.correlation == pytest.approx(other.correlation)
    assert one.expected == other.expected
    assert one.standard_error == pytest.approx(other.standard_error)


@several
@given(p=multipliers, q=multipliers, g=multipliers, seed=st.integers(0, 99))
def test_common_factors_cancel(p, q, g, seed):
    x = random_bits(900, seed)
    long = digit_correlation(g * p, g * q, 500, x=x)
    short = digit_correlation(p, q, 500, x=multiple_bits(x, g, 800))
    assert long.correlation == short.correlation
    assert (long.expected, long.standard_error) == (short.expected, short.standard_error)
    assert square_wave_integral(g * p, g * q) == square_wave_integral(p, q)


@several
@given(p=multipliers, seed=st.integers(0, 99))
def test_equal_multiples_are_perfectly_correlated(p, seed):
    found = digit_correlation(p, p, 1000, seed)
    assert found.correlation == pytest.approx(1)
    assert found.expected == 1
    assert found.standard_error == 0
    assert math.isnan(found.z)


def test_seed_generator_and_none():
    first = digit_correlation(5, 3, 10_000, 105)
    assert first == digit_correlation(5, 3, 10_000, 105)
    assert first == digit_correlation(5, 3, 10_000, np.random.default_rng(105))
    assert first != digit_correlation(5, 3, 10_000, 106)
    rng = np.random.default_rng(105)
    assert digit_correlation(5, 3, 10_000, rng) != digit_correlation(5, 3, 10_000, rng)
    assert abs(digit_correlation(5, 3, 10_000).z) < 7


# Blocks and stretches


def test_blocks_do_not_change_the_result(monkeypatch):
    x = random_bits(10_000, 3)
    whole = [digit_correlation(p, q, 9800, x=x) for p, q in PAIRS]
    for size in (8, 16, 64, 1000, 9792, 9800):
        monkeypatch.setattr(engine, "_BLOCK", size)
        assert [digit_correlation(p, q, 9800, x=x) for p, q in PAIRS] == whole


@pytest.mark.parametrize("n", [2, 100, 256, 257, 1000, 1001, 5555])
def test_random_stretches_are_the_digits_of_one_number(monkeypatch, n):
    monkeypatch.setattr(engine, "_STRETCH", 1000)
    monkeypatch.setattr(engine, "_BLOCK", 304)
    x = Bits.from_digits(digits_of_the_stretches(n, np.random.default_rng(8)))
    # As text, because two digits may be equal, and the correlation then nan.
    assert repr(digit_correlation(239, 211, n, 8)) == repr(digit_correlation(239, 211, n, x=x))


def digits_of_the_stretches(n, rng):
    """Draw as the engine does, and write X down in full, with the digits that follow."""
    tasks = -(-n // 1000)
    heads = ["".join(f"{byte:08b}" for byte in rng.bytes(32)) for _ in range(tasks + 1)]
    text = ""
    for k in range(tasks):
        state = gmpy2.random_state(int.from_bytes(rng.bytes(16)))
        size = n * (k + 1) // tasks - n * k // tasks
        blocks, left = [], size - min(size, 256)
        while left:
            length = min(left, 304)
            blocks.append(gmpy2.mpz_urandomb(state, length).digits(2).zfill(length))
            left -= length
        text += heads[k][:size] + "".join(reversed(blocks))
    return text + heads[-1]


def test_processes_do_not_change_the_result(monkeypatch):
    monkeypatch.setattr(engine, "_STRETCH", 5000)
    alone = digit_correlation(5, 3, 40_000, 1)
    assert alone == digit_correlation(5, 3, 40_000, 1, n_jobs=1, progress=True)
    with joblib.parallel_config(backend="threading", n_jobs=2):
        assert alone == digit_correlation(5, 3, 40_000, 1)


# Theory


@pytest.mark.parametrize("p", range(1, 13))
@pytest.mark.parametrize("q", range(1, 13))
def test_formula_equals_two_integrals(p, q):
    by_midpoints = integral_by_midpoints(lambda u: wave(p * u) * wave(q * u), 2 * math.lcm(p, q))
    assert theoretical_correlation(p, q) == square_wave_integral(p, q) == by_midpoints


@pytest.mark.parametrize(
    ("p", "q", "expected"),
    [(5, 3, "1/15"), (239, 211, "1/50429"), (6, 10, "1/15"), (2, 3, "0"), (4, 2, "0"), (9, 9, "1")],
)
def test_known_values(p, q, expected):
    assert theoretical_correlation(p, q) == square_wave_integral(p, q) == Fraction(expected)


@pytest.mark.parametrize(("p", "q"), [(5, 3), (1, 3), (3, 7), (2, 3), (10, 6), (3, 3)])
def test_autocovariance_equals_the_integral(p, q):
    found = product_autocovariance(p, q, 4)
    mean = theoretical_correlation(p, q)
    for lag, covariance in enumerate(found):
        step = 2**lag
        product = integral_by_midpoints(
            lambda u, step=step: (
                wave(p * u) * wave(q * u) * wave(step * p * u) * wave(step * q * u)
            ),
            2 * step * math.lcm(p, q),
        )
        assert covariance == pytest.approx(float(product - mean**2), abs=1e-14)


def test_known_variances():
    assert long_run_variance(1, 3) == pytest.approx(8 / 27, rel=1e-14)
    assert long_run_variance(5, 3) == pytest.approx(1312 / 3375, rel=1e-14)
    assert long_run_variance(7, 7) == 0


@pytest.mark.parametrize(("p", "q"), [(1, 2), (2, 3), (4, 6), (10, 7), (64, 81)])
def test_products_are_fair_coins_where_one_multiplier_is_even(p, q):
    assert product_autocovariance(p, q, 6) == pytest.approx([1] + [0] * 6, abs=0)
    assert long_run_variance(p, q) == 1


@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_random_numbers_follow_the_theory(p, q):
    assert abs(digit_correlation(p, q, 10**7, 2024).z) < 4.5


@pytest.mark.parametrize("m", [2, 3, 5, 41])
def test_roots_follow_the_theory(m):
    k = (m.bit_length() + 1) // 2
    fraction = Fraction(m, 4**k)
    x = sqrt_bits(fraction.numerator, fraction.denominator, 1_000_100 + k)[k:]
    z = [digit_correlation(p, q, 10**6, x=x).z for p, q in [(5, 3), (2, 3), (6, 10), (9, 7)]]
    assert np.abs(z).max() < 4.5


@pytest.mark.parametrize(("p", "q"), [(5, 3), (1, 3), (15, 13), (2, 3)])
def test_standard_error_is_calibrated(p, q):
    runs = 500
    rng = np.random.default_rng(11)
    z = np.array([digit_correlation(p, q, 5000, rng).z for _ in range(runs)])
    assert abs(z.mean()) < 4 / math.sqrt(runs)
    assert abs(z.std() - 1) < 4 / math.sqrt(2 * runs)


def test_digits_needed():
    n = digits_needed(239, 211, 3)
    signal = float(theoretical_correlation(239, 211))
    error = math.sqrt(long_run_variance(239, 211))
    assert signal >= 3 * error / math.sqrt(n) * (1 - 1e-12)
    assert signal < 3 * error / math.sqrt(n - 1) * (1 + 1e-12)
    assert digits_needed(3, 3) == 2


# Bad input


@pytest.mark.parametrize("bad", [0, -3])
@pytest.mark.parametrize("name", ["p", "q", "n"])
def test_numbers_out_of_range(name, bad):
    arguments = {"p": 5, "q": 3, "n": 100} | {name: bad}
    with pytest.raises(ValueError, match=f"^{name} must be at least . got {bad}|{name} must be"):
        digit_correlation(**arguments)


@pytest.mark.parametrize("bad", [2.0, "5", None, True, Fraction(5, 1)])
@pytest.mark.parametrize("name", ["p", "q", "n"])
def test_numbers_of_a_wrong_type(name, bad):
    arguments = {"p": 5, "q": 3, "n": 100} | {name: bad}
    with pytest.raises(TypeError, match=f"^{name} must be a whole number"):
        digit_correlation(**arguments)


def test_large_multipliers():
    with pytest.raises(ValueError, match="at most 100000 after division"):
        digit_correlation(100_001, 2, 100)
    assert digit_correlation(2341961**2, 2341961 * 1825361, 10**4, 1).expected == Fraction(
        1, 2341961 * 1825361 // 41**2
    )


def test_bad_sources_of_digits():
    with pytest.raises(ValueError, match="either random_state or x"):
        digit_correlation(5, 3, 10, 1, x=random_bits(100, 1))
    with pytest.raises(TypeError, match="x must be Bits, got list"):
        digit_correlation(5, 3, 10, x=[0, 1])
    with pytest.raises(ValueError, match="x must have at least n=200 digits"):
        digit_correlation(5, 3, 200, x=random_bits(100, 1))
    with pytest.raises((TypeError, ValueError), match="random_state must be"):
        digit_correlation(5, 3, 10, "seed")
    with pytest.raises(ValueError, match="random_state must be"):
        digit_correlation(5, 3, 10, -1)


@pytest.mark.parametrize("function", [theoretical_correlation, square_wave_integral])
def test_theory_refuses_bad_multipliers(function):
    with pytest.raises(ValueError, match="p must be at least 1, got 0"):
        function(0, 3)
    with pytest.raises(TypeError, match="q must be a whole number"):
        function(3, 1.5)


def test_other_bad_arguments():
    with pytest.raises(ValueError, match="max_lag must be at least 0"):
        product_autocovariance(5, 3, -1)
    with pytest.raises(ValueError, match="uncorrelated: no n shows it"):
        digits_needed(2, 3)
    for bad in (0, -1, math.inf, math.nan):
        with pytest.raises(ValueError, match="z must be above 0"):
            digits_needed(5, 3, bad)
    with pytest.raises(TypeError, match="z must be a number"):
        digits_needed(5, 3, "3")
    with pytest.raises(TypeError, match="a must be Bits"):
        bit_correlation("01", random_bits(2, 1))
    with pytest.raises(ValueError, match="same length, got 2 and 3"):
        bit_correlation(random_bits(2, 1), random_bits(3, 1))


# Published numbers


def test_the_published_run():
    digits = np.random.RandomState(105).randint(0, 2, 10**6)[::-1]  # last digit first
    five, three = (carry_loop(digits, p) for p in (5, 3))
    assert five @ three == 266_399  # the published program prints 4 * 0.266399 - 1 = 0.0656
    x, n = Bits.from_digits(digits), 10**6 - 64
    pair = (Bits.from_digits(five[:n]), Bits.from_digits(three[:n]))
    assert (multiple_bits(x, 5, n), multiple_bits(x, 3, n)) == pair
    assert digit_correlation(5, 3, n, x=x).correlation == pytest.approx(0.0658, abs=5e-5)


def test_irrational_is_not_enough():
    x = np.zeros(10**6 + 64, dtype=np.uint8)
    x[np.cumsum(np.arange(1, 1414)) - 1] = 1  # ones at 1, 3, 6, 10, 15, ...
    found = digit_correlation(5, 3, 10**6, x=Bits.from_digits(x))
    assert found.correlation == pytest.approx(0.5, abs=0.002)
    assert found.expected == Fraction(1, 15)


def test_price_of_the_published_estimate():
    """4 mean(d d') - 1 has the long-run variance v + 2 + 2 rho where Pearson's has v."""
    n, runs, rng = 20_000, 400, np.random.default_rng(3)
    found = np.empty((2, runs))
    for run in range(runs):
        x = random_bits(n + 64, rng)
        five, three = (multiple_bits(x, p, n).unpack().astype(int) for p in (5, 3))
        found[:, run] = np.corrcoef(five, three)[0, 1], 4 * (five @ three) / n - 1
    v = long_run_variance(5, 3)
    assert found.var(axis=1) * n == pytest.approx([v, v + 2 + 2 / 15], rel=5 * (2 / runs) ** 0.5)
    assert (v + 2 + 2 / 15) / v == pytest.approx(6.488, abs=5e-4)
