"""The checks that engines share."""

import numpy as np
import pytest

from runproof import checks


@pytest.mark.parametrize("value", [3, np.int8(3), np.uint64(3)])
def test_whole_numbers_pass_as_int(value):
    assert checks.whole_number("n", value, 1) == 3
    assert type(checks.whole_number("n", value, 1)) is int


@pytest.mark.parametrize("value", [3.0, "3", None, True, np.True_, np.float64(3)])
def test_other_types_are_named(value):
    with pytest.raises(TypeError, match="n must be a whole number"):
        checks.whole_number("n", value, 1)


def test_too_small_is_named():
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        checks.whole_number("n", 0, 1)


def test_memory_is_refused_with_an_estimate_and_advice():
    checks.require_memory("a byte", 1)
    with pytest.raises(MemoryError, match=r"It would take about 1,000\.00 GB .*: wait"):
        checks.require_memory("It", 10**12, "wait")


def test_memory_left_in_a_container_counts(monkeypatch, tmp_path):
    files = {"memory.max": "3000\n", "memory.current": "1000\n", "memory.stat": "inactive_file 50"}
    monkeypatch.setattr(checks, "Path", lambda _: tmp_path)
    free = checks.available_memory()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert checks.available_memory() == 2050
    (tmp_path / "memory.max").write_text("max\n")
    assert checks.available_memory() > free / 2
