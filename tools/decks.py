"""Make the interview pages' material from the entries: index table, cards, decks."""

import csv
import io
import json
import re
import subprocess
import tempfile
from functools import cache
from html import escape
from pathlib import Path

import genanki
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

from tools.book import ROOT, address, is_interview, site, toc_notebooks
from tools.chapter import LEVELS, Chapter, read_entries

#: Fixed for good: Anki recognizes a card that changed by these and by its note's id.
DECK_ID, MODEL_ID = 1_987_204_611, 1_532_907_348

DECK, TABLE, DATA = "runproof_interview.apkg", "runproof_interview.csv", "interview_data.js"


def notebooks(root=ROOT):
    """Return the paths of the interview notebooks, in reading order."""
    return [root / path for path in toc_notebooks(root) if is_interview(path)]


def topics(root=ROOT):
    """Return the topics as {stem of the notebook: title}, in reading order."""
    return {path.stem: Chapter.read(path).title.split(":")[0] for path in notebooks(root)}


def all_entries(root=ROOT):
    """Return the entries of all topics, in reading order."""
    return read_entries(*notebooks(root))


def index_table(entries, titles):
    """Return all entries as one Markdown table, each row linked to its anchor."""
    rows = [
        f"| [{_cell(e.question)}](../notebooks/interview/{e.topic}.ipynb#{e.slug}) "
        f"| {titles[e.topic]} | {LEVELS[e.level]} | {e.kind} | {'yes' if e.checked else 'no'} |"
        for e in entries
    ]
    head = ["| Question | Topic | Level | Kind | Check |", "|---|---|---|---|---|"]
    return "\n".join([*head, *rows]) + "\n"


def counts_line(entries, titles):
    """Say how many entries there are."""
    checks = sum("check" in e.code for e in entries)
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
            "check": e.checked,
            "question": inline_html(e.question),
            "given": block_html(e.given),
            "answer": answer_html(e, "../notebooks/interview/", ".html", "../_static/"),
        }
        for e in entries
    ]
    data = {"topics": titles, "levels": LEVELS, "cards": cards}
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
    return f"window.RUNPROOF = {text};\n"


def answer_html(entry, base, suffix, pictures):
    """Return an answer as HTML: links led to the site, its picture taken from a folder."""
    parts = [
        f"**Answer.** {entry.answer}",
        f"**Trap.** {entry.trap}",
        f"**Follow-up.** {entry.follow_up}",
    ]
    html = re.sub(
        r'href="(\w+)\.ipynb(#[\w-]+)?"',
        lambda m: f'href="{base}{m[1]}{suffix}{m[2] or ""}"',
        block_html("\n\n".join(parts)),
    )
    if entry.picture:
        html += f'<img src="{pictures}{picture_name(entry)}" alt="{escape(entry.picture.alt)}">\n'
    return html


def picture_name(entry):
    """Return the file name of an answer's picture, in pages and decks."""
    return f"answer_{entry.slug}.png"


def picture_files(entries):
    """Return the pictures of all answers as {file name: bytes}."""
    return {picture_name(e): e.picture.png for e in entries if e.picture}


def block_html(markdown):
    """Return Markdown as HTML."""
    return _markdown().render(markdown)


def inline_html(markdown):
    """Return one line of Markdown as HTML without a paragraph around it."""
    return _markdown().renderInline(markdown)


def decks(entries, titles, root=ROOT):
    """Return the Anki deck and the CSV file as {name: bytes}."""
    base = f"{site(address(root))}/notebooks/interview/"
    deck = _anki(entries, titles, base, last_change(root))
    return {DECK: deck, TABLE: _csv(entries, titles, base)}


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


def _cell(text):
    return text.replace("|", "\\|")


@cache
def _markdown():
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    return parser.use(dollarmath_plugin, renderer=_math)


def _math(content, options):
    content = escape(content, quote=False)
    return rf"\[{content}\]" if options["display_mode"] else rf"\({content}\)"


def _anki(entries, titles, base, date):
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
        url = f"{base}{e.topic}.html#{e.slug}"
        source = f'<a href="{url}">{escape(titles[e.topic])}, {LEVELS[e.level]}</a>'
        note = genanki.Note(
            model=model,
            fields=[
                inline_html(e.question) + block_html(e.given),
                answer_html(e, base, ".html", ""),
                source,
            ],
            tags=[f"topic::{e.topic}", f"level::{LEVELS[e.level]}", f"kind::{e.kind}"],
            guid=genanki.guid_for("runproof", e.slug),
        )
        deck.add_note(note)
    package = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder:
        pictures = picture_files(entries)
        for name, png in pictures.items():
            Path(folder, name).write_bytes(png)
        files = [Path(folder, name) for name in pictures]
        genanki.Package(deck, media_files=files).write_to_file(package, timestamp=float(date))
    return package.getvalue()


def _csv(entries, titles, base):
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["slug", "question", "answer", "topic", "level", "kind", "url"])
    for e in entries:
        answer = f"{e.answer}\n\nTrap. {e.trap}\n\nFollow-up. {e.follow_up}"
        url = f"{base}{e.topic}.html#{e.slug}"
        level = LEVELS[e.level]
        question = f"{e.question}\n\n{e.given}".strip()
        writer.writerow([e.slug, question, answer, titles[e.topic], level, e.kind, url])
    return text.getvalue().encode()


def write(folder, root=ROOT):
    """Write the decks into a folder."""
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    for name, content in decks(all_entries(root), topics(root), root).items():
        (target / name).write_bytes(content)
