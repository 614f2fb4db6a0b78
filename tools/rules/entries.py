"""Rules about the entries of an interview notebook."""

import builtins
import json
import re
from collections import Counter

import nbformat

from tools.cells import as_text, at, code, images, ours, tags, tree
from tools.chapter import ROLES, Chapter, ChapterError, label
from tools.rules.prose import is_checked, numbers
from tools.rules.turns import bound, cases, loaded, stub

#: The catalogue, beside the notebooks: by topic, what entries there are to be.
PLAN = "plan.json"

#: How many words a part has, at least and at most: an answer can be spoken.
WORDS = {"answer": (50, 350), "trap": (8, 120), "follow_up": (5, 120)}

#: How many cases try the reader's function, and how many of them are edge cases.
CASES, EDGES = 6, 3

ASSERTS = re.compile(r"^\s*assert (?!True\b)|np\.testing\.assert_|pytest\.raises", re.MULTILINE)
EMPTY = re.compile(r"^\s*assert True\b", re.MULTILINE)
LINK = re.compile(r"\]\((\w+)\.ipynb#([\w-]+)\)")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def form(nb, path):
    """Entries have the form from which pages and decks are made, and slugs of their own."""
    try:
        slugs = Counter(entry.slug for entry in Chapter(nb, path).entries)
    except ChapterError as error:
        yield str(error).removeprefix(f"{path.name}: ")
        return
    others = {slug: topic for topic, known in _slugs_beside(path).items() for slug in known}
    for slug, n in slugs.items():
        if n > 1:
            yield f"has {n} entries {slug!r}; a slug is used once"
        if slug in others:
            yield f"has the entry {slug!r}, as {others[slug]}.ipynb; a slug is used once"


def plan(nb, path):
    """The entries are those of the plan, with its ids, levels, kinds and checks."""
    if path.stem.startswith("_"):
        return
    file = path.parent / PLAN
    topics = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    if path.stem not in topics:
        yield (
            f"is no topic of notebooks/interview/{PLAN}; add its entries there, a line each: "
            '"topic": [{"slug": "two-sum", "ids": [], "level": "E", "kind": "code", "check": true}]'
        )
        return
    planned = {entry["slug"]: entry for entry in topics[path.stem]}
    found = {entry.slug: entry for entry in _entries(nb, path)}
    for slug in planned.keys() - found.keys():
        yield f"lacks the entry {slug!r}, which stands in {PLAN}"
    for slug, entry in found.items():
        if slug not in planned:
            yield f"has the entry {slug!r}, which does not stand in {PLAN}"
            continue
        for key, told in {"ids": [*entry.ids], "level": entry.level, "kind": entry.kind}.items():
            if told != (wanted := planned[slug].get(key)):
                yield f"the entry {slug!r} has the {key} {told!r}, {PLAN} says {wanted!r}"
        if planned[slug].get("check") and "check" not in entry.code:
            yield f"the entry {slug!r} has no check, which {PLAN} asks for"


def words(nb, path):
    """An answer can be spoken: neither too short nor too long, code not counted."""
    for entry in _entries(nb, path):
        for part, (low, high) in WORDS.items():
            n = len(FENCE.sub(" ", getattr(entry, part)).split())
            if not low <= n <= high:
                name = part.replace("_", "-")
                yield f"the {name} of {entry.slug!r} has {n} words, {low} to {high} are allowed"


def traps(nb, path):
    """A trap is named: it opens with a noun or a gerund, not with a bare infinitive."""
    for entry in _entries(nb, path):
        if entry.trap.startswith("To "):
            yield f"the trap of {entry.slug!r} opens with 'To'; name it, as in 'Forgetting ...'"


def links(nb, path):
    """Links between entries name the notebook, and lead to an entry."""
    found = _entries(nb, path)
    slugs = _slugs_beside(path) | {path.stem: {entry.slug for entry in found}}
    for entry in found:
        text = "\n".join((entry.answer, entry.trap, entry.follow_up))
        if "](#" in text:
            yield f"a link in {entry.slug!r} names no notebook; write ({path.name}#slug)"
        for topic, slug in LINK.findall(text):
            if slug not in slugs.get(topic, ()):
                yield f"a link in {entry.slug!r} leads to {topic}.ipynb#{slug}, which is not there"


def labels(nb, path):
    """A folded cell says in its first line what it holds, and no other says the same."""
    seen = {}
    for i, cell in code(nb):
        if not {"hide-cell", "hide-input"} & tags(cell):
            continue
        told = label(cell)
        if len(told.split()) < 3:
            yield at(nb, i, "is folded; say what it holds in its first line, '# @title ...'")
        elif told in seen:
            yield at(nb, i, f"has the label of cell {seen[told]}; say what this one holds")
        seen.setdefault(told, i + 1)
        text = "\n".join(
            [*cell.source.splitlines()[1:], *(as_text(o.get("text", "")) for o in cell.outputs)]
        )
        for n in numbers(told):
            if is_checked(n) and n not in numbers(re.sub(r"(?<=\d)_(?=\d)", "", text)):
                yield at(nb, i, f"has a label that tells {n}, which stands nowhere in the cell")


def checks(nb, path):
    """A check asserts something, and tells what it found."""
    for i, cell in code(nb):
        if slug := ours(cell, "check"):
            if EMPTY.search(cell.source) or not ASSERTS.search(cell.source):
                yield at(nb, i, f"the check of {slug!r} asserts nothing; assert what is answered")
            if not cell.outputs:
                yield at(nb, i, f"the check of {slug!r} ends in silence; print what it found")


def pictures(nb, path):
    """A picture has a cell of its own, and that cell shows one."""
    for i, cell in code(nb):
        role = next((role for role in ROLES if ours(cell, role)), None)
        if role == "picture" and not images(cell):
            yield at(nb, i, "is the picture of an answer but shows none; run `make run`")
        if role not in (None, "picture") and images(cell):
            yield at(nb, i, f"is a {role} and shows a picture; draw it in a cell of its own")


def turns(nb, path):
    """An entry of kind code has a stub, cases that try it, and a solution; no other has."""
    for entry in _entries(nb, path):
        wanted = {"turn", "cases", "solution"}
        if (found := wanted & entry.code.keys()) != (wanted if entry.kind == "code" else set()):
            yield (
                f"the entry {entry.slug!r} of kind {entry.kind} has {sorted(found) or 'no turn'}; "
                f"{sorted(wanted)} belong to an entry of kind code, and to no other"
            )
        elif entry.kind == "code":
            about = f"the turn of {entry.slug!r}"
            yield from (
                f"{about} {text}" for text in stub(entry.code["turn"], entry.code["solution"])
            )
            yield from (f"{about} {text}" for text in cases(entry.code["cases"], CASES, EDGES))


def answer_code(nb, path):
    """Code in an answer is code that runs, and an answer of kind code shows it."""
    for entry in _entries(nb, path):
        runs = "\n".join(entry.code.values())
        for block in entry.answer_code:
            if _squeezed(block) not in _squeezed(runs):
                yield (
                    f"the answer of {entry.slug!r} shows code that no cell of it runs "
                    f"({block.strip().splitlines()[0]}); show what stands in its solution or check"
                )
        if entry.kind == "code" and not entry.answer_code:
            yield f"the answer of {entry.slug!r}, of kind code, shows no code; show the solution"


def _squeezed(source):
    return re.sub(r"\n\s*\n+", "\n\n", source.strip())


def alone(nb, path):
    """The cells of an entry run without those of another: every name is bound in them."""
    for entry in _entries(nb, path):
        module = tree("\n".join(entry.code.values()))
        if unbound := sorted(loaded(module) - bound(module) - set(dir(builtins))):
            yield f"the cells of {entry.slug!r} use {unbound}, which they do not define or import"


def _entries(nb, path):
    """Return the entries of a notebook, none if one is malformed: `form` says that."""
    try:
        return Chapter(nb, path).entries
    except ChapterError:
        return []


def _slugs_beside(path):
    """Return the slugs of the other notebooks in the folder, by topic."""
    others = (other for other in sorted(path.parent.glob("[!_]*.ipynb")) if other != path)
    return {
        other.stem: {
            slug
            for cell in nbformat.read(other, as_version=4).cells
            if (slug := ours(cell, "entry"))
        }
        for other in others
    }
