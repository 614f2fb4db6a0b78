"""What all generators of synthetic tables share: fit, sample, conditions, and their checks."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from runproof.synth.schema import Column, Schema
from runproof.validation import random_generator, require_memory, whole_number

__all__ = ["Column", "Conditions", "Generator", "Schema"]


@dataclass(frozen=True)
class Conditions:
    """Values that sampled rows must have.

    Attributes
    ----------
    columns : ndarray of int, shape (k,)
        Positions of the columns.
    codes : ndarray of float, shape (n, k)
        Their codes, one line for each row to sample; NaN asks for a missing value.
    """

    columns: np.ndarray
    codes: np.ndarray

    def groups(self):
        """Iterate over the different lines: the codes of one, and the rows that ask for it.

        Yields
        ------
        line : ndarray of float, shape (k,)
        rows : ndarray of int
        """
        keys = np.where(np.isnan(self.codes), -np.inf, self.codes)
        _, first, inverse = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        order = np.argsort(inverse.ravel(), kind="stable")
        ends = np.cumsum(np.bincount(inverse.ravel()))
        for position, rows in zip(first, np.split(order, ends[:-1]), strict=True):
            yield self.codes[position], rows


class Generator(BaseEstimator):
    """What all generators of synthetic tables share: learn from one table, draw another.

    A method is a subclass with `_fit(codes)`, which learns from the matrix of a table, and
    `_sample(n, rng, given)`, which returns the matrix of a new one; `self.schema_` is there
    in both. `given` is None or `Conditions`, the latter only if `supports_conditions`.

    Attributes
    ----------
    copies_rows : bool
        Whether samples contain training rows, or the fitted model does. If so, the method
        protects nobody's data, and its repr says so.
    supports_conditions : bool
        Whether `sample` takes `conditions`.
    schema_ : Schema
        Of the training table, after `fit`.
    n_rows_ : int
        Rows of the training table, after `fit`.
    """

    copies_rows = False
    supports_conditions = False
    _repr_html_ = None  # the same text everywhere, notebooks included

    def __repr__(self, N_CHAR_MAX=700):  # noqa: N803 (scikit-learn's name)
        text = super().__repr__(N_CHAR_MAX)
        return f"{text}  [copies training rows]" if self.copies_rows else text

    def fit(self, df):
        """Learn from a table.

        Parameters
        ----------
        df : pandas.DataFrame
            What `Schema.from_frame` takes.

        Returns
        -------
        Generator
            Itself.

        Raises
        ------
        TypeError, ValueError
            If the table or a parameter of the method is not as described.
        """
        schema = Schema.from_frame(df)
        self.schema_, self.n_rows_ = schema, len(df)
        try:
            self._fit(schema.encode(df))
        except BaseException:
            del self.schema_, self.n_rows_  # half a model is none
            raise
        return self

    def sample(self, n, random_state=None, conditions=None):
        """Draw a synthetic table.

        Parameters
        ----------
        n : int
            The number of rows, at least 1.
        random_state : None, int, SeedSequence, BitGenerator or Generator
            As for `numpy.random.default_rng`.
        conditions : mapping or pandas.DataFrame, optional
            Values that the rows must have: one for each column named, or a frame of n rows
            with a value for each row. Only where the method supports it.

        Returns
        -------
        pandas.DataFrame
            Columns, dtypes and categories as in the training table, no value outside its
            range, missing values only where it has some.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If `fit` was not called.
        TypeError, ValueError
            If an argument is not as described, or a condition cannot be met.
        MemoryError
            If the table would not fit into memory.
        """
        check_is_fitted(self, "schema_")
        n = whole_number("n", n, 1)
        rng = random_generator(random_state)
        given = self._conditions(conditions, n)
        require_memory(f"a table of {n} rows", 40 * n * len(self.schema_))
        return self.schema_.decode(self._sample(n, rng, given))

    def _conditions(self, conditions, n):
        if conditions is None:
            return None
        if not self.supports_conditions:
            able = ", ".join(sorted(_conditional_generators()))
            raise ValueError(
                f"{type(self).__name__} cannot take conditions; generators that can: {able}"
            )
        schema = self.schema_
        if isinstance(conditions, pd.DataFrame):
            if len(conditions) != n:
                raise ValueError(f"conditions must have n={n} rows, got {len(conditions)}")
            lines = {label: conditions[label] for label in conditions.columns}
        elif isinstance(conditions, Mapping):
            lines = {label: [value] * n for label, value in conditions.items()}
        else:
            raise TypeError(
                "conditions must be a mapping of columns to values or a DataFrame, "
                f"got {type(conditions).__name__}"
            )
        if not lines:
            return None
        columns = np.array([schema.position(label) for label in lines])
        codes = [_encode_values(schema, label, values) for label, values in lines.items()]
        return Conditions(columns, np.column_stack(codes))

    def _fit(self, codes):
        raise NotImplementedError

    def _sample(self, n, rng, given):
        raise NotImplementedError


def _conditional_generators():
    """Return the names of the generators that take conditions."""
    found, waiting = set(), [Generator]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind.supports_conditions and kind.__module__.startswith("runproof."):
            found.add(kind.__name__)
    return found


def _encode_values(schema, label, values):
    """Encode a column of conditions; equal values are looked up once."""
    codes, known = [], {}
    for value in values:
        key = None if pd.api.types.is_scalar(value) and pd.isna(value) else value
        if key not in known:
            known[key] = schema.encode_value(label, value)
        codes.append(known[key])
    return np.array(codes)
