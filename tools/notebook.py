"""Make, run and check notebooks: ``python -m tools.notebook {new,run,check,sync,tests}``."""

from __future__ import annotations

import argparse
import atexit
import importlib.util
import os
import re
import shutil
import sys
import tempfile
import uuid
from functools import cache

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

from tools import cells, notebook_rules
from tools.cells import code, is_setup, setup_cell

__all__ = ["check", "kernel_environment", "known", "new", "resolve", "run", "setup_cell", "sync"]

PROFILE = cells.ROOT / "tests" / "ipython"
TEMPLATE = "_template"


class NotebookError(Exception):
    """What a command cannot do, in words for its user."""


def known():
    """Map the name of every notebook, such as ``interview/attention``, to its path."""
    paths = sorted(cells.NOTEBOOKS.rglob("*.ipynb"))
    names = {p.relative_to(cells.NOTEBOOKS).with_suffix("").as_posix(): p for p in paths}
    return {name: path for name, path in names.items() if ".ipynb_checkpoints" not in name}


def resolve(name):
    """Return the path of the notebook that a user means.

    Parameters
    ----------
    name : str
        ``zero_runs``, ``zero_runs.ipynb`` or ``notebooks/zero_runs.ipynb``.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    NotebookError
        If there is no such notebook. The message lists those there are.
    """
    plain = _plain(name)
    if plain not in (notebooks := known()):
        raise NotebookError(f"no notebook {name!r}; known: {', '.join(notebooks) or 'none yet'}")
    return notebooks[plain]


def _plain(name):
    return re.sub(r"^(\./)?notebooks/|\.ipynb$", "", name)


def new(name):
    """Copy the template of a chapter, or of an interview topic, with fresh cell ids.

    Parameters
    ----------
    name : str
        Lower case, digits and underscores; ``interview/`` may stand before it.

    Returns
    -------
    pathlib.Path
        The new notebook.

    Raises
    ------
    NotebookError
        If the name is bad or taken.
    """
    plain = _plain(name)
    if not re.fullmatch(r"(interview/)?[a-z][a-z0-9_]*", plain):
        raise NotebookError(
            f"{name!r} is no name for a notebook; use lower-case letters, digits and "
            "underscores, as in zero_runs or interview/attention"
        )
    path = cells.NOTEBOOKS / f"{plain}.ipynb"
    if path.exists():
        raise NotebookError(f"{path.name} exists already; choose another name or remove it")
    nb = read(resolve(re.sub(r"\w+$", TEMPLATE, plain)))
    for cell in nb.cells:
        cell.id = _fresh_id()
        if "entry" in cell.metadata.get("runproof", {}):
            cell.metadata["runproof"]["topic"] = path.stem
    write(nb, path)
    return path


def run(path, timeout=600):
    """Execute a notebook top to bottom, in place.

    The kernel is this interpreter's, its folder the notebook's, and the network is blocked.
    If a cell fails the file stays as it was.

    Parameters
    ----------
    path : pathlib.Path
        The notebook.
    timeout : float
        Seconds allowed for one cell.

    Raises
    ------
    NotebookError
        If a cell fails, takes too long, or the kernel dies.
    """
    nb = read(path)
    for _, cell in code(nb):
        cell.execution_count, cell.outputs = None, []
    # Streams arrive in pieces that depend on the machine's load: merge them.
    client = NotebookClient(
        nb,
        timeout=timeout,
        kernel_name="python3",
        resources={"metadata": {"path": str(path.parent)}},
        record_timing=False,
        coalesce_streams=True,
    )
    os.environ.setdefault("JUPYTER_PREFER_ENV_PATH", "1")
    try:
        client.execute(env=os.environ | kernel_environment())
    except (CellExecutionError, TimeoutError, DeadKernelError) as error:
        ran = [i for i, cell in code(nb) if cell.execution_count or cell.outputs]
        where = f"cell {ran[-1] + 1}" if ran else "the first cell"
        plain = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip()
        raise NotebookError(
            f"{path.name}: {where} failed, the file is unchanged\n{plain}"
        ) from error
    normalize(nb)
    write(nb, path)


def normalize(nb):
    """Remove from a notebook whatever tells of one machine or one session."""
    ours = nb.metadata.get("runproof")
    nb.metadata = nbformat.from_dict(notebook_rules.METADATA | ({"runproof": ours} if ours else {}))
    nb.nbformat_minor = max(5, nb.nbformat_minor)
    seen = set()
    for cell in nb.cells:
        for key in cell.metadata.keys() - {"mystnb", "runproof", "tags"}:
            del cell.metadata[key]
        if cell.get("id") in seen or "id" not in cell:
            cell.id = _fresh_id()
        seen.add(cell.id)


def check(path):
    """Return the complaints about one notebook; see `tools.notebook_rules.check`."""
    return notebook_rules.check(path)


def sync():
    """Rewrite the set-up cell of every notebook for the current address and version.

    Returns
    -------
    list of pathlib.Path
        The notebooks that changed.
    """
    source, changed = setup_cell(), []
    for path in known().values():
        nb = read(path)
        stale = [cell for _, cell in code(nb) if is_setup(cell) and cell.source != source]
        for cell in stale:
            cell.source = source
        if stale:
            write(nb, path)
            changed.append(path)
    return changed


def tests(path):
    """Return the paths that pytest needs to check one chapter.

    Parameters
    ----------
    path : pathlib.Path
        The notebook.

    Returns
    -------
    list of pathlib.Path
        The notebook, the test files of its name, and those of the engines that it imports: of
        `synth`, ``test_synth.py`` and each ``test_synth_*.py``.
    """
    names = [path.stem]
    for name in cells.aliases(read(path)).values():
        names += re.findall(r"^runproof\.(\w+)", name)
    folder = cells.ROOT / "tests"
    patterns = [f"test_{name}{rest}.py" for name in dict.fromkeys(names) for rest in ("", "_*")]
    return [path, *(file for pattern in patterns for file in sorted(folder.glob(pattern)))]


@cache
def kernel_environment():
    """Return the environment variables under which the book's kernels run.

    The kernels start with the profile in ``tests/ipython``, which blocks every connection
    but loopback. It is used from a temporary copy, for IPython writes beside its profile.

    Returns
    -------
    dict of str to str

    Raises
    ------
    NotebookError
        If pytest-socket, which does the blocking, is not installed.
    """
    if importlib.util.find_spec("pytest_socket") is None:
        raise NotebookError("pytest-socket is missing; run `make setup`")
    copy = tempfile.mkdtemp(prefix="runproof-ipython-")
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    shutil.copytree(PROFILE, copy, dirs_exist_ok=True)
    return {"IPYTHONDIR": copy}


def _fresh_id():
    return uuid.uuid4().hex[:8]


def read(path):
    """Read a notebook, or say why it cannot be read."""
    try:
        return nbformat.read(path, as_version=4)
    except (OSError, ValueError, nbformat.ValidationError) as error:
        raise NotebookError(f"{path.name} cannot be read: {error}") from error


def write(nb, path):
    """Write to a temporary name, then rename: nobody ever meets half a file."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        nbformat.write(nb, temporary)
        temporary.replace(path)
    except OSError as error:
        raise NotebookError(f"{path.name} was not written, the old file stays: {error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def main(arguments=None):
    """Run one command; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.notebook", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for command, count, text in [
        ("new", 1, "start a notebook from the template"),
        ("run", "+", "execute notebooks top to bottom, in place"),
        ("check", "*", "list what is wrong with notebooks (default: all)"),
        ("tests", "+", "list the paths that pytest needs for these notebooks"),
    ]:
        commands.add_parser(command, help=text).add_argument("names", nargs=count, metavar="NAME")
    commands.add_parser("sync", help="rewrite the set-up cell of every notebook")
    options = parser.parse_args(arguments)
    try:
        return globals()[f"_{options.command}"](getattr(options, "names", []))
    except NotebookError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _new(names):
    path = new(names[0])
    name = _plain(names[0])
    print(
        f"made {path.relative_to(cells.ROOT)}. Next:\n"
        f"  1. edit it (make lab), its engine src/runproof/{path.stem}.py\n"
        f"  2. make run NB={name}     execute it in place\n"
        f"  3. make check NB={name}   rules, outputs, engine tests\n"
        f"  4. list notebooks/{name} in _toc.yml"
    )
    return 0


def _run(names):
    for path in [resolve(name) for name in names]:
        run(path)
        print(f"ran {path.name}")
    return 0


def _check(names):
    paths = [resolve(name) for name in names] or list(known().values())
    complaints = [complaint for path in paths for complaint in check(path)]
    for complaint in complaints:
        print(complaint)
    print(f"{len(paths)} checked, {len(complaints)} complaints", file=sys.stderr)
    return 1 if complaints else 0


def _sync(names):
    for path in sync():
        print(f"rewrote the set-up cell of {path.name}")
    return 0


def _tests(names):
    paths = [path for name in names for path in tests(resolve(name))]
    print(" ".join(str(p.relative_to(cells.ROOT)) for p in dict.fromkeys(paths)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
