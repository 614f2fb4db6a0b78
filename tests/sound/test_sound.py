"""Sound: measured with tools that share no code with its synthesis."""

import base64
import io
import os
import re
import warnings

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from runproof import sound
from runproof.sound import (
    RATE,
    TIMBRES,
    Timbre,
    audio,
    click_energy,
    loudness_range,
    mix,
    normalize,
    player,
    quantize,
    room,
    scale,
    short_term_level,
    sonify,
    sound_pressure,
    spectrogram,
    synthesize,
    true_peak,
    write,
)

steady = settings(deadline=None, derandomize=True, max_examples=25)
TEXT = "A rising row of three soft notes."


def one(frequency=440.0, duration=0.5, **more):
    return pd.DataFrame({"frequency": [frequency], "duration": [duration], **more})


def peak_frequency(audio, rate=RATE):
    """The strongest frequency, by a zero-padded spectrum and a parabola through its top."""
    mono = audio.sum(axis=1) * np.hanning(len(audio))
    n = 8 * len(mono)
    power = np.log(np.abs(np.fft.rfft(mono, n)) + 1e-300)
    top = int(power.argmax())
    a, b, c = power[top - 1 : top + 2]
    return (top + (a - c) / (2 * (a - 2 * b + c))) * rate / n


def hard_cut(frequencies, duration=0.25, rate=RATE):
    """Sines that are cut off at whatever phase they have, as the published piece does."""
    time = np.arange(round(duration * rate)) / rate
    return np.concatenate([0.5 * np.sin(2 * np.pi * f * time) for f in frequencies])


# Scales


def test_the_white_keys_are_the_published_eighteen_notes():
    tones = scale("white keys", 196.00, 1046.50)
    published = [
        196.00, 220.00, 246.94, 261.63, 293.66, 329.63, 349.23, 392.00, 440.00, 493.88, 523.25,
        587.33, 659.26, 698.46, 783.99, 880.00, 987.77, 1046.50,
    ]  # fmt: skip
    np.testing.assert_allclose(tones, published, atol=0.005)


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("major", [2, 2, 1, 2, 2, 2, 1]),
        ("minor", [2, 1, 2, 2, 1, 2, 2]),
        ("pentatonic", [2, 2, 3, 2, 3]),
        ("whole tone", [2] * 6),
        ("chromatic", [1] * 12),
    ],
)
@pytest.mark.parametrize(("root", "low"), [("A", 220.0), ("C", 261.63), ("F#", 92.4986)])
def test_scales_step_as_they_should_from_their_root(name, steps, root, low):
    tones = scale(name, low, 2 * low, root)
    np.testing.assert_allclose(12 * np.log2(tones[1:] / tones[:-1]), steps, atol=1e-9)
    assert tones[0] == pytest.approx(low, rel=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("blues", 200, 400), "unknown scale 'blues'; known: major"),
        (("major", 400, 200), "0 < low < high"),
        (("major", 0, 200), "0 < low < high"),
        (("major", np.nan, 200), "0 < low < high"),
        (("major", 441, 465), "no tone of the major scale"),
        (("major", 200, 400, "H"), "unknown root 'H'"),
        (("white keys", 200, 400, "D"), "white keys have root 'C'"),
    ],
)
def test_impossible_scales_are_refused(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        scale(*arguments)


@steady
@given(st.lists(st.floats(30, 8000), min_size=1, max_size=20))
def test_quantize_finds_the_nearest_tone(frequencies):
    tones = scale("pentatonic", 50, 4000)
    found = quantize(frequencies, tones)
    distance = np.abs(np.log(np.divide.outer(frequencies, tones)))
    np.testing.assert_allclose(np.abs(np.log(found / frequencies)), distance.min(axis=1))
    np.testing.assert_array_equal(quantize(found, tones), found)


def test_quantize_refuses_what_is_no_frequency():
    with pytest.raises(ValueError, match="frequency must be above 0 Hz and finite, got -1"):
        quantize([440, -1], [440])
    with pytest.raises(ValueError, match="tones must not be empty"):
        quantize([440], [])


# Loudness


def test_contours_have_the_values_of_the_standard():
    assert sound_pressure(1000, np.array([20, 40, 60, 80])) == pytest.approx(
        [20, 40, 60, 80], abs=0.02
    )
    # The contour of 40 phons, as other implementations of the standard print it.
    forty = [99.85, 64.37, 53.41, 36.65, 54.28]
    assert sound_pressure([20, 100, 200, 4000, 10_000], 40) == pytest.approx(forty, abs=0.005)


@steady
@given(st.floats(20, 12_500), st.floats(20, 89), st.floats(0.01, 1))
def test_louder_takes_more_pressure_at_every_frequency(frequency, phon, more):
    assert sound_pressure(frequency, phon + more) > sound_pressure(frequency, phon)


def test_equally_loud_notes_have_the_levels_of_the_contour():
    for frequency in (60.0, 196.0, 1000.0, 3300.0, 9000.0):
        audio = synthesize(one(frequency, 1, loudness=50.0), "sine", peak=None)
        power = np.sum(audio[RATE // 4 : 3 * RATE // 4] ** 2) / (RATE / 2)
        assert 100 + 10 * np.log10(2 * power) == pytest.approx(
            sound_pressure(frequency, 50), abs=0.01
        )


def test_partials_share_the_loudness_of_a_note():
    timbre = Timbre((1, 10), (0, 0), (np.inf, np.inf), 0.01, 0.01)
    audio = synthesize(one(100.0, 1, loudness=60.0), timbre, peak=None).sum(axis=1)
    spectrum = np.abs(np.fft.rfft(audio[:RATE] * np.hanning(RATE))) * 4 / RATE / np.sqrt(2)
    levels = 100 + 20 * np.log10(spectrum[[100, 1000]])
    assert levels[0] == pytest.approx(levels[1], abs=0.1)
    shares = 10 ** ((levels - sound_pressure([100, 1000], 60)) / 10)
    assert shares.sum() == pytest.approx(1, abs=0.02)


# Synthesis


@pytest.mark.parametrize("timbre", TIMBRES)
@pytest.mark.parametrize("frequency", [196.0, 440.0, 1046.5023, 3001.7])
def test_notes_are_in_tune(timbre, frequency):
    audio = synthesize(one(frequency, 1.5), timbre)
    assert peak_frequency(audio) == pytest.approx(frequency, abs=0.1)


def test_a_tone_is_the_exact_sine_while_it_is_held():
    start = 0.1234567
    audio = synthesize(one(437.0, 1, level=-6.0, start=start), "sine", peak=None)
    time = np.arange(RATE // 5, RATE) / RATE
    wanted = 10 ** (-6 / 20) * np.sin(2 * np.pi * 437 * (time - start)) / np.sqrt(2)
    np.testing.assert_allclose(audio[RATE // 5 : RATE, 0], wanted, atol=1e-9)


a_note = st.tuples(
    st.floats(40, 9000),
    st.floats(0.005, 0.3),
    st.floats(25, 85),
    st.floats(-1, 1),
    st.floats(0, 0.5),
)


@steady
@given(st.lists(a_note, min_size=1, max_size=5), st.sampled_from(sorted(TIMBRES)), st.booleans())
def test_sound_never_clips_and_begins_and_ends_in_silence(rows, timbre, melody):
    notes = pd.DataFrame(rows, columns=["frequency", "duration", "loudness", "pan", "start"])
    audio = synthesize(notes.drop(columns="start") if melody else notes, timbre)
    assert audio.ndim == 2
    assert audio.shape[1] == 2
    np.testing.assert_allclose(audio[[0, -1]], 0, atol=1e-12)
    assert true_peak(audio) == pytest.approx(-1, abs=1e-6)
    assert np.abs(audio).max() <= 10 ** (-1 / 20) + 1e-9


def test_no_partial_reaches_half_the_rate():
    for timbre in TIMBRES:
        audio = synthesize(one(6000.0, 0.5), timbre)
        assert peak_frequency(audio) == pytest.approx(6000, abs=0.5)
        below = 20 * np.log10(np.abs(np.fft.rfft(audio[:, 0] * np.hanning(len(audio)))) + 1e-12)
        frequencies = np.fft.rfftfreq(len(audio), 1 / RATE)
        partials = 6000 * np.array(TIMBRES[timbre].ratios)
        away = np.abs(np.subtract.outer(frequencies, partials)).min(axis=1) > 2000
        assert below[away].max() < below.max() - 60  # nothing is folded back


def test_one_note_follows_the_other_without_gap_or_step():
    notes = pd.DataFrame({"frequency": [440.0] * 3, "duration": [0.25] * 3, "level": -6.0})
    for timbre in ("sine", "flute"):
        audio = synthesize(notes, timbre, peak=None)
        assert len(audio) == np.ceil((0.75 + TIMBRES[timbre].release) * RATE) + 1
        _, level = short_term_level(audio[RATE // 20 : 7 * RATE // 10], window=0.02)
        assert level.min() > -9 - 3.5  # 110 periods fit into a note: both are in phase
    # One note of 0.75 s is the same as three of 0.25 s: raised cosines add up to 1.
    joined = synthesize(one(440.0, 0.75, level=-6.0), "sine", peak=None)
    np.testing.assert_allclose(synthesize(notes, "sine", peak=None), joined, atol=1e-9)


def test_notes_shorter_than_the_attack_rise_all_the_same():
    audio = synthesize(one(440.0, 0.004, level=-6.0), "sine", peak=None)
    assert np.abs(audio).max() > 0.3
    assert click_energy(audio, 6000) < -80


@pytest.mark.parametrize("timbre", ["sine", "flute"])
def test_enveloped_notes_do_not_click(timbre):
    tones = [261.63, 329.63, 392.0, 311.1, 277.2]
    notes = pd.DataFrame({"frequency": tones, "duration": 0.2513})
    clicks, smooth = (
        click_energy(hard_cut(tones, 0.2513), 6000),
        click_energy(synthesize(notes, timbre), 6000),
    )
    assert clicks > -60
    assert smooth < -100
    assert click_energy(room(synthesize(notes, timbre)), 8000) < -40


def test_click_energy_is_the_share_of_high_energy():
    time = np.arange(RATE) / RATE
    window = np.hanning(RATE)
    audio = window * (np.sin(2 * np.pi * 500 * time) + 0.1 * np.sin(2 * np.pi * 5000 * time))
    assert click_energy(audio, 2000) == pytest.approx(10 * np.log10(0.01 / 1.01), abs=0.01)
    assert click_energy(7 * audio, 2000) == pytest.approx(click_energy(audio, 2000), abs=1e-9)


@steady
@given(st.floats(-1, 1))
def test_pan_keeps_the_power(pan):
    audio = synthesize(one(440.0, 0.1, level=0.0, pan=pan), "sine", peak=None)
    center = synthesize(one(440.0, 0.1, level=0.0), "sine", peak=None)
    assert np.sum(audio**2) == pytest.approx(np.sum(center**2), rel=1e-9)
    left, right = np.sum(audio**2, axis=0)
    assert (right - left) * pan >= -1e-9
    if abs(pan) == 1:
        assert min(left, right) == pytest.approx(0, abs=1e-20)


def test_sound_is_the_same_in_every_run():
    notes = pd.DataFrame({"frequency": [300.0, 500.0], "duration": 0.1, "pan": [-0.5, 0.5]})
    first, second = (room(synthesize(notes, "bell"), seconds=0.3) for _ in range(2))
    np.testing.assert_array_equal(first, second)


BAD_NOTES = [
    ({"frequency": []}, ValueError, "notes must not be empty"),
    ({"frequency": [440.0]}, ValueError, "columns duration"),
    ({"frequency": [440.0], "duration": [1.0], "loud": 3}, ValueError, "unknown channel 'loud'"),
    ({"frequency": [22050.0], "duration": [1.0]}, ValueError, "below half the rate, 22050.0 Hz"),
    ({"frequency": [-4.0], "duration": [1.0]}, ValueError, "frequency must be above 0"),
    ({"frequency": [440.0], "duration": [-1.0]}, ValueError, "duration must be above 0"),
    ({"frequency": [440.0], "duration": [0.0]}, ValueError, "duration must be above 0"),
    ({"frequency": [440.0, np.nan], "duration": [1.0, 1.0]}, ValueError, "row 1"),
    ({"frequency": [440.0], "duration": [np.inf]}, ValueError, "row 0"),
    ({"frequency": [440.0], "duration": [1.0], "pan": 2}, ValueError, "from -1 to 1, got 2"),
    ({"frequency": [440.0], "duration": [1.0], "start": -1}, ValueError, "start must be"),
    ({"frequency": [440.0], "duration": [1.0], "level": 3}, ValueError, "must be from -120 to 0"),
    ({"frequency": [440.0], "duration": [1.0], "loudness": 95}, ValueError, "20 to 90 phons"),
    ({"frequency": [15e3], "duration": [1.0]}, ValueError, "frequency must be from 20 to 12500 Hz"),
    ({"frequency": [4.0], "duration": [1.0], "loudness": 60, "level": -3}, ValueError, "not both"),
    ({"frequency": [440.0], "duration": [1e9]}, MemoryError, "GB are available: make it shorter"),
]  # fmt: skip


@pytest.mark.parametrize(("notes", "error", "message"), BAD_NOTES)
def test_bad_notes_are_refused(notes, error, message):
    with pytest.raises(error, match=re.escape(message)):
        synthesize(notes)


@pytest.mark.parametrize(
    ("more", "error", "message"),
    [
        ({"timbre": "oboe"}, ValueError, "timbre must be one of sine"),
        ({"rate": 44_100.0}, TypeError, "rate must be a whole number"),
        ({"rate": 10}, ValueError, "rate must be from 4000"),
        ({"peak": 3}, ValueError, "peak must be from -120 to 0 dB, got 3"),
    ],
)
def test_bad_arguments_of_synthesize_are_refused(more, error, message):
    with pytest.raises(error, match=re.escape(message)):
        synthesize(one(), **more)


# The mixing desk


def test_mixing_is_linear():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 500, 2))
    np.testing.assert_allclose(mix([a, b[:300]], peak=None)[300:], a[300:])
    np.testing.assert_allclose(mix([a, b], [0, -20], peak=None), a + 0.1 * b)
    np.testing.assert_allclose(mix([2 * a, 2 * b], peak=None), 2 * mix([a, b], peak=None))
    assert true_peak(mix([a, b])) == pytest.approx(-1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([],), "tracks must not be empty"),
        (([np.zeros((9, 2))],), "silent"),
        (([np.zeros((9, 3))],), "audio must have shape (samples, 2)"),
        (([np.ones((9, 2))], [1, 2]), "gains must be 1 finite numbers"),
        (([np.full((9, 2), np.nan)],), "audio must be finite"),
    ],
)
def test_bad_mixes_are_refused(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        mix(*arguments)


@pytest.mark.parametrize("samples", [3000, (1 << 16) + 5, 200_000])
def test_true_peak_sees_between_the_samples(samples):
    # At a quarter of the rate and 45 degrees, all samples miss the crest by 3 dB.
    wave = np.sin(np.pi / 2 * np.arange(samples) + np.pi / 4) * np.hanning(samples)
    assert 20 * np.log10(np.abs(wave).max()) == pytest.approx(-3.01, abs=0.01)
    assert true_peak(wave) == pytest.approx(0, abs=0.1)
    assert true_peak(0 * wave) == -np.inf
    assert np.abs(normalize(wave, 0)).max() == pytest.approx(np.sqrt(0.5), abs=0.01)


def test_a_room_rings_and_falls_by_60_db():
    click = np.zeros((RATE, 2))
    click[0] = 1
    wet = room(click, seconds=1.0, gain=-12, peak=None)
    assert len(wet) == 2 * RATE - 1
    echo = wet[1:RATE]
    np.testing.assert_allclose(np.sum(echo**2, axis=0), 10**-1.2, rtol=0.05)
    assert abs(np.corrcoef(echo.T)[0, 1]) < 0.1  # the ears hear different echoes
    early, late = (np.mean(echo[int(t * RATE) :][:4410] ** 2) for t in (0.1, 0.6))
    assert 10 * np.log10(early / late) == pytest.approx(30, abs=3)


# Tables into tunes

TABLE = pd.DataFrame(
    {"x": [1.0, 2.0, 3.0, 11.0], "y": [4, 3, 2, 1], "flat": 1.0}, index=list("abcd")
)


def channel(name, rule, table=TABLE):
    mapping = {"frequency": 440, "duration": 0.1} | {name: rule}
    return sonify(table, mapping)[name].tolist()


def test_linear_goes_by_size_and_rank_by_order():
    assert channel("duration", ("x", "linear", (0.5, 1.5))) == pytest.approx([0.5, 0.6, 0.7, 1.5])
    assert channel("duration", ("x", "rank", (0.5, 1.5))) == pytest.approx([0.5, 5 / 6, 7 / 6, 1.5])
    assert channel("pan", ("x", "linear", (-1, 1), "inverted")) == pytest.approx([1, 0.8, 0.6, -1])
    assert channel("frequency", ("x", "linear", (100, 1600))) == pytest.approx(
        100 * 2 ** np.array([0, 0.4, 0.8, 4])
    )
    assert channel("loudness", 60) == [60] * 4
    notes = sonify(TABLE, {"frequency": 440, "duration": 0.1})
    assert list(notes.index) == list("abcd")
    assert len(synthesize(notes, "sine")) > 0.4 * RATE


def test_an_array_gives_values_to_choose_from():
    tones = [100, 200, 300, 400]
    assert channel("frequency", ("x", "linear", tones)) == [100, 100, 100, 400]
    assert channel("frequency", ("x", "rank", tones)) == [100, 200, 300, 400]
    assert channel("frequency", ("y", "rank", np.array(tones))) == [400, 300, 200, 100]
    assert channel("frequency", ("y", "rank", tones, "inverted")) == [100, 200, 300, 400]


@steady
@given(st.integers(2, 30), st.integers(1, 12), st.randoms(use_true_random=False))
def test_rank_uses_all_tones_equally_often(times, count, random):
    values = list(range(times * count))
    random.shuffle(values)
    table = pd.DataFrame({"v": np.exp(np.array(values) / 10)})
    found = channel("frequency", ("v", "rank", np.arange(1, count + 1)), table)
    _, counts = np.unique(found, return_counts=True)
    assert len(counts) == count
    assert np.ptp(counts) <= 2


def test_equal_values_get_equal_notes():
    table = pd.DataFrame({"v": [5, 1, 5, 9, 5]})
    found = channel("pan", ("v", "rank", (-1, 1)), table)
    assert found == pytest.approx([0, -1, 0, 1, 0])


@pytest.mark.parametrize(
    ("name", "rule", "error", "message"),
    [
        ("pan", ("z", "rank", (0, 1)), ValueError, "pan: no column 'z'; there are: x, y"),
        ("pan", ("flat", "rank", (0, 1)), ValueError, "column 'flat' is constant"),
        ("pan", ("gap", "rank", (0, 1)), ValueError, "column 'gap' has 1 missing or infinite"),
        ("pan", ("word", "rank", (0, 1)), TypeError, "column 'word' must hold real numbers"),
        ("pan", ("z²", "rank", (0, 1)), TypeError, "column 'z²' must hold real numbers"),
        ("pan", ("x", "log", (0, 1)), ValueError, "scaling must be 'linear' or 'rank', got 'log'"),
        ("pan", ("x", "rank", (1, 0)), ValueError, "a range must be (low, high)"),
        ("pan", ("x", "rank", (1, 2, 3)), ValueError, "a range must be (low, high)"),
        ("pan", ("x", "rank", []), ValueError, "one row of finite numbers"),
        ("pan", ("x", "rank", (0, 1), "upside down"), ValueError, "must be 'inverted'"),
        ("pan", "x", TypeError, "a rule is a number or (column, scaling, target)"),
        ("frequency", ("x", "rank", (0, 100)), ValueError, "frequency must be above 0"),
        ("volume", 3, ValueError, "unknown channel 'volume'"),
    ],
)
def test_bad_rules_are_refused(name, rule, error, message):
    table = TABLE.assign(gap=[1, np.nan, 2, 3], word=list("abcd"), **{"z²": [1j, 2, 3, 4]})
    with pytest.raises(error, match=re.escape(message)):
        channel(name, rule, table)


def test_bad_tables_and_mappings_are_refused():
    with pytest.raises(ValueError, match="table must not be empty"):
        sonify(TABLE[:0], {"frequency": 440, "duration": 1})
    with pytest.raises(ValueError, match="channels duration, frequency"):
        sonify(TABLE, {})
    with pytest.raises(ValueError, match="not both"):
        sonify(TABLE, {"frequency": 440, "duration": 1, "loudness": 60, "level": -3})


# Files and pages


@pytest.fixture(scope="module")
def tune():
    notes = {"frequency": [262.0, 330.0, 392.0], "duration": 0.3, "pan": [-0.7, 0.0, 0.7]}
    return synthesize(pd.DataFrame(notes))


@pytest.mark.parametrize(
    ("name", "bits", "error"),
    [
        ("a.wav", 16, 2.0**-14),
        ("a.wav", 24, 2.0**-22),
        ("a.flac", 16, 2.0**-14),
        ("a.FLAC", 24, 2.0**-22),
    ],
)
def test_files_hold_what_was_written(tmp_path, tune, name, bits, error):
    path = write(tmp_path / name, tune, bits=bits)
    found, rate = soundfile.read(path)
    assert rate == RATE
    assert soundfile.info(path).subtype == f"PCM_{bits}"
    np.testing.assert_allclose(found, tune, atol=error)
    first = path.read_bytes()
    assert write(path, tune, bits=bits).read_bytes() == first
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_dither_is_noise_that_does_not_follow_the_sound(tmp_path):
    quiet = np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE) / 2**16  # half a step high
    found, _ = soundfile.read(write(tmp_path / "quiet.wav", quiet))
    assert found.ndim == 1  # equal channels are stored once
    spectrum = np.abs(np.fft.rfft(found)) / RATE * 2
    assert spectrum[1000] == pytest.approx(2.0**-16, rel=0.1)
    assert spectrum[[2000, 3000, 5000]].max() < 2.0**-20


@pytest.mark.parametrize("stereo", [True, False])
def test_mp3_sounds_like_the_original(tmp_path, tune, stereo):
    audio = tune if stereo else tune.mean(axis=1)
    found, rate = soundfile.read(write(tmp_path / "a.mp3", audio))
    assert rate == RATE
    assert found.shape == audio.shape
    assert np.mean((found - audio) ** 2) < 1e-3 * np.mean(audio**2)
    assert write(tmp_path / "b.mp3", audio).read_bytes() == (tmp_path / "a.mp3").read_bytes()


def test_a_failed_write_leaves_the_old_file(tmp_path, tune, monkeypatch):
    path = write(tmp_path / "a.wav", tune)
    before = path.read_bytes()

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write(path, tune / 2)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.wav"]


@pytest.mark.parametrize(
    ("name", "audio", "more", "message"),
    [
        ("a.ogg", np.zeros(9), {}, "path must end in .wav, .flac, .mp3, got 'a.ogg'"),
        ("a.wav", np.full(9, 1.5), {}, "audio reaches 1.5 and would clip"),
        ("a.wav", np.zeros(9), {"bits": 8}, "bits must be 16 or 24, got 8"),
        ("a.wav", np.zeros((2, 9)), {}, "audio must have shape"),
        ("a.mp3", np.zeros(9), {"rate": 96_000}, "rate must be one of (8000"),
    ],
)
def test_bad_files_are_refused(tmp_path, name, audio, more, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        write(tmp_path / name, audio, **more)
    assert not list(tmp_path.iterdir())


def test_a_player_carries_its_sound_and_says_what_is_heard(tune):
    shown = player(tune, TEXT + " <&>")
    html = shown._repr_html_()
    assert html == player(tune, TEXT + " <&>")._repr_html_()
    assert "<figcaption><strong>What is heard:</strong> " + TEXT + " &lt;&amp;&gt;" in html
    assert re.search(r'<audio controls [^>]*aria-label="Sound, 1 seconds"', html)
    found, rate = soundfile.read(
        io.BytesIO(base64.b64decode(re.search('audio/mpeg;base64,([^"]+)', html)[1]))
    )
    assert rate == RATE / 2
    assert len(found) / rate == pytest.approx(len(tune) / RATE, abs=1e-3)
    assert peak_frequency(found[: rate // 4], rate) == pytest.approx(262, abs=2)
    assert repr(shown) == f"Sound, 1.0 s: {TEXT} <&>"
    full = player(tune, TEXT, compact=False, quality=1)
    assert soundfile.info(io.BytesIO(full.mp3)).samplerate == RATE
    assert len(full.mp3) > len(shown.mp3) > len(player(tune, TEXT, quality=0).mp3)


@pytest.mark.parametrize(
    ("audio", "text", "more", "message"),
    [
        (np.zeros(999), "", {}, "at least 20 characters"),
        (np.zeros(999), "  beep               ", {}, "at least 20 characters"),
        (np.zeros(999), None, {}, "at least 20 characters"),
        (np.full(999, 2.0), TEXT, {}, "would clip"),
        (np.zeros(99_999), TEXT, {"limit": 1000}, "more than limit=1,000: shorten"),
        (np.zeros(999), TEXT, {"quality": 2}, "quality must be from 0 to 1, got 2"),
        (np.zeros(999), TEXT, {"rate": 12_345}, "rate must be one of"),
    ],
)
def test_bad_players_are_refused(audio, text, more, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        player(audio, text, **more)


# Measurements


def test_levels_and_their_range():
    time = np.arange(4 * RATE) / RATE
    loud = np.sin(2 * np.pi * 441 * time)
    times, level = short_term_level(loud)
    np.testing.assert_allclose(level, -3.01, atol=0.01)
    assert times[0] == pytest.approx(0.2)
    assert loudness_range(loud) == pytest.approx(0, abs=0.01)
    two = np.concatenate([loud, 0.1 * loud, 0 * loud])  # silence does not count
    assert loudness_range(two) == pytest.approx(20, abs=0.01)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isneginf(short_term_level(two)[1][-1])


def test_the_spectrogram_shows_what_sounds_when():
    notes = pd.DataFrame({"frequency": [500.0, 1500.0], "duration": 1.0})
    times, frequencies, level = spectrogram(synthesize(notes, "sine"))
    assert level.shape == (len(frequencies), len(times))
    assert frequencies.max() <= 5000
    assert level.max() == 0
    assert level.min() >= -80
    for time, frequency in ((0.5, 500), (1.5, 1500)):
        column = level[:, np.abs(times - time).argmin()]
        assert frequencies[column.argmax()] == pytest.approx(frequency, abs=20)


@pytest.mark.parametrize(
    ("measure", "message"),
    [
        (lambda: short_term_level(np.ones(99)), "window must be from"),
        (lambda: loudness_range(np.zeros(RATE)), "silent"),
        (lambda: click_energy(np.zeros(99), 5000), "silent"),
        (lambda: click_energy(np.ones(99), 30_000), "between 0 and 22050.0 Hz, got 30000"),
        (lambda: spectrogram(np.zeros(RATE)), "silent"),
        (lambda: spectrogram(np.ones(99)), "window must be from"),
        (lambda: true_peak(np.ones((9, 9))), "audio must have shape"),
    ],
)
def test_what_cannot_be_measured_is_refused(measure, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        measure()


def test_the_public_names_are_all_documented():
    for name in sound.__all__:
        thing = getattr(sound, name)
        if callable(thing):
            assert thing.__doc__, name
    assert RATE == audio.RATE == 44_100
