"""What all tests share: no network, patient notebooks, and a tree that stays clean."""

import os
import subprocess
from pathlib import Path

import pytest
from nbval.plugin import IPyNbCell

from tools.notebook import kernel_environment

ROOT = Path(__file__).resolve().parents[1]

# nbval waits this long for outputs that arrive after a cell's reply; 5 s is too short on a
# busy machine.
IPyNbCell.output_timeout = 60

os.environ.update(kernel_environment())


def tree_state(root):
    """Return what git sees in a working tree: changed and untracked files, with their content."""
    git = ["git", "-C", str(root)]
    status = subprocess.run(
        [*git, "status", "--porcelain", "--untracked-files=all"], capture_output=True, text=True, check=True
    ).stdout
    diff = subprocess.run([*git, "diff", "HEAD"], capture_output=True, check=False).stdout
    return status, hash(diff)


def _is_worker(config):
    return hasattr(config, "workerinput")


def pytest_sessionstart(session):
    if not _is_worker(session.config):
        session.config.stash[TREE] = tree_state(ROOT)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    config = session.config
    if not _is_worker(config) and tree_state(ROOT) != config.stash[TREE]:
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        reporter.write_line("ERROR: the tests changed the working tree; see git status", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


TREE = pytest.StashKey()
