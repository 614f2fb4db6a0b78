"""The matrix of harmonic analysis, made in blocks so that a long record fits into memory."""

import numpy as np

from runproof.tides.astronomy import CONSTITUENTS, phasors, rayleigh_select
from runproof.tides.astronomy import canonical as canonical_names
from runproof.validation import number

HOUR = 3600 * 10**9  # ns
YEAR = 365.25 * 24 * HOUR
BLOCK = 4096  # rows at a time: a few MB
KEEP = 1 << 28  # bytes of blocks to keep for a second use


class Design:
    """Columns f cos(V + u) and f sin(V + u) of every line, then 1, then perhaps the trend.

    Parameters
    ----------
    times : ndarray of datetime64[ns], shape (n,)
    names : list of str
        The constituents.
    span : pair of datetime64, optional
        Adds a column of years from the middle of this span, constant outside it.
    """

    def __init__(self, times, names, span=None):
        self.times, self.names, self.span = times, names, span
        self.width = 2 * len(names) + 1 + (span is not None)
        self._kept = {} if 8 * len(times) * self.width <= KEEP else None

    def slices(self):
        """Return the slices of times that the blocks cover."""
        n = len(self.times)
        return [slice(start, min(start + BLOCK, n)) for start in range(0, n, BLOCK)]

    def block(self, rows):
        """Return the columns at a slice of times, one below the other: shape (width, rows)."""
        if self._kept is not None and rows.start in self._kept:
            return self._kept[rows.start]
        times, count = self.times[rows], len(self.names)
        block = np.ones((self.width, len(times)))
        lines = phasors(times, self.names)
        block[:count], block[count : 2 * count] = lines.real, lines.imag
        if self.span is not None:
            block[-1] = years(np.clip(times, *self.span), self.span)
        if self._kept is not None:
            self._kept[rows.start] = block
        return block

    def dot(self, beta):
        """Return the product with coefficients, shape (n,)."""
        parts = [beta @ self.block(rows) for rows in self.slices()]
        return np.concatenate(parts) if parts else np.empty(0)

    def normal(self, values, weights=None):
        """Return A'WA and A'Wy."""
        gram, right = np.zeros((self.width, self.width)), np.zeros(self.width)
        for rows in self.slices():
            block = self.block(rows)
            if weights is not None:
                block = block * np.sqrt(weights[rows])
            gram += block @ block.T
            right += block @ (
                values[rows] if weights is None else values[rows] * np.sqrt(weights[rows])
            )
        return gram, right


def years(times, span):
    """Return years of 365.25 days from the middle of a span."""
    middle = span[0] + (span[1] - span[0]) // 2
    return (times - middle).astype(np.int64) / YEAR


def choose(times, constituents, rayleigh):
    """Return the names asked for, or those that the times resolve."""
    rayleigh = number("rayleigh", rayleigh, 0, ends="()")
    if not isinstance(constituents, str):
        return canonical_names(constituents)
    if constituents != "auto":
        raise ValueError(f"constituents must be 'auto' or a list of names, got {constituents!r}")
    if len(times) < 2 or (span := float(np.ptp(times).astype(np.int64)) / HOUR) == 0:
        raise ValueError(f"levels must be given at two times at least, got {len(times)}")
    nyquist = 180 / typical_step(times)
    names = rayleigh_select(span, rayleigh)
    return [name for name in names if CONSTITUENTS.speed_deg_per_h[name] < nyquist]


def typical_step(times):
    """Return the median step between sorted times in hours."""
    steps = np.diff(np.sort(times)).astype(np.int64)
    return float(np.median(steps[steps > 0])) / HOUR
