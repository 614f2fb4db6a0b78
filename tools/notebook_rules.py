"""The rules that every notebook keeps, as a library: ``check(path)`` lists what is wrong.

Each rule is one function ``rule(nb, path)`` that yields what is wrong and what to do;
:data:`RULES` is the table of all. Rules about code stand in `tools.code_rules`, rules about
prose in `tools.prose_rules`, rules about interview entries in `tools.entry_rules`, rules about
the file, its metadata and outputs here.
"""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat.validator import iter_validate

from tools import code_rules, entry_rules, prose_rules
from tools.cells import as_text, at, code, images, markdown, ours, own, tree

MAX_BYTES = 1_500_000

#: Notebook metadata, the same in every file, so that no machine shows in a diff.
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "pygments_lexer": "ipython3",
    },
}

#: What shows the machine in an output: object addresses, home and temporary folders.
TRACE = re.compile(r" at 0x[0-9a-fA-F]{6,}|/(?:home|root|tmp|Users|var/folders)/\w|\b[A-Z]:\\\w")

#: The tags there are, and what each is for.
TAGS = {
    "solution": "solution of an exercise; exercises are made by dropping these cells",
    "self-check": "lets a reader check an exercise",
    "hide-cell": "folded on the site, code and output",
    "hide-input": "code folded on the site, output shown",
    "hide-output": "output folded on the site",
    "nbval-ignore-output": "output differs from run to run; a comment says why",
}

#: Our own keys of a cell's metadata: two exemptions, and the sentence of the home page's card.
OUR_KEYS = {"axes", "long", "card"}

#: Keys of an interview entry and of its check cells, see `tools.entry_rules`.
ENTRY_KEYS = {"entry", "ids", "level", "topic", "kind", "check"}

EMPTY_START = re.compile(r"(?:an? |the )?(?:figure|fig\.|image|picture|plot|graph|chart)\b", re.I)


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


def file_size(nb, path):
    """The file stays under 1.5 MB."""
    if (size := path.stat().st_size) >= MAX_BYTES:
        yield f"has {size:,} bytes, at most {MAX_BYTES:,} are allowed; make its outputs smaller"


def notebook_metadata(nb, path):
    """Metadata of the notebook: kernel python3, nothing of the author's machine."""
    kernel = nb.metadata.get("kernelspec", {}).get("name")
    if kernel != "python3":
        yield f"its kernel is {kernel!r}, it must be 'python3'; choose Python 3, run `make run`"
    elif {key: nb.metadata.get(key) for key in METADATA} != METADATA:
        yield "its kernelspec or language_info is not the common one; run `make run`"
    if extra := nb.metadata.keys() - METADATA.keys() - {"runproof", "widgets"}:
        yield f"carries the metadata {sorted(extra)}; run `make run`, which removes it"


def cell_metadata(nb, path):
    """Metadata of a cell: known tags, mystnb, runproof. Ids are unique."""
    for i, cell in enumerate(nb.cells):
        if extra := cell.metadata.keys() - {"tags", "mystnb", "runproof"}:
            yield at(nb, i, f"carries the metadata {sorted(extra)}; run `make run`")
        for tag in cell.metadata.get("tags", []):
            if tag not in TAGS:
                yield at(nb, i, f"has the unknown tag {tag!r}; known: {', '.join(TAGS)}")
        for key, value in cell.metadata.get("runproof", {}).items():
            if path.parent.name == "interview" and key in ENTRY_KEYS:
                continue
            if key not in OUR_KEYS or not (isinstance(value, str) and len(value.split()) >= 3):
                yield at(
                    nb,
                    i,
                    f"has metadata.runproof.{key}; known are {sorted(OUR_KEYS)}, each a text of "
                    "three words or more",
                )
    for name, n in Counter(cell.get("id") for cell in nb.cells).items():
        if n > 1:
            yield f"{n} cells have the id {name!r}; run `make run`, which renews them"


def execution_counts(nb, path):
    """The notebook was run once, top to bottom, and kept its outputs."""
    counts = [cell.execution_count for _, cell in code(nb)]
    if counts != list(range(1, len(counts) + 1)):
        yield f"execution counts are {counts}, not 1 to {len(counts)}; run `make run`"


def outputs_stored(nb, path):
    """Outputs are stored: the site shows them, the tests compare them."""
    if not any(cell.outputs for _, cell in code(nb)):
        yield "has no outputs at all; run `make run`"
    for i, cell in own(nb):
        if not cell.outputs and _shows(tree(cell.source)):
            yield at(nb, i, "ends in a value or prints, but has no output; run `make run`")


def _shows(module):
    """Tell whether a cell surely shows something: a print, or an expression at its end."""
    expressions = [node.value for node in module.body if isinstance(node, ast.Expr)]
    if any(isinstance(e, ast.Call) and ast.unparse(e.func) == "print" for e in expressions):
        return True
    surely = (ast.BinOp, ast.Compare, ast.JoinedStr, ast.Name, ast.Tuple, ast.List, ast.Dict)
    last = module.body[-1] if module.body else None
    return isinstance(last, ast.Expr) and isinstance(last.value, surely)


def errors(nb, path):
    """No cell failed."""
    for i, cell in code(nb):
        for out in cell.outputs:
            if out.output_type == "error":
                yield at(nb, i, f"failed with {out.ename}; mend it, then `make run`")


def stderr(nb, path):
    """Nothing was written to stderr: no warning, no progress bar."""
    for i, cell in code(nb):
        for out in cell.outputs:
            if out.output_type == "stream" and out.name == "stderr":
                line = (as_text(out.text).strip().splitlines() or [""])[-1]
                yield at(nb, i, f"wrote to stderr ({line[:60]}); fix the cause, do not silence it")


def widgets(nb, path):
    """No widgets: they need a running kernel."""
    if "widgets" in nb.metadata:
        yield "carries widget state; remove it, run `make run`"
    for i, cell in code(nb):
        if any("jupyter.widget" in mime for out in cell.outputs for mime in out.get("data", {})):
            yield at(nb, i, "shows a widget; show a figure or a table instead")


def machine_traces(nb, path):
    """Outputs hold nothing of one machine: no object address, no path."""
    for i, cell in code(nb):
        for out in cell.outputs:
            shown = [v for mime, v in out.get("data", {}).items() if mime.startswith("text/")]
            for text in map(as_text, [out.get("text", ""), *shown]):
                if match := TRACE.search(text):
                    yield at(
                        nb,
                        i,
                        f"shows an address or a path ({match[0].strip()}), which differs on every "
                        "machine; assign the value (`_ = ...`) or print something else",
                    )


def image_types(nb, path):
    """Pictures are PNG, one for each cell."""
    for i, cell in code(nb):
        kinds = images(cell)
        for kind in sorted(set(kinds) - {"image/png"}):
            yield at(nb, i, f"shows {kind}; show PNG")
        if len(kinds) > 1:
            yield at(nb, i, f"shows {len(kinds)} pictures; draw one for each cell")


def alt_text(nb, path):
    """Every picture has alt text that says what it shows."""
    seen = {}
    for i, cell in code(nb):
        alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt")
        if images(cell):
            if problem := _alt_problem(alt, cell.source):
                yield at(nb, i, f"{problem}; say in metadata.mystnb.image.alt what is to be seen")
            elif alt in seen:
                yield at(nb, i, f"has the alt text of cell {seen[alt]}; say what this one shows")
            seen.setdefault(alt, i + 1)
        elif alt:
            yield at(nb, i, "has alt text but no picture; run `make run`, or remove the text")
        for out in cell.outputs:
            if _without_alt(as_text(out.get("data", {}).get("text/html", ""))):
                yield at(nb, i, "shows an <img> without alt text; give it one")
    for i, cell in markdown(nb):
        if re.search(r"!\[\s*\]\(", cell.source) or _without_alt(cell.source):
            yield at(nb, i, "has a picture without alt text; write ![what it shows](file)")


def _without_alt(text):
    return any(
        not re.search(r"""\balt=["'][^"']""", tag) for tag in re.findall(r"<img\b.*?>", text)
    )


def _alt_problem(alt, source):
    if not isinstance(alt, str) or not alt.strip():
        return "shows a picture without alt text"
    if re.search(r"\.(png|jpe?g|svg|gif)\b", alt):
        return "has a file name as alt text"
    if EMPTY_START.match(alt):
        return f"has alt text that begins {alt[:20]!r}, as every picture could"
    if len(alt.split()) < 8 or len(alt) < 40:
        return f"has alt text of {len(alt.split())} words, at least 8 and 40 characters are needed"
    titles = re.findall(r"""(?:title\(|title=)\s*["'](.+?)["']""", source)
    return "repeats the title as alt text" if alt in titles else None


def home_card(nb, path):
    """One picture is the chapter's card on the home page, with one sentence."""
    cards = [(i, cell) for i, cell in enumerate(nb.cells) if ours(cell, "card")]
    if len(cards) != 1:
        yield (
            f"{len(cards)} cells carry metadata.runproof.card; give it to the one whose picture "
            "stands on the home page, with one sentence about the chapter"
        )
    for i, cell in cards:
        if not images(cell):
            yield at(nb, i, "carries metadata.runproof.card but has no picture; move it")


#: Every rule, in the order in which an author meets them.
RULES = [
    Rule("file-size", file_size),
    Rule("notebook-metadata", notebook_metadata),
    Rule("cell-metadata", cell_metadata),
    Rule("execution-counts", execution_counts),
    Rule("outputs-stored", outputs_stored),
    Rule("errors", errors),
    Rule("stderr", stderr),
    Rule("widgets", widgets),
    Rule("machine-traces", machine_traces),
    Rule("image-types", image_types),
    Rule("alt-text", alt_text),
    Rule("home-card", home_card, only="chapter"),
    Rule("parses", code_rules.parses),
    Rule("set-up", code_rules.setup),
    Rule("cell-size", code_rules.size),
    Rule("semicolon", code_rules.semicolon),
    Rule("seeds", code_rules.seeds),
    Rule("timings", code_rules.timings),
    Rule("warnings", code_rules.warnings_shown),
    Rule("network", code_rules.network),
    Rule("figure-style", code_rules.figure_style),
    Rule("axis-labels", code_rules.axis_labels),
    Rule("headings", prose_rules.heading_levels),
    Rule("words", prose_rules.words),
    Rule("prose-numbers", prose_rules.prose_numbers),
    Rule("solutions", prose_rules.solutions),
    Rule("skeleton", prose_rules.skeleton, only="chapter"),
    Rule("length", prose_rules.length, only="chapter"),
    Rule("exercises", prose_rules.exercises, only="chapter"),
    Rule("ledger-shown", prose_rules.ledger_shown, only="chapter"),
    Rule("ledger-computed", code_rules.ledger_computed),
    Rule("ledger-sources", prose_rules.ledger_sources),
    Rule("ledger-stances", prose_rules.ledger_stances),
    Rule("ledger-verdicts", prose_rules.verdicts),
    Rule("entry-form", entry_rules.form, only="interview"),
    Rule("entry-plan", entry_rules.plan, only="interview"),
    Rule("entry-words", entry_rules.words, only="interview"),
    Rule("entry-links", entry_rules.links, only="interview"),
    Rule("entry-checks", entry_rules.checks, only="interview"),
]
