"""The repository's address: read from ``_config.yml``, rewritten everywhere for a fork.

``python -m tools.repo https://github.com/you/your-fork [branch]`` changes the address, and
the default branch if one is given, in ``_config.yml`` and in every file that repeats them:
the badges in the README, ``CITATION.cff``, ``pyproject.toml``, the pages, the workflows and
the notebooks' set-up cells.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
FORM = re.compile(r"https://github\.com/([A-Za-z0-9][A-Za-z0-9-]*)/(?!\.+$)([A-Za-z0-9._-]+)")
BRANCH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
PATTERNS = [
    "*.md",
    "*.cff",
    "*.toml",
    "*.yml",
    ".github/workflows/*.yml",
    "book/**/*.md",
    "notebooks/**/*.ipynb",
    "data/*/*.md",
]


def _configured(root):
    return yaml.safe_load((root / "_config.yml").read_text("utf-8"))["repository"]


def address(root=ROOT):
    """Return the repository's address from ``_config.yml``.

    Raises
    ------
    ValueError
        If it is not of the form ``https://github.com/owner/name``.
    """
    return _checked(_configured(root)["url"])


def branch(root=ROOT):
    """Return the default branch from ``_config.yml``."""
    return _configured(root).get("branch", "main")


def spellings(url):
    """Return every form in which the address occurs: clone, page, launch paths, site.

    GitHub serves a repository that is named after its owner at the root of the owner's site.
    """
    owner, name = FORM.fullmatch(_checked(url)).groups()
    site = f"https://{owner.lower()}.github.io"
    if f"https://{name.lower()}" != site:
        site += f"/{name}"
    return [f"{url}\ncd {name}\n", url, f"gh/{owner}/{name}", f"github/{owner}/{name}", site]


def branch_spellings(url, branch):
    """Return every form in which the default branch occurs."""
    owner, name = FORM.fullmatch(_checked(url)).groups()
    return [
        f"{owner}/{name}/blob/{branch}/",
        f"{owner}/{name}/{branch}?urlpath=",
        f"\n  branch: {branch}\n",
        f"branches: [{branch}]",
        f"branches-ignore: [{branch}]",
        f"'refs/heads/{branch}'",
        f"push to `{branch}`",
    ]


def files(root=ROOT):
    """Return the files that may repeat the address."""
    found = {path for pattern in PATTERNS for path in root.glob(pattern)}
    return sorted(path for path in found if "_generated" not in path.parts)


def rewrite(new, root=ROOT, new_branch=None):
    """Replace the address, and the branch, in every file that repeats it.

    Parameters
    ----------
    new : str
        ``https://github.com/owner/name``.
    root : pathlib.Path
        The repository.
    new_branch : str, optional
        The fork's default branch; the present one if left out.

    Returns
    -------
    list of pathlib.Path
        The files that changed.

    Raises
    ------
    ValueError
        If `new` or `new_branch` has another form. Nothing is written then.
    """
    old_branch = branch(root)
    new_branch = new_branch or old_branch
    if not BRANCH.fullmatch(new_branch):
        raise ValueError(f"branch {new_branch!r}: it must be a plain name, such as main")
    pairs = list(zip(spellings(address(root)), spellings(new), strict=True))
    pairs += zip(branch_spellings(new, old_branch), branch_spellings(new, new_branch), strict=True)
    changed = []
    for path in files(root):
        old_text = path.read_bytes().decode("utf-8")
        text = old_text
        for old, replacement in pairs:
            # A longer name is another repository.
            ends = r"(?![A-Za-z0-9_-])" if re.match(r"[\w.-]", old[-1]) else ""
            text = re.sub(re.escape(old) + ends, replacement, text)
        if text != old_text:
            path.write_bytes(text.encode())
            changed.append(path)
    return changed


def _checked(url):
    if not FORM.fullmatch(url) or url.endswith(".git"):
        raise ValueError(f"address {url!r}: it must look like https://github.com/owner/name")
    return url


def main(arguments=None):
    """Rewrite the address given on the command line and list what changed."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if len(arguments) not in (1, 2):
        sys.exit("usage: python -m tools.repo https://github.com/owner/name [branch]")
    try:
        changed = rewrite(arguments[0].rstrip("/"), new_branch=(arguments[1:] or [None])[0])
    except ValueError as error:
        sys.exit(f"tools.repo: {error}")
    print("\n".join(str(path.relative_to(ROOT)) for path in changed) or "nothing to change")


if __name__ == "__main__":
    main()
