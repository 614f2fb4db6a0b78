"""Arguments: each engine refuses what it cannot use, in the same words, by its name."""

import math
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from runproof import path_film, sound, tides, validation
from runproof.digits.correlations import digits_needed
from runproof.kriging import Covariance
from runproof.synth import GAN
from runproof.synth.evaluate import noise_band


@pytest.mark.parametrize("value", [3, np.int8(3), np.uint64(3)])
def test_whole_numbers_pass_as_int(value):
    assert validation.whole_number("n", value, 1) == 3
    assert type(validation.whole_number("n", value, 1)) is int


@pytest.mark.parametrize("value", [3.0, "3", None, True, np.True_, np.float64(3)])
def test_other_types_are_named(value):
    with pytest.raises(TypeError, match="n must be a whole number"):
        validation.whole_number("n", value, 1)


def test_too_small_is_named():
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        validation.whole_number("n", 0, 1)


def test_memory_is_refused_with_an_estimate_and_advice():
    validation.require_memory("a byte", 1)
    with pytest.raises(MemoryError, match=r"It would take about 1,000\.00 GB .*: wait"):
        validation.require_memory("It", 10**12, "wait")


def test_memory_left_in_a_container_counts(monkeypatch, tmp_path):
    files = {"memory.max": "3000\n", "memory.current": "1000\n", "memory.stat": "inactive_file 50"}
    monkeypatch.setattr(validation, "Path", lambda _: tmp_path)
    free = validation.available_memory()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert validation.available_memory() == 2050
    (tmp_path / "memory.max").write_text("max\n")
    assert validation.available_memory() > free / 2


# Numbers

ENDS = {"[]": (True, True), "[)": (True, False), "(]": (False, True), "()": (False, False)}


@pytest.mark.parametrize("ends", ENDS)
def test_a_range_holds_the_ends_that_it_says(ends):
    low, high = ENDS[ends]
    for value, inside in ((0, low), (1, high), (0.5, True), (-0.1, False), (1.1, False)):
        if inside:
            assert validation.number("share", value, 0, 1, ends) == value
        else:
            with pytest.raises(ValueError, match=f"^share must be .*, got {value}$"):
                validation.number("share", value, 0, 1, ends)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ((0, 1, "[]"), "from 0 to 1"),
        ((0, 1, "[)"), "at least 0 and below 1"),
        ((0, 1, "(]"), "above 0 and at most 1"),
        ((0, math.inf, "()"), "above 0 and finite"),
        ((0, math.inf, "[]"), "at least 0 and finite"),
        ((-math.inf, 2, "[]"), "at most 2 and finite"),
        ((-math.inf, math.inf, "[]"), "finite"),
    ],
)
def test_a_range_is_told_in_words(limits, words):
    with pytest.raises(ValueError, match=rf"^x must be {words}, got nan$"):
        validation.number("x", math.nan, *limits)


@pytest.mark.parametrize("value", [True, np.True_, "1", None, 1j, [1], np.array([1.0])])
def test_what_is_no_number_is_refused_by_name(value):
    with pytest.raises(TypeError, match=r"^x must be a number, got "):
        validation.number("x", value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(3, 3.0), (np.float32(0.5), 0.5), (np.int8(-1), -1.0), (Fraction(1, 2), 0.5)],
)
def test_numbers_of_all_kinds_become_floats(value, expected):
    made = validation.number("x", value)
    assert type(made) is float
    assert made == expected


@pytest.mark.parametrize("value", [math.inf, -math.inf, 10**400])
def test_what_no_float_can_hold_is_refused(value):
    with pytest.raises(ValueError, match=r"^x must be finite, got"):
        validation.number("x", value)


def test_a_word_or_a_number():
    assert validation.number_or_auto("x", "auto", 0, 1) == "auto"
    assert validation.number_or_auto("x", 1, 0, 1) == 1.0
    with pytest.raises(ValueError, match=r"^x must be one of auto, got 'best'$"):
        validation.number_or_auto("x", "best", 0, 1)
    with pytest.raises(ValueError, match=r"^x must be from 0 to 1, got 2$"):
        validation.number_or_auto("x", 2, 0, 1)


@pytest.mark.parametrize("value", ["c", "", None, 1, ["a"], ("a",)])
def test_a_choice_that_is_none(value):
    with pytest.raises(ValueError, match=r"^way must be one of a, b, got "):
        validation.one_of("way", value, {"a": 1, "b": 2})


def test_a_seed_or_a_generator():
    rng = np.random.default_rng(1)
    assert validation.random_generator(rng) is rng
    assert validation.random_generator(7).integers(100) == np.random.default_rng(7).integers(100)
    for bad in (-1, "x", 1.5):
        with pytest.raises((TypeError, ValueError), match=r"^random_state must be None, an int"):
            validation.random_generator(bad)


# Every engine says the same to a number that is none

NUMBERS = {
    "sill": lambda x: Covariance("spherical", sill=x, range_=1.0),
    "nugget": lambda x: Covariance("spherical", sill=1.0, range_=1.0, nugget=x),
    "rayleigh": lambda x: tides.rayleigh_select(1000, x),
    "z": lambda x: digits_needed(3, 5, z=x),
    "level": lambda x: noise_band(np.mean, pd.DataFrame({"a": [1.0, 2.0]}), level=x),
    "penalty": lambda x: GAN(penalty=x)._check(),
    "seconds": lambda x: path_film.path_sound(np.exp(1j * np.arange(9.0)), x),
    "quality": lambda x: sound.player(np.zeros((10, 2)), "Nothing to hear for a while.", quality=x),
    "t": lambda x: path_film.eta_path(x),
}


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [True, "1", None, 1j])
def test_engines_refuse_what_is_no_number(name, value):
    with pytest.raises(TypeError, match=rf"^{name}\b.* must be a number, got "):
        NUMBERS[name](value)


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [math.nan, -math.inf, -1])
def test_engines_refuse_what_is_out_of_range(name, value):
    with pytest.raises(ValueError, match=rf"^{name}\b.* must be .*, got {value}"):
        NUMBERS[name](value)
