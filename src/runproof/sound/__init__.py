"""Sound from numbers: notes, scales, timbres, mixing, players for a page, measurements.

A tune is a table with one row per note. `sonify` makes one from any data; `synthesize`
turns it into stereo sound, an array of shape (samples, 2) within -1 and 1; `player` shows
that in a notebook together with the words that say what is heard, `write` saves it::

    notes = sonify(table, {"frequency": ("height", "rank", scale("pentatonic", 220, 880)),
                           "duration": 0.25, "pan": ("speed", "linear", (-0.8, 0.8))})
    player(synthesize(notes, "marimba"), "Forty wooden notes that rise, then fall.")

Levels in dB are relative to full scale, unless they are sound pressure levels.
"""

from runproof.sound.audio import RATE
from runproof.sound.desk import mix, normalize, room, true_peak
from runproof.sound.measure import click_energy, loudness_range, short_term_level, spectrogram
from runproof.sound.notes import SCALES, quantize, scale, sonify
from runproof.sound.output import Player, player, write
from runproof.sound.tones import TIMBRES, Timbre, sound_pressure, synthesize

__all__ = [
    "RATE",
    "SCALES",
    "TIMBRES",
    "Player",
    "Timbre",
    "click_energy",
    "loudness_range",
    "mix",
    "normalize",
    "player",
    "quantize",
    "room",
    "scale",
    "short_term_level",
    "sonify",
    "sound_pressure",
    "spectrogram",
    "synthesize",
    "true_peak",
    "write",
]
