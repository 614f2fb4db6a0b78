"""The book: where its files are, its address, and its notebooks in reading order."""

import re
import tomllib
from pathlib import Path

import nbformat
import yaml

from runproof.files import written_whole

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
BIBLIOGRAPHY = ROOT / "book" / "references.bib"
TEMPLATE = "_template"

ADDRESS = re.compile(r"https://github\.com/([A-Za-z0-9][A-Za-z0-9-]*)/(?!\.+$)([A-Za-z0-9._-]+)")

SETUP = """\
# Set-up: on Colab, install the book's package. Elsewhere it does nothing.
from importlib.util import find_spec

if find_spec("google") and find_spec("google.colab"):
    %pip install --quiet "runproof @ git+{url}@v{version}\""""


class BookError(Exception):
    """What a command cannot do, in words for its user."""


def address(root=ROOT):
    """Return the repository's address from ``_config.yml``.

    Parameters
    ----------
    root : pathlib.Path
        The repository.

    Returns
    -------
    str
        ``https://github.com/owner/name``.

    Raises
    ------
    ValueError
        If it has another form.
    """
    return checked_address(_config(root)["url"])


def checked_address(url):
    """Return an address, or raise ValueError if it is none of a repository."""
    if not ADDRESS.fullmatch(url) or url.endswith(".git"):
        raise ValueError(f"address {url!r}: it must look like https://github.com/owner/name")
    return url


def branch(root=ROOT):
    """Return the default branch from ``_config.yml``."""
    return _config(root).get("branch", "main")


def site(url):
    """Return the address of the site that GitHub serves for a repository.

    A repository that is named after its owner is served at the root of the owner's site.
    """
    owner, name = ADDRESS.fullmatch(checked_address(url)).groups()
    root = f"https://{owner.lower()}.github.io"
    return root if f"https://{name.lower()}" == root else f"{root}/{name}"


def _config(root):
    return yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))["repository"]


def setup_cell(root=ROOT):
    """Return the source of the set-up cell, the same in every notebook.

    Parameters
    ----------
    root : pathlib.Path
        The repository; ``_config.yml`` names its address, ``pyproject.toml`` the version.

    Returns
    -------
    str
    """
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return SETUP.format(url=_config(root)["url"], version=project["version"])


def toc_notebooks(root=ROOT):
    """Return the notebooks of ``_toc.yml`` in reading order, as paths relative to `root`."""
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    files = [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]
    return [Path(f"{file}.ipynb") for file in files if file.startswith("notebooks/")]


def is_interview(path):
    """Say whether a notebook is one of the interview book."""
    return path.parent.name == "interview"


def known():
    """Map the name of every notebook, such as ``interview/attention``, to its path."""
    paths = sorted(NOTEBOOKS.rglob("*.ipynb"))
    names = {p.relative_to(NOTEBOOKS).with_suffix("").as_posix(): p for p in paths}
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
    BookError
        If there is no such notebook. The message lists those there are.
    """
    if (found := plain(name)) not in (notebooks := known()):
        raise BookError(f"no notebook {name!r}; known: {', '.join(notebooks) or 'none yet'}")
    return notebooks[found]


def plain(name):
    """Return the name of a notebook without its folder and suffix."""
    return re.sub(r"^(\./)?notebooks/|\.ipynb$", "", name)


def read(path):
    """Read a notebook, or say why it cannot be read."""
    try:
        return nbformat.read(path, as_version=4)
    except (OSError, ValueError, nbformat.ValidationError) as error:
        raise BookError(f"{path.name} cannot be read: {error}") from error


def write(nb, path):
    """Write a notebook whole or not at all."""
    try:
        with written_whole(path) as (part,):
            nbformat.write(nb, part)
    except OSError as error:
        raise BookError(f"{path.name} was not written, the old file stays: {error}") from error
