"""From notes to sound: partials, envelopes and loudness."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.interpolate import PchipInterpolator

from runproof.sound.audio import (
    RATE,
    known,
    numbers,
    peak_level,
    rate_of,
    require_memory_for,
)
from runproof.sound.desk import normalize, raised_cosine
from runproof.validation import one_of

# ISO 226:2003, table 1: frequency in Hz, exponent of loudness, transfer level and threshold in dB.
# fmt: off
_ISO226 = np.array([
    (20, .532, -31.6, 78.5), (25, .506, -27.2, 68.7), (31.5, .480, -23.0, 59.5),
    (40, .455, -19.1, 51.1), (50, .432, -15.9, 44.0), (63, .409, -13.0, 37.5),
    (80, .387, -10.3, 31.5), (100, .367, -8.1, 26.5), (125, .349, -6.2, 22.1),
    (160, .330, -4.5, 17.9), (200, .315, -3.1, 14.4), (250, .301, -2.0, 11.4),
    (315, .288, -1.1, 8.6), (400, .276, -0.4, 6.2), (500, .267, 0.0, 4.4),
    (630, .259, 0.3, 3.0), (800, .253, 0.5, 2.2), (1000, .250, 0.0, 2.4),
    (1250, .246, -2.7, 3.5), (1600, .244, -4.1, 1.7), (2000, .243, -1.0, -1.3),
    (2500, .243, 1.7, -4.2), (3150, .243, 2.5, -6.0), (4000, .242, 1.2, -5.4),
    (5000, .242, -2.1, -1.5), (6300, .245, -7.1, 6.0), (8000, .254, -11.2, 12.6),
    (10000, .271, -10.7, 13.9), (12500, .301, -3.1, 12.3),
])
# fmt: on
_LOWEST, _HIGHEST = _ISO226[[0, -1], 0]
_contours = PchipInterpolator(np.log(_ISO226[:, 0]), _ISO226[:, 1:])

_FULL_SCALE = 100  # dB of sound pressure that a full-scale sine stands for


@dataclass(frozen=True)
class Timbre:
    """The color of a tone: its partials and how it begins and ends.

    Attributes
    ----------
    ratios : tuple of float
        Frequencies of the partials, relative to the note's; the first is 1.
    levels : tuple of float
        Their levels in dB.
    decays : tuple of float
        Seconds in which each falls to 1/e; infinite for a tone that is held.
    attack, release : float
        Seconds in which the tone fades in and, after its duration, out.
    """

    ratios: tuple
    levels: tuple
    decays: tuple
    attack: float
    release: float


def _held(levels, attack, release):
    n = len(levels)
    return Timbre(tuple(range(1, n + 1)), tuple(levels), (np.inf,) * n, attack, release)


#: The timbres by name.
TIMBRES = {
    "sine": _held((0,), 0.01, 0.01),
    "flute": _held((0, -11, -21, -32, -38, -46), 0.045, 0.06),
    "strings": _held([-22 * np.log10(k) - 0.6 * k for k in range(1, 21)], 0.09, 0.16),
    "marimba": Timbre((1, 4, 9.2), (0, -13, -24), (0.40, 0.11, 0.04), 0.004, 0.12),
    "bell": Timbre(
        ratios=(1, 2, 2.4, 3, 4, 5.4),
        levels=(0, -7, -17, -17, -21, -30),
        decays=(1.6, 1.0, 0.7, 0.6, 0.4, 0.2),
        attack=0.004,
        release=0.6,
    ),
}


def sound_pressure(frequency, phon):
    """Return the sound pressure level at which a pure tone has a given loudness.

    Parameters
    ----------
    frequency : array_like
        In Hz, from 20 to 12,500.
    phon : array_like
        Loudness level, from 20 to 90: that of a 1 kHz tone of as many dB. The standard
        vouches for its upper contours, above 80, up to 4 kHz.

    Returns
    -------
    ndarray
        dB, relative to 20 micropascals.

    Raises
    ------
    ValueError
        If an argument is out of range.

    References
    ----------
    ISO 226:2003, "Acoustics - Normal equal-loudness-level contours", equation 1. Between
    the frequencies of its table the three parameters are interpolated over log frequency
    by monotone cubics.
    """
    frequency, phon = np.asarray(frequency, dtype=float), np.asarray(phon, dtype=float)
    numbers("frequency", frequency, _LOWEST, _HIGHEST, "Hz, where loudness is standardized")
    numbers("loudness", phon, 20, 90, "phons")
    alpha, transfer, threshold = np.moveaxis(_contours(np.log(frequency)), -1, 0)
    a = 4.47e-3 * (10 ** (0.025 * phon) - 1.15)
    a = a + (0.4 * 10 ** ((threshold + transfer) / 10 - 9)) ** alpha
    return 10 / alpha * np.log10(a) - transfer + 94


def synthesize(notes, timbre="flute", rate=RATE, peak=-1.0):
    """Turn notes into stereo sound without clicks.

    Parameters
    ----------
    notes : DataFrame or dict of columns
        One row per note, with columns

        frequency : Hz, below half the rate
        duration : seconds from the note's beginning to the beginning of its release
        loudness : phons at the onset, 20 to 90, default 60; for frequencies from 20 to 12,500 Hz
        level : in place of loudness, dB of the tone's power relative to a full-scale sine
        pan : from -1, left, to 1, right, default 0; the power of both together is constant
        start : seconds; by default each note starts where the one before it ends
    timbre : str or Timbre
        One of `TIMBRES`: "sine", "flute", "strings" are held, "marimba" and "bell" decay.
    rate : int
        Samples per second.
    peak : float or None
        The true peak to scale to, in dB; at most 0. None leaves the levels as they are: a
        full-scale sine then stands for a sound pressure of 100 dB.

    Returns
    -------
    ndarray, shape (samples, 2)
        Left and right channel; the first and the last sample are zero.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.
    MemoryError
        If the sound needs more memory than is available.

    Notes
    -----
    A note is a sum of partials below half the rate. Its phase comes from the time since
    its start, which need not fall on a sample, and its frequency: it is never detuned. A
    raised cosine fades it in and, after its duration, out, while the next one fades in; so
    consecutive notes are joined without a gap or a step. A tone of several partials is as
    loud as its parts: the sum of their powers, each divided by the power that has the
    wanted loudness at that frequency (`sound_pressure`), is one.
    """
    timbre = _timbre(timbre)
    rate_of(rate)
    peak_level(peak)
    notes = _checked_notes(notes, rate)
    seconds = (notes["start"] + notes["duration"]).max() + timbre.release
    samples = int(np.ceil(seconds * rate)) + 1
    require_memory_for(f"{seconds:,.0f} s of stereo sound", samples)
    audio = np.zeros((samples, 2))
    angle = (notes["pan"].to_numpy() + 1) * np.pi / 4
    for note, left, right in zip(notes.itertuples(), np.cos(angle), np.sin(angle), strict=True):
        first = int(np.ceil(note.start * rate))
        tone = _tone(note, timbre, first, rate)
        audio[first : first + len(tone)] += np.outer(tone, (left, right))
    return audio if peak is None else normalize(audio, peak)


def _checked_notes(notes, rate):
    """Return the notes as a table that has all columns but one of loudness and level."""
    notes = pd.DataFrame(notes).reset_index(drop=True)
    if notes.empty:
        raise ValueError("notes must not be empty")
    if missing := {"frequency", "duration"} - set(notes):
        raise ValueError(f"notes must have the columns {', '.join(sorted(missing))}")
    known("notes", notes)
    if "level" not in notes:
        notes["loudness"] = notes.get("loudness", 60.0)
    notes["pan"] = notes.get("pan", 0.0)
    if "start" not in notes:
        notes["start"] = notes["duration"].cumsum().shift(fill_value=0)
    notes = notes.astype(float)
    if len(bad := notes.index[~np.isfinite(notes).all(axis=1)]):
        raise ValueError(f"notes must be finite numbers, row {bad[0]} is {dict(notes.loc[bad[0]])}")
    numbers("frequency", notes["frequency"], 0, np.inf, "Hz", "()")
    numbers("duration", notes["duration"], 0, np.inf, "seconds", "()")
    if (highest := notes["frequency"].max()) >= rate / 2:
        raise ValueError(f"frequency must be below half the rate, {rate / 2} Hz, got {highest}")
    if "loudness" in notes:
        sound_pressure(notes["frequency"], notes["loudness"])
    else:
        numbers("level", notes["level"], -120, 0, "dB")
    numbers("pan", notes["pan"], -1, 1, "")
    numbers("start", notes["start"], 0, np.inf, "seconds")
    return notes


def _timbre(timbre):
    if isinstance(timbre, Timbre):
        return timbre
    one_of("timbre", timbre, TIMBRES)
    return TIMBRES[timbre]


def _tone(note, timbre, first, rate):
    """Return one note, from the sample `first` on, the first one at or after its start."""
    last = int(np.floor((note.start + note.duration + timbre.release) * rate))
    time = np.arange(first, last + 1) / rate - note.start
    ratios, levels, decays = map(np.array, (timbre.ratios, timbre.levels, timbre.decays))
    frequencies = note.frequency * ratios
    audible = frequencies < rate / 2
    amplitudes = 10 ** (levels / 20) * audible
    if "level" in note._fields:
        wanted = note.level
    else:
        wanted = sound_pressure(np.clip(frequencies, _LOWEST, _HIGHEST), note.loudness)
        wanted = wanted - _FULL_SCALE
    amplitudes /= np.sqrt(np.sum(amplitudes**2 / 10 ** (wanted / 10)))
    tone = np.zeros(len(time))
    for k in np.flatnonzero(audible):
        partial = amplitudes[k] * np.sin(2 * np.pi * (frequencies[k] * time % 1))
        tone += partial if np.isinf(decays[k]) else partial * np.exp(-time / decays[k])
    fade_in = raised_cosine(time / min(timbre.attack, note.duration))
    return tone * fade_in * raised_cosine((note.duration + timbre.release - time) / timbre.release)
