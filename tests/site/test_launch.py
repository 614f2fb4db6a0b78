"""Launching, as far as it goes without the services: the wheel, and Colab's set-up cell.

The machine is the reader's, see `reader`. Whether each notebook runs there, nbval tells.
"""

import hashlib
import json
import zipfile
from importlib.metadata import requires
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from reader import KERNEL, PROJECT, VERSION, published, run

from tools.book import ROOT, address, setup_cell

#: Colab's runtime version 2026.01 as its published `pip freeze` lists it, the oldest that we
#: support; looked up on 2026-11-20. The weekly workflow runs in the image of the day.
COLAB = {
    "python": "3.12.12",
    "jax": "0.7.2",
    "joblib": "1.5.3",
    "matplotlib": "3.10.0",
    "mpmath": "1.3.0",
    "numpy": "2.0.2",
    "pandas": "2.2.2",
    "psutil": "5.9.5",
    "scikit-learn": "1.6.1",
    "scipy": "1.16.3",
    "tqdm": "4.67.1",
}

ROW_COUNTS = """
from runproof import datasets
sums = {name: datasets.read_sums(datasets.data_dir() / name) for name in datasets.names()}
rows = {name: {file: len(datasets.load(name, file)) for file in sums[name]} for name in sums}
"""


@pytest.fixture
def with_wheel(fresh):
    """The machine with the package installed from the wheel."""
    fresh.uv("install", "--no-deps", "--reinstall", fresh.wheel)
    return fresh


@pytest.fixture
def without_package(fresh):
    """The machine as Colab starts: everything but the package."""
    fresh.uv("uninstall", f"runproof=={VERSION}")
    return fresh


def notebook(*sources):
    """Return a notebook with these code cells."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    return nbformat.v4.new_notebook(cells=cells)


def hashes(folder):
    """Return the hash of every file below a folder, compiled ones left out."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    return {
        path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest() for path in files
    }


def upgrades(requirements, shipped):
    """Return the requirements that a machine with the shipped versions does not meet."""
    python = shipped["python"]
    machine = {
        "extra": "",
        "python_full_version": python,
        "python_version": python.rpartition(".")[0],
        "sys_platform": "linux",
    }
    found = []
    for line in requirements:
        requirement = Requirement(line)
        name = canonicalize_name(requirement.name)
        applies = requirement.marker is None or requirement.marker.evaluate(machine)
        if applies and name in shipped and shipped[name] not in requirement.specifier:
            found.append(line)
        elif applies and name not in shipped:  # pip fetches it: what it needs counts as well
            deeper = upgrades(requires(name) or [], shipped)
            found += [f"{name} needs {need}" for need in deeper]
    return found


# The wheel


def test_wheel_holds_every_published_data_file(fresh):
    with zipfile.ZipFile(fresh.wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith("runproof/data/")}
    assert packed == {f"runproof/{name}" for name in published("data")}


def test_wheel_loads_every_dataset_where_only_the_wheel_is(with_wheel, tmp_path):
    report = ROW_COUNTS + "import json, runproof; print(json.dumps([runproof.__file__, rows]))"
    file, rows = json.loads(run(with_wheel.python, "-I", "-c", report, cwd=tmp_path))
    assert Path(file).is_relative_to(with_wheel.packages)
    exec(ROW_COUNTS, here := {})
    assert rows == here["rows"]
    assert len(rows) > 0


def test_repository_is_out_of_reach_of_the_fresh_environment(with_wheel, tmp_path):
    with pytest.raises(AssertionError, match="No module named 'tools'"):
        run(with_wheel.python, "-I", "-c", "import tools.pages", cwd=tmp_path)


def test_setup_cell_does_nothing_elsewhere(with_wheel, tmp_path):
    before = with_wheel.installed()
    nb = with_wheel.execute(notebook(setup_cell(), "import runproof"), tmp_path, colab=False)
    assert nb.cells[0].outputs == []
    assert with_wheel.installed() == before


# Colab


def test_colab_installs_the_tag_and_leaves_all_else_alone(without_package, tmp_path):
    machine, before = without_package, without_package.installed()
    machine.execute(notebook(setup_cell()), tmp_path)
    assert machine.installed() == before | {f"runproof-{VERSION}"}
    record = machine.packages / f"runproof-{VERSION}.dist-info" / "direct_url.json"
    commit = run("git", "-C", machine.clone, "rev-parse", f"v{VERSION}").strip()
    assert json.loads(record.read_text(encoding="utf-8")) == {
        "url": address(ROOT),
        "vcs_info": {"vcs": "git", "requested_revision": f"v{VERSION}", "commit_id": commit},
    }


def test_colab_installs_what_the_wheel_holds(without_package, tmp_path):
    without_package.execute(notebook(setup_cell()), tmp_path)
    with zipfile.ZipFile(without_package.wheel) as archive:
        archive.extractall(tmp_path / "wheel")
    assert hashes(without_package.packages / "runproof") == hashes(tmp_path / "wheel" / "runproof")


def test_setup_cell_that_cannot_install_is_noticed(without_package, tmp_path):
    nb = notebook(setup_cell(), "import runproof")
    with pytest.raises(CellExecutionError, match="No module named 'runproof'"):
        without_package.execute(nb, tmp_path, clone=tmp_path / "nowhere")


def test_network_is_blocked_in_the_fresh_kernel(with_wheel, tmp_path):
    nb = notebook("import urllib.request\nurllib.request.urlopen('https://example.org')")
    with pytest.raises(CellExecutionError, match="the network is blocked"):
        with_wheel.execute(nb, tmp_path)


def test_reader_works_in_an_empty_folder_and_sees_no_other(fresh, monkeypatch):
    monkeypatch.setenv("JUPYTER_PATH", str(fresh.place))
    monkeypatch.setenv("SEEN_BY_THE_TESTS", "yes")
    told = "import os, sys\nprint(os.listdir(), 'SEEN_BY_THE_TESTS' in os.environ, sys.executable)"
    nb = notebook(told)
    NotebookClient(nb, kernel_name=KERNEL).execute()
    assert nb.cells[0].outputs[0].text == f"[] False {fresh.python}\n"


def test_dependencies_leave_colab_alone():
    assert upgrades(PROJECT["project"]["dependencies"], COLAB) == []
    assert COLAB["python"] in SpecifierSet(PROJECT["project"]["requires-python"])


@pytest.mark.parametrize(
    "line",
    ["numpy>=2.3", "scipy<1.16", "pandas==3.*", "jax>0.7.2; python_version == '3.12'"],
)
def test_dependency_that_would_move_colab_is_noticed(line):
    assert upgrades(["tqdm>=4.60", line], COLAB) == [line]


def test_dependency_of_another_python_is_none_of_colabs():
    assert upgrades(["numpy>=2.3; python_version >= '3.13'"], COLAB) == []


def test_dependency_of_a_dependency_that_would_move_colab_is_noticed():
    shipped = COLAB | {"numpy": "1.20.0"}
    del shipped["scipy"]
    assert any(line.startswith("scipy needs numpy") for line in upgrades(["scipy"], shipped))
