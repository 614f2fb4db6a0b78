"""A film of a path in the complex plane, with a sound track made from the same path.

The path is that of the partial sums of Dirichlet's eta function on their way to its value::

    python -m runproof.path_film --t 400000.4 --out eta_path.mp4

writes the film (H.264 and AAC in MP4), captions beside it (``eta_path.vtt``) and a still for
the page to show until it plays (``eta_path.png``). `make_film` films any other path.
"""

import argparse
import math
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import matplotlib as mpl
import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter
from tqdm import tqdm

from runproof import sound
from runproof.files import written_whole
from runproof.validation import number, whole_number

__all__ = ["captions", "eta_path", "make_film", "path_sound", "reveal"]

_PAPER, _INK, _DIM, _GRID = "#0E1218", "#EDEAE2", "#A9B0B8", "#262E38"
_SKY = np.array([(0.22, 0.48, 1.00), (0.10, 0.85, 0.68), (1.00, 0.66, 0.14)])  # early to late
_HEAD = np.array([1.0, 0.97, 0.88])
_TEMPO = 7.5  # notes per second
_LENS = 3.0  # half width of the close-up, in steps of the path


def eta_path(t, n=None, sigma=0.5):
    """Return the partial sums of eta(s) = 1 - 2^-s + 3^-s - ... at s = sigma + it.

    Parameters
    ----------
    t : float
        Imaginary part, from 1 to 10^7.
    n : int, optional
        Number of terms; default ceil(t), about three times where the last great turn is.
    sigma : float
        Real part, above 0.

    Returns
    -------
    ndarray of complex, shape (n,)
        To the accuracy of a drawing: each phase t log k is off by about 10^-16 t.
    """
    t, sigma = number("t", t, 1, 1e7), number("sigma", sigma, 0, 20, "()")
    n = whole_number("n", math.ceil(t) if n is None else n, 2)
    number("n", n, 2, 2e7)
    k = np.arange(1, n + 1)
    signs = np.where(k % 2, 1, -1)
    return np.cumsum(signs * k**-sigma * np.exp(-1j * (t * np.log(k) % (2 * np.pi))))


def reveal(path, frames):
    """Choose how much of the path each frame shows.

    Half of the time goes by the logarithm of the number of points, half by the distance
    that the path covers once its zigzag is smoothed out: so the first steps can be told
    apart, and a leap later, of few steps among many that turn on the spot, can be followed.

    Parameters
    ----------
    path : array_like of complex, shape (n,)
        The points, in order.
    frames : int
        At least 2.

    Returns
    -------
    ndarray, shape (frames,)
        The place on the path, from 1, its first point, to n; in between it is on the way
        from one point to the next.
    """
    path = _checked_path(path)
    frames = whole_number("frames", frames, 2)
    grid = np.geomspace(1, len(path), 8000)
    legs = np.abs(np.diff(_along(_smooth(path), grid)))
    distance = np.concatenate([[0], np.cumsum(legs)])
    pace = np.linspace(0, 1, len(grid)) + distance / distance[-1]
    places = np.interp(np.linspace(0, 2, frames), pace, grid)
    places[[0, -1]] = 1, len(path)
    return places


def _smooth(path):
    """Average neighbors until what alternates is gone."""
    for _ in range(min(12, len(path) // 4)):
        inner = (path[:-2] + 2 * path[1:-1] + path[2:]) / 4
        path = np.concatenate([path[:1], inner, path[-1:]])
    return path


def path_sound(path, seconds=22.0):
    """Turn the way along a path into music.

    Marimba notes follow the moving point: the higher it is in the picture, the higher the
    note; left and right in the picture are left and right in the room; the farther the
    point moves during the note, the louder it is. Strings below follow the distance that
    is left to the end of the path, and arrive with it on the lowest tone.

    Parameters
    ----------
    path : array_like of complex, shape (n,)
        The points, in order.
    seconds : float
        How long the way takes, at least 1.

    Returns
    -------
    ndarray, shape (samples, 2)
        At `runproof.sound.RATE`; it rings for about two more seconds.
    """
    seconds = number("seconds", seconds, 1, 600)
    smooth = _smooth(_checked_path(path))
    table = pd.DataFrame(_along(smooth, reveal(path, round(seconds * _TEMPO) + 1)), columns=["z"])
    table = pd.DataFrame(
        {
            "right": table["z"].to_numpy().real[:-1],
            "up": table["z"].to_numpy().imag[:-1],
            "moved": np.abs(np.diff(table["z"])),
        }
    )
    melody = sound.sonify(
        table,
        {
            "frequency": ("up", "linear", sound.scale("pentatonic", 220, 1175, root="A")),
            "duration": 1 / _TEMPO,
            "loudness": ("moved", "rank", (46, 72)),
            "pan": ("right", "linear", (-0.85, 0.85)),
        },
    )
    bars = max(2, round(seconds / 1.6))
    left = np.abs(_along(smooth, reveal(path, bars)) - smooth[-1])
    tones = sound.scale("pentatonic", 110, 340, root="A")
    bass = sound.sonify(
        pd.DataFrame({"left": left}),
        {"frequency": ("left", "linear", tones), "duration": seconds / bars, "loudness": 50},
    )
    tracks = [
        sound.synthesize(melody, "marimba", peak=None),
        sound.synthesize(bass, "strings", peak=None),
    ]
    return sound.room(sound.mix(tracks, peak=None), seconds=1.6, gain=-13)


def _along(path, places):
    """Return the points at the given places, counted from 1, on the path."""
    counts = np.arange(1, len(path) + 1)
    return np.interp(places, counts, path.real) + 1j * np.interp(places, counts, path.imag)


def make_film(
    path, audio, out, title="", cues=(), places=None, fps=24, size=(1280, 720), limit=3_000_000,
    progress=True,
):  # fmt: skip
    """Film the way along a path.

    Parameters
    ----------
    path : array_like of complex, shape (n,)
        The points, in order.
    audio : ndarray, shape (samples, 2)
        The sound track at `runproof.sound.RATE`; the film is as long as it.
    out : path-like
        Ends in .mp4. Captions and a still are written beside it, as .vtt and .png.
    title : str
        Stands in the film.
    cues : sequence of (start, end, text)
        Captions: what is seen and heard, with times in seconds.
    places : array_like, optional
        How much of the path each frame shows, from 1 to n; the last value is held to the
        end of the sound. Default: `reveal` for all but the last three seconds.
    fps : int
        Frames per second.
    size : tuple of int
        Width and height, multiples of 16 in a proportion of about 16 to 9.
    limit : int
        The most bytes the film may have.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    pathlib.Path
        The film.

    Raises
    ------
    ValueError
        If an argument is not as described, or the film gets larger than `limit`.
    OSError
        If a file cannot be written, or ffmpeg fails. All files are written, or none.
    """
    path, out = _checked_path(path), Path(out)
    if out.suffix != ".mp4":
        raise ValueError(f"out must end in .mp4, got {out.name!r}")
    if not out.parent.is_dir():
        raise FileNotFoundError(f"{out.parent} must be a directory")
    fps = number("fps", fps, 1, 60)
    if any(side % 16 or not 160 <= side <= 4096 for side in size):
        raise ValueError(f"size must be two multiples of 16 from 160 to 4096, got {size}")
    places = _film_places(path, places, max(2, math.ceil(len(audio) / sound.RATE * fps)), fps)
    captions_text, program = _web_vtt(cues), _ffmpeg()
    files = [out.with_suffix(suffix) for suffix in (".png", ".vtt", ".mp4")]
    with tempfile.TemporaryDirectory() as folder, written_whole(*files) as (still, vtt, film):
        track = Path(folder, "track.wav")
        sound.write(track, audio)
        scene = _Scene(path, title, size)
        with _encoder(program, film, track, size, fps) as pipe:
            for place in tqdm(places, desc="film", unit="frame", disable=not progress):
                frame = scene.draw(place)
                pipe.write(frame.tobytes())
        if (taken := film.stat().st_size) > limit:
            raise ValueError(f"the film takes {taken:,} bytes, more than limit={limit:,}")
        Image.fromarray(frame).save(still)
        vtt.write_text(captions_text, encoding="utf-8")
    return out


def _film_places(path, places, frames, fps):
    """Return how much of the path each of the frames shows, or raise what is wrong."""
    if places is None:
        places = reveal(path, max(2, frames - 3 * fps))
    places = np.asarray(places, dtype=float)
    if (
        not len(places)
        or places.min() < 1
        or places.max() > len(path)
        or (np.diff(places) < 0).any()
    ):
        raise ValueError(f"places must ascend from 1 to at most {len(path)}")
    return np.concatenate([places, np.full(max(0, frames - len(places)), places[-1])])[:frames]


# One thread and no dates: the same bytes in every run.
_ENCODING = (
    "-preset", "medium", "-crf", "25", "-tune", "animation", "-threads", "1", "-g", "240",
    "-b:a", "96k", "-movflags", "+faststart", "-map_metadata", "-1",
    "-fflags", "+bitexact", "-flags:v", "+bitexact", "-flags:a", "+bitexact",
)  # fmt: skip


def _ffmpeg():
    """Return ffmpeg's file, or say how to get it: only films need it, and it is large."""
    try:
        import imageio_ffmpeg
    except ImportError as error:
        raise ImportError("films need ffmpeg: pip install 'runproof[film]'") from error
    return imageio_ffmpeg.get_ffmpeg_exe()


@contextmanager
def _encoder(program, film, track, size, fps):
    """Run ffmpeg: what it yields takes the frames, and the film is complete at the end.

    imageio-ffmpeg's own writer hands `preexec_fn` to `subprocess`. That makes CPython run the
    handlers of `os.fork`, and JAX's handler warns of deadlocks. Without it no handler runs;
    `process_group` keeps an interrupt from ffmpeg as well, so that it is this process that ends.
    """
    raw = ("-f", "rawvideo", "-vcodec", "rawvideo", "-s", f"{size[0]}x{size[1]}")
    streams = ("-pix_fmt", "rgb24", "-r", str(fps), "-i", "-", "-i", str(track))
    codecs = ("-vcodec", "libx264", "-pix_fmt", "yuv420p", "-v", "error", *_ENCODING)
    joined = ("-acodec", "aac", "-map", "0:v:0", "-map", "1:a:0", str(film))
    with tempfile.TemporaryFile() as log:
        running = subprocess.Popen(
            [program, "-y", *raw, *streams, *codecs, *joined],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=log,
            process_group=0,
        )
        broken = False
        try:
            yield running.stdin
            running.communicate()
        except BrokenPipeError:  # ffmpeg has ended, and its log says why
            broken = True
        except BaseException:
            running.kill()
            raise
        finally:
            running.communicate()
        if broken or running.returncode:
            log.seek(0)
            said = log.read().decode(errors="replace").strip()
            raise OSError(f"ffmpeg failed with status {running.returncode}: {said}")


class _Scene:
    """The picture: the whole path so far, a close-up of its head, and the numbers.

    Lines are added up as light, sample by sample, on canvases that stay from frame to
    frame; so a frame costs only what is new in it.
    """

    def __init__(self, path, title, size):
        self.path, self.smooth, self.size = path, _smooth(path), size
        self.shown = 1.0
        width, height = size
        self.unit = height / 720
        margin = round(64 * self.unit)
        self.side = height - 2 * margin + round(24 * self.unit)
        self.corner = (round(84 * self.unit), round(40 * self.unit))
        self.lens_side = round(380 * self.unit)
        self.lens_corner = (width - self.lens_side - margin, height - self.lens_side - margin)
        x, y = np.append(path.real, 0), np.append(path.imag, 0)  # zero is always in view
        self.center = (x.min() + x.max() + 1j * (y.min() + y.max())) / 2
        self.reach = 0.54 * max(np.ptp(x), np.ptp(y))
        self.light = np.zeros((self.side, self.side, 3))
        self.trail = np.zeros((self.side, self.side))
        self.paper = self._paper(title)
        file = mpl.font_manager.findfont("DejaVu Sans")
        self.font = ImageFont.truetype(file, round(26 * self.unit))
        self.small = ImageFont.truetype(file, round(17 * self.unit))

    def _paper(self, title):
        """Return what does not change: axes, labels, title."""
        with mpl.style.context("default"):  # whatever style the reader has set
            return self._drawn(title)

    def _drawn(self, title):
        width, height = self.size
        figure = Figure(figsize=(width / 100, height / 100), dpi=100, facecolor=_PAPER)
        canvas = FigureCanvasAgg(figure)

        def box(corner, side):
            x, y = corner
            place = (x / width, 1 - (y + side) / height, side / width, side / height)
            return figure.add_axes(place, facecolor=_PAPER)

        axes = box(self.corner, self.side)
        edges = (-self.reach, self.reach)
        axes.set(xlim=np.add(edges, self.center.real), ylim=np.add(edges, self.center.imag))
        axes.grid(color=_GRID, linewidth=0.8 * self.unit)
        axes.axhline(0, color="#47525F", linewidth=1.2 * self.unit)
        axes.axvline(0, color="#47525F", linewidth=1.2 * self.unit)
        axes.tick_params(colors=_DIM, labelsize=10 * self.unit, length=0)
        axes.set_xlabel("real part", color=_DIM, fontsize=11.5 * self.unit)
        axes.set_ylabel("imaginary part", color=_DIM, fontsize=11.5 * self.unit)
        lens = box(self.lens_corner, self.lens_side)
        lens.set(xticks=[], yticks=[])
        for frame, color in ((axes, _GRID), (lens, "#47525F")):
            frame.spines[:].set_color(color)
        x, y = self.lens_corner[0] / width, 1 - 66 * self.unit / height
        figure.text(x, y, title, color=_INK, fontsize=15 * self.unit, va="center")
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())[..., :3].astype(float) / 255

    def draw(self, place):
        """Return the frame that shows the path up to a place, which never goes back."""
        hue = np.log(max(place, 1)) / np.log(len(self.path))
        color = [np.interp(hue, (0, 0.6, 0.95), channel) for channel in _SKY.T]
        fresh = _light(self._pixels(self._piece(self.shown, place)), self.side)
        self.shown = place
        fine = gaussian_filter(fresh, 0.6 * self.unit)
        self.light += (0.9 * fine + gaussian_filter(fresh, 3.5 * self.unit))[..., None] * color
        self.trail = 0.86 * self.trail + fine
        frame = self.paper.copy()
        glow = 1 - np.exp(-1.5 * self.light**0.75)
        _screen(frame, self.corner, glow + (1 - np.exp(-2.0 * self.trail))[..., None] * _HEAD * 0.8)
        z = _along(self.path, np.array([place]))[0]
        center, reach = self._focus(place)
        _screen(frame, self.lens_corner, self._lens(place, center, reach)[..., None] * _HEAD)
        return self._write(frame, place, z, center, reach)

    def _piece(self, start, stop):
        """Return the points of the path between two places, and those at both of them."""
        inner = self.path[math.floor(start) : math.ceil(stop) - 1]
        ends = _along(self.path, np.array([start, stop]))
        return np.concatenate([ends[:1], inner, ends[1:]])

    def _pixels(self, z):
        return (z - self.center) * self.side / 2 / self.reach

    def _focus(self, place):
        """Return center and half width of the close-up: some steps around the head."""
        n = max(2, math.floor(place))
        steps = np.abs(np.diff(self.path[max(0, n - 40) : n]))
        return _along(self.smooth, np.array([place]))[0], _LENS * steps.mean() + 1e-12

    def _lens(self, place, center, reach):
        """Return the light of the latest 120 steps, the very latest the brightest."""
        z = (self._piece(max(1, place - 120), place) - center) * self.lens_side / 2 / reach
        light = np.zeros((self.lens_side, self.lens_side))
        for share, strength in ((0, 0.4), (0.5, 0.5), (0.9, 0.8)):
            light += strength * _light(z[int(share * len(z)) :], self.lens_side)
        return 1 - np.exp(-gaussian_filter(light, 0.7 * self.unit))

    def _write(self, frame, place, z, center, reach):
        """Return the frame as whole numbers, with the head and the numbers written on it."""
        image = Image.fromarray(np.rint(255 * np.clip(frame, 0, 1)).astype(np.uint8))
        pen = ImageDraw.Draw(image)
        x, y = self.lens_corner[0], 100 * self.unit
        sign = "+" if z.imag >= 0 else "−"
        value = f"sum = {z.real:.3f} {sign} {abs(z.imag):.3f} i".replace("-", "−")
        pen.text((x, y), f"n = {math.floor(place):,}", font=self.font, fill=_INK)
        pen.text((x, y + 40 * self.unit), value, font=self.font, fill=_INK)
        text = f"Latest steps, magnified: {2 * reach:.2g} wide"
        pen.text((x, self.lens_corner[1] - 28 * self.unit), text, font=self.small, fill=_DIM)
        self._dot(pen, self.corner, self.side, (z - self.center) / self.reach)
        self._dot(pen, self.lens_corner, self.lens_side, (z - center) / reach)
        return np.asarray(image)

    def _dot(self, pen, corner, side, z):
        if max(abs(z.real), abs(z.imag)) < 1:
            at = np.array([1 + z.real, 1 - z.imag]) * side / 2 + corner
            radius = 4.5 * self.unit
            pen.ellipse([*(at - radius), *(at + radius)], fill="#FFFFFF", outline=_PAPER)


def _light(points, side):
    """Draw lines through points, in pixels around the center, as light: 1 per pixel length."""
    canvas = np.zeros(side * side)
    inside = np.maximum(np.abs(points.real), np.abs(points.imag)) < 2 * side
    keep = inside[:-1] & inside[1:]
    start, step = points[:-1][keep], np.diff(points)[keep]
    counts = np.ceil(2 * np.abs(step)).astype(int) + 1
    which = np.repeat(np.arange(len(step)), counts)
    part = (np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts) + 0.5) / counts[
        which
    ]
    z = start[which] + part * step[which]
    weight = (np.abs(step) / counts)[which]
    x, y = z.real + side / 2 - 0.5, side / 2 - 0.5 - z.imag
    column, row = np.floor(x), np.floor(y)
    for dx in (0, 1):
        for dy in (0, 1):
            c, r = column + dx, row + dy
            on = (c >= 0) & (c < side) & (r >= 0) & (r < side)
            share = weight * (1 - np.abs(x - c)) * (1 - np.abs(y - r))
            index = (r[on] * side + c[on]).astype(int)
            canvas += np.bincount(index, share[on], minlength=side * side)
    return canvas.reshape(side, side)


def _screen(frame, corner, light):
    """Lay light over a part of the frame, as two projectors add up on a screen."""
    x, y = corner
    part = frame[y : y + light.shape[0], x : x + light.shape[1]]
    part[...] = 1 - (1 - part) * (1 - np.clip(light, 0, 1))


def captions(t, path, seconds):
    """Describe the film of an eta path, for those who do not see or hear it.

    Parameters
    ----------
    t : float
        Imaginary part.
    path : ndarray of complex
        As `eta_path` returns.
    seconds : float
        How long the way along the path takes in the film.

    Returns
    -------
    list of (start, end, text)
    """
    places = reveal(path, 1000)
    end = path[-1]

    def when(n):
        return float(np.interp(n, places, np.linspace(0, seconds, len(places))))

    first, turn, last = when(math.sqrt(t / 2 / math.pi)), when(t / 6 / math.pi), when(t / math.pi)
    marks = [
        (0.0, "A point of light starts at 1. Each term of the sum moves it by one step. "
              "Marimba: higher in the picture is higher in pitch."),
        (first / 2, "The steps have no visible order: the line looks like a random walk."),
        (first, f"After {math.sqrt(t / 2 / math.pi):,.0f} terms the line begins to curl: "
                "small spirals, one after the other. In each, the notes stay on one pitch."),
        (turn, "The spirals grow and get fewer. From one to the next the point leaps "
               "along a curve, and the marimba runs with it."),
        (last, f"After {t / math.pi:,.0f} terms comes the last leap. The point winds around "
               f"{end.real:.2f} {'+' if end.imag >= 0 else '-'} {abs(end.imag):.2f} i, the value "
               "of eta. The strings come to rest on their lowest tone."),
    ]  # fmt: skip
    ends = [start for start, _ in marks[1:]] + [seconds + 2]
    return [(a, b, text) for (a, text), b in zip(marks, ends, strict=True) if b - a > 0.2]


def _web_vtt(cues):
    lines = ["WEBVTT", ""]
    for start, end, text in cues:
        if not 0 <= start < end or not text.strip() or "-->" in text:
            raise ValueError(f"a cue must be (start, end, text) with start < end, got {start, end}")
        lines += [f"{_clock(start)} --> {_clock(end)}", " ".join(text.split()), ""]
    return "\n".join(lines)


def _clock(seconds):
    return f"{int(seconds // 3600):02}:{int(seconds // 60) % 60:02}:{seconds % 60:06.3f}"


def _checked_path(path):
    path = np.asarray(path, dtype=complex)
    if path.ndim != 1 or len(path) < 2:
        raise ValueError(f"path must have shape (n,) with n >= 2, got {path.shape}")
    if not np.isfinite(path).all():
        raise ValueError("path must be finite, it has missing or infinite points")
    if np.ptp(path.real) == 0 and np.ptp(path.imag) == 0:
        raise ValueError("path must move, all its points are the same")
    return path


def main(argv=None):
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m runproof.path_film", description="Film the partial sums of eta(1/2 + it)."
    )
    parser.add_argument("--t", type=float, default=400_000.4, help="imaginary part (%(default)s)")
    parser.add_argument("--n", type=int, help="number of terms (default: t, rounded up)")
    parser.add_argument("--seconds", type=float, default=23.0, help="of the way (%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="MP4; .vtt and .png go beside it")
    arguments = parser.parse_args(argv)
    try:
        path = eta_path(arguments.t, arguments.n)
        audio = path_sound(path, arguments.seconds)
        places = reveal(path, round(24 * arguments.seconds))
        title = f"η(½ + {arguments.t:,.10g} i), term by term"
        cues = captions(arguments.t, path, arguments.seconds)
        out = make_film(path, audio, arguments.out, title, cues, places)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: nothing was written", file=sys.stderr)
        return 130
    print(f"{out}: {len(audio) / sound.RATE:.1f} s, {out.stat().st_size:,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
