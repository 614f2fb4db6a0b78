"""Generative adversarial networks for tables, in JAX.

References
----------
I. Goodfellow et al., "Generative Adversarial Nets", NeurIPS 2014; I. Gulrajani et al.,
"Improved Training of Wasserstein GANs", NeurIPS 2017; E. Jang, S. Gu, B. Poole, "Categorical
Reparameterization with Gumbel-Softmax", ICLR 2017; L. Xu et al., "Modeling Tabular Data using
Conditional GAN", NeurIPS 2019 (mode-specific normalization).
"""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import BayesianGaussianMixture
from tqdm import tqdm

from runproof.checks import require_memory, whole_number
from runproof.synth.table import Generator

__all__ = ["GAN"]

_FEW_VALUES = 30  # a number with so few values, each ten times or more, is a label
_MIXTURE_ROWS = 5000  # rows that a column's modes are found from, at most
_LIGHTEST = 0.005  # the smallest share of a mode that is kept
_REACH = 4  # a mode covers its mean +- 4 standard deviations
_CHUNK = 200  # steps between two looks at the holdout
_MADE = 1000  # rows generated for a look


class GAN(Generator):
    """A generator trained against a critic: by default a Wasserstein GAN.

    Parameters
    ----------
    latent : int, default 64
        Width of the noise.
    hidden, critic : tuple of int, default (128, 128)
        Hidden layers of the generator (ReLU) and of the critic (leaky ReLU).
    loss : {"wasserstein", "logistic"}, default "wasserstein"
        Wasserstein distance with gradient penalty 10, or the first GAN's cross-entropy.
    modes : int, default 10
        Components of the Gaussian mixture that normalizes a column of numbers, at most; 0
        standardizes numbers and codes of categories alike, one output each.
    steps : int, default 6000
        Steps of the generator, at most.
    critic_steps : int, default 2
        Steps of the critic before each.
    batch_size : int, default 128
        Rows of a step.
    learning_rate : float, default 5e-4
        Of Adam; above 0.
    averaging : float, default 0.995
        Samples come from a running average of the weights; 0 is the last step's, below 1.
    holdout : float, default 0.1
        Share of rows that are held out to stop early; 0 runs all steps. Below 50 rows none
        are held out.
    patience : int, default 10
        Training ends after so many looks at the holdout without a better one; there is one
        every 200 steps. The best look's weights are kept.
    random_state : int, default 0
        Seed of the fit.
    progress : bool, default False
        Show a progress bar.

    Attributes
    ----------
    history_ : list of (int, float)
        Step, and energy distance of generated rows to the holdout up to a constant.
    best_step_ : int
        The step whose weights are kept.

    Notes
    -----
    A number becomes the mode of a Bayesian Gaussian mixture it belongs to and its place in
    that mode; categories, missing values, and numbers of at most 30 values that each occur ten
    times or more on average, are labels. Labels leave the generator through a Gumbel-softmax.
    Steps are one loop, compiled by XLA through ``jax.lax.scan``, batches included; it runs on
    the CPU, on the threads that XLA takes. Rows are drawn with NumPy. The same seed gives the
    same weights on the same machine and version of JAX; elsewhere rounding leads apart.

    The looks at the holdout use the same noise each time, so that their least value is a
    choice among a few tens of numbers, not a selection from independent noise.
    """

    def __init__(
        self,
        latent=64,
        hidden=(128, 128),
        critic=(128, 128),
        loss="wasserstein",
        modes=10,
        steps=6000,
        critic_steps=2,
        batch_size=128,
        learning_rate=5e-4,
        averaging=0.995,
        holdout=0.1,
        patience=10,
        random_state=0,
        progress=False,
    ):
        self.latent = latent
        self.hidden = hidden
        self.critic = critic
        self.loss = loss
        self.modes = modes
        self.steps = steps
        self.critic_steps = critic_steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.averaging = averaging
        self.holdout = holdout
        self.patience = patience
        self.random_state = random_state
        self.progress = progress

    @classmethod
    def published(cls, random_state=0, progress=False):
        """Return the network that the book's second chapter on synthesis was published with.

        Generator 10-15-30-d, discriminator d-25-50-1, Adam at 0.001, 10,000 batches of 128
        rows - one batch is what is called an epoch there; cross-entropy, standardized columns,
        one output for each of the d columns.

        Parameters
        ----------
        random_state : int
            Seed of the fit.
        progress : bool
            Show a progress bar.

        Returns
        -------
        GAN
        """
        return cls(
            latent=10,
            hidden=(15, 30),
            critic=(25, 50),
            loss="logistic",
            modes=0,
            steps=10_000,
            critic_steps=1,
            batch_size=128,
            learning_rate=1e-3,
            averaging=0.0,
            holdout=0.0,
            random_state=random_state,
            progress=progress,
        )

    def _fit(self, codes):
        self._check()
        rng = np.random.default_rng(self.random_state)
        self.encoder_ = _Encoder(codes, self.schema_, self.modes, rng)
        rows = self.encoder_.encode(codes, rng)
        if self.modes:
            rows = np.hstack([rows, self.encoder_.numbers(rows)])
        plan = self._plan()
        require_memory("training", 8 * rows.size + 400 * self.batch_size * rows.shape[1])
        held = round(self.holdout * len(rows)) if len(rows) >= 50 else 0
        rows = rng.permutation(rows).astype(np.float32)
        self.weights_, self.history_, self.best_step_ = self._train(rows[held:], rows[:held], plan)

    def _sample(self, n, rng, given):
        from runproof.synth._adversarial import forward

        codes = np.empty((n, len(self.schema_)))
        for rows in np.array_split(np.arange(n), -(-n // 100_000)):
            made = forward(self.weights_, rng.standard_normal((len(rows), self.latent)))
            codes[rows] = self.encoder_.decode(made, rng)
        return codes

    def _plan(self):
        from runproof.synth._adversarial import Plan

        encoder = self.encoder_
        return Plan(
            latent=self.latent,
            hidden=tuple(self.hidden),
            critic=tuple(self.critic),
            width=encoder.width,
            blocks=tuple(encoder.blocks),
            places=encoder.places if self.modes else 0,
            wasserstein=self.loss == "wasserstein",
            penalty=10.0,
            critic_steps=self.critic_steps,
            batch_size=self.batch_size,
            learning_rate=float(self.learning_rate),
            averaging=float(self.averaging),
        )

    def _train(self, rows, held, plan):
        """Return weights, history and the best step."""
        import jax

        from runproof.synth import _adversarial

        with jax.default_device(jax.devices("cpu")[0]):
            key, look = jax.random.split(jax.random.key(self.random_state))
            state = _adversarial.start(plan, key)
            rows, held = jax.numpy.asarray(rows), jax.numpy.asarray(held)
            modes = _adversarial.Modes(*map(jax.numpy.asarray, self.encoder_.modes()))
            weights = jax.numpy.asarray(self.encoder_.weights(rows.shape[1]))
            history, best, done = [], (np.inf, state.average, 0), 0
            with tqdm(total=self.steps, disable=not self.progress, desc="GAN") as bar:
                while done < self.steps:
                    count = min(_CHUNK, self.steps - done) if len(held) else self.steps
                    turn = jax.random.fold_in(key, done)
                    state = _adversarial.train(state, rows, modes, turn, plan, count)
                    done += count
                    bar.update(count)
                    found = np.inf
                    if len(held):
                        found = float(
                            _adversarial.distance(
                                state.average, held, modes, weights, look, plan, _MADE
                            )
                        )
                        history.append((done, found))
                    if found < best[0] or not len(held):
                        best = (found, state.average, done)
                    elif done - best[2] >= self.patience * _CHUNK:
                        break
            weights = [(np.asarray(w, float), np.asarray(b, float)) for w, b in best[1]]
        if not all(np.isfinite(w).all() and np.isfinite(b).all() for w, b in weights):
            raise FloatingPointError(
                f"the training diverged; lower learning_rate={self.learning_rate}"
            )
        return weights, history, best[2]

    def _check(self):
        for name in ("latent", "steps", "critic_steps", "batch_size", "patience"):
            whole_number(name, getattr(self, name), 1)
        whole_number("modes", self.modes, 0)
        whole_number("random_state", self.random_state, 0)
        for name in ("hidden", "critic"):
            sizes = getattr(self, name)
            if not isinstance(sizes, (tuple, list)):
                raise TypeError(f"{name} must be a tuple of whole numbers, got {sizes!r}")
            for size in sizes:
                whole_number(name, size, 1)
        if self.loss not in ("wasserstein", "logistic"):
            raise ValueError(f"loss must be 'wasserstein' or 'logistic', got {self.loss!r}")
        _check_range("learning_rate", self.learning_rate, 0, np.inf, "above 0 and finite")
        _check_range("averaging", self.averaging, -1e-300, 1, "at least 0 and below 1")
        _check_range("holdout", self.holdout, -1e-300, 0.5, "at least 0 and below 0.5")


class _Encoder:
    """Codes as what a network makes, and back.

    A row of `width` numbers: first a place for each number (and, with no modes, for each
    code), then the blocks of labels, one-hot.
    """

    def __init__(self, codes, schema, modes, rng):
        self.parts = []
        for column, values in zip(schema.columns, codes.T, strict=True):
            known = values[~np.isnan(values)]
            different = np.unique(known)
            few = len(different) <= _FEW_VALUES and 10 * len(different) <= len(known)
            if modes and (column.is_discrete or few or len(different) == 1):
                part = _Labels(values)
            else:
                part = _Numbers(values, modes if len(different) > 1 else 0, rng)
            self.parts.append(part)
        self.places = sum(part.places for part in self.parts)
        self.blocks = [size for part in self.parts for size in part.blocks]
        self.width = self.places + sum(self.blocks)

    def encode(self, codes, rng):
        """Return rows for the network."""
        pairs = [part.encode(values, rng) for part, values in zip(self.parts, codes.T, strict=True)]
        return np.hstack([place for place, _ in pairs] + [label for _, label in pairs])

    def modes(self):
        """Return means and reaches of the modes, by label and place."""
        tables = np.zeros((2, sum(self.blocks), self.places), np.float32)
        label = place = 0
        for part in self.parts:
            if part.places and part.blocks:
                rows = slice(label, label + part.blocks[0])
                tables[:, rows, place] = part.means, _REACH * part.deviations
            label, place = label + sum(part.blocks), place + part.places
        return tables

    def numbers(self, rows):
        """Return the standardized numbers that places and modes of rows stand for."""
        middle, reach = self.modes()
        labels = rows[:, self.places :]
        return labels @ middle + rows[:, : self.places] * (labels @ reach)

    def weights(self, width):
        """Return what columns count for in the distance: places and modes nothing."""
        weights, label = np.ones(width, np.float32), self.places
        if width > self.width:
            weights[: self.places] = 0
        for part in self.parts:
            if part.places and part.blocks:
                weights[label : label + part.blocks[0]] = 0
            label += sum(part.blocks)
        return weights

    def decode(self, made, rng):
        """Return codes for what the generator's last layer gives."""
        codes, place, start = [], 0, self.places
        for part in self.parts:
            labels = []
            for size in part.blocks:
                logits = made[:, start : start + size]
                labels.append(np.argmax(logits + rng.gumbel(size=logits.shape), axis=1))
                start += size
            codes.append(part.decode(made[:, place : place + part.places], labels))
            place += part.places
        return np.column_stack(codes)


class _Labels:
    """A column of few values, missing being one of them."""

    places = 0

    def __init__(self, values):
        self.values = np.unique(values)  # NaN, once and last
        self.blocks = [len(self.values)]

    def encode(self, values, rng):
        label = np.searchsorted(self.values, values)
        return np.empty((len(values), 0)), np.eye(len(self.values))[label]

    def decode(self, places, labels):
        return self.values[labels[0]]


class _Numbers:
    """A column of numbers: place and mode; whether it is missing, as a label or a number."""

    def __init__(self, values, modes, rng):
        known = values[~np.isnan(values)]
        self.middle = known.mean()
        self.scale = known.std() or 1.0
        self.missing = len(known) < len(values)
        self.means = None
        if modes:
            self._find_modes((known - self.middle) / self.scale, modes, rng)
        self.places = 1 if modes else 1 + self.missing
        self.blocks = [len(self.means)] + [2] * self.missing if modes else []

    def _find_modes(self, z, modes, rng):
        z = rng.permutation(z)[:_MIXTURE_ROWS, None]
        mixture = BayesianGaussianMixture(
            n_components=min(modes, len(np.unique(z))),
            weight_concentration_prior=0.001,
            max_iter=200,
            random_state=int(rng.integers(2**31)),
        )
        with warnings.catch_warnings():
            # A mixture that is nearly found normalizes as well as one that is found.
            warnings.simplefilter("ignore", ConvergenceWarning)
            mixture.fit(z)
        kept = mixture.weights_ >= _LIGHTEST
        self.means = mixture.means_[kept, 0]
        self.deviations = np.sqrt(mixture.covariances_[kept, 0, 0])
        self.weights = mixture.weights_[kept]

    def encode(self, values, rng):
        missing = np.isnan(values)
        z = np.where(missing, 0, (values - self.middle) / self.scale)
        if self.means is None:
            columns = [z, missing] if self.missing else [z]
            return np.column_stack(columns).astype(float), np.empty((len(z), 0))
        log = -(((z[:, None] - self.means) / self.deviations) ** 2) / 2
        log += np.log(self.weights / self.deviations)
        mode = np.argmax(log + rng.gumbel(size=log.shape), axis=1)  # drawn by their shares
        place = (z - self.means[mode]) / (_REACH * self.deviations[mode])
        labels = [np.eye(len(self.means))[mode]] + [np.eye(2)[missing.astype(int)]] * self.missing
        return np.clip(place, -1, 1)[:, None], np.hstack(labels)

    def decode(self, places, labels):
        if self.means is None:
            z, missing = places[:, 0], places[:, -1] > 0.5
        else:
            mode, missing = labels[0], labels[-1] == 1
            z = self.means[mode] + _REACH * self.deviations[mode] * np.tanh(places[:, 0])
        values = self.middle + self.scale * z
        return np.where(missing, np.nan, values) if self.missing else values


def _check_range(name, value, low, high, allowed):
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
        raise TypeError(f"{name} must be a number, got {value!r}")
    if not low < value < high:
        raise ValueError(f"{name} must be {allowed}, got {value}")
