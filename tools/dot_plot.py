"""Dot plots for the Scoreboard page: a row for each generator, its dots over their noise band.

A picture is a mapping: "title"; "panels", a list of (label, band or None); "small", what the
small dots are; and "rows", a list of (name, copies rows, dots), dots being for each panel a
pair of the mean and the values that it is the mean of. The first row stands on top.
"""

import io

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from runproof import figures

MARKERS = {True: ("X", figures.COLORS[1]), False: ("o", figures.COLORS[0])}
HALF, PAPER = 0.5, "#FCFCFA"
BELOW = 0.3  # of the distance of two rows: where the small dots lie


def draw(picture):
    """Return a picture as PNG."""
    with mpl.rc_context():
        figures.style()
        file = io.BytesIO()
        plot(picture).savefig(file, format="png", dpi=200, metadata={"Software": None})
    return file.getvalue()


def plot(picture):
    """Return a picture as a figure, as narrow as a phone needs it for readable letters."""
    rows, panels = picture["rows"], picture["panels"]
    figure = Figure(figsize=(5, 0.37 * len(rows) + 1.9))
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for place, (ax, (label, band)) in enumerate(zip(axes, panels, strict=True)):
        if band:
            ax.axvspan(*band, color=figures.REFERENCE, alpha=0.3, linewidth=0)
        ax.axvline(HALF, color=figures.REFERENCE, linewidth=1.2, linestyle=":")
        for row, (_, copies, dots) in enumerate(rows):
            mean, values = dots[place]
            marker, color = MARKERS[copies]
            low = [row + BELOW] * len(values)  # so that no dot hides another's
            ax.plot(values, low, "o", ms=4, mfc="none", mec=color, mew=0.8)
            ax.plot(mean, row, marker, ms=8, color=color, mec=PAPER, mew=0.8)
        ax.set_xticks([HALF, 0.75, 1], ["0.5", "0.75", "1"])
        ax.set_xlabel(label, fontsize=11)
    every = [v for *_, dots in rows for _, values in dots for v in values]
    axes[0].sharex(axes[-1])
    axes[0].set_xlim(min(0.42, *every) - 0.02, 1.03)
    labels = [broken(name) for name, *_ in rows]
    axes[0].set_yticks(range(len(rows)), labels, fontsize=10.5, linespacing=1.0)
    axes[0].set_ylim(len(rows) - 0.4, -0.6)
    figure.suptitle(picture["title"], x=0.02, ha="left", fontsize=12.5)
    figure.legend(handles=legend(picture), loc="outside lower center", ncol=2)
    return figure


def broken(name):
    """Return a name in two lines if it has two parts."""
    return name.replace(", ", ",\n").replace(" by ", "\nby ")


def legend(picture):
    """Return what the marks mean, of those that the picture has."""
    handles = [
        Line2D([], [], linestyle="none", marker=marker, color=color, markersize=8, label=label)
        for copies, label in ((False, "model, mean"), (True, "copies rows, mean"))
        for marker, color in [MARKERS[copies]]
        if any(row[1] == copies for row in picture["rows"])
    ]
    small = {"linestyle": "none", "marker": "o", "mfc": "none", "mec": figures.COLORS[0]}
    handles.append(Line2D([], [], **small, markersize=4, label=picture["small"]))
    if any(band for _, band in picture["panels"]):
        handles.append(Patch(color=figures.REFERENCE, alpha=0.3, label="real rows"))
    return handles
