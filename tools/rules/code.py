"""Rules about the code cells of a notebook.

The rules read the syntax tree, not the text, so that a comment or a string never trips
them. They are a net for honest mistakes, not a sandbox.
"""

import ast
import builtins
import io
import re
import tokenize

from tools.book import setup_cell
from tools.cells import (
    aliases,
    at,
    calls,
    code,
    dotted,
    images,
    is_setup,
    magics,
    ours,
    own,
    python,
    tags,
    tree,
)

MAX_LINES, MAX_FOLDED = 12, 40

#: How wide a line may be, as in `notebooks/ruff.toml` and `notebooks/interview/ruff.toml`.
MAX_WIDTH = {"interview": 80}
USUAL_WIDTH = 88

IGNORE = "nbval-ignore-output"
GENERATORS = {"default_rng", "Generator", "BitGenerator", "SeedSequence", "RandomState"}
GENERATORS |= {"PCG64", "PCG64DXSM", "Philox", "SFC64", "MT19937"}
NEED_SEED = {"default_rng", "RandomState"}
CLOCKS = {"perf_counter", "perf_counter_ns", "process_time", "process_time_ns"}
CLOCKS |= {"monotonic", "monotonic_ns", "time", "time_ns"}
SILENCERS = {"numpy.seterr", "logging.disable", "contextlib.redirect_stderr"}
NETWORK = {"aiohttp", "ftplib", "http", "httpx", "pooch", "requests", "socket"}
NETWORK |= {"urllib.request", "urllib3", "wget"}
FETCHERS = re.compile(r"sklearn\.datasets\.fetch_\w+|seaborn\.load_dataset|.*\.get_rdataset")
SHELL_NETWORK = re.compile(r"\b(curl|wget|pip|uv|conda|mamba|git|apt|apt-get|npm)\b")
X_LABEL = re.compile(r"set_xlabel|\bxlabel\b|supxlabel")
Y_LABEL = re.compile(r"set_ylabel|\bylabel\b|supylabel")
NO_AXES = re.compile(r"set_axis_off|axis\(\s*(['\"]off['\"]|False)")


def parses(nb, path):
    """Code is valid Python, and no code cell is empty."""
    for i, cell in code(nb):
        try:
            ast.parse(python(cell.source))
        except SyntaxError as error:
            yield at(nb, i, f"does not parse ({error.msg}, line {error.lineno}); mend it")
        if not cell.source.strip():
            yield at(nb, i, "is an empty code cell; remove it")


def setup(nb, path):
    """The first code cell is the generated set-up cell, and no other is."""
    cells = list(code(nb))
    if not cells or cells[0][1].source != setup_cell():
        yield (
            "the first code cell must be the set-up cell, byte for byte; copy it from "
            "notebooks/_template.ipynb, or run `python -m tools sync`"
        )
    for i, cell in cells[1:]:
        if is_setup(cell) or "google.colab" in cell.source:
            yield at(nb, i, "is a second set-up cell; remove it, one stands at the top")


def size(nb, path):
    """A code cell holds one idea: at most 12 lines that are not blank, or 40 in a fold.

    A claim of the ledger counts as one line: it is a record, not a program.
    """
    width = MAX_WIDTH.get(path.parent.name, USUAL_WIDTH)
    for i, cell in own(nb):
        lines = cell.source.splitlines()
        filled = sum(bool(line.strip()) for line in lines)
        for name, node in calls(cell, {}):
            if name == "ledger.claim":
                filled -= node.end_lineno - node.lineno
        allowed = MAX_FOLDED if {"hide-cell", "hide-input"} & tags(cell) else MAX_LINES
        if filled > allowed and not ours(cell, "long"):
            yield at(
                nb,
                i,
                f"has {filled} lines that are not blank, at most {allowed} are allowed; shorten or "
                "split it, or say why "
                'it must be long in metadata.runproof.long = "why"',
            )
        for n, line in enumerate(lines, 1):
            if len(line) > width:
                yield at(nb, i, f"line {n} has {len(line)} columns; break it at {width}")


def semicolon(nb, path):
    """No trailing semicolon: nbval sees the output that it hides."""
    layout = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.ENDMARKER}
    for i, cell in own(nb):
        try:
            found = list(tokenize.generate_tokens(io.StringIO(python(cell.source)).readline))
        except (tokenize.TokenError, SyntaxError):
            continue
        words = [token.string for token in found if token.type not in layout and token.string]
        if words and words[-1] == ";":
            yield at(nb, i, "ends with ';'; assign instead, as in `_ = ax.plot(...)`")


def seeds(nb, path):
    """Random numbers come from a generator with a seed.

    NumPy's old generator may be an object too, ``np.random.RandomState(105)``: it alone
    draws again what a published program drew. Its global functions stay forbidden.
    """
    names = aliases(nb)
    for i, cell in own(nb):
        for node in ast.walk(tree(cell.source)):
            if message := _unseeded(node, names):
                yield at(nb, i, f"{message}; use rng = np.random.default_rng(<seed>)")


def _unseeded(node, names):
    if isinstance(node, ast.Import) and any(a.name == "random" for a in node.names):
        return "imports the standard library's random"
    if isinstance(node, ast.ImportFrom) and node.module == "random":
        return "imports from the standard library's random"
    if isinstance(node, ast.ImportFrom) and node.module == "numpy.random":
        legacy = [a.name for a in node.names if a.name not in GENERATORS]
        return f"imports numpy.random.{legacy[0]}" if legacy else None
    if isinstance(node, ast.Attribute):
        name = dotted(node, names)
        if name.startswith("numpy.random.") and name.split(".")[2] not in GENERATORS:
            return f"uses the global generator ({name})"
    if isinstance(node, ast.Call):
        name = dotted(node.func, names).rpartition(".")[2]
        values = [*node.args, *(k.value for k in node.keywords)]
        if name in NEED_SEED and (not values or _is_none(values[0])):
            return f"calls {name}() without a seed"
    return None


def _is_none(node):
    return isinstance(node, ast.Constant) and node.value is None


def timings(nb, path):
    """Clocks stand only in cells whose output is not compared, and those say why."""
    names = aliases(nb)
    for i, cell in own(nb):
        if IGNORE in tags(cell):
            if not re.search(r"(?:^|\s)#\s*\S+(\s+\S+){3,}", cell.source, re.MULTILINE):
                yield at(nb, i, f"is tagged {IGNORE}; say why in a comment of four words or more")
            continue
        clocks = [name for name, _ in calls(cell, names) if _is_clock(name)]
        clocks += [kind for kind, _ in magics(cell) if kind in ("time", "timeit")]
        if clocks:
            yield at(nb, i, f"reads a clock ({clocks[0]}); tag the cell {IGNORE} and say why")


def _is_clock(name):
    module, _, function = name.rpartition(".")
    return name.startswith("timeit.") or (module == "time" and function in CLOCKS)


def warnings_shown(nb, path):
    """Warnings are fixed, not silenced."""
    names = aliases(nb)
    for i, cell in own(nb):
        found = [name for name, node in calls(cell, names) if _silences(name, node)]
        found += [f"%%{kind}" for kind, _ in magics(cell) if kind == "capture"]
        found += [text for kind, text in magics(cell) if kind == "system" and "2>" in text]
        if found:
            yield at(nb, i, f"silences warnings ({found[0]}); fix what they warn about")


def _silences(name, node):
    if name in ("warnings.filterwarnings", "warnings.simplefilter", "warnings.catch_warnings"):
        values = [*node.args, *(k.value for k in node.keywords)]
        return any(isinstance(v, ast.Constant) and v.value == "ignore" for v in values)
    return name in SILENCERS


def network(nb, path):
    """No cell asks the network for anything; the set-up cell alone may, on Colab."""
    names = aliases(nb)
    for i, cell in own(nb):
        found = [name for name in _imports(cell) if _is_network(name)]
        found += [name for name, node in calls(cell, names) if _fetches(name, node)]
        found += [f"%{kind}" for kind, _ in magics(cell) if kind in ("pip", "conda", "uv")]
        commands = [text for kind, text in magics(cell) if kind == "system"]
        found += [f"!{text}" for text in commands if SHELL_NETWORK.search(text)]
        if found:
            yield at(
                nb,
                i,
                f"asks the network ({found[0]}); commit the data under data/ and load it with "
                "runproof.datasets.load",
            )


def _imports(cell):
    for node in ast.walk(tree(cell.source)):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{a.name}" for a in node.names)


def _is_network(name):
    return name in NETWORK or any(name.startswith(f"{module}.") for module in NETWORK)


def _fetches(name, node):
    first = node.args[0] if node.args else None
    url = isinstance(first, ast.Constant) and re.match(r"(https?|ftp|s3)://", str(first.value))
    reads = re.match(r"(read_|load|urlopen|urlretrieve|get)", name.rpartition(".")[2])
    return bool((url and reads) or FETCHERS.fullmatch(name))


def figure_style(nb, path):
    """The book's style is set before the first figure."""
    drawn = [i for i, cell in code(nb) if images(cell)]
    names = aliases(nb)
    style = "runproof.figures.style"
    styled = [i for i, cell in own(nb) if style in (name for name, _ in calls(cell, names))]
    if drawn and (not styled or min(styled) > drawn[0]):
        yield at(
            nb,
            drawn[0],
            "draws a figure without the book's style; call runproof.figures.style() before it",
        )


def axis_labels(nb, path):
    """A cell that draws labels both axes (a heuristic: it looks for the words).

    Labels may also be set in a function of the notebook that the cell calls.
    """
    helpers = {}
    for _, cell in own(nb):
        for node in ast.walk(tree(cell.source)):
            if isinstance(node, ast.FunctionDef):
                helpers[node.name] = ast.unparse(node)
    for i, cell in own(nb):
        if not images(cell) or ours(cell, "axes"):
            continue
        called = {name for name, _ in calls(cell, {})} & helpers.keys()
        source = "\n".join([cell.source, *(helpers[name] for name in sorted(called))])
        if not NO_AXES.search(source) and not (X_LABEL.search(source) and Y_LABEL.search(source)):
            yield at(
                nb,
                i,
                "draws axes without both labels; set xlabel and ylabel with units, or say why "
                'there are none in metadata.runproof.axes = "why"',
            )


def ledger_computed(nb, path):
    """`holds=` and `shown=` of every claim are computed, and `evidence=` prints what was."""
    assigned = _assignments(nb)
    for i, cell in own(nb):
        for node in ast.walk(tree(cell.source)):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "claim":
                given = {k.arg: k.value for k in node.keywords}
                for message in _typed_arguments(given, assigned):
                    yield at(nb, i, message)


def _typed_arguments(given, assigned):
    if "holds" not in given:
        yield "a claim has no `holds=`; give it a computed boolean"
    for name in ("holds", "shown"):
        if name in given and _typed(given[name], assigned):
            yield (
                f"`{name}={ast.unparse(given[name])}` is typed, not computed; compare numbers "
                "that the notebook measured"
            )
    if "evidence" in given and _typed(given["evidence"], assigned):
        yield "`evidence=` is typed, the same whatever was measured; print the numbers in it"


def _assignments(nb):
    """Map every name that plain assignments bind to the expressions it gets."""
    found = {}
    for _, cell in code(nb):
        for node in ast.walk(tree(cell.source)):
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    if isinstance(target, ast.Name):
                        found.setdefault(target.id, []).append(node.value)
    return found


def _typed(node, assigned):
    """Tell whether an expression is a constant in disguise."""
    if isinstance(node, ast.Name) and node.id in assigned:
        return all(_typed(value, {}) for value in assigned[node.id])
    if isinstance(node, ast.Compare):
        sides = [ast.dump(side) for side in (node.left, *node.comparators)]
        if len(set(sides)) == 1:
            return True
    names = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    return not {name for name in names if not hasattr(builtins, name)}
