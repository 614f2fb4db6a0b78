"""The rules that every notebook keeps, as a library: ``check(path)`` lists what is wrong.

Each rule is one function ``rule(nb, path)`` that yields what is wrong and what to do;
:data:`RULES` is the table of all. They stand beside: about the file, the code, the prose, the
exercises of a chapter, and the entries of the interview book.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat.validator import iter_validate

from tools.rules import code, entries, exercises, file, prose


@dataclass(frozen=True)
class Complaint:
    """What is wrong with a notebook, and what to do.

    Attributes
    ----------
    path : pathlib.Path
        The notebook.
    rule : str
        Name of the rule in :data:`RULES`.
    text : str
        Cell number, what is wrong, what to do.
    """

    path: Path
    rule: str
    text: str

    def __str__(self):
        return f"{self.path.name}: {self.text} [{self.rule}]"


@dataclass(frozen=True)
class Rule:
    """A named rule, for all notebooks or only for a "chapter" or an "interview" notebook."""

    name: str
    function: Callable[..., Iterator[str]]
    only: str | None = None


#: Every rule, in the order in which an author meets them.
RULES = [
    Rule("file-size", file.file_size),
    Rule("notebook-metadata", file.notebook_metadata),
    Rule("cell-metadata", file.cell_metadata),
    Rule("execution-counts", file.execution_counts),
    Rule("outputs-stored", file.outputs_stored),
    Rule("errors", file.errors),
    Rule("stderr", file.stderr),
    Rule("widgets", file.widgets),
    Rule("machine-traces", file.machine_traces),
    Rule("image-types", file.image_types),
    Rule("alt-text", file.alt_text),
    Rule("facts", file.facts, only="chapter"),
    Rule("home-card", file.home_card, only="chapter"),
    Rule("parses", code.parses),
    Rule("set-up", code.setup),
    Rule("cell-size", code.size),
    Rule("semicolon", code.semicolon),
    Rule("seeds", code.seeds),
    Rule("timings", code.timings),
    Rule("warnings", code.warnings_shown),
    Rule("network", code.network),
    Rule("figure-style", code.figure_style),
    Rule("axis-labels", code.axis_labels),
    Rule("headings", prose.heading_levels),
    Rule("words", prose.words),
    Rule("author-notes", prose.author_notes),
    Rule("prose-numbers", prose.prose_numbers),
    Rule("skeleton", prose.skeleton, only="chapter"),
    Rule("length", prose.length, only="chapter"),
    Rule("exercise-form", exercises.form, only="chapter"),
    Rule("exercise-stubs", exercises.stubs, only="chapter"),
    Rule("exercise-cases", exercises.tried, only="chapter"),
    Rule("exercise-folds", exercises.folds),
    Rule("exercise-names", exercises.names, only="chapter"),
    Rule("ledger-shown", prose.ledger_shown, only="chapter"),
    Rule("ledger-computed", code.ledger_computed),
    Rule("ledger-sources", prose.ledger_sources),
    Rule("ledger-stances", prose.ledger_stances),
    Rule("ledger-verdicts", prose.verdicts),
    Rule("entry-form", entries.form, only="interview"),
    Rule("entry-plan", entries.plan, only="interview"),
    Rule("entry-words", entries.words, only="interview"),
    Rule("entry-links", entries.links, only="interview"),
    Rule("entry-traps", entries.traps, only="interview"),
    Rule("entry-labels", entries.labels, only="interview"),
    Rule("entry-checks", entries.checks, only="interview"),
    Rule("entry-pictures", entries.pictures, only="interview"),
    Rule("entry-turns", entries.turns, only="interview"),
    Rule("entry-code", entries.answer_code, only="interview"),
    Rule("entry-alone", entries.alone, only="interview"),
]


def check(path):
    """Check one notebook against all rules.

    Parameters
    ----------
    path : pathlib.Path or str
        The notebook.

    Returns
    -------
    list of Complaint
        Empty for a good notebook.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    path = Path(path)
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        found = [error.message[:200] for error in iter_validate(raw)]
    except (ValueError, nbformat.ValidationError) as error:
        found = [str(error)]
    if found:
        return [Complaint(path, "format", f"is no valid notebook ({found[0]}); save it again")]
    if (raw["nbformat"], raw["nbformat_minor"]) < (4, 5):
        return [Complaint(path, "format", "is older than nbformat 4.5; run it with `make run`")]
    # Not nbformat.read, which would mend duplicate ids on the way.
    nb = nbformat.v4.reads(json.dumps(raw))
    kind = "interview" if path.parent.name == "interview" else "chapter"
    return [
        Complaint(path, rule.name, text)
        for rule in RULES
        if rule.only in (None, kind)
        for text in rule.function(nb, path)
    ]
