"""Checks of arguments and of memory, before any work is done."""

import numpy as np

from runproof import checks

#: Samples per second, unless told otherwise.
RATE = 44_100
#: What a note may have.
CHANNELS = ("frequency", "duration", "loudness", "level", "pan", "start")


def known(what, names):
    if unknown := [name for name in names if name not in CHANNELS]:
        raise ValueError(f"{what}: unknown channel {unknown[0]!r}; known: {', '.join(CHANNELS)}")
    if "loudness" in names and "level" in names:
        raise ValueError(f"{what}: give loudness or level, not both")


def positive(name, values):
    values = np.asarray(values, dtype=float)
    if not (np.isfinite(values) & (values > 0)).all():
        bad = values[~(np.isfinite(values) & (values > 0))][0]
        raise ValueError(f"{name} must be positive and finite, got {bad}")
    return values


def within(name, values, low, high, unit):
    values = np.asarray(values, dtype=float)
    if not (inside := (values >= low) & (values <= high)).all():
        bad = values[~inside][0] if values.ndim else values
        raise ValueError(
            f"{name} must be from {low:g} to {high:g} {unit}, got {bad}".replace(" ,", ",")
        )


def peak_level(peak):
    if peak is not None and not -120 <= peak <= 0:
        raise ValueError(f"peak must be from -120 to 0 dB, got {peak}")


def rate_of(rate):
    if isinstance(rate, bool) or not hasattr(rate, "__index__"):
        raise TypeError(f"rate must be a whole number of samples per second, got {rate!r}")
    within("rate", rate, 4000, 384_000, "samples per second")


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


def require_memory(what, samples):
    checks.require_memory(what, 60 * samples, "make it shorter")
