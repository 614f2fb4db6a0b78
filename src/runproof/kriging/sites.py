"""What sites, values and drift must be, checked before any work is done."""

import numpy as np
import pandas as pd

_LATITUDE, _LONGITUDE = {"lat", "latitude"}, {"lon", "lng", "long", "longitude"}


def coordinates(points, name="X"):
    """Return coordinates as an array of float of shape (n, d); degrees are refused."""
    if isinstance(points, pd.DataFrame):
        _refuse_degrees(points, name)
    points = _finite(name, points)
    if points.ndim != 2 or 0 in points.shape:
        raise ValueError(f"{name} must have shape (sites, coordinates), got {points.shape}")
    return points


def sites_and_values(sites, values, least):
    """Return sites and values as arrays, at least so many, none of them twice."""
    sites, values = coordinates(sites), _finite("y", values)
    if values.shape != (n := len(sites),):
        raise ValueError(f"y must have shape ({n},), one value for each site, got {values.shape}")
    if n < least:
        raise ValueError(f"X must have at least {least} sites for this, got {n}")
    _refuse_duplicates(sites)
    return sites, values


def finite_matrix(name, values, rows):
    """Return a matrix of finite floats with so many rows; a vector is one column."""
    values = _finite(name, values)
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2 or len(values) != rows:
        raise ValueError(f"{name} must have {rows} rows, one for each site, got {values.shape}")
    return values


def _finite(name, values):
    try:
        if np.iscomplexobj(values):
            raise TypeError
        values = np.array(values, dtype=float)  # a copy: what is fitted must not change later
    except (TypeError, ValueError):
        raise TypeError(f"{name} must hold real numbers, got {values!r:.80}") from None
    if not (good := np.isfinite(values)).all():
        first = int(np.argwhere(~good)[0][0])
        raise ValueError(
            f"{name} must be finite, but {(~good).sum()} entries are missing or infinite, "
            f"the first in row {first}"
        )
    return values


def _refuse_degrees(table, name):
    """Degrees are no plane coordinates: one of longitude is shorter than one of latitude."""
    by_name = {str(column).strip().lower(): column for column in table.columns}
    latitudes = [by_name[key] for key in by_name.keys() & _LATITUDE]
    longitudes = [by_name[key] for key in by_name.keys() & _LONGITUDE]
    if not (latitudes and longitudes):
        return
    columns = latitudes[0], longitudes[0]
    if all(
        (pd.to_numeric(table[column], errors="coerce").abs() <= limit).all()
        for column, limit in zip(columns, (90, 360), strict=True)
    ):
        raise ValueError(
            f"{name} must hold plane coordinates, but columns {columns[0]!r} and {columns[1]!r} "
            "look like degrees: project them first (for example to UTM, in meters)"
        )


def _refuse_duplicates(sites):
    _, first, group = np.unique(sites, axis=0, return_index=True, return_inverse=True)
    repeated = np.flatnonzero(first[group.ravel()] != np.arange(len(sites)))
    if repeated.size:
        pairs = [f"{first[group.ravel()[i]]} and {i}" for i in repeated[:5].tolist()]
        more = f" and {repeated.size - 5} more" if repeated.size > 5 else ""
        raise ValueError(
            f"X must not have a site twice, but rows {', '.join(pairs)}{more} are equal: "
            "average their values first"
        )
