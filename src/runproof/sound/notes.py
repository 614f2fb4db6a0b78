"""From numbers to notes: scales, and tables turned into tunes."""

import numpy as np
import pandas as pd

from runproof.sound.audio import known, numbers

# Semitones above the root.
SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "pentatonic": (0, 2, 4, 7, 9),
    "whole tone": (0, 2, 4, 6, 8, 10),
    "chromatic": tuple(range(12)),
    "white keys": (0, 2, 4, 5, 7, 9, 11),
}
_ROOTS = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def scale(name, low, high, root="C"):
    """Return the tones of a scale between two frequencies, in equal temperament.

    Parameters
    ----------
    name : {"major", "minor", "pentatonic", "whole tone", "chromatic", "white keys"}
        "minor" is the natural minor scale, "pentatonic" the major one.
    low, high : float
        Frequencies in Hz, both included if they are tones within one cent.
    root : str
        The note on which the scale is built, from "C", "C#", ... to "B".

    Returns
    -------
    ndarray
        Frequencies in Hz, ascending, with A4 = 440 Hz.

    Raises
    ------
    ValueError
        If a name is unknown, or no tone lies between `low` and `high`.

    Examples
    --------
    >>> scale("white keys", 196, 330).round(2)
    array([196.  , 220.  , 246.94, 261.63, 293.66, 329.63])
    """
    if name not in SCALES:
        raise ValueError(f"unknown scale {name!r}; known: {', '.join(SCALES)}")
    if root not in _ROOTS:
        raise ValueError(f"unknown root {root!r}; known: {', '.join(_ROOTS)}")
    if name == "white keys" and root != "C":
        raise ValueError(f"the white keys have root 'C', got {root!r}")
    if not 0 < low < high < np.inf:
        raise ValueError(f"low and high must satisfy 0 < low < high, got {low} and {high} Hz")
    first, last = 69 + 12 * np.log2(np.array([low, high]) / 440) + (-0.01, 0.01)
    keys = np.arange(np.ceil(first), np.floor(last) + 1)
    keys = keys[np.isin((keys - _ROOTS.index(root)) % 12, SCALES[name])]
    if not keys.size:
        raise ValueError(f"no tone of the {name} scale lies between {low} and {high} Hz")
    return 440 * 2 ** ((keys - 69) / 12)


def quantize(frequency, tones):
    """Move frequencies to the nearest tones, by the size of the interval.

    Parameters
    ----------
    frequency : array_like
        In Hz.
    tones : array_like
        The tones to choose from, in Hz, such as `scale` returns.

    Returns
    -------
    ndarray
        Of the shape of `frequency`. Halfway between two tones, the lower one.

    Raises
    ------
    ValueError
        If a frequency is not positive and finite, or there are no tones.
    """
    frequency = numbers("frequency", frequency, 0, np.inf, "Hz", "()")
    tones = np.sort(numbers("tones", tones, 0, np.inf, "Hz", "()").ravel())
    if not tones.size:
        raise ValueError("tones must not be empty")
    borders = np.sqrt(tones[:-1] * tones[1:])
    return tones[np.searchsorted(borders, frequency)]


def sonify(table, mapping):
    """Turn the rows of a table into notes, one after the other.

    Parameters
    ----------
    table : DataFrame
        One row per note.
    mapping : dict
        What each channel of the sound follows. Keys are "frequency" (Hz) and "duration"
        (seconds), both needed, "loudness" (phons) or "level" (dB), "pan" (-1 left, 1 right)
        and "start" (seconds). A value is a number, the same for all notes, or
        ``(column, scaling, target)`` or ``(column, scaling, target, "inverted")``.

        scaling : {"linear", "rank"}
            "linear" places a value by its size between the smallest and the largest one,
            "rank" by its place in the sorted column, so that every part of the target is
            used equally often. Equal values have equal places.
        target : tuple (low, high) or array
            A tuple is a range, passed through continuously - for frequencies in equal
            musical intervals. An array, such as a `scale`, holds the values to choose from,
            each of which gets an equal share of the places.

    Returns
    -------
    DataFrame
        A column for each channel, with the index of `table`, ready for `synthesize`.

    Raises
    ------
    TypeError, ValueError
        If the table is empty, or a channel, column, scaling or target is not as described,
        or a column is constant or has values that are missing, infinite or no numbers.
    """
    table = pd.DataFrame(table)
    if table.empty:
        raise ValueError("table must not be empty")
    if missing := {"frequency", "duration"} - set(mapping):
        raise ValueError(f"mapping must have the channels {', '.join(sorted(missing))}")
    known("mapping", mapping)
    notes = {channel: _follow(table, channel, rule) for channel, rule in mapping.items()}
    return pd.DataFrame(notes, index=table.index)


def _follow(table, channel, rule):
    """Return the values of one channel."""
    if np.isscalar(rule) and not isinstance(rule, str):
        return np.full(len(table), float(rule))
    if not isinstance(rule, tuple) or len(rule) not in (3, 4):
        raise TypeError(f"{channel}: a rule is a number or (column, scaling, target), got {rule!r}")
    column, scaling, target, *inverted = rule
    place = _places(table, channel, column, scaling)
    if inverted not in ([], ["inverted"]):
        raise ValueError(f"{channel}: the fourth entry must be 'inverted', got {inverted[0]!r}")
    place = 1 - place if inverted else place
    values = np.asarray(target, dtype=float)
    if values.ndim != 1 or not values.size or not np.isfinite(values).all():
        raise ValueError(f"{channel}: the target must be one row of finite numbers, got {target!r}")
    if not isinstance(target, tuple):
        return values[np.minimum(place * values.size, values.size - 1).astype(int)]
    if values.size != 2 or values[0] >= values[1]:
        raise ValueError(f"{channel}: a range must be (low, high) with low < high, got {target!r}")
    low, high = (
        numbers(channel, values, 0, np.inf, "Hz", "()") if channel == "frequency" else values
    )
    return low * (high / low) ** place if channel == "frequency" else low + (high - low) * place


def _places(table, channel, column, scaling):
    """Return where each value stands in its column, from 0 to 1."""
    if column not in table:
        raise ValueError(
            f"{channel}: no column {column!r}; there are: {', '.join(map(str, table))}"
        )
    if scaling not in ("linear", "rank"):
        raise ValueError(f"{channel}: scaling must be 'linear' or 'rank', got {scaling!r}")
    values = table[column]
    if not pd.api.types.is_numeric_dtype(values) or np.iscomplexobj(values):
        raise TypeError(f"{channel}: column {column!r} must hold real numbers, not {values.dtype}")
    values = values.to_numpy(dtype=float, na_value=np.nan)
    if bad := np.count_nonzero(~np.isfinite(values)):
        raise ValueError(f"{channel}: column {column!r} has {bad} missing or infinite values")
    if np.ptp(values) == 0:
        raise ValueError(f"{channel}: column {column!r} is constant, give the number instead")
    if scaling == "rank":
        values = pd.Series(values).rank().to_numpy()
    return (values - values.min()) / np.ptp(values)
