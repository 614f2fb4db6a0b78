"""Binder, read as repo2docker reads it: Python, the lock, the package.

The rules are those of repo2docker 2026.4: where a folder ``.binder`` exists nothing else is
read, ``runtime.txt`` names Python, ``requirements.txt`` is installed with pip, then the
repository is copied and the executable ``postBuild`` is run at its root.
"""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from tools.book import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
#: The versions for which repo2docker has an environment.
SUPPORTED = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14")


def python_version(runtime, requires):
    """Return the Python that ``runtime.txt`` names, or say why Binder would refuse it."""
    match = re.fullmatch(r"python-(\d+\.\d+)", runtime.strip())
    if not match:
        raise ValueError(f"runtime.txt must read like python-3.11, not {runtime.strip()!r}")
    version = match[1]
    if version not in SUPPORTED:
        raise ValueError(f"Binder has no Python {version}")
    if version not in SpecifierSet(requires):
        raise ValueError(f"the package needs Python {requires}, Binder would use {version}")
    return version


def installed_files(path):
    """Return the requirements files that pip reads: the file and what it refers to."""
    if not path.is_file():
        raise ValueError(f"{path.name} is missing")
    found = [path]
    for line in path.read_text(encoding="utf-8").splitlines():
        if match := re.match(r"(?:-r|--requirement)[ =]*(\S+)", line):
            found += installed_files((path.parent / match[1]).resolve())
    return found


def script_faults(path):
    """Return what would keep repo2docker from running a script."""
    faults = []
    if not os.access(path, os.X_OK):
        faults.append("it is not executable")
    if not path.read_text(encoding="utf-8").startswith("#!/"):
        faults.append("it has no shebang")
    if subprocess.run(["bash", "-n", path], capture_output=True).returncode:
        faults.append("bash cannot parse it")
    return faults


def test_only_the_binder_folder_configures_binder():
    known = {"runtime.txt", "postBuild", "start", "apt.txt", "environment.yml", "Dockerfile"}
    assert {path.name for path in (ROOT / ".binder").iterdir()} == {
        "runtime.txt",
        "requirements.txt",
        "postBuild",
    }
    assert not (ROOT / "binder").exists()
    assert known.isdisjoint(path.name for path in ROOT.iterdir())


def test_python_is_named():
    runtime = (ROOT / ".binder" / "runtime.txt").read_text(encoding="utf-8")
    assert python_version(runtime, PROJECT["requires-python"]) == "3.11"


@pytest.mark.parametrize(
    ("runtime", "complaint"),
    [
        ("3.11", "must read like"),
        ("python-3", "must read like"),
        ("python-3.11.4", "must read like"),
        ("python-3.99", "Binder has no"),
        ("python-3.10", "the package needs"),
    ],
)
def test_bad_python_is_noticed(runtime, complaint):
    with pytest.raises(ValueError, match=complaint):
        python_version(runtime, PROJECT["requires-python"])


def test_lock_is_installed():
    files = installed_files(ROOT / ".binder" / "requirements.txt")
    assert files == [ROOT / ".binder" / "requirements.txt", ROOT / "requirements.txt"]
    # pip wants a hash for everything in a call where one line has a hash.
    own = (ROOT / ".binder" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in own if line and not line.startswith(("#", "-r "))] == []


def test_missing_lock_is_noticed(tmp_path):
    (tmp_path / "requirements.txt").write_text("-r ../lock.txt\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"lock\.txt is missing"):
        installed_files(tmp_path / "requirements.txt")


def test_post_build_can_run():
    assert script_faults(ROOT / ".binder" / "postBuild") == []


def test_post_build_that_cannot_run_is_noticed(tmp_path):
    script = tmp_path / "postBuild"
    script.write_text("if pip install .\n", encoding="utf-8")
    assert len(script_faults(script)) == 3


def test_post_build_installs_the_package(tmp_path):
    """Run it as Binder does, with the lock installed, into a folder of its own, offline."""
    tree = tmp_path / "repository"
    for name in (".binder", "data", "src"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "LICENSE-TEXT"):
        shutil.copy(ROOT / name, tree)
    target = tmp_path / "packages"
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PIP_TARGET": str(target),
        "PIP_NO_INDEX": "1",
    }
    subprocess.run(
        [tree / ".binder" / "postBuild"], cwd=tree, env=environment, check=True, capture_output=True
    )
    assert (target / "runproof" / "datasets.py").is_file()
    assert (target / f"runproof-{PROJECT['version']}.dist-info").is_dir()
    assert list((target / "runproof" / "data").glob("*/SHA256SUMS"))
