"""Make, run and mend notebooks."""

import atexit
import importlib.util
import os
import re
import shutil
import tempfile
import uuid
from functools import cache

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

from tools import book
from tools.book import BookError
from tools.cells import code, is_setup
from tools.chapter import Chapter
from tools.rules.file import METADATA, fold

PROFILE = book.ROOT / "tests" / "ipython"


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
    BookError
        If the name is bad or taken.
    """
    plain = book.plain(name)
    if not re.fullmatch(r"(interview/)?[a-z][a-z0-9_]*", plain):
        raise BookError(
            f"{name!r} is no name for a notebook; use lower-case letters, digits and "
            "underscores, as in zero_runs or interview/attention"
        )
    path = book.NOTEBOOKS / f"{plain}.ipynb"
    if path.exists():
        raise BookError(f"{path.name} exists already; choose another name or remove it")
    nb = book.read(book.resolve(re.sub(r"\w+$", book.TEMPLATE, plain)))
    for cell in nb.cells:
        cell.id = _fresh_id()
        if "entry" in cell.metadata.get("runproof", {}):
            cell.metadata["runproof"]["topic"] = path.stem
    book.write(nb, path)
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
    BookError
        If a cell fails, takes too long, or the kernel dies.
    """
    nb = book.read(path)
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
        raise BookError(f"{path.name}: {where} failed, the file is unchanged\n{plain}") from error
    normalize(nb)
    book.write(nb, path)


def normalize(nb):
    """Remove from a notebook whatever tells of one machine or one session."""
    ours = nb.metadata.get("runproof")
    nb.metadata = nbformat.from_dict(METADATA | ({"runproof": ours} if ours else {}))
    nb.nbformat_minor = max(5, nb.nbformat_minor)
    seen = set()
    for cell in nb.cells:
        for key in cell.metadata.keys() - {"mystnb", "runproof", "tags"}:
            del cell.metadata[key]
        if cell.cell_type == "code":
            fold(cell)
        if cell.get("id") in seen or "id" not in cell:
            cell.id = _fresh_id()
        seen.add(cell.id)


def sync():
    """Rewrite the set-up cell of every notebook for the current address and version.

    Returns
    -------
    list of pathlib.Path
        The notebooks that changed.
    """
    source, changed = book.setup_cell(), []
    for path in book.known().values():
        nb = book.read(path)
        stale = [cell for _, cell in code(nb) if is_setup(cell) and cell.source != source]
        for cell in stale:
            cell.source = source
        if stale:
            book.write(nb, path)
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
        The notebook; the test folder of each engine that it imports, or the file of a small
        shared module; for an interview notebook the test of the reader's turns.
    """
    folder = book.ROOT / "tests"
    found = [path]
    for name in Chapter(book.read(path), path).modules:
        shared = folder / "shared" / f"test_{name}.py"
        found += [each for each in (folder / name, shared) if each.exists()]
    if book.is_interview(path):
        found.append(folder / "tools" / "test_your_turn.py")
    return found


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
    BookError
        If pytest-socket, which does the blocking, is not installed.
    """
    if importlib.util.find_spec("pytest_socket") is None:
        raise BookError("pytest-socket is missing; run `make setup`")
    copy = tempfile.mkdtemp(prefix="runproof-ipython-")
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    shutil.copytree(PROFILE, copy, dirs_exist_ok=True)
    return {"IPYTHONDIR": copy}


def _fresh_id():
    return uuid.uuid4().hex[:8]
