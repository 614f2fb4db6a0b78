"""Pictures of fidelity against privacy, for the Scoreboard page.

A picture is a mapping: "title"; "points", a list of (name, copies rows, x, y); and "bands",
the noise bands of x and y, or None.
"""

from __future__ import annotations

import io
import math

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from runproof import figures


def draw(picture):
    """Return the picture of fidelity against privacy as PNG."""
    with mpl.rc_context():
        figures.style()
        figure = Figure(figsize=(7.2, 4.8))
        FigureCanvasAgg(figure)
        ax = figure.subplots()
        if picture["bands"]:
            (left, right), (low, high) = picture["bands"]
            ax.axvspan(left, right, color=figures.REFERENCE, alpha=0.16, linewidth=0)
            ax.axhspan(low, high, color=figures.REFERENCE, alpha=0.16, linewidth=0)
        for line in (ax.axvline, ax.axhline):
            line(0.5, color=figures.REFERENCE, linewidth=1, linestyle=":")
        styles = {
            True: ("X", figures.COLORS[1], "copies rows"),
            False: ("o", figures.COLORS[0], "model"),
        }
        for copying, (marker, color, label) in styles.items():
            where = [(x, y) for _, copied, x, y in picture["points"] if copied == copying]
            if where:
                ax.plot(
                    *zip(*where, strict=True),
                    linestyle="none",
                    marker=marker,
                    color=color,
                    markersize=10 if copying else 7,
                    label=label,
                )
        xs, ys = ([p[axis] for p in picture["points"]] + [0.5] for axis in (2, 3))
        ax.set_xlim(min(xs) - 0.03, max(max(xs) + 0.12, 0.75))
        ax.set_ylim(min(ys) - 0.04, max(max(ys) + 0.05, 0.7))
        ax.set_xlabel("AUC of the distance attack (no unit; 0.5: members hidden)")
        ax.set_ylabel("two-sample AUC (no unit; 0.5: like real rows)")
        band = "; grey bands: real rows against real rows" if picture["bands"] else ""
        ax.set_title(f"{picture['title']}{band}")
        ax.legend(loc="upper right")
        label_points(figure, ax, picture["points"])
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=150, metadata={"Software": None})
    return file.getvalue()


def label_points(figure, ax, points):
    """Write each name beside its point, where it covers no point and no other name."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    renderer = figure.canvas.get_renderer()
    back = ax.transData.inverted().transform
    places = {name: tuple(ax.transData.transform((x, y))) for name, _, x, y in points}
    taken = [(x - 7, y - 7, x + 7, y + 7) for x, y in places.values()]
    taken.append(ax.get_legend().get_window_extent(renderer).extents)
    names, lines = [], []
    for name, point in sorted(places.items(), key=lambda place: -place[1][1]):
        text = ax.annotate(name, (0, 0), fontsize=10, va="center", annotation_clip=False)
        extent = text.get_window_extent(renderer)
        others = [place for other, place in places.items() if other != name]
        box = min(
            (
                box
                for box in boxes(point, extent.width, extent.height)
                if inside(box, ax.bbox.extents) and not any(overlap(box, t) for t in taken)
            ),
            key=lambda box: cost(box, point, others, names, lines),
            default=(*point, point[0] + extent.width, point[1] + extent.height),
        )
        taken.append(box)
        names.append(box)
        text.set_position(back((box[0], (box[1] + box[3]) / 2)))
        end = nearest(box, point)
        if math.dist(point, end) > 16:
            lines.append((point, end))
            ax.plot(*back([point, end]).T, color="#22262B", linewidth=0.6, zorder=1, linestyle="-")


# In pixels; a box is (left, low, right, high).


def boxes(point, width, height):
    """Return the places that a name could have around its point."""
    x, y = point
    lefts = [x + gap for gap in (12, 26, 45, 80)] + [x - gap - width for gap in (12, 26, 45)]
    lows = [y + (0.55 * step - 0.5) * height for step in range(-30, 31)]
    return [(left, low, left + width, low + height) for left in lefts for low in lows]


def nearest(box, point):
    """Return the middle of the side of a box that looks at the point, 2 pixels outside."""
    return (box[0] - 2 if box[0] > point[0] else box[2] + 2, (box[1] + box[3]) / 2)


def cost(box, point, others, names, lines):
    """Return how far a name is from its point, and more if it could be taken for another's."""
    end = nearest(box, point)
    found = math.hypot(end[0] - point[0], 1.5 * (end[1] - point[1])) + 4 * (end[0] < point[0])
    for x, y in others:
        closest = (min(max(x, box[0]), box[2]), min(max(y, box[1]), box[3]))
        found += 60 * (math.dist(closest, (x, y)) < 13)
        found += 60 * through((x - 9, y - 9, x + 9, y + 9), point, end)
    found += 150 * sum(cross(point, end, *line) or through(box, *line) for line in lines)
    return found + 150 * sum(through(name, point, end) for name in names)


def cross(a, b, c, d):
    """Whether the line from a to b crosses the one from c to d."""

    def turn(p, q, r):
        return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])

    return turn(a, b, c) * turn(a, b, d) < 0 and turn(c, d, a) * turn(c, d, b) < 0


def through(box, a, b):
    """Whether the line from a to b runs through a box."""
    enter, leave = 0.0, 1.0
    for axis in (0, 1):
        way = b[axis] - a[axis]
        low, high = box[axis] - a[axis], box[axis + 2] - a[axis]
        if way == 0:
            if low > 0 or high < 0:
                return False
            continue
        first, last = sorted((low / way, high / way))
        enter, leave = max(enter, first), min(leave, last)
    return enter < leave


def overlap(a, b):
    """Whether two boxes have more than an edge in common."""
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def inside(box, frame):
    """Whether a box lies within another."""
    return box[0] >= frame[0] and box[1] >= frame[1] and box[2] <= frame[2] and box[3] <= frame[3]
