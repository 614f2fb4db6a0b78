"""The simplest generators: what every claim of a better one is held against.

A bootstrap has the joint distribution right and protects nobody; independent margins tear
every row apart and have no dependence, but a category that names a person, such as an id,
they give away as it is. A method must beat the second without becoming the first.
"""

import numpy as np

from runproof.synth.margins import Margins
from runproof.synth.table import Generator
from runproof.validation import number

__all__ = ["Bootstrap", "IndependentMargins", "JitteredBootstrap"]


class Bootstrap(Generator):
    """Draw training rows with replacement.

    The best score that measures of likeness alone can give, and no privacy at all: the model
    is the training table, and each synthetic row is a row of it. With `conditions`, the rows
    that have the values asked for are drawn from.

    Examples
    --------
    >>> Bootstrap()
    Bootstrap()  [copies training rows]
    """

    copies_rows = True
    supports_conditions = True

    def _fit(self, codes):
        self.rows_ = codes

    def _sample(self, n, rng, given):
        return self.rows_[self._choose(n, rng, given)]

    def _choose(self, n, rng, given):
        """Return the positions of the training rows to copy."""
        if given is None:
            return rng.integers(len(self.rows_), size=n)
        chosen = np.empty(n, int)
        values = self.rows_[:, given.columns]
        for line, rows in given.groups():
            same = (values == line) | (np.isnan(values) & np.isnan(line))
            matching = np.flatnonzero(same.all(axis=1))
            if not len(matching):
                wanted = self.schema_.describe(given.columns, line)
                raise ValueError(
                    f"no training row has {wanted}; {type(self).__name__} has no other"
                )
            chosen[rows] = rng.choice(matching, size=len(rows))
        return chosen


class JitteredBootstrap(Bootstrap):
    """Draw training rows and add noise to their numbers.

    A kernel density estimate with a Gaussian kernel. Noise that leaves the range is
    reflected at its end; booleans, categories and missing values stay as they are. The
    model is the training table, and each synthetic row lies close to a row of it.

    Parameters
    ----------
    scale : float, default 0.1
        Standard deviation of the noise, in standard deviations of the column; above 0.
    """

    def __init__(self, scale=0.1):
        self.scale = scale

    def _fit(self, codes):
        scale = number("scale", self.scale, 0, ends="()")
        self.rows_ = codes
        self.noise_ = np.where(self.schema_.discrete, 0.0, scale * np.nanstd(codes, axis=0))

    def _sample(self, n, rng, given):
        low, high = self.schema_.minimum, self.schema_.maximum
        codes = self.rows_[self._choose(n, rng, given)]
        codes = codes + self.noise_ * rng.standard_normal(codes.shape)
        codes = np.where(codes < low, 2 * low - codes, codes)
        codes = np.where(codes > high, 2 * high - codes, codes)
        if given is not None:
            codes[:, given.columns] = given.codes
        return codes


class IndependentMargins(Generator):
    """Draw each column on its own.

    Numbers come from the column's quantiles with straight lines between them; integers that
    repeat, categories, booleans and missing values from their shares. Every margin is right,
    and no two columns have anything to do with each other. Of up to 1000 rows the model keeps
    the sorted columns, of more a grid of quantiles, see `runproof.synth.margins.Margins`.
    """

    supports_conditions = True

    def _fit(self, codes):
        self.margins_ = Margins(codes, self.schema_)

    def _sample(self, n, rng, given):
        codes = self.margins_.quantiles(rng.random((n, self.margins_.n_latent)))
        if given is not None:
            codes[:, given.columns] = given.codes
        return codes
