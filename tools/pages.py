"""Write the pages that are collected from the book itself, before the site is built.

``python -m tools.pages`` reads the notebooks, the data cards and the stored benchmark
results, and writes Markdown and pictures into ``book/_generated``, which pages under
``book/`` include. A file is touched only when its content changes, so that an unchanged
book rebuilds in seconds.
"""

from __future__ import annotations

import base64
import json
import re
import shutil
import sys
from contextlib import contextmanager
from html import escape
from pathlib import Path

import nbformat
import yaml

from runproof.ledger import html_table, rows_of
from tools import interview, scoreboard

ROOT = Path(__file__).resolve().parents[1]


class PageError(ValueError):
    """Something that a page is collected from is missing or malformed."""


def toc_notebooks(root=ROOT):
    """Return the notebooks of ``_toc.yml`` in reading order, as paths relative to `root`."""
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    files = [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]
    return [Path(f"{file}.ipynb") for file in files if file.startswith("notebooks/")]


@contextmanager
def about(path):
    """Name the file in whatever goes wrong while it is read."""
    try:
        yield
    except PageError as error:
        raise PageError(f"{path}: {error}") from error
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise PageError(f"{path}: malformed ({type(error).__name__}: {error})") from error


def read_notebook(path):
    """Read a notebook, or say which one is missing."""
    if not path.is_file():
        raise PageError("it stands in _toc.yml but not on disk")
    return nbformat.read(path, as_version=4)


def title(nb):
    """Return the text of the notebook's H1."""
    first = nb.cells[0].source.lstrip() if nb.cells else ""
    if not first.startswith("# "):
        raise PageError("the first cell must open with an H1")
    return first.splitlines()[0][2:].strip()


def ledger_claims(nb):
    """Return the rows of the last ledger shown in the notebook (empty if there is none)."""
    shown = [rows for output in _outputs(nb) if (rows := rows_of(output))]
    return shown[-1] if shown else []


def card(nb):
    """Return the home page's card of a chapter: sentence, PNG bytes, alt text."""
    marked = [c for c in nb.cells if c.metadata.get("runproof", {}).get("card")]
    if len(marked) != 1:
        raise PageError(f"one cell must carry metadata runproof.card, found {len(marked)}")
    pictures = [o.data["image/png"] for o in marked[0].outputs if "image/png" in o.get("data", {})]
    if not pictures:
        raise PageError("the cell with metadata runproof.card has no picture")
    alt = marked[0].metadata.get("mystnb", {}).get("image", {}).get("alt", "").strip()
    if not alt:
        raise PageError("the picture with metadata runproof.card has no alt text")
    return marked[0].metadata["runproof"]["card"], base64.b64decode(pictures[0]), alt


def cards_page(root=ROOT):
    """Return the card grid as Markdown, and the pictures it shows by file name."""
    blocks, pictures = [], {}
    for path in toc_notebooks(root):
        if interview.is_interview(path):
            continue  # they share one card on the home page
        with about(path):
            nb = read_notebook(root / path)
            sentence, png, alt = card(nb)
            head = title(nb)
        pictures[f"{path.stem}.png"] = png
        blocks.append(
            f":::{{grid-item-card}} {head}\n:link: ../{path.with_suffix('')}\n:link-type: doc\n"
            f":img-top: _generated/{path.stem}.png\n:img-alt: {' '.join(alt.split())}\n\n"
            f"{sentence}\n:::"
        )
    grid = "::::{grid} 1 1 2 2\n:gutter: 3\n\n" + "\n\n".join(blocks) + "\n::::\n"
    return grid, pictures


def ledger_page(root=ROOT):
    """Return the claims of all chapters as Markdown, one table per chapter."""
    sections, verdicts = [], []
    for path in toc_notebooks(root):
        with about(path):
            nb = read_notebook(root / path)
            if claims := ledger_claims(nb):
                verdicts += [row["verdict"] for row in claims]
                table = _link_sources(html_table(claims, caption=f"Claims of: {title(nb)}"))
                sections.append(f"## [{title(nb)}](../{path})\n\n{table}\n")
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
    """Return what the interview pages show: their Markdown, and the script with the cards."""
    paths = toc_notebooks(root)
    entries = []
    for path in filter(interview.is_interview, paths):
        with about(path):
            read_notebook(root / path)
            entries += interview.all_entries([path], root)
    titles = interview.topics(paths, root)
    return {
        "interview_index.md": interview.index_table(entries, titles),
        "interview_counts.md": interview.counts_line(entries, titles) + "\n",
        f"static/{interview.DATA}": interview.data_script(entries, titles),
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
    }
    texts |= scores | interview_files(root)
    files = pictures | scatter | {name: text.encode() for name, text in texts.items()}
    folder = root / "book" / "_generated"
    (folder / "static").mkdir(parents=True, exist_ok=True)
    changed = [name for name, content in files.items() if _write_if_changed(folder / name, content)]
    decks = [name for name in (interview.DECK, interview.TABLE) if not (folder / name).is_file()]
    if decks or f"static/{interview.DATA}" in changed:
        interview.main(folder, root)
    if "cards.md" in changed:
        shutil.rmtree(root / "_build", ignore_errors=True)
    return len(changed)


def _link_sources(table):
    """Let each source of a ledger lead to the references."""
    link = r'\1<a href="cite.html#references">\2</a>]'
    return re.sub(r"(<td>(?:claims|asks|warns): \[)(\w+)\]", link, table)


def _outputs(nb):
    return [output for cell in nb.cells for output in cell.get("outputs", [])]


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


def _table(header, rows, caption):
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in header)
    body = "".join("<tr>" + "".join(f"<td>{x}</td>" for x in row) + "</tr>" for row in rows)
    return (
        '<div class="runproof-speed" style="overflow-x:auto" tabindex="0" role="region" '
        f'aria-label="{escape(caption)}">'
        f'<table class="table"><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>\n"
    )


def _write_if_changed(path, content):
    if path.is_file() and path.read_bytes() == content:
        return False
    path.write_bytes(content)
    return True


def main():
    """Write the pages, or say what is wrong with the material."""
    try:
        changed = write_pages()
    except PageError as error:
        sys.exit(f"tools.pages: {error}")
    print(f"generated pages: {changed} changed")


if __name__ == "__main__":
    main()
