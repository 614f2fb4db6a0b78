"""Exercises of a chapter, played by a reader who answers and runs all cells."""

import shutil

import pytest

from tools import book, run
from tools.cells import as_text
from tools.chapter import Chapter

CHAPTERS = sorted(book.NOTEBOOKS.glob("*.ipynb"))
STUB = "raise NotImplementedError"

#: What a reader writes instead of the first stub, and what the cases say after "Run all".
ANSWERS = {
    "return 7 / 8": "my_one_spread: 1 of 6 cases passes\n",
    "return probability(n, int(sqrt(n) / 2))": "my_one_spread: 4 of 6 cases pass\n",
    'if sqrt(n) % 2:\n        raise ValueError("n")\n    return probability(n, int(sqrt(n) / 2))': (
        "my_one_spread: all 6 cases pass\n"
    ),
}


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """Return what the cells of the template's exercises print under each answer."""
    path = tmp_path_factory.mktemp("reader") / "_template.ipynb"

    def answered(answer):
        shutil.copy(book.NOTEBOOKS / "_template.ipynb", path)
        nb = book.read(path)
        first = Chapter(nb, path).exercises[0]
        first.cells["turn"][0][1].source = first.code("turn").replace(STUB, answer)
        book.write(nb, path)
        run.run(path)
        first = Chapter.read(path).exercises[0]
        return {role: said(first, role) for role in ("cases", "check")}

    return answered


def said(exercise, role):
    outputs = [out for _, cell in exercise.cells.get(role, []) for out in cell.outputs]
    return "".join(as_text(out.text) for out in outputs)


@pytest.mark.parametrize("answer", ANSWERS)
def test_run_all_tells_right_from_wrong(template, answer):
    told = template(answer)
    assert told["cases"].startswith(ANSWERS[answer])
    assert " all 6 cases pass; 3 mistakes" in told["check"]  # of the solution, not the reader's
    assert "my_" not in told["check"]


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_every_chapter_has_exercises_that_prove_themselves(path):
    """The stub waits, the solution passes, mistakes are caught: nbval compares these outputs."""
    found = Chapter.read(path).exercises
    assert len(found) >= 3
    for each in found:
        if not each.in_words:
            assert "not answered yet" in said(each, "cases"), each.title
            assert " cases pass; " in said(each, "check"), each.title
            compared = [*each.cells["cases"], *each.cells["check"]]
            assert "nbval-ignore-output" not in str(compared), each.title
