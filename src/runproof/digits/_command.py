"""The command line: record runs to a file, and the formula checked against the digits."""

import argparse
import datetime
import json
import multiprocessing
import os
import platform
import signal
import sys
import time
from decimal import Decimal, InvalidOperation
from importlib.metadata import version
from pathlib import Path

import flint
import numpy as np
import pandas as pd
import psutil
from tqdm import tqdm

import runproof.digits
from runproof.digits.formula import run_lengths_by_formula
from runproof.digits.roots import BYTES_PER_DIGIT, fraction, require_memory_for_root, sqrt_bits
from runproof.digits.runs import first_occurrences, records_among
from runproof.files import written_whole
from runproof.validation import whole_number


def main(argv=None):
    """Run the command line; return the exit status."""
    arguments = _parser().parse_args(argv)
    try:
        return arguments.run(arguments)
    except (ValueError, TypeError, MemoryError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: nothing was written", file=sys.stderr)
        return 130


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m runproof.digits", description=runproof.digits.__doc__
    )
    commands = parser.add_subparsers(required=True)
    records = commands.add_parser("records", help="write the record runs of zeros as CSV")
    records.set_defaults(run=_run_records)
    check = commands.add_parser("check", help="compare the digits with the formula")
    check.set_defaults(run=_run_check)
    for command in (records, check):
        command.add_argument("--p", type=int, default=1, help="numerator (default 1)")
        command.add_argument("--q", type=int, default=2, help="denominator (default 2)")
        command.add_argument("--digits", type=_exact_integer, required=True, help="such as 1e9")
        command.add_argument("--method", choices=sorted(BYTES_PER_DIGIT), default="flint")
    records.add_argument("--out", type=Path, required=True, help="CSV; details go to .json beside")
    records.add_argument("--first-runs", type=Path, help="CSV: the first run of every length")
    return parser


def _exact_integer(text):
    """Read a whole number, also written as 1e9, without rounding."""
    try:
        number = Decimal(text)
        if number.adjusted() < 20 and number == int(number):
            return int(number)
    except (InvalidOperation, ValueError, OverflowError):
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is not a whole number such as 1000000 or 1e6")


def _run_check(arguments):
    p, q, n = arguments.p, arguments.q, arguments.digits
    started = time.perf_counter()
    by_formula = run_lengths_by_formula(p, q, n, progress=True).to_numpy()
    seconds = time.perf_counter() - started
    different = np.flatnonzero(by_formula != _lengths_from_digits(p, q, n, arguments.method))
    if different.size:
        print(f"the formula and the digits differ, first at position {different[0] + 1}")
        return 1
    print(f"the formula and the digits agree at all {n:,} positions ({seconds:.1f} s by formula)")
    return 0


def _lengths_from_digits(p, q, n, method):
    """Return what `run_lengths_by_formula` should, read off the digits."""
    extra = 64
    while True:  # until a one ends the last run
        ones = np.flatnonzero(sqrt_bits(p, q, n + extra, method).unpack())
        if ones.size and ones[-1] >= n:
            break
        extra *= 2
    lengths = np.full(n + extra, -1)
    lengths[ones[:-1]] = np.diff(ones) - 1
    return lengths[:n]


def _run_records(arguments):
    p, q = fraction(arguments.p, arguments.q)
    n = whole_number("digits", arguments.digits, 1)
    outputs = [arguments.out, arguments.out.with_suffix(".json")]
    if arguments.first_runs:
        outputs.append(arguments.first_runs)
    _check_outputs(outputs)
    require_memory_for_root(n, arguments.method)
    first, details = _in_child(p, q, n, arguments.method)
    first_rows = [(position, length) for length, position in first.items()]
    texts = [_csv(records_among(first)), json.dumps(details, indent=2) + "\n", _csv(first_rows)]
    try:
        _write_atomically(dict(zip(outputs, texts, strict=False)))
    except OSError:
        print(texts[0], end="")  # hours of work must not be lost with the disk
        print("nothing was written; the records stand above", file=sys.stderr)
        raise
    print(f"{len(records_among(first))} record runs in {n:,} digits: {arguments.out}")
    return 0


def _csv(rows):
    return pd.DataFrame(rows, columns=["position", "length"]).to_csv(
        index=False, lineterminator="\n"
    )


def _check_outputs(paths):
    if len({path.resolve() for path in paths}) < len(paths):
        raise ValueError(f"output files must have different names, got {[*map(str, paths)]}")
    for path in paths:
        if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
            raise OSError(f"{path.parent} must be a directory that can be written to")
        if path.exists() and not path.is_file():
            raise OSError(f"{path} exists and is not a regular file")


def _write_atomically(texts):
    """Write the text of each path; if that fails, leave every path as it was."""
    with written_whole(*texts) as parts:
        for part, text in zip(parts, texts.values(), strict=True):
            with part.open("w", newline="") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())


def _in_child(p, q, n, method):
    """Compute in a process of its own, so that time is shown and Ctrl-C works at once.

    A square root is one call into C: it can neither report nor be interrupted.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_work, args=(sender, p, q, n, method), daemon=True)
    child.start()
    sender.close()
    try:
        return _follow(receiver)
    finally:
        child.kill()
        child.join()


def _follow(receiver):
    """Show the stages the child reports, until it hands over its result."""
    started, stage = time.perf_counter(), "starting"
    with tqdm(bar_format="{desc}", leave=True) as bar:
        while True:
            if receiver.poll(0.5):
                try:
                    kind, message = receiver.recv()
                except EOFError:
                    raise ChildProcessError(
                        "the computing process was ended from outside, perhaps for lack of memory"
                    ) from None
                if kind == "error":
                    raise message
                if kind == "result":
                    return message
                stage = message
            bar.set_description_str(f"{stage}; {time.perf_counter() - started:,.0f} s elapsed")


def _work(sender, p, q, n, method):
    """In the child: compute, and send stages, then the result or an exception."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    try:
        trial = min(n, 10**7)
        seconds = _timed(sqrt_bits, p, q, trial, method)[0] * (n / trial) ** 1.12
        sender.send(("stage", f"1/2 square root to {n:,} digits, about {seconds:,.0f} s"))
        root_seconds, bits = _timed(sqrt_bits, p, q, n, method)
        sender.send(("stage", f"2/2 runs, after {root_seconds:,.1f} s for the root"))
        scan_seconds, first = _timed(first_occurrences, bits)
        details = _details(p, q, n, method)
        details |= {"root_seconds": round(root_seconds, 3), "scan_seconds": round(scan_seconds, 3)}
        details |= {"processor_seconds": round(time.process_time(), 3)}
        sender.send(("result", (first, details)))
    except Exception as error:
        sender.send(("error", error))


def _timed(function, *arguments):
    started = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - started, result


def _details(p, q, n, method):
    packages = ("python-flint", "gmpy2", "numpy")
    return {
        "p": p,
        "q": q,
        "digits": n,
        "method": method,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: version(name) for name in packages} | {"flint": flint.__FLINT_VERSION__},
        "peak_memory_bytes": _peak_memory(),
    }


def _peak_memory():
    """Return the greatest resident size of this process so far, in bytes."""
    try:
        import resource
    except ImportError:  # Windows counts in another way
        return psutil.Process().memory_info().peak_wset
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
