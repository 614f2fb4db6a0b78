"""The generated pages: cards, claims, data and speed, collected from a small book."""

import base64
import json
import re

import nbformat
import pytest

from runproof.ledger import Ledger
from tools import __main__ as command
from tools import pages, tables
from tools.book import ROOT

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
)
TOC = """
format: jb-book
root: book/index
parts:
  - caption: Start here
    chapters:
      - file: book/how_to_use
  - caption: Numbers
    chapters:
      - file: notebooks/tides
      - file: notebooks/kriging
"""
TIMES = {"median": 0.002, "min": 0.0015, "max": 0.25, "runs": 3}
RESULT = {
    "title": "Tides & more",
    "date": "2026-11-20",
    "command": "python benchmarks/bench_tides.py",
    "machine": {
        "cpu": "A <CPU>",
        "cores": 2,
        "memory_gb": 8,
        "python": "3.11.7",
        "packages": {"numpy": "2.4.6"},
    },
    "rows": [
        {
            "case": "one year",
            "ours_s": TIMES,
            "memory_mb": 1234,
            "note": "warm",
            "peers": [
                {"name": "loop", **TIMES, "median": 1.0, "ratio": 500.0},
                {"name": "table", **TIMES, "ratio": 1.0},
            ],
        },
        {"case": "two years", "ours_s": TIMES, "memory_mb": None, "note": "", "peers": []},
    ],
    "targets": [
        {"target": "20x faster", "measured": "500x", "met": True},
        {"target": "under 1 GB", "measured": "1.2 GB", "met": False},
    ],
}


def chapter(title, claims=()):
    """Return a small executed chapter with a picture for its card and a ledger."""
    ledger = Ledger()
    for claim, holds in claims:
        said = {"source": "doodson1921", "where": "Section 2", "stance": "claims"}
        ledger.claim(claim, **said, holds=holds, evidence="measured: 3")
    data, metadata = ledger._repr_mimebundle_()
    picture = {"image/png": base64.b64encode(PNG).decode()}
    card = {
        "runproof": {"card": f"A sentence about {title}."},
        "mystnb": {"image": {"alt": "A line that\nrises"}},
    }
    v4 = nbformat.v4
    shows = v4.new_output("display_data", picture)
    table = v4.new_output("execute_result", data, metadata=metadata, execution_count=2)
    cells = [
        v4.new_markdown_cell(f"# {title}\n\nWhy it matters."),
        v4.new_markdown_cell("## You will build\n\nReading takes 12 minutes."),
        v4.new_code_cell("plot()", metadata=card, outputs=[shows], execution_count=1),
        v4.new_code_cell("ledger", outputs=[table] if claims else [], execution_count=2),
    ]
    facts = {"short": f"Short: {title}", "needs": "sums", "fits": "physics"}
    return v4.new_notebook(cells=cells, metadata={"runproof": facts})


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def book(tmp_path):
    """A book of two chapters, one dataset and one benchmark."""
    write(tmp_path / "_toc.yml", TOC)
    write(tmp_path / "_config.yml", "repository:\n  url: https://github.com/who/what\n")
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "book").mkdir()
    tides = chapter("How high?", [("It rises", True), ("It <falls>", False)])
    nbformat.write(tides, tmp_path / "notebooks" / "tides.ipynb")
    nbformat.write(chapter("Where?"), tmp_path / "notebooks" / "kriging.ipynb")
    card = "# Heights\n\n## Rows\n\n```python\n# a comment\n```\n"
    write(tmp_path / "data" / "heights" / "README.md", card)
    write(tmp_path / "data" / "areas" / "README.md", "# Areas\n")
    write(tmp_path / "benchmarks" / "results" / "tides.json", json.dumps(RESULT))
    return tmp_path


def change(book, name, action):
    """Change a chapter of the book."""
    path = book / "notebooks" / f"{name}.ipynb"
    nb = nbformat.read(path, as_version=4)
    action(nb)
    nbformat.write(nb, path)


# Cards


def test_cards_follow_the_table_of_contents(book):
    grid, pictures = pages.cards_page(book)
    assert re.findall(r"grid-item-card} (.*)", grid) == ["How high?", "Where?"]
    assert ":link: ../notebooks/tides\n:link-type: doc" in grid
    assert ":img-top: _generated/tides.png\n:img-alt: A line that rises\n" in grid
    assert "A sentence about Where?." in grid
    assert pictures == {"tides.png": PNG, "kriging.png": PNG}
    assert grid.count("::::{grid}") == grid.count("\n::::\n") == 1


@pytest.mark.parametrize(
    ("action", "complaint"),
    [
        (lambda nb: nb.cells.clear(), "the first cell must open with an H1"),
        (lambda nb: nb.cells[2].metadata.clear(), "one cell must carry .* found 0"),
        (lambda nb: nb.cells.append(nb.cells[2]), "one cell must carry .* found 2"),
        (lambda nb: nb.cells[2].outputs.clear(), "has no picture"),
        (lambda nb: nb.cells[2].metadata.pop("mystnb"), "has no alt text"),
        (lambda nb: nb.cells[2].metadata.mystnb.image.update(alt=" "), "has no alt text"),
        (lambda nb: nb.cells[0].update(source="Why it matters."), "must open with an H1"),
        (lambda nb: nb.cells[0].update(source="## Where?"), "must open with an H1"),
    ],
)
@pytest.mark.filterwarnings("ignore::nbformat.warnings.DuplicateCellId")
def test_chapter_without_a_card_is_named(book, action, complaint):
    change(book, "kriging", action)
    with pytest.raises(pages.PageError, match=rf"notebooks/kriging\.ipynb: .*{complaint}"):
        pages.cards_page(book)


def test_missing_chapter_is_named(book):
    (book / "notebooks" / "kriging.ipynb").unlink()
    with pytest.raises(pages.PageError, match=r"kriging\.ipynb: it stands in _toc\.yml"):
        pages.cards_page(book)


def test_chapter_that_is_no_notebook_is_named(book):
    write(book / "notebooks" / "kriging.ipynb", "{")
    with pytest.raises(pages.PageError, match=r"kriging\.ipynb: malformed"):
        pages.cards_page(book)


# Claims


def test_ledger_page_counts_and_links(book):
    text = pages.ledger_page(book)
    assert text.startswith("2 statements so far: 1 holds, 1 refuted.\n")
    assert "## [How high?](../notebooks/tides.ipynb)" in text
    assert "It &lt;falls&gt;" in text
    said = '<td>claims: [<a href="cite.html#references">doodson1921</a>] Section 2</td>'
    assert text.count(said) == 2
    assert "Where?" not in text  # a chapter without claims has no section


def test_last_ledger_of_a_chapter_counts(book):
    other = chapter("x", [("Only this", True)]).cells[3]
    change(book, "tides", lambda nb: nb.cells.append(other))
    text = pages.ledger_page(book)
    assert "1 statements so far: 1 holds" in text
    assert "It rises" not in text


def test_malformed_claims_are_named(book):
    def spoil(nb):
        del nb.cells[3].outputs[0].metadata["runproof"]["claims"][0]["verdict"]

    change(book, "tides", spoil)
    with pytest.raises(pages.PageError, match=r"tides\.ipynb: malformed \(KeyError: 'verdict'\)"):
        pages.ledger_page(book)


# Interview entries


def test_malformed_entry_is_named(book):
    write(book / "_toc.yml", f"{TOC}      - file: notebooks/interview/algebra\n")
    text = (
        '<a id="why"></a>\n\n### Why? (E)\n\n<details class="entry">\n<summary>Answer</summary>\n\n'
    )
    v4 = nbformat.v4
    ours = {"entry": "why", "level": "E", "topic": "algebra"}
    entry = v4.new_markdown_cell(f"{text}Because.\n\n</details>", metadata={"runproof": ours})
    (book / "notebooks" / "interview").mkdir()
    path = book / "notebooks" / "interview" / "algebra.ipynb"
    nbformat.write(v4.new_notebook(cells=[v4.new_markdown_cell("# Algebra"), entry]), path)
    complaint = r"notebooks/interview/algebra\.ipynb: cell 2: .*kind is None"
    with pytest.raises(pages.PageError, match=complaint):
        pages.interview_files(book)


# Data and speed


def test_data_page_holds_all_cards_one_level_down(book):
    text = pages.data_page(book)
    assert re.findall(r"^#+ .*", text, re.MULTILINE) == [
        "## Areas",
        "## Heights",
        "### Rows",
        "# a comment",
    ]


def test_speed_page_shows_every_number(book):
    text = pages.speed_page(book)
    assert text.startswith("## Tides & more\n")
    assert "A <CPU>, 2 cores, 8 GB, Python 3.11.7; numpy 2.4.6" in text
    rows = re.findall(r"<tr>(<td>.*?)</tr>", text)
    cells = [re.findall(r"<td>(.*?)</td>", row) for row in rows]
    ours = "2.00 ms<br><small>1.50 to 250</small>"
    assert cells == [
        [
            "one year<br><small>runs: 3</small>",
            ours,
            "loop",
            "1.00 s<br><small>0.00150 to 0.250</small>",
            "500×",
            "1,234 MB",
            "warm",
        ],
        ["one year<br><small>runs: 3</small>", ours, "table", ours, "1.00×", "1,234 MB", "warm"],
        ["two years<br><small>runs: 3</small>", ours, "", "", "", "", ""],
        ["20x faster", "500x", "yes"],
        ["under 1 GB", "1.2 GB", "no"],
    ]
    assert "<caption>Times: Tides &amp; more</caption>" in text


def test_speed_page_of_no_results_is_empty(book):
    (book / "benchmarks" / "results" / "tides.json").unlink()
    assert pages.speed_page(book) == ""


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        json.dumps({key: value for key, value in RESULT.items() if key != "machine"}),
        json.dumps(RESULT | {"rows": [{"case": "x"}]}),
        json.dumps(RESULT | {"rows": [RESULT["rows"][0] | {"ours_s": TIMES | {"min": "fast"}}]}),
        json.dumps(RESULT | {"targets": [{"target": "x"}]}),
    ],
)
def test_malformed_results_are_named(book, text):
    write(book / "benchmarks" / "results" / "tides.json", text)
    with pytest.raises(pages.PageError, match=r"benchmarks/results/tides\.json: malformed"):
        pages.speed_page(book)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (4321.0, "4,321 s"),
        (99.96, "100 s"),
        (12.345, "12.3 s"),
        (0.5, "500 ms"),
        (0.09996, "100 ms"),
        (2.5e-5, "25.0 µs"),
        (3e-9, "3.00 ns"),
    ],
)
def test_seconds_read_well(seconds, text):
    once = {"median": seconds, "min": seconds, "max": seconds, "runs": 1}
    assert pages._timing(once) == f"{text}<br><small>one run</small>"


# Writing


def test_pages_are_written_once(book):
    assert pages.write_pages(book) == 12
    folder = book / "book" / "_generated"
    assert {path.name for path in folder.iterdir()} == {
        "cards.md",
        "data.md",
        "instructors.md",
        "interview_counts.md",
        "interview_index.md",
        "kriging.png",
        "ledger.md",
        "runproof_interview.apkg",
        "runproof_interview.csv",
        "scoreboard_summary.md",
        "scoreboard_tables.md",
        "speed.md",
        "static",
        "tides.png",
    }
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert pages.write_pages(book) == 0
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_only_the_page_that_changed_is_rewritten(book):
    pages.write_pages(book)
    write(book / "data" / "areas" / "README.md", "# Areas of land\n")
    assert pages.write_pages(book) == 1


def test_nothing_is_written_when_something_is_wrong(book):
    write(book / "benchmarks" / "results" / "tides.json", "{")
    with pytest.raises(pages.PageError):
        pages.write_pages(book)
    assert not (book / "book" / "_generated").exists()


def test_command_says_what_is_wrong(book, monkeypatch, capsys):
    monkeypatch.setattr(pages, "write_pages", lambda: pages.cards_page(book))
    (book / "notebooks" / "tides.ipynb").unlink()
    assert command.main(["pages"]) == 1
    assert "error: notebooks/tides.ipynb: it stands" in capsys.readouterr().err


def test_pages_of_this_book_can_be_collected():
    grid, pictures = pages.cards_page()
    chapters = [path for path in pages.toc_notebooks() if path.parent.name == "notebooks"]
    assert len(pictures) == grid.count("grid-item-card") == len(chapters) > 0
    assert all([pages.ledger_page(), pages.data_page(), pages.speed_page()])


def test_new_title_removes_the_built_site(book):
    """Sphinx would leave the old title in the sidebars of pages that did not change."""
    (book / "book").mkdir(exist_ok=True)
    pages.write_pages(book)
    (book / "_build").mkdir()
    pages.write_pages(book)
    assert (book / "_build").is_dir()
    (book / "book" / "_generated" / "cards.md").write_text("old", encoding="utf-8")
    pages.write_pages(book)
    assert not (book / "_build").exists()


# Tables


def test_instructors_read_what_the_chapters_state(book):
    assert tables.instructors(book).splitlines()[2:] == [
        "| [Short: How high?](../notebooks/tides.ipynb) | 12 minutes | sums | physics |",
        "| [Short: Where?](../notebooks/kriging.ipynb) | 12 minutes | sums | physics |",
    ]


def test_the_readme_is_made_from_the_chapters():
    text = (ROOT / tables.README).read_text(encoding="utf-8")
    assert tables.made(text) == text, "run `python -m tools sync`"
    assert {"chapters", "interview"} == {match[2] for match in tables.MARK.finditer(text)}


def test_sync_mends_a_table_and_nothing_else(book):
    write(
        book / "README.md",
        "# T\n\n<!-- chapters: made by `python -m tools sync` -->\nold\n<!-- end -->\n",
    )
    assert tables.sync(book) == [book / "README.md"]
    text = (book / "README.md").read_text(encoding="utf-8")
    assert "| [Short: How high?](notebooks/tides.ipynb) |  | [run](https://colab." in text
    assert "old" not in text
    assert text.startswith("# T\n\n<!-- chapters")
    assert text.endswith("\n<!-- end -->\n")
    assert tables.sync(book) == []
