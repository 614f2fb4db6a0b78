"""Sound in files and in pages."""

import base64
import io
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
import soundfile
from scipy import signal

from runproof.files import written_whole
from runproof.sound.audio import RATE, rate_of, stereo
from runproof.validation import number

_FORMATS = {".wav": "WAV", ".flac": "FLAC", ".mp3": "MP3"}
_MP3_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)


def write(path, audio, rate=RATE, bits=16):
    """Save sound in a file; on failure, nothing is left behind and an old file stays.

    Parameters
    ----------
    path : path-like
        Ends in .wav or .flac, both exact, or .mp3.
    audio : ndarray, shape (samples,) or (samples, 2)
        Within -1 and 1.
    rate : int
        Samples per second.
    bits : {16, 24}
        Per sample, for .wav and .flac. 16 bits are dithered with seeded noise.

    Returns
    -------
    pathlib.Path
        The file, with the same bytes in every run.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described; sound that would clip is refused.
    OSError
        If the file cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in _FORMATS:
        raise ValueError(f"path must end in {', '.join(_FORMATS)}, got {path.name!r}")
    encoded = _encode(audio, rate, _FORMATS[path.suffix.lower()], bits)
    with written_whole(path) as (part,):
        part.write_bytes(encoded)
    return path


def _encode(audio, rate, container, bits=16, quality=0.5):
    """Return the bytes of a sound file."""
    audio = stereo(audio)
    rate_of(rate)
    if bits not in (16, 24):
        raise ValueError(f"bits must be 16 or 24, got {bits!r}")
    _refuse_clipping(audio)
    if container == "MP3" and rate not in _MP3_RATES:
        raise ValueError(f"rate must be one of {_MP3_RATES} for MP3, got {rate}")
    if np.array_equal(audio[:, 0], audio[:, 1]):
        audio = audio[:, :1]
    top = 2 ** (bits - 1)
    scaled = audio * top
    if bits == 16:  # triangular dither: the error is noise, independent of the sound
        scaled += np.subtract(*np.random.default_rng(0).random((2, *audio.shape)))
    samples = np.clip(np.rint(scaled), -top, top - 1).astype(np.int32) << (32 - bits)
    kind = {"subtype": f"PCM_{bits}"}
    if container == "MP3":
        kind = {"bitrate_mode": "VARIABLE", "compression_level": 0.99 * (1 - quality)}
    file = io.BytesIO()  # 32-bit samples: libsndfile 1.2.2 garbles stereo MP3 given as 16-bit ones
    soundfile.write(file, samples, rate, format=container, **kind)
    return file.getvalue()


def _refuse_clipping(audio):
    if (highest := np.abs(audio).max()) > 1:
        raise ValueError(f"audio reaches {highest:.3g} and would clip at 1: use normalize(audio)")


@dataclass(frozen=True, repr=False)
class Player:
    """Sound in a page, with its description; made by `player`.

    Attributes
    ----------
    mp3 : bytes
        The compressed sound.
    seconds : float
        Its duration.
    description : str
        What is heard.
    """

    mp3: bytes
    seconds: float
    description: str

    def __repr__(self):
        return f"Sound, {self.seconds:.1f} s: {self.description}"

    def _repr_html_(self):
        data = base64.b64encode(self.mp3).decode()
        return (
            '<figure class="runproof-sound" style="margin:1em 0">'
            f'<audio controls preload="metadata" style="width:100%" aria-label="Sound, '
            f'{self.seconds:.0f} seconds" src="data:audio/mpeg;base64,{data}"></audio>'
            "<figcaption><strong>What is heard:</strong> "
            f"{escape(self.description)}</figcaption></figure>"
        )


def player(audio, description, rate=RATE, quality=0.5, compact=True, limit=700_000):
    """Show sound with controls in a notebook and on the site.

    Parameters
    ----------
    audio : ndarray, shape (samples,) or (samples, 2)
        Within -1 and 1.
    description : str
        What is heard, in words, at least 20 characters: it stands under the controls, for
        those who do not hear the sound and for those who want to know what to listen for.
    rate : int
        Samples per second, one that MP3 knows.
    quality : float
        From 0, smallest, to 1, best.
    compact : bool
        Whether to halve the rate first. A page is a third to two thirds smaller for it; what
        lies above a quarter of the rate, 11 kHz, is lost.
    limit : int
        The most bytes that the sound may add to the page.

    Returns
    -------
    Player
        Shows itself as HTML that carries the sound as MP3; as text, it gives the duration
        and the description.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, or the sound does not fit within `limit`.
    """
    if not isinstance(description, str) or len(description.strip()) < 20:
        raise ValueError(
            f"description must say in at least 20 characters what is heard, got {description!r}"
        )
    number("quality", quality, 0, 1)
    rate_of(rate)
    seconds = len(stereo(audio)) / rate
    if compact and rate // 2 in _MP3_RATES:
        _refuse_clipping(audio)
        audio, rate = np.clip(signal.resample_poly(stereo(audio), 1, 2), -1, 1), rate // 2
    mp3 = _encode(audio, rate, "MP3", quality=quality)
    if 4 * len(mp3) / 3 > limit:
        raise ValueError(
            f"{seconds:.0f} s of sound take {4 * len(mp3) / 3:,.0f} bytes in a page, more than "
            f"limit={limit:,}: shorten the sound, or lower quality={quality}"
        )
    return Player(mp3, seconds, description.strip())
