"""Two networks against each other, the whole training compiled: what `GAN` runs on."""

import math
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

_TEMPERATURE = 0.5  # of the softmax that labels take their gradient from
_SLOPE = 0.2  # of the critic's leaky ReLU


class Plan(NamedTuple):
    """What is compiled into the training; hashable, for `jax.jit`.

    Attributes
    ----------
    latent : int
        Width of the noise.
    hidden, critic : tuple of int
        Hidden layers of the two networks.
    places : int
        How many columns of a row, the first ones, are numbers.
    blocks : tuple of int
        Sizes of the groups of columns after them, each the one-hot code of a label.
    gates : tuple of int
        For each place the column, counted from the first label on, that is 1 where the
        place has a number and 0 where it does not, and then is 0 itself; -1: it always has.
    relativistic : bool
        Which loss.
    penalty : float
        Weight of the critic's squared slopes in the relativistic loss.
    batch_size : int
        Rows of a step.
    learning_rate : float
        Of Adam.
    lr_decay : tuple of int
        From which step on, and over how many, the learning rate falls to 0; of 0 steps: never.
    ema_decay : float
        What the running average of the generator's weights keeps at each step.
    """

    latent: int
    hidden: tuple
    critic: tuple
    places: int
    blocks: tuple
    gates: tuple
    relativistic: bool
    penalty: float
    batch_size: int
    learning_rate: float
    lr_decay: tuple
    ema_decay: float


class State(NamedTuple):
    """Weights and the optimizers' memory."""

    generator: list
    critic: list
    generator_memory: tuple
    critic_memory: tuple
    average: list


def start(plan, key):
    """Return the state before the first step.

    Parameters
    ----------
    plan : Plan
    key : jax.Array

    Returns
    -------
    State
    """
    one, two = jax.random.split(key)
    width = plan.places + sum(plan.blocks)
    generator = _layers([plan.latent, *plan.hidden, width], one)
    critic = _layers([width, *plan.critic, 1], two)
    optimizer = _optimizer(plan)
    return State(generator, critic, optimizer.init(generator), optimizer.init(critic), generator)


@partial(jax.jit, static_argnames="plan")
def train(state, rows, key, plan, first, count):
    """Run steps of training as one compiled loop.

    The result is that of ``state = step(state, rows, jax.random.fold_in(key, i), plan)`` for
    i from `first` on, `count` times.

    Parameters
    ----------
    state : State
    rows : jax.Array, shape (n, width)
        The training table.
    key : jax.Array
        Batches and noise follow from it.
    plan : Plan
    first, count : int

    Returns
    -------
    State
    """

    def body(i, state):
        return step(state, rows, jax.random.fold_in(key, i), plan)

    return jax.lax.fori_loop(first, first + count, body, state)


def step(state, rows, key, plan):
    """Take one step: the critic, then the generator, each with a batch of its own.

    Parameters
    ----------
    state : State
    rows : jax.Array, shape (n, width)
    key : jax.Array
    plan : Plan

    Returns
    -------
    State
    """
    optimizer = _optimizer(plan)
    generator, critic, generator_memory, critic_memory, average = state
    one, two = jax.random.split(key)
    gradient = jax.grad(critic_loss)(critic, generator, rows, one, plan)
    updates, critic_memory = optimizer.update(gradient, critic_memory)
    critic = optax.apply_updates(critic, updates)
    gradient = jax.grad(generator_loss)(generator, critic, rows, two, plan)
    updates, generator_memory = optimizer.update(gradient, generator_memory)
    generator = optax.apply_updates(generator, updates)
    keep = plan.ema_decay
    average = jax.tree.map(lambda old, new: keep * old + (1 - keep) * new, average, generator)
    return State(generator, critic, generator_memory, critic_memory, average)


def critic_loss(critic, generator, rows, key, plan):
    """Return the critic's loss on a batch of real and of made rows.

    Parameters
    ----------
    critic, generator : list
        Weights.
    rows : jax.Array, shape (n, width)
    key : jax.Array
    plan : Plan

    Returns
    -------
    jax.Array
        A number.
    """
    pick, make = jax.random.split(key)
    both = jnp.concatenate([_batch(rows, pick, plan), make_rows(generator, make, plan)])
    if not plan.relativistic:
        real, made = jnp.split(judge(critic, both), 2)
        return (jax.nn.softplus(-real).mean() + jax.nn.softplus(made).mean()) / 2
    verdicts, pull = jax.vjp(partial(judge, critic), both)
    slopes = pull(jnp.ones_like(verdicts))[0]
    real, made = jnp.split(verdicts, 2)
    return jax.nn.softplus(made - real).mean() + plan.penalty * (slopes**2).sum(axis=1).mean()


def generator_loss(generator, critic, rows, key, plan):
    """Return the generator's loss; takes what `critic_loss` takes."""
    pick, make = jax.random.split(key)
    made = judge(critic, make_rows(generator, make, plan))
    if not plan.relativistic:
        return jax.nn.softplus(-made).mean()
    return jax.nn.softplus(judge(critic, _batch(rows, pick, plan)) - made).mean()


def make_rows(generator, key, plan):
    """Generate a batch of rows.

    Labels are drawn (Gumbel's way) and one-hot, as in real rows; their gradient is that of a
    softmax.

    Parameters
    ----------
    generator : list
        Weights.
    key : jax.Array
    plan : Plan

    Returns
    -------
    jax.Array, shape (batch_size, width)
    """
    noise, gumbel = jax.random.split(key)
    made = forward(generator, jax.random.normal(noise, (plan.batch_size, plan.latent)))
    if not plan.blocks:
        return made
    logits = made[:, plan.places :]
    labels = _one_hot(logits + jax.random.gumbel(gumbel, logits.shape), plan)
    opened = np.zeros((sum(plan.blocks), plan.places), np.float32)
    for place, gate in enumerate(plan.gates):
        opened[gate, place] = gate >= 0
    places = made[:, : plan.places] * (labels @ opened + (np.array(plan.gates) < 0))
    return jnp.concatenate([places, labels], axis=1)


@partial(jax.jit, static_argnames=("plan", "count"))
def distance(generator, rows, plan, count):
    """Return the energy distance of made rows to given ones, up to a constant.

    Parameters
    ----------
    generator : list
        Weights.
    rows : jax.Array, shape (n, width)
    plan : Plan
    count : int
        How many rows to make; always from the same noise.

    Returns
    -------
    jax.Array
        A number.
    """
    made = make_rows(generator, jax.random.key(0), plan._replace(batch_size=count))

    def mean_distance(a, b):
        squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2 * a @ b.T
        return jnp.sqrt(jnp.maximum(squares, 1e-12)).mean()

    return 2 * mean_distance(made, rows) - mean_distance(made, made)


def forward(generator, noise):
    """Return the generator's last layer, on jax.Arrays or in NumPy.

    Parameters
    ----------
    generator : list of (array, array)
        Weights.
    noise : array of float, shape (n, latent)

    Returns
    -------
    array of float, shape (n, width)
    """
    *hidden, (weights, bias) = generator
    for w, b in hidden:
        noise = (noise @ w + b).clip(0)
    return noise @ weights + bias


def judge(critic, x):
    """Return the critic's verdicts on rows: the higher, the more real.

    Parameters
    ----------
    critic : list
        Weights.
    x : jax.Array, shape (n, width)

    Returns
    -------
    jax.Array, shape (n,)
    """
    *hidden, (weights, bias) = critic
    for w, b in hidden:
        x = jax.nn.leaky_relu(x @ w + b, _SLOPE)
    return (x @ weights + bias)[:, 0]


def _optimizer(plan):
    begin, length = plan.lr_decay

    def rate(count):
        share = jnp.clip((count - begin) / length, 0, 1)
        return plan.learning_rate * (1 + jnp.cos(math.pi * share)) / 2

    rate = rate if length else plan.learning_rate
    return optax.adam(rate, b1=0.0, b2=0.99) if plan.relativistic else optax.adam(rate)


def _layers(sizes, key):
    """Return weights of Glorot's uniform law, and zeros."""
    layers = []
    for inside, outside, turn in zip(
        sizes[:-1], sizes[1:], jax.random.split(key, len(sizes) - 1), strict=True
    ):
        bound = math.sqrt(6 / (inside + outside))
        weights = jax.random.uniform(turn, (inside, outside), minval=-bound, maxval=bound)
        layers.append((weights, jnp.zeros(outside)))
    return layers


def _batch(rows, key, plan):
    return rows[jax.random.randint(key, (plan.batch_size,), 0, len(rows))]


def _one_hot(logits, plan):
    """Return the greatest of each block as 1; the gradient is that of a softmax."""
    member = np.repeat(np.eye(len(plan.blocks), dtype=np.float32), plan.blocks, axis=0)
    parts = jnp.split(logits, np.cumsum(plan.blocks)[:-1], axis=1)
    greatest = jnp.stack([part.max(axis=1) for part in parts], axis=1) @ member.T
    hard = (logits >= greatest).astype(logits.dtype)
    powers = jnp.exp((logits - jax.lax.stop_gradient(greatest)) / _TEMPERATURE)
    soft = powers / ((powers @ member) @ member.T)
    return soft + jax.lax.stop_gradient(hard - soft)
