"""What students get tells no solution, and runs."""

import re

import pytest

from tools import __main__ as command
from tools import book, run
from tools.cells import code, ours
from tools.chapter import KEPT_BACK, Chapter
from tools.course import student

CHAPTERS = sorted(book.NOTEBOOKS.glob("*.ipynb"))


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_student_gets_no_solution(path):
    chapter = Chapter.read(path)
    before = str(chapter.nb)
    made = student(chapter)
    assert str(chapter.nb) == before
    text = str(made)
    for each in chapter.exercises:
        for role in KEPT_BACK:
            for _, cell in each.cells.get(role, []):
                for line in re.findall(r"^ *(?:def|class) \w+", cell.source, re.MULTILINE):
                    name = line.split()[1]
                    assert not re.search(rf"\b(?:def|class) {name}\b", text), name
    assert not any(ours(cell, role) for cell in made.cells for role in KEPT_BACK)
    assert not any("solution" in cell.metadata.get("tags", []) for cell in made.cells)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_student_gets_the_rest(path):
    chapter = Chapter.read(path)
    made = student(chapter)
    kept = [cell.source for cell in chapter.nb.cells if not any(ours(cell, r) for r in KEPT_BACK)]
    assert [cell.source for cell in made.cells] == kept
    for each in Chapter(made, path).exercises:
        assert each.cells["hint"]
        for _, cell in (*each.cells["turn"], *each.cells.get("cases", [])):
            assert not cell.get("outputs")
    ran = [cell for cell in chapter.nb.cells if cell.get("outputs")]
    unrun = sum(
        bool(cell.outputs)
        for e in chapter.exercises
        for placed in e.cells.values()
        for _, cell in placed
        if cell.cell_type == "code"
    )
    assert len([cell for _, cell in code(made) if cell.outputs]) == len(ran) - unrun


def test_the_command_writes_a_notebook_that_runs(tmp_path):
    command.main(["student", "_template", "--folder", str(tmp_path)])
    path = tmp_path / "_template.ipynb"
    run.run(path)
    for each in Chapter.read(path).exercises:
        for _, cell in each.cells.get("cases", []):
            assert "not answered yet" in str(cell.outputs)
