"""The built site in a real browser: every page in light, in dark, and on a narrow phone."""

import itertools
import re
from pathlib import Path

import pytest
from browsers import HTML, built, no_browser
from playwright.sync_api import TimeoutError

from tools import site_rules
from tools.book import ROOT, toc_notebooks
from tools.chapter import Chapter
from tools.site_rules import MODES, RULES, complaints, find_browser, serve, visit

# Without a site one test is left for each mode, and it fails with the reason.
PAGES = site_rules.site_pages(HTML) or ["book/index.html"]
CHAPTERS = [path.with_suffix(".html").as_posix() for path in toc_notebooks(ROOT)]


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("mode", MODES)
def test_page_keeps_every_rule(contexts, site, mode, path):
    assert complaints(contexts[mode], site, path, mode) == {}


def test_every_chapter_has_a_page():
    assert set(CHAPTERS) <= set(PAGES)


def test_index_leads_to_the_home_page(contexts, site):
    page = contexts["light"].new_page()
    page.goto(f"{site.origin}/")
    page.wait_for_url(f"{site.origin}/book/index.html")
    page.close()


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_search_finds_a_chapter_by_its_title(contexts, site, chapter):
    heading = Chapter.read(ROOT / Path(chapter).with_suffix(".ipynb")).title
    word = max("".join(c if c.isalpha() else " " for c in heading).split(), key=len)
    assert chapter in found_by_search(contexts["light"], site, word)


def test_search_finds_nothing_for_a_word_that_is_nowhere(contexts, site):
    assert found_by_search(contexts["light"], site, "qwxyzzy") == []


def found_by_search(context, site, word):
    """Type a word into the search dialog and return the pages that the search page lists."""
    with visit(context, site, "book/cite.html", MODES["light"]) as seen:
        seen.page.locator(".search-button:visible, .search-button-field:visible").first.click()
        seen.page.locator("dialog[open] input[type=search]").fill(word)
        seen.page.keyboard.press("Enter")
        seen.page.wait_for_url("**/search.html?q=*")
        done = re.compile("finished|did not match")
        seen.page.locator("#search-results .search-summary", has_text=done).wait_for()
        hrefs = seen.page.locator("#search-results ul.search a").evaluate_all(
            "a => a.map(a => a.href)"
        )
        return [
            href.removeprefix(f"{site.origin}/").partition("#")[0].partition("?")[0]
            for href in hrefs
        ]


@pytest.mark.parametrize("mode", MODES)
def test_launch_buttons_open_within_the_window(contexts, site, mode):
    with visit(contexts[mode], site, CHAPTERS[0], MODES[mode]) as seen:
        menu = seen.page.locator(".dropdown-launch-buttons > button")
        if menu.is_visible():  # on a narrow screen; elsewhere the buttons stand in the open
            menu.click()
        for name in ("Colab", "Binder"):
            box = seen.page.get_by_role("link", name=name).bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= MODES[mode].width
        assert site_rules.accessible(seen) == []


def test_phone_menu_lists_the_chapters(contexts, site):
    with visit(contexts["phone"], site, "book/index.html", MODES["phone"]) as seen:
        seen.page.locator(".primary-toggle:visible").first.click()
        for chapter in CHAPTERS:
            seen.page.locator(f"dialog[open] a[href$='{Path(chapter).name}']").wait_for()
        assert site_rules.accessible(seen) == []


def plays(page, media, timeout=30_000):
    """Press play as a keyboard user does, and tell whether time advances."""
    media.scroll_into_view_if_needed()
    media.focus()
    media.press("Space")
    advanced = "media => !media.paused && media.currentTime > 0.2"
    try:
        page.wait_for_function(advanced, arg=media, timeout=timeout)
    except TimeoutError:
        return False
    media.press("Space")
    return media.evaluate("media => media.paused")


def test_every_sound_and_film_plays(contexts, site):
    films = 0
    for chapter in CHAPTERS:
        if not re.search("<audio|<video", (HTML / chapter).read_text(encoding="utf-8")):
            continue
        with visit(contexts["light"], site, chapter, MODES["light"]) as seen:
            for media in seen.page.query_selector_all("audio, video"):
                assert plays(seen.page, media), (
                    f"{chapter}: {media.evaluate('m => m.outerHTML')[:99]}"
                )
                films += media.evaluate("media => media.tagName") == "VIDEO"
    assert films > 0


def test_sound_that_does_not_play_is_found(contexts, bad_site):
    (bad_site.html / "mute.html").write_text(GOOD % '<audio controls src="dot.svg"></audio>')
    with visit(contexts["light"], bad_site, "mute.html", MODES["light"]) as seen:
        assert not plays(seen.page, seen.page.query_selector("audio"), timeout=3_000)


def test_copy_button_copies_the_cell(contexts, site):
    contexts["light"].grant_permissions(["clipboard-read", "clipboard-write"], origin=site.origin)
    with visit(contexts["light"], site, CHAPTERS[0], MODES["light"]) as seen:
        cell = seen.page.locator(".cell_input div.highlight").first
        cell.hover()
        cell.locator("button.copybtn").click()
        copied = seen.page.evaluate("navigator.clipboard.readText()")
        assert copied.split() == cell.locator("pre").inner_text().split()


# For each rule, pages that break this rule and no other.
GOOD = """\
<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A page</title>
<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">
<script>document.documentElement.dataset.theme = localStorage.getItem("theme")</script>
<style>html[data-theme=dark] { background: #111; color: #eee }
html[data-theme=dark] a { color: #9cf }</style></head>
<body><main><h1>A page</h1><p><a href="#top">A link</a></p>%s</main></body></html>"""
PALE = '<p style="background:#fff;color:#bbb">pale</p>'
WIDE = f'<div style="width:900px">{"wide " * 30}</div>'
BAD = [
    ("no_error_in_the_console", GOOD % "<script>nothing()</script>"),
    ("no_error_in_the_console", GOOD % "<script>console.error('oh')</script>"),
    ("no_other_host", GOOD % '<p style="background:url(http://192.0.2.1/x.png)">A dot</p>'),
    ("no_other_host", GOOD % '<script src="https://192.0.2.1/x.js"></script>'),
    ("no_other_host", GOOD % "<script>fetch('https://example.org/x').catch(e => e)</script>"),
    ("nothing_missing", GOOD % '<script src="missing.js"></script>'),
    ("nothing_missing", GOOD % '<video src="missing.mp4" preload="metadata"></video>'),
    ("color_mode", (GOOD % "").replace('localStorage.getItem("theme")', '"sepia"')),
    ("head", (GOOD % "").replace("<h1>A page</h1>", "<h1>One</h1><h1>Two</h1>")),
    ("head", (GOOD % "").replace("<h1>A page</h1>", "")),
    ("math_typeset", GOOD % r'<p class="math">\(x^2\)</p>'),
    (
        "math_typeset",
        GOOD % '<p class="math"><mjx-container><mjx-math></mjx-math></mjx-container></p>',
    ),
    ("math_typeset", GOOD % "<mjx-merror>Undefined control sequence</mjx-merror>"),
    ("math_typeset", GOOD % r"<p>Left as \(x^2\) it was.</p>"),
    ("math_typeset", GOOD % "<p>Sums of $f(2^k t)$, 1946.</p>"),
    ("math_typeset", GOOD % "<p>See {cite}`knuth`.</p>"),
    ("accessible", GOOD % PALE),
    ("accessible", GOOD % f"<details><summary>Solution</summary>{PALE}</details>"),
    ("contrast in dark", (GOOD % "").replace("a { color: #9cf }", "a { color: #333 }")),
    ("accessible in phone", GOOD % f'<div style="overflow-x:auto">{WIDE}</div>'),
    ("no_sideways_scroll", GOOD % WIDE),
    ("no_sideways_scroll", GOOD % f'<div style="overflow:hidden">{WIDE}</div>'),
    ("images", GOOD % '<img alt="" src="dot.svg">'),
    ("images", GOOD % '<img alt="_images/dot.svg" src="dot.svg">'),
    ("images", GOOD % '<img alt="A dot" src="data:image/png;base64,AAAA">'),
    ("links", GOOD % '<a href="nowhere.html">nowhere</a>'),
    ("links", GOOD % '<a href="good.html#nothing">no anchor</a>'),
    ("copy_buttons", GOOD % '<div class="highlight"><pre>x = 1</pre></div>'),
]
DOT = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><circle r="9"/></svg>'
LAUNCH = """<div class="article-header-buttons">
<a href="https://colab.research.google.com/github/who/what/blob/main/notebooks/n.ipynb">Colab</a>
<a href="https://mybinder.org/v2/gh/who/what/main?urlpath=lab/tree/notebooks/n.ipynb">Binder</a>
<a href="../_sources/notebooks/n.ipynb">Download</a></div>"""


@pytest.fixture(scope="module")
def bad_site(tmp_path_factory):
    """Serve the bad pages as the built site is served, next to a repository of their own."""
    root = tmp_path_factory.mktemp("bad")
    html = root / "html"
    for folder in (root / "notebooks", html / "notebooks", html / "_sources" / "notebooks"):
        folder.mkdir(parents=True)
    for file in (root, html / "_sources"):
        (file / "notebooks" / "n.ipynb").write_text("{}")
    (html / "dot.svg").write_text(DOT)
    with serve(html, root, "https://github.com/who/what", "main") as served:
        yield served


def complaints_about(context, site, path, mode, html):
    """Write a page and ask every rule about it, past the browser's cache."""
    (site.html / path).write_text(html)
    return complaints(context, site, f"{path}?{next(FRESH)}", mode)


FRESH = itertools.count()


@pytest.mark.parametrize("mode", MODES)
def test_good_page_has_no_complaint(contexts, bad_site, mode):
    assert complaints_about(contexts[mode], bad_site, "good.html", mode, GOOD % "") == {}


@pytest.mark.parametrize(("rule", "html"), BAD)
def test_bad_page_is_found_by_its_rule(contexts, bad_site, rule, html):
    rule, _, mode = rule.partition(" in ")
    mode = mode or first_mode(rule)
    assert set(complaints_about(contexts[mode], bad_site, "bad.html", mode, html)) == {rule}


def first_mode(name):
    return next(mode for mode, rules in RULES.items() if name in [r.__name__ for r in rules])


def test_good_launch_buttons_pass(contexts, bad_site):
    assert launch_complaints(contexts, bad_site, LAUNCH) == {}


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("blob/main", "blob/master"),
        ("gh/who/what", "gh/who/else"),
        ("lab/tree/notebooks/n.ipynb", "lab/tree/n.ipynb"),
        ("../_sources/notebooks/n.ipynb", "../_sources/notebooks/n.html"),
    ],
)
def test_bad_launch_button_is_found(contexts, bad_site, right, wrong):
    found = launch_complaints(contexts, bad_site, LAUNCH.replace(right, wrong))
    assert "launch_buttons" in found


def test_changed_download_is_found(contexts, bad_site):
    (bad_site.html / "_sources" / "notebooks" / "changed.ipynb").write_text("{ }")
    html = LAUNCH.replace("../_sources/notebooks/n.ipynb", "../_sources/notebooks/changed.ipynb")
    assert set(launch_complaints(contexts, bad_site, html)) == {"launch_buttons"}


def launch_complaints(contexts, site, html):
    return complaints_about(contexts["light"], site, "notebooks/n.html", "light", GOOD % html)


def test_page_that_does_not_load_is_found(contexts, bad_site):
    assert "nothing_missing" in complaints(contexts["light"], bad_site, "absent.html", "light")


def test_every_rule_has_a_bad_page():
    tried = {rule.split()[0] for rule, _ in BAD} | {"launch_buttons"}
    assert tried == {rule.__name__ for rules in RULES.values() for rule in rules}


def test_pages_are_found_on_disk(tmp_path):
    for name in ("index.html", "book/a.html", "notebooks/b.html", "_static/template.html"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert site_rules.site_pages(tmp_path) == ["book/a.html", "notebooks/b.html"]


def test_missing_site_says_what_to_do(tmp_path):
    with pytest.raises(pytest.fail.Exception, match="run `make book` first"):
        built(tmp_path)


def test_browser_is_looked_for_in_order(tmp_path):
    nowhere = {"PATH": str(tmp_path)}
    own = tmp_path / "own"
    assert find_browser(own, nowhere) is None
    own.touch()
    assert find_browser(own, nowhere) == own
    program(tmp_path / "chromium")
    assert find_browser(own, nowhere) == str(tmp_path / "chromium")
    program(tmp_path / "mine")
    assert find_browser(own, nowhere | {"RUNPROOF_BROWSER": "mine"}) == str(tmp_path / "mine")
    with pytest.raises(FileNotFoundError, match="'absent', which is no program"):
        find_browser(own, nowhere | {"RUNPROOF_BROWSER": "absent"})


def program(path):
    path.touch(mode=0o755)


def test_no_browser_is_loud_on_a_laptop_and_fails_in_ci():
    with pytest.raises(pytest.skip.Exception, match="NO BROWSER"):
        no_browser({})
    with pytest.raises(pytest.fail.Exception, match="NO BROWSER"):
        no_browser({"CI": "true"})
