"""What all tests share: no network, patient notebooks, and a tree that stays clean."""

import atexit
import hashlib
import os
import subprocess
from pathlib import Path

import matplotlib as mpl
import nbval.kernel
import pytest
from nbval.plugin import IPyNbCell

from tools.run import kernel_environment

pytest_plugins = ["browsers", "reader"]

ROOT = Path(__file__).resolve().parents[1]
TREE = pytest.StashKey()

# nbval waits this long for outputs that arrive after a cell's reply; 5 s is too short on a
# busy machine.
IPyNbCell.output_timeout = 60

# nbval opens the null device for every kernel's stderr, and closes it for none.
NULL = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - for the whole run
atexit.register(NULL.close)
nbval.kernel.open = lambda *arguments: NULL

os.environ.update(kernel_environment())
# Workers share the cores, and OpenMP's threads wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def style_of_matplotlib():
    """No test sees what another has done to Matplotlib's style."""
    with mpl.rc_context():
        yield


def tree_state(root):
    """Return the hash of every file in a working tree that git does not ignore."""
    names = _git(root, "ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0")
    files = [root / name for name in names if (root / name).is_file()]
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _git(root, *arguments):
    """Return what git prints, or end the run with git's own words."""
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True)
        said = done.stderr.strip() if done.returncode else None
    except OSError as error:
        said = str(error)
    if said:
        pytest.exit(
            f"the tests need a git clone, to see that they leave it clean:\n{said}",
            returncode=pytest.ExitCode.USAGE_ERROR,
        )
    return done.stdout


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Keep the cells of a notebook together and in order, whatever shuffles the tests.

    The notebooks come first: they take longest, and what is long must not begin last.
    """
    notebooks = {}
    for item in items:
        if isinstance(item, IPyNbCell):
            notebooks.setdefault(item.parent, []).append(item)
    ordered = []
    for item in items:
        if isinstance(item, IPyNbCell):
            ordered += sorted(notebooks.pop(item.parent, []), key=lambda cell: cell.cell_num)
        else:
            ordered.append(item)
    items[:] = sorted(ordered, key=lambda item: not isinstance(item, IPyNbCell))


def _is_worker(config):
    return hasattr(config, "workerinput")


def pytest_sessionstart(session):
    if not _is_worker(session.config):
        session.config.stash[TREE] = tree_state(ROOT)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    config = session.config
    if _is_worker(config):
        return
    before, after = config.stash[TREE], tree_state(ROOT)
    if changed := sorted(str(path) for path, _ in before.items() ^ after.items()):
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        reporter.write_line(f"ERROR: the tests changed the working tree: {changed}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
