"""Generative adversarial networks for tables, in JAX.

References
----------
I. Goodfellow et al., "Generative Adversarial Nets", NeurIPS 2014; E. Jang, S. Gu, B. Poole,
"Categorical Reparameterization with Gumbel-Softmax", ICLR 2017; L. Mescheder, A. Geiger,
S. Nowozin, "Which Training Methods for GANs do actually Converge?", ICML 2018 (the penalty);
A. Jolicoeur-Martineau, "The relativistic discriminator: a key element missing from standard
GAN", ICLR 2019; N. Huang, A. Gokaslan, V. Kuleshov, J. Tompkin, "The GAN is dead; long live
the GAN! A Modern GAN Baseline", NeurIPS 2024 (both together).
"""

import numpy as np
from scipy.special import ndtr
from tqdm import tqdm

from runproof.synth._ranks import Law, copies, normal_scores
from runproof.synth.table import Generator
from runproof.validation import number, one_of, require_memory, whole_number

__all__ = ["GAN"]

_FEW_VALUES = 30  # a number with so few values, each ten times or more on average, is a label
_REPEATS = 10
_OFTEN = 0.05  # a value with this share of the rows is a label beside the other numbers
_CHUNK = 250  # steps between two looks at the holdout, and two moves of the progress bar
_LOOKED_AT = 1000  # rows generated for a look
_PROBES = 20_000  # rows generated to learn what the network makes of a column
_LEVELS = 500  # quantiles kept of that


class GAN(Generator):
    """A generator trained against a critic.

    Parameters
    ----------
    latent : int, default 32
        Width of the noise.
    hidden, critic : tuple of int, default (128, 128)
        Hidden layers of the generator (ReLU) and of the critic (leaky ReLU).
    loss : {"relativistic", "logistic"}, default "relativistic"
        The critic tells which of two rows is real, its slopes penalized; or, as in the first
        GAN, whether one row is.
    penalty : float, default 0.5
        Weight of the critic's mean squared slope in the relativistic loss; 0 or more.
    scores : bool, default True
        Whether the network makes normal scores for numbers, and labels one-hot; False
        standardizes numbers and the codes of labels alike, one output each.
    steps : int, default 4000
        Steps: each is one of the critic and one of the generator.
    batch_size : int, default 128
        Rows of a step.
    learning_rate : float, default 1e-3
        Of Adam; above 0.
    lr_decay : float, default 0.5
        The last share of the steps, from 0 to 1, in which the learning rate falls to 0.
    ema_decay : float, default 0.999
        Samples come from a running average of the weights; 0 is the last step's, below 1.
    holdout : float, default 0
        Share of the rows, below 0.5, that the networks do not see, to stop early by; 0 runs
        all steps. Otherwise at least 20 rows are needed.
    patience : int, default 4
        Training ends after so many looks at the holdout without a better one; there is one
        every 250 steps. The weights of the best look are kept.
    random_state : int, default 0
        Seed of the fit.
    progress : bool, default False
        Show a progress bar.

    Attributes
    ----------
    weights_ : list of (ndarray, ndarray)
        Of the generator's layers.
    history_ : list of (int, float)
        Step, and energy distance of made rows to the holdout up to a constant; empty without.
    best_step_ : int
        The step whose weights are kept.

    Notes
    -----
    With `scores`, categories are labels, and so are numbers of at most 30 values that each
    occur ten times or more on average. Any other column of numbers is a normal score, drawn
    evenly from the ranks of a value that repeats, and, where a value has 5 % of the rows (and
    ten) or values are missing, a label beside it that says so. Labels are drawn from what the
    network gives as logits, and are one-hot for the critic as real ones are; their gradient is
    that of a softmax. In the end the quantiles of what the network makes of a column are
    mapped to those of the table: the network is left to learn how columns go together.

    The relativistic loss compares a real and a made row, and a penalty on the critic's slopes
    at both (R1 and R2) makes the training settle, where the logistic loss without a penalty
    goes around in circles. Without a holdout nothing is chosen among evaluations: the learning
    rate falls to 0 and the last weights' average is kept. With one, each look takes the same
    noise, so that the least distance is a choice among generators, and not among draws.

    Networks of this size can learn a few hundred rows by heart: the more steps, the closer
    samples come to the training rows, and to a membership attack that succeeds. On small
    tables fewer steps, or a greater penalty, keep further off; measure it.

    Steps are one loop that XLA compiles, batches included; it runs on the CPU, on the threads
    that XLA takes. Samples are drawn with NumPy. The same seed gives the same weights on the
    same machine and version of JAX; elsewhere rounding leads apart.
    """

    def __init__(
        self,
        latent=32,
        hidden=(128, 128),
        critic=(128, 128),
        loss="relativistic",
        penalty=0.5,
        scores=True,
        steps=4000,
        batch_size=128,
        learning_rate=1e-3,
        lr_decay=0.5,
        ema_decay=0.999,
        holdout=0.0,
        patience=4,
        random_state=0,
        progress=False,
    ):
        self.latent = latent
        self.hidden = hidden
        self.critic = critic
        self.loss = loss
        self.penalty = penalty
        self.scores = scores
        self.steps = steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.lr_decay = lr_decay
        self.ema_decay = ema_decay
        self.holdout = holdout
        self.patience = patience
        self.random_state = random_state
        self.progress = progress

    @classmethod
    def published(cls, random_state=0, progress=False):
        """Return networks after those of V. Granville's ``GAN_diabetes.py`` (2023).

        As there: generator 10-15-30-d, discriminator d-25-50-1, Adam at 0.001, cross-entropy,
        10,000 steps (called epochs there), one output for each of the d columns.

        Not as there: the program leaves the columns as they are, starts the first layers from
        He's uniform law, has ReLUs in the discriminator too, moves the discriminator twice a
        step, for 64 real rows and then for 64 made ones, and keeps the table of the last 2,500
        steps whose correlations are closest to the real ones. Here columns are standardized,
        which helps the networks much; the discriminator is leaky and moves
        once, for 128 rows of each kind; and the last step is kept. So a score of this model is
        not one of the published procedure.

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
            scores=False,
            steps=10_000,
            batch_size=128,
            learning_rate=1e-3,
            lr_decay=0.0,
            ema_decay=0.0,
            random_state=random_state,
            progress=progress,
        )

    def _fit(self, codes):
        self._check()
        rng = np.random.default_rng(self.random_state)
        self.encoder_ = _Encoder(codes, self.schema_, self.scores)
        held, seen = self._parts(codes, rng)
        times = copies(len(seen)) if self.scores else 1
        require_memory("training", 16 * times * len(seen) * self.encoder_.width)
        rows = np.vstack([self.encoder_.encode(seen, rng) for _ in range(times)])
        watch = _Watch(self.encoder_.encode(held, rng), self.patience) if len(held) else None
        self.weights_ = self._train(rows, watch)
        if self.scores:
            self.encoder_.calibrate(self._forward(_PROBES, rng), rng)

    def _parts(self, codes, rng):
        """Return the rows held out, and the others."""
        if not self.holdout:
            return codes[:0], codes
        if len(codes) < 20:
            raise ValueError(f"holdout={self.holdout} needs at least 20 rows, got {len(codes)}")
        return np.split(rng.permutation(codes), [max(round(self.holdout * len(codes)), 1)])

    def _sample(self, n, rng, given):
        codes = np.empty((n, len(self.schema_)))
        for rows in np.array_split(np.arange(n), -(-n // 100_000)):
            codes[rows] = self.encoder_.decode(self._forward(len(rows), rng), rng)
        return codes

    def _forward(self, n, rng):
        from runproof.synth._adversarial import forward

        return forward(self.weights_, rng.standard_normal((n, self.latent)))

    def _plan(self):
        from runproof.synth._adversarial import Plan

        falling = round(self.lr_decay * self.steps)
        return Plan(
            latent=self.latent,
            hidden=tuple(self.hidden),
            critic=tuple(self.critic),
            places=self.encoder_.places,
            blocks=tuple(self.encoder_.blocks),
            gates=tuple(self.encoder_.gates),
            relativistic=self.loss == "relativistic",
            penalty=float(self.penalty),
            batch_size=self.batch_size,
            learning_rate=float(self.learning_rate),
            lr_decay=(self.steps - falling, falling) if falling else (0, 0),
            ema_decay=float(self.ema_decay),
        )

    def _train(self, rows, watch):
        """Return the generator's weights."""
        import jax

        from runproof.synth import _adversarial

        plan = self._plan()
        with jax.default_device(jax.devices("cpu")[0]):
            key, rows = jax.random.key(self.random_state), jax.numpy.asarray(rows, "float32")
            state = _adversarial.start(plan, key)
            with tqdm(total=self.steps, disable=not self.progress, desc="GAN") as bar:
                for first in range(0, self.steps, _CHUNK):
                    count = min(_CHUNK, self.steps - first)
                    state = _adversarial.train(state, rows, key, plan, first, count)
                    jax.block_until_ready(state)
                    bar.update(count)
                    if watch and watch.look(first + count, state.average, plan):
                        break
            weights = watch.weights if watch else state.average
            weights = [(np.asarray(w, float), np.asarray(b, float)) for w, b in weights]
        self.history_ = watch.history if watch else []
        self.best_step_ = watch.step if watch else self.steps
        if not all(np.isfinite(w).all() and np.isfinite(b).all() for w, b in weights):
            raise FloatingPointError(
                f"the training diverged; lower learning_rate={self.learning_rate}"
            )
        return weights

    def _check(self):
        for name in ("latent", "steps", "batch_size", "patience"):
            whole_number(name, getattr(self, name), 1)
        whole_number("random_state", self.random_state, 0)
        for name in ("hidden", "critic"):
            sizes = getattr(self, name)
            if not isinstance(sizes, (tuple, list)):
                raise TypeError(f"{name} must be a tuple of whole numbers, got {sizes!r}")
            for size in sizes:
                whole_number(name, size, 1)
        one_of("loss", self.loss, ("relativistic", "logistic"))
        if not isinstance(self.scores, (bool, np.bool_)):
            raise TypeError(f"scores must be True or False, got {self.scores!r}")
        number("penalty", self.penalty, 0)
        number("learning_rate", self.learning_rate, 0, ends="()")
        number("lr_decay", self.lr_decay, 0, 1)
        number("ema_decay", self.ema_decay, 0, 1, "[)")
        number("holdout", self.holdout, 0, 0.5, "[)")


class _Watch:
    """Looks at the holdout: the history, and the best weights so far with their step."""

    def __init__(self, held, patience):
        self.held, self.patience = held.astype(np.float32), patience
        self.history, self.weights, self.step = [], None, 0

    def look(self, step, weights, plan):
        """Measure made rows against the holdout; return whether to stop."""
        from runproof.synth._adversarial import distance

        found = float(distance(weights, self.held, plan, _LOOKED_AT))
        if not self.history or found < min(value for _, value in self.history):
            self.weights, self.step = weights, step
        self.history.append((step, found))
        return step - self.step >= self.patience * _CHUNK


class _Encoder:
    """Codes as what a network makes, and back.

    A row of `width` numbers: first the places, then the blocks of labels, one-hot. A gate is
    the label at which a place has a number, -1 if it always has.
    """

    def __init__(self, codes, schema, scores):
        self.parts, self.gates, self.blocks = [], [], []
        for column, values in zip(schema.columns, codes.T, strict=True):
            part = _part(column, values) if scores else _Standard(values)
            labels = sum(self.blocks)
            self.parts.append(part)
            self.blocks += [part.labels] if part.labels else []
            self.gates += [labels + part.labels - 1 if part.labels else -1] * part.places
        self.places = len(self.gates)
        self.width = self.places + sum(self.blocks)

    def encode(self, codes, rng):
        """Return rows for the network."""
        pairs = [part.encode(values, rng) for part, values in zip(self.parts, codes.T, strict=True)]
        return np.hstack([place for place, _ in pairs] + [label for _, label in pairs])

    def calibrate(self, made, rng):
        """Learn from what the generator makes which places stand for which quantiles."""
        for part, place, label in self._split(made, rng):
            part.calibrate(place, label)

    def decode(self, made, rng):
        """Return codes for what the generator's last layer gives."""
        return np.column_stack(
            [part.decode(place, label) for part, place, label in self._split(made, rng)]
        )

    def _split(self, made, rng):
        """Iterate over the parts: each with its places, and its labels drawn from logits."""
        place, start = 0, self.places
        for part in self.parts:
            logits = made[:, start : start + part.labels]
            label = np.argmax(logits + rng.gumbel(size=logits.shape), axis=1) if part.labels else 0
            yield part, made[:, place : place + part.places], label
            place, start = place + part.places, start + part.labels


def _part(column, values):
    """Return how a column goes into the network."""
    different, counts = np.unique(values[~np.isnan(values)], return_counts=True)
    few = len(different) <= _FEW_VALUES and _REPEATS * len(different) <= counts.sum()
    often = counts >= max(_OFTEN * len(values), _REPEATS)
    if column.is_discrete or few or often.all() or len(different) == 1:
        return _Labels(values)
    return _Scores(values, different[often])


class _Labels:
    """A column of few values, missing being one of them."""

    places = 0

    def __init__(self, values):
        self.values = np.unique(values)  # NaN, once and last
        self.labels = len(self.values)

    def encode(self, values, rng):
        label = np.searchsorted(self.values, values)
        return np.empty((len(values), 0)), np.eye(self.labels)[label]

    def calibrate(self, places, label):
        pass

    def decode(self, places, label):
        return self.values[label]


class _Scores:
    """A column of numbers: a normal score, and a label for values that repeat or miss.

    The last of the labels is that of all other numbers.
    """

    places = 1

    def __init__(self, values, often):
        self.often = np.append(often, np.nan) if np.isnan(values).any() else often
        self.labels = len(self.often) + 1 if len(self.often) else 0
        self.law = Law(values[~np.isin(values, often) & ~np.isnan(values)])
        self.quantiles = None

    def encode(self, values, rng):
        label = np.full(len(values), len(self.often))
        for k, value in enumerate(self.often):
            label[np.isnan(values) if np.isnan(value) else values == value] = k
        other = label == len(self.often)
        place = np.zeros((len(values), 1))
        place[other] = normal_scores(values[other, None], rng)
        return place, np.eye(len(self.often) + 1)[label][:, : self.labels]

    def calibrate(self, places, label):
        made = places[label == len(self.often), 0] if self.labels else places[:, 0]
        if len(made) >= _LEVELS:
            self.quantiles = np.quantile(made, np.linspace(0, 1, _LEVELS))

    def decode(self, places, label):
        u = ndtr(places[:, 0])
        if self.quantiles is not None:
            u = np.interp(places[:, 0], self.quantiles, np.linspace(0, 1, _LEVELS))
        values = self.law.quantile(u)
        if self.labels:
            values = np.where(label < len(self.often), np.append(self.often, 0)[label], values)
        return values


class _Standard:
    """A column standardized, be it of numbers or codes; whether it is missing, as a number."""

    labels = 0

    def __init__(self, values):
        known = values[~np.isnan(values)]
        self.middle = known.mean()
        self.scale = known.std() or 1.0
        self.places = 1 + (len(known) < len(values))

    def encode(self, values, rng):
        missing = np.isnan(values)
        z = np.where(missing, 0, (values - self.middle) / self.scale)
        return np.column_stack([z, missing][: self.places]).astype(float), np.empty((len(z), 0))

    def decode(self, places, label):
        values = self.middle + self.scale * places[:, 0]
        return np.where(places[:, 1] > 0.5, np.nan, values) if self.places > 1 else values
