"""Sound measured: levels, clicks, spectrum."""

import numpy as np
from scipy import fft, signal

from runproof.sound.audio import RATE, stereo


def short_term_level(audio, rate=RATE, window=0.4):
    """Return the level of the sound over time.

    Parameters
    ----------
    audio : ndarray, shape (samples,) or (samples, 2)
        The sound.
    rate : int
        Samples per second.
    window : float
        Seconds over which power is averaged; windows overlap by three quarters.

    Returns
    -------
    times, level : ndarray
        Centers of the windows in seconds; root mean square of all channels in dB, where a
        full-scale sine has -3.01, and silence minus infinity.

    Raises
    ------
    ValueError
        If the sound is shorter than one window.
    """
    audio = stereo(audio)
    hop = round(window * rate / 4)
    if not 0 < 4 * hop <= len(audio):
        raise ValueError(
            f"window must be from {4 / rate:.2g} s to {len(audio) / rate:.3g} s, got {window}"
        )
    quarters = np.mean(audio[: len(audio) // hop * hop] ** 2, axis=1).reshape(-1, hop).mean(axis=1)
    power = np.lib.stride_tricks.sliding_window_view(quarters, 4).mean(axis=1)
    with np.errstate(divide="ignore"):
        return (np.arange(len(power)) + 2) * hop / rate, 10 * np.log10(power)


def loudness_range(audio, rate=RATE, window=0.4, percentiles=(10, 95)):
    """Return how far the level of the sound varies, in dB.

    Parameters
    ----------
    audio : ndarray, shape (samples,) or (samples, 2)
        The sound.
    rate : int
        Samples per second.
    window : float
        Seconds, as for `short_term_level`.
    percentiles : tuple of float
        The distance between these two percentiles of the short-term level is returned.
        What lies more than 60 dB below the loudest window counts as silence and is left out.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the sound is shorter than one window, or silent.

    Notes
    -----
    The percentiles are those of the loudness range of EBU Tech 3342; its weighting of
    frequencies is left out, so that the number is about the signal alone.
    """
    _, level = short_term_level(audio, rate, window)
    if np.isinf(level.max()):
        raise ValueError("audio is silent: it has no loudness range")
    low, high = np.percentile(level[level > level.max() - 60], percentiles)
    return high - low


def click_energy(audio, above, rate=RATE):
    """Return the share of the sound's energy above a frequency, in dB.

    A smooth note stays in the band of its partials. A step, such as the end of a note that
    is cut off, is heard as a click: energy at all frequencies, also high above that band.

    Parameters
    ----------
    audio : ndarray, shape (samples,) or (samples, 2)
        The sound.
    above : float
        Hz. Take it well above the highest partial, such as three times.
    rate : int
        Samples per second.

    Returns
    -------
    float
        10 log10 of the energy above `above`, divided by all energy. A sound that does not
        begin and end with silence is stepped there, too.

    Raises
    ------
    ValueError
        If `above` is not between 0 and half the rate, or the sound is silent.
    """
    audio = stereo(audio)
    if not 0 < above < rate / 2:
        raise ValueError(f"above must be between 0 and {rate / 2} Hz, got {above}")
    length = fft.next_fast_len(len(audio) + rate // 10, real=True)
    energy = np.sum(np.abs(fft.rfft(audio, length, axis=0)) ** 2, axis=1)
    if not energy.any():
        raise ValueError("audio is silent: it has no energy to share")
    high = energy[fft.rfftfreq(length, 1 / rate) > above].sum()
    return 10 * np.log10(max(high / energy.sum(), 1e-30))


def spectrogram(audio, rate=RATE, window=0.05, top=5000.0, floor=-80.0):
    """Return what sounds when: the power of the sound by time and frequency.

    Parameters
    ----------
    audio : ndarray, shape (samples,) or (samples, 2)
        The sound.
    rate : int
        Samples per second.
    window : float
        Seconds of the Hann window; they overlap by three quarters.
    top : float
        Highest frequency to return, in Hz.
    floor : float
        Lowest level to return, in dB.

    Returns
    -------
    times : ndarray, shape (n,)
        Seconds.
    frequencies : ndarray, shape (m,)
        Hz.
    level : ndarray, shape (m, n)
        dB below the loudest point; ``pcolormesh(times, frequencies, level)`` draws it.

    Raises
    ------
    ValueError
        If the sound is shorter than one window, or silent.
    """
    audio = stereo(audio)
    length = round(window * rate)
    if not 8 <= length <= len(audio):
        raise ValueError(
            f"window must be from {8 / rate:.2g} s to {len(audio) / rate:.3g} s, got {window}"
        )
    transform = signal.ShortTimeFFT(signal.windows.hann(length, sym=False), length // 4, rate)
    rows = int(np.searchsorted(transform.f, top, side="right"))
    power = sum(transform.spectrogram(channel)[:rows] for channel in audio.T)
    if not power.any():
        raise ValueError("audio is silent: it has no spectrum")
    level = 10 * np.log10(np.maximum(power / power.max(), 10 ** (floor / 10)))
    return transform.t(len(audio)), transform.f[:rows], level
