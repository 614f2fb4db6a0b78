# /// script
# requires-python = ">=3.11,<3.13"
# dependencies = ["sdmetrics==0.32.0"]
# ///
"""Distance to the closest record by SDMetrics, which needs pandas < 3.

uv run --script benchmarks/peers/sdmetrics_dcr.py FOLDER

Reads table.npz and reference.npz of FOLDER; columns "c..." are categories, the others
numbers. Prints the version, the processor seconds of each run, and the distances, as JSON.
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path
from time import process_time

import numpy as np
import pandas as pd
from sdmetrics.single_table.privacy.dcr_utils import calculate_dcr

RUNS = 3


def main():
    folder = Path(sys.argv[1])
    table, reference = (
        pd.DataFrame(dict(np.load(folder / f"{name}.npz"))) for name in ("table", "reference")
    )
    columns = {
        name: {"sdtype": "categorical" if name.startswith("c") else "numerical"} for name in table
    }
    seconds = []
    for run in range(-1, RUNS):
        rows = table if run >= 0 else table[:20]  # a small call first
        started = process_time()
        found = calculate_dcr(rows, reference, {"columns": columns})
        if run >= 0:
            seconds.append(process_time() - started)
    result = {
        "version": version("sdmetrics"),
        "seconds": seconds,
        "values": found.tolist(),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
