"""Rules about the entries of an interview notebook; `tools.notebook_rules` lists them."""

from __future__ import annotations

import json
import re
from collections import Counter

from runproof.interview import notebook_entries

#: The catalogue, beside the notebooks: by topic, what entries there are to be.
PLAN = "plan.json"

#: How many words a part has, at least and at most: an answer can be spoken.
WORDS = {"answer": (50, 350), "trap": (8, 120), "follow_up": (5, 120)}

ASSERTS = re.compile(r"^\s*assert (?!True\b)|np\.testing\.assert_|pytest\.raises", re.MULTILINE)
EMPTY = re.compile(r"^\s*assert True\b", re.MULTILINE)
LINK = re.compile(r"\]\((\w+)\.ipynb#([\w-]+)\)")


def form(nb, path):
    """Entries have the form from which pages and decks are made, and slugs of their own."""
    try:
        slugs = Counter(entry.slug for entry in notebook_entries(path))
    except ValueError as error:
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
        yield f"is no topic of {PLAN}; add its entries there"
        return
    planned = {entry["slug"]: entry for entry in topics[path.stem]}
    found = {entry.slug: entry for entry in _entries(path)}
    for slug in planned.keys() - found.keys():
        yield f"lacks the entry {slug!r}, which stands in {PLAN}"
    for slug, entry in found.items():
        if slug not in planned:
            yield f"has the entry {slug!r}, which does not stand in {PLAN}"
            continue
        for key, told in {"ids": [*entry.ids], "level": entry.level, "kind": entry.kind}.items():
            if told != (wanted := planned[slug].get(key)):
                yield f"the entry {slug!r} has the {key} {told!r}, {PLAN} says {wanted!r}"
        if planned[slug].get("check") and not entry.checks:
            yield f"the entry {slug!r} has no check, which {PLAN} asks for"


def words(nb, path):
    """An answer can be spoken: neither too short nor too long."""
    for entry in _entries(path):
        for part, (low, high) in WORDS.items():
            n = len(getattr(entry, part).split())
            if not low <= n <= high:
                name = part.replace("_", "-")
                yield f"the {name} of {entry.slug!r} has {n} words, {low} to {high} are allowed"


def links(nb, path):
    """Links between entries name the notebook, and lead to an entry."""
    entries = _entries(path)
    slugs = _slugs_beside(path) | {path.stem: {entry.slug for entry in entries}}
    for entry in entries:
        text = "\n".join((entry.answer, entry.trap, entry.follow_up))
        if "](#" in text:
            yield f"a link in {entry.slug!r} names no notebook; write ({path.name}#slug)"
        for topic, slug in LINK.findall(text):
            if slug not in slugs.get(topic, ()):
                yield f"a link in {entry.slug!r} leads to {topic}.ipynb#{slug}, which is not there"


def checks(nb, path):
    """A check asserts something."""
    for entry in _entries(path):
        code = "\n".join(entry.checks)
        if entry.checks and (EMPTY.search(code) or not ASSERTS.search(code)):
            yield f"the check of {entry.slug!r} asserts nothing; assert what the answer says"


def _entries(path):
    """Return the entries of a notebook, none if one is malformed: `form` says that."""
    try:
        return notebook_entries(path)
    except ValueError:
        return []


def _slugs_beside(path):
    """Return the slugs of the other notebooks in the folder, by topic."""
    others = (other for other in sorted(path.parent.glob("[!_]*.ipynb")) if other != path)
    return {other.stem: {entry.slug for entry in _entries(other)} for other in others}
