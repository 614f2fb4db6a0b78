"""The Scoreboard page: what it shows equals the stored results; and the program behind it."""

import json
import re
import sys
from pathlib import Path

import pandas as pd
import pytest

from runproof.synth.scoreboard import verdict
from tools import pages, scatter, scoreboard

ROOT = Path(__file__).resolve().parents[1]
METRICS = list(scoreboard.METRICS)
BETTER = {
    "two_sample_auc": "half",
    "column_ks": "low",
    "ks": "low",
    "association": "low",
    "tstr": "high",
    "dcr_ratio": "high",
    "holdout_share": "low",
    "distance_attack": "low",
    "density_attack": "low",
}
BANDS = {
    "two_sample_auc": [0.46, 0.53],
    "column_ks": [0.02, 0.05],
    "ks": [0.02, 0.06],
    "association": [0.01, 0.03],
    "tstr": [-0.02, 0.021],
    "dcr_ratio": [0.9, 1.1],
    "holdout_share": [0.45, 0.55],
    "distance_attack": [0.47, 0.54],
    "density_attack": [0.471, 0.541],
}
COPYING = ("Bootstrap",)
VALUES = {
    "Bootstrap": [0.66, 0.04, 0.05, 0.02, -0.01, 0.0, 1.0, 0.82, 0.71],
    "ForestFlow": [0.52, 0.031, 0.055, 0.025, -0.03, 0.95, 0.56, 0.561, 0.539],
    "ForestFlow, auto temperature": [0.61, 0.07, 0.08, 0.04, -0.05, 0.8, 0.57, 0.55, 0.52],
    "GAN": [0.7, 0.06, 0.09, 0.06, -0.2, 1.4, 0.51, 0.505, 0.5],
    "GAN, published": [0.93, 0.2, 0.3, 0.15, -0.6, 2.5, 0.49, 0.495, 0.502],
}


def table(name, shift=0.0):
    """Return the scores of one table, all moved by `shift`."""
    lines = []
    for generator, values in VALUES.items():
        scores = {}
        for metric, value in zip(METRICS, values, strict=True):
            mean = value + shift
            judged = verdict(mean, *BANDS[metric], BETTER[metric])
            scores[metric] = {"mean": mean, "sd": value / 7, "verdict": judged}
        copies = generator in COPYING
        lines.append({"generator": generator, "copies_rows": copies, "splits": 5, "scores": scores})
    return {
        "table": name,
        "about": "made up",
        "rows": 1234,
        "columns": 5,
        "target": "y",
        "label": None,
        "band_splits": 20,
        "band_level": 0.9,
        "metrics": {m: {"better": BETTER[m], "band": BANDS[m]} for m in METRICS},
        "generators": lines,
    }


def protocol():
    """Return made-up scores under the published protocol."""
    rows = [
        ("training copy", False, True, None, 0.236, 0.0),
        ("training copy", True, True, None, 0.236, None),
        ("ForestFlow", False, False, 4.25, 0.245, 0.97),
        ("Near", False, False, 123.4, 0.1, 0.5),
        ("Forest-Flow", True, False, 335.1, 0.328, None),
        ("CTGAN", True, False, 41.0, 1.074, None),
    ]
    return {
        "splits": 3,
        "generations": 5,
        "class_counts": "free",
        "rows": [
            {
                "generator": name,
                "published": published,
                "copies_rows": copies,
                "seconds": seconds,
                "scores": {
                    dataset: {
                        "w1_test": w1 * factor,
                        "coverage_test": 0.9 / factor,
                        "dcr_ratio": dcr,
                        "f1": 0.95,
                    }
                    for dataset, factor in (("iris", 1), ("breast_cancer", 7))
                },
            }
            for name, published, copies, seconds, w1, dcr in rows
        ],
    }


@pytest.fixture
def result():
    """Return a small made-up file of results."""
    return {
        "title": "Scores",
        "date": "2026-11-20",
        "command": "python benchmarks/bench_scoreboard.py",
        "machine": {"cpu": "A CPU", "cores": 2, "memory_gb": 8, "python": "3.11", "packages": {}},
        "rows": [],
        "targets": [],
        "scores": {"protocol": protocol(), "tables": [table("moons"), table("two moons", 0.004)]},
    }


@pytest.fixture
def store(tmp_path):
    """Return a function that stores a result and makes the page of it."""

    def made(content):
        path = tmp_path / scoreboard.RESULTS
        path.parent.mkdir(parents=True, exist_ok=True)
        text = content if isinstance(content, str) else json.dumps(content)
        path.write_text(text, encoding="utf-8")
        return pages.scoreboard_page(tmp_path)

    return made


def cells(html):
    """Return the rows of a table as lists of text, marks in words, small print after a bar."""
    html = html.replace("<small>", "|").replace("<br>", " ")
    html = re.sub(r'<span role="img" aria-label="([^"]*)">.</span>', r"[\1]", html)
    rows = re.findall(r"<tr><th scope=\"row\"[^>]*>(.*?)</tr>", html)
    return [
        [re.sub(r"<[^>]+>", "", cell).strip() for cell in re.split("</th>|</td>", row)][:-1]
        for row in rows
    ]


def shown(value):
    return f"{value:.3f}".replace("-", "−")


# The page


def test_every_score_stands_in_the_table(result, store):
    texts, _ = store(result)
    tables = re.findall(r"<table.*?</table>", texts["scoreboard_tables.md"])
    assert len(tables) == 3
    for html, stored in zip(tables, result["scores"]["tables"], strict=False):
        band, *lines = cells(html)
        assert band[1:] == [f"{shown(a)} to {shown(b)}" for a, b in map(BANDS.get, METRICS)]
        for cell, line in zip(lines, stored["generators"], strict=True):
            assert cell[0] == line["generator"] + "|copies rows" * line["copies_rows"]
            for text, metric in zip(cell[1:], METRICS, strict=True):
                entry = line["scores"][metric]
                mean, spread = re.sub(r"\[.*?\]", "", text).split("|±")
                assert mean.strip() == shown(entry["mean"])
                assert spread.strip() == shown(entry["sd"])
                assert ("worse than noise" in text) == (entry["verdict"] == "worse")
                assert ("good side" in text) == (entry["verdict"] == "better")


def test_the_best_model_within_noise_has_a_star(result, store):
    texts, _ = store(result)
    starred = {
        (line[0].split("|")[0], METRICS[place])
        for line in cells(re.search(r"<table.*?</table>", texts["scoreboard_tables.md"])[0])
        for place, cell in enumerate(line[1:])
        if "best of those that copy no rows" in cell
    }
    # The best TSTR of a model lies outside the band; privacy has no star.
    assert starred == {
        ("ForestFlow", metric) for metric in ("two_sample_auc", "column_ks", "ks", "association")
    }


def test_every_published_score_stands_in_the_table(result, store):
    texts, _ = store(result)
    html = re.findall(r"<table.*?</table>", texts["scoreboard_tables.md"])[-1]
    lines = cells(html)
    order = ["Near", "training copy", "training copy", "ForestFlow", "Forest-Flow", "CTGAN"]
    assert [line[0].split("|")[0] for line in lines] == order  # by W1
    stored = {(x["generator"], x["published"]): x for x in result["scores"]["protocol"]["rows"]}
    for line in lines:
        entry = stored[line[0].split("|")[0], "published" in line[0]]
        expected = [
            "–" if scores[key] is None else shown(scores[key])
            for scores in entry["scores"].values()
            for key in scoreboard.COLUMNS
        ]
        assert line[1:-1] == expected
    seconds = [line[-1] for line in lines]
    assert seconds == ["123", "–", "–", "4.2", "335", "41.0"]
    assert "6 of the 6 published figures" in texts["scoreboard_tables.md"]


def test_tables_are_accessible(result, store):
    texts, _ = store(result)
    text = texts["scoreboard_tables.md"]
    assert text.count("<caption>") == text.count('tabindex="0"') == 3
    assert text.count('scope="colgroup"') == 3 + 3 + 2
    marks = re.findall(r"(<[^>]*>)[▼▲★]", text)
    assert marks
    assert all('role="img" aria-label="' in mark for mark in marks)


def test_the_sentences_hold_what_the_results_say(result, store):
    text = store(result)[0]["scoreboard_summary.md"]
    assert "Bootstrap copies rows: the distance attack" in text
    assert "AUC of 0.820 to 0.824, and its two-sample AUC is 0.660 to 0.664." in text
    assert "ForestFlow on moons, 0.520 (real rows 0.460 to 0.530); and" in text
    assert "It lies within the noise band on 2 of 2 tables." in text
    assert "ForestFlow away from one half on 2 of 2 tables" in text
    assert (
        "published network on 2 of 2 tables, over 5 splits each: moons 0.700 against 0.930 and"
        in text
    )
    assert "these are closest: GAN on moons, 0.700; and GAN on two moons, 0.704. On 2 of 2" in text
    # ForestFlow on both tables passes the ratio; the other models leak nothing or fail it.
    assert "of 10 pairs of a generator and a table, 2 pass the DCR ratio" in text
    assert "ForestFlow on two moons: DCR ratio 0.954, distance attack 0.565." in text
    assert "ForestFlow is at or below the best published W1 on 2 of 2 tables" in text
    assert "iris 0.245 against 0.328 of Forest-Flow" in text
    assert "DCR ratio of at least 0.970" in text
    assert "2 published generators: 2 on iris and 2 on breast cancer." in text


def test_the_sentences_follow_the_results(result, store):
    for stored in result["scores"]["tables"]:
        stored["generators"] = [
            line for line in stored["generators"] if line["generator"] not in ("GAN", "ForestFlow")
        ]
        for line in stored["generators"]:
            line["scores"]["dcr_ratio"]["verdict"] = "worse"
    rows = result["scores"]["protocol"]["rows"]
    result["scores"]["protocol"]["rows"] = [r for r in rows if r["generator"] != "ForestFlow"]
    text = store(result)[0]["scoreboard_summary.md"]
    assert "Our GAN" not in text
    assert "auto temperature” moves" not in text
    assert "It lies within the noise band on 0 of 2 tables." in text
    assert "of 6 pairs of a generator and a table, 0 pass the DCR ratio while" in text
    assert "Under the published protocol" not in text  # none that keeps its distance


def test_every_picture_has_its_numbers_in_words(result, store):
    texts, pictures = store(result)
    every = "".join(texts.values())
    shown_pictures = re.findall(r"!\[(.*?)\]\(_generated/(.*?)\)", every)
    assert {name for _, name in shown_pictures} == set(pictures)
    assert set(pictures) == {f"scoreboard_{n}.png" for n in ("all", "moons", "two_moons")}
    assert all(png.startswith(b"\x89PNG") for png in pictures.values())
    for alt, name in shown_pictures:
        shift = {"scoreboard_all.png": 0.002, "scoreboard_moons.png": 0}.get(name, 0.004)
        for generator, values in VALUES.items():
            x, y = values[METRICS.index("distance_attack")], values[0]
            assert f"{generator} {shown(x + shift)} and {shown(y + shift)}" in alt


def test_the_picture_of_all_tables_leaves_out_who_missed_one(result):
    tables = result["scores"]["tables"]
    tables[1]["generators"] = [g for g in tables[1]["generators"] if g["generator"] != "GAN"]
    names = [name for name, *_ in scoreboard.overview(tables)["points"]]
    assert names == [name for name in VALUES if name != "GAN"]


def test_the_same_results_give_the_same_pictures(result, store):
    assert store(result)[1] == store(result)[1]


def test_names_in_a_picture_cover_neither_points_nor_each_other():
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.4, 5.2), dpi=110)
    canvas = FigureCanvasAgg(figure)
    ax = figure.subplots()
    points = [(f"Generator number {i}", False, 0.5 + 0.002 * i, 0.55) for i in range(14)]
    _, _, xs, ys = zip(*points, strict=True)
    ax.plot(xs, ys, "o", label="model")
    ax.set_xlim(0.45, 0.9)
    ax.set_ylim(0.45, 0.9)
    ax.legend(loc="upper right")
    scatter.label_points(figure, ax, points)
    boxes = [text.get_window_extent(canvas.get_renderer()) for text in ax.texts]
    dots = ax.transData.transform(list(zip(xs, ys, strict=True)))
    assert len(boxes) == 14
    for i, box in enumerate(boxes):
        assert not any(box.contains(*dot) for dot in dots)
        assert not any(box.overlaps(other) for other in boxes[:i])


def test_without_results_the_page_is_empty(tmp_path):
    texts, pictures = pages.scoreboard_page(tmp_path)
    assert set(texts.values()) == {""}
    assert pictures == {}


def spoil(path, value):
    """Return a function that puts a value at a place in a result, or takes it out."""

    def change(result):
        *way, last = path
        for step in way:
            result = result[step]
        if value is spoil:
            del result[last]
        else:
            result[last] = value

    return change


FIRST = ("scores", "tables", 0)
LINE = (*FIRST, "generators", 1)


@pytest.mark.parametrize(
    "change",
    [
        spoil(("scores",), spoil),
        spoil(("scores", "tables"), []),
        spoil(("scores", "protocol", "rows"), []),
        spoil((*FIRST, "metrics", "ks"), spoil),
        spoil((*FIRST, "metrics", "two_sample_auc", "band"), [0.4]),
        spoil((*FIRST, "metrics", "two_sample_auc", "better"), "up"),
        spoil((*FIRST, "generators"), []),
        spoil((*FIRST, "rows"), "many"),
        spoil((*LINE, "scores", "distance_attack", "mean"), "high"),
        spoil((*LINE, "scores", "distance_attack", "mean"), float("nan")),
        spoil((*LINE, "scores", "ks", "sd"), None),
        spoil((*LINE, "scores", "ks", "verdict"), "good"),
        spoil((*LINE, "copies_rows"), spoil),
        spoil(("scores", "protocol", "rows", 2, "scores", "iris", "w1_test"), True),
        spoil(("machine",), spoil),
    ],
)
def test_malformed_results_are_named(result, store, change):
    change(result)
    with pytest.raises(pages.PageError, match=rf"{re.escape(scoreboard.RESULTS)}: malformed"):
        store(result)


def test_what_is_no_json_is_named(store):
    with pytest.raises(pages.PageError, match=r"scoreboard\.json: malformed"):
        store("{")


def test_a_ratio_that_is_infinite_is_left_out(result, store):
    entry = result["scores"]["tables"][0]["generators"][1]["scores"]["dcr_ratio"]
    entry.update(mean=None, sd=None, verdict="none")
    lines = cells(re.search(r"<table.*?</table>", store(result)[0]["scoreboard_tables.md"])[0])
    assert lines[2][1 + METRICS.index("dcr_ratio")] == "–"


def test_the_stored_results_make_the_page():
    texts, pictures = pages.scoreboard_page()
    result = json.loads((ROOT / scoreboard.RESULTS).read_text(encoding="utf-8"))
    assert len(pictures) == 1 + len(result["scores"]["tables"])
    assert all(texts.values())
    for stored in result["scores"]["tables"]:
        for line in stored["generators"]:
            for metric, entry in line["scores"].items():
                band = stored["metrics"][metric]
                if entry["mean"] is not None:
                    assert entry["verdict"] == verdict(entry["mean"], *band["band"], band["better"])


def test_fewer_splits_are_said(result, store):
    result["scores"]["tables"][0]["generators"][3]["splits"] = 2
    text = store(result)[0]["scoreboard_tables.md"]
    assert cells(re.search(r"<table.*?</table>", text)[0])[4][0] == "GAN|2 splits"
    assert "means of 5 splits where nothing else is said; the noise band holds 90% of 20" in text


# The program


@pytest.fixture(scope="module")
def bench():
    """The program that stores the scores."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        import bench_scoreboard
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))
    return bench_scoreboard


def test_done_parts_are_kept(bench, tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(
        bench, "run_alone", lambda function, *a: (calls.append(a), ({"x": a[0]}, 5))[1]
    )
    kept = tmp_path / "done.part"
    first = bench.part(kept, bench.protocol, "NoGAN", 1, 1)
    again = bench.part(kept, bench.protocol, "NoGAN", 1, 1)
    other = bench.part(kept, bench.protocol, "GAN", 1, 1)
    assert first == again == {"x": "NoGAN", "memory_mb": 5}
    assert other["x"] == "GAN"
    assert calls == [("NoGAN", 1, 1), ("GAN", 1, 1)]


def test_a_table_that_lacks_a_class_has_no_f1(bench):
    test = pd.DataFrame({"0": [0.0, 1.0, 2.0], "target": [0, 1, 2]})
    full = pd.concat([test] * 20, ignore_index=True)
    assert bench.forest_f1(full, test, 0) == 1
    assert bench.forest_f1(full[full["target"] < 2], test, 0) == 0


def test_the_protocol_scores_every_table_drawn(bench, monkeypatch):
    found = bench.protocol("Bootstrap", 1, 2)
    assert set(found["scores"]) == {"iris", "wine", "breast_cancer"}
    assert [len(tables) for tables in bench.DRAWN] == [2]  # of the last dataset
    assert all(0.8 < scores["f1"] <= 1 for scores in found["scores"].values())
    assert found["scores"]["iris"]["dcr_ratio"] == 0


def test_every_generator_but_the_gans_is_a_model(bench):
    names = bench.generators("y")
    assert [name for name in names if bench.networks(name)] == ["GAN", "GAN, published"]
    assert "GaussianCopula by label" not in bench.generators(None)
    assert len(names) == len(bench.generators(None)) + 1


def test_a_score_that_is_infinite_has_no_mean(bench):
    models = {"bands": {"m": [0.4, 0.6]}, "better": {"m": "low"}}
    assert bench.summary([float("inf"), 1.0], models, "m")["mean"] is None
    assert bench.summary([0.7, 0.9], models, "m") == {
        "mean": 0.8,
        "sd": 0.141421,
        "verdict": "worse",
    }


def test_targets_say_when_nothing_keeps_its_distance(bench):
    names = [bench.COPY, *bench.generators("target")]
    scores = {"w1_test": 0.1, "coverage_test": 1.0, "dcr_ratio": 0.1, "f1": 1.0}
    ours = {n: {"seconds": 1.0, "scores": dict.fromkeys(bench.LOADERS, scores)} for n in names}
    oracle, best, fast, every = bench.protocol_targets(ours)
    assert [t["met"] for t in (oracle, best, fast, every)] == [False, False, False, True]
    assert best["measured"] == "none has that DCR ratio"
    ours["NoGAN"]["scores"] = dict.fromkeys(bench.LOADERS, scores | {"dcr_ratio": 0.9})
    assert [t["met"] for t in bench.protocol_targets(ours)] == [False, True, True, True]
