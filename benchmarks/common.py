"""What every benchmark shares: the machine, fresh processes, and the file of results.

A benchmark ``bench_<name>.py`` times an engine against what a user would pick otherwise,
side by side in one run, and writes ``results/<name>.json``, which the site renders::

    {"title": str, "date": "YYYY-MM-DD", "command": str,
     "machine": {"cpu": str, "cores": int, "memory_gb": int, "python": str,
                 "packages": {name: version}},
     "rows": [{"case": str, "ours_s": TIMES, "memory_mb": int or null, "note": str,
               "peers": [{"name": str, **TIMES, "ratio": float}]}],
     "targets": [{"target": str, "measured": str, "met": bool}]}

TIMES is ``{"median": s, "min": s, "max": s, "runs": int}`` in seconds; ``ratio`` is the
peer's median over ours. A target that was missed is written down as missed.
"""

import datetime
import json
import multiprocessing
import os
import platform
import resource
import statistics
import sys
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from pathlib import Path

import psutil

RESULTS = Path(__file__).resolve().parent / "results"


def machine(packages):
    """Describe this machine, and the versions of the packages named."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in packages},
    }


def _cpu():
    try:
        import cpuinfo  # py-cpuinfo, of the extra "bench"
    except ImportError:
        return platform.processor() or platform.machine()
    return cpuinfo.get_cpu_info().get("brand_raw", platform.machine())


def run_alone(function, *arguments):
    """Call a function of a module in a fresh process.

    Returns
    -------
    value : object
        What the function returned.
    memory_mb : int
        The greatest resident size of that process, in 10^6 bytes.
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_with_memory, function, arguments).result()


def _with_memory(function, arguments):
    value = function(*arguments)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return value, round(peak * (1 if sys.platform == "darwin" else 1024) / 1e6)


def times(seconds):
    """Summarize repeated runs."""
    return {
        "median": statistics.median(seconds),
        "min": min(seconds),
        "max": max(seconds),
        "runs": len(seconds),
    }


def row(case, ours, peers=None, memory_mb=None, note=""):
    """Make a row of results from lists of seconds; `peers` maps a name to its list."""
    summary = times(ours)
    against = [
        {"name": name, **times(seconds), "ratio": times(seconds)["median"] / summary["median"]}
        for name, seconds in (peers or {}).items()
    ]
    return {
        "case": case,
        "ours_s": summary,
        "peers": against,
        "memory_mb": memory_mb,
        "note": note,
    }


def target(text, measured, met):
    """Make an entry of the targets."""
    return {"target": text, "measured": measured, "met": bool(met)}


def write_results(name, title, packages, rows, targets, folder=RESULTS, **more):
    """Write ``<name>.json`` and print its targets; the file appears whole or not at all.

    `more` are further keys of the file.
    """
    result = {
        "title": title,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "command": " ".join(["python", os.path.relpath(sys.argv[0]), *sys.argv[1:]]),
        "machine": machine(packages),
        "rows": rows,
        "targets": targets,
        **more,
    }
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{name}.json.part"
    part.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    part.replace(folder / f"{name}.json")
    for entry in targets:
        print(f"{'met   ' if entry['met'] else 'MISSED'} {entry['target']}: {entry['measured']}")
