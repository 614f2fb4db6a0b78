"""Covariance functions: one record of parameters, and compiled correlations for inner loops.

The value at a site is trend + signal + nugget. The signal has variance `sill` and a
correlation that depends on the distance alone, after a linear map of the coordinates where
there is anisotropy. The nugget is what varies without any correlation: the jump of the
variogram at distance 0.
"""

import math
from dataclasses import dataclass, field

import numpy as np
from numba import njit

from runproof.kriging.bounds import NAMES
from runproof.validation import number, one_of, require_memory

__all__ = ["KINDS", "Covariance", "correlation", "correlation_matrix", "correlation_slope"]

SPHERICAL, EXPONENTIAL, GAUSSIAN, MATERN32, MATERN52 = range(5)
#: The names of the covariance functions, and their codes for `correlation`.
KINDS = {
    "spherical": SPHERICAL,
    "exponential": EXPONENTIAL,
    "gaussian": GAUSSIAN,
    "matern12": EXPONENTIAL,
    "matern32": MATERN32,
    "matern52": MATERN52,
}


@njit(cache=True, inline="always")
def correlation(code, h):
    """Return the correlation at distance h, in units of the range, for one of `KINDS`' codes.

    Compiled, for a single number: call it from other compiled code.
    """
    if code == SPHERICAL:
        return 1.0 - h * (1.5 - 0.5 * h * h) if h < 1.0 else 0.0
    if code == EXPONENTIAL:
        return math.exp(-h)
    if code == GAUSSIAN:
        return math.exp(-h * h)
    if code == MATERN32:
        s = math.sqrt(3.0) * h
        return (1.0 + s) * math.exp(-s)
    s = math.sqrt(5.0) * h
    return (1.0 + s + s * s / 3.0) * math.exp(-s)


@njit(cache=True, inline="always")
def correlation_slope(code, h):
    """Return the derivative of `correlation` with respect to h."""
    if code == SPHERICAL:
        return -1.5 * (1.0 - h * h) if h < 1.0 else 0.0
    if code == EXPONENTIAL:
        return -math.exp(-h)
    if code == GAUSSIAN:
        return -2.0 * h * math.exp(-h * h)
    if code == MATERN32:
        return -3.0 * h * math.exp(-math.sqrt(3.0) * h)
    s = math.sqrt(5.0) * h
    return -math.sqrt(5.0) / 3.0 * s * (1.0 + s) * math.exp(-s)


@njit(cache=True)
def correlation_matrix(code, a, b):
    """Return the correlations between two sets of points, in units of the range.

    Parameters
    ----------
    code : int
        A value of `KINDS`.
    a, b : ndarray of float, shapes (n, d) and (m, d)
        Coordinates divided by the range, as `Covariance.scale_coordinates` gives them.

    Returns
    -------
    ndarray of float, shape (n, m)
    """
    out = np.empty((a.shape[0], b.shape[0]))
    for i in range(a.shape[0]):
        for j in range(b.shape[0]):
            square = 0.0
            for k in range(a.shape[1]):
                square += (a[i, k] - b[j, k]) ** 2
            out[i, j] = correlation(code, math.sqrt(square))
    return out


@njit(cache=True)
def _correlations(code, h):
    out = np.empty(h.size)
    for i in range(h.size):
        out[i] = correlation(code, h[i])
    return out


@dataclass(frozen=True)
class Covariance:
    """A covariance function with its parameters.

    Parameters
    ----------
    kind : str
        With the distance h and the range a, the correlation of the signal is

        - "spherical": 1 - 1.5 h/a + 0.5 (h/a)^3 up to h = a, then 0;
        - "exponential", also called "matern12": exp(-h/a);
        - "gaussian": exp(-(h/a)^2);
        - "matern32": (1 + s) exp(-s) with s = sqrt(3) h/a;
        - "matern52": (1 + s + s^2/3) exp(-s) with s = sqrt(5) h/a.

        The first three are as in R's gstat, the last two as in scikit-learn. "spherical" is a
        covariance function in up to three dimensions.
    sill : float
        Variance of the signal, above 0. gstat calls it partial sill; the variogram levels off
        at sill + nugget.
    range_ : float
        The range a, above 0, in units of the coordinates.
    nugget : float
        Variance of what is uncorrelated from site to site, at least 0.
    anisotropy : tuple of float, optional
        (angle, ratio), for two coordinates, as in gstat. `range_` holds in the direction
        `angle`, in degrees clockwise from the second coordinate (from north, if the coordinates
        are easting and northing). Across it, the range is `ratio` times that; 0 < ratio <= 1.

    at_bound : tuple of str, keyword only
        What a fit sets: those of "range", "sill", "nugget" and "anisotropy" whose best value
        lies on a bound of the search, or for which a bound is nearly as good. Such a value is
        not to be reported; predictions near the sites may be right all the same. It is no part
        of equality. Parameters that are not named may still be known only roughly.

    Raises
    ------
    TypeError, ValueError
        If a parameter is not as described.
    """

    kind: str
    sill: float
    range_: float
    nugget: float = 0.0
    anisotropy: tuple[float, float] | None = None
    at_bound: tuple[str, ...] = field(default=(), kw_only=True, compare=False)

    def __post_init__(self):
        check_kind(self.kind)
        for name in ("sill", "range_", "nugget"):
            object.__setattr__(
                self,
                name,
                number(name, getattr(self, name), 0, ends="[]" if name == "nugget" else "()"),
            )
        if self.anisotropy is not None:
            object.__setattr__(self, "anisotropy", check_anisotropy(self.anisotropy))
        object.__setattr__(self, "at_bound", check_names(self.at_bound))

    def __repr__(self):
        shown = {name: getattr(self, name) for name in ("kind", "sill", "range_", "nugget")}
        shown |= {"anisotropy": self.anisotropy}
        if self.at_bound:
            shown |= {"at_bound": self.at_bound}
        inner = ", ".join(f"{name}={value!r}" for name, value in shown.items())
        return f"Covariance({inner})"

    @property
    def code(self):
        """The kind as a number, for `correlation`."""
        return KINDS[self.kind]

    def scale_coordinates(self, coordinates):
        """Map coordinates so that Euclidean distance 1 is the range in every direction.

        Parameters
        ----------
        coordinates : array_like of float, shape (n, d)

        Returns
        -------
        ndarray of float, shape (n, d)

        Raises
        ------
        ValueError
            If there is anisotropy, and d is not 2.
        """
        coordinates = np.asarray(coordinates, dtype=float)
        if self.anisotropy is not None:
            coordinates = stretch(coordinates, self.anisotropy)
        return np.ascontiguousarray(coordinates / self.range_)

    def __call__(self, h):
        """Return the covariance of the signal at distance h, without nugget.

        Parameters
        ----------
        h : array_like of float
            Distances in units of the coordinates, along the direction of the range.

        Returns
        -------
        ndarray of float
        """
        h = np.asarray(h, dtype=float)
        return self.sill * _correlations(self.code, h.ravel() / self.range_).reshape(h.shape)

    def variogram(self, h):
        """Return the variogram at distance h: 0 at h = 0, then nugget + sill - covariance.

        Parameters
        ----------
        h : array_like of float
            Distances in units of the coordinates, along the direction of the range.

        Returns
        -------
        ndarray of float
        """
        h = np.asarray(h, dtype=float)
        return np.where(h > 0, self.nugget + self.sill - self(h), 0.0)

    def between(self, a, b):
        """Return the covariances of the signal between two sets of points, without nugget.

        Parameters
        ----------
        a, b : array_like of float, shapes (n, d) and (m, d)

        Returns
        -------
        ndarray of float, shape (n, m)

        Raises
        ------
        MemoryError
            If the matrix would not fit into memory.
        """
        a, b = self.scale_coordinates(a), self.scale_coordinates(b)
        require_memory(f"a covariance matrix of {len(a)} by {len(b)}", 8 * len(a) * len(b))
        matrix = correlation_matrix(self.code, a, b)
        matrix *= self.sill
        return matrix


def check_kind(kind):
    """Refuse a name that is not in `KINDS`."""
    one_of("covariance", kind, KINDS)


def check_names(names):
    """Return names of parameters as a tuple, or say what is wrong with them."""
    if isinstance(names, str) or not set(names) <= set(NAMES):
        raise ValueError(f"at_bound must hold some of {', '.join(NAMES)}; got {names!r}")
    return tuple(names)


def check_anisotropy(anisotropy):
    """Return (angle, ratio) as floats, or say what is wrong with them."""
    try:
        angle, ratio = (float(value) for value in anisotropy)
    except (TypeError, ValueError):
        raise ValueError(
            f"anisotropy must be None or a pair (angle in degrees, ratio), got {anisotropy!r}"
        ) from None
    if not (math.isfinite(angle) and 0 < ratio <= 1):
        raise ValueError(
            f"anisotropy needs a finite angle and a ratio with 0 < ratio <= 1, got {anisotropy!r}"
        )
    return angle, ratio


def stretch(coordinates, anisotropy):
    """Turn and stretch coordinates so that what is anisotropic becomes isotropic."""
    if coordinates.shape[1] != 2:
        raise ValueError(f"anisotropy needs 2 coordinates, got {coordinates.shape[1]}")
    angle, ratio = math.radians(anisotropy[0]), anisotropy[1]
    sine, cosine = math.sin(angle), math.cos(angle)
    return coordinates @ np.array([[sine, cosine / ratio], [cosine, -sine / ratio]])
