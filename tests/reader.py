"""The reader's machine: a fresh environment that takes itself for Colab, without a network.

It holds the package's dependencies in the lock's versions, a kernel, and nothing else of the
book. A stand-in ``google.colab`` makes the set-up cell believe that it runs there, git is told
to fetch the repository's address from a local clone, and only loopback can be reached.
``pytest --nbval --nbval-kernel-name reader`` runs each notebook on it, in an empty folder.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbval.plugin import IPyNbCell
from uv import find_uv_bin

from tools.book import ROOT, address, setup_cell

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
VERSION = PROJECT["project"]["version"]
KERNEL = "reader"
PLACE = pytest.StashKey()
MACHINE = pytest.StashKey()

# Every process of the fresh environment, pip included, reaches loopback only.
AT_START = """
import sys


def refuse(event, args):
    host = {"socket.connect": lambda: args[1], "socket.getaddrinfo": lambda: args}.get(event)
    host = host and host()
    if isinstance(host, tuple) and host[0] not in (None, "", "127.0.0.1", "::1", "localhost"):
        raise OSError(f"the network is blocked: {host}")


sys.addaudithook(refuse)
"""


def run(*command, **options):
    """Run a command that must succeed; return what it printed."""
    command = [str(word) for word in command]
    done = subprocess.run(command, capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{command} failed:\n{done.stdout}{done.stderr}"
    return done.stdout


def published(under="."):
    """Return the files that git has, or would take, as paths relative to the root."""
    git = ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    return {name for name in run(*git, under).split("\0") if name and (ROOT / name).is_file()}


class Machine:
    """A fresh environment, and the clone that stands for the published repository."""

    def __init__(self, place):
        self.place = place
        self.home = place / "home"
        self.python = place / "env" / "bin" / "python"
        self.clone = place / "clone"
        self._write_stand_ins()
        self._write_clone()
        self.wheel = self._build_wheel()
        self._install()

    @property
    def packages(self):
        """The folder that holds the installed packages."""
        return next((self.place / "env").glob("lib/python3*/site-packages"))

    def installed(self):
        """Return the installed distributions as {"numpy-2.0.2", ...}."""
        return {path.name.removesuffix(".dist-info") for path in self.packages.glob("*.dist-info")}

    def environment(self, colab=True, clone=None):
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

    def _write_stand_ins(self):
        """Write the module that says "this is Colab", the network block, and two kernels.

        Kernel `fresh` runs where it is told to, `reader` in an empty folder with the variables
        of this machine alone.
        """
        for name in ("colab/google/colab", "blocked", "home", "folders"):
            (self.place / name).mkdir(parents=True)
        for name in ("__init__.py", "output.py"):  # the latter is what JAX looks for there
            (self.place / "colab" / "google" / "colab" / name).touch()
        (self.place / "blocked" / "sitecustomize.py").write_text(AT_START, encoding="utf-8")
        variables = [f"{key}={value}" for key, value in self.environment().items()]
        script = self.place / "reader.sh"
        script.write_text(
            f'cd "$(mktemp -d {shlex.quote(str(self.place / "folders"))}/XXXXXX)" || exit\n'
            'exec env -i JPY_PARENT_PID="$JPY_PARENT_PID" '
            f'{shlex.join([*variables, str(self.python)])} -m ipykernel_launcher -f "$1"\n',
            encoding="utf-8",
        )
        fresh = [str(self.python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        reader = ["/bin/sh", str(script), "{connection_file}"]
        for name, argv in (("fresh", fresh), (KERNEL, reader)):
            folder = self.place / "kernels" / name
            folder.mkdir(parents=True)
            spec = {"argv": argv, "display_name": name, "language": "python"}
            (folder / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")

    def _write_clone(self):
        """Copy the files that git would publish into a repository of their own, tagged."""
        for name in published():
            (self.clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, self.clone / name)
        someone = ["-c", "user.name=someone", "-c", "user.email=someone@localhost"]
        git = ["git", "-C", self.clone, *someone]
        run(*git, "init")
        run(*git, "add", "--all")
        run(*git, "commit", "--message=all")
        run(*git, "tag", f"v{VERSION}")

    def _build_wheel(self):
        """Build the wheel of the working tree."""
        build = [find_uv_bin(), "build", "--quiet", "--wheel", "--no-build-isolation"]
        run(*build, "--python", sys.executable, "--out-dir", self.place / "dist", ROOT)
        return next((self.place / "dist").glob("*.whl"))

    def _install(self):
        """Install the dependencies in the lock's versions, a kernel, and pip's build backend.

        READER_PYTHON and READER_LOCK, a program and a file, make another machine; see `make colab`.
        """
        python = os.environ.get("READER_PYTHON", sys.executable)
        lock = os.environ.get("READER_LOCK", ROOT / "requirements.txt")
        run(find_uv_bin(), "venv", "--quiet", "--seed", "--python", python, self.place / "env")
        # The build backend stands in for what pip would fetch to build the package.
        wanted = [self.wheel, "ipykernel", *PROJECT["build-system"]["requires"]]
        command = [find_uv_bin(), "pip", "install", "--quiet", "--python", self.python]
        command += ["--constraint", lock, *wanted]
        # From uv's cache if it is warm, as it is after `make setup`.
        if subprocess.run([*map(str, command), "--offline"], capture_output=True).returncode:
            run(*command)


def machine_of(config):
    """Return the machine of this test run, made when it is first wanted."""
    if MACHINE not in config.stash:
        config.stash[MACHINE] = Machine(Path(config.stash[PLACE].name).resolve())
    return config.stash[MACHINE]


def pytest_configure(config):
    place = config.stash[PLACE] = TemporaryDirectory(prefix="runproof-reader-")
    config.add_cleanup(place.cleanup)
    if config.getoption("nbval_kernel_name", None) == KERNEL:
        os.environ["JUPYTER_PATH"] = place.name  # where nbval finds the kernel


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    if isinstance(item, IPyNbCell) and item.config.option.nbval_kernel_name == KERNEL:
        machine_of(item.config)
        if item.cell.source == setup_cell():
            item.options["check"] = False  # here it installs the package, and pip says so


@pytest.fixture(scope="session")
def fresh(pytestconfig):
    """The reader's machine."""
    return machine_of(pytestconfig)
