"""The house: the lock, the licenses, the entry points, and a test run that guards itself."""

import os
import re
import shutil
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest
import yaml
from conftest import tree_state
from nbformat.v4 import new_code_cell, new_notebook, new_output
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from pytest_socket import SocketConnectBlockedError

from tools.book import ROOT, address

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PIN = re.compile(r"(?P<name>[a-z0-9-]+)==(?P<version>[^\s;]+)(?: ; (?P<marker>[^\\]+))?")


# The lock


def declared(project):
    """Return every dependency of the package, those of its extras included."""
    extras = project.get("optional-dependencies", {})
    lines = [*project["dependencies"], *(line for lines in extras.values() for line in lines)]
    return [Requirement(line) for line in lines]


def blocks(lock):
    """Split a lock into its requirements, each with its hashes and comments."""
    return [block.strip() for block in re.split(r"^(?=[^\s#])", lock, flags=re.MULTILINE)[1:]]


def lock_faults(lock, project):
    """Return where the lock is no lock, or not the one of this project."""
    faults, pins, direct = [], {}, set()
    for block in blocks(lock):
        line = block.splitlines()[0].rstrip(" \\")
        if not (match := PIN.fullmatch(line)):
            faults.append(f"{line} is not pinned")
            continue
        pins.setdefault(match["name"], []).append(match["version"])
        if not re.search(r"--hash=sha256:[0-9a-f]{64}\b", block):
            faults.append(f"{line} has no hash")
        if "runproof (pyproject.toml)" in block:
            direct.add(match["name"])
    needed = {canonicalize_name(requirement.name): requirement for requirement in declared(project)}
    faults += [f"{name} is locked but not declared" for name in sorted(direct - set(needed))]
    for name, requirement in needed.items():
        if name not in pins:
            faults.append(f"{name} is not in the lock")
        wrong = [v for v in pins.get(name, []) if v not in requirement.specifier]
        faults += [f"{name}=={version} does not fit {requirement}" for version in wrong]
    return faults


def test_requirements_are_the_lock_of_this_project():
    lock = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert lock_faults(lock, PROJECT) == []
    assert len(blocks(lock)) > 100


HASH = "--hash=sha256:" + 64 * "0"
LOCKED = f"# made by: make lock\nnumpy==2.4.6 \\\n    {HASH}\n    # via runproof (pyproject.toml)\n"


@pytest.mark.parametrize(
    ("lock", "fault"),
    [
        (LOCKED.replace("==", ">="), "numpy>=2.4.6 is not pinned"),
        (LOCKED.replace(HASH, "# no hash"), "numpy==2.4.6 has no hash"),
        (LOCKED.replace("2.4.6", "1.26.4"), "numpy==1.26.4 does not fit numpy>=2.0"),
        (LOCKED.replace("numpy", "scipy"), "numpy is not in the lock"),
        (LOCKED.replace("numpy", "scipy"), "scipy is locked but not declared"),
        (LOCKED + "./package\n", "./package is not pinned"),
    ],
)
def test_bad_lock_is_noticed(lock, fault):
    project = {"dependencies": ["numpy>=2.0"]}
    assert lock_faults(LOCKED, project) == []
    assert fault in lock_faults(lock, project)


def test_dependency_of_an_extra_must_be_locked():
    project = {"dependencies": ["numpy>=2.0"], "optional-dependencies": {"test": ["pytest>=8"]}}
    assert lock_faults(LOCKED, project) == ["pytest is not in the lock"]


# The files


def test_citation_names_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == PROJECT["version"]
    assert citation["repository-code"] == address(ROOT)


def test_licenses_are_there_and_declared():
    for name in PROJECT["license-files"]:
        assert (ROOT / name).stat().st_size > 500
    assert "BSD 3-Clause" in (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "CC BY 4.0" in (ROOT / "LICENSE-TEXT").read_text(encoding="utf-8")
    assert PROJECT["license"] == "BSD-3-Clause"


def test_configuration_holds_the_address_once():
    text = (ROOT / "_config.yml").read_text(encoding="utf-8")
    assert text.count(address(ROOT)) == 1


# The entry points


def makefile_faults(text):
    """Return the targets that `make help` would not list, or that a file could shadow."""
    targets = re.findall(r"^([A-Za-z][\w-]*):(?!=)(.*)$", text, re.MULTILINE)
    phony = re.search(r"^\.PHONY:(.*)$", text, re.MULTILINE)
    listed = phony[1].split() if phony else []
    faults = [f"{name} has no help" for name, rest in targets if not re.search(r"## \S", rest)]
    return faults + [f"{name} is not phony" for name, _ in targets if name not in listed]


def test_every_target_has_a_line_of_help():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert makefile_faults(text) == []
    printed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    named = re.findall(r"^ +make (\w+) +\S", printed.stdout, re.MULTILINE)
    assert named == re.findall(r"^([a-z]+):", text, re.MULTILINE)
    assert {"book", "test", "check", "lab", "serve", "bench", "lock", "clean"} <= set(named)


def test_target_without_help_is_noticed():
    text = ".PHONY: book\nbook: site  ## build\ntest: book\n\ttrue\nVENV := x\n"
    assert makefile_faults(text) == ["test has no help", "test is not phony"]


@pytest.mark.parametrize(
    ("command", "hint"),
    [
        ("check", "make check NB=zero_runs"),
        ("new", "make new NB=zero_runs"),
        ("repo", "make repo URL="),
    ],
)
def test_target_that_needs_a_value_says_so(command, hint):
    # --old-file: the environment counts as ready, whatever the clock says.
    make = ["make", "--dry-run", "--old-file=.venv/.ready", command, "NB=", "URL="]
    done = subprocess.run(make, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode != 0
    assert hint in done.stderr


def test_half_made_environment_is_made_anew(tmp_path):
    """Debian without python3-venv leaves a .venv that has a python and no pip."""
    for name in ("Makefile", "requirements.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\necho No module named pip >&2\nexit 1\n", encoding="utf-8")
    system = tmp_path / "python"
    system.write_text('#!/bin/sh\necho "$@" >> calls\n', encoding="utf-8")
    for script in (python, system):
        script.chmod(0o755)
    make = ["make", "setup", f"PYTHON={system}"]
    done = subprocess.run(make, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode != 0  # the pretended venv mends nothing
    calls = (tmp_path / "calls").read_text(encoding="utf-8").splitlines()
    assert calls[-1] == "-m venv --clear .venv"


def test_clone_on_windows_has_the_bytes_of_this_one(tmp_path):
    """Git for Windows asks for its line endings; data files are checked by their hashes."""
    clone = ["git", "-c", "core.autocrlf=true", "clone", "--quiet", "--config=core.autocrlf=true"]
    subprocess.run([*clone, ROOT, tmp_path / "clone"], check=True)
    listed = ["git", "-C", tmp_path / "clone", "ls-files", "--eol"]
    lines = subprocess.run(listed, check=True, capture_output=True, text=True).stdout.splitlines()
    assert {line.split()[1] for line in lines} <= {"w/lf", "w/-text", "w/none"}


# The test run


def git(folder, *arguments):
    someone = ["-c", "user.name=someone", "-c", "user.email=someone@localhost"]
    subprocess.run(["git", "-C", folder, *someone, *arguments], check=True, capture_output=True)


@pytest.fixture
def tree(tmp_path):
    """A repository with one file."""
    git(tmp_path, "init")
    (tmp_path / "kept.txt").write_text("one\n", encoding="utf-8")
    (tmp_path / ".gitignore").write_text("__pycache__/\n", encoding="utf-8")
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--message=one")
    return tmp_path


def test_untouched_tree_has_one_state(tree):
    before = tree_state(tree)
    (tree / "kept.txt").write_text("one\n", encoding="utf-8")
    assert tree_state(tree) == before


@pytest.mark.parametrize("name", ["kept.txt", "new.txt", "folder/new.txt"])
def test_written_file_changes_the_state(tree, name):
    before = tree_state(tree)
    (tree / name).parent.mkdir(exist_ok=True)
    (tree / name).write_text("two\n", encoding="utf-8")
    assert tree_state(tree) != before


def test_file_that_was_changed_already_is_still_watched(tree):
    (tree / "kept.txt").write_text("two\n", encoding="utf-8")
    before = tree_state(tree)
    (tree / "kept.txt").write_text("three\n", encoding="utf-8")
    assert tree_state(tree) != before


def test_removed_file_changes_the_state(tree):
    before = tree_state(tree)
    (tree / "kept.txt").unlink()
    assert tree_state(tree) != before


def run_tests(tree, *options, source="def test_x():\n    pass\n"):
    """Run pytest with this project's conftest in a tree of its own."""
    (tree / "tests").mkdir(exist_ok=True)
    for name in ("conftest.py", "browsers.py", "reader.py"):
        shutil.copy(ROOT / "tests" / name, tree / "tests")
    (tree / "tests" / "test_x.py").write_text(source, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "tests", "-p", "no:cacheprovider", *options]
    # Nothing but what is named: loading every plugin takes longer than all the rest.
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("workers", ["0", "1"])
def test_run_that_writes_into_the_tree_fails(tree, workers):
    source = f"from pathlib import Path\n\n\ndef test_x():\n    Path({str(tree)!r}, 'x').touch()\n"
    done = run_tests(tree, "-p", "xdist", "-n", workers, source=source)
    assert "1 passed" in done.stdout
    assert "changed the working tree" in done.stdout
    assert done.returncode == 1


@pytest.mark.parametrize("search_path", ["", None])
def test_without_git_or_a_clone_the_run_says_so(tmp_path, monkeypatch, search_path):
    if search_path is not None:
        monkeypatch.setenv("PATH", search_path)
    done = run_tests(tmp_path, "-p", "xdist")
    assert "the tests need a git clone" in done.stdout + done.stderr
    assert ("No such file" if search_path == "" else "not a git repository") in done.stdout
    assert "INTERNALERROR" not in done.stdout
    assert done.returncode == pytest.ExitCode.USAGE_ERROR


def test_cells_of_a_notebook_stay_in_order_where_tests_are_shuffled(tree):
    (tree / "tests").mkdir()
    for name in ("one", "two"):
        cells = [new_code_cell("x = 0", execution_count=1)]
        for n in range(1, 8):
            shown = new_output("execute_result", {"text/plain": str(n)}, execution_count=n + 1)
            cells.append(new_code_cell("x += 1\nx", execution_count=n + 1, outputs=[shown]))
        nbformat.write(new_notebook(cells=cells), tree / "tests" / f"{name}.ipynb")
    done = run_tests(
        tree, "-p", "xdist", "-p", "randomly", "-p", "nbval.plugin", "--nbval", "--randomly-seed=1"
    )
    assert "17 passed" in done.stdout, done.stdout


@pytest.mark.filterwarnings("ignore:A test tried to use")
def test_tests_reach_no_network():
    with pytest.raises(SocketConnectBlockedError, match=r"192\.0\.2\.1"):
        socket.create_connection(("192.0.2.1", 80), timeout=1)


def test_tests_reach_this_machine():
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()


def test_kernels_of_the_tests_reach_no_network():
    """nbval's kernels start with this folder, whose profile blocks the network."""
    startup = Path(os.environ["IPYTHONDIR"]) / "profile_default" / "startup"
    assert any("socket" in path.read_text(encoding="utf-8") for path in startup.glob("*.py"))


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]])
def test_python_files_and_notebooks_are_linted_and_formatted(command):
    ruff = [sys.executable, "-m", "ruff", *command, "--no-cache", "."]
    done = subprocess.run(ruff, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def oxlint(*arguments):
    """Return what the linter of JavaScript says, nothing if it has no complaint."""
    command = [Path(sys.executable).with_name("oxlint"), "--deny-warnings", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return done.stdout + done.stderr if done.returncode else ""


def test_scripts_are_linted():
    assert oxlint("book/_static") == ""
    for path in (ROOT / "book" / "_static").glob("*.js"):
        assert max(map(len, path.read_text(encoding="utf-8").splitlines())) <= 120, path.name


def test_a_bad_script_is_noticed(tmp_path):
    (tmp_path / "bad.js").write_text("const unused = 1;\nif (x = 2) { y == NaN }\n", "utf-8")
    assert "no-unused-vars" in oxlint(tmp_path)
