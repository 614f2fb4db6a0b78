"""Tables to be compared: checked together, and as matrices and points."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from runproof.synth.table import Schema


def encode(**frames):
    """Encode tables that must have the same columns and dtypes.

    The categories are those of all tables together: a category that one of them lacks is no
    error, it counts as a difference.

    Parameters
    ----------
    **frames : pandas.DataFrame
        Two or more tables, at least two rows each; the names are those of the messages. The
        first one says which columns and dtypes there must be.

    Returns
    -------
    schema : Schema
        Of all rows together.
    codes : list of ndarray, each of shape (rows, columns)

    Raises
    ------
    TypeError
        If one is no DataFrame.
    ValueError
        If columns or dtypes differ, there are fewer than two rows, or a column is constant in
        all of them, all missing or infinite.
    """
    (first, table), *others = frames.items()
    _check_rows(first, table)
    for name, other in others:
        _check_rows(name, other)
        if list(other.columns) != list(table.columns):
            raise ValueError(
                f"{name} must have the columns of {first} in the same order, "
                f"{list(table.columns)}, got {list(other.columns)}"
            )
        for label, expected, dtype in zip(table.columns, table.dtypes, other.dtypes, strict=True):
            if dtype != expected:
                raise ValueError(
                    f"column {label!r} of {name} must have the dtype it has in {first}, "
                    f"{expected!r}, got {dtype!r}"
                )
    joint = pd.concat(list(frames.values()), ignore_index=True)
    schema = Schema.from_frame(joint, name=" and ".join(frames))
    ends = np.cumsum([len(frame) for frame in frames.values()])[:-1]
    return schema, np.split(schema.encode(joint), ends)


def _check_rows(name, frame):
    if not isinstance(frame, pd.DataFrame):
        raise TypeError(f"{name} must be a pandas DataFrame, got {type(frame).__name__}")
    if frame.columns.has_duplicates:
        raise ValueError(f"{name} must have different column names, got {list(frame.columns)}")
    if len(frame) < 2:
        raise ValueError(f"{name} must have at least 2 rows, got {len(frame)}")


@dataclass(frozen=True)
class MixedSpace:
    """Coordinates in which the L1 distance is Gower's distance, summed over the columns.

    A number counts with its difference over the range of the reference, a category with 1 if
    it differs, and so does a value that is missing on one side only (a little more, if the
    value leaves the range of the reference). A column that is constant in the reference
    counts as a category.

    Attributes
    ----------
    columns : list of tuple
        For each column: minimum, range, number of categories (0 for a number), has_missing.

    References
    ----------
    J. C. Gower, "A general coefficient of similarity and some of its properties",
    Biometrics 27, 857-871, 1971.
    """

    columns: list

    @classmethod
    def of(cls, schema, *tables):
        """Measure ranges.

        Parameters
        ----------
        schema : Schema
            Of all tables.
        *tables : ndarray, shape (rows, columns)
            The reference, as codes.

        Returns
        -------
        MixedSpace
        """
        reference = np.concatenate(tables)
        columns = []
        for column, values in zip(schema.columns, reference.T, strict=True):
            known = values[~np.isnan(values)]
            low = known.min() if known.size else 0.0
            span = known.max() - low if known.size else 0.0
            size = len(column.categories) if column.is_discrete else 0
            columns.append((low, span, size, column.has_missing))
        return cls(columns)

    def points(self, codes):
        """Return the coordinates of rows, and whether they leave the range of the reference.

        Parameters
        ----------
        codes : ndarray, shape (rows, columns)

        Returns
        -------
        points : ndarray, shape (rows, coordinates)
        outside : ndarray of bool, shape (rows,)
            Where the distance to the reference in one column may exceed 1.
        """
        blocks, outside = [], np.zeros(len(codes), bool)
        for (low, span, size, has_missing), values in zip(self.columns, codes.T, strict=True):
            missing = np.isnan(values)
            if size:
                # A half for the category and a half for its absence make 1 if two differ.
                # Two categories fit on a line, and missing is a category.
                labels = np.where(missing, size, values)
                every = np.arange(size + has_missing)
                block = labels[:, None] == every if len(every) > 2 else labels[:, None]
                blocks.append(block * (0.5 if len(every) > 2 else 1.0))
                continue
            scaled = (values - low) / span if span else (values != low).astype(float)
            outside |= (scaled < 0) | (scaled > 1)
            if not has_missing:
                blocks.append(scaled[:, None])
                continue
            # Missing is at distance 1 from every number in [0, 1].
            halves = np.column_stack([scaled, 1 - scaled, missing]) / 2
            halves[missing, :2] = 0
            blocks.append(halves)
        return np.hstack(blocks).astype(float), outside


def at_most(frame, rows, rng):
    """Return at most so many rows of an array, drawn without replacement."""
    if rows is None or len(frame) <= rows:
        return frame
    return frame[np.sort(rng.choice(len(frame), rows, replace=False))]
