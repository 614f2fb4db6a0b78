"""Two networks against each other, the whole training compiled: what `GAN` runs on."""

from __future__ import annotations

import math
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

_GUMBEL_TEMPERATURE = 0.2
_SLOPE = 0.2  # of the critic's leaky ReLU


class Plan(NamedTuple):
    """What is compiled into the training; hashable, for `jax.jit`.

    Attributes
    ----------
    blocks : tuple of int
        Sizes of the groups of columns that hold the logits of one label, at the end of a row.
    places : int
        How many columns, the first ones, are places in a mode: they lie in [-1, 1].
    """

    latent: int
    hidden: tuple
    critic: tuple
    width: int
    blocks: tuple
    places: int
    wasserstein: bool
    penalty: float
    critic_steps: int
    batch_size: int
    learning_rate: float
    averaging: float


class Modes(NamedTuple):
    """What places and modes stand for: standardized numbers, which the critic sees as well.

    Attributes
    ----------
    middle, reach : jax.Array, shape (labels, places)
        Of a mode in its row and its column's place; 0 elsewhere.
    """

    middle: jax.Array
    reach: jax.Array


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
    generator = _layers([plan.latent, *plan.hidden, plan.width], one)
    critic = _layers([plan.width + plan.places, *plan.critic, 1], two)
    optimizer = _optimizer(plan)
    return State(generator, critic, optimizer.init(generator), optimizer.init(critic), generator)


@partial(jax.jit, static_argnames=("plan", "steps"))
def train(state, rows, modes, key, plan, steps):
    """Run steps of training as one compiled loop.

    Parameters
    ----------
    state : State
    rows : jax.Array, shape (n, width + places)
        The training table, with the numbers that its places and modes stand for.
    modes : Modes
    key : jax.Array
        Batches and noise follow from it.
    plan : Plan
    steps : int

    Returns
    -------
    State
    """

    def body(state, key):
        return step(state, rows, modes, key, plan), None

    return jax.lax.scan(body, state, jax.random.split(key, steps))[0]


def step(state, rows, modes, key, plan):
    """Take one step: the critic `critic_steps` times, then the generator; a batch each."""
    optimizer = _optimizer(plan)
    generator, critic, generator_memory, critic_memory, average = state
    key, *keys = jax.random.split(key, plan.critic_steps + 1)
    for turn in keys:
        gradient = jax.grad(_critic_loss)(critic, generator, rows, modes, turn, plan)
        updates, critic_memory = optimizer.update(gradient, critic_memory)
        critic = optax.apply_updates(critic, updates)
    gradient = jax.grad(_generator_loss)(generator, critic, modes, key, plan)
    updates, generator_memory = optimizer.update(gradient, generator_memory)
    generator = optax.apply_updates(generator, updates)
    keep = plan.averaging
    average = jax.tree.map(lambda old, new: keep * old + (1 - keep) * new, average, generator)
    return State(generator, critic, generator_memory, critic_memory, average)


@partial(jax.jit, static_argnames=("plan", "count"))
def distance(generator, rows, modes, weights, key, plan, count):
    """Return the energy distance of generated rows to given ones, up to a constant.

    Parameters
    ----------
    generator : list
        Weights.
    rows : jax.Array, shape (n, width + places)
    modes : Modes
    weights : jax.Array, shape (width + places,)
        Of the columns.
    key : jax.Array
        The same key gives the same noise.
    plan : Plan
    count : int
        How many rows to generate.

    Returns
    -------
    jax.Array
        A number.
    """
    made = _generate(generator, modes, key, plan, count) * weights
    rows = rows * weights

    def mean_distance(a, b):
        squares = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T
        return jnp.sqrt(jnp.maximum(squares, 1e-12)).mean()

    return 2 * mean_distance(made, rows) - mean_distance(made, made)


def forward(generator, noise):
    """Return the generator's last layer, in NumPy.

    Parameters
    ----------
    generator : list of (ndarray, ndarray)
        Weights.
    noise : ndarray of float, shape (n, latent)

    Returns
    -------
    ndarray of float, shape (n, width)
    """
    *hidden, (weights, bias) = generator
    for w, b in hidden:
        noise = np.maximum(noise @ w + b, 0)
    return noise @ weights + bias


def _optimizer(plan):
    if plan.wasserstein:
        return optax.adam(plan.learning_rate, b1=0.5, b2=0.9)
    return optax.adam(plan.learning_rate)


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


def _generate(generator, modes, key, plan, count):
    noise, gumbel = jax.random.split(key)
    x = jax.random.normal(noise, (count, plan.latent))
    *hidden, (weights, bias) = generator
    for w, b in hidden:
        x = jax.nn.relu(x @ w + b)
    x = x @ weights + bias
    if not plan.blocks:
        return x
    labels = sum(plan.blocks)
    logits = x[:, -labels:] + jax.random.gumbel(gumbel, (count, labels))
    labels = _softmax(logits / _GUMBEL_TEMPERATURE, plan)
    places = jnp.tanh(x[:, : plan.places])
    numbers = labels @ modes.middle + places * (labels @ modes.reach)
    return jnp.concatenate([places, labels, numbers], axis=1)


def _softmax(logits, plan):
    """Return a softmax for each block; two products with a matrix in place of many slices."""
    sizes = np.array(plan.blocks)
    member = np.repeat(np.eye(len(sizes), dtype=np.float32), sizes, axis=0)
    logits = logits - (logits @ (member / sizes)) @ member.T
    powers = jnp.exp(jnp.clip(logits, -60, 60))
    return powers / ((powers @ member) @ member.T)


def _judge(critic, x):
    *hidden, (weights, bias) = critic
    for w, b in hidden:
        x = jax.nn.leaky_relu(x @ w + b, _SLOPE)
    return (x @ weights + bias)[:, 0]


def _critic_loss(critic, generator, rows, modes, key, plan):
    pick, make, mix = jax.random.split(key, 3)
    real = rows[jax.random.randint(pick, (plan.batch_size,), 0, len(rows))]
    made = _generate(generator, modes, make, plan, plan.batch_size)
    if not plan.wasserstein:
        right = jax.nn.softplus(-_judge(critic, real)), jax.nn.softplus(_judge(critic, made))
        return (right[0].mean() + right[1].mean()) / 2
    share = jax.random.uniform(mix, (plan.batch_size, 1))
    between = share * real + (1 - share) * made
    slopes = jax.grad(lambda x: _judge(critic, x).sum())(between)
    steepness = jnp.sqrt((slopes**2).sum(axis=1) + 1e-12)
    penalty = plan.penalty * ((steepness - 1) ** 2).mean()
    return _judge(critic, made).mean() - _judge(critic, real).mean() + penalty


def _generator_loss(generator, critic, modes, key, plan):
    verdict = _judge(critic, _generate(generator, modes, key, plan, plan.batch_size))
    return -verdict.mean() if plan.wasserstein else jax.nn.softplus(-verdict).mean()
