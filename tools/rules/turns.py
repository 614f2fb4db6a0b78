"""What a reader's turn keeps, in an interview entry and in an exercise of a chapter."""

import ast
import re

from tools.cells import tree


def stub(turn, solution):
    """Complain about a stub: named my_..., told in a docstring, unanswered, as the solution."""
    names, solved = defined(turn), defined(solution)
    mine = [name for name in names if re.match(r"my_|My", name)]
    if not mine:
        yield "has no stub; define my_name or MyName, where the solution defines name or Name"
    for name in mine:
        node, twin = names[name], solved.get(re.sub(r"^my_|^My", "", name))
        if not ast.get_docstring(node):
            yield f"has no docstring in {name}; say what goes in and what comes out"
        if "raise NotImplementedError" not in ast.unparse(node):
            yield f"has a stub {name} that does not raise NotImplementedError"
        if twin is None:
            yield f"has a stub {name} that the solution does not define without its prefix"
        elif isinstance(node, ast.FunctionDef) and _signature(node) != _signature(twin):
            yield f"has a stub {name} whose parameters are not those of the solution"
    if mixed := names.keys() & solved.keys():
        yield f"shares {sorted(mixed)} with the solution, which would overwrite the reader's"


def cases(source, least, edges, n=None):
    """Complain about cases that are too few, or lack an example or what cannot be read off.

    The code tells how many there are, unless `n` does.
    """
    calls = [node for node in ast.walk(tree(source)) if isinstance(node, ast.Call)]
    made = [call for call in calls if ast.unparse(call.func).endswith("case")]
    told = [call for call in made if not {"name", "sealed"} & {word.arg for word in call.keywords}]
    n = len(made) if n is None else n
    hidden = n - len(told)
    if not any(ast.unparse(call.func).endswith("attempt") for call in calls):
        yield "has cases that never call attempt(my_name, case(...), ...)"
    if n < least or hidden < edges or not told:
        yield (
            f"has {n} cases, {hidden} of them named edge cases or sealed; write "
            f"{least} or more, {edges} or more of them such, and at least one example"
        )


def defined(source):
    """Map the names of the functions and classes of a cell to their nodes."""
    return {node.name: node for node in tree(source).body if hasattr(node, "name")}


def loaded(module):
    """Return the names that a module's code reads, anywhere in it."""
    names = (node for node in ast.walk(module) if isinstance(node, ast.Name))
    return {node.id for node in names if isinstance(node.ctx, ast.Load)}


def bound(module):
    """Return the names that a module's code binds, anywhere in it."""
    found = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.alias):
            found.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, (ast.MatchAs, ast.MatchStar, ast.ExceptHandler)) or hasattr(
            node, "decorator_list"
        ):
            found.add(node.name)
    return found


def _signature(function):
    return ast.unparse(function.args)
