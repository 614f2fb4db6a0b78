"""Rules about the file of a notebook, its metadata and its outputs."""

import ast
import re
from collections import Counter

import nbformat

from tools import book
from tools.cells import as_text, at, code, images, markdown, ours, own, tags, tree
from tools.chapter import EXERCISE_ROLES, ROLES, Chapter, ChapterError, label

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
    "solution": "solution of an exercise or an entry",
    "turn": "the reader writes here; `make run` marks the cells whose role is turn",
    "hide-cell": "folded on the site, code and output",
    "hide-input": "code folded on the site, output shown",
    "hide-output": "output folded on the site",
    "nbval-ignore-output": "output differs from run to run; a comment says why",
}

#: Our own keys of a cell's metadata: two exemptions, and the sentence of the home page's card.
OUR_KEYS = {"axes", "long", "card"}

#: Keys of an interview entry and of its code cells, see `tools.chapter`.
ENTRY_KEYS = {"entry", "ids", "level", "topic", "kind", *ROLES}

#: What folds the code of a cell in JupyterLab and in Colab, as `hide-cell` does on the site.
FOLDED = {"jupyter": {"source_hidden": True}, "cellView": "form"}

EMPTY_START = re.compile(r"(?:an? |the )?(?:figure|fig\.|image|picture|plot|graph|chart)\b", re.I)


def fold(cell):
    """Fold a cell that opens with its label, `# @title ...`, everywhere under this label.

    The reader's turn gets its tag, by which the site tells whose turn it is.

    Parameters
    ----------
    cell : nbformat.NotebookNode
        A code cell; its metadata is changed.

    Returns
    -------
    nbformat.NotebookNode
        The same cell.
    """
    told = label(cell)
    metadata = {key: value for key, value in cell.metadata.items() if key not in FOLDED}
    mystnb = dict(metadata.pop("mystnb", {}))
    for key in ("code_prompt_show", "code_prompt_hide"):
        mystnb.pop(key, None)
        if told:
            mystnb[key] = told
    if mystnb:
        metadata["mystnb"] = mystnb
    if ours(cell, "turn") and "turn" not in tags(cell):
        metadata["tags"] = [*metadata.get("tags", []), "turn"]
    cell.metadata = nbformat.from_dict(metadata | (FOLDED if told else {}))
    return cell


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
        if extra := cell.metadata.keys() - {"tags", "mystnb", "runproof"} - FOLDED.keys():
            yield at(nb, i, f"carries the metadata {sorted(extra)}; run `make run`")
        if cell.cell_type == "code" and fold(cell.copy()).metadata != cell.metadata:
            yield at(nb, i, "is not folded everywhere as its first line says; run `make run`")
        for tag in cell.metadata.get("tags", []):
            if tag not in TAGS:
                yield at(nb, i, f"has the unknown tag {tag!r}; known: {', '.join(TAGS)}")
        for key, value in cell.metadata.get("runproof", {}).items():
            if key in (ENTRY_KEYS if path.parent.name == "interview" else EXERCISE_ROLES):
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


def facts(nb, path):
    """A chapter tells its title for tables, what it needs and where it fits."""
    try:
        told = Chapter(nb, path).facts
    except ChapterError as error:
        yield str(error).removeprefix(f"{path.name}: ")
        return
    template = book.NOTEBOOKS / f"{book.TEMPLATE}.ipynb"
    if path.stem != book.TEMPLATE and told == Chapter.read(template).facts:
        yield "the notebook's metadata runproof are still the template's; tell your own"


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
