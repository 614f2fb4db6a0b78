"""Forms of a chapter for a course."""

from copy import deepcopy

from tools.chapter import KEPT_BACK, Chapter


def student(chapter):
    """Return a chapter as a student gets it: without solutions, below "Your turn" unrun.

    Parameters
    ----------
    chapter : tools.chapter.Chapter

    Returns
    -------
    nbformat.NotebookNode
        A copy. Hints, stubs and cases are kept, and everything outside the exercises.
    """
    nb = deepcopy(chapter.nb)
    exercises = Chapter(nb, chapter.path).exercises
    gone = {i for each in exercises for role in KEPT_BACK for i, _ in each.cells.get(role, [])}
    for each in exercises:
        for _, cell in (*each.cells["turn"], *each.cells.get("cases", [])):
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
    nb.cells = [cell for i, cell in enumerate(nb.cells) if i not in gone]
    return nb
