"""Synthetic tables: generators with one interface, and measures of what they are worth.

::

    generator = GaussianCopula(by="species").fit(df)
    synthetic = generator.sample(150, random_state=1)

Columns may be numbers, integers, booleans and categories, with missing values; the synthetic
table has the same columns, dtypes and categories, and no number outside the range of the
training table. What is measured is in `runproof.synth.evaluate`.
"""

from runproof.synth.baselines import Bootstrap, IndependentMargins, JitteredBootstrap
from runproof.synth.copulas import GaussianCopula, VineCopula
from runproof.synth.forest import ForestFlow
from runproof.synth.gan import GAN
from runproof.synth.nogan import NoGAN
from runproof.synth.table import Generator, Schema
from runproof.synth.trees import Sequential

__all__ = [
    "GAN",
    "Bootstrap",
    "ForestFlow",
    "GaussianCopula",
    "Generator",
    "IndependentMargins",
    "JitteredBootstrap",
    "NoGAN",
    "Schema",
    "Sequential",
    "VineCopula",
]
