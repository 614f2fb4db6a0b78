"""Interview entries: read from the notebooks, held against the plan, made into decks."""

import csv
import io
import json
import os
import shutil
import sqlite3
import subprocess
import zipfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest

from runproof.interview import LEVELS, Entry, notebook_entries, read_entries
from tools import interview, notebook_rules
from tools.pages import toc_notebooks

ROOT = Path(__file__).resolve().parents[1]
PATHS = [path for path in toc_notebooks(ROOT) if interview.is_interview(path)]
ENTRIES = interview.all_entries(PATHS)
TITLES = interview.topics(PATHS)

BODY = (
    "**Answer.** Because $a^2$.\n\n**Trap.** It is not.\n\n**Follow-up.** *And?* No."
    "\n\n<!-- given: 0.05 -->"
)


def cell(slug="why-so", level="E", body=BODY, title="Why so?", **ours):
    """Return the Markdown cell of an entry."""
    ours = {"entry": slug, "ids": ["ch-1"], "level": level, "topic": "a", "kind": "concept"} | ours
    source = (
        f'<a id="{slug}"></a>\n\n### {title} ({level})\n\n<details class="entry">\n'
        f"<summary>Answer</summary>\n\n{body}\n\n</details>"
    )
    return nbformat.v4.new_markdown_cell(source, metadata={"runproof": ours})


def without(key):
    """Return the cell of an entry that lacks a key."""
    made = cell()
    del made.metadata["runproof"][key]
    return made


def check(slug="why-so", source="assert 1 + 1 == 2"):
    """Return a check cell of an entry."""
    return nbformat.v4.new_code_cell(source, metadata={"runproof": {"check": slug}})


def written(folder, *cells, name="a"):
    """Write a notebook of these cells and return its path."""
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / f"{name}.ipynb")
    return folder / f"{name}.ipynb"


# Reading


def test_an_entry_is_read_with_its_checks(tmp_path):
    heading = nbformat.v4.new_markdown_cell("## Reasons\n\nText.")
    path = written(tmp_path, heading, cell(), check(), check(source="assert True is not None"))
    assert notebook_entries(path) == [
        Entry(
            slug="why-so",
            question="Why so?",
            level="E",
            topic="a",
            section="Reasons",
            kind="concept",
            ids=("ch-1",),
            answer="Because $a^2$.",
            trap="It is not.",
            follow_up="*And?* No.",
            checks=("assert 1 + 1 == 2", "assert True is not None"),
        )
    ]


def test_a_folder_is_read_in_order(tmp_path):
    written(tmp_path, cell("second", topic="b"), name="b")
    written(tmp_path, cell("first"))
    assert [entry.slug for entry in read_entries(tmp_path)] == ["first", "second"]


@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        (cell(body="Because."), r"the parts are \(\)"),
        (cell(body=BODY.replace("**Trap.** It is not.\n\n", "")), "wanted are"),
        (cell(body=BODY.replace("It is not.", "")), "each with a text"),
        (cell(body="Hello. " + BODY), r"the parts are|nothing before"),
        (cell(level="X"), "the level is 'X'"),
        (cell(entry="other"), "runproof.entry is 'other', the text says 'why-so'"),
        (cell(topic="b"), "runproof.topic is 'b', the text says 'a'"),
        (cell(slug="Why So"), "an entry is an anchor"),
        (cell(kind="cocnept"), "runproof.kind is 'cocnept', allowed are"),
        (cell(kind=None), "runproof.kind is None, allowed are"),
        (without("kind"), "runproof.kind is None, allowed are"),
        (without("ids"), "runproof.ids is None, wanted is a list"),
        (cell(ids="ch-1"), "runproof.ids is 'ch-1', wanted is a list"),
        (cell(ids=[1]), r"runproof.ids is \[1\], wanted is a list"),
        (check("nowhere"), "checks 'nowhere', which is no entry above it"),
    ],
)
def test_a_malformed_entry_is_named(tmp_path, bad, complaint):
    with pytest.raises(ValueError, match=rf"a\.ipynb: cell 1.*({complaint})"):
        notebook_entries(written(tmp_path, bad))


def test_a_slug_is_used_once(tmp_path):
    written(tmp_path, cell())
    written(tmp_path, cell(topic="b"), name="b")
    with pytest.raises(ValueError, match=r"'why-so' stands in a\.ipynb and in b\.ipynb"):
        read_entries(tmp_path)


# The rules of entries

WORDS = "A word or two of sense. " * 10
GOOD = (
    BODY.replace("Because $a^2$.", WORDS).replace("It is not.", WORDS).replace("*And?* No.", WORDS)
)


@pytest.fixture
def topic(tmp_path):
    """The notebook of a topic that keeps the rules, with its plan, beside another topic."""
    folder = tmp_path / "interview"
    folder.mkdir()
    planned = {"slug": "why-so", "ids": ["ch-1"], "level": "E", "kind": "concept", "check": True}
    (folder / "plan.json").write_text(json.dumps({"a": [planned]}), encoding="utf-8")
    written(folder, cell("that", topic="b", body=GOOD), name="b")
    return written(folder, cell(body=GOOD), check())


def entry_complaints(path):
    return [(c.rule, c.text) for c in notebook_rules.check(path) if c.rule.startswith("entry-")]


def rewritten(*cells):
    return lambda path: written(path.parent, *cells)


def body(old, new):
    return rewritten(cell(body=GOOD.replace(old, new, 1)), check())


def unplanned(path):
    (path.parent / "plan.json").unlink()


def planned_elsewhere(path):
    (path.parent / "plan.json").write_text("{}", encoding="utf-8")


ENTRY_BAD = [
    ("entry-form", rewritten(cell(body="Because.")), "cell 1: the parts are"),
    ("entry-form", rewritten(without("kind")), "cell 1: metadata runproof.kind is None"),
    ("entry-form", rewritten(without("ids")), "cell 1: metadata runproof.ids is None"),
    ("entry-form", rewritten(cell(level="X")), "the level is 'X'"),
    ("entry-form", rewritten(cell(topic="b")), "runproof.topic is 'b'"),
    ("entry-form", rewritten(cell(body=GOOD), cell(body=GOOD), check()), "has 2 entries 'why-so'"),
    ("entry-form", rewritten(cell("that", body=GOOD)), "has the entry 'that', as b.ipynb"),
    ("entry-plan", unplanned, "is no topic of plan.json"),
    ("entry-plan", planned_elsewhere, "is no topic of plan.json"),
    ("entry-plan", rewritten(), "lacks the entry 'why-so'"),
    ("entry-plan", rewritten(cell("other", body=GOOD)), "has the entry 'other', which does not"),
    ("entry-plan", rewritten(cell(body=GOOD, ids=["ch-2"]), check()), "has the ids ['ch-2']"),
    ("entry-plan", rewritten(cell(body=GOOD, level="M"), check()), "has the level 'M'"),
    ("entry-plan", rewritten(cell(body=GOOD, kind="code"), check()), "has the kind 'code'"),
    ("entry-plan", rewritten(cell(body=GOOD)), "has no check, which plan.json asks for"),
    ("entry-words", body(WORDS.strip(), "Too short."), "the answer of 'why-so' has 2 words"),
    ("entry-words", body(WORDS, 6 * WORDS), "the answer of 'why-so' has 360 words"),
    (
        "entry-words",
        body(f"**Trap.** {WORDS}", "**Trap.** No."),
        "the trap of 'why-so'",
    ),
    ("entry-words", body(f"**Follow-up.** {WORDS}", "**Follow-up.** No."), "the follow-up of"),
    ("entry-links", body("A word", "[A word](#that)"), "names no notebook"),
    (
        "entry-links",
        body("A word", "[A word](b.ipynb#this)"),
        "leads to b.ipynb#this",
    ),
    (
        "entry-links",
        body("A word", "[A word](c.ipynb#that)"),
        "leads to c.ipynb#that",
    ),
    ("entry-checks", rewritten(cell(body=GOOD), check(source="x = 1")), "asserts nothing"),
    ("entry-checks", rewritten(cell(body=GOOD), check(source="assert True")), "asserts nothing"),
]


@pytest.mark.parametrize(("rule", "breaks", "says"), ENTRY_BAD)
def test_a_bad_entry_gets_the_complaint(topic, rule, breaks, says):
    breaks(topic)
    assert any(name == rule and says in text for name, text in entry_complaints(topic))


@pytest.mark.parametrize(
    "breaks",
    [
        rewritten(cell(body=GOOD), check()),
        body("A word", "[A word](b.ipynb#that) and [itself](a.ipynb#why-so)"),
        rewritten(cell(body=GOOD), check(source="np.testing.assert_allclose(1, 1)")),
    ],
)
def test_a_good_entry_gets_none(topic, breaks):
    breaks(topic)
    assert entry_complaints(topic) == []


def test_every_entry_rule_has_a_bad_example():
    rules = {rule.name for rule in notebook_rules.RULES if rule.only == "interview"}
    assert {rule for rule, _, _ in ENTRY_BAD} == rules


def test_the_book_has_entries():
    assert len(ENTRIES) > 180
    planned = json.loads((ROOT / "notebooks/interview/plan.json").read_text(encoding="utf-8"))
    assert set(planned) == set(TITLES)


# Pages and decks


def entry(**changes):
    return replace(
        Entry(
            "why-so", "Why `x < 1` | so?", "M", "a", "S", "concept", ("c-1",),
            "See [that](b.ipynb#that) and $a<b$.\n\n$$\nx & y\n$$", "No.", "*And?* Yes.",
        ),
        **changes,
    )  # fmt: skip


def test_index_has_a_row_for_every_entry():
    table = interview.index_table([entry(), entry(slug="other", checks=("x",))], {"a": "Letters"})
    head, _, *rows = table.splitlines()
    assert head.count("|") == 6
    assert rows[0] == (
        "| [Why `x < 1` \\| so?](../notebooks/interview/a.ipynb#why-so) "
        "| Letters | medium | concept | no |"
    )
    assert rows[1].endswith("| yes |")


def test_cards_survive_the_script_that_carries_them():
    script = interview.data_script([entry(answer="a </script> b")], {"a": "Letters"})
    assert "</script>" not in script
    data = json.loads(script.removeprefix("window.RUNPROOF = ").rstrip(";\n"))
    assert data["cards"][0]["question"] == "Why <code>x &lt; 1</code> | so?"
    assert data["levels"] == LEVELS


def test_formulas_and_links_are_rendered():
    html = interview.answer_html(entry(), "up/", ".html")
    assert r"\(a&lt;b\)" in html
    assert "\\[x &amp; y\\]" in html
    assert 'href="up/b.html#that"' in html


@pytest.fixture(scope="module")
def decks():
    return interview.decks(ENTRIES, TITLES)


@pytest.fixture
def notes(decks, tmp_path):
    """The notes of the Anki package: (guid, fields, tags)."""
    rows = select("guid, flds, tags", decks[interview.DECK], tmp_path)
    return [(guid, fields.split("\x1f"), tags.split()) for guid, fields, tags in rows]


def select(columns, deck, folder):
    """Return columns of the notes in an Anki package."""
    with zipfile.ZipFile(io.BytesIO(deck)) as package:
        package.extract("collection.anki2", folder)
    with closing(sqlite3.connect(folder / "collection.anki2")) as base:
        return base.execute(f"select {columns} from notes").fetchall()


def test_anki_deck_has_a_note_for_every_entry(notes):
    assert len(notes) == len({guid for guid, _, _ in notes}) == len(ENTRIES)
    for _, (question, answer, source), tags in notes:
        assert question
        assert "<strong>Trap.</strong>" in answer
        assert "https://" in source
        assert {tag.split("::")[0] for tag in tags} == {"topic", "level", "kind"}


def test_a_note_is_known_by_its_slug_alone(notes):
    changed = [replace(e, answer="Other.", question="Other?") for e in ENTRIES]
    again = interview.decks(changed, TITLES)[interview.DECK]
    with zipfile.ZipFile(io.BytesIO(again)) as package:
        base = package.read("collection.anki2")
    assert all(guid.encode() in base for guid, _, _ in notes)


@pytest.fixture
def clone(tmp_path):
    """A clone with one interview notebook, committed at second 1,800,000,000."""
    notebook = tmp_path / "clone" / "notebooks" / "interview" / "x.ipynb"
    notebook.parent.mkdir(parents=True)
    notebook.write_text("{}\n", encoding="utf-8")
    commit(tmp_path / "clone", 1_800_000_000)
    return tmp_path / "clone"


def commit(folder, date):
    someone = ["-c", "user.name=someone", "-c", "user.email=someone@localhost"]
    environment = os.environ | {"GIT_COMMITTER_DATE": f"{date} +0000"}
    for arguments in (["init", "--quiet"], ["add", "--all"], ["commit", "-qm", "x"]):
        command = ["git", "-C", folder, *someone, *arguments]
        subprocess.run(command, env=environment, check=True, capture_output=True)


def test_a_correction_makes_a_newer_deck(clone):
    """Anki takes a note that it knows only from a newer deck."""
    notebook = clone / "notebooks" / "interview" / "x.ipynb"
    dates = [interview.last_change(clone)]
    notebook.write_text("{ }\n", encoding="utf-8")
    os.utime(notebook, (0, 1_800_000_100))
    dates.append(interview.last_change(clone))
    commit(clone, 1_800_000_200)
    dates.append(interview.last_change(clone))
    assert dates == [1_800_000_000, 1_800_000_100, 1_800_000_200]


def test_an_older_file_makes_no_older_deck(clone):
    notebook = clone / "notebooks" / "interview" / "x.ipynb"
    notebook.write_text("{ }\n", encoding="utf-8")
    os.utime(notebook, (0, 1))
    assert interview.last_change(clone) == 1_800_000_000


def test_a_deck_without_a_clone_dates_from_its_files(clone):
    shutil.rmtree(clone / ".git")
    os.utime(clone / "notebooks" / "interview" / "x.ipynb", (0, 1_700_000_000))
    assert interview.last_change(clone) == 1_700_000_000


def test_every_note_carries_the_date(monkeypatch, tmp_path):
    monkeypatch.setattr(interview, "last_change", lambda root: 1_800_000_000)
    deck = interview.decks(ENTRIES, TITLES)[interview.DECK]
    assert set(select("mod", deck, tmp_path)) == {(1_800_000_000,)}


def test_spreadsheet_has_a_row_for_every_entry(decks):
    rows = list(csv.DictReader(io.StringIO(decks[interview.TABLE].decode())))
    assert [row["slug"] for row in rows] == [e.slug for e in ENTRIES]
    assert all(row["answer"] and row["url"].endswith(f"#{row['slug']}") for row in rows)


def test_decks_are_written(tmp_path):
    interview.main(tmp_path / "new")
    assert {path.name for path in (tmp_path / "new").iterdir()} == {
        interview.DECK,
        interview.TABLE,
    }
