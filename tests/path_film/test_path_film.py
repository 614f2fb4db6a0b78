"""The film: its streams as ffmpeg reads them, its path against mpmath."""

import re
import subprocess
import sys

import imageio_ffmpeg
import matplotlib as mpl
import mpmath
import numpy as np
import pytest
from PIL import Image

from runproof import figures, path_film, sound
from runproof.path_film import captions, eta_path, make_film, path_sound, reveal

T = 200.25


@pytest.fixture(scope="module")
def path():
    return eta_path(T)


def beep(seconds=1.0):
    notes = {"frequency": [440.0], "duration": [seconds - 0.06]}
    return sound.synthesize(notes, "flute")


def small(path, out, audio=None, **more):
    audio = beep() if audio is None else audio
    return make_film(
        path, audio, out, "A test", **({"size": (320, 176), "fps": 12, "progress": False} | more)
    )


def probe(film):
    """What ffmpeg says about a film, and its frames."""
    run = [imageio_ffmpeg.get_ffmpeg_exe(), "-i", film, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    done = subprocess.run(run, capture_output=True, check=True)
    return done.stderr.decode(), np.frombuffer(done.stdout, np.uint8).reshape(-1, 176, 320, 3)


def test_partial_sums_lead_to_eta(path):
    with mpmath.workdps(30):
        s = mpmath.mpc(0.5, T)
        some = [
            complex(mpmath.fsum((-1) ** (k - 1) * mpmath.power(k, -s) for k in range(1, n + 1)))
            for n in (1, 2, 9, 60)
        ]
        value = complex(mpmath.altzeta(s))
    np.testing.assert_allclose(path[[0, 1, 8, 59]], some, atol=1e-11)
    average = eta_path(T, 4000)
    for _ in range(300):  # repeated means of neighbors sum what only alternates
        average = (average[1:] + average[:-1]) / 2
    assert average[-1] == pytest.approx(value, abs=1e-9)


def test_the_way_is_shown_from_its_start_to_its_end(path):
    places = reveal(path, 100)
    assert places[0] == 1
    assert places[-1] == len(path)
    assert np.diff(places).min() > 0
    assert places[25] < len(path) / 8  # the beginning is not rushed


def test_the_sound_follows_the_path(path):
    audio = path_sound(path, 6.0)
    assert 6 < len(audio) / sound.RATE < 9
    assert sound.true_peak(audio) == pytest.approx(-1, abs=1e-6)
    np.testing.assert_array_equal(audio, path_sound(path, 6.0))
    assert sound.click_energy(audio, 15_000) < -60
    # From left to right and from low to high: so goes the sound.
    line = np.linspace(-1 - 1j, 1 + 1j, 50)
    audio = path_sound(line, 6.0)
    left, right = audio.T**2
    early, late = slice(0, sound.RATE), slice(4 * sound.RATE, 6 * sound.RATE)
    assert left[early].sum() > right[early].sum()
    assert left[late].sum() < right[late].sum()
    mirrored = path_sound(-line.conj(), 6.0)
    left, right = mirrored.T**2
    assert left[early].sum() < right[early].sum()


def test_a_film_has_picture_sound_captions_and_a_still(path, tmp_path):
    out = small(path, tmp_path / "a.mp4", cues=[(0, 0.5, "A tone."), (0.5, 61.25, "Silence.")])
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.mp4", "a.png", "a.vtt"]
    about, frames = probe(out)
    assert re.search(r"Duration: 00:00:0(0\.9|1\.0)", about)
    assert re.search(r"Video: h264 .*yuv420p.* 320x176.* 12 fps", about)
    assert re.search(r"Audio: aac .*44100 Hz, stereo", about)
    assert len(frames) == pytest.approx(12, abs=1)
    data = out.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # a browser can start before all is there
    still = np.asarray(Image.open(tmp_path / "a.png"))
    assert still.shape == (176, 320, 3)
    assert np.abs(frames[-1].astype(float) - still).mean() < 4
    assert (tmp_path / "a.vtt").read_text(encoding="utf-8") == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:00.500\nA tone.\n\n"
        "00:00:00.500 --> 00:01:01.250\nSilence.\n"
    )


def test_a_film_is_the_same_in_every_run(path, tmp_path):
    first, second = (small(path, tmp_path / name) for name in ("a.mp4", "b.mp4"))
    assert first.read_bytes() == second.read_bytes()
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_film_does_not_depend_on_the_readers_style(path):
    plain = path_film._Scene(path, "A path", (320, 176)).paper
    figures.style()
    mpl.rcParams["axes.linewidth"] = 5
    assert np.array_equal(path_film._Scene(path, "A path", (320, 176)).paper, plain)
    assert mpl.rcParams["axes.linewidth"] == 5


def test_light_lies_where_the_line_is():
    line = np.array([-30 - 10j, 20 + 10j])
    light = path_film._light(line, 100)
    assert light.sum() == pytest.approx(abs(line[1] - line[0]))
    row, column = np.indices(light.shape)
    x, y = column + 0.5 - 50, 50 - (row + 0.5)
    center = (light * (x + 1j * y)).sum() / light.sum()
    assert center == pytest.approx(line.mean(), abs=1e-9)
    assert np.abs(y - 2 - 0.4 * x)[light > 0].max() < 1.6
    assert path_film._light(line * 1000, 100).sum() == 0  # far outside


def test_more_and_more_of_the_path_is_lit(path):
    scene = path_film._Scene(path, "", (320, 176))
    shown = [scene.light.sum() for place in reveal(path, 6) if scene.draw(place) is not None]
    assert np.diff(shown).min() > 0


def test_captions_cover_the_film_in_order(path):
    cues = captions(T, path, 10)
    assert cues[0][0] == 0
    assert [start for start, _, _ in cues[1:]] == [end for _, end, _ in cues[:-1]]
    assert cues[-1][1] == 12
    assert f"{path[-1].real:.2f}" in cues[-1][2]


@pytest.mark.parametrize(
    ("more", "error", "message"),
    [
        ({"out": "a.avi"}, ValueError, "out must end in .mp4"),
        ({"out": "no/a.mp4"}, FileNotFoundError, "must be a directory"),
        ({"fps": 0}, ValueError, "fps must be from 1 to 60"),
        ({"size": (321, 176)}, ValueError, "multiples of 16"),
        ({"places": [3, 2]}, ValueError, "places must ascend"),
        ({"places": [1, 1e9]}, ValueError, "places must ascend"),
        ({"path": [1j]}, ValueError, "path must have shape (n,) with n >= 2"),
        ({"path": [1j, np.nan]}, ValueError, "path must be finite"),
        ({"path": [1j, 1j]}, ValueError, "path must move"),
        ({"cues": [(1, 0, "text")]}, ValueError, "a cue must be"),
        ({"audio": np.full((9, 2), 3.0)}, ValueError, "would clip"),
        ({"limit": 1000}, ValueError, "more than limit=1,000"),
    ],
)
def test_bad_films_are_refused_and_leave_nothing(path, tmp_path, more, error, message):
    arguments = {"path": path, "out": "a.mp4", "audio": beep(0.3)} | more
    arguments["out"] = tmp_path / arguments["out"]
    with pytest.raises(error, match=re.escape(message)):
        small(**arguments)
    assert not list(tmp_path.iterdir())


def test_an_interrupted_film_leaves_the_old_one(path, tmp_path, monkeypatch):
    (tmp_path / "a.mp4").write_text("old")

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(path_film._Scene, "draw", interrupt)
    with pytest.raises(KeyboardInterrupt):
        small(path, tmp_path / "a.mp4")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("a.mp4", "old")]


BESIDE_JAX = """
import sys
from pathlib import Path

import jax

jax.numpy.ones(3).sum().block_until_ready()  # its backend runs, and watches os.fork from now on

from runproof import figures, path_film, sound

audio = sound.synthesize({"frequency": [440.0], "duration": [0.2]}, "flute")
path, options = path_film.eta_path(50.0), {"size": (320, 176), "fps": 12, "progress": False}
path_film.make_film(path, audio, Path(sys.argv[1]), **options)
"""


def test_a_film_is_made_without_a_warning_in_a_process_that_has_jax(tmp_path):
    run = [sys.executable, "-W", "error", "-c", BESIDE_JAX, tmp_path / "a.mp4"]
    done = subprocess.run(run, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Video: h264" in probe(tmp_path / "a.mp4")[0]


def test_what_ffmpeg_says_is_passed_on(path, tmp_path, monkeypatch):
    monkeypatch.setattr(path_film, "_ENCODING", ("-crf", "much"))
    with pytest.raises(OSError, match=r"ffmpeg failed with status [1-9][\s\S]*crf"):
        small(path, tmp_path / "a.mp4")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: eta_path(np.nan), "t must be from 1 to 10000000"),
        (lambda: eta_path(100, 1), "n must be at least 2, got 1"),
        (lambda: reveal([1, 2], 1), "frames must be at least 2"),
        (lambda: path_sound([1, 2], 0), "seconds must be from 1 to 600"),
    ],
)
def test_bad_paths_are_refused(call, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


def test_the_command_says_what_is_wrong(tmp_path, capsys):
    assert path_film.main(["--t", "0", "--out", str(tmp_path / "a.mp4")]) == 1
    assert "error: t must be from 1 to 10000000" in capsys.readouterr().err
    assert path_film.main(["--t", "50", "--out", str(tmp_path / "a.gif")]) == 1
    assert not list(tmp_path.iterdir())


def test_missing_ffmpeg_says_what_to_install(path, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(ImportError, match=r"pip install 'runproof\[film\]'"):
        small(path, tmp_path / "f.mp4")
    assert list(tmp_path.iterdir()) == []
