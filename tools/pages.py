"""Write the pages that are collected from the book itself, before the site is built.

They are made of the notebooks, the data cards and the stored benchmark
results, and writes Markdown and pictures into ``book/_generated``, which pages under
``book/`` include. A file is touched only when its content changes, so that an unchanged
book rebuilds in seconds.
"""

import json
import re
import shutil
from contextlib import contextmanager
from html import escape
from pathlib import Path

from runproof.html import header, table
from runproof.ledger import html_table
from tools import decks, scoreboard, tables
from tools.book import ROOT, is_interview, toc_notebooks
from tools.chapter import Chapter, ChapterError


class PageError(ValueError):
    """Something that a page is collected from is missing or malformed."""


@contextmanager
def about(path):
    """Name the file in whatever goes wrong while it is read."""
    try:
        yield
    except (PageError, ChapterError) as error:
        said = str(error).removeprefix(f"{Path(path).name}: ")
        raise PageError(f"{path}: {said}") from error
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise PageError(f"{path}: malformed ({type(error).__name__}: {error})") from error


def cards_page(root=ROOT):
    """Return the card grid as Markdown, and the pictures it shows by file name."""
    blocks, pictures = [], {}
    for path in toc_notebooks(root):
        if is_interview(path):
            continue  # they share one card on the home page
        with about(path):
            chapter = Chapter.read(root / path)
            head, card = chapter.title, chapter.card
        pictures[f"{path.stem}.png"] = card.picture.png
        alt = " ".join(card.picture.alt.split())
        blocks.append(
            f":::{{grid-item-card}} {head}\n:link: ../{path.with_suffix('')}\n:link-type: doc\n"
            f":img-top: _generated/{path.stem}.png\n:img-alt: {alt}\n\n"
            f"{card.sentence}\n:::"
        )
    grid = "::::{grid} 1 1 2 2\n:gutter: 3\n\n" + "\n\n".join(blocks) + "\n::::\n"
    return grid, pictures


def ledger_page(root=ROOT):
    """Return the claims of all chapters as Markdown, one table per chapter."""
    sections, verdicts = [], []
    for path in toc_notebooks(root):
        with about(path):
            chapter = Chapter.read(root / path)
            if claims := chapter.claims:
                verdicts += [row["verdict"] for row in claims]
                table = _link_sources(html_table(claims, caption=f"Claims of: {chapter.title}"))
                sections.append(f"## [{chapter.title}](../{path})\n\n{table}\n")
    counts = {verdict: verdicts.count(verdict) for verdict in dict.fromkeys(verdicts)}
    summary = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
    return f"{len(verdicts)} statements so far: {summary}.\n\n" + "\n".join(sections)


def data_page(root=ROOT):
    """Return all data cards as Markdown, each one section."""
    cards = sorted((root / "data").glob("*/README.md"))
    return "\n\n".join(_demote(path.read_text(encoding="utf-8").strip()) for path in cards) + "\n"


def speed_page(root=ROOT):
    """Return the stored benchmark results as Markdown, one section per file."""
    sections = []
    for path in sorted((root / "benchmarks" / "results").glob("*.json")):
        with about(path.relative_to(root)):
            sections.append(_benchmark(json.loads(path.read_text(encoding="utf-8"))))
    return "\n".join(sections)


def scoreboard_page(root=ROOT):
    """Return the texts of the Scoreboard page, and the pictures it shows, by file name."""
    with about(scoreboard.RESULTS):
        return scoreboard.pages(root)


def interview_files(root=ROOT):
    """Return what the interview pages show, as {name: text or bytes}.

    These are their Markdown, the script with the cards, and the pictures of the answers.
    """
    paths = [path for path in toc_notebooks(root) if is_interview(path)]
    for path in paths:
        with about(path):
            Chapter.read(root / path).entries  # noqa: B018 - complains if one is malformed
    entries, titles = decks.all_entries(root), decks.topics(root)
    return {
        "interview_index.md": decks.index_table(entries, titles),
        "interview_counts.md": decks.counts_line(entries, titles) + "\n",
        f"static/{decks.DATA}": decks.data_script(entries, titles),
        **{f"static/{name}": png for name, png in decks.picture_files(entries).items()},
    }


def write_pages(root=ROOT):
    """Write every generated page; return the number of files that changed.

    When a card changes, a title may have: the built site is removed, because Sphinx would
    leave the old title in the sidebar of every page that did not change.
    """
    grid, pictures = cards_page(root)
    scores, scatter = scoreboard_page(root)
    texts = {
        "cards.md": grid,
        "ledger.md": ledger_page(root),
        "data.md": data_page(root),
        "speed.md": speed_page(root),
        "instructors.md": tables.instructors(root),
    }
    texts |= scores | interview_files(root)
    files = pictures | scatter | texts
    folder = root / "book" / "_generated"
    (folder / "static").mkdir(parents=True, exist_ok=True)
    changed = [name for name, content in files.items() if _write_if_changed(folder / name, content)]
    missing = [n for n in (decks.DECK, decks.TABLE) if not (folder / n).is_file()]
    if missing or f"static/{decks.DATA}" in changed:
        decks.write(folder, root)
    if "cards.md" in changed:
        shutil.rmtree(root / "_build", ignore_errors=True)
    return len(changed)


def _link_sources(table):
    """Let each source of a ledger lead to the references."""
    link = r'\1<a href="cite.html#references">\2</a>]'
    return re.sub(r"(<td>(?:claims|asks|warns): \[)(\w+)\]", link, table)


def _demote(markdown):
    """Move every heading one level down, outside code fences."""
    lines, fenced = [], False
    for line in markdown.splitlines():
        fenced ^= line.startswith("```")
        lines.append(f"#{line}" if line.startswith("#") and not fenced else line)
    return "\n".join(lines)


def _unit(value):
    """Return the factor and the name of the unit in which a number of seconds reads best."""
    units = ((1, "s"), (1e3, "ms"), (1e6, "µs"))
    return next((unit for unit in units if value * unit[0] >= 1), (1e9, "ns"))


def _three_digits(value):
    """Three significant digits without an exponent."""
    return f"{value:,.0f}" if value >= 99.95 else f"{value:#.3g}"


def _benchmark(result):
    machine = result["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    return "\n".join(
        [
            f"## {result['title']}\n",
            f"Measured {result['date']} on {machine['cpu']}, {machine['cores']} cores, "
            f"{machine['memory_gb']} GB, Python {machine['python']}; {packages}. "
            f"Command: `{result['command']}`.\n",
            _table(
                ["Case", "Ours", "Against", "Its time", "Ratio", "Memory", "Note"],
                [row for case in result["rows"] for row in _case_rows(case)],
                f"Times: {result['title']}",
            ),
            _table(
                ["Target", "Measured", "Met"],
                [
                    [escape(t["target"]), escape(t["measured"]), "yes" if t["met"] else "no"]
                    for t in result["targets"]
                ],
                f"Targets: {result['title']}",
            ),
        ]
    )


def _case_rows(case):
    ours = _timing(case["ours_s"])
    memory = f"{case['memory_mb']:,.0f} MB" if case.get("memory_mb") else ""
    peers = case["peers"] or [None]
    for peer in peers:
        against = ["", "", ""]
        if peer:
            against = [escape(peer["name"]), _timing(peer), f"{_three_digits(peer['ratio'])}×"]
        yield [
            f"{escape(case['case'])}<br><small>runs: {case['ours_s']['runs']}</small>",
            ours,
            *against,
            memory,
            escape(case.get("note") or ""),
        ]


def _timing(t):
    factor, unit = _unit(t["median"])
    median, low, high = (_three_digits(t[key] * factor) for key in ("median", "min", "max"))
    spread = f"{low} to {high}" if t["runs"] > 1 else "one run"
    return f"{median} {unit}<br><small>{spread}</small>"


def _table(names, rows, caption):
    body = "".join("<tr>" + "".join(f"<td>{x}</td>" for x in row) + "</tr>" for row in rows)
    return table("runproof-speed", caption, header(names), body, kind="table") + "\n"


def _write_if_changed(path, content):
    content = content.encode() if isinstance(content, str) else content
    if path.is_file() and path.read_bytes() == content:
        return False
    path.write_bytes(content)
    return True
