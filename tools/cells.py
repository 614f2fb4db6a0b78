"""How to look into the cells of a notebook."""

import ast
import re
from functools import cache

from IPython.core.inputtransformer2 import TransformerManager

from tools.book import SETUP

#: Aliases that hold without an import in sight.
USUAL = {"np": "numpy", "pd": "pandas", "plt": "matplotlib.pyplot", "sns": "seaborn"}


def code(nb):
    """Yield (index, cell) for every code cell."""
    return ((i, cell) for i, cell in enumerate(nb.cells) if cell.cell_type == "code")


def markdown(nb):
    """Yield (index, cell) for every Markdown cell."""
    return ((i, cell) for i, cell in enumerate(nb.cells) if cell.cell_type == "markdown")


def own(nb):
    """Yield (index, cell) for every code cell but the set-up cell."""
    return ((i, cell) for i, cell in code(nb) if not is_setup(cell))


def is_setup(cell):
    """Tell whether a cell is the set-up cell, for whatever address and version."""
    pattern = re.escape(SETUP).replace(r"\{url\}", r"\S+").replace(r"\{version\}", r"[\w.]+")
    return re.fullmatch(pattern, cell.source) is not None


def tags(cell):
    """Return the cell's tags as a set."""
    return set(cell.metadata.get("tags", []))


def ours(cell, key):
    """Return ``metadata.runproof[key]`` of a cell, or None."""
    return cell.metadata.get("runproof", {}).get(key)


def images(cell):
    """Return the image types of a code cell's outputs, one entry for each image."""
    outputs = cell.get("outputs", [])
    return [mime for out in outputs for mime in out.get("data", {}) if mime.startswith("image/")]


def as_text(value):
    """Return a stored value as one string; notebooks may keep text as a list of lines."""
    return "".join(value) if isinstance(value, list) else str(value)


def python(source):
    """Return a cell's source with IPython's magics turned into plain calls."""
    return _python(source)


@cache
def _python(source):
    return TransformerManager().transform_cell(source)


@cache
def tree(source):
    """Parse a cell's source; what does not parse counts as empty (a rule reports it)."""
    try:
        return ast.parse(python(source))
    except SyntaxError:
        return ast.parse("")


def aliases(nb):
    """Map the names that the notebook's imports bind to what they stand for."""
    names = dict(USUAL)
    for _, cell in code(nb):
        for node in ast.walk(tree(cell.source)):
            if isinstance(node, ast.Import):
                names |= {a.asname: a.name for a in node.names if a.asname}
            elif isinstance(node, ast.ImportFrom):
                names |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    return names


def dotted(node, names):
    """Return ``numpy.random.seed`` for the expression ``np.random.seed``, else ''."""
    if isinstance(node, ast.Attribute):
        base = dotted(node.value, names)
        return f"{base}.{node.attr}" if base else ""
    return names.get(node.id, node.id) if isinstance(node, ast.Name) else ""


def calls(cell, names):
    """Yield (dotted name, node) for every call in a code cell."""
    for node in ast.walk(tree(cell.source)):
        if isinstance(node, ast.Call):
            yield dotted(node.func, names), node


def magics(cell):
    """Yield (kind, text) for every magic, such as ("pip", "install x") or ("system", "ls")."""
    for node in ast.walk(tree(cell.source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("get_ipython()."):
            words = [a.value for a in node.args if isinstance(a, ast.Constant)]
            shell = node.func.attr in ("system", "getoutput")
            yield ("system", words[0]) if shell else (words[0], " ".join(map(str, words[1:])))


def headings(text):
    """Yield (level, title) for every heading of a Markdown text, code fences left out."""
    for line in without_fences(text).splitlines():
        if match := re.match(r"(#{1,6})\s+(.*?)\s*#*\s*$", line):
            yield len(match[1]), match[2]


def without_fences(text):
    """Return Markdown without its fenced code blocks."""
    return re.sub(r"^(```+|~~~+).*?^\1\s*$", "", text, flags=re.MULTILINE | re.DOTALL)


def section(nb, title):
    """Return [(index, cell)] of the H2 section with this title, its heading included."""
    found, inside = [], False
    for i, cell in enumerate(nb.cells):
        if cell.cell_type == "markdown":
            for level, name in headings(cell.source):
                if level <= 2:
                    inside = name == title
        if inside:
            found.append((i, cell))
    return found


def at(nb, index, text):
    """Prefix a complaint with the cell's number and what helps to find it."""
    cell = nb.cells[index]
    if cell.cell_type == "code":
        label = f" (In [{cell.execution_count}])" if cell.get("execution_count") else ""
    else:
        first = cell.source.strip().splitlines()[:1]
        label = f" ({first[0][:40]})" if first else ""
    return f"cell {index + 1}{label}: {text}"
