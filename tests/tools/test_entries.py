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
from copy import deepcopy
from dataclasses import replace

import nbformat
import pytest

from tools import decks, rules
from tools.book import NOTEBOOKS, ROOT
from tools.chapter import LEVELS, Chapter, ChapterError, Entry, Picture, read_entries

TEMPLATE = nbformat.read(NOTEBOOKS / "interview" / "_template.ipynb", as_version=4)
ENTRIES = decks.all_entries()
TITLES = decks.topics()
CONCEPT, CODED = "sample-variance-divisor", "two-sum"


@pytest.fixture
def nb():
    """The template of a topic as the notebook `a`, to be spoiled."""
    made = deepcopy(TEMPLATE)
    for cell in made.cells:
        if "entry" in cell.metadata.get("runproof", {}):
            cell.metadata["runproof"]["topic"] = "a"
    return made


def written(folder, nb, name="a"):
    """Write a notebook and return its path."""
    folder.mkdir(exist_ok=True)
    nbformat.write(nb, folder / f"{name}.ipynb")
    return folder / f"{name}.ipynb"


def of(nb, role, slug):
    """Return the cell that has a role in an entry."""
    return next(c for c in nb.cells if c.metadata.get("runproof", {}).get(role) == slug)


# What spoils a notebook


def edit(role, slug, old, new):
    """Replace a text in a cell."""

    def spoil(nb):
        cell = of(nb, role, slug)
        assert old in cell.source
        cell.source = cell.source.replace(old, new)

    return spoil


def mark(role, slug, **values):
    """Change our metadata of a cell; None removes a key."""

    def spoil(nb):
        ours = of(nb, role, slug).metadata["runproof"]
        ours.update(values)
        for key in [key for key, value in values.items() if value is None]:
            del ours[key]

    return spoil


def drop(role, slug):
    return lambda nb: nb.cells.remove(of(nb, role, slug))


def twice(role, slug):
    def spoil(nb):
        cell = of(nb, role, slug)
        again = deepcopy(cell)
        again.id = "another"
        nb.cells.insert(nb.cells.index(cell), again)

    return spoil


def silent(role, slug):
    return lambda nb: of(nb, role, slug).update(outputs=[])


def swapped(nb):
    first, second = of(nb, "solution", CODED), of(nb, "check", CODED)
    i, j = nb.cells.index(first), nb.cells.index(second)
    nb.cells[i], nb.cells[j] = second, first


def picture_in_check(nb):
    of(nb, "check", CONCEPT).outputs += of(nb, "picture", CONCEPT).outputs


def without_trap(nb):
    cell = of(nb, "entry", CONCEPT)
    before, _, after = cell.source.partition("**Trap.**")
    cell.source = before + after[after.index("**Follow-up.**") :]


# Reading


def test_an_entry_is_read_whole(nb, tmp_path):
    concept, coded = Chapter(nb, tmp_path / "a.ipynb").entries
    assert (concept.slug, concept.level, concept.kind, concept.topic) == (
        CONCEPT,
        "E",
        "concept",
        "a",
    )
    assert concept.section == coded.section == "A section of the topic"
    assert concept.question == "Why does a sample variance divide by n − 1?"
    assert concept.given == ""
    assert concept.answer.startswith("The point first:")
    assert concept.trap.startswith("Saying that")
    assert concept.follow_up.startswith("*What if the mean is known?*")
    assert concept.code.keys() == {"picture", "check"}
    assert concept.picture.png.startswith(b"\x89PNG")
    assert concept.picture.alt.startswith("A parabola")
    assert concept.checked
    assert coded.given.startswith("Return the positions")
    assert [*coded.code] == ["turn", "cases", "solution", "check"]
    assert coded.answer_code[0].startswith("def two_sum(")
    assert coded.picture is None


MALFORMED = [
    (edit("entry", CONCEPT, "**Answer.**", "Answer."), r"the parts are \('Trap', 'Follow-up'\)"),
    (without_trap, "wanted are"),
    (edit("entry", CONCEPT, "**Answer.**", "Hello. **Answer.**"), "nothing before the first"),
    (edit("entry", CONCEPT, "(E)", "(X)"), "metadata runproof.level is 'E', the text says 'X'"),
    (edit("entry", CONCEPT, f'id="{CONCEPT}"', 'id="Why So"'), "an entry is an anchor"),
    (edit("entry", CONCEPT, "</details>", ""), "an entry is an anchor"),
    (mark("entry", CONCEPT, topic="b"), "runproof.topic is 'b', the text says 'a'"),
    (mark("entry", CONCEPT, kind="cocnept"), "runproof.kind is 'cocnept', allowed are"),
    (mark("entry", CONCEPT, kind=None), "runproof.kind is None, allowed are"),
    (mark("entry", CONCEPT, ids=None), "runproof.ids is None, wanted is a list"),
    (mark("entry", CONCEPT, ids="ch-1"), "runproof.ids is 'ch-1', wanted is a list"),
    (mark("entry", CONCEPT, ids=[1]), r"runproof.ids is \[1\], wanted is a list"),
    (mark("check", CONCEPT, check="nowhere"), "is the check of 'nowhere', but the entry above"),
    (mark("check", CONCEPT, cases=CONCEPT), r"has the roles \['cases', 'check'\]"),
    (twice("check", CONCEPT), r"cells of '.*' are \['picture', 'check', 'check'\], the order is"),
    (swapped, "the order is"),
]


@pytest.mark.parametrize(("spoil", "complaint"), MALFORMED)
def test_a_malformed_entry_is_named(nb, tmp_path, spoil, complaint):
    spoil(nb)
    with pytest.raises(ChapterError, match=rf"a\.ipynb: cell \d+.*({complaint})"):
        _ = Chapter(nb, tmp_path / "a.ipynb").entries


def test_a_level_that_does_not_exist(nb, tmp_path):
    edit("entry", CONCEPT, "(E)", "(X)")(nb)
    mark("entry", CONCEPT, level="X")(nb)
    with pytest.raises(ChapterError, match="the level is 'X', allowed are"):
        _ = Chapter(nb, tmp_path / "a.ipynb").entries


def test_a_slug_is_used_once(nb, tmp_path):
    one = written(tmp_path, nb)
    for cell in nb.cells:
        if "entry" in cell.metadata.get("runproof", {}):
            cell.metadata["runproof"]["topic"] = "b"
    with pytest.raises(ChapterError, match=r"stands in a\.ipynb and in b\.ipynb"):
        read_entries(one, written(tmp_path, nb, "b"))


# The rules of entries


@pytest.fixture
def topic(tmp_path, nb):
    """The folder of a topic that keeps the rules: its plan, and another topic beside it."""
    folder = tmp_path / "interview"
    other = deepcopy(nb)
    other.cells = other.cells[:7]
    of(other, "entry", CONCEPT).metadata["runproof"] |= {"entry": "that", "topic": "b"}
    written(folder, other, "b")
    planned = [
        {"slug": slug, "ids": [], "level": "E", "kind": kind, "check": True}
        for slug, kind in ((CONCEPT, "concept"), (CODED, "code"))
    ]
    (folder / "plan.json").write_text(json.dumps({"a": planned}), encoding="utf-8")
    return folder


def complaints(nb, folder):
    found = rules.check(written(folder, nb))
    return [(c.rule, c.text) for c in found if c.rule.startswith("entry-")]


def fewer_cases(nb):
    cell = of(nb, "cases", CODED)
    cell.source = "\n".join(line for line in cell.source.splitlines() if "name=" not in line)


LONG = "A word or two of sense. " * 60
ENTRY_BAD = [
    ("entry-form", without_trap, "the parts are"),
    ("entry-form", twice("check", CONCEPT), "the order is"),
    ("entry-form", mark("entry", CONCEPT, kind=None), "runproof.kind is None"),
    ("entry-form", twice("entry", CONCEPT), f"has 2 entries '{CONCEPT}'"),
    (
        "entry-form",
        lambda nb: (
            [edit("entry", CONCEPT, f'"{CONCEPT}"', '"that"')(nb)]
            + [mark("entry", CONCEPT, entry="that")(nb)]
            + [mark(role, CONCEPT, **{role: "that"})(nb) for role in ("picture", "check")]
        ),
        "has the entry 'that', as b.ipynb",
    ),
    ("entry-plan", drop("entry", CODED), f"lacks the entry '{CODED}'"),
    ("entry-plan", mark("entry", CONCEPT, ids=["ch-2"]), "has the ids ['ch-2']"),
    ("entry-plan", mark("entry", CONCEPT, kind="compute"), "has the kind 'compute'"),
    ("entry-plan", drop("check", CONCEPT), "has no check, which plan.json asks for"),
    ("entry-words", edit("entry", CONCEPT, "The point first", LONG), "the answer of '"),
    ("entry-words", edit("entry", CONCEPT, "Then divide by $n$: nothing", LONG), "follow-up of"),
    (
        "entry-words",
        edit("entry", CODED, " first and looking up afterwards: in `[3, 5]` with target 6,", ""),
        "the trap of 'two-sum' has",
    ),
    ("entry-traps", edit("entry", CODED, "Storing all", "To store all"), "opens with 'To'"),
    ("entry-links", edit("entry", CODED, "Walk", "[Walk](#that)"), "names no notebook"),
    ("entry-links", edit("entry", CODED, "Walk", "[Walk](b.ipynb#this)"), "leads to b.ipynb#this"),
    ("entry-links", edit("entry", CODED, "Walk", "[Walk](c.ipynb#that)"), "leads to c.ipynb#that"),
    ("entry-labels", edit("check", CONCEPT, "# @title Proof", "# Proof"), "say what it holds"),
    (
        "entry-labels",
        edit("check", CONCEPT, " by enumeration: all 27 samples of three values", ""),
        "say what",
    ),
    (
        "entry-labels",
        edit(
            "check",
            CONCEPT,
            "Proof by enumeration: all 27 samples of three values",
            "Proof by enumeration: all lists of up to five small numbers",
        ),
        "has the label of cell",
    ),
    ("entry-labels", edit("check", CONCEPT, "all 27", "all 2,700"), "a label that tells 2700"),
    ("entry-checks", edit("check", CODED, "assert ", "_ = "), "asserts nothing"),
    ("entry-checks", edit("check", CODED, "assert ", "assert True or "), "asserts nothing"),
    ("entry-checks", silent("check", CODED), "ends in silence"),
    ("entry-pictures", silent("picture", CONCEPT), "shows none"),
    ("entry-pictures", picture_in_check, "draw it in a cell of its own"),
    ("entry-turns", drop("cases", CODED), "of kind code has ['solution', 'turn']"),
    ("entry-turns", mark("entry", CODED, kind="concept"), "to no other"),
    ("entry-turns", edit("turn", CODED, "my_two_sum", "two_sums"), "has no stub"),
    ("entry-turns", edit("turn", CODED, "raise NotImplementedError", "return 1"), "not raise"),
    ("entry-turns", edit("turn", CODED, '"""', "'" * 1), "does not parse"),
    ("entry-turns", edit("turn", CODED, "my_two_sum", "my_sum"), "does not define"),
    ("entry-turns", edit("turn", CODED, "target)", "goal)"), "parameters are not those"),
    ("entry-turns", edit("cases", CODED, "attempt(", "print("), "never call attempt"),
    ("entry-turns", fewer_cases, "has 2 cases, 0 of them named"),
    ("entry-code", edit("entry", CODED, "seen = {}", "seen = dict()"), "code that no cell of it"),
    ("entry-code", edit("entry", CODED, "```python", "```"), "shows no code"),
    ("entry-alone", edit("check", CODED, "from itertools import", "# "), "['combinations', 'prod"),
]
ENTRY_BAD = [bad for bad in ENTRY_BAD if bad[2] != "does not parse"]


@pytest.mark.parametrize(("rule", "spoil", "says"), ENTRY_BAD)
def test_a_bad_entry_gets_the_complaint(nb, topic, rule, spoil, says):
    spoil(nb)
    found = complaints(nb, topic)
    assert any(name == rule and says in text for name, text in found), found


@pytest.mark.parametrize("text", [None, "{}"])
def test_a_topic_that_nobody_planned(nb, topic, text):
    (topic / "plan.json").unlink()
    if text:
        (topic / "plan.json").write_text(text, encoding="utf-8")
    found = dict(complaints(nb, topic))
    assert "is no topic of notebooks/interview/plan.json" in found["entry-plan"]


def test_an_entry_that_nobody_planned(nb, topic):
    plan = json.loads((topic / "plan.json").read_text(encoding="utf-8"))
    (topic / "plan.json").write_text(json.dumps({"a": plan["a"][:1]}), encoding="utf-8")
    assert any(
        f"has the entry '{CODED}', which does not" in text for _, text in complaints(nb, topic)
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda nb: None,
        edit("entry", CODED, "Walk", "[Walk](b.ipynb#that), [or](a.ipynb#two-sum)"),
        edit("check", CONCEPT, "assert len(samples) == 27", "np.testing.assert_equal(27, 27)"),
    ],
)
def test_a_good_entry_gets_none(nb, topic, change):
    change(nb)
    assert complaints(nb, topic) == []


def test_every_entry_rule_has_a_bad_example():
    names = {rule.name for rule in rules.RULES if rule.only == "interview"}
    assert {rule for rule, _, _ in ENTRY_BAD} == names


# The book's entries


def test_the_book_has_entries():
    assert len(ENTRIES) > 180
    planned = json.loads((ROOT / "notebooks/interview/plan.json").read_text(encoding="utf-8"))
    assert set(planned) == set(TITLES)


def test_one_answer_of_four_has_a_picture():
    assert sum(entry.picture is not None for entry in ENTRIES) >= len(ENTRIES) / 4


def test_what_asks_for_code_is_of_kind_code():
    asks = [e.slug for e in ENTRIES if e.question.startswith("Implement") and e.kind != "code"]
    assert asks == []


# Pages and decks


def entry(**changes):
    return replace(
        Entry(
            slug="why-so",
            question="Why `x < 1` | so?",
            given="",
            level="M",
            topic="a",
            section="S",
            kind="concept",
            ids=("c-1",),
            answer="See [that](b.ipynb#that) and $a<b$.\n\n$$\nx & y\n$$",
            trap="No.",
            follow_up="*And?* Yes.",
        ),
        **changes,
    )


def test_index_has_a_row_for_every_entry():
    table = decks.index_table([entry(), entry(slug="other", code={"check": "x"})], {"a": "Letters"})
    head, _, *rows = table.splitlines()
    assert head.count("|") == 6
    assert rows[0] == (
        "| [Why `x < 1` \\| so?](../notebooks/interview/a.ipynb#why-so) "
        "| Letters | medium | concept | no |"
    )
    assert rows[1].endswith("| yes |")


def cards_of(*entries):
    script = decks.data_script(entries, {"a": "Letters"})
    assert "</script>" not in script
    return json.loads(script.removeprefix("window.RUNPROOF = ").rstrip(";\n"))


def test_cards_survive_the_script_that_carries_them():
    data = cards_of(entry(answer="a </script> b"))
    assert data["cards"][0]["question"] == "Why <code>x &lt; 1</code> | so?"
    assert data["levels"] == LEVELS


def test_a_card_shows_what_the_question_gives_and_what_the_answer_draws():
    picture = Picture(b"\x89PNG", 'A "rising" line')
    card = cards_of(entry(given="| 1 | 2 |\n|---|---|\n| 3 | 4 |", picture=picture))["cards"][0]
    assert "<td>3</td>" in card["given"]
    assert card["answer"].endswith(
        '<img src="../_static/answer_why-so.png" alt="A &quot;rising&quot; line">\n'
    )
    assert decks.picture_files([entry(), entry(picture=picture)]) == {
        "answer_why-so.png": b"\x89PNG"
    }


def test_formulas_links_and_code_are_rendered():
    html = decks.answer_html(entry(trap="So:\n\n```python\nx < 1\n```"), "up/", ".html", "")
    assert r"\(a&lt;b\)" in html
    assert "\\[x &amp; y\\]" in html
    assert 'href="up/b.html#that"' in html
    assert '<pre><code class="language-python">x &lt; 1\n</code></pre>' in html


@pytest.fixture(scope="module")
def made():
    return decks.decks(ENTRIES, TITLES)


@pytest.fixture
def notes(made, tmp_path):
    """The notes of the Anki package: (guid, fields, tags)."""
    rows = select("guid, flds, tags", made[decks.DECK], tmp_path)
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
    again = decks.decks(changed, TITLES)[decks.DECK]
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
    dates = [decks.last_change(clone)]
    notebook.write_text("{ }\n", encoding="utf-8")
    os.utime(notebook, (0, 1_800_000_100))
    dates.append(decks.last_change(clone))
    commit(clone, 1_800_000_200)
    dates.append(decks.last_change(clone))
    assert dates == [1_800_000_000, 1_800_000_100, 1_800_000_200]


def test_an_older_file_makes_no_older_deck(clone):
    notebook = clone / "notebooks" / "interview" / "x.ipynb"
    notebook.write_text("{ }\n", encoding="utf-8")
    os.utime(notebook, (0, 1))
    assert decks.last_change(clone) == 1_800_000_000


def test_a_deck_without_a_clone_dates_from_its_files(clone):
    shutil.rmtree(clone / ".git")
    os.utime(clone / "notebooks" / "interview" / "x.ipynb", (0, 1_700_000_000))
    assert decks.last_change(clone) == 1_700_000_000


def test_every_note_carries_the_date(monkeypatch, tmp_path):
    monkeypatch.setattr(decks, "last_change", lambda root: 1_800_000_000)
    deck = decks.decks(ENTRIES, TITLES)[decks.DECK]
    assert set(select("mod", deck, tmp_path)) == {(1_800_000_000,)}


def test_spreadsheet_has_a_row_for_every_entry(made):
    rows = list(csv.DictReader(io.StringIO(made[decks.TABLE].decode())))
    assert [row["slug"] for row in rows] == [e.slug for e in ENTRIES]
    assert all(row["answer"] and row["url"].endswith(f"#{row['slug']}") for row in rows)


def test_decks_are_written(tmp_path):
    decks.write(tmp_path / "new")
    assert {path.name for path in (tmp_path / "new").iterdir()} == {
        decks.DECK,
        decks.TABLE,
    }
