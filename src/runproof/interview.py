"""Interview entries, read from the notebooks that hold them.

An entry is one Markdown cell: an anchor, the question as an H3 with its level, and the answer,
the trap and the follow-up folded under it. The code cells that follow and name it are its
checks. The notebooks are the only source; the index, the cards and the decks are made from what
:func:`read_entries` returns.

Examples
--------
>>> from runproof.interview import read_entries
>>> entries = read_entries("notebooks/interview")
>>> [entry.question for entry in entries if entry.slug == "outer-product"]
['Compute an outer product, give its rank, and say where ML uses one']
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

#: The levels, from the easiest on, and their names.
LEVELS = {"E": "easy", "M": "medium", "H": "hard"}

#: What an entry may ask for.
KINDS = ("concept", "derivation", "compute", "code", "design")

#: The parts of an answer, in order, each opened by its name in bold.
PARTS = ("Answer", "Trap", "Follow-up")

_CELL = re.compile(
    r'\A<a id="(?P<slug>[a-z0-9]+(?:-[a-z0-9]+)*)"></a>\n\n'
    r"### (?P<question>[^\n]+) \((?P<level>[A-Z])\)\n\n"
    r'<details class="entry">\n<summary>Answer</summary>\n\n'
    r"(?P<body>.+)\n\n</details>\s*\Z",
    re.DOTALL,
)
_COMMENT = re.compile(r"\s*<!--.*?-->", re.DOTALL)
_PART = re.compile(rf"^\*\*({'|'.join(PARTS)})\.\*\*\s*", re.MULTILINE)


@dataclass(frozen=True)
class Entry:
    """One question with its answer and its checks.

    Attributes
    ----------
    slug : str
        Permanent name, and the anchor on the page.
    question : str
        The question, in Markdown.
    level : {"E", "M", "H"}
        Easy, medium, hard.
    topic : str
        Stem of the notebook, such as ``linear_algebra``.
    section : str
        Title of the section that holds it.
    kind : {"concept", "derivation", "compute", "code", "design"}
        What is asked for.
    ids : tuple of str
        The catalogue items that it covers.
    answer, trap, follow_up : str
        The three parts, in Markdown.
    checks : tuple of str
        Source of the code cells that check the answer.
    """

    slug: str
    question: str
    level: str
    topic: str
    section: str
    kind: str
    ids: tuple[str, ...]
    answer: str
    trap: str
    follow_up: str
    checks: tuple[str, ...] = ()


def read_entries(folder):
    """Read the entries of all notebooks in a folder.

    Parameters
    ----------
    folder : str or pathlib.Path
        Folder of notebooks, such as ``notebooks/interview``.

    Returns
    -------
    list of Entry
        In the order of the file names, then of the cells.

    Raises
    ------
    ValueError
        If an entry is malformed, or two entries have the same slug.
    """
    paths = sorted(Path(folder).glob("[!_]*.ipynb"))  # not the template
    entries = [entry for path in paths for entry in notebook_entries(path)]
    seen = {}
    for entry in entries:
        if other := seen.get(entry.slug):
            raise ValueError(
                f"the slug {entry.slug!r} stands in {other}.ipynb and in {entry.topic}.ipynb; "
                "a slug is used once"
            )
        seen[entry.slug] = entry.topic
    return entries


def notebook_entries(path):
    """Read the entries of one notebook.

    Parameters
    ----------
    path : str or pathlib.Path
        The notebook.

    Returns
    -------
    list of Entry
        In the order of the cells.

    Raises
    ------
    ValueError
        If an entry is malformed, or a check belongs to no entry.
    """
    path = Path(path)
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    texts, checks, section = [], {}, ""
    for number, cell in enumerate(cells, 1):
        ours, source = cell["metadata"].get("runproof", {}), _source(cell)
        if "entry" in ours:
            texts.append((f"{path.name}: cell {number}", ours, source, section))
            checks[ours["entry"]] = []
        elif "check" in ours:
            if ours["check"] not in checks:
                raise ValueError(
                    f"{path.name}: cell {number} checks {ours['check']!r}, "
                    "which is no entry above it"
                )
            checks[ours["check"]].append(source)
        elif cell["cell_type"] == "markdown" and source.startswith("## "):
            section = source.splitlines()[0][3:].strip()
    return [
        _entry(place, ours, source, section, path.stem, tuple(checks[ours["entry"]]))
        for place, ours, source, section in texts
    ]


def _source(cell):
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)


def _entry(place, ours, source, section, topic, checks):
    """Build an entry from its metadata and its text, which must agree."""
    match = _CELL.match(source)
    if not match:
        raise ValueError(
            f"{place}: an entry is an anchor, the question as '### ... (E)', and the answer in "
            '<details class="entry">; see CONTRIBUTING.md'
        )
    for key, wanted in {"entry": match["slug"], "level": match["level"], "topic": topic}.items():
        if ours.get(key) != wanted:
            raise ValueError(
                f"{place}: metadata runproof.{key} is {ours.get(key)!r}, the text says {wanted!r}"
            )
    if match["level"] not in LEVELS:
        raise ValueError(f"{place}: the level is {match['level']!r}, allowed are {[*LEVELS]}")
    if ours.get("kind") not in KINDS:
        raise ValueError(
            f"{place}: metadata runproof.kind is {ours.get('kind')!r}, allowed are {[*KINDS]}"
        )
    ids = ours.get("ids")
    if not isinstance(ids, list) or not all(isinstance(name, str) for name in ids):
        raise ValueError(f"{place}: metadata runproof.ids is {ids!r}, wanted is a list of names")
    answer, trap, follow_up = _parts(place, match["body"])
    return Entry(
        slug=match["slug"],
        question=match["question"],
        level=match["level"],
        topic=topic,
        section=section,
        kind=ours["kind"],
        ids=tuple(ids),
        answer=answer,
        trap=trap,
        follow_up=follow_up,
        checks=checks,
    )


def _parts(place, body):
    """Split an answer into its three parts."""
    before, *pieces = _PART.split(_COMMENT.sub("", body))
    names, texts = tuple(pieces[::2]), [text.strip() for text in pieces[1::2]]
    if before.strip() or names != PARTS or not all(texts):
        raise ValueError(
            f"{place}: the parts are {names}, wanted are {PARTS} in this order, each with a text "
            "and nothing before the first"
        )
    return texts
