"""The mixing desk: tracks added up, a room around them, peaks between the samples."""

import numpy as np
from scipy import signal

from runproof.sound.audio import RATE, peak_level, rate_of, stereo
from runproof.validation import number

_BLOCK, _EDGE = 1 << 16, 16  # samples worked on at a time, and their reach into the next block


def mix(tracks, gains=None, peak=-1.0):
    """Add up tracks that start together; shorter ones end in silence.

    Parameters
    ----------
    tracks : sequence of ndarray, each of shape (samples, 2)
        At the same rate.
    gains : sequence of float, optional
        One for each track, in dB; default 0.
    peak : float or None
        As for `synthesize`: the true peak to scale the sum to, None for the plain sum.

    Returns
    -------
    ndarray, shape (samples, 2)

    Raises
    ------
    ValueError
        If there is no track, or an argument is not as described.
    """
    tracks = [stereo(track) for track in tracks]
    peak_level(peak)
    if not tracks:
        raise ValueError("tracks must not be empty")
    gains = np.zeros(len(tracks)) if gains is None else np.asarray(gains, dtype=float)
    if gains.shape != (len(tracks),) or not np.isfinite(gains).all():
        raise ValueError(f"gains must be {len(tracks)} finite numbers in dB, got {gains}")
    audio = np.zeros((max(map(len, tracks)), 2))
    for track, gain in zip(tracks, gains, strict=True):
        audio[: len(track)] += 10 ** (gain / 20) * track
    return audio if peak is None else normalize(audio, peak)


def room(audio, seconds=1.2, gain=-14.0, rate=RATE, peak=-1.0):
    """Let sound ring in a room: add its echo from decaying noise, different in each ear.

    Parameters
    ----------
    audio : ndarray, shape (samples, 2)
        The sound.
    seconds : float
        Time in which the echo falls by 60 dB; the sound becomes longer by as much.
    gain : float
        Power of the echo of a steady noise relative to the noise itself, in dB.
    rate : int
        Samples per second.
    peak : float or None
        As for `synthesize`.

    Returns
    -------
    ndarray, shape (samples, 2)
        Always the same for the same sound: the noise has a fixed seed.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.
    """
    audio = stereo(audio)
    rate_of(rate)
    peak_level(peak)
    number("seconds", seconds, 0.1, 20)
    number("gain", gain, -60, 20, unit="dB")
    time = np.arange(round(seconds * rate)) / rate
    fall = 10 ** (-3 * time / seconds) * raised_cosine(time / 0.02)
    fall *= raised_cosine(4 * (1 - time / seconds))
    echo = np.random.default_rng(0).standard_normal((len(time), 2)) * fall[:, None]
    band = signal.butter(2, (300, min(3500, 0.4 * rate)), "bandpass", fs=rate, output="sos")
    echo = signal.sosfilt(band, echo, axis=0)
    echo *= 10 ** (gain / 20) / np.sqrt(np.sum(echo**2, axis=0))
    wet = signal.oaconvolve(audio, echo, axes=0)
    wet[: len(audio)] += audio
    wet[-1] = 0
    return wet if peak is None else normalize(wet, peak)


def true_peak(audio):
    """Return the peak of the sound between the samples too, in dB.

    Parameters
    ----------
    audio : ndarray, shape (samples,) or (samples, 2)
        The sound.

    Returns
    -------
    float
        Of the sound at four times the rate, as ITU-R BS.1770-5, annex 2, has it; minus
        infinity for silence.
    """
    audio = stereo(audio)
    highest = np.abs(audio).max()
    padded = np.pad(audio, ((_EDGE, _EDGE), (0, 0)))
    for start in range(0, len(audio), _BLOCK):
        block = padded[start : start + _BLOCK + 2 * _EDGE]
        if 4 * np.abs(block).max() > highest:  # else no peak between samples gets that far
            fine = signal.resample_poly(block, 4, 1)[4 * _EDGE : -4 * _EDGE]
            highest = max(highest, np.abs(fine).max())
    return 20 * np.log10(highest) if highest else -np.inf


def normalize(audio, peak=-1.0):
    """Scale sound to a true peak.

    Parameters
    ----------
    audio : ndarray, shape (samples,) or (samples, 2)
        The sound.
    peak : float
        In dB, at most 0. The default leaves room for what a lossy format adds.

    Returns
    -------
    ndarray, shape (samples, 2)

    Raises
    ------
    ValueError
        If the sound is silent, or an argument is not as described.
    """
    audio = stereo(audio)
    peak_level(peak)
    found = true_peak(audio)
    if np.isinf(found):
        raise ValueError("audio is silent: it cannot be scaled to a peak")
    return audio * 10 ** ((peak - found) / 20)


def raised_cosine(x):
    """Rise from 0 at x <= 0 to 1 at x >= 1, smoothly."""
    return np.sin(np.pi / 2 * np.clip(x, 0, 1)) ** 2
