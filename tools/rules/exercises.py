"""Rules about the exercises of a chapter."""

import ast
import re

from tools.cells import as_text, at, code, own, tags, tree
from tools.chapter import EXERCISE_ROLES, KEPT_BACK, Chapter, ChapterError, is_solution, label
from tools.rules.turns import bound, cases, loaded, stub

#: How many cases try the reader's function, and of how many nobody can read what is wanted.
CASES, HIDDEN = 4, 2

#: How many wrong answers a check proves to be caught, beside constants.
MISTAKES = 3

WAITING = re.compile(r"^[Mm]y_?\w+: not answered yet \((\d+) cases wait\)$", re.MULTILINE)
DETAILS = re.compile(
    r"\A<details>\s*<summary>(?P<label>[^<]+)</summary>.+</details>\s*\Z", re.DOTALL
)


def form(nb, path):
    """Three to six exercises, their cells in order; at most one is answered in words."""
    try:
        found = Chapter(nb, path).exercises
    except ChapterError as error:
        yield str(error).removeprefix(f"{path.name}: ")
        return
    numbers = [each.number for each in found]
    if numbers != list(range(1, len(found) + 1)) or not 3 <= len(found) <= 6:
        yield (
            f"'## Your turn' has exercises {numbers}; write three to six, headed "
            "'### Exercise 1: what it is about', '### Exercise 2: ...' and so on"
        )
    if len({each.slug for each in found}) < len(found):
        yield f"exercises are named {[each.slug for each in found]}; each needs its own name"
    if sum(each.in_words for each in found) > 1:
        yield "more than one exercise is answered in words; let the others be answered by code"
    for each in found:
        yield from (f"exercise {each.number} {text}" for text in _roles(each))


def _roles(each):
    """Complain about the number and the order of the cells of an exercise."""
    for role, (least, most) in EXERCISE_ROLES.items():
        n = len(each.cells.get(role, []))
        least = max(least, 1 - each.in_words) if role in ("cases", "check") else least
        if not least <= n <= most:
            wanted = f"{least}" if least == most else f"{least} to {most}"
            yield f"has {n} cells of the role {role}; {wanted} belong to it"
    order = [role for role in EXERCISE_ROLES for _ in each.cells.get(role, [])]
    placed = sorted((i, role) for role, cells in each.cells.items() for i, _ in cells)
    if (found := [role for _, role in placed]) != order:
        yield f"has its cells in the order {found}; the order is {[*EXERCISE_ROLES]}"


def stubs(nb, path):
    """A stub is named my_..., tells in a docstring what is wanted, and is not answered."""
    for each in _coded(nb, path):
        for text in stub(each.code("turn"), each.code("solution")):
            yield f"exercise {each.number} {text}"


def tried(nb, path):
    """Cases try the stub, which waits; a check proves that they catch usual mistakes."""
    for each in _coded(nb, path):
        about, said = f"exercise {each.number}", _said(each, "cases")
        if WAITING.sub("", said).strip() or not said:
            yield f"{about} is answered already; keep the stub unanswered, and run `make run`"
        n = sum(map(int, WAITING.findall(said)))
        complaints = cases(each.code("cases"), CASES, HIDDEN, n)
        yield from (f"{about} {text}" for text in complaints)
        if _mistakes(each.code("check")) < MISTAKES:
            yield (
                f"{about} has a check that proves nothing of its cases; call "
                f"catch(solution, cases, ...) with {MISTAKES} or more mistakes that people make"
            )
        if " caught" not in _said(each, "check"):
            yield f"{about} has a check that was not run; run `make run`"


def _said(each, role):
    outputs = [out for _, cell in each.cells.get(role, []) for out in cell.get("outputs", [])]
    return "".join(as_text(out.get("text", "")) for out in outputs)


def _mistakes(source):
    """Return how many mistakes the code asks `catch` to catch, at most in one call."""
    calls = [node for node in ast.walk(tree(source)) if isinstance(node, ast.Call)]
    made = [len(call.args) - 2 for call in calls if ast.unparse(call.func).endswith("catch")]
    return max(made, default=0)


def folds(nb, path):
    """Cases, hints, solutions and checks fold, each under a label; solutions are tagged."""
    for i, cell in enumerate(nb.cells):
        if cell.cell_type == "code":
            if is_solution(cell) and "hide-cell" not in tags(cell):
                yield at(nb, i, "is tagged solution, but not hide-cell; a solution folds")
        elif re.search(r"<summary>[^<]*[Ss]olution", cell.source) and not is_solution(cell):
            yield at(nb, i, "holds a solution in words; put it in its own cell, tagged solution")
        elif is_solution(cell) and not DETAILS.match(cell.source):
            yield at(nb, i, "a solution in words must stand in <details><summary>...</details>")
    for each in _exercises(nb, path):
        for role in ("cases", "hint", "solution", "check"):
            for i, cell in each.cells.get(role, []):
                if cell.cell_type == "markdown":
                    folded, wanted = DETAILS.match(cell.source), "<details><summary>...</details>"
                else:
                    folded = label(cell) and "hide-cell" in tags(cell)
                    wanted = "the tag hide-cell and a first line '# @title ...'"
                if not folded:
                    yield at(nb, i, f"has the role {role} and does not fold; give it {wanted}")
                if (role == "solution") != is_solution(cell):
                    yield at(nb, i, "the tag solution is for solutions, and each has it")


def names(nb, path):
    """Solutions and checks overwrite nothing of the chapter, and the rest runs without them."""
    ours = {i for each in _exercises(nb, path) for placed in each.cells.values() for i, _ in placed}
    taken = {name for i, cell in own(nb) if i not in ours for name in _top(cell, LASTING)}
    for i, cell in code(nb):
        if i in ours and (mixed := taken & _top(cell, (*LASTING, ast.For))):
            yield at(nb, i, f"overwrites {sorted(mixed)} of the chapter; use names of its own")
    yield from _lost(nb, path)


def _lost(nb, path):
    """Complain about cells that need what only a cell kept back from students defines."""
    back = {
        i
        for each in _exercises(nb, path)
        for role in KEPT_BACK
        for i, _ in each.cells.get(role, [])
    }
    known, away = set(), set()
    for i, cell in code(nb):
        module = tree(cell.source)
        if i in back:
            away |= bound(module)
            continue
        known |= bound(module)
        if lost := (loaded(module) & away) - known:
            yield at(
                nb, i, f"needs {sorted(lost)} of a solution or a check, which students do not get"
            )


#: Statements whose names a reader counts on; the variable of a loop is not such a name.
LASTING = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.With)


def _top(cell, statements):
    """Return the names that a cell binds at its top level, imports left out."""
    found = set()
    for node in tree(cell.source).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, statements):
            found |= _stored(node) - {"_"}
    return found


def _stored(node):
    """Return the names that a statement stores; a comprehension's are its own."""
    if isinstance(node, ast.comprehension):
        return set()
    if isinstance(node, ast.Name):
        return {node.id} if isinstance(node.ctx, ast.Store) else set()
    return {name for child in ast.iter_child_nodes(node) for name in _stored(child)}


def _exercises(nb, path):
    """Return the exercises of a notebook, none if one is malformed: `form` says that."""
    try:
        return Chapter(nb, path).exercises
    except ChapterError:
        return []


def _coded(nb, path):
    return [
        each
        for each in _exercises(nb, path)
        if not each.in_words and {"turn", "cases", "solution", "check"} <= each.cells.keys()
    ]
