"""The repository's address: read from ``_config.yml``, rewritten everywhere for a fork.

``python -m tools.repo https://github.com/you/runproof`` changes the address in
``_config.yml`` and in every file that repeats it for readers: the badges in the README,
``CITATION.cff``, ``pyproject.toml``, the pages, and the notebooks' set-up cells.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
FORM = re.compile(r"https://github\.com/([A-Za-z0-9][A-Za-z0-9-]*)/([A-Za-z0-9._-]+)")
PATTERNS = [
    "*.md",
    "*.cff",
    "*.toml",
    "*.yml",
    "book/**/*.md",
    "notebooks/**/*.ipynb",
    "data/*/*.md",
]


def address(root=ROOT):
    """Return the repository's address from ``_config.yml``.

    Raises
    ------
    ValueError
        If it is not of the form ``https://github.com/owner/name``.
    """
    return _checked(yaml.safe_load((root / "_config.yml").read_text("utf-8"))["repository"]["url"])


def spellings(url):
    """Return every form in which the address occurs: page, launch paths, published site."""
    owner, name = FORM.fullmatch(_checked(url)).groups()
    site = f"https://{owner.lower()}.github.io/{name}"
    return [url, f"gh/{owner}/{name}", f"github/{owner}/{name}", site]


def files(root=ROOT):
    """Return the files that may repeat the address."""
    found = {path for pattern in PATTERNS for path in root.glob(pattern)}
    return sorted(path for path in found if "_generated" not in path.parts)


def rewrite(new, root=ROOT):
    """Replace the address in every file that repeats it.

    Parameters
    ----------
    new : str
        ``https://github.com/owner/name``.

    Returns
    -------
    list of pathlib.Path
        The files that changed.

    Raises
    ------
    ValueError
        If `new` has another form. Nothing is written then.
    """
    pairs = list(zip(spellings(address(root)), spellings(new), strict=True))
    changed = []
    for path in files(root):
        old_text = path.read_text(encoding="utf-8")
        text = old_text
        for old, replacement in pairs:
            text = re.sub(re.escape(old) + r"(?![A-Za-z0-9_-])", replacement, text)
        if text != old_text:
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


def _checked(url):
    if not FORM.fullmatch(url) or url.endswith(".git"):
        raise ValueError(f"address {url!r}: it must look like https://github.com/owner/name")
    return url


def main(arguments=None):
    """Rewrite the address given on the command line and list what changed."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if len(arguments) != 1:
        sys.exit("usage: python -m tools.repo https://github.com/owner/name")
    try:
        changed = rewrite(arguments[0].rstrip("/"))
    except ValueError as error:
        sys.exit(f"tools.repo: {error}")
    print("\n".join(str(path.relative_to(ROOT)) for path in changed) or "nothing to change")


if __name__ == "__main__":
    main()
