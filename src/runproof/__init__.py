"""Runproof: machine-learning projects and interview answers, each proved by running it."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("runproof")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"
