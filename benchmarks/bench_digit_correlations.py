"""Correlation of the digits of 5X and 3X, X random, against the published loop and NumPy.

python benchmarks/bench_digit_correlations.py [--quick]

Each run draws its own X, and that counts. A call with a thousand digits goes before it, so
that what happens once in a process does not count. Everything runs on one core, each run in a fresh
process, so times are of the processor.
"""

import argparse
import tempfile
from pathlib import Path
from time import process_time

import numpy as np
from common import RESULTS, row, run_alone, target, write_results

from runproof.digits import Bits
from runproof.digits.correlations import digit_correlation

PACKAGES = ["gmpy2", "numpy"]
P, Q = 5, 3


def timed(function, n):
    function(1024)
    started = process_time()
    function(n)
    return process_time() - started


def ours(n):
    """Return the seconds for n digits."""
    return timed(lambda size: digit_correlation(P, Q, size, random_state=1), n)


def published(n):
    """The published method in plain form: digit by digit from the last one, with a carry."""
    rng = np.random.default_rng(1)
    return timed(lambda size: loop_correlation(rng.integers(0, 2, size).tolist()), n)


def loop_correlation(digits):
    a, b = (loop_multiple(digits, p) for p in (P, Q))
    return np.corrcoef(a, b)[0, 1]


def loop_multiple(digits, p):
    product, carry = [0] * len(digits), 0
    for k in reversed(range(len(digits))):
        carry, product[k] = divmod(p * digits[k] + carry, 2)
    return product


def vectorized(n):
    """The same with NumPy alone: 32 digits to a word, products of all words at once."""
    rng = np.random.default_rng(1)
    return timed(
        lambda size: numpy_correlation(rng.integers(0, 2**32, size // 32, dtype=np.uint32)), n
    )


def numpy_correlation(words):
    n = 32 * words.size
    first, second = numpy_multiple(words, P), numpy_multiple(words, Q)
    a, b, c = (
        int(np.bitwise_count(w).sum(dtype=np.int64)) for w in (first, second, first & second)
    )
    return (n * c - a * b) / np.sqrt(float(a * (n - a)) * float(b * (n - b)))


def numpy_multiple(words, p):
    """Multiply words, the most significant one first, and carry until no carry is left."""
    products = words.astype(np.uint64) * np.uint64(p)
    while (carries := products >> np.uint64(32)).any():
        products &= np.uint64(2**32 - 1)
        products[:-1] += carries[1:]
    return products.astype(np.uint32)


def check(n=3200):
    """Refuse to measure methods that do not give the same number."""
    digits = np.random.default_rng(2).integers(0, 2, n)
    # Zeros after the last digit settle the products, as they do for the other two.
    bits = Bits.from_digits(np.append(digits, np.zeros(128, dtype=int)))
    words = np.packbits(digits.astype(np.uint8)).view(">u4").astype(np.uint32)
    found = [
        digit_correlation(P, Q, n, x=bits).correlation,
        loop_correlation(digits.tolist()),
        numpy_correlation(words),
    ]
    if not np.allclose(found, found[0], rtol=0, atol=1e-12):
        raise SystemExit(f"the methods disagree, no time is worth measuring: {found}")


def compare(n, peers, runs):
    """Time ours and its peers, in turn."""
    seconds = {function: [] for function in [ours, *peers]}
    memory = {function: 0 for function in seconds}
    for _ in range(runs):
        for function in seconds:
            taken, used = run_alone(function, n)
            seconds[function].append(taken)
            memory[function] = max(memory[function], used)
    note = "; ".join(f"{name}: {memory[function]:,} MB" for function, name in peers.items())
    against = {name: seconds[function] for function, name in peers.items()}
    return row(f"10^{len(str(n)) - 1} digits", seconds[ours], against, memory[ours], note)


def main():
    """Measure, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="a small trial; nothing is stored")
    arguments = parser.parse_args()
    check()
    loop, words = {published: "published loop"}, {vectorized: "NumPy, 32 digits to a word"}
    if arguments.quick:
        rows = [compare(10**6, loop | words, 1), compare(10**7, words, 1)]
    else:
        rows = [compare(10**7, loop | words, 5), compare(10**9, words, 3)]
    ratio = rows[0]["peers"][0]["ratio"]
    targets = [
        target("at least 1000x the published loop, per digit", f"{ratio:,.0f}x", ratio >= 1000),
        target(
            "10^9 digits in under 200 MB",
            f"{rows[1]['memory_mb']:,} MB",
            rows[1]["memory_mb"] < 200,
        ),
    ]
    title = "Correlation of the digits of 5X and 3X, random X (processor time, one core)"
    folder = Path(tempfile.mkdtemp()) if arguments.quick else RESULTS
    write_results("digit_correlations", title, PACKAGES, rows, targets, folder)


if __name__ == "__main__":
    main()
