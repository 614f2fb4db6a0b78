"""The published GAN trained by a Python loop, as `GAN` would without its compiled loop.

The same network, batches, noise and optimizer as `GAN.published()`, in two ordinary ways:

- `eager`: one call of the step per mini-batch, every operation dispatched on its own and
  every gradient traced anew, which is what JAX does without ``jit``;
- `stepwise`: one compiled step, called from Python once per mini-batch.

Both end with the same weights as the compiled loop, up to rounding, since they take the same
keys. The seconds leave out imports and the compilation of the one step.
"""

from time import perf_counter, process_time

import jax
import numpy as np

from runproof.synth import GAN, _adversarial


def prepare(df, random_state=0):
    """Return the published network's plan, rows, first state and key."""
    model = GAN.published(random_state=random_state).set_params(steps=1).fit(df)
    rows = model.encoder_.encode(model.schema_.encode(df), np.random.default_rng(0))
    plan, key = model._plan(), jax.random.key(random_state)
    return plan, jax.numpy.asarray(rows, "float32"), _adversarial.start(plan, key), key


def eager(plan, rows, state, key, steps):
    """Train op by op; return seconds by the clock, of the processor, and the last state."""
    return _loop(_adversarial.step, plan, rows, state, key, steps)


def stepwise(plan, rows, state, key, steps):
    """Train by a compiled step called in a loop; return what `eager` does."""
    step = jax.jit(_adversarial.step, static_argnames="plan")
    jax.block_until_ready(step(state, rows, key, plan))
    return _loop(step, plan, rows, state, key, steps)


def compiled(plan, rows, state, key, steps):
    """Train by the compiled loop of `GAN`, compilation included; return what `eager` does."""
    begun = perf_counter(), process_time()
    state = jax.block_until_ready(_adversarial.train(state, rows, key, plan, 0, steps))
    return perf_counter() - begun[0], process_time() - begun[1], state


def _loop(step, plan, rows, state, key, steps):
    begun = perf_counter(), process_time()
    for i in range(steps):
        state = step(state, rows, jax.random.fold_in(key, i), plan)
    jax.block_until_ready(state)
    return perf_counter() - begun[0], process_time() - begun[1], state
