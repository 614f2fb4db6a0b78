"""Tables of mixed types as matrices of numbers, and back.

A `Schema` is what a generator knows of a table beside its rows: names, types, ranges and
categories. It turns a frame into a matrix of float64, one column each - the value of a
number, 0 or 1 for a boolean, the position of a category, NaN where a value is missing -
and such a matrix into a frame with the dtypes, the order and the ranges of the first one.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.api import types

__all__ = ["Column", "Schema"]

_EXACT = 2**53  # whole numbers up to here are float64 numbers


@dataclass(frozen=True, eq=False)
class Column:
    """What is known of one column.

    Attributes
    ----------
    name : hashable
        Its label.
    kind : {"numeric", "integer", "boolean", "categorical"}
        A float column with whole numbers only is "integer": pandas stores integers with
        missing values so.
    dtype : numpy.dtype or pandas.ExtensionDtype
        The dtype to give back.
    categories : tuple
        The values seen, for a "boolean" (False, True) and for a "categorical" in the order of
        its dtype or sorted; empty for numbers. A code is a position in it.
    minimum, maximum : float
        The range of the values, or of the codes.
    has_missing : bool
        Whether values are missing.
    missing : object
        What stands for a missing value in a column of dtype object; else None.
    """

    name: object
    kind: str
    dtype: object
    categories: tuple
    minimum: float
    maximum: float
    has_missing: bool
    missing: object = None

    @property
    def is_discrete(self):
        """Whether it is boolean or categorical: its codes are labels, not amounts."""
        return self.kind in ("boolean", "categorical")


class Schema:
    """The names, types, ranges and categories of a table; no row of it.

    Of the values it keeps the smallest and the largest of each numeric column and every
    category, so that a column of names or ids stands in it whole. Make one with
    `Schema.from_frame`.

    Parameters
    ----------
    columns : sequence of Column
        In the order of the table.
    index : pandas.Index
        The column labels.

    Attributes
    ----------
    columns : tuple of Column
    names : list
        The labels.
    kinds : list of str
        The kinds.
    discrete : ndarray of bool, shape (d,)
        Which columns are boolean or categorical.
    minimum, maximum : ndarray of float, shape (d,)
        The ranges.
    """

    def __init__(self, columns, index):
        self.columns = tuple(columns)
        self.index = index
        self.names = [column.name for column in self.columns]
        self.kinds = [column.kind for column in self.columns]
        self.discrete = np.array([column.is_discrete for column in self.columns])
        self.minimum = np.array([column.minimum for column in self.columns])
        self.maximum = np.array([column.maximum for column in self.columns])

    def __len__(self):
        return len(self.columns)

    def __repr__(self):
        described = ", ".join(f"{column.name!r}: {column.kind}" for column in self.columns)
        return f"Schema({described})"

    @classmethod
    def from_frame(cls, df, name="df"):
        """Read the schema of a frame.

        Parameters
        ----------
        df : pandas.DataFrame
            At least two rows and one column. Numbers, booleans, strings, categories and
            objects; pandas' own dtypes with missing values too. A column of objects is
            categorical.
        name : str
            The argument's name, for messages.

        Returns
        -------
        Schema

        Raises
        ------
        TypeError
            If `df` is no DataFrame, or a column has another dtype, such as a date.
        ValueError
            If there are too few rows or columns, two columns of one name, or a column that is
            constant, all missing, infinite, or of integers beyond 2^53.
        """
        _check_frame(df, name)
        if len(df) < 2:
            raise ValueError(f"{name} must have at least 2 rows, got {len(df)}")
        return cls([_column(df.iloc[:, j], name) for j in range(df.shape[1])], df.columns)

    def check(self, df, name="df"):
        """Raise unless a frame has these columns, in this order, with these dtypes.

        Parameters
        ----------
        df : pandas.DataFrame
            The frame.
        name : str
            The argument's name, for messages.

        Raises
        ------
        TypeError
            If `df` is no DataFrame.
        ValueError
            If columns are missing, new, in another order, or of another dtype. Categorical
            dtypes must have the same categories, in the same order.
        """
        _check_frame(df, name)
        if list(df.columns) != self.names:
            missing = [label for label in self.names if label not in set(df.columns)]
            new = [label for label in df.columns if label not in set(self.names)]
            what = f"missing {missing}, new {new}" if missing or new else "in another order"
            raise ValueError(f"{name} must have the columns {self.names}: {what}")
        for column, dtype in zip(self.columns, df.dtypes, strict=True):
            if dtype != column.dtype:
                raise ValueError(
                    f"column {column.name!r} of {name} must have dtype {column.dtype}, got {dtype}"
                )

    def encode(self, df, name="df"):
        """Turn a frame of this schema into a matrix.

        Parameters
        ----------
        df : pandas.DataFrame
            With these columns and dtypes. Numbers may leave the range, and values may be
            missing where none were.
        name : str
            The argument's name, for messages.

        Returns
        -------
        ndarray of float64, shape (len(df), len(self))
            NaN where a value is missing.

        Raises
        ------
        TypeError
            If `df` is no DataFrame.
        ValueError
            If columns or dtypes differ, or a category was not seen before.
        """
        self.check(df, name)
        codes = np.empty((len(df), len(self)))
        for j, column in enumerate(self.columns):
            codes[:, j] = _encode(column, df.iloc[:, j], name)
        return codes

    def decode(self, codes):
        """Turn a matrix into a frame with the dtypes, the order and the ranges of the schema.

        Parameters
        ----------
        codes : array_like of float, shape (n, len(self))
            As `encode` gives them. Whatever leaves the range is set to its end; codes and
            integers are rounded.

        Returns
        -------
        pandas.DataFrame
            With the index 0 .. n - 1.

        Raises
        ------
        ValueError
            If the shape is wrong, a number is infinite, or one is NaN in a column that has no
            missing values.
        """
        codes = np.asarray(codes, float)
        if codes.ndim != 2 or codes.shape[1] != len(self):
            raise ValueError(f"codes must have shape (n, {len(self)}), got {codes.shape}")
        if np.isinf(codes).any():
            raise ValueError("codes must be finite or NaN, got an infinite number")
        frame = pd.DataFrame(
            {j: _decode(column, codes[:, j]) for j, column in enumerate(self.columns)}
        )
        frame.columns = self.index
        return frame

    def position(self, label):
        """Return the position of a column.

        Parameters
        ----------
        label : hashable
            Its name.

        Returns
        -------
        int

        Raises
        ------
        ValueError
            If there is no such column.
        """
        try:
            return self.names.index(label)
        except ValueError:
            raise ValueError(f"there is no column {label!r}; columns: {self.names}") from None

    def cell_columns(self, by):
        """Return the positions of columns whose combinations of values make cells.

        Parameters
        ----------
        by : label, or list, tuple or Index of labels, or None
            Columns of categories or integers. A tuple that names a column is that column.

        Returns
        -------
        ndarray of int

        Raises
        ------
        ValueError
            If there is no such column, one is named twice or holds other numbers, or none is
            left beside them.
        """
        one = by in self.names if isinstance(by, tuple) else not isinstance(by, (list, pd.Index))
        labels = [] if by is None else [by] if one else list(by)
        positions = [self.position(label) for label in labels]
        if len(set(positions)) < len(positions):
            raise ValueError(f"by must name different columns, got {labels}")
        for label, j in zip(labels, positions, strict=True):
            if self.kinds[j] == "numeric":
                raise ValueError(f"by must name columns of categories or integers, got {label!r}")
        if len(positions) == len(self):
            raise ValueError("by must leave at least one column to model")
        return np.array(positions, int)

    def describe(self, columns, codes):
        """Return values as text, for messages.

        Parameters
        ----------
        columns : sequence of int
            Positions of columns.
        codes : sequence of float
            A code of each.

        Returns
        -------
        str
            Such as "x = 1, y = 'a'".
        """
        parts = []
        for j, code in zip(columns, codes, strict=True):
            column = self.columns[j]
            if np.isnan(code):
                text = "missing"
            elif column.is_discrete:
                text = _plain(column.categories[int(code)])
            else:
                text = f"{code:g}"
            parts.append(f"{column.name} = {text}")
        return ", ".join(parts)

    def encode_value(self, label, value):
        """Return the code of one value that a condition asks for.

        Parameters
        ----------
        label : hashable
            The column.
        value : scalar
            A value within the range, or a category seen; missing only if the column has
            missing values.

        Returns
        -------
        float

        Raises
        ------
        ValueError
            If there is no such column, or it never takes this value.
        """
        column = self.columns[self.position(label)]
        if pd.api.types.is_scalar(value) and pd.isna(value):
            if not column.has_missing:
                raise ValueError(f"column {label!r} has no missing values")
            return np.nan
        if column.is_discrete:
            for code, category in enumerate(column.categories):
                if value == category:
                    return float(code)
            raise ValueError(
                f"column {label!r} has no value {value!r}; values: {list(column.categories)}"
            )
        return _number_in_range(column, value)


def _plain(value):
    """Return a value as text, a NumPy scalar without its type."""
    return repr(value.item() if isinstance(value, np.generic) else value)


def _check_frame(df, name):
    if not isinstance(df, pd.DataFrame):
        raise TypeError(f"{name} must be a pandas DataFrame, got {type(df).__name__}")
    if df.shape[1] == 0:
        raise ValueError(f"{name} must have at least one column, got none")
    if not df.columns.is_unique:
        twice = list(df.columns[df.columns.duplicated()].unique())
        raise ValueError(f"{name} must have different column names, got twice: {twice}")


# Reading a column


def _column(values, name):
    where = f"column {values.name!r} of {name}"
    kind = _kind(values.dtype, where)
    missing = values.isna()
    if missing.all():
        raise ValueError(f"{where} is all missing: drop it")
    known = values[~missing]
    if kind in ("boolean", "categorical"):
        categories = (False, True) if kind == "boolean" else _categories(known, where)
        seen = len(set(known)) if kind == "boolean" else len(categories)
        low, high = 0.0, float(len(categories) - 1)
    else:
        numbers = _numbers(known, where)
        categories, low, high = (), float(numbers.min()), float(numbers.max())
        seen = 1 if low == high else 2
        if kind == "numeric" and max(-low, high) <= _EXACT and (numbers == np.rint(numbers)).all():
            kind = "integer"
    if seen == 1 and not missing.any():
        raise ValueError(
            f"{where} is constant, {_plain(known.iloc[0])}: drop it, and add it afterwards"
        )
    blank = values[missing].iloc[0] if missing.any() and values.dtype == object else None
    return Column(
        values.name, kind, values.dtype, categories, low, high, bool(missing.any()), blank
    )


def _kind(dtype, where):
    if isinstance(dtype, pd.SparseDtype):
        raise TypeError(f"{where} is sparse: make it dense")
    if types.is_bool_dtype(dtype) and not isinstance(dtype, pd.CategoricalDtype):
        return "boolean"
    if types.is_integer_dtype(dtype):
        return "integer"
    if types.is_float_dtype(dtype):
        return "numeric"
    if isinstance(dtype, (pd.CategoricalDtype, pd.StringDtype)) or types.is_object_dtype(dtype):
        return "categorical"
    raise TypeError(
        f"{where} has dtype {dtype}; allowed are numbers, booleans, strings, categories and "
        "objects (turn a date into a number of days, or into categories)"
    )


def _categories(known, where):
    if isinstance(known.dtype, pd.CategoricalDtype):
        return tuple(known.cat.remove_unused_categories().cat.categories)
    try:
        values = set(known)
    except TypeError as error:
        raise TypeError(f"{where} must hold hashable objects: {error}") from None
    try:
        return tuple(sorted(values))
    except TypeError:  # of several types
        return tuple(sorted(values, key=lambda value: (type(value).__name__, str(value))))


def _numbers(known, where):
    """Return numbers as float64, if none is lost in it."""
    if types.is_integer_dtype(known.dtype) and (
        int(known.min()) < -_EXACT or int(known.max()) > _EXACT
    ):
        raise ValueError(f"{where} has integers beyond 2^53; turn identifiers into strings")
    numbers = known.to_numpy(float)
    if not np.isfinite(numbers).all():
        raise ValueError(f"{where} has infinite values: make them missing, or drop the rows")
    return numbers


def _number_in_range(column, value):
    label, low, high = column.name, column.minimum, column.maximum
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"column {label!r} is {column.kind}, got {value!r}") from None
    if not low <= number <= high:
        raise ValueError(f"column {label!r} lies in [{low:g}, {high:g}], got {value!r}")
    if column.kind == "integer" and number != np.rint(number):
        raise ValueError(f"column {label!r} holds whole numbers, got {value!r}")
    return number


# From values to codes and back


def _encode(column, values, name):
    where = f"column {column.name!r} of {name}"
    missing = values.isna().to_numpy()
    codes = np.full(len(values), np.nan)
    known = values[~missing]
    if column.is_discrete:
        code = {category: position for position, category in enumerate(column.categories)}
        try:
            found = np.array([code.get(value, -1) for value in known.to_numpy(object)], float)
        except TypeError as error:
            raise TypeError(f"{where} must hold hashable objects: {error}") from None
        if (found < 0).any():
            new = known.iloc[int(np.argmin(found))]
            raise ValueError(
                f"{where} has the unseen category {_plain(new)}; seen: {list(column.categories)}"
            )
        codes[~missing] = found
    else:
        codes[~missing] = _numbers(known, where) if len(known) else 0
    return codes


def _decode(column, codes):
    missing = np.isnan(codes)
    if missing.any() and not column.has_missing:
        raise ValueError(f"column {column.name!r} has no missing values, got a NaN")
    codes = np.clip(codes, column.minimum, column.maximum)
    if column.kind != "numeric":
        codes = np.rint(codes)
    if not column.is_discrete:
        return pd.Series(codes).astype(column.dtype)
    labels = np.empty(len(column.categories) + 1, object)
    labels[:-1] = column.categories
    labels[-1] = column.missing
    values = labels[np.where(missing, -1, codes).astype(int)]
    if isinstance(column.dtype, pd.CategoricalDtype):
        return pd.Series(pd.Categorical(values, dtype=column.dtype))
    return pd.Series(values, dtype=object).astype(column.dtype)
