"""The index, the flash cards and the mock interview, used as a reader uses them."""

import json
import re

import pytest
from browsers import HTML

from tools.site_rules import MODES, new_context, visit

INDEX, PRACTICE, MOCK = "book/interview.html", "book/practice.html", "book/mock_interview.html"
KEY = "runproof.practice.1"


@pytest.fixture
def context(browser):
    """A browser window without a past."""
    context = new_context(browser, MODES["light"])
    context.grant_permissions([])
    yield context
    context.close()


@pytest.fixture
def open_page(context, site):
    """Return a function that opens a page of the site and checks that no script failed."""
    visits = []

    def open_page(path):
        visits.append(visit(context, site, path, MODES["light"]))
        seen = visits[-1].__enter__()
        pages.append(seen)
        return seen.page

    pages = []
    yield open_page
    errors = [error for seen in pages for error in seen.errors]
    for one in visits:
        one.__exit__(None, None, None)
    assert errors == []


def cards():
    text = (HTML / "_static" / "interview_data.js").read_text(encoding="utf-8")
    return json.loads(text.removeprefix("window.RUNPROOF = ").rstrip(";\n"))["cards"]


def status(page):
    return page.locator(".iv-status[role=status]").first.inner_text()


def stored(page):
    return json.loads(page.evaluate(f"localStorage.getItem('{KEY}')") or "{}")


# Index


def shown(page):
    return page.locator(".bd-article tbody tr:visible")


def test_index_lists_every_entry(open_page):
    page = open_page(INDEX)
    assert shown(page).count() == len(cards())
    assert status(page) == f"{len(cards())} of {len(cards())} questions shown."


def test_index_filters_by_level_topic_and_words(open_page):
    page = open_page(INDEX)
    page.get_by_label("Level").select_option("easy")
    assert shown(page).count() == sum(card["level"] == "E" for card in cards())
    page.get_by_label("Topic").select_option(index=1)
    topic = cards()[0]["topic"]
    wanted = [c for c in cards() if c["level"] == "E" and c["topic"] == topic]
    assert shown(page).count() == len(wanted)
    page.get_by_role("button", name="Clear").click()
    assert shown(page).count() == len(cards())
    page.get_by_label("Words").fill("DOT product")
    assert 0 < shown(page).count() < len(cards())
    page.get_by_label("Words").fill("qwxyzzy")
    assert shown(page).count() == 0
    assert status(page).startswith("0 of")


def test_index_leads_to_the_answer(open_page):
    page = open_page(INDEX)
    page.get_by_label("Words").focus()
    page.keyboard.type("dot product")
    shown(page).first.get_by_role("link").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/notebooks/interview/linear_algebra.html#*")
    anchor = page.url.partition("#")[2]
    assert (
        page.evaluate("id => document.getElementById(id).getBoundingClientRect().top", anchor) < 300
    )


def test_answers_fold_open(context, site):
    page = context.new_page()
    page.goto(f"{site.origin}/notebooks/interview/linear_algebra.html")
    details = page.locator("details.entry").first
    assert not details.get_by_text("Trap.").is_visible()
    details.locator("summary").focus()
    page.keyboard.press("Enter")
    assert details.get_by_text("Trap.").is_visible()


# Practice


def test_a_card_moves_up_and_comes_back_later(open_page):
    page = open_page(PRACTICE)
    first = cards()[0]
    assert page.locator(".iv-answer").count() == 0
    page.keyboard.press("Space")
    page.locator(".iv-answer").wait_for()
    page.keyboard.press("3")
    saved = stored(page)
    assert saved[first["slug"]]["box"] == 1
    days = page.evaluate("due => (due - Date.now()) / 864e5", saved[first["slug"]]["due"])
    assert 0.99 < days < 1.01
    assert f"{len(cards()) - 1} new" in status(page)


def test_a_missed_card_starts_again(open_page):
    page = open_page(PRACTICE)
    slug = cards()[0]["slug"]
    page.evaluate(
        "([key, slug]) => localStorage.setItem(key, JSON.stringify({[slug]: {box: 4, due: 1}}))",
        [KEY, slug],
    )
    page.reload()
    assert "1 due" in status(page)
    page.get_by_role("button", name="Show the answer").click()
    page.get_by_role("button", name="Again (soon)").click()
    assert stored(page)[slug]["box"] == 1
    assert "1 due" in status(page)


def test_cards_are_drawn_by_topic_and_level(open_page):
    page = open_page(PRACTICE)
    page.get_by_label("Level").select_option("M")
    topic = cards()[0]["topic"]
    page.get_by_label("Topic").select_option(topic)
    wanted = [c for c in cards() if c["level"] == "M" and c["topic"] == topic]
    assert status(page).startswith(f"{len(wanted)} cards chosen")
    assert "medium" in page.locator(".iv-about").inner_text()


def test_progress_travels_as_a_file(open_page, tmp_path):
    page = open_page(PRACTICE)
    page.keyboard.press("Space")
    page.keyboard.press("3")
    before = stored(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Save to a file").click()
    download.value.save_as(tmp_path / "progress.json")
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Forget everything").click()
    assert stored(page) == {}
    page.get_by_label("Load from a file").set_input_files(tmp_path / "progress.json")
    page.get_by_text("Progress of 1 cards loaded").wait_for()
    assert stored(page) == before


GOOD = {"box": 2, "due": 1}


@pytest.mark.parametrize(
    ("text", "kept", "said"),
    [
        (json.dumps({"a": GOOD, "b": {"box": 6, "due": 1}}), ["a"], "1 card could not be read"),
        (json.dumps({"a": GOOD, "b": {"box": 0, "due": 1}}), ["a"], "1 card could not be read"),
        (json.dumps({"a": {"box": "2", "due": 1}, "b": GOOD}), ["b"], "1 card could not be read"),
        (json.dumps({"a": {"box": 2, "due": None}, "b": GOOD}), ["b"], "1 card could not"),
        (json.dumps({"a": None, "b": 3, "c": GOOD}), ["c"], "2 cards could not be read"),
        ("[]", [], "The stored cards could not be read"),
        ("null", [], "The stored cards could not be read"),
        ('{"a": {"box": 2', [], "The stored cards could not be read"),
    ],
)
def test_broken_progress_is_set_aside_and_the_rest_stays(open_page, tmp_path, text, kept, said):
    page = open_page(PRACTICE)
    page.evaluate("([key, text]) => localStorage.setItem(key, text)", [KEY, text])
    page.reload()
    assert said in status(page)
    assert "keeps no data" not in status(page)
    page.reload()  # and again, without a second copy
    page.keyboard.press("Space")
    page.keyboard.press("3")
    assert set(kept) < set(stored(page))
    assert len(stored(page)) == len(kept) + 1
    assert page.evaluate(f"JSON.parse(localStorage.getItem('{KEY}.aside'))") == [text]
    with page.expect_download() as download:
        page.get_by_role("button", name="Save to a file").click()
    download.value.save_as(tmp_path / "progress.json")
    saved = json.loads((tmp_path / "progress.json").read_text(encoding="utf-8"))
    assert saved["aside"] == [text]
    page.reload()
    assert "could not be read" not in status(page)


def test_unreadable_progress_is_not_overwritten_where_it_cannot_be_set_aside(open_page):
    page = open_page(PRACTICE)
    page.evaluate(f"localStorage.setItem('{KEY}', '[]')")
    page.add_init_script(
        """const set = Storage.prototype.setItem;
        Storage.prototype.setItem = function (key, value) {
            if (key.startsWith("runproof.")) throw new Error("full");
            set.call(this, key, value);
        };"""
    )
    page.reload()
    assert "This browser keeps no data" in status(page)
    page.keyboard.press("Space")
    page.keyboard.press("3")
    assert page.evaluate(f"localStorage.getItem('{KEY}')") == "[]"


def test_a_browser_that_was_full_once_keeps_the_next_grade(open_page):
    page = open_page(PRACTICE)
    page.evaluate(
        """() => {
            const set = Storage.prototype.setItem;
            Storage.prototype.setItem = function () {
                Storage.prototype.setItem = set;
                throw new Error("full");
            };
        }"""
    )
    for grades, message in ((0, True), (2, False)):
        page.keyboard.press("Space")
        page.keyboard.press("3")
        assert len(stored(page)) == grades
        assert ("keeps no data" in status(page)) == message


def test_what_was_set_aside_before_is_kept(open_page):
    page = open_page(PRACTICE)
    page.evaluate(f"localStorage.setItem('{KEY}', 'x'); localStorage.setItem('{KEY}.aside', 'y')")
    page.reload()
    assert page.evaluate(f"JSON.parse(localStorage.getItem('{KEY}.aside'))") == ["y", "x"]


def test_a_file_with_a_broken_card_is_refused(open_page, tmp_path):
    page = open_page(PRACTICE)
    broken = {"a": GOOD, "b": {"box": 6, "due": 1}}
    text = json.dumps({"what": KEY, "cards": broken})
    (tmp_path / "broken.json").write_text(text, encoding="utf-8")
    page.get_by_label("Load from a file").set_input_files(tmp_path / "broken.json")
    page.get_by_text("1 card in it could not be read").wait_for()
    assert stored(page) == {}


@pytest.mark.parametrize(
    "text", ["not json", "[]", '{"what": "x"}', '{"cards": {"a": {"box": 99}}}']
)
def test_a_wrong_file_changes_nothing(open_page, tmp_path, text):
    page = open_page(PRACTICE)
    page.keyboard.press("Space")
    page.keyboard.press("2")
    before = stored(page)
    (tmp_path / "wrong.json").write_text(text)
    page.get_by_label("Load from a file").set_input_files(tmp_path / "wrong.json")
    page.get_by_text("The file was not loaded").wait_for()
    assert stored(page) == before


def test_print_view_has_every_chosen_card(open_page):
    page = open_page(PRACTICE)
    page.evaluate("window.print = () => { window.printed = true; }")
    page.get_by_label("Level").select_option("E")
    page.get_by_role("button", name="Print these cards").click()
    page.wait_for_function("window.printed")
    page.emulate_media(media="print")
    easy = sum(card["level"] == "E" for card in cards())
    assert page.locator(".iv-print article:visible").count() == easy
    assert page.get_by_role("button", name="Print these cards").count() == 0
    page.emulate_media(media="screen")


@pytest.mark.parametrize("path", [PRACTICE, MOCK])
def test_pages_work_from_disk(context, path):
    page = context.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((HTML / path).as_uri())
    page.locator("#iv-level").wait_for()
    assert page.locator("#iv-level option").count() == 4
    assert errors == []


# Mock interview


def interview(page, minutes=25, seed=7, role="data scientist"):
    """Go through an interview with the keyboard; return the questions asked."""
    page.get_by_label("Role").select_option(role)
    page.get_by_label("Minutes").fill(str(minutes))
    page.get_by_label("Seed").fill(str(seed))
    page.keyboard.press("Enter")
    asked = []
    while page.locator("#iv-next").count():
        asked.append(page.locator(".iv-question").inner_text())
        assert re.fullmatch(r"0:\d\d of about [358]:00", page.locator(".iv-timer").inner_text())
        assert page.locator(".iv-answer").count() == 0
        page.locator("#iv-next").focus()
        page.keyboard.press("Enter")
    return asked


def test_a_seed_asks_the_same_questions(open_page):
    page = open_page(MOCK)
    first = interview(page)
    page.get_by_role("button", name="New interview").click()
    assert interview(page) == first
    page.get_by_role("button", name="New interview").click()
    assert interview(page, seed=8) != first


def test_questions_fit_the_time_and_are_balanced(open_page):
    page = open_page(MOCK)
    asked = interview(page, minutes=60, role="machine-learning engineer")
    rows = page.locator(".iv-scroll > table > tbody > tr")
    assert rows.count() == len(asked) == len(set(asked)) >= 60 // 8
    topics = [rows.nth(i).locator("td").nth(1).inner_text() for i in range(rows.count())]
    everything = {card["topic"] for card in cards()}
    assert len(set(topics)) >= min(5, len(everything))


def test_the_sheet_adds_up(open_page):
    page = open_page(MOCK)
    asked = interview(page)
    for i, box in enumerate(page.get_by_label(re.compile("Your grade for question")).all()):
        box.select_option("2" if i else "1")
    want = f"{len(asked)} of {len(asked)} graded: {2 * len(asked) - 1} of {2 * len(asked)} points."
    assert page.get_by_text(want).is_visible()
    answer = page.locator("tbody details").first
    answer.locator("summary").click()
    assert answer.get_by_text("Trap.").is_visible()


def test_too_little_time_is_said(open_page):
    page = open_page(MOCK)
    page.get_by_label("Level").select_option("H")
    page.get_by_label("Minutes").fill("5")
    page.get_by_role("button", name="Start").click()
    assert page.get_by_text("No question of this level fits").is_visible()
