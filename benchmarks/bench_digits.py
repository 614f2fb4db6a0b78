"""Binary digits of sqrt(1/2) and their longest runs of zeros, against the published method.

python benchmarks/bench_digits.py [--quick]

The last case, 10^10 digits, takes minutes and 7.5 GB of memory. Everything here runs on one
core, so times are of the processor: on an idle machine those of the clock, and not disturbed
by other programs. Each run is a fresh process.
"""

import argparse
import statistics
import tempfile
from pathlib import Path
from textwrap import indent
from time import process_time

import gmpy2
from common import RESULTS, row, run_alone, target, write_results

from runproof.digits import sqrt_bits, zero_run_records

# The published method in words of our own: a string of digits and a loop over it.
PUBLISHED = """
p, q = 1, 2
digits = gmpy2.isqrt((2 ** (2 * n) * p) // q).digits(2)
previous, zeros, longest, records = -1, 0, 0, []
for k in range(n):
    digit = int(digits[k])
    if digit == 0:
        zeros += 1
    if digit == 1 and previous == 0:
        if zeros > longest:
            longest = zeros
            records.append((k - zeros, zeros))
        zeros = 0
    previous = digit
"""
PACKAGES = ["python-flint", "gmpy2", "numpy"]


def ours(n):
    """Return the seconds for the digits, the seconds for the records, and the records."""
    started = process_time()
    bits = sqrt_bits(1, 2, n)
    rooted = process_time()
    records = zero_run_records(bits)
    return rooted - started, process_time() - rooted, records


def script(n):
    """Return the seconds and records of the published method, run as the script it is."""
    names = {"n": n, "gmpy2": gmpy2}
    started = process_time()
    exec(PUBLISHED, names)
    return process_time() - started, names["records"]


def function(n):
    """Return the same for the script as the body of a function: Python is quicker there."""
    names = {"gmpy2": gmpy2}
    exec(f"def method(n):\n{indent(PUBLISHED, '    ')}\n    return records", names)
    started = process_time()
    records = names["method"](n)
    return process_time() - started, records


def integer_root(n):
    """The seconds for ``gmpy2.isqrt`` alone: no digits, no records."""
    square = gmpy2.mpz(1) << (2 * n - 1)
    started = process_time()
    gmpy2.isqrt(square)
    return process_time() - started


def power(n):
    """Write 1000000 as 10^6."""
    return f"10^{len(str(n)) - 1}"


def small(n, runs):
    """End to end against the published method."""
    mine = []
    peers = {"published method": [], "published method, in a function": []}
    for _ in range(runs):
        mine.append(run_alone(ours, n))
        for name, method in zip(peers, (script, function), strict=True):
            seconds, records = run_alone(method, n)[0]
            peers[name].append(seconds)
            if records != mine[-1][0][2]:
                raise SystemExit(f"{name}: other records, so its time means nothing")
    roots, scans, memory = _columns(mine)
    totals = [root + scan for root, scan in zip(roots, scans, strict=True)]
    rows = [
        row(f"records in {power(n)} digits, end to end", totals, peers, memory),
        row(f"scan of {power(n)} digits for records", scans, {"computing these digits": roots}),
    ]
    ratio, in_function = (peer["ratio"] for peer in rows[0]["peers"])
    measured = f"{ratio:.1f}x ({in_function:.1f}x with the method in a function)"
    return rows, [
        target(f"{power(n)} digits: at least 20x the published method", measured, ratio >= 20),
        _scan_target(n, roots, scans),
    ]


def large(n, runs):
    """The root against an integer root, in time and in memory."""
    mine, theirs = [], []
    for _ in range(runs):
        mine.append(run_alone(ours, n))
        theirs.append(run_alone(integer_root, n))
    roots, scans, memory = _columns(mine)
    note = f"gmpy2.isqrt: {max(mb for _, mb in theirs):,} MB"
    peers = {"gmpy2.isqrt alone": [seconds for seconds, _ in theirs]}
    rows = [
        row(f"{power(n)} digits", roots, peers, memory, note),
        row(f"scan of {power(n)} digits for records", scans, {"computing these digits": roots}),
    ]
    share = 1 / rows[0]["peers"][0]["ratio"]
    return rows, [
        target(
            f"{power(n)} digits: at most 0.75 of the time of gmpy2.isqrt",
            f"{share:.2f}",
            share <= 0.75,
        ),
        target(f"{power(n)} digits: under 1 GB", f"{memory:,} MB", memory < 1000),
        _scan_target(n, roots, scans),
    ]


def huge(n):
    """Time and memory of one long run."""
    roots, scans, memory = _columns([run_alone(ours, n)])
    rows = [row(f"records in {power(n)} digits, end to end", [roots[0] + scans[0]], None, memory)]
    return rows, [target(f"{power(n)} digits: under 8.5 GB", f"{memory:,} MB", memory < 8500)]


def _columns(runs):
    """Split runs of `ours` into root seconds, scan seconds and the greatest memory."""
    roots = [root for (root, _, _), _ in runs]
    scans = [scan for (_, scan, _), _ in runs]
    return roots, scans, max(memory for _, memory in runs)


def _scan_target(n, roots, scans):
    share = statistics.median(scans) / statistics.median(roots)
    text = f"{power(n)} digits: the scan takes at most 5 % of the time of the digits"
    return target(text, f"{100 * share:.2f} %", share <= 0.05)


def main():
    """Measure, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="a small trial; nothing is stored")
    arguments = parser.parse_args()
    if arguments.quick:
        parts = [small(10**6, 1), large(10**7, 1), huge(10**8)]
    else:
        parts = [small(10**8, 3), large(10**9, 3), huge(10**10)]
    rows = [row for found, _ in parts for row in found]
    targets = [target for _, found in parts for target in found]
    title = "Digits of sqrt(1/2) and their longest runs of zeros (processor time, one core)"
    folder = Path(tempfile.mkdtemp()) if arguments.quick else RESULTS
    write_results("digits", title, PACKAGES, rows, targets, folder)


if __name__ == "__main__":
    main()
