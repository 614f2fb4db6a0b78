"""Rewrite the repository's address, and its default branch, for a fork.

They stand in ``_config.yml`` and in every file that repeats them: the badges in the README,
``CITATION.cff``, ``pyproject.toml``, the pages, the workflows and the notebooks' set-up cells.
"""

import re

from tools.book import ADDRESS, ROOT, address, branch, checked_address, site

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


def spellings(url):
    """Return every form in which the address occurs: clone, page, launch paths, site."""
    owner, name = ADDRESS.fullmatch(checked_address(url)).groups()
    paths = [f"gh/{owner}/{name}", f"github/{owner}/{name}"]
    return [f"{url}\ncd {name}\n", url, *paths, site(url)]


def branch_spellings(url, branch):
    """Return every form in which the default branch occurs."""
    owner, name = ADDRESS.fullmatch(checked_address(url)).groups()
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
