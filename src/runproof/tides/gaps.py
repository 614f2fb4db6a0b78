"""Fill the gaps of a water-level record: tide by regression, weather by a smoother.

Levels are the tide's lines, mean and trend, plus weather: a sum of stationary processes with
known covariance. The lines are fitted by generalized least squares under that covariance, the
covariance by restricted maximum likelihood, and what was not seen is filled with its
conditional mean. All is exact, and takes time in proportion to the length of the record.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import linalg, optimize

from runproof.checks import require_memory
from runproof.tides.astronomy import CONSTITUENTS
from runproof.tides.design import HOUR, Design, choose
from runproof.tides.harmonic import TidalFit, _solve, require_levels, series, summarize
from runproof.tides.state_space import (
    MATERN,
    ROTATION,
    backward,
    forward,
    gains,
    smoothed_variance,
)

__all__ = ["FilledSeries", "Weather", "fill_gaps"]

LONGEST = 20_000  # levels from which the law of the weather is learned
SLOW = 2.0  # degrees per hour: lines whose fit takes away some of the slow weather


@dataclass(frozen=True)
class Weather:
    """The law of what the tide's lines leave: a sum of stationary processes and white noise.

    Attributes
    ----------
    table : DataFrame
        By process: its ``kind``, its standard deviation ``std`` in the unit of the levels,
        its time scale ``scale_h`` in hours, and the speed about which it turns in degrees
        per hour. Processes of kind ``matern`` have covariance (1 + d) exp(-d) at lag
        scale_h d, those of kind ``rotation`` exp(-d) times the cosine of the turn.
    noise_std : float
        The standard deviation of the white noise.
    """

    table: pd.DataFrame
    noise_std: float

    def covariance(self, lags_h):
        """Return the covariance of the weather, without the noise, at lags in hours."""
        lags = np.abs(np.asarray(lags_h, dtype=float))[..., None]
        d = lags / self.table.scale_h.to_numpy()
        turn = np.deg2rad(lags * self.table.speed_deg_per_h.to_numpy())
        shape = np.where(self.table.kind == "matern", 1 + d, np.cos(turn)) * np.exp(-d)
        return shape @ self.table["std"].to_numpy() ** 2

    @property
    def processes(self):
        """The same as an array, as `state_space` wants it."""
        table = self.table
        kinds = np.where(table.kind == "matern", MATERN, ROTATION)
        turns = np.deg2rad(table.speed_deg_per_h)
        return np.column_stack([kinds, table["std"] ** 2, 1 / table.scale_h, turns])


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
    tide : ndarray of float, shape (n,)
        The part of `mean` that the tide's lines, the mean and the trend make up.
    missing : ndarray of bool, shape (n,)
        Where no level was given.
    fit : TidalFit
        The harmonic constants, with their errors under the law of the weather.
    weather : Weather
        The law of the rest.
    """

    times: np.ndarray
    levels: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    std_reading: np.ndarray
    tide: np.ndarray
    missing: np.ndarray
    fit: TidalFit
    weather: Weather

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
    noise. Their variances and time scales maximize the restricted likelihood of the
    residual times a wide prior; of more than 20,000 levels, a part is used for this. The
    deviations returned contain the errors of the harmonic constants, but take the law of
    the weather as known.

    References
    ----------
    P. de Jong, "Smoothing and interpolation with the state-space model", Journal of the
    American Statistical Association 84 (1989), 1085-1088; B. Rosenberg, "Random
    coefficients models", Annals of Economic and Social Measurement 2 (1973), 399-428.
    """
    times, levels = series(times, levels)
    if len(times) > 1 and not (np.diff(times) > np.timedelta64(0)).all():
        raise ValueError("times must increase, each later than the one before")
    require_memory(f"Filling {len(times):,} samples", 400 * len(times) + (1 << 29))
    seen = np.isfinite(levels)
    known, values = times[seen], levels[seen]
    names = choose(known, constituents, rayleigh)
    span = (known.min(), known.max()) if trend else None
    design = Design(known, names, span)
    require_levels(design)
    beta, _ = _solve(design, values, None)
    residual = values - design.dot(beta)
    variance, theta = float(np.mean(residual**2)) or np.finfo(float).tiny ** 0.5, CENTER
    for _ in range(2):
        pieces = _pieces(design, residual)
        theta = _learn(pieces, variance, theta)
        processes, noise = _unpack(theta, variance)
        beta, inverse = _generalized(design, values, processes, noise)
        residual = values - design.dot(beta)
    everywhere = Design(times, names, span)
    mean, std, tide = _smooth(everywhere, levels, seen, processes, noise, beta, inverse)
    constants = summarize(design, beta, inverse, residual, min_snr, "gls")
    filled = np.where(seen, levels, mean)
    law = _weather(processes, noise)
    reading = np.sqrt(std**2 + noise)
    return FilledSeries(times, filled, mean, std, reading, tide, ~seen, constants, law)


def _weather(processes, noise):
    kind, variance, rate, speed = processes.T
    table = pd.DataFrame(
        {
            "kind": np.where(kind == MATERN, "matern", "rotation"),
            "std": np.sqrt(variance),
            "scale_h": 1 / rate,
            "speed_deg_per_h": np.rad2deg(speed),
        },
        index=pd.Index(list(KINDS)),
    )
    return Weather(table, float(np.sqrt(noise)))


# The law of the weather

# Kind, speed in degrees per hour, and the prior's medians: share of the variance, and time scale
# in hours. The two tidal rotations have one time scale.
KINDS = {
    "seasonal": (ROTATION, 0.0, 0.3, 1200.0),
    "slow": (ROTATION, 0.0, 0.3, 150.0),
    "middle": (MATERN, 0.0, 0.2, 20.0),
    "quick": (MATERN, 0.0, 0.02, 4.0),
    "diurnal": (ROTATION, 14.4920521, 0.01, 240.0),
    "semidiurnal": (ROTATION, 28.9841042, 0.01, 240.0),
}
COUNT = len(KINDS)
_KIND, _SPEED, _SHARE, _SCALE = np.array(list(KINDS.values())).T
# What is learned: the logarithms of all shares, of the noise's, and of all scales but the last.
CENTER = np.log(np.concatenate([_SHARE, [0.01], _SCALE[:-1]]))
WIDTH = np.repeat([3.0, 0.7], [COUNT + 1, COUNT - 1])  # of their normal prior


def _unpack(theta, variance):
    """Return processes and noise from the logarithms that are learned."""
    shares, scales = variance * np.exp(theta[: COUNT + 1]), np.exp(theta[COUNT + 1 :])
    rates = 1 / np.append(scales, scales[-1])
    return np.column_stack([_KIND, shares[:-1], rates, np.deg2rad(_SPEED)]), shares[-1]


def _learn(pieces, variance, start):
    """Return the logarithms that are most likely after the data."""
    bounds = list(zip(CENTER - 3 * WIDTH, CENTER + 3 * WIDTH, strict=True))
    found = optimize.minimize(
        lambda theta: -_posterior(theta, pieces, variance),
        start,
        method="L-BFGS-B",
        bounds=bounds,
        options={"ftol": 5e-7, "eps": 1e-5},
    )
    return found.x


def _posterior(theta, pieces, variance):
    law = _unpack(theta, variance)
    known = sum(_restricted(*law, *piece) for piece in pieces)
    return known - 0.5 * np.sum(((theta - CENTER) / WIDTH) ** 2)


def _pieces(design, residual):
    """Return what the law is learned from: steps, and slow columns beside the residual.

    Of a long record, this is a part in the middle, and levels at wide steps throughout.
    """
    n, half = len(residual), LONGEST // 2
    slow = CONSTITUENTS.speed_deg_per_h[design.names] < SLOW
    slow = slow.index[slow].tolist()
    if n <= LONGEST:
        choices = [(slice(None), slow, design.span)]
    else:
        middle = slice(n // 2 - half // 2, n // 2 + half // 2)
        choices = [(slice(None, None, -(-n // half)), slow, design.span), (middle, [], None)]
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


def _restricted(processes, noise, steps, columns):
    """Return the restricted log-likelihood of the last column, given the others."""
    seen = np.ones(len(steps), dtype=bool)
    gain, variance = gains(processes, noise, steps, seen)
    x = np.zeros((2 * len(processes), columns.shape[1]))
    errors, signals = np.empty_like(columns), np.empty_like(columns)
    forward(processes, steps, seen, gain, variance, columns, x, errors, signals)
    errors /= np.sqrt(variance)[:, None]
    gram = errors.T @ errors
    scale = np.sqrt(np.diag(gram)[:-1])
    root = np.linalg.cholesky(gram[:-1, :-1] / np.outer(scale, scale))
    explained = linalg.solve_triangular(root, gram[:-1, -1] / scale, lower=True)
    quadratic = gram[-1, -1] - explained @ explained
    return -0.5 * (np.log(variance).sum() + quadratic) - np.log(scale * np.diag(root)).sum()


# Regression and smoothing under the law


class _Smoother:
    """The weather's filter and smoother on the columns of a design, block by block."""

    def __init__(self, design, values, seen, processes, noise):
        self.design, self.values, self.seen = design, values, seen
        self.processes, self.noise, self.steps = processes, noise, _steps(design.times)
        self.gain, self.variance = gains(processes, noise, self.steps, seen)

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
    form of A - m(A). The smoother runs backward, block by block, from the states in which
    the filter entered each block.
    """
    smoother = _Smoother(design, np.where(seen, levels, 0.0), seen, processes, noise)
    steps, gain, variance = smoother.steps, smoother.gain, smoother.variance
    spread = smoothed_variance(processes, noise, steps, seen, gain, variance)
    mean, tide = np.empty(len(levels)), np.empty(len(levels))
    root = np.linalg.cholesky(covariance)
    x, entries = smoother.rest(), []
    for rows in design.slices():
        entries.append(x.copy())
        smoother.forward(rows, x)
    after, r = np.append(steps[1:], 0.0), smoother.rest()
    for rows, entry in zip(reversed(design.slices()), reversed(entries), strict=True):
        columns, errors, signals = smoother.forward(rows, entry)
        backward(*smoother.arguments(rows, after), errors, signals, r)
        rest = columns[:, :-1] - signals[:, :-1]
        tide[rows] = columns[:, :-1] @ beta
        mean[rows] = signals[:, -1] + rest @ beta
        spread[rows] += ((rest @ root) ** 2).sum(1)
    return mean, np.sqrt(spread), tide
