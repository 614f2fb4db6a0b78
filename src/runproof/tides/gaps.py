"""Fill the gaps of a water-level record: tide by regression, weather by a smoother.

Levels are the tide's lines, mean and trend, plus weather: a sum of stationary processes with
known covariance. The lines are fitted by generalized least squares under that covariance, the
covariance by restricted likelihood and a weak prior, and what was not seen is filled with its
conditional mean. All is exact, and takes time in proportion to the length of the record.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import linalg

from runproof.tides.astronomy import CONSTITUENTS
from runproof.tides.design import HOUR, Design, choose
from runproof.tides.harmonic import TidalFit, _solve, require_levels, series, summarize
from runproof.tides.state_space import NOTHING, backward, forward, gains, smoothed_variance
from runproof.tides.weather import CENTER, RIVAL, Weather, describe, judge, learn, unpack
from runproof.validation import require_memory

__all__ = ["FilledSeries", "Weather", "fill_gaps"]

LONGEST = 20_000  # levels from which the law of the weather is learned
COLUMNS = 250_000  # numbers in the design of a record whose lines are all allowed for
SLOW = 2.0  # degrees per hour: the lines that are allowed for in longer ones
ROUNDING = 1e-10  # of the largest level: a residual so small is no weather


@dataclass(frozen=True)
class FilledSeries:
    """A record without gaps, with the deviation of what was filled in.

    Attributes
    ----------
    times : ndarray of datetime64, shape (n,)
        The times asked for.
    levels : ndarray of float, shape (n,)
        The levels given, and `mean` where there was none.
    mean : ndarray of float, shape (n,)
        The expected true level, given all levels: tide and weather, without the noise.
    std : ndarray of float, shape (n,)
        Its standard deviation.
    std_reading : ndarray of float, shape (n,)
        The standard deviation of what a gauge would have read, noise included.
    std_given_law : ndarray of float, shape (n,)
        What `std` would be if the law of the weather were known to be `weather`.
    tide : ndarray of float, shape (n,)
        The part of `mean` that the tide's lines, the mean and the trend make up.
    missing : ndarray of bool, shape (n,)
        Where no level was given.
    fit : TidalFit
        The harmonic constants, with their errors under the law of the weather.
    weather : Weather
        The law of the rest, and how much of it the record has told.
    law_error : float
        The relative standard error of `std_given_law` that comes from not knowing the law:
        its median over the gaps, or over all times if there are none; 0 if there is no weather.
    """

    times: np.ndarray
    levels: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    std_reading: np.ndarray
    std_given_law: np.ndarray
    tide: np.ndarray
    missing: np.ndarray
    fit: TidalFit
    weather: Weather
    law_error: float

    @property
    def message(self):
        """What the record does not determine, and what it means for `std`, in sentences."""
        if not self.weather.told.any():
            return self.weather.message
        error = f"Not knowing the law makes the deviations uncertain by {self.law_error:.0%}."
        return f"{self.weather.message} {error}".strip()

    def __repr__(self):
        return (
            f"FilledSeries of {len(self.times):,} levels, {self.missing.sum():,} of them filled; "
            f"{len(self.fit.table)} lines\n{self.message}"
        )

    def to_frame(self):
        """Return the series as a DataFrame by time."""
        names = ["levels", "mean", "std", "std_reading", "tide", "missing"]
        return pd.DataFrame({name: getattr(self, name) for name in names}, self.times)


def fill_gaps(times, levels, constituents="auto", *, trend=True, rayleigh=0.99, min_snr=4.0):
    """Fill the gaps of a record with the expected level and its standard deviation.

    Parameters
    ----------
    times : array_like of datetime64, shape (n,)
        Times in UTC, without time zone, increasing; steps may differ. Times before or after
        all levels are forecast.
    levels : array_like of float, shape (n,)
        Levels in any one unit; missing ones are NaN.
    constituents, rayleigh, min_snr
        As for `fit`.
    trend : bool
        Whether to fit a trend, held constant before the first and after the last level.

    Returns
    -------
    FilledSeries

    Raises
    ------
    TypeError, ValueError
        If an argument is not as described, if there are not more levels than coefficients,
        or if the times cannot tell the constituents apart.
    MemoryError
        If the record does not fit into memory.

    Notes
    -----
    The weather is the sum of two Ornstein-Uhlenbeck processes with time scales of months and
    days, two of Matern's of order 3/2 with scales of a day and of hours, one rotation with the
    diurnal and one with the semidiurnal tides (the tides' own slow variability), and white
    noise.

    Their variances and time scales are the most probable ones: they maximize the restricted
    likelihood of the residual times a prior. Restricted means that it allows for what the fit
    has taken from the residual: in records of up to some three months of hours for all lines,
    in longer ones, where a line takes less, for the slow ones.

    Likelihood alone does not do. A month says nothing of a scale of months, and a process that
    is not there has no scale at all: where the likelihood is flat, or rises toward a variance
    of zero, its maximum is decided by rounding errors or by the bounds of the search. The
    prior is weak, and normal in the logarithms: deviation 3 for each share of the residual's
    variance, a factor of 20 either way, and 0.7 for each scale, a factor of 2; its medians are
    in `weather.KINDS`. This is the penalized likelihood of Chung and others. Where the record
    tells a number, the prior hardly moves it; where not, the prior fixes it, and
    `weather.undetermined` names it. The maximum is sought with exact derivatives (Koopman and
    Shephard) from two starts, until rounding no longer matters; a second maximum almost as
    high is reported. Of more than 20,000 levels, a part is used for this.

    The deviations contain the errors of the harmonic constants. Of up to 20,000 levels, they
    also contain the error of the law, to second order (Hamilton; Ansley and Kohn): the mean's
    variance under Laplace's approximation of the law's probability, and the expectation of
    the squared deviation, which is larger than its square at the most probable law. This is
    an approximation about one law: against sampled laws, deviations in records of ten days
    were up to a sixth too small. A longer record tells its law well enough, and it is taken
    as known.

    References
    ----------
    P. de Jong, "Smoothing and interpolation with the state-space model", Journal of the
    American Statistical Association 84 (1989), 1085-1088; B. Rosenberg, "Random
    coefficients models", Annals of Economic and Social Measurement 2 (1973), 399-428; Y. Chung,
    S. Rabe-Hesketh, V. Dorie, A. Gelman and J. Liu, "A nondegenerate penalized likelihood
    estimator for variance parameters in multilevel models", Psychometrika 78 (2013), 685-709;
    S. J. Koopman and N. Shephard, "Exact score for time series models in state space form",
    Biometrika 79 (1992), 823-826; J. D. Hamilton, "A standard error for the estimated state
    vector of a state-space model", Journal of Econometrics 33 (1986), 387-397; C. F. Ansley
    and R. Kohn, "Prediction mean squared error for state space models with estimated
    parameters", Biometrika 73 (1986), 467-473.
    """
    times, levels = series(times, levels)
    if len(times) > 1 and not (np.diff(times) > np.timedelta64(0, "ns")).all():
        raise ValueError("times must increase, each later than the one before")
    require_memory(f"Filling {len(times):,} samples", 400 * len(times) + (1 << 29))
    seen = np.isfinite(levels)
    known, values = times[seen], levels[seen]
    names = choose(known, constituents, rayleigh)
    span = (known.min(), known.max()) if trend else None
    design = Design(known, names, span)
    require_levels(design)
    x, spread, variance, weather = _law(design, values)
    processes, noise = unpack(x, variance)
    beta, inverse = _generalized(design, values, processes, noise)
    everywhere = Design(times, names, span)
    mean, given_law, tide = _smooth(everywhere, levels, seen, processes, noise, beta, inverse)
    # Of a long record, which tells its law, only a part is looked at, and nothing is added.
    part = slice(max(0, (len(times) - LONGEST) // 2), (len(times) + LONGEST) // 2)
    rest = np.where(seen, levels - tide, 0.0)[part]
    shift, doubt = _unknown_law(times[part], rest, seen[part], x, spread, variance)
    gap = ~seen[part]
    error = float(np.sqrt(np.median(doubt[gap] if gap.any() else doubt)))
    std = given_law
    if len(times) <= LONGEST:
        std = np.sqrt(given_law**2 * (1 + 2 * np.minimum(doubt, 1)) + shift)
    residual = values - design.dot(beta)
    constants = summarize(design, beta, inverse, residual, min_snr, "gls")
    return FilledSeries(
        times=times,
        levels=np.where(seen, levels, mean),
        mean=mean,
        std=std,
        std_reading=np.sqrt(std**2 + noise),
        std_given_law=given_law,
        tide=tide,
        missing=~seen,
        fit=constants,
        weather=weather,
        law_error=error,
    )


def _law(design, values):
    """Return x, its covariance and the variance that it is relative to, and the Weather.

    The law is learned twice: from the residual of ordinary least squares, roughly, then from
    that of the least squares which the first law makes best.
    """
    beta, _ = _solve(design, values, None)
    residual = values - design.dot(beta)
    power, least = float(np.mean(residual**2)), (ROUNDING * np.abs(values).max()) ** 2
    if power <= least:
        x, variance = np.zeros(len(CENTER)), least or np.finfo(float).tiny ** 0.5
        return x, np.zeros((len(x),) * 2), variance, describe(x, variance, np.zeros(len(x)))
    laws = learn(_pieces(design, residual), power)
    beta, _ = _generalized(design, values, *unpack(laws[0][1], power))
    pieces = _pieces(design, values - design.dot(beta), all_lines=True)
    laws = learn(pieces, power, [x for cost, x in laws if cost < laws[0][0] + 3 * RIVAL])
    x, spread, known = judge(laws, pieces, power)
    return x, spread, power, describe(x, power, *known)


def _unknown_law(times, rest, seen, x, spread, variance):
    """Return what not knowing the law adds, by time: to the mean's variance, and to log std.

    By the delta method: x has covariance `spread`, and the smoother's mean and the logarithm
    of its deviation are differentiated by x. `rest` is the levels without the tide.
    """
    design = Design(times, [])

    def smooth(x):
        smoother = _Smoother(design, rest, seen, *unpack(x, variance))
        power = np.maximum(smoother.spread(), np.finfo(float).tiny)
        mean = np.empty(len(times))
        for rows, _, signals in smoother.smooth():
            mean[rows] = signals[:, -1]
        return np.array([mean, 0.5 * np.log(power)])

    center, h = smooth(x), 1e-2
    slopes = np.array([(smooth(x + h * e) - center) / h for e in np.eye(len(x))])
    return np.einsum("ikt,ij,jkt->kt", slopes, spread, slopes, optimize=True)


def _pieces(design, residual, all_lines=False):
    """Return what the law is learned from: steps, and a design's columns beside the residual.

    The fit has taken from the residual what looks like those columns, and the restricted
    likelihood allows for that. Of a long record, this is a part in the middle, and levels at
    wide steps throughout.
    """
    n, half = len(residual), LONGEST // 2
    lines = CONSTITUENTS.speed_deg_per_h[design.names]
    if not all_lines or n * design.width > COLUMNS:
        lines = lines[lines < SLOW]
    lines = lines.index.tolist()
    if n <= LONGEST:
        choices = [(slice(None), lines, design.span)]
    else:
        middle = slice(n // 2 - half // 2, n // 2 + half // 2)
        choices = [(slice(None, None, -(-n // half)), lines, design.span), (middle, [], None)]
    pieces = []
    for rows, names, span in choices:
        part = Design(design.times[rows], names, span)
        blocks = [_beside(part, block, residual[rows][block]) for block in part.slices()]
        pieces.append((_steps(part.times), np.concatenate(blocks)))
    return pieces


def _steps(times):
    """Return hours since the time before, 0 for the first."""
    return np.diff(times, prepend=times[:1]).astype(np.int64) / HOUR


def _beside(design, rows, values):
    """Return the design's rows with values as a last column, ready for `forward`."""
    block = design.block(rows)
    columns = np.empty((block.shape[1], design.width + 1))
    columns[:, :-1], columns[:, -1] = block.T, values
    return columns


# Regression and smoothing under the law


class _Smoother:
    """The weather's filter and smoother on the columns of a design, block by block."""

    def __init__(self, design, values, seen, processes, noise):
        self.design, self.values, self.seen = design, values, seen
        self.processes, self.noise, self.steps = processes, noise, _steps(design.times)
        self.gain, self.variance = gains(processes, noise, self.steps, seen, NOTHING)

    def rest(self):
        """Return the filter's state before the first block: shape (states, columns)."""
        return np.zeros((2 * len(self.processes), self.design.width + 1))

    def arguments(self, rows, steps):
        """Return what the kernels take of a block."""
        seen, gain, variance = self.seen[rows], self.gain[rows], self.variance[rows]
        return self.processes, steps[rows], seen, gain, variance

    def forward(self, rows, x):
        """Filter a block from state x on; return its columns, innovations and forecasts."""
        columns = _beside(self.design, rows, self.values[rows])
        errors, signals = np.empty_like(columns), np.empty_like(columns)
        forward(*self.arguments(rows, self.steps), columns, x, errors, signals)
        return columns, errors, signals

    def smooth(self):
        """Yield rows, columns and smoothed signals of each block, from the last to the first.

        The smoother starts every block from the state in which the filter entered it.
        """
        x, entries = self.rest(), []
        for rows in self.design.slices():
            entries.append(x.copy())
            self.forward(rows, x)
        after, r = np.append(self.steps[1:], 0.0), self.rest()
        for rows, entry in zip(reversed(self.design.slices()), reversed(entries), strict=True):
            columns, errors, signals = self.forward(rows, entry)
            backward(*self.arguments(rows, after), errors, signals, r)
            yield rows, columns, signals

    def spread(self):
        """Return the variance of the weather, given the levels, at all times."""
        return smoothed_variance(
            self.processes, self.noise, self.steps, self.seen, self.gain, self.variance
        )


def _generalized(design, values, processes, noise):
    """Return coefficients by generalized least squares, and their covariance."""
    smoother = _Smoother(design, values, np.ones(len(values), dtype=bool), processes, noise)
    x, gram = smoother.rest(), 0.0
    for rows in design.slices():
        _, errors, _ = smoother.forward(rows, x)
        errors /= np.sqrt(smoother.variance[rows])[:, None]
        gram = gram + errors.T @ errors
    scale = 1 / np.sqrt(np.diag(gram)[:-1])
    factor = linalg.cho_factor(gram[:-1, :-1] * np.outer(scale, scale))
    inverse = linalg.cho_solve(factor, np.eye(design.width))
    beta = linalg.cho_solve(factor, gram[:-1, -1] * scale) * scale
    return beta, inverse * np.outer(scale, scale)


def _smooth(design, levels, seen, processes, noise, beta, covariance):
    """Return the mean, its standard deviation and the tide at all times.

    With m the smoother, the mean is m(levels) + (A - m(A)) beta: what the smoother does not
    make of the levels itself is the regression's. So the errors of beta add the quadratic
    form of A - m(A).
    """
    smoother = _Smoother(design, np.where(seen, levels, 0.0), seen, processes, noise)
    mean, tide, spread = np.empty(len(levels)), np.empty(len(levels)), smoother.spread()
    root = np.linalg.cholesky(covariance)
    for rows, columns, signals in smoother.smooth():
        rest = columns[:, :-1] - signals[:, :-1]
        tide[rows] = columns[:, :-1] @ beta
        mean[rows] = signals[:, -1] + rest @ beta
        spread[rows] += ((rest @ root) ** 2).sum(1)
    return mean, np.sqrt(spread), tide
