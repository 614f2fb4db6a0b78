"""Launching, as far as it goes without the services: the wheel, and Colab's set-up cell.

A fresh environment holds the runtime dependencies, a kernel and nothing else of the book.
A stand-in ``google.colab`` makes the set-up cell believe that it runs there, git is told to
fetch the repository's address from a local clone, and the network is blocked.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import requires
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from uv import find_uv_bin

from tools.notebook import setup_cell
from tools.pages import toc_notebooks
from tools.repo import address

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
VERSION = PROJECT["project"]["version"]

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

# Every process of the fresh environment, pip included, reaches loopback only.
NO_NETWORK = """
import sys


def refuse(event, args):
    host = {"socket.connect": lambda: args[1], "socket.getaddrinfo": lambda: args}.get(event)
    host = host and host()
    if isinstance(host, tuple) and host[0] not in (None, "", "127.0.0.1", "::1", "localhost"):
        raise OSError(f"the network is blocked: {host}")


sys.addaudithook(refuse)
"""

ROW_COUNTS = """
from runproof import datasets
sums = {name: datasets.read_sums(datasets.data_dir() / name) for name in datasets.names()}
rows = {name: {file: len(datasets.load(name, file)) for file in sums[name]} for name in sums}
"""


def run(*command, **options):
    """Run a command that must succeed; return what it printed."""
    command = [str(word) for word in command]
    done = subprocess.run(command, capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}{done.stderr}"
    return done.stdout


class Machine:
    """A fresh environment, and the clone that stands for the published repository."""

    def __init__(self, place):
        self.place = place
        self.home = place / "home"
        self.python = place / "env" / "bin" / "python"
        self.clone = place / "clone"

    @property
    def packages(self):
        """The folder that holds the installed packages."""
        return next((self.place / "env").glob("lib/python3*/site-packages"))

    def installed(self):
        """Return the installed distributions as {"numpy-2.0.2", ...}."""
        return {path.name.removesuffix(".dist-info") for path in self.packages.glob("*.dist-info")}

    def environment(self, colab, clone=None):
        """Return the variables of a kernel on this machine, and nothing from the test run."""
        path = [self.place / "blocked", *([self.place / "colab"] if colab else [])]
        return {
            "HOME": str(self.home),
            "PATH": f"{self.python.parent}:/usr/bin:/bin",
            "PYTHONPATH": os.pathsep.join(map(str, path)),
            "PIP_NO_INDEX": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_BUILD_ISOLATION": "0",  # pip's variable reads the other way round: no isolation
            # The set-up cell stays as it is: git fetches its address from the clone.
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.{(clone or self.clone).as_uri()}.insteadOf",
            "GIT_CONFIG_VALUE_0": address(ROOT),
        }

    def uv(self, *arguments):
        """Run `uv pip` on the environment, without a network."""
        action, *rest = arguments
        command = [find_uv_bin(), "pip", action, "--quiet", "--offline", "--python", self.python]
        run(*command, *rest)

    def execute(self, nb, folder, colab=True, clone=None):
        """Execute a notebook in a folder with this machine's kernel."""
        specs = KernelSpecManager(kernel_dirs=[str(self.place / "kernels")])
        client = NotebookClient(
            nb,
            km=AsyncKernelManager(kernel_name="fresh", kernel_spec_manager=specs),
            timeout=600,
            resources={"metadata": {"path": str(folder)}},
        )
        client.execute(env=self.environment(colab, clone), cleanup_kc=True)
        return nb


def published(under="."):
    """Return the files that git has, or would take, as paths relative to the root."""
    git = ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    return {name for name in run(*git, under).split("\0") if name and (ROOT / name).is_file()}


def make_clone(folder):
    """Copy the files that git would publish into a repository of their own, tagged."""
    for name in published():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    git = ["git", "-C", folder, "-c", "user.name=someone", "-c", "user.email=someone@localhost"]
    run(*git, "init")
    run(*git, "add", "--all")
    run(*git, "commit", "--message=all")
    run(*git, "tag", f"v{VERSION}")


def make_stand_ins(place):
    """Write the module that says "this is Colab", the network block, and the kernel's spec."""
    for name in ("colab/google/colab", "blocked", "kernels/fresh", "home"):
        (place / name).mkdir(parents=True)
    for name in ("__init__.py", "output.py"):  # the latter is what JAX looks for there
        (place / "colab" / "google" / "colab" / name).touch()
    (place / "blocked" / "sitecustomize.py").write_text(NO_NETWORK, encoding="utf-8")
    python = place / "env" / "bin" / "python"
    argv = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "fresh", "language": "python"}
    (place / "kernels" / "fresh" / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")


@pytest.fixture(scope="session")
def place():
    with TemporaryDirectory(prefix="runproof-launch-") as folder:
        yield Path(folder).resolve()


@pytest.fixture(scope="session")
def wheel(place):
    """The wheel of the working tree."""
    build = [find_uv_bin(), "build", "--quiet", "--wheel", "--no-build-isolation"]
    run(*build, "--python", sys.executable, "--out-dir", place / "dist", ROOT)
    return next((place / "dist").glob("*.whl"))


@pytest.fixture(scope="session")
def fresh(place, wheel):
    """A machine with the wheel's own dependencies in the lock's versions, and a kernel."""
    machine = Machine(place)
    make_stand_ins(place)
    make_clone(machine.clone)
    run(sys.executable, "-m", "venv", place / "env")
    # The build backend stands in for what pip would fetch to build the package.
    wanted = [wheel, "ipykernel", *PROJECT["build-system"]["requires"]]
    command = [find_uv_bin(), "pip", "install", "--quiet", "--python", machine.python]
    command += ["--constraint", ROOT / "requirements.txt", *wanted]
    # From uv's cache if it is warm, as it is after `make setup`.
    if subprocess.run([*command, "--offline"], capture_output=True).returncode:
        run(*command)
    return machine


@pytest.fixture
def with_wheel(fresh, wheel):
    """The machine with the package installed from the wheel."""
    fresh.uv("install", "--no-deps", "--reinstall", wheel)
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


def errors(nb):
    """Return the error outputs of a notebook."""
    outputs = [output for cell in nb.cells for output in cell.get("outputs", [])]
    return [output for output in outputs if output.output_type == "error"]


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


def test_wheel_holds_every_published_data_file(wheel):
    with zipfile.ZipFile(wheel) as archive:
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


@pytest.mark.parametrize("path", toc_notebooks(ROOT), ids=lambda path: path.stem)
def test_notebook_alone_on_colab(path, without_package, tmp_path):
    machine, before = without_package, without_package.installed()
    shutil.copy(ROOT / path, tmp_path)
    nb = nbformat.read(tmp_path / path.name, as_version=4)
    assert [cell.source for cell in nb.cells].count(setup_cell()) == 1

    nb = machine.execute(nb, tmp_path)

    assert errors(nb) == []
    # pip ran, and left NumPy and all else as it was.
    assert machine.installed() == before | {f"runproof-{VERSION}"}
    record = machine.packages / f"runproof-{VERSION}.dist-info" / "direct_url.json"
    commit = run("git", "-C", machine.clone, "rev-parse", f"v{VERSION}").strip()
    assert json.loads(record.read_text(encoding="utf-8")) == {
        "url": address(ROOT),
        "vcs_info": {"vcs": "git", "requested_revision": f"v{VERSION}", "commit_id": commit},
    }


def test_colab_installs_what_the_wheel_holds(without_package, wheel, tmp_path):
    without_package.execute(notebook(setup_cell()), tmp_path)
    with zipfile.ZipFile(wheel) as archive:
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
