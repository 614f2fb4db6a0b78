"""One notebook as data: what pages, decks and rules want to know of it.

An interview entry is a Markdown cell with the code cells that follow and name it. The cell
holds an anchor, the question as an H3 with its level, what the question gives, and, folded,
the answer, the trap and the follow-up. The code cells have roles, in this order: the reader's
turn and the cases that try it, a picture, the answer's code as a solution, and one check.

An exercise of a chapter is built likewise: a Markdown cell that states it, the reader's turn,
the cases, hints, the solution, and a check that proves the solution and the cases.
"""

import base64
import re
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import nbformat

from runproof.ledger import rows_of
from tools.cells import aliases, as_text, images, ours, section, tags

#: What the metadata of a chapter's notebook tell, each as a text.
FACTS = {"short", "needs", "fits"}

#: Modules that are no engine of one field.
SHARED = {"datasets", "exercises", "figures", "ledger"}

#: The levels, from the easiest on, and their names.
LEVELS = {"E": "easy", "M": "medium", "H": "hard"}

#: What an entry may ask for.
KINDS = ("concept", "derivation", "compute", "code", "design")

#: The parts of an answer, in order, each opened by its name in bold.
PARTS = ("Answer", "Trap", "Follow-up")

#: The code cells of an entry, in order; each stands at most once.
ROLES = ("turn", "cases", "picture", "solution", "check")

#: The cells of an exercise, in order, and how often each stands.
EXERCISE_ROLES = {
    "exercise": (1, 1),
    "turn": (1, 1),
    "cases": (0, 1),
    "hint": (1, 2),
    "solution": (1, 2),
    "check": (0, 1),
}

#: What a student does not get.
KEPT_BACK = ("solution", "check")

#: The name under which the quick-fire questions of a topic keep their check.
QUICK_FIRE = "quick-fire"

ANCHOR = re.compile(r'\A<a id="(?P<slug>[a-z0-9]+(?:-[a-z0-9]+)*)"></a>\n\n')
TITLE = re.compile(r"\A# @title (?P<label>\S.*)")
_CELL = re.compile(
    ANCHOR.pattern + r"### (?P<question>[^\n]+) \((?P<level>[A-Z])\)\n\n"
    r"(?:(?P<given>(?!<details).+?)\n\n)?"
    r'<details class="entry">\n<summary>Answer</summary>\n\n'
    r"(?P<body>.+)\n\n</details>\s*\Z",
    re.DOTALL,
)
_COMMENT = re.compile(r"\s*<!--.*?-->", re.DOTALL)
_PART = re.compile(rf"^\*\*({'|'.join(PARTS)})\.\*\*\s*", re.MULTILINE)
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class ChapterError(ValueError):
    """A notebook is not what its readers need; the message names file and cell."""


@dataclass(frozen=True)
class Picture:
    """A picture that a cell drew: its PNG file and its alt text."""

    png: bytes
    alt: str


@dataclass(frozen=True)
class Card:
    """What stands for a chapter on the home page."""

    sentence: str
    picture: Picture


@dataclass(frozen=True)
class Exercise:
    """One exercise of a chapter.

    Attributes
    ----------
    number : int
        As its heading says, from one.
    title : str
        What stands after the number.
    slug : str
        Its permanent name, which all its cells carry.
    cells : dict of str to list
        The cells by role, see :data:`EXERCISE_ROLES`, each as (index, cell).
    """

    number: int
    title: str
    slug: str
    cells: dict

    @property
    def in_words(self):
        """Whether the reader answers in words."""
        return any(cell.cell_type == "markdown" for _, cell in self.cells.get("turn", []))

    def code(self, role):
        """Return the code of a role, as one text."""
        found = self.cells.get(role, [])
        return "\n".join(cell.source for _, cell in found if cell.cell_type == "code")


@dataclass(frozen=True)
class Entry:
    """One interview question with its answer, the reader's turn and the check.

    Attributes
    ----------
    slug : str
        Permanent name, and the anchor on the page.
    question : str
        The question, in Markdown, one line.
    given : str
        The data of the question, in Markdown; often empty.
    level : {"E", "M", "H"}
        Easy, medium, hard.
    topic : str
        Stem of the notebook, such as ``linear_algebra``.
    section : str
        Title of the section that holds it.
    kind : str
        What is asked for, one of :data:`KINDS`.
    ids : tuple of str
        The catalogue items that it covers.
    answer, trap, follow_up : str
        The three parts, in Markdown.
    code : dict of str to str
        Source of its code cells by role, see :data:`ROLES`.
    picture : Picture or None
        The picture that belongs to the answer.
    """

    slug: str
    question: str
    given: str
    level: str
    topic: str
    section: str
    kind: str
    ids: tuple[str, ...]
    answer: str
    trap: str
    follow_up: str
    code: dict[str, str] = field(default_factory=dict)
    picture: Picture | None = None

    @property
    def checked(self):
        """Whether a check follows the answer."""
        return "check" in self.code

    @property
    def answer_code(self):
        """The Python blocks of the answer, as they stand there."""
        return _BLOCK.findall(self.answer)


class Chapter:
    """One notebook, read.

    Parameters
    ----------
    nb : nbformat.NotebookNode
        The notebook.
    path : pathlib.Path
        Where it stands.

    Raises
    ------
    ChapterError
        By an attribute whose part of the notebook is malformed.
    """

    def __init__(self, nb, path):
        self.nb, self.path = nb, Path(path)

    @classmethod
    def read(cls, path):
        """Read the notebook of a path, or say that it is missing."""
        path = Path(path)
        if not path.is_file():
            raise ChapterError(f"{path.name}: it stands in _toc.yml but not on disk")
        return cls(nbformat.read(path, as_version=4), path)

    @cached_property
    def title(self):
        """The text of the H1."""
        first = self.nb.cells[0].source.lstrip() if self.nb.cells else ""
        if not first.startswith("# "):
            raise self._malformed("the first cell must open with an H1")
        return first.splitlines()[0][2:].strip()

    @cached_property
    def facts(self):
        """What the notebook's own metadata tell: its title for tables, needs and fits."""
        found = dict(self.nb.metadata.get("runproof", {}))
        if set(found) != FACTS or not all(isinstance(v, str) and v for v in found.values()):
            raise self._malformed(
                f"the notebook's metadata runproof must tell {', '.join(sorted(FACTS))}, each a "
                f"text, and nothing else; it tells {sorted(found)}"
            )
        return found

    @property
    def short(self):
        """The title for tables."""
        return self.facts["short"]

    @cached_property
    def modules(self):
        """The modules of the package that the chapter imports."""
        names = aliases(self.nb).values()
        found = [match[1] for name in names if (match := re.match(r"runproof\.(\w+)", name))]
        return list(dict.fromkeys(found))

    @property
    def engines(self):
        """The engines that the chapter imports: all modules but the small shared ones."""
        return [name for name in self.modules if name not in SHARED]

    @cached_property
    def minutes(self):
        """The minutes of reading that the chapter states."""
        text = " ".join(cell.source for _, cell in section(self.nb, "You will build"))
        if not (stated := re.search(r"Reading takes (\d+) minutes", text)):
            raise self._malformed("'## You will build' must say 'Reading takes 25 minutes'")
        return int(stated[1])

    @cached_property
    def card(self):
        """The chapter's card on the home page."""
        marked = [(i, cell) for i, cell in enumerate(self.nb.cells) if ours(cell, "card")]
        if len(marked) != 1:
            raise self._malformed(
                f"one cell must carry metadata runproof.card, found {len(marked)}"
            )
        i, cell = marked[0]
        if "image/png" not in images(cell):
            raise self._malformed("the cell with metadata runproof.card has no picture", i)
        if not (picture := _picture(cell)):
            raise self._malformed("the picture with metadata runproof.card has no alt text", i)
        return Card(ours(cell, "card"), picture)

    @cached_property
    def claims(self):
        """The rows of the last ledger that the notebook shows; none if it shows none."""
        outputs = [out for cell in self.nb.cells for out in cell.get("outputs", [])]
        shown = [rows for out in outputs if (rows := rows_of(out))]
        return shown[-1] if shown else []

    @cached_property
    def exercises(self):
        """The exercises of "Your turn", in order."""
        found = []
        for i, cell in section(self.nb, "Your turn"):
            place = f"{self.path.name}: cell {i + 1}"
            role = _role(cell, place, EXERCISE_ROLES)
            if role == "exercise":
                found.append(_exercise(cell, place))
            elif cell.source.startswith("### "):
                raise self._malformed("heads no exercise; give it metadata runproof.exercise", i)
            elif found and role is None:
                raise self._malformed(
                    f"belongs to no exercise; say what it is in its metadata, as in "
                    f'{{"runproof": {{"hint": "{found[-1].slug}"}}}}; the roles are '
                    f"{', '.join(EXERCISE_ROLES)}",
                    i,
                )
            if role:
                if not found or ours(cell, role) != found[-1].slug:
                    above = found[-1].slug if found else None
                    raise self._malformed(
                        f"is the {role} of {ours(cell, role)!r}, but the exercise above it is "
                        f"{above!r}",
                        i,
                    )
                found[-1].cells.setdefault(role, []).append((i, cell))
        return found

    @cached_property
    def entries(self):
        """The interview entries, in the order of the cells."""
        found, title, parts = [], "", None
        for number, cell in enumerate(self.nb.cells, 1):
            place = f"{self.path.name}: cell {number}"
            if ours(cell, "entry"):
                parts = (place, cell, title, {})
                found.append(parts)
            elif role := _role(cell, place, ROLES):
                _belongs(cell, role, place, parts)
                parts[3][role] = cell
            elif cell.cell_type == "markdown" and cell.source.startswith("## "):
                title, parts = cell.source.splitlines()[0][3:].strip(), None
        return [_entry(*each, topic=self.path.stem) for each in found]

    def _malformed(self, text, index=None):
        place = self.path.name if index is None else f"{self.path.name}: cell {index + 1}"
        return ChapterError(f"{place}: {text}")


def read_entries(*paths):
    """Read the interview entries of notebooks.

    Parameters
    ----------
    *paths : pathlib.Path

    Returns
    -------
    list of Entry
        In the order of the paths, then of the cells.

    Raises
    ------
    ChapterError
        If an entry is malformed, or two have the same slug.
    """
    found = [entry for path in paths for entry in Chapter.read(path).entries]
    for slug, n in Counter(entry.slug for entry in found).items():
        if n > 1:
            files = " and in ".join(f"{e.topic}.ipynb" for e in found if e.slug == slug)
            raise ChapterError(f"the slug {slug!r} stands in {files}; a slug is used once")
    return found


def label(cell):
    """Return what a folded cell says it holds, from its first line; '' if it says nothing."""
    match = TITLE.match(cell.source)
    return match["label"].strip() if match else ""


def is_solution(cell):
    """Say whether a cell is a solution, which exercises are made without."""
    return "solution" in tags(cell)


def _exercise(cell, place):
    """Read the heading of an exercise."""
    match = re.match(r"### Exercise (\d+): (\S[^\n]*)", cell.source)
    slug = ours(cell, "exercise")
    if not match or not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug):
        raise ChapterError(
            f"{place}: an exercise opens with '### Exercise 1: what it is about' and has a name "
            f'of small letters and hyphens, as in {{"exercise": "other-roots"}}, not {slug!r}'
        )
    return Exercise(int(match[1]), match[2], slug, {})


def _role(cell, place, known):
    """Return the role of a cell in an entry or an exercise, or None."""
    roles = [role for role in known if ours(cell, role)]
    if len(roles) > 1:
        raise ChapterError(f"{place} has the roles {roles}; one cell has one")
    return roles[0] if roles and ours(cell, roles[0]) != QUICK_FIRE else None


def _belongs(cell, role, place, parts):
    """Complain about a code cell that does not follow its entry, in order."""
    slug, mine = ours(cell, role), parts and ours(parts[1], "entry")
    if slug != mine:
        raise ChapterError(f"{place} is the {role} of {slug!r}, but the entry above it is {mine!r}")
    known = [*parts[3], role]
    if known != [each for each in ROLES if each in known] or role in parts[3]:
        raise ChapterError(f"{place}: the cells of {slug!r} are {known}, the order is {[*ROLES]}")


def _entry(place, cell, section, cells, topic):
    """Build an entry from its metadata and its text, which must agree."""
    told, match = cell.metadata["runproof"], _CELL.match(cell.source)
    if not match:
        raise ChapterError(
            f"{place}: an entry is an anchor, the question as '### ... (E)', what it gives, and "
            'the answer in <details class="entry">; see CONTRIBUTING.md'
        )
    for key, wanted in {"entry": match["slug"], "level": match["level"], "topic": topic}.items():
        if told.get(key) != wanted:
            raise ChapterError(
                f"{place}: metadata runproof.{key} is {told.get(key)!r}, the text says {wanted!r}"
            )
    if match["level"] not in LEVELS:
        raise ChapterError(f"{place}: the level is {match['level']!r}, allowed are {[*LEVELS]}")
    if told.get("kind") not in KINDS:
        raise ChapterError(
            f"{place}: metadata runproof.kind is {told.get('kind')!r}, allowed are {[*KINDS]}"
        )
    ids = told.get("ids")
    if not isinstance(ids, list) or not all(isinstance(name, str) for name in ids):
        raise ChapterError(f"{place}: metadata runproof.ids is {ids!r}, wanted is a list of names")
    answer, trap, follow_up = _parts(place, match["body"])
    return Entry(
        slug=match["slug"],
        question=match["question"],
        given=_COMMENT.sub("", match["given"] or "").strip(),
        level=match["level"],
        topic=topic,
        section=section,
        kind=told["kind"],
        ids=tuple(ids),
        answer=answer,
        trap=trap,
        follow_up=follow_up,
        code={role: each.source for role, each in cells.items()},
        picture=_picture(cells.get("picture")),
    )


def _parts(place, body):
    """Split an answer into its three parts."""
    before, *pieces = _PART.split(_COMMENT.sub("", body))
    names, texts = tuple(pieces[::2]), [text.strip() for text in pieces[1::2]]
    if before.strip() or names != PARTS or not all(texts):
        raise ChapterError(
            f"{place}: the parts are {names}, wanted are {PARTS} in this order, each with a text "
            "and nothing before the first"
        )
    return texts


def _picture(cell):
    """Return the picture of a cell; None without one, or without alt text."""
    alt = cell and cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "").strip()
    found = [
        out.data for out in (cell or {}).get("outputs", []) if "image/png" in out.get("data", {})
    ]
    if not alt or not found:
        return None
    return Picture(base64.b64decode(as_text(found[0]["image/png"])), alt)
