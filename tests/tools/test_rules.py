"""Every notebook keeps the rules, and every rule complains about a notebook that breaks it."""

import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from runproof.ledger import Ledger
from tools import __main__ as command
from tools import book, cells, rules
from tools import run as running
from tools.chapter import Chapter
from tools.rules import file
from tools.rules.prose import SKELETON, is_checked, numbers, told

CLAIM = """\
ledger.claim(
    "the mean is 2",
    source="author2020",
    where="Section 3, step 1",
    stance="claims",
    holds=mean == 2,
    evidence=f"the mean is {mean:.2f}",
)"""
PNG = "iVBORw0KGgo="  # never decoded
ALT = "Bars that rise from one on the left to nine on the right"

# ------------------------------------------------------------------ a good notebook


def stdout(text):
    return new_output("stream", name="stdout", text=text)


def picture(mime="image/png"):
    return new_output(
        "display_data", {mime: PNG, "text/plain": "<Figure size 640x480 with 1 Axes>"}
    )


def ledger_output():
    ledger = Ledger()
    ledger.claim(
        "the mean is 2",
        source="author2020",
        where="Section 3, step 1",
        stance="claims",
        holds=bool(0),
        evidence="the mean is 2.50",
    )
    data, metadata = ledger._repr_mimebundle_()
    return new_output("display_data", data, metadata=metadata)


STUB = """\
def my_times_{n}(x):
    \"\"\"{n} times x.\"\"\"
    raise NotImplementedError"""
CASES = """\
# @title Try it: four cases of times {n}
from runproof.exercises import attempt, case

cases_{n} = [
    case(1, gives={n}),
    case(2, gives=2 * {n}),
    case(0, gives=0, name="nothing"),
    case(-1, sealed="9:000000000000"),
]
attempt(my_times_{n}, *cases_{n})"""
SOLUTION = """\
# @title Solution: times {n}
def times_{n}(x):
    return {n} * x"""
CHECK = """\
# @title Proof: three mistakes with {n} caught
catch(times_{n}, cases_{n}, abs, float, int)"""
WAITS = "my_times_{n}: not answered yet (4 cases wait)\n"
CAUGHT = "times_{n}: all 4 cases pass; 3 mistakes and 10 constants are caught\n"
HINT = "<details>\n<summary>Hint</summary>\n\nMultiply.\n\n</details>"


def exercise(n):
    def cell(role, source, *outputs, tags=()):
        metadata = {"runproof": {role: f"times-{n}"}} | ({"tags": [*tags]} if tags else {})
        if not source.startswith(("###", "<")):
            told = [stdout(text.format(n=n)) for text in outputs]
            made = new_code_cell(source.format(n=n), outputs=told, metadata=metadata)
            return file.fold(made)
        return new_markdown_cell(source, metadata=metadata)

    return [
        cell("exercise", f"### Exercise {n}: times {n}\n\nMultiply it."),
        cell("turn", STUB),
        cell("cases", CASES, WAITS, tags=["hide-cell"]),
        cell("hint", HINT),
        cell("solution", SOLUTION, tags=["solution", "hide-cell"]),
        cell("check", CHECK, CAUGHT, tags=["hide-cell"]),
    ]


def in_words(n):
    """Let exercise n be answered in words."""

    def mutate(nb):
        for role in ("cases", "check"):
            nb.cells.remove(of(nb, role, n))
        for role, source in {"turn": "*Write here.*", "solution": HINT}.items():
            old = of(nb, role, n)
            tags = {"tags": ["solution"]} if role == "solution" else {}
            new = new_markdown_cell(source, metadata={"runproof": old.metadata.runproof} | tags)
            nb.cells[nb.cells.index(old)] = new
        for count, (_, cell) in enumerate(cells.code(nb), 1):
            cell.execution_count = count

    return mutate


def of(nb, role, n):
    """Return the cell of exercise n with this role."""
    return next(cell for cell in nb.cells if cells.ours(cell, role) == f"times-{n}")


def swap(role, other):
    """Exchange two cells of exercise 2."""

    def mutate(nb):
        i, k = (nb.cells.index(of(nb, each, 2)) for each in (role, other))
        nb.cells[i], nb.cells[k] = nb.cells[k], nb.cells[i]

    return mutate


def without(role):
    return lambda nb: nb.cells.remove(of(nb, role, 2))


def again(role):
    """Double a cell of exercise 2."""

    def mutate(nb):
        cell = of(nb, role, 2)
        nb.cells.insert(nb.cells.index(cell), nbformat.from_dict({**cell, "id": f"other-{role}"}))
        for count, (_, each) in enumerate(cells.code(nb), 1):
            each.execution_count = count

    return mutate


def says(role, **values):
    """Set metadata of a cell of exercise 2."""
    return lambda nb: of(nb, role, 2).metadata.update(nbformat.from_dict(values))


def prints(role, text):
    return lambda nb: of(nb, role, 2).update(outputs=[stdout(text)])


@pytest.fixture
def good(monkeypatch, tmp_path):
    """A small notebook that keeps every rule; the tests break it one rule at a time."""
    monkeypatch.setattr(book, "BIBLIOGRAPHY", tmp_path / "references.bib")
    book.BIBLIOGRAPHY.write_text(
        "@book{author2020,\n  title = {T},\n  parts = {Section 3; Table 1}\n}\n", encoding="utf-8"
    )
    inside = {
        "You will build": ["Reading takes 2 minutes, running 200 MB."],
        "Set-up": [new_code_cell(book.setup_cell())],
        "The question and the data": [
            new_code_cell("mean = (2 + 3) / 2\nprint(f'{mean:.2f}')", outputs=[stdout("2.50\n")]),
            "The mean is 2.50, not 7.25.\n\n<!-- given: 7.25 -->",
        ],
        "Does it hold?": [
            new_code_cell(
                "from runproof import figures\nfigures.style()\n_ = ax.set(xlabel='x', ylabel='y')",
                outputs=[picture()],
                metadata={
                    "mystnb": {"image": {"alt": ALT}},
                    "runproof": {"card": "One sentence about it."},
                },
            ),
            new_code_cell(CLAIM),
            "**Verdict 1: refuted.** Too low.",
        ],
        "Your turn": [*exercise(1), *exercise(2), *exercise(3)],
        "Claims ledger": [new_code_cell("ledger", outputs=[ledger_output()])],
    }
    nb = new_notebook(cells=[new_markdown_cell("# How large is it?")])
    facts = {"short": "Sizes", "needs": "means", "fits": "statistics"}
    nb.metadata = nbformat.from_dict(file.METADATA | {"runproof": facts})
    for title in SKELETON:
        nb.cells.append(new_markdown_cell(f"## {title}"))
        for cell in inside.get(title, ["Text."]):
            nb.cells.append(new_markdown_cell(cell) if isinstance(cell, str) else cell)
    for count, (_, cell) in enumerate(cells.code(nb), 1):
        cell.execution_count = count
    return nb


def complaints(nb, folder, name="sample.ipynb"):
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(nbformat.v4.writes(nb), encoding="utf-8")
    return rules.check(path)


def find(nb, text):
    """Return the first cell whose source holds this text."""
    return next(cell for cell in nb.cells if text in cell.source)


def insert(nb, cell, before="## Your turn"):
    """Insert a cell and renumber, so that only the rule under test complains."""
    at = next(i for i, c in enumerate(nb.cells) if before in c.source)
    nb.cells.insert(at, cell)
    for count, (_, c) in enumerate(cells.code(nb), 1):
        c.execution_count = count
    return nb


def code(source, *outputs, **metadata):
    return lambda nb: insert(nb, new_code_cell(source, outputs=list(outputs), metadata=metadata))


def text(source):
    return lambda nb: insert(nb, new_markdown_cell(source))


def edit(old, new):
    def mutate(nb):
        cell = find(nb, old)
        cell.source = cell.source.replace(old, new)

    return mutate


def drop(source):
    return lambda nb: nb.cells.remove(find(nb, source))


def put(**values):
    """Set metadata of the notebook."""
    return lambda nb: nb.metadata.update(nbformat.from_dict(values))


def mark(source, **values):
    """Set metadata of the cell with this text."""
    return lambda nb: find(nb, source).metadata.update(nbformat.from_dict(values))


def alt(words):
    return mark("xlabel", mystnb={"image": {"alt": words}})


def give(source, *outputs):
    """Replace the outputs of the cell with this text."""
    return lambda nb: find(nb, source).update(outputs=list(outputs))


def claims(**values):
    """Change the stored rows of the ledger, and the table with them."""

    def mutate(nb):
        output = nb.cells[nb.cells.index(find(nb, "## Claims ledger")) + 1].outputs[0]
        output.metadata["runproof"]["claims"][0].update(values)

    return mutate


def both(*changes):
    return lambda nb: [change(nb) for change in changes]


def big(nb):
    find(nb, "xlabel").outputs[0].data["image/png"] = PNG * 200_000


def same_ids(nb):
    nb.cells[1].id = nb.cells[0].id


def no_outputs(nb):
    for _, cell in cells.code(nb):
        cell.outputs = []


def early_ledger(nb):
    shown = nb.cells.pop(nb.cells.index(find(nb, "## Claims ledger")) + 1)
    nb.cells.insert(8, shown)


def swap_sections(nb):
    first, second = find(nb, "## What we learned"), find(nb, "## Going further")
    first.source, second.source = second.source, first.source


def long_chapter(nb):
    for n in range(60):
        insert(nb, new_code_cell(f"x{n} = {n}"))


LONG = "\n".join(f"x{i} = {i}" for i in range(13))
DETAILS = "<details>\n<summary>Solution</summary>\n\nNo.\n\n</details>"
WIDGET = new_output("display_data", {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}})
WARNING = new_output("stream", name="stderr", text="UserWarning: no\n")
ERROR = new_output("error", ename="ValueError", evalue="no", traceback=[])
HTML_IMAGE = new_output("display_data", {"text/html": "<img src='a.png'>"})

#: (rule, what breaks the good notebook, what the complaint says)
BAD = [
    ("format", lambda nb: nb.cells[1].update(cell_type="other"), "no valid notebook"),
    ("format", lambda nb: nb.cells[1].pop("id"), "no valid notebook"),
    ("file-size", big, "at most 1,500,000"),
    ("notebook-metadata", put(kernelspec={"name": "sage", "display_name": "S"}), "'sage'"),
    ("notebook-metadata", put(language_info={"name": "python", "version": "3.1"}), "language_info"),
    ("notebook-metadata", put(authors=[]), "authors"),
    ("cell-metadata", mark("xlabel", collapsed=True), "collapsed"),
    ("cell-metadata", mark("xlabel", tags=["hide"]), "unknown tag 'hide'"),
    ("cell-metadata", mark("xlabel", runproof={"axes": "no"}), "three words"),
    ("cell-metadata", mark("xlabel", runproof={"colour": "a b c"}), "runproof.colour"),
    ("cell-metadata", says("turn", tags=[]), "is not folded everywhere"),
    ("cell-metadata", says("turn", runproof={"entry": "two-sum"}), "runproof.entry"),
    ("cell-metadata", same_ids, "have the id"),
    ("cell-metadata", edit("mean = (2", "# @title Twice the mean\nmean = (2"), "not folded"),
    ("cell-metadata", mark("xlabel", mystnb={"code_prompt_show": "Look"}), "not folded"),
    ("facts", put(runproof={}), "must tell fits, needs, short"),
    ("facts", put(runproof=Chapter.read(book.resolve("_template")).facts), "still the template's"),
    ("facts", put(runproof={"short": "S", "needs": "n", "fits": ""}), "each a text"),
    ("facts", put(runproof={"short": "S", "needs": "n", "fits": "f", "fit": "f"}), "nothing else"),
    ("execution-counts", lambda nb: find(nb, "xlabel").update(execution_count=None), "None"),
    ("execution-counts", lambda nb: find(nb, "xlabel").update(execution_count=9), "not 1 to"),
    ("outputs-stored", no_outputs, "no outputs at all"),
    ("outputs-stored", give("print("), "ends in a value or prints"),
    ("outputs-stored", code("mean"), "ends in a value or prints"),
    ("errors", give("xlabel", ERROR), "failed with ValueError"),
    ("stderr", give("print(", WARNING), "UserWarning"),
    ("widgets", put(widgets={}), "widget state"),
    ("widgets", give("print(", WIDGET), "shows a widget"),
    ("machine-traces", give("print(", stdout("<lines at 0x7f1234567890>")), "0x7f1234567890"),
    ("machine-traces", give("print(", stdout("saved /home/me/x")), "/home/m"),
    ("image-types", give("xlabel", picture("image/svg+xml")), "image/svg+xml"),
    ("image-types", give("xlabel", picture("image/jpeg")), "image/jpeg"),
    ("image-types", give("xlabel", picture(), picture()), "2 pictures"),
    ("alt-text", lambda nb: find(nb, "xlabel").metadata.pop("mystnb"), "without alt text"),
    ("alt-text", alt("  "), "without alt text"),
    ("alt-text", alt("bars.png of the rising thing, from one to nine, left to right"), "file name"),
    ("alt-text", alt("Plot of the bars that rise from one on the left to nine"), "every picture"),
    ("alt-text", alt("Bars that rise"), "3 words"),
    ("alt-text", edit("xlabel='x'", f"title='{ALT}', xlabel='x'"), "repeats the title"),
    (
        "alt-text",
        code("_ = ax.set(xlabel='x', ylabel='y')", picture(), mystnb={"image": {"alt": ALT}}),
        "has the alt text of cell",
    ),
    ("alt-text", give("xlabel"), "no picture"),
    ("alt-text", give("print(", HTML_IMAGE), "<img> without alt"),
    ("alt-text", text("![](picture.png)"), "picture without alt text"),
    ("home-card", lambda nb: find(nb, "xlabel").metadata.pop("runproof"), "0 cells carry"),
    ("home-card", mark("print(", runproof={"card": "One sentence more."}), "2 cells carry"),
    ("home-card", give("xlabel"), "has no picture"),
    ("parses", code("x = = 1"), "does not parse"),
    ("parses", code(""), "empty code cell"),
    ("set-up", edit("google.colab", "google.colaboratory"), "byte for byte"),
    ("set-up", drop("google.colab"), "byte for byte"),
    ("set-up", code("import google.colab"), "second set-up"),
    ("cell-size", code(LONG), "13 lines"),
    ("cell-size", edit(CLAIM, "\n".join(["x = 1"] * 12) + f"\n{CLAIM}"), "13 lines"),
    (
        "cell-size",
        code("\n".join(["x = 1"] * 41), tags=["hide-cell"]),
        "41 lines that are not blank, at most 40",
    ),
    ("cell-size", code(f"x = '{'y' * 90}'"), "columns"),
    ("semicolon", code("ax.plot(x);"), "ends with ';'"),
    ("semicolon", code("ax.plot(x);  # draw it"), "ends with ';'"),
    ("seeds", code("import numpy as np\nnp.random.seed(1)"), "numpy.random.seed"),
    ("seeds", code("x = np.random.rand(3)"), "numpy.random.rand"),
    ("seeds", code("import numpy.random as nr\nx = nr.normal()"), "numpy.random.normal"),
    ("seeds", code("from numpy.random import normal"), "numpy.random.normal"),
    ("seeds", code("import random"), "standard library"),
    ("seeds", code("from random import shuffle"), "standard library"),
    ("seeds", code("rng = np.random.default_rng()"), "without a seed"),
    ("seeds", code("rng = np.random.default_rng(seed=None)"), "without a seed"),
    ("seeds", code("old = np.random.RandomState()"), "RandomState() without a seed"),
    ("seeds", code("from numpy.random import RandomState as R\nR(seed=None)"), "without a seed"),
    ("seeds", code("from numpy.random import RandomState, randint"), "numpy.random.randint"),
    ("timings", code("import time\nt = time.perf_counter()"), "time.perf_counter"),
    ("timings", code("from time import perf_counter as now\nt = now()"), "time.perf_counter"),
    ("timings", code("%timeit f(x)"), "timeit"),
    ("timings", code("%%time\nf(x)"), "time"),
    ("timings", code("t = 1", tags=["nbval-ignore-output"]), "say why"),
    ("warnings", code("import warnings\nwarnings.filterwarnings('ignore')"), "filterwarnings"),
    ("warnings", code("from warnings import simplefilter as s\ns('ignore')"), "simplefilter"),
    ("warnings", code("_ = np.seterr(all='ignore')"), "numpy.seterr"),
    ("warnings", code("!ls x 2>/dev/null"), "2>/dev/null"),
    ("warnings", code("%%capture\nf()"), "capture"),
    ("network", code("import requests"), "requests"),
    ("network", code("from urllib import request"), "urllib.request"),
    ("network", code("import http.client"), "http.client"),
    ("network", code("%pip install x"), "%pip"),
    ("network", code("!curl -O x"), "!curl"),
    ("network", code("!pip install x"), "!pip"),
    ("network", code("d = pd.read_csv('https://example.org/a.csv')"), "pandas.read_csv"),
    (
        "network",
        code("from sklearn.datasets import fetch_openml\nd = fetch_openml('x')"),
        "fetch_openml",
    ),
    ("figure-style", edit("figures.style()", "pass"), "without the book's style"),
    ("axis-labels", edit("ylabel='y'", "title='y'"), "without both labels"),
    ("headings", edit("# How large is it?", "How large is it?"), "begin with the title"),
    ("headings", text("# Another"), "second H1"),
    ("headings", edit("# How large is it?", "# How large is $x$?"), "title has a formula"),
    ("headings", text("#### Deep"), "jumps from H2 to H4"),
    ("headings", text("Words.\n\n### Inside"), "stands inside a cell"),
    ("author-notes", text("Text.\n\n> **For the author.** Short."), "delete it"),
    ("words", text("This is simply true."), "'simply'"),
    ("words", text("Of course\nit is."), "'of course'"),
    ("words", text("The colour is neutral."), "'colour'"),
    ("words", text("We normalise the rows."), "'normalise'"),
    ("prose-numbers", text("It is 0.123."), "0.123 stands in no output"),
    ("prose-numbers", text("It is 2.5."), "2.5 stands in no output"),
    ("prose-numbers", text(r"It is $-2.50$."), "-2.50 stands in no output"),
    ("prose-numbers", text("Of 12,345 rows."), "12345 stands in no output"),
    ("prose-numbers", text("In 1975 it began."), "1975 stands in no output"),
    ("prose-numbers", text("Nothing.\n\n<!-- given: 0.05 -->"), "marked as given but not told"),
    ("skeleton", edit("## A better way", "## Another way"), "'## A better way' is missing"),
    ("skeleton", swap_sections, "out of order"),
    ("length", edit("Reading takes", "It takes"), "must say 'Reading takes 2 minutes'"),
    ("length", edit("takes 2 minutes", "takes 5 minutes"), "must say 'Reading takes 2 minutes'"),
    ("length", text("word " * 3500), "at most 3500 and 60"),
    ("length", long_chapter, "code cells outside its folds"),
    ("skeleton", edit("200 MB", "little"), "does not tell the memory"),
    ("exercise-form", edit("### Exercise 3", "### Exercise 4"), "exercises [1, 2, 4]"),
    ("exercise-form", edit("### Exercise 3:", "### More:"), "opens with '### Exercise 1: what"),
    (
        "exercise-form",
        edit("Exercise 3: times 3", "Exercise 3"),
        "opens with '### Exercise 1: what",
    ),
    ("exercise-form", says("exercise", runproof={"exercise": "Two!"}), "not 'Two!'"),
    ("exercise-form", says("exercise", runproof={}), "heads no exercise"),
    ("exercise-form", says("hint", runproof={}), "belongs to no exercise; say what it is"),
    ("exercise-form", says("hint", runproof={"hint": "times-1"}), "above it is 'times-2'"),
    (
        "exercise-form",
        says("hint", runproof={"hint": "times-2", "turn": "times-2"}),
        "one cell has one",
    ),
    ("exercise-form", without("turn"), "exercise 2 has 0 cells of the role turn; 1 belong"),
    ("exercise-form", without("cases"), "has 0 cells of the role cases; 1 belong"),
    ("exercise-form", without("hint"), "has 0 cells of the role hint; 1 to 2 belong"),
    ("exercise-form", without("solution"), "has 0 cells of the role solution; 1 to 2 belong"),
    ("exercise-form", without("check"), "has 0 cells of the role check; 1 belong"),
    ("exercise-form", again("cases"), "has 2 cells of the role cases; 1 belong"),
    ("exercise-form", swap("cases", "solution"), "exercise 2 has its cells in the order"),
    (
        "exercise-form",
        both(in_words(1), in_words(2)),
        "more than one exercise is answered in words",
    ),
    (
        "exercise-form",
        lambda nb: [
            c.metadata.runproof.update({k: "times-1"})
            for c in nb.cells
            for k in [*c.metadata.get("runproof", {})]
            if c.metadata.runproof[k] == "times-2"
        ],
        "each needs its own name",
    ),
    ("exercise-stubs", edit("def my_times_2", "def times_2"), "exercise 2 has no stub"),
    ("exercise-stubs", edit('"""2 times x."""', "pass"), "no docstring in my_times_2"),
    (
        "exercise-stubs",
        edit("my_times_2(x):\n", "my_times_2(x, y):\n"),
        "not those of the solution",
    ),
    ("exercise-stubs", edit("def times_2", "def twice"), "does not define without its prefix"),
    (
        "exercise-stubs",
        edit('2 times x."""\n    raise NotImpl', '2 times x."""\n    raise Val'),
        "does not raise NotImplementedError",
    ),
    ("exercise-stubs", edit("def times_2", "def my_times_2"), "would overwrite the reader's"),
    (
        "exercise-cases",
        prints("cases", "my_times_2: not answered yet (3 cases wait)\n"),
        "has 3 cases, 1 of them",
    ),
    (
        "exercise-cases",
        edit(
            "    case(1, gives=2),\n    case(2, gives=2 * 2),\n",
            '    case(1, gives=2, name="one"),\n    case(2, gives=4, name="two"),\n',
        ),
        "one example",
    ),
    ("exercise-cases", edit('gives=0, name="nothing"', "gives=0"), "has 4 cases, 1 of them"),
    ("exercise-cases", edit("attempt(my_times_2, *cases_2)", "cases_2"), "never call attempt"),
    ("exercise-cases", prints("cases", "my_times_2: all 4 cases pass\n"), "is answered already"),
    (
        "exercise-cases",
        edit("cases_2, abs, float, int", "cases_2, abs, float"),
        "3 or more mistakes",
    ),
    ("exercise-cases", prints("check", "well\n"), "a check that was not run"),
    ("exercise-folds", says("solution", tags=["solution"]), "tagged solution, but not hide-cell"),
    ("exercise-folds", says("solution", tags=["hide-cell"]), "tag solution is for solutions"),
    ("exercise-folds", says("cases", tags=["hide-cell", "solution"]), "tag solution is for"),
    ("exercise-folds", says("cases", tags=[]), "has the role cases and does not fold"),
    ("exercise-folds", edit("# @title Proof: three mistakes with 2", "# Proof"), "does not fold"),
    ("exercise-folds", edit("<summary>Hint</summary>\n\nMultiply.", "Multiply."), "does not fold"),
    ("exercise-folds", text(DETAILS), "tagged solution"),
    ("exercise-folds", mark("## Going further", tags=["solution"]), "must stand in <details>"),
    (
        "exercise-names",
        edit("    case(1, gives=3),", "    case(1, gives=times_2(3)),"),
        "needs ['times_2'] of a solution",
    ),
    ("exercise-names", edit("def times_2", "mean = 2\n\n\ndef times_2"), "overwrites ['mean']"),
    (
        "exercise-names",
        edit("catch(times_2", "for mean in []:\n    pass\ncatch(times_2"),
        "['mean']",
    ),
    ("ledger-shown", no_outputs, "shows no claims ledger"),
    ("ledger-shown", early_ledger, "too early"),
    ("ledger-shown", claims(verdict="holds"), "not those of its table"),
    ("ledger-shown", claims(verdict="maybe"), "not those of its table"),
    ("ledger-computed", edit("holds=mean == 2", "note=''"), "has no `holds=`"),
    ("ledger-computed", edit("evidence=", "shown=True,\n    evidence="), "`shown=True` is typed"),
    (
        "ledger-computed",
        edit('evidence=f"the mean is {mean:.2f}"', "evidence='low'"),
        "`evidence=` is typed",
    ),
    ("ledger-computed", edit("mean == 2", "False"), "is typed"),
    ("ledger-computed", edit("mean == 2", "not True"), "is typed"),
    ("ledger-computed", edit("mean == 2", "bool(0)"), "is typed"),
    ("ledger-computed", edit("mean == 2", "1 == 2"), "is typed"),
    ("ledger-computed", edit("mean == 2", "mean == mean"), "is typed"),
    ("ledger-computed", code("no = False\nledger.claim('x', holds=no)"), "`holds=no` is typed"),
    ("ledger-sources", claims(source="nobody1900"), "nobody1900"),
    ("ledger-sources", claims(where=None), "cites 'author2020' at ''"),
    ("ledger-sources", claims(where="Theorem 5.5.2"), "at 'Theorem 5.5.2', but that source has"),
    ("ledger-stances", claims(stance="says"), "has the stance 'says'"),
    ("ledger-stances", claims(stance="asks"), "the source asks, has the verdict 'refuted'"),
    ("ledger-stances", claims(stance="ours"), "has the verdict 'refuted'"),
    ("ledger-verdicts", edit("1: refuted", "1: holds"), "the ledger says 'refuted'"),
    ("ledger-verdicts", edit("1: refuted", "7: refuted"), "no such claim"),
    ("ledger-verdicts", edit("1: refuted", "1: Refuted"), "another form"),
    ("ledger-verdicts", drop("**Verdict 1"), "no text states verdict 1"),
]


@pytest.mark.parametrize(("rule", "breaks", "says"), BAD)
def test_bad_notebook_gets_the_complaint(good, tmp_path, rule, breaks, says):
    breaks(good)
    found = [str(c) for c in complaints(good, tmp_path) if c.rule == rule]
    assert any(says in line for line in found), found


def test_good_notebook_gets_none(good, tmp_path):
    assert complaints(good, tmp_path) == []


def test_every_rule_has_a_bad_example():
    names = {rule.name for rule in rules.RULES if rule.only != "interview"}
    assert {rule for rule, _, _ in BAD} == names | {"format"}


def test_complaint_names_file_cell_and_rule(good, tmp_path):
    text("It is 0.123.")(good)
    (complaint,) = complaints(good, tmp_path)
    assert str(complaint).startswith("sample.ipynb: cell ")
    assert str(complaint).endswith("[prose-numbers]")


@pytest.mark.parametrize("source", ["len('a')\nfor _ in []:\n    pass", "len('a')\nassert 1 == 1"])
def test_a_cell_that_ends_in_a_statement_need_not_show(good, tmp_path, source):
    code(source)(good)
    assert complaints(good, tmp_path) == []


def test_interview_notebooks_need_no_skeleton(good, tmp_path):
    short = new_notebook(cells=[good.cells[0], *good.cells[4:8]], metadata=good.metadata)
    (tmp_path / "interview").mkdir()
    (tmp_path / "interview" / "plan.json").write_text('{"short": []}', encoding="utf-8")
    assert complaints(short, tmp_path, "interview/short.ipynb") == []
    assert {c.rule for c in complaints(short, tmp_path)} >= {
        "skeleton",
        "exercise-form",
        "ledger-shown",
    }


def test_empty_notebook_is_no_crash(good, tmp_path):
    good.cells = []
    assert {c.rule for c in complaints(good, tmp_path)} >= {"set-up", "headings", "outputs-stored"}


def test_not_json(tmp_path):
    path = tmp_path / "broken.ipynb"
    path.write_text("{", encoding="utf-8")
    assert [c.rule for c in rules.check(path)] == ["format"]


def drawn(source, **ours):
    """Insert a cell with a picture and alt text of its own."""
    return code(source, picture(), mystnb={"image": {"alt": f"{ALT}, again"}}, runproof=ours)


ALLOWED = [
    in_words(2),
    edit("def times_2", "product = [mean for mean in []]\n\n\ndef times_2"),
    both(again("hint"), again("solution")),
    code("rng = np.random.default_rng(7)\nx = np.random.Generator(np.random.PCG64(7))"),
    code("old = np.random.RandomState(105)  # a published run\nx = old.randint(0, 2, 9)"),
    code('def f():\n    """Return random.seed, warnings.filterwarnings, requests."""'),
    code("import random_walks\nt = axis.time()"),
    code("import time\n# differs on every machine\nt = time.time()", tags=["nbval-ignore-output"]),
    code(LONG, runproof={"long": "one formula with thirteen terms"}),
    code("\n".join(["x = 1"] * 40), tags=["hide-cell", "solution"]),
    edit(CLAIM, "\n".join(["x = 1"] * 11) + f"\n{CLAIM}"),
    drawn("_ = ax.pie(x)", axes="a pie has none"),
    drawn("_ = ax.imshow(x)\nax.set_axis_off()"),
    drawn("def label(ax):\n    ax.set(xlabel='x', ylabel='y')\n\n\nlabel(ax)"),
    code("with np.errstate(divide='ignore'):\n    x = 1 / y"),
    code("x = 'a;'\ny = x  # no semicolon;"),
    code("!ls data"),
    text("It is 0.123.\n\n<!-- given: 0.123 -->"),
    text("### Code\n\n```python\n# A comment, of course in `colour`\nmean = (2 + 3) / 2\n```"),
    text("Use `colour` and [this](https://example.org/2024/behaviour)."),
]


@pytest.mark.parametrize("change", ALLOWED)
def test_what_is_allowed(good, tmp_path, change):
    change(good)
    assert complaints(good, tmp_path) == []


# ------------------------------------------------------------------ numbers in prose


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("1,234,567 and 1_234_567", ["1234567", "1234567"]),
        ("$1{,}234$, $1\\,234$, 1\u2009234", ["1234", "1234", "1234"]),
        ("0.50 and 0.5, .5", ["0.50", "0.5", "0.5"]),
        ("\u22121.5, -1.5, (-1.5)", ["-1.5", "-1.5", "-1.5"]),
        ("400000\u2013400020 or 400000-400020", ["400000", "400020", "400000", "400020"]),
        ("3.2e+05, 3.2e5, $3.2 \\times 10^{5}$, 3.2 × 10^5", ["3.2e5"] * 4),
        ("$10^{9}$", ["10", "9"]),
        ("1/50429", ["1", "50429"]),
        ("2002-03-14", ["2002", "03", "14"]),
        ("A084187, version 1.0.4, x86", []),
        ("\\approx0.05", ["0.05"]),
        ("Stop at 12. Then 1.5.", ["12", "1.5"]),
        ("12.5%, 2.0x, 44.1kHz", ["12.5", "2.0", "44.1"]),
    ],
)
def test_numbers(source, expected):
    assert numbers(source) == expected


@pytest.mark.parametrize(
    "source",
    [
        "{cite}`key2023` and {cite:p}`a2001,b2002`",
        "[text](https://example.org/2023/1.5) https://example.org/v1.25 <https://a.org/2001>",
        "[wiki](https://example.org/a_(2001)_b)",
        "Bauer and Bennett (2002), Wood et al. (1987a), De Moivre (1738, p. 243)",
        "Table 4.1, Tables 4.1 and 4.2, Section 3.1, p. 1234, pp. 1234–1250",
        "<img src='a2023.png' width='1024'> text",
        "`n = 4096` is quoted, and so is `4096`",
        "```python\nn = 4096\n```",
        "doi 10.1234/5678.90, arXiv:2301.01234",
        "<!-- given: 1.5 -->",
        "10^9, $2^{64}$, 999, 1e6",
    ],
)
def test_no_numbers_to_check(source):
    assert [n for n in told(source, programs="n = 4096") if is_checked(n)] == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("p < 0.05 and q > 0.01", ["0.05", "0.01"]),
        ("`4097` in code, `x = 1.5`", ["4097", "1.5"]),
        ("10 000 rows", ["10000"]),
        ("In 2002 they", ["2002"]),
        ("$5 \\times 10^{-7}$", ["5e-7"]),
        ("(see 2002)", ["2002"]),
        ("a [link](x.md) of 1.25", ["1.25"]),
        ("Table 4.1, 0.25 of it, Figure 2 and 2048 rows", ["0.25", "2048"]),
        ("| 1.5 | 2,048 |", ["1.5", "2048"]),
    ],
)
def test_numbers_to_check(source, expected):
    assert [n for n in told(source, programs="n = 4096") if is_checked(n)] == expected


# ------------------------------------------------------------------ the book's notebooks


@pytest.mark.parametrize("name", book.known())
def test_notebooks_keep_the_rules(name):
    found = rules.check(book.known()[name])
    assert not found, "\n".join(map(str, found))


def test_template_is_there():
    assert book.TEMPLATE in book.known()


# ------------------------------------------------------------------ the commands


@pytest.fixture
def shelf(monkeypatch, tmp_path):
    """A repository with nothing but the templates in its notebooks folder."""
    known = book.known()
    templates = {name: known[name].read_bytes() for name in ("_template", "interview/_template")}
    monkeypatch.setattr(book, "ROOT", tmp_path)
    monkeypatch.setattr(book, "NOTEBOOKS", tmp_path / "notebooks")
    (book.NOTEBOOKS / "interview").mkdir(parents=True)
    for name, content in templates.items():
        (book.NOTEBOOKS / f"{name}.ipynb").write_bytes(content)
    return book.NOTEBOOKS


def make(shelf, *sources, name="sample"):
    path = shelf / f"{name}.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell(source) for source in sources]), path)
    return path


def names(folder):
    return sorted(path.name for path in folder.iterdir() if path.is_file())


@pytest.mark.parametrize(
    "name", ["sample", "sample.ipynb", "notebooks/sample.ipynb", "./notebooks/sample"]
)
def test_names(shelf, name):
    assert make(shelf, "x = 1") == book.resolve(name)


@pytest.mark.parametrize("verb", ["run", "check", "tests"])
def test_unknown_name_lists_the_known(shelf, capsys, verb):
    make(shelf, "x = 1")
    assert command.main([verb, "nowhere"]) == 1
    assert (
        "no notebook 'nowhere'; known: _template, interview/_template, sample"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize("folder", ["", "interview/"])
def test_new_copies_the_template_with_fresh_ids(shelf, capsys, folder):
    assert command.main(["new", f"{folder}attention"]) == 0
    assert f"make run NB={folder}attention" in capsys.readouterr().out
    template = nbformat.read(shelf / f"{folder}_template.ipynb", as_version=4)
    made = nbformat.read(shelf / f"{folder}attention.ipynb", as_version=4)
    assert [c.source for c in made.cells] == [c.source for c in template.cells]
    assert not {c.id for c in made.cells} & {c.id for c in template.cells}


def test_a_new_topic_lacks_nothing_but_its_plan(shelf):
    command.main(["new", "interview/attention"])
    (complaint,) = rules.check(shelf / "interview" / "attention.ipynb")
    assert "is no topic of notebooks/interview/plan.json" in str(complaint)


@pytest.mark.parametrize("name", ["Bad", "a-b", "../x", "a b", "1st", "_hidden", "", "x/y", "x.py"])
def test_new_refuses_bad_names(shelf, capsys, name):
    assert command.main(["new", name]) == 1
    assert "is no name for a notebook" in capsys.readouterr().err
    assert names(shelf) == ["_template.ipynb"]


def test_new_refuses_an_existing_file(shelf, capsys):
    path = make(shelf, "x = 1")
    before = path.read_bytes()
    assert command.main(["new", "sample"]) == 1
    assert "exists already" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_check_prints_complaints(shelf, capsys):
    make(shelf, "1 + 1")
    assert command.main(["check", "sample"]) == 1
    shown = capsys.readouterr()
    assert "sample.ipynb: cell 1" in shown.out
    assert "1 checked" in shown.err


def test_sync_rewrites_the_set_up_cells_only(shelf, capsys):
    old = book.SETUP.format(url="https://github.com/you/old", version="0.0.1")
    path = make(shelf, old, "x = 1")
    other = make(shelf, "x = 1", name="other")
    before = other.read_bytes()
    assert command.main(["sync"]) == 0
    assert "sample.ipynb" in capsys.readouterr().out
    synced = nbformat.read(path, as_version=4)
    assert [c.source for c in synced.cells] == [book.setup_cell(), "x = 1"]
    assert other.read_bytes() == before
    assert running.sync() == []


def test_set_up_cell_reads_address_and_version(tmp_path):
    (tmp_path / "_config.yml").write_text("repository:\n  url: https://github.com/you/fork\n")
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "2.3.4"\n')
    last = book.setup_cell(tmp_path).splitlines()[-1]
    assert last == '    %pip install --quiet "runproof @ git+https://github.com/you/fork@v2.3.4"'


def test_tests_lists_the_chapters_tests(shelf, capsys):
    make(shelf, "from runproof import digits, figures\nfrom runproof.ledger import Ledger")
    tests = book.ROOT / "tests"
    for folder in ("digits", "zeta", "shared"):
        (tests / folder).mkdir(parents=True)
    for name in ("ledger", "datasets"):
        (tests / "shared" / f"test_{name}.py").touch()
    assert command.main(["tests", "sample"]) == 0
    listed = capsys.readouterr().out.split()
    assert listed == ["notebooks/sample.ipynb", "tests/digits", "tests/shared/test_ledger.py"]


def test_tests_of_a_topic_are_the_readers_turns(shelf, capsys):
    (shelf / "interview").mkdir(exist_ok=True)
    make(shelf, "x = 1", name="interview/topic")
    assert command.main(["tests", "interview/topic"]) == 0
    assert capsys.readouterr().out.split() == [
        "notebooks/interview/topic.ipynb",
        "tests/tools/test_your_turn.py",
    ]


def test_full_disk_leaves_the_file_untouched(shelf, monkeypatch):
    path = make(shelf, "x = 1")
    before = path.read_bytes()

    def fail(nb, target):
        target.write_text("half", encoding="utf-8")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(nbformat, "write", fail)
    with pytest.raises(book.BookError, match="No space left"):
        book.write(nbformat.read(path, as_version=4), path)
    assert path.read_bytes() == before
    assert names(shelf) == ["_template.ipynb", "sample.ipynb"]


def test_profile_is_used_from_a_copy():
    copy = running.kernel_environment()["IPYTHONDIR"]
    assert not running.PROFILE.samefile(copy)
    kept = sorted(path.name for path in (running.PROFILE / "profile_default").iterdir())
    assert kept == ["ipython_kernel_config.py", "startup"]


def test_missing_network_block_is_refused(monkeypatch):
    monkeypatch.setattr(running.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(book.BookError, match="pytest-socket is missing"):
        running.kernel_environment.__wrapped__()


def test_command_line_without_a_command_explains_itself(capsys):
    with pytest.raises(SystemExit, match="2"):
        command.main([])
    assert "usage: python -m tools" in capsys.readouterr().err


# The next two start a kernel each: they are the slow ones.

NETWORK_PROBE = """
import socket
server = socket.create_server(("127.0.0.1", 0))
with socket.create_connection(server.getsockname()):
    print("loopback works")
server.close()
try:
    socket.create_connection(("192.0.2.1", 80), timeout=1)
except Exception as error:
    print(type(error).__name__, error)
"""
PLACE_PROBE = "import os, sys\nprint(os.getcwd())\nprint(sys.executable)"


def test_run_works_in_place_without_network_and_leaves_no_trace(shelf):
    path = make(shelf, NETWORK_PROBE, PLACE_PROBE)
    assert command.main(["run", "sample"]) == 0
    nb = nbformat.read(path, as_version=4)
    network, place = (
        "".join(out.text for out in cell.outputs if out.name == "stdout") for cell in nb.cells
    )
    assert "loopback works" in network
    assert "SocketConnectBlockedError" in network
    assert "192.0.2.1" in network
    assert place.splitlines() == [str(shelf), sys.executable]
    assert [cell.execution_count for cell in nb.cells] == [1, 2]
    assert nb.metadata == nbformat.from_dict(file.METADATA)
    assert not any(cell.metadata for cell in nb.cells)
    assert names(shelf) == ["_template.ipynb", "sample.ipynb"]


def test_failing_cell_leaves_the_file_untouched(shelf, capsys):
    path = make(shelf, "x = 1", "x / 0", "y = 2")
    old = nbformat.read(path, as_version=4)
    old.cells[2].execution_count = 3  # what an earlier run left must not mislead the message
    nbformat.write(old, path)
    before = path.read_bytes()
    assert command.main(["run", "sample"]) == 1
    shown = capsys.readouterr().err
    assert "sample.ipynb: cell 2 failed, the file is unchanged" in shown
    assert "ZeroDivisionError" in shown
    assert "\x1b" not in shown
    assert path.read_bytes() == before
    assert names(shelf) == ["_template.ipynb", "sample.ipynb"]
