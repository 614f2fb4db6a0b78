"""Make the interview pages' material from the entries: index table, cards, decks.

``python -m tools.interview FOLDER`` writes the Anki deck and the CSV file into a folder.
"""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from functools import cache
from html import escape
from pathlib import Path

import genanki
import nbformat
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

from runproof.interview import LEVELS, notebook_entries
from tools.cells import ROOT
from tools.repo import address, spellings

#: Fixed for good: Anki recognizes a card that changed by these and by its note's id.
DECK_ID, MODEL_ID = 1_987_204_611, 1_532_907_348

DECK, TABLE, DATA = "runproof_interview.apkg", "runproof_interview.csv", "interview_data.js"


def topics(paths, root=ROOT):
    """Return the interview notebooks among these paths as {topic: title}, in their order."""
    return {path.stem: _topic_title(root / path) for path in paths if is_interview(path)}


def is_interview(path):
    """Say whether a notebook is one of the interview book."""
    return path.parent.name == "interview"


def all_entries(paths, root=ROOT):
    """Return the entries of the notebooks, in reading order."""
    return [e for path in paths if is_interview(path) for e in notebook_entries(root / path)]


def index_table(entries, titles):
    """Return all entries as one Markdown table, each row linked to its anchor."""
    rows = [
        f"| [{_cell(e.question)}](../notebooks/interview/{e.topic}.ipynb#{e.slug}) "
        f"| {titles[e.topic]} | {LEVELS[e.level]} | {e.kind} | {'yes' if e.checks else 'no'} |"
        for e in entries
    ]
    head = ["| Question | Topic | Level | Kind | Check |", "|---|---|---|---|---|"]
    return "\n".join([*head, *rows]) + "\n"


def counts_line(entries, titles):
    """Say how many entries there are."""
    checks = sum(bool(e.checks) for e in entries)
    return f"{len(entries)} questions in {len(titles)} topics; {checks} answers have a check."


def data_script(entries, titles):
    """Return the script that hands the cards to the practice and mock pages.

    A script and not a JSON file: pages opened from disk may load scripts, but not fetch files.
    """
    cards = [
        {
            "slug": e.slug,
            "url": f"../notebooks/interview/{e.topic}.html#{e.slug}",
            "topic": e.topic,
            "level": e.level,
            "kind": e.kind,
            "check": bool(e.checks),
            "question": inline_html(e.question),
            "answer": answer_html(e, "../notebooks/interview/", ".html"),
        }
        for e in entries
    ]
    data = {"topics": titles, "levels": LEVELS, "cards": cards}
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
    return f"window.RUNPROOF = {text};\n"


def answer_html(entry, base, suffix):
    """Return answer, trap and follow-up as HTML, links to notebooks pointed to the site."""
    parts = [
        f"**Answer.** {entry.answer}",
        f"**Trap.** {entry.trap}",
        f"**Follow-up.** {entry.follow_up}",
    ]
    html = _markdown().render("\n\n".join(parts))
    return re.sub(
        r'href="(\w+)\.ipynb(#[\w-]+)?"',
        lambda m: f'href="{base}{m[1]}{suffix}{m[2] or ""}"',
        html,
    )


def inline_html(markdown):
    """Return one line of Markdown as HTML without a paragraph around it."""
    return _markdown().renderInline(markdown)


def decks(entries, titles, root=ROOT):
    """Return the Anki deck and the CSV file as {name: bytes}."""
    site = f"{spellings(address(root))[-1]}/notebooks/interview/"
    deck = _anki(entries, titles, site, last_change(root))
    return {DECK: deck, TABLE: _csv(entries, titles, site)}


def last_change(root=ROOT):
    """Return when the book changed last, in seconds since 1970.

    Anki takes a note that it knows only from a newer deck. The date is the last commit's, so
    that one commit makes one deck; an answer that is not committed yet dates from its file.
    """
    committed = _git(root, "log", "-1", "--format=%ct")
    folder = Path("notebooks", "interview")
    if committed and not _git(root, "status", "--porcelain", "--", folder):
        return int(committed)
    saved = [path.stat().st_mtime for path in (root / folder).glob("*.ipynb")]
    return int(max([*saved, float(committed or 0)]))


def _git(root, *arguments):
    """Return what git prints; nothing where there is no git or no clone."""
    try:
        done = subprocess.run(["git", "-C", root, *arguments], capture_output=True, text=True)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _topic_title(path):
    first = nbformat.read(path, as_version=4).cells[0].source
    return re.match(r"# ([^:\n]+)", first)[1].strip()


def _cell(text):
    return text.replace("|", "\\|")


@cache
def _markdown():
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    return parser.use(dollarmath_plugin, renderer=_math)


def _math(content, options):
    content = escape(content, quote=False)
    return rf"\[{content}\]" if options["display_mode"] else rf"\({content}\)"


def _anki(entries, titles, site, date):
    model = genanki.Model(
        MODEL_ID,
        "Runproof interview",
        fields=[{"name": name} for name in ("Question", "Answer", "Source")],
        templates=[
            {
                "name": "Card",
                "qfmt": "{{Question}}",
                "afmt": '{{FrontSide}}<hr id="answer">{{Answer}}<p><small>{{Source}}</small></p>',
            }
        ],
        css=".card { font: 18px/1.5 sans-serif; text-align: left; max-width: 42em; margin: auto }",
    )
    deck = genanki.Deck(DECK_ID, "Runproof interview")
    for e in entries:
        url = f"{site}{e.topic}.html#{e.slug}"
        source = f'<a href="{url}">{escape(titles[e.topic])}, {LEVELS[e.level]}</a>'
        note = genanki.Note(
            model=model,
            fields=[inline_html(e.question), answer_html(e, site, ".html"), source],
            tags=[f"topic::{e.topic}", f"level::{LEVELS[e.level]}", f"kind::{e.kind}"],
            guid=genanki.guid_for("runproof", e.slug),
        )
        deck.add_note(note)
    package = io.BytesIO()
    genanki.Package(deck).write_to_file(package, timestamp=float(date))
    return package.getvalue()


def _csv(entries, titles, site):
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["slug", "question", "answer", "topic", "level", "kind", "url"])
    for e in entries:
        answer = f"{e.answer}\n\nTrap. {e.trap}\n\nFollow-up. {e.follow_up}"
        url = f"{site}{e.topic}.html#{e.slug}"
        level = LEVELS[e.level]
        writer.writerow([e.slug, e.question, answer, titles[e.topic], level, e.kind, url])
    return text.getvalue().encode()


def main(folder, root=ROOT):
    """Write the decks into a folder."""
    from tools.pages import toc_notebooks

    paths = toc_notebooks(root)
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    for name, content in decks(all_entries(paths, root), topics(paths, root), root).items():
        (target / name).write_bytes(content)


if __name__ == "__main__":
    main(*sys.argv[1:])
