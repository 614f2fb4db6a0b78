"""Synthetic tables: speed against the usual packages, and a GAN against its published network.

python benchmarks/bench_synth.py [--quick]

Times are of the processor, all threads together. Each of our runs is a fresh process, after
a small call that loads what is loaded once. Peers that clash with the lock run in
environments of their own, which uv makes from the head of `peers/*.py`; they need the network
the first time.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from time import process_time

import numpy as np
import pandas as pd
from common import RESULTS, row, run_alone, target, write_results
from peers import eager_gan
from sklearn.base import clone
from tables import CHAPTER_TABLES, cancer, health

from runproof import synth
from runproof.synth.evaluate import (
    closest_record_distance,
    ecdf_ks,
    fidelity,
    two_sample_auc,
)
from runproof.synth.evaluate.noise import cut

PACKAGES = ["runproof", "numpy", "scipy", "scikit-learn", "pandas", "jax"]
PEERS = Path(__file__).resolve().parent / "peers"
BINS = 20  # per column, as in peers/nogan_packages.py


def timed(function, *arguments):
    """Return the processor seconds of a call, and its value."""
    started = process_time()
    value = function(*arguments)
    return process_time() - started, value


# Peers in environments of their own


def peer(script, folder):
    """Run a peer's script in its environment and return what it prints."""
    command = ["uv", "run", "--quiet", "--script", str(PEERS / script), str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except FileNotFoundError:
        command[0] = str(Path(sys.executable).with_name("uv"))
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def save(folder, **tables):
    """Save tables where a peer finds them: no pickles, no rounding."""
    for name, table in tables.items():
        columns = {
            label: table[label].to_numpy(str if table[label].dtype.kind == "O" else None)
            for label in table
        }
        np.savez(folder / f"{name}.npz", **columns)


def normal(rows, seed):
    """Return a table of 8 correlated numbers."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(rows, 8)) + rng.normal(size=(rows, 1))
    return pd.DataFrame(values, columns=[f"x{j}" for j in range(8)])


def mixed(rows, seed):
    """Return a table of 8 numbers and 2 categories."""
    rng = np.random.default_rng(seed + 1000)
    categories = {f"c{j}": rng.choice(list("abcd"), rows).astype(object) for j in range(2)}
    return normal(rows, seed).assign(**categories)


def our_nogan(rows):
    """Return the seconds to fit and sample."""
    table = health(rows)
    synth.NoGAN(bins=BINS).fit(table[:2000]).sample(100)
    return timed(lambda: synth.NoGAN(bins=BINS).fit(table).sample(len(table), 1))[0]


def our_ks(rows, nodes):
    """Return the seconds at a thousand nodes, and the distribution functions at given ones."""
    real, synthetic = normal(rows, 1), normal(rows, 2)
    ecdf_ks(real[:50], synthetic[:50], 10, repeats=1)
    seconds, _ = timed(lambda: ecdf_ks(real, synthetic, 1000, repeats=1, random_state=1))
    return seconds, [fidelity.ecdf(t.to_numpy(), np.array(nodes)) for t in (real, synthetic)]


def our_dcr(rows):
    """Return the seconds, and the distances."""
    table, reference = mixed(rows, 1), mixed(rows, 2)
    closest_record_distance(table[:20], reference[:20])
    return timed(closest_record_distance, table, reference)


def repeat(runs, function, *arguments):
    """Call a function in fresh processes; return the values and the greatest memory."""
    done = [run_alone(function, *arguments) for _ in range(runs)]
    return [value for value, _ in done], max(memory for _, memory in done)


def packages(quick, folder):
    """NoGAN, multivariate KS and distance to the closest record; return rows and targets."""
    runs, rows = (1, 2000) if quick else (3, 20190)
    save(folder, train=health(rows), real=normal(2000, 1), synthetic=normal(2000, 2))
    theirs = peer("nogan_packages.py", folder)
    nogan, memory = repeat(runs, our_nogan, rows)
    note = f"{rows:,} x 10 rows in and out, {BINS} bins per column"
    nogan_row = row(
        "NoGAN, fit and sample", nogan, {"nogan-synthesizer": theirs["nogan_seconds"]}, memory, note
    )
    done, memory = repeat(runs, our_ks, 2000, theirs["nodes"])
    same = all(
        np.array_equal(ours, theirs[name])
        for ours, name in zip(done[0][1], ("real", "synthetic"), strict=True)
    )
    note = f"2 x 2,000 x 8, 1,000 nodes; at {len(theirs['nodes'])} nodes of the peer "
    note += "every count is equal" if same else "counts DIFFER"
    ks_row = row(
        "multivariate KS",
        [seconds for seconds, _ in done],
        {"genai-evaluation": theirs["ks_seconds"]},
        memory,
        note,
    )
    save(folder, table=mixed(1000, 1), reference=mixed(1000, 2))
    theirs = peer("sdmetrics_dcr.py", folder)
    done, memory = repeat(runs, our_dcr, 1000)
    gap = float(np.abs(done[0][1] - np.array(theirs["values"])).max())
    dcr_row = row(
        "distance to closest record, 1,000 x 1,000 rows",
        [seconds for seconds, _ in done],
        {"SDMetrics": theirs["seconds"]},
        memory,
        f"8 numbers, 2 categories; greatest difference {gap:.1e}",
    )
    large = 3000 if quick else 30000
    done, memory = repeat(1, our_dcr, large)
    large_row = row(
        f"distance to closest record, {large:,} x {large:,} rows", [done[0][0]], None, memory
    )
    ratios = [r["peers"][0]["ratio"] for r in (nogan_row, ks_row, dcr_row)]
    targets = [
        target("NoGAN: at least 20x nogan-synthesizer", f"{ratios[0]:,.0f}x", ratios[0] >= 20),
        target("KS: at least 50x genai-evaluation", f"{ratios[1]:,.0f}x", ratios[1] >= 50),
        target("KS: same numbers on the same nodes", "equal" if same else "differ", same),
        target("DCR: at least 8x SDMetrics", f"{ratios[2]:,.0f}x", ratios[2] >= 8),
        target("DCR: same distances as SDMetrics", f"within {gap:.1e}", gap < 1e-12),
        target(f"DCR: {large:,} rows in 2 GB", f"{memory:,} MB", memory < 2000),
    ]
    return [nogan_row, ks_row, dcr_row, large_row], targets


# The GAN


def our_gan(steps):
    """Return the seconds to train the published network, compilation included."""
    table = cancer()
    model = clone(synth.GAN.published()).set_params(steps=steps)
    clone(model).set_params(steps=1).fit(table[::10])
    return timed(model.fit, table)[0]


def gan_loops(eager_steps, steps):
    """Return the seconds of Python loops: an operation at a time, and a compiled step a time."""
    begin = eager_gan.prepare(cancer())
    eager_gan.eager(*begin, 5)
    return eager_gan.eager(*begin, eager_steps)[1], eager_gan.stepwise(*begin, steps)[1]


def gan_auc(name, published, split, steps):
    """Return the seconds to train a network on half a table, and the two-sample AUC of its rows.

    They are compared with the other half.
    """
    train, holdout = cut(CHAPTER_TABLES[name](), 2, np.random.default_rng(split))
    model = synth.GAN.published(random_state=split) if published else synth.GAN(random_state=split)
    if steps:
        model.set_params(steps=steps)
    seconds, _ = timed(model.fit, train)
    table = model.sample(len(train), random_state=split)
    return seconds, float(two_sample_auc(holdout, table, random_state=split).value)


def gan_loop(quick):
    """Time the training loop; return a row and a target."""
    runs, steps, eager_steps = (1, 1000, 20) if quick else (3, 10_000, 200)
    ours, memory = repeat(runs, our_gan, steps)
    loops, _ = repeat(runs, gan_loops, eager_steps, steps)
    peers = {
        "eager loop": [seconds * steps / eager_steps for seconds, _ in loops],
        "loop of a compiled step": [seconds for _, seconds in loops],
    }
    note = (
        "breast cancer, 569 x 31; ours with compilation, the loops without; eager: "
        f"{eager_steps} steps, one JAX operation at a time, scaled"
    )
    line = row(f"GAN, {steps:,} steps of the published network", ours, peers, memory, note)
    ratio = line["peers"][0]["ratio"]
    return line, target("GAN: at least 10x an eager loop", f"{ratio:,.0f}x", ratio >= 10)


def gan_tables(quick):
    """Compare our network's tables with the published network's; return rows and a target."""
    splits, steps = (1, 200) if quick else (2, None)
    rows, parts, closer = [], [], True
    for name in CHAPTER_TABLES:
        print(name, file=sys.stderr, flush=True)
        auc, seconds, memory = {}, {}, 0
        for published in (False, True):
            done = [run_alone(gan_auc, name, published, split, steps) for split in range(splits)]
            seconds[published] = [taken for (taken, _), _ in done]
            auc[published] = float(np.mean([found for (_, found), _ in done]))
            memory = memory or max(used for _, used in done)
        note = f"{splits} random halves; two-sample AUC {auc[False]:.3f} against {auc[True]:.3f}"
        peers = {"published network": seconds[True]}
        rows.append(row(f"GAN, fit to half of {name}", seconds[False], peers, memory, note))
        parts.append(f"{name} {auc[False]:.3f} against {auc[True]:.3f}")
        closer &= abs(auc[False] - 0.5) < abs(auc[True] - 0.5)
    return rows, target(
        "GAN: two-sample AUC closer to 0.5 than the published network's on every table",
        "; ".join(parts),
        closer,
    )


def main():
    """Measure, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="a small trial; nothing is stored")
    quick = parser.parse_args().quick
    with tempfile.TemporaryDirectory() as folder:
        rows, targets = packages(quick, Path(folder))
    loop_row, loop_target = gan_loop(quick)
    table_rows, table_target = gan_tables(quick)
    rows, targets = [*rows, loop_row, *table_rows], [*targets, loop_target, table_target]
    title = "Synthetic tables: speed (processor time)"
    folder = Path(tempfile.mkdtemp()) if quick else RESULTS
    write_results("synth", title, PACKAGES, rows, targets, folder)


if __name__ == "__main__":
    main()
