"""Figures that read well in color, in grey, in light and in dark mode.

Four hues in the order of Okabe and Ito's palette (blue, vermilion, green, yellow), darkened
until each has a contrast of at least 3 with the paper and a lightness of its own. Line
styles cycle with the colors, so that no figure depends on color alone. A figure that seems
to need a fifth color needs a second panel.

References
----------
M. Okabe and K. Ito, "Color Universal Design", 2008, https://jfly.uni-koeln.de/color/.
"""

import matplotlib as mpl
from cycler import cycler

#: The palette, darkest first.
COLORS = ["#0B3C5D", "#AD3E05", "#1D8A70", "#BD8800"]
#: One line style for each color.
LINESTYLES = ["-", "--", "-.", ":"]
#: Color of reference lines and bands.
REFERENCE = "#6E6E6E"
#: Sequential and diverging color maps, perceptually uniform and readable in grey.
SEQUENTIAL, DIVERGING = "cividis", "PuOr"

_PAPER, _INK, _GRID = "#FCFCFA", "#22262B", "#DCDCD6"

_RC = {
    # An opaque paper: the same picture stands on a white and on a black page.
    "figure.facecolor": _PAPER,
    "axes.facecolor": _PAPER,
    "savefig.facecolor": _PAPER,
    "figure.figsize": (7.2, 4.0),
    "figure.dpi": 110,
    "figure.constrained_layout.use": True,
    "font.size": 11.5,
    "axes.titlesize": 12.5,
    "axes.titlelocation": "left",
    "axes.labelsize": 11.5,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _GRID,
    "grid.linewidth": 0.8,
    "lines.linewidth": 1.9,
    "lines.markersize": 5.5,
    "legend.frameon": False,
    "image.cmap": SEQUENTIAL,
    "axes.prop_cycle": cycler(color=COLORS) + cycler(linestyle=LINESTYLES),
}


def style():
    """Set the book's figure style for the rest of the session.

    Call it once, before the first figure. It changes Matplotlib's ``rcParams`` only:
    paper-colored background, grid behind the data, the palette :data:`COLORS` with a line
    style for each color.

    Examples
    --------
    >>> from runproof import figures
    >>> figures.style()
    """
    mpl.rcParams.update(_RC)


def luminance(color):
    """Return the relative luminance of a color, as WCAG 2 defines it.

    Parameters
    ----------
    color : color
        Anything Matplotlib takes for a color.

    Returns
    -------
    float
        0 for black, 1 for white. Two colors with luminances a > b have contrast
        (a + 0.05) / (b + 0.05).
    """
    channels = mpl.colors.to_rgb(color)
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
