"""The Scoreboard page: tables, sentences and pictures from the stored scores of a benchmark.

`benchmarks/bench_scoreboard.py` writes the scores. Nothing on the page that has a number is
typed: whatever the results say is said here in words.
"""

from __future__ import annotations

import json
import math
from html import escape

from tools.scatter import draw

RESULTS = "benchmarks/results/scoreboard.json"
PREFIX = "scoreboard_"

# Metric, name on the page. The privacy metrics get no star: inside their band nothing is left
# to win, and beyond it a table is far from the training rows because it is far from all rows.
GROUPS = {
    "Fidelity": {
        "two_sample_auc": "two-sample AUC",
        "column_ks": "column KS",
        "ks": "joint KS",
        "association": "association",
    },
    "Utility": {"tstr": "TSTR"},
    "Privacy": {
        "dcr_ratio": "DCR ratio",
        "holdout_share": "holdout share",
        "distance_attack": "distance attack",
        "density_attack": "density attack",
    },
}
METRICS = {metric: name for group in GROUPS.values() for metric, name in group.items()}
ATTACKS = ("distance_attack", "density_attack")
COLUMNS = {"w1_test": "W1", "coverage_test": "coverage", "f1": "F1", "dcr_ratio": "DCR ratio"}
MARKS = {
    "worse": ("▼", "worse than noise"),
    "better": ("▲", "beyond noise on the good side"),
    "within": ("", ""),
    "none": ("", ""),
}
STAR = ("★", "best of those that copy no rows")
COPY = "training copy"
GAN, PUBLISHED_GAN = "GAN", "GAN, published"
FOREST, COOL_FOREST = "ForestFlow", "ForestFlow, auto temperature"


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


# Numbers


def number(value, digits=3):
    """Return a number as text; it must be one, and finite."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no finite number")
    return f"{value:.{digits}f}".replace("-", "−")


def mean(line, metric):
    """Return the mean of a score of one generator on one table."""
    value = line["scores"][metric]["mean"]
    number(value)
    return value


def excess(value, better):
    """Return how far a value is from the best there is; the least is best."""
    ideal = {"half": 0.5, "one": 1.0}
    if better in ideal:
        return abs(value - ideal[better])
    return {"low": value, "high": -value}[better]


def best(table, metric):
    """Return the line of the best generator that copies no rows, of those with this score."""
    better = table["metrics"][metric]["better"]
    models = [
        line
        for line in table["generators"]
        if not line["copies_rows"] and line["scores"][metric]["mean"] is not None
    ]
    return min(models, key=lambda line: excess(mean(line, metric), better))


# Sentences


def summary(protocol, tables):
    """Return the picture of all tables and what the results say, as Markdown."""
    alt = describe(overview(tables))
    found = [
        sentence
        for part in (
            copies(tables),
            closest(tables),
            discreet(tables),
            cooled(tables),
            gan(tables),
            delusion(tables),
            protocol_says(protocol),
            copy_says(protocol),
        )
        for sentence in part
    ]
    says = "\n".join(f"- {sentence}" for sentence in found)
    return f"## What it says\n\n![{alt}](_generated/{PREFIX}all.png)\n\n{says}\n"


def copies(tables):
    """Say how well an attack finds the training rows of generators that copy."""
    for name in dict.fromkeys(
        line["generator"] for table in tables for line in table["generators"] if line["copies_rows"]
    ):
        values = [mean(line, "distance_attack") for _, line in lines_of(tables, name)]
        yield (
            f"{name} copies rows: the distance attack tells its training rows from others with an "
            f"AUC of {number(min(values))} to {number(max(values))}, and its two-sample AUC is "
            f"{span([mean(line, 'two_sample_auc') for _, line in lines_of(tables, name)])}."
        )


def closest(tables):
    """Say which model is closest to real rows, table by table."""
    found = [(table, best(table, "two_sample_auc")) for table in tables]
    inside = sum(line["scores"]["two_sample_auc"]["verdict"] == "within" for _, line in found)
    parts = (
        f"{named(table, line)} (real rows {' to '.join(map(number, band(table)))})"
        for table, line in found
    )
    yield (
        "Of the generators that copy no rows, these have the two-sample AUC closest to one half: "
        f"{listing(parts)}. It lies within the noise band on {inside} of {len(tables)} tables."
    )


def discreet(tables):
    """Say which model is closest to real rows with no mark against its privacy."""
    found = {}
    for table in tables:
        quiet = [
            line
            for line in table["generators"]
            if not line["copies_rows"]
            and not any(line["scores"][m]["verdict"] == "worse" for m in GROUPS["Privacy"])
        ]
        found[table["table"]] = (table, min(quiet, key=off, default=None))
    named_ones = [named(*pair) for pair in found.values() if pair[1]]
    changed = sum(line is not best(table, "two_sample_auc") for table, line in found.values())
    if named_ones:
        yield (
            f"Of those with no ▼ in a privacy column, these are closest: {listing(named_ones)}. On "
            f"{changed} of {len(tables)} tables that is another generator than before."
        )


def named(table, line):
    """Return a generator, its table, and its two-sample AUC as text."""
    return f"{line['generator']} on {table['table']}, {number(mean(line, 'two_sample_auc'))}"


def band(table):
    """Return the noise band of the two-sample AUC."""
    return table["metrics"]["two_sample_auc"]["band"]


def cooled(tables):
    """Say what less noise does to the fidelity of the forests."""
    pairs = both(tables, FOREST, COOL_FOREST)
    if pairs:
        farther = sum(off(cool) > off(plain) for _, plain, cool in pairs)
        table, plain, cool = max(pairs, key=lambda pair: off(pair[2]) - off(pair[1]))
        yield (
            f"Less noise than the model asks for (“auto temperature”) moves the two-sample AUC of "
            f"{FOREST} away from one half on {farther} of {len(pairs)} tables, most on "
            f"{table['table']}: from {number(mean(plain, 'two_sample_auc'))} to "
            f"{number(mean(cool, 'two_sample_auc'))}."
        )


def gan(tables):
    """Compare our GAN with the published network."""
    pairs = both(tables, GAN, PUBLISHED_GAN)
    if pairs:
        closer = sum(off(ours) < off(theirs) for _, ours, theirs in pairs)
        parts = (
            f"{table['table']} {number(mean(ours, 'two_sample_auc'))} against "
            f"{number(mean(theirs, 'two_sample_auc'))}"
            for table, ours, theirs in pairs
        )
        yield (
            f"Our GAN has a two-sample AUC closer to one half than the published network on "
            f"{closer} of {len(pairs)} tables, over {pairs[0][1]['splits']} splits each: "
            f"{listing(parts)}."
        )


def delusion(tables):
    """Count the tables that pass the distance to the closest record and fail an attack."""
    total, leaks = 0, []
    for table in tables:
        for line in table["generators"]:
            total += 1
            passed = line["scores"]["dcr_ratio"]["verdict"] in ("within", "better")
            for attack in ATTACKS:
                if passed and line["scores"][attack]["verdict"] == "worse":
                    high = table["metrics"][attack]["band"][1]
                    leaks.append((mean(line, attack) - high, attack, table, line))
    pairs = {(table["table"], line["generator"]) for _, _, table, line in leaks}
    text = (
        f"DCR is not privacy: of {total} pairs of a generator and a table, {len(pairs)} pass the "
        "DCR ratio while an attack tells training rows from others better than noise allows"
    )
    if leaks:
        _, attack, table, line = max(leaks, key=lambda leak: leak[0])
        text += (
            f", most of all {line['generator']} on {table['table']}: DCR ratio "
            f"{number(mean(line, 'dcr_ratio'))}, {METRICS[attack]} {number(mean(line, attack))}"
        )
    yield f"{text}."


def protocol_says(protocol):
    """Compare our best generator that copies no rows with the best published one."""
    sets = datasets(protocol)
    others = published(protocol)
    ours = [
        line
        for line in protocol["rows"]
        if not line["published"] and not line["copies_rows"] and least_dcr(line, sets) >= 0.9
    ]
    if not ours or not others:
        return
    goal = {d: min(others, key=lambda line: line["scores"][d]["w1_test"]) for d in sets}
    level = {line["generator"]: sum(w1(line, d) <= w1(goal[d], d) for d in sets) for line in ours}
    line = max(
        ours,
        key=lambda o: (level[o["generator"]], -max(w1(o, d) / w1(goal[d], d) for d in sets)),
    )
    parts = (
        f"{shown(d)} {number(w1(line, d))} against {number(w1(goal[d], d))} of "
        f"{goal[d]['generator']}"
        for d in sets
    )
    yield (
        f"Under the published protocol, {line['generator']} is at or below the best published W1 "
        f"on {level[line['generator']]} of {len(sets)} tables ({listing(parts)}), with a DCR ratio "
        f"of at least {number(least_dcr(line, sets))}. Mind what W1 rewards: less spread lowers it "
        "between finite samples."
    )


def copy_says(protocol):
    """Say where a mere copy of the training rows would stand."""
    line, others = copy_of(protocol), published(protocol)
    parts = (
        f"{sum(w1(line, d) < w1(o, d) for o in others)} on {shown(d)}" for d in datasets(protocol)
    )
    yield (
        f"A mere copy of the training rows has a lower W1 than so many of the {len(others)} "
        f"published generators: {listing(parts)}. W1, coverage and F1 do not see copying; the "
        "privacy columns are there for that."
    )


def lines_of(tables, name):
    """Return (table, line) of a generator for each table that has it."""
    return [(t, line) for t in tables for line in t["generators"] if line["generator"] == name]


def both(tables, one, other):
    """Return (table, line of one, line of the other) for each table that has both."""
    others = {table["table"]: line for table, line in lines_of(tables, other)}
    return [
        (table, line, others[table["table"]])
        for table, line in lines_of(tables, one)
        if table["table"] in others
    ]


def off(line):
    """Return how far the two-sample AUC is from one half."""
    return abs(mean(line, "two_sample_auc") - 0.5)


def span(values):
    """Return the range of values as text."""
    return f"{number(min(values))} to {number(max(values))}"


def listing(parts):
    """Join parts as in a sentence."""
    *most, last = parts
    mark = ";" if any("," in part for part in [*most, last]) else ","
    return f"{f'{mark} '.join(most)}{mark if mark == ';' else ''} and {last}" if most else last


def datasets(protocol):
    """Return the names of the tables of the protocol."""
    return list(protocol["rows"][0]["scores"])


def copy_of(protocol, published=False):
    """Return the line of the copy of the training rows, ours or the published one."""
    return next(
        line
        for line in protocol["rows"]
        if line["generator"] == COPY and line["published"] == published
    )


def published(protocol):
    """Return the lines of the published generators."""
    return [x for x in protocol["rows"] if x["published"] and x["generator"] != COPY]


def least_dcr(line, sets):
    """Return the smallest DCR ratio of a generator of ours."""
    return min(line["scores"][d]["dcr_ratio"] for d in sets)


def w1(line, dataset):
    """Return the Wasserstein distance to the test rows."""
    return line["scores"][dataset]["w1_test"]


def shown(name):
    """Return the name of a dataset as a reader writes it."""
    return name.replace("_", " ")


# Tables


def table_section(table):
    """Return picture and scores of one table as Markdown."""
    name = table["table"]
    about = [
        f"{table['about'][0].upper()}{table['about'][1:]}; {table['rows']:,} rows, "
        f"{table['columns']} columns.",
        f"TSTR predicts `{table['target']}`.",
        f"The label is `{table['label']}`." if table["label"] else "There is no label.",
        f"Scores are means of {max(line['splits'] for line in table['generators'])} splits where "
        f"nothing else is said; the noise band holds {table['band_level']:.0%} of "
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
    stars = {
        metric: best(table, metric)["generator"]
        for group in ("Fidelity", "Utility")
        for metric in GROUPS[group]
    }
    rows = [
        (
            "real rows<small>noise band</small>",
            ["<br>to ".join(map(number, table["metrics"][m]["band"])) for m in METRICS],
        )
    ]
    most = max(line["splits"] for line in table["generators"])
    for line in table["generators"]:
        rows.append(
            (
                generator_name(line, [f"{line['splits']} splits"] * (line["splits"] < most)),
                [score(line, metric, stars.get(metric)) for metric in METRICS],
            )
        )
    return html(
        f"{table['table']}: mean ± standard deviation over the splits",
        groups,
        ["generator", *METRICS.values()],
        rows,
    )


def generator_name(line, notes):
    """Return the cell of a generator's name."""
    notes = notes + ["copies rows"] * line["copies_rows"]
    small = f"<small>{escape(', '.join(notes))}</small>" if notes else ""
    return escape(line["generator"]) + small


def score(line, metric, star):
    """Return the cell of a score, with its marks."""
    entry = line["scores"][metric]
    marks = [MARKS[entry["verdict"]]]
    if entry["mean"] is None:  # a ratio with 0 below
        return "–"
    if star == line["generator"] and entry["verdict"] in ("within", "better"):
        marks.append(STAR)
    text = number(entry["mean"]) + "".join(
        f' <span role="img" aria-label="{words}">{mark}</span>' for mark, words in marks if mark
    )
    return f"{text}<small>±{number(entry['sd'])}</small>"


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


def html(caption, groups, header, rows):
    """Return an accessible table that scrolls in a box of its own."""
    top = "".join(
        f'<th colspan="{width}" scope="colgroup">{escape(name)}</th>' if name else "<td></td>"
        for name, width in groups
    )
    names = "".join(f'<th scope="col">{escape(name)}</th>' for name in header)
    body = "".join(
        f'<tr><th scope="row">{name}</th>' + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
        for name, cells in rows
    )
    return (
        '<div class="runproof-scores" style="overflow-x:auto" tabindex="0" role="region" '
        f'aria-label="{escape(caption)}"><table class="table">'
        f"<caption>{escape(caption)}</caption>"
        f"<thead><tr>{top}</tr><tr>{names}</tr></thead><tbody>{body}</tbody></table></div>\n"
    )


def measured(result):
    """Return when and on what the scores were measured."""
    machine = result["machine"]
    return (
        f"Measured {result['date']} on {machine['cpu']}, {machine['cores']} cores, Python "
        f"{machine['python']}. Command: `{result['command']}`.\n"
    )


# Pictures


def one_table(table):
    """Return what the picture of one table shows."""
    return {
        "title": table["table"],
        "points": [
            (
                line["generator"],
                line["copies_rows"],
                mean(line, "distance_attack"),
                mean(line, "two_sample_auc"),
            )
            for line in table["generators"]
        ],
        "bands": [table["metrics"][m]["band"] for m in ("distance_attack", "two_sample_auc")],
    }


def overview(tables):
    """Return what the picture of all tables shows: means of the generators that met all of them."""
    points = []
    for name in dict.fromkeys(line["generator"] for t in tables for line in t["generators"]):
        lines = [line for _, line in lines_of(tables, name)]
        if len(lines) < len(tables):
            continue
        x, y = (
            sum(mean(line, metric) for line in lines) / len(lines)
            for metric in ("distance_attack", "two_sample_auc")
        )
        points.append((name, lines[0]["copies_rows"], x, y))
    return {"title": f"mean over {len(tables)} tables", "points": points, "bands": None}


def describe(picture):
    """Return the picture in words."""
    parts = []
    for copying, words in ((True, "generators that copy rows"), (False, "models")):
        found = [p for p in picture["points"] if p[1] == copying]
        if found:
            names = ", ".join(f"{name} {number(x)} and {number(y)}" for name, _, x, y in found)
            parts.append(f"{words}: {names}")
    return (
        f"Scatter plot, {picture['title']}: AUC of the distance attack and two-sample AUC; the "
        f"ideal is one half for both. {'; '.join(parts)}."
    )
