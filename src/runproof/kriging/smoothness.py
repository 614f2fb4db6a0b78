"""How rough a surface on a grid is: two integrals over its derivatives."""

from typing import NamedTuple

import numpy as np

from runproof.kriging.sites import finite_matrix
from runproof.validation import number, require_memory

__all__ = ["Smoothness", "smoothness"]


class Smoothness(NamedTuple):
    """Two measures of roughness; 0 is smoothest.

    Attributes
    ----------
    thin_plate_energy : float
        Integral of the squared second derivatives, zxx^2 + 2 zxy^2 + zyy^2, in (unit of z)^2 /
        (unit of length)^2. It is 0 for planes only.
    slope_index : float
        Integral of the length of the gradient of the length of the gradient, in units of z. It
        is 0 for every surface of constant slope, a cone for example, however curved.
    """

    thin_plate_energy: float
    slope_index: float


def smoothness(surface, spacing):
    """Measure how rough a surface on a regular grid is.

    Parameters
    ----------
    surface : array_like of float, shape (rows, columns)
        Heights, at least 4 by 4.
    spacing : float or tuple of float
        The distance of neighboring grid points: one number, or (between rows, between columns),
        in the order of the axes, as for `numpy.gradient`.

    Returns
    -------
    Smoothness
        Neither depends on how the surface is turned or shifted; both grow with the area. Their
        errors decrease with the square of the spacing where the surface is smooth.

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described.
    MemoryError
        If the derivatives do not fit into memory.

    References
    ----------
    P. J. Green and B. W. Silverman, *Nonparametric Regression and Generalized Linear Models*,
    Chapman and Hall 1994, chapter 7: the energy of a thin plate.
    """
    shape = np.shape(surface)
    if len(shape) != 2 or min(shape) < 4:
        raise ValueError(f"surface must be a grid of at least 4 by 4 heights, got shape {shape}")
    require_memory("the derivatives of this surface", 96 * shape[0] * shape[1])
    z = finite_matrix("surface", surface, shape[0])
    steps = (spacing, spacing) if np.ndim(spacing) == 0 else tuple(spacing)
    if len(steps) != 2:
        raise ValueError(f"spacing must be one number or two, got {spacing!r}")
    dy, dx = (number("spacing", step, 0, ends="()") for step in steps)
    zyy, zxx = _second_differences(z, dy), _second_differences(z.T, dx).T
    twist = np.diff(np.diff(z, axis=0), axis=1) / (dx * dy)  # zxy at the middles of the cells
    energy = _integral(zxx**2 + zyy**2, dy, dx) + 2 * float((twist**2).sum()) * dx * dy
    return Smoothness(energy, _integral(_slope_change(z, zxx, zyy, dy, dx), dy, dx))


def _slope_change(z, zxx, zyy, dy, dx):
    """Return the length of the gradient of s = |grad z|, which is |Hess z grad z| / s.

    This form needs no differences of s, which has kinks where it is 0. Across a kink the
    gradient jumps; there its length is 0 here, at points that count for nothing.
    """
    zy, zx = np.gradient(z, dy, dx, edge_order=2)
    zxy = np.gradient(zx, dy, axis=0, edge_order=2)
    slope = np.hypot(zx, zy)
    change = np.hypot(zxx * zx + zxy * zy, zxy * zx + zyy * zy)
    return np.divide(change, slope, out=np.zeros_like(slope), where=slope > 0)


def _second_differences(z, step):
    """Return second derivatives along the first axis; on the border, extrapolated."""
    inner = np.diff(z, 2, axis=0) / step**2
    return np.vstack([2 * inner[0] - inner[1], inner, 2 * inner[-1] - inner[-2]])


def _integral(values, dy, dx):
    return float(np.trapezoid(np.trapezoid(values, dx=dx, axis=1), dx=dy))
