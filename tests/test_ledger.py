"""The claims ledger: computed verdicts only, an accessible table, and rows the site can read."""

import json
import re
from html.parser import HTMLParser

import nbformat
import numpy as np
import pytest
from IPython.core.formatters import DisplayFormatter

from runproof.ledger import CONDITIONAL, HOLDS, REFUTED, Claim, Ledger, html_table, rows_of


@pytest.fixture
def ledger():
    ledger = Ledger()
    ledger.claim("2 + 2 is 4", source="euclid", holds=2 + 2 == 4, evidence="2 + 2 = 4")
    ledger.claim("2 + 2 is 5", source="orwell1949", holds=2 + 2 == 5, evidence="2 + 2 = 4")
    ledger.claim("Digits repeat", source="a", holds=True, evidence="seen", condition="p/q rational")
    return ledger


class Cells(HTMLParser):
    """Collects the texts of a table's cells, and every tag with its attributes."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag in ("td", "th", "caption"):
            self.texts.append("")

    def handle_data(self, data):
        if self.texts:
            self.texts[-1] += data


def test_verdicts_are_computed(ledger):
    assert [claim.verdict for claim in ledger.claims] == [HOLDS, REFUTED, CONDITIONAL]
    assert [claim.id for claim in ledger.claims] == [1, 2, 3]
    assert len(ledger) == 3


def test_claim_that_fails_is_refuted_whatever_its_condition():
    claim = Ledger().claim("c", source="s", holds=False, evidence="e", condition="always")
    assert claim.verdict == REFUTED


@pytest.mark.parametrize("holds", [np.bool_(True), np.array([3, 4]).min() > 2, True])
def test_numpy_booleans_count(holds):
    assert Ledger().claim("c", source="s", holds=holds, evidence="e").verdict == HOLDS


@pytest.mark.parametrize("holds", [1, 0, None, "yes", "", 0.97, np.int64(1), np.array([True]), []])
def test_holds_must_be_a_boolean(holds):
    with pytest.raises(TypeError, match="holds must be a computed boolean"):
        Ledger().claim("c", source="s", holds=holds, evidence="e")


@pytest.mark.parametrize("name", ["claim", "source", "evidence", "condition"])
@pytest.mark.parametrize(("text", "error"), [("", ValueError), (" \n", ValueError), (3, TypeError)])
def test_texts_must_say_something(name, text, error):
    arguments = {"claim": "c", "source": "s", "evidence": "e", "condition": "d", name: text}
    ledger = Ledger()
    with pytest.raises(error, match=name):
        ledger.claim(arguments.pop("claim"), holds=True, **arguments)
    assert len(ledger) == 0


def test_claim_is_recorded_once(ledger):
    with pytest.raises(ValueError, match="stands in the ledger already: '2 \\+ 2 is 5'"):
        ledger.claim("2 + 2 is 5", source="x", holds=True, evidence="y")
    assert len(ledger) == 3


def test_claim_cannot_be_changed(ledger):
    with pytest.raises(AttributeError):
        ledger.claims[0].verdict = REFUTED


def test_claim_shows_its_verdict_and_evidence(ledger):
    assert repr(ledger.claims[1]) == "Verdict 2: refuted.\nEvidence: 2 + 2 = 4"
    assert "Verdict 3: holds with a condition. Condition: p/q rational" in repr(ledger.claims[2])


def test_notebook_output_carries_the_rows_it_shows(ledger):
    data, metadata = DisplayFormatter().format(ledger)
    output = nbformat.v4.new_output("execute_result", data, metadata=metadata, execution_count=1)
    stored = json.loads(json.dumps(output))  # as a notebook file keeps it
    assert rows_of(stored) == ledger.to_dict()["claims"]
    assert [Claim(**row) for row in rows_of(stored)] == ledger.claims
    assert data["text/html"] == html_table(rows_of(stored))
    assert all(claim.claim in data["text/plain"] for claim in ledger.claims)


@pytest.mark.parametrize("output", [{}, {"metadata": {}}, {"metadata": {"runproof": {}}}])
def test_other_outputs_carry_no_rows(output):
    assert rows_of(output) == []


def test_table_is_accessible(ledger):
    cells = Cells(html_table(ledger.to_dict()["claims"], caption="What we found"))
    region = cells.tags[0][1]
    assert (region["role"], region["tabindex"]) == ("region", "0")
    assert region["aria-label"] == "What we found"
    assert "overflow-x:auto" in region["style"]
    assert [a["scope"] for tag, a in cells.tags if tag == "th"] == ["col"] * 4
    assert cells.texts[:5] == ["What we found", "#", "Claim", "Verdict", "Evidence"]


def test_verdict_is_text_and_its_mark_is_hidden_from_screen_readers(ledger):
    html = html_table(ledger.to_dict()["claims"])
    spoken = Cells(re.sub(r'<span aria-hidden="true">.*?</span>', "", html)).texts[5:]
    assert [text.strip() for text in spoken[2::4]] == [
        "holds",
        "refuted",
        "holds with a condition: p/q rational",
    ]


def test_html_in_a_claim_is_text():
    hostile = '<script>alert("x")</script> & </td>'
    ledger = Ledger()
    arguments = {"source": hostile, "evidence": hostile, "condition": hostile}
    ledger.claim(hostile, holds=True, **arguments)
    html = html_table(ledger.to_dict()["claims"], caption=hostile)
    cells = Cells(html)
    assert "script" not in [tag for tag, _ in cells.tags]
    assert sum(text.count(hostile) for text in cells.texts) == 5


def test_empty_ledger_shows():
    assert repr(Ledger()) == "Claims ledger"
    assert Cells(html_table([])).texts == [
        "Claims and computed verdicts",
        "#",
        "Claim",
        "Verdict",
        "Evidence",
    ]
