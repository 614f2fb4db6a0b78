"""Binary digits of square roots, and the runs of equal digits in them.

Digits are numbered from 1, the first one after the binary point. A run of
zeros is named by the position of the one before it: sqrt(1/2) = 0.1011...
has a run of length 1 at position 1. From a shell::

    python -m runproof.digits records --p 1 --q 2 --digits 1e9 --out records.csv
    python -m runproof.digits check --p 1 --q 2 --digits 1e6
"""

from runproof.digits.bits import Bits, random_bits
from runproof.digits.formula import run_lengths_by_formula
from runproof.digits.roots import sqrt_bits
from runproof.digits.runs import first_occurrences, run_length_counts, zero_run_records

__all__ = [
    "Bits",
    "first_occurrences",
    "random_bits",
    "run_length_counts",
    "run_lengths_by_formula",
    "sqrt_bits",
    "zero_run_records",
]
