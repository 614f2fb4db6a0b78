"""The Scoreboard page: tables, sentences and pictures from the stored scores of a benchmark.

`benchmarks/bench_scoreboard.py` writes the scores. Nothing on the page that has a number is
typed: whatever the results say is said in words by `tools/scoreboard_says.py`.
"""

import json
from html import escape
from statistics import fmean, median

from runproof.html import header, table
from tools.dot_plot import draw
from tools.scoreboard_says import sentences
from tools.scoreboard_scores import (
    COLUMNS,
    GROUPS,
    LINES,
    METRICS,
    SIGNIFICANT,
    TAIL,
    copy_of,
    datasets,
    lines_of,
    listing,
    mean,
    number,
    off,
    ranking,
    shown,
    span,
    values,
    w1,
)

RESULTS = "benchmarks/results/scoreboard.json"
PREFIX = "scoreboard_"
MARKS = {
    "worse": ("▼", "worse than noise"),
    "better": ("▲", "beyond noise on the good side"),
    "within": ("", ""),
    "none": ("", ""),
}
STARS = {"best": ("★", "best of those that copy no rows"), "level": ("☆", "not told from the best")}


def pages(root):
    """Return the texts and the pictures of the page by file name.

    Without stored results the texts are empty and there are no pictures.

    Raises
    ------
    AttributeError, LookupError, TypeError, ValueError
        If the results are malformed.
    """
    path = root / RESULTS
    if not path.is_file():
        return {f"{PREFIX}summary.md": "", f"{PREFIX}tables.md": ""}, {}
    result = json.loads(path.read_text(encoding="utf-8"))
    protocol, tables = result["scores"]["protocol"], result["scores"]["tables"]
    texts = {
        f"{PREFIX}summary.md": summary(protocol, tables),
        f"{PREFIX}tables.md": "\n".join(
            [*map(table_section, tables), protocol_section(protocol), measured(result)]
        ),
    }
    pictures = {f"{PREFIX}all.png": draw(overview(tables))}
    pictures |= {picture_name(table): draw(one_table(table)) for table in tables}
    return texts, pictures


def summary(protocol, tables):
    """Return the picture of all tables and what the results say, as Markdown."""
    says = "\n".join(f"- {sentence}" for sentence in sentences(protocol, tables))
    alt = describe(overview(tables))
    return f"## What it says\n\n![{alt}](_generated/{PREFIX}all.png)\n\n{says}\n"


def table_section(table):
    """Return picture and scores of one table as Markdown."""
    name = table["table"]
    about = [
        f"{table['about'][0].upper()}{table['about'][1:]}; {table['rows']:,} rows, "
        f"{table['columns']} columns.",
        f"TSTR predicts `{table['target']}`.",
        f"The label is `{table['label']}`." if table["label"] else "There is no label.",
        f"Scores are means of {max(line['splits'] for line in table['generators'])} splits where "
        f"nothing else is said; the lines of real rows hold {table['band_level']:.0%} of "
        f"{table['band_splits']} shuffles.",
    ]
    return "\n".join(
        [
            f"## {name[0].upper()}{name[1:]}\n",
            " ".join(about) + "\n",
            f"![{describe(one_table(table))}](_generated/{picture_name(table)})\n",
            scores_table(table),
        ]
    )


def picture_name(table):
    """Return the file name of a table's picture."""
    return f"{PREFIX}{table['table'].replace(' ', '_')}.png"


def scores_table(table):
    """Return the scores of one table as HTML."""
    groups = [("", 1), *((name, len(metrics)) for name, metrics in GROUPS.items())]
    given = {m: stars(table, m) for name in ("Fidelity", "Utility") for m in GROUPS[name]}
    rows = [
        (
            f"{name_of(line)}<small>{escape(words)}</small>",
            [real_rows(table["metrics"][metric], metric, line) for metric in METRICS],
        )
        for line, words in LINES.items()
    ]
    most = max(line["splits"] for line in table["generators"])
    for line in table["generators"]:
        name = line["generator"]
        rows.append(
            (
                generator_name(line, [f"{line['splits']} splits"] * (line["splits"] < most)),
                [score(line, metric, given.get(metric, {}).get(name)) for metric in METRICS],
            )
        )
    return html(
        f"{table['table']}: mean ± standard deviation over the splits",
        groups,
        ["generator", *METRICS.values()],
        rows,
    )


def stars(table, metric):
    """Return who gets which star; none is given to a score that is worse than noise."""
    best, level = ranking(table, metric)
    found = [(best, "best"), *((line, "level") for line in level)]
    return {
        line["generator"]: star
        for line, star in found
        if line["scores"][metric]["verdict"] in ("within", "better")
    }


def name_of(line):
    """Return what a line of real rows is called."""
    return {"fresh": "fresh rows", "redrawn": "redrawn half"}[line]


def real_rows(entry, metric, line):
    """Return the cell of a line of real rows."""
    if entry[line] is None:
        return "–"
    if metric == TAIL:
        return tail_text(entry["fresh_p"])
    low, high = entry[line]
    return f"{number(low)}<br>to {number(high)}"


def tail_text(p, mark=""):
    """Return the median of p-values, and how many are small."""
    middle = median(p)
    text = f"p {number(middle)}" if number(middle) != number(0) else "p &lt; 0.001"
    small = sum(value < SIGNIFICANT for value in p)
    return f"{text}{mark}<small>{small} of {len(p)} &lt; {SIGNIFICANT}</small>"


def generator_name(line, notes):
    """Return the cell of a generator's name."""
    notes = notes + ["copies rows"] * line["copies_rows"]
    small = f"<small>{escape(', '.join(notes))}</small>" if notes else ""
    return escape(line["generator"]) + small


def score(line, metric, star):
    """Return the cell of a score, with its marks."""
    entry = line["scores"][metric]
    marks = [MARKS[entry["verdict"]], STARS.get(star, ("", ""))]
    if entry["mean"] is None:  # a ratio with 0 below
        return "–"
    shown_marks = "".join(
        f' <span role="img" aria-label="{words}">{mark}</span>' for mark, words in marks if mark
    )
    if metric == TAIL:
        return tail_text(entry["p"], shown_marks)
    return f"{number(entry['mean'])}{shown_marks}<small>±{number(entry['sd'])}</small>"


def protocol_section(protocol):
    """Return the table of the published protocol as Markdown."""
    sets = datasets(protocol)
    copy, theirs = copy_of(protocol), copy_of(protocol, published=True)
    figures = [
        number(copy["scores"][d][key]) == number(theirs["scores"][d][key])
        for d in sets
        for key in ("w1_test", "coverage_test", "f1")
    ]
    order = sorted(protocol["rows"], key=lambda line: sum(w1(line, d) / w1(copy, d) for d in sets))
    rows = []
    for line in order:
        cells = [
            "–" if line["scores"][d][key] is None else number(line["scores"][d][key])
            for d in sets
            for key in COLUMNS
        ]
        notes = ["published" if line["published"] else "ours"]
        rows.append((generator_name(line, notes), [*cells, seconds(line["seconds"])]))
    groups = [("", 1), *((shown(d), len(COLUMNS)) for d in sets), ("", 1)]
    header = ["generator", *list(COLUMNS.values()) * len(sets), "seconds"]
    draws = protocol["splits"] * protocol["generations"]
    return "\n".join(
        [
            "## Against published results\n",
            f"Means over {draws} tables for each dataset ({protocol['splits']} splits, "
            f"{protocol['generations']} tables each), class counts "
            f"“{protocol['class_counts']}”; sorted by W1. {sum(figures)} of the {len(figures)} "
            "published figures of the training copy equal ours to three decimals.\n",
            html("ForestDiffusion protocol, ours and published", groups, header, rows),
        ]
    )


def seconds(value):
    """Return seconds with about three digits, and a dash for what takes none."""
    if value is None:
        return "–"
    return number(value, 0 if value >= 100 else 1 if value >= 1 else 3)


def html(caption, groups, names, rows):
    """Return an accessible table that scrolls in a box of its own."""
    top = "".join(
        f'<th colspan="{width}" scope="colgroup">{escape(name)}</th>' if name else "<td></td>"
        for name, width in groups
    )
    body = "".join(
        f'<tr><th scope="row">{name}</th>' + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
        for name, cells in rows
    )
    head = f"<tr>{top}</tr>{header(names)}"
    return table("runproof-scores", caption, head, body, kind="table") + "\n"


def measured(result):
    """Return when and on what the scores were measured."""
    scores = result["scores"]
    tables = sorted({text for table in scores["tables"] for text in table["measured"]})
    return (
        f"Measured: the tables {listing(tables)}; the published protocol "
        f"{listing(scores['protocol']['measured'])}. Command: `{result['command']}`.\n"
    )


# Pictures

SHOWN = {
    "two_sample_auc": "fidelity:\ntwo-sample AUC",
    "distance_attack": "privacy: AUC of\ndistance attack",
}


def one_table(table):
    """Return what the picture of one table shows, the closest to real rows first."""
    return {
        "title": table["table"],
        "panels": [(label, table["metrics"][metric]["band"]) for metric, label in SHOWN.items()],
        "small": "one split",
        "rows": [
            (
                line["generator"],
                line["copies_rows"],
                [(mean(line, metric), values(line, metric)) for metric in SHOWN],
            )
            for line in sorted(table["generators"], key=off)
        ],
    }


def overview(tables):
    """Return what the picture of all tables shows: means of the generators that met all of them."""
    rows = []
    for name in dict.fromkeys(line["generator"] for t in tables for line in t["generators"]):
        lines = [line for _, line in lines_of(tables, name)]
        if len(lines) == len(tables):
            found = [[mean(line, metric) for line in lines] for metric in SHOWN]
            rows.append((name, lines[0]["copies_rows"], [(fmean(v), v) for v in found]))
    return {
        "title": f"mean over {len(tables)} tables",
        "panels": [(label, None) for label in SHOWN.values()],
        "small": "one table",
        "rows": sorted(rows, key=lambda row: abs(row[2][0][0] - 0.5)),
    }


def describe(picture):
    """Return the picture in words."""
    bands = [band for _, band in picture["panels"] if band]
    grey = f" Grey bands, real rows: {listing([span(band) for band in bands])}." if bands else ""
    parts = (
        f"{name}{' (copies rows)' * copies} {number(fidelity)} and {number(privacy)}"
        for name, copies, ((fidelity, _), (privacy, _)) in picture["rows"]
    )
    return (
        f"Dot plot, {picture['title']}: a row for each generator, the two-sample AUC on the left "
        f"and the AUC of the distance attack on the right; the ideal is one half for both.{grey} "
        f"From top to bottom: {'; '.join(parts)}."
    )
