# /// script
# requires-python = ">=3.11,<3.13"
# dependencies = [
#     "nogan-synthesizer==0.1.5",
#     "genai-evaluation==0.1.5",
#     "numpy>=2",
#     "pandas>=2.2",
# ]
# ///
"""NoGAN and the multivariate KS by their authors' packages, which declare no dependencies.

uv run --script benchmarks/peers/nogan_packages.py FOLDER

Reads of FOLDER: train.npz, of which a table of the same size is synthesized with BINS bins
per column; real.npz and synthetic.npz, to compare at NODES nodes. Prints versions, processor
seconds of each run, the nodes and both distribution functions there, as JSON.
"""

import json
import re
import sys
from importlib.metadata import version
from pathlib import Path
from time import process_time

import numpy as np
import pandas as pd
from genai_evaluation import multivariate_ecdf
from nogan_synthesizer import NoGANSynth

RUNS, BINS, NODES = 3, 20, 1000


def synthesize(train, seed):
    model = NoGANSynth(train, random_seed=seed)
    model.fit(bins=[BINS] * train.shape[1])
    return model.generate_synthetic_data(len(train))


def timed(function, *arguments):
    started = process_time()
    value = function(*arguments)
    return process_time() - started, value


def main():
    folder = Path(sys.argv[1])
    train, real, synthetic = (
        pd.DataFrame(dict(np.load(folder / f"{name}.npz")))
        for name in ("train", "real", "synthetic")
    )
    synthesize(train[:100], 1)
    multivariate_ecdf(real[:50], synthetic[:50], 5, False, 1)
    nogan = [timed(synthesize, train, run + 1)[0] for run in range(RUNS)]
    ks = [timed(multivariate_ecdf, real, synthetic, NODES, False, run + 1) for run in range(RUNS)]
    queries, first, second = ks[-1][1]
    number = re.compile(r"<= (?:np\.float64\()?([-+0-9.eE]+)")
    result = {
        "versions": {name: version(name) for name in ("nogan-synthesizer", "genai-evaluation")},
        "nogan_seconds": nogan,
        "ks_seconds": [seconds for seconds, _ in ks],
        "nodes": [[float(value) for value in number.findall(query)] for query in queries],
        "real": list(map(float, first)),
        "synthetic": list(map(float, second)),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
