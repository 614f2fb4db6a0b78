"""What sound and notes must be, checked before any work is done."""

import numpy as np

from runproof.validation import number, require_memory, whole_number

#: Samples per second, unless told otherwise.
RATE = 44_100
#: What a note may have.
CHANNELS = ("frequency", "duration", "loudness", "level", "pan", "start")


def known(what, names):
    if unknown := [name for name in names if name not in CHANNELS]:
        raise ValueError(f"{what}: unknown channel {unknown[0]!r}; known: {', '.join(CHANNELS)}")
    if "loudness" in names and "level" in names:
        raise ValueError(f"{what}: give loudness or level, not both")


def numbers(name, values, low, high, unit, ends="[]"):
    """Return numbers as an array of float, all in a range of a unit, or raise."""
    try:
        array = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must hold real numbers, got {values!r:.80}") from None
    above = array >= low if ends[0] == "[" else array > low
    if not (inside := above & (array <= high) & np.isfinite(array)).all():
        number(name, array[~inside].flat[0].item(), low, high, ends, unit)
    return array


def peak_level(peak):
    if peak is not None:
        number("peak", peak, -120, 0, unit="dB")


def rate_of(rate):
    number("rate", whole_number("rate", rate, 1), 4000, 384_000, unit="samples per second")


def stereo(audio):
    """Return sound as floats of shape (samples, 2)."""
    audio = np.asarray(audio, dtype=float)
    if audio.ndim == 1:
        audio = np.stack([audio, audio], axis=1)
    if audio.ndim != 2 or audio.shape[1] != 2 or not len(audio):
        raise ValueError(f"audio must have shape (samples, 2) or (samples,), got {audio.shape}")
    if not np.isfinite(audio).all():
        raise ValueError("audio must be finite, it has missing or infinite samples")
    return audio


def require_memory_for(what, samples):
    require_memory(what, 60 * samples, "make it shorter")
