"""Figures: colors that survive grey print and color blindness, and a style that stays put.

Color blindness is simulated with the matrices of Machado, Oliveira and Fernandes, "A
physiologically-based model for simulation of color vision deficiency", IEEE Trans. Vis.
Comput. Graph. 15 (2009), at full severity, on linear RGB.
"""

from itertools import combinations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

from runproof import figures

SIMULATIONS = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [
            [0.152286, 1.052583, -0.204868],
            [0.114503, 0.786281, 0.099216],
            [-0.003882, -0.048116, 1.051998],
        ]
    ),
    "deuteranopia": np.array(
        [
            [0.367322, 0.860646, -0.227968],
            [0.280085, 0.672501, 0.047413],
            [-0.011820, 0.042940, 0.968881],
        ]
    ),
    "tritanopia": np.array(
        [
            [1.255528, -0.076749, -0.178779],
            [-0.078411, 0.930809, 0.147602],
            [0.004733, 0.691367, 0.303900],
        ]
    ),
}
XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
CONTRAST, LIGHTNESS, DISTANCE = 3, 8, 15


def linear_rgb(color):
    channels = np.array(mpl.colors.to_rgb(color))
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def lab(color, simulation="normal"):
    """Return CIELAB coordinates (white D65) of a color as a viewer sees it."""
    seen = np.clip(SIMULATIONS[simulation] @ linear_rgb(color), 0, 1)
    t = XYZ @ seen / XYZ.sum(axis=1)
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(a, b):
    light, dark = sorted([figures.luminance(a), figures.luminance(b)], reverse=True)
    return (light + 0.05) / (dark + 0.05)


def palette_faults(colors, paper):
    """Return what makes a palette unreadable for someone."""
    faults = [f"{c} is too faint" for c in colors if contrast(c, paper) < CONTRAST]
    for a, b in combinations(colors, 2):
        if abs(lab(a)[0] - lab(b)[0]) < LIGHTNESS:
            faults.append(f"{a} and {b} are the same grey")
        for simulation in SIMULATIONS:
            if np.linalg.norm(lab(a, simulation) - lab(b, simulation)) < DISTANCE:
                faults.append(f"{a} and {b} look alike in {simulation}")
    return faults


@pytest.fixture
def style():
    figures.style()
    return mpl.rcParams


def test_palette_survives_grey_and_color_blindness(style):
    assert palette_faults(figures.COLORS, style["figure.facecolor"]) == []
    assert len(figures.COLORS) == 4


@pytest.mark.parametrize(
    ("colors", "fault"),
    [
        (["#000000", "#C28C00"], "#C28C00 is too faint"),
        (["#C00000", "#0070A0"], "#C00000 and #0070A0 are the same grey"),
        (["#B00000", "#606000"], "#B00000 and #606000 look alike in deuteranopia"),
        (["#006050", "#004070"], "#006050 and #004070 look alike in tritanopia"),
    ],
)
def test_bad_palette_is_noticed(colors, fault):
    assert fault in palette_faults(colors, "#FCFCFA")


def test_simulations_keep_grey_grey():
    for simulation in SIMULATIONS:
        assert np.allclose(lab("#777777", simulation), lab("#777777"), atol=0.1)


def test_lab_of_known_colors():
    """Lindbloom's calculator gives these for sRGB red and blue, D65."""
    assert np.allclose(lab("#FF0000"), [53.24, 80.09, 67.20], atol=0.05)
    assert np.allclose(lab("#0000FF"), [32.30, 79.19, -107.86], atol=0.05)
    assert np.allclose(lab("white"), [100, 0, 0], atol=0.05)


def test_luminance_follows_wcag():
    assert figures.luminance("black") == 0
    assert figures.luminance("white") == pytest.approx(1)
    assert contrast("white", "#767676") == pytest.approx(4.54, abs=0.005)  # WCAG's own example
    assert figures.luminance((0, 1, 0)) == pytest.approx(0.7152)


def test_ink_and_reference_lines_stand_out(style):
    paper = style["axes.facecolor"]
    assert contrast(style["text.color"], paper) > 7
    assert contrast(style["xtick.color"], paper) > 7
    assert contrast(figures.REFERENCE, paper) > 4.5


def test_paper_is_opaque_so_that_dark_mode_does_not_show_through(style):
    for key in ("figure.facecolor", "axes.facecolor", "savefig.facecolor"):
        assert mpl.colors.to_rgba(style[key])[3] == 1
    assert style["savefig.transparent"] is False


def test_lines_differ_by_color_and_by_style(style):
    fig, ax = plt.subplots()
    lines = [ax.plot([0, 1])[0] for _ in figures.COLORS]
    plt.close(fig)
    assert [line.get_color() for line in lines] == figures.COLORS
    assert [line.get_linestyle() for line in lines] == figures.LINESTYLES
    assert len(set(figures.LINESTYLES)) == len(figures.COLORS)


def test_color_maps_exist_and_are_used(style):
    assert {figures.SEQUENTIAL, figures.DIVERGING} <= set(mpl.colormaps)
    assert style["image.cmap"] == figures.SEQUENTIAL


def test_sequential_map_grows_lighter_in_grey():
    samples = mpl.colormaps[figures.SEQUENTIAL](np.linspace(0, 1, 64))
    assert (np.diff([figures.luminance(color) for color in samples]) > 0).all()


def test_style_twice_is_style_once(style):
    before = dict(style)
    figures.style()
    assert dict(mpl.rcParams) == before
