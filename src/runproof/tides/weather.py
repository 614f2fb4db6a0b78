"""The law of the weather, learned from what the tide's lines leave.

The law has twelve numbers, and a record of a month cannot tell them all. So they have a weak
prior, and the engine takes the most probable law after the data. It finds that law with an
exact gradient and from several starts, so that the answer is a matter of the data and not of
rounding; and it says of every number how much of it the record has told.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import linalg, optimize

from runproof.tides.state_space import MATERN, ROTATION, forward, gains, score

__all__ = ["Weather"]

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
NAMES = [f"{name} std" for name in KINDS] + ["noise std"]
NAMES += [f"{name} scale" for name in list(KINDS)[:-2]] + ["tidal scale"]

# In the following, x are these logarithms in the prior's units, 0 at its median.
BOUND = 3.0  # how far the search goes
# Where it starts: at the median, and from a rough law, whose quick part is much quicker.
STARTS = np.zeros((2, len(CENTER)))
STARTS[1, [2, 3, COUNT + 3, COUNT + 4]] = 0.5, 0.8, -0.7, -1.8
TOLD = 0.5  # a number is said to be undetermined if the record tells less of it
RIVAL = 3.0  # in log-probability: a law so little worse is worth a word


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
    told : Series
        By number of the law (such as ``slow std``): how much of it the record has told. 0 is
        nothing, so that the prior alone decides; 1 is all. It is 1 less the ratio of the
        variances of its logarithm after the data and before, by Laplace's approximation.
    undetermined : tuple of str
        The numbers of which less than half is told.
    at_bound : tuple of str
        The numbers that sit on a bound of the search, three deviations of the prior from its
        median: the data would have gone on.
    rival : float
        By how much the logarithm of the posterior probability is lower for the next best law
        that was found, elsewhere; infinite if none was. Below 3 it deserves suspicion.
    converged : bool
        Whether the search ended at a maximum.
    """

    table: pd.DataFrame
    noise_std: float
    told: pd.Series
    undetermined: tuple
    at_bound: tuple
    rival: float
    converged: bool

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

    @property
    def message(self):
        """What one should know of the law before one relies on it, in sentences; or empty."""
        if not self.told.any():
            return "The lines leave nothing but rounding errors, so the law is the prior's."
        parts = []
        if not self.converged:
            parts.append("The search for the law did not end at a maximum.")
        if self.undetermined:
            names = ", ".join(self.undetermined)
            parts.append(f"The record hardly tells these, and the prior decides: {names}.")
        if self.at_bound:
            parts.append(f"On a bound of the search: {', '.join(self.at_bound)}.")
        if self.rival < RIVAL:
            factor = np.exp(self.rival)
            parts.append(f"Another law is less probable by a factor of {factor:.2g} only.")
        return " ".join(parts)

    def __repr__(self):
        lines = [self.table.to_string(), f"white noise {self.noise_std:.4g}"]
        return "\n".join([*lines, *filter(None, [self.message])])


def unpack(x, variance):
    """Return processes and the noise's variance from what is learned."""
    theta = CENTER + WIDTH * x
    shares, scales = variance * np.exp(theta[: COUNT + 1]), np.exp(theta[COUNT + 1 :])
    rates = 1 / np.append(scales, scales[-1])
    return np.column_stack([_KIND, shares[:-1], rates, np.deg2rad(_SPEED)]), shares[-1]


def learn(pieces, variance, starts=STARTS):
    """Return the laws that are the most probable ones of their surroundings, best first.

    Each is a pair of the negative log-probability and x.
    """
    laws = []
    for start in starts:
        found = optimize.minimize(
            _cost,
            start,
            (pieces, variance),
            jac=True,
            method="L-BFGS-B",
            bounds=[(-BOUND, BOUND)] * len(start),
            options={"ftol": 1e-13, "gtol": 1e-5, "maxiter": 500, "maxcor": 30},
        )
        if all(np.abs(found.x - x).max() > 0.05 for _, x in laws):
            laws.append((found.fun, found.x))
    return sorted(laws, key=lambda law: law[0])


def judge(laws, pieces, variance):
    """Return the best law's x after a last step, its covariance, and what `Weather` says of it.

    The step is Newton's. The covariance is Laplace's approximation: the inverse of the
    curvature of the log-probability.
    """
    x = laws[0][1]
    slope = _cost(x, pieces, variance)[1]
    ends = [_cost(x + h * e, pieces, variance)[1] for e in np.eye(len(x)) for h in (1e-3, -1e-3)]
    curvature = (np.array(ends[::2]) - ends[1::2]) / 2e-3
    curvature = (curvature + curvature.T) / 2
    free = (np.abs(x) < BOUND) | (slope * x > 0)
    step = np.zeros(len(x))
    step[free] = -np.linalg.solve(curvature[np.ix_(free, free)], slope[free])
    small = bool(np.abs(step).max() < 0.05)
    values, axes = np.linalg.eigh(curvature)
    covariance = axes / np.maximum(values, 0.01) @ axes.T
    rival = laws[1][0] - laws[0][0] if len(laws) > 1 else np.inf
    x = np.clip(x + small * step, -BOUND, BOUND)
    told = np.clip(1 - np.diag(covariance), 0, 1)
    return x, covariance, (told, tuple(np.array(NAMES)[~free].tolist()), float(rival), small)


def describe(x, variance, told, at_bound=(), rival=np.inf, converged=True):
    """Return a `Weather` from what is learned and what is known of it."""
    processes, noise = unpack(x, variance)
    kind, power, rate, speed = processes.T
    table = pd.DataFrame(
        {
            "kind": np.where(kind == MATERN, "matern", "rotation"),
            "std": np.sqrt(power),
            "scale_h": 1 / rate,
            "speed_deg_per_h": np.rad2deg(speed),
        },
        index=pd.Index(list(KINDS)),
    )
    told = pd.Series(told, NAMES)
    little = tuple(told.index[told < TOLD])
    return Weather(table, float(np.sqrt(noise)), told, little, at_bound, rival, converged)


def _cost(x, pieces, variance):
    """Return the negative log of likelihood times prior, and its derivatives by x."""
    processes, noise = unpack(x, variance)
    value, slope = -0.5 * np.sum(x**2), -x
    for steps, columns in pieces:
        likelihood, d_variance, d_rate, d_noise = _restricted(processes, noise, steps, columns)
        d_scale = -d_rate * processes[:, 2]
        rate = np.append(d_scale[:-2], d_scale[-2:].sum())
        by_log = np.concatenate([d_variance * processes[:, 1], [d_noise * noise], rate])
        value, slope = value + likelihood, slope + WIDTH * by_log
    return -value, -slope


def _restricted(processes, noise, steps, columns):
    """Return the restricted log-likelihood of the last column, given the others, and its score."""
    n, size, width = len(steps), 2 * len(processes), columns.shape[1]
    seen, covariances = np.ones(n, dtype=bool), np.empty((n, size, size))
    gain, variance = gains(processes, noise, steps, seen, covariances)
    errors, signals = np.empty_like(columns), np.empty_like(columns)
    forward(
        processes, steps, seen, gain, variance, columns, np.zeros((size, width)), errors, signals
    )
    scaled = errors / np.sqrt(variance)[:, None]
    gram = np.einsum("ni,nj->ij", scaled, scaled)  # too small for the threads of BLAS
    scale = np.sqrt(np.diag(gram)[:-1])
    root = np.linalg.cholesky(gram[:-1, :-1] / np.outer(scale, scale))
    explained = linalg.solve_triangular(root, gram[:-1, -1] / scale, lower=True)
    quadratic = gram[-1, -1] - explained @ explained
    value = -0.5 * (np.log(variance).sum() + quadratic) - np.log(scale * np.diag(root)).sum()
    # Orthonormal columns, and the residual of the last one: their scores add up to that of all.
    mix = np.zeros_like(gram)
    mix[:-1, :-1] = linalg.solve_triangular(root, np.eye(len(root)), lower=True).T / scale[:, None]
    mix[:, -1] = np.append(-mix[:-1, :-1] @ explained, 1.0)
    mixed = np.einsum("ni,ij->nj", errors, mix)
    return value, *score(processes, steps, gain, variance, covariances, mixed)
