"""The claims ledger: computed verdicts only, an accessible table, and rows the site can read."""

import json
import re
from html.parser import HTMLParser

import nbformat
import numpy as np
import pytest
from IPython.core.formatters import DisplayFormatter

from runproof.ledger import (
    CONDITIONAL,
    HOLDS,
    MARKS,
    NOT_SHOWN,
    REFUTED,
    STANCES,
    Claim,
    Ledger,
    html_table,
    rows_of,
)

HEADER = ["#", "Claim", "Who says it, and where", "Verdict", "Evidence"]
SAID = {"source": "euclid", "where": "Book 1", "stance": "claims", "evidence": "2 + 2 = 4"}
ASKED = SAID | {"stance": "asks"}
WARNED = SAID | {"stance": "warns"}
OURS = {"stance": "ours", "evidence": "2 + 2 = 4"}


@pytest.fixture
def ledger():
    ledger = Ledger()
    ledger.claim("2 + 2 is 4", **SAID, holds=2 + 2 == 4)
    ledger.claim("2 + 2 is 5", **SAID | {"source": "orwell1949"}, holds=2 + 2 == 5)
    ledger.claim("Digits repeat", **SAID, holds=True, condition="p/q rational")
    ledger.claim("Is it even?", **ASKED, holds=True)
    ledger.claim("It may fail", **WARNED, holds=True)
    ledger.claim("It took two steps", **OURS, holds=True)
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
    assert [claim.verdict for claim in ledger.claims] == [
        HOLDS,
        REFUTED,
        CONDITIONAL,
        "answered: yes",
        "confirmed",
        "measured",
    ]
    assert [claim.id for claim in ledger.claims] == [1, 2, 3, 4, 5, 6]
    assert len(ledger) == 6


@pytest.mark.parametrize(
    ("said", "holds", "shown", "condition", "verdict"),
    [
        (SAID, False, True, "always", REFUTED),
        (SAID, False, False, None, NOT_SHOWN),
        (SAID, True, False, "always", NOT_SHOWN),
        (ASKED, False, True, None, "answered: no"),
        (ASKED, True, True, "n is odd", "answered: under a condition"),
        (ASKED, True, False, None, "not settled"),
        (WARNED, False, True, None, "not confirmed"),
        (WARNED, True, False, None, "not confirmed"),
    ],
)
def test_stance_decides_the_words(said, holds, shown, condition, verdict):
    text = "c?" if said is ASKED else "c"
    claim = Ledger().claim(text, **said, holds=holds, shown=shown, condition=condition)
    assert claim.verdict == verdict
    assert verdict in STANCES[said["stance"]]


def test_only_a_claim_can_be_refuted():
    assert [stance for stance, verdicts in STANCES.items() if REFUTED in verdicts] == ["claims"]
    assert {v for verdicts in STANCES.values() for v in verdicts if v} == set(MARKS)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (SAID | {"stance": "says"}, "stance must be one of claims, asks, warns, ours"),
        (OURS | {"source": "euclid"}, "leave out source= and where="),
        (OURS | {"where": "Book 1"}, "leave out source= and where="),
        (OURS | {"holds": False}, "must hold: say what was measured instead"),
        (OURS | {"shown": False}, "must hold: say what was measured instead"),
        (OURS | {"condition": "always"}, "'ours' takes no condition"),
        (WARNED | {"condition": "always"}, "'warns' takes no condition"),
        (ASKED, "a question mark ends what a source asks"),
        (SAID | {"claim": "c?"}, "a question mark ends what a source asks"),
        (WARNED | {"claim": "c?"}, "a question mark ends what a source asks"),
    ],
)
def test_stance_must_fit(arguments, says):
    ledger = Ledger()
    with pytest.raises(ValueError, match=re.escape(says)):
        ledger.claim(**{"claim": "c", "holds": True} | arguments)
    assert len(ledger) == 0


@pytest.mark.parametrize("holds", [np.bool_(True), np.array([3, 4]).min() > 2, True])
def test_numpy_booleans_count(holds):
    assert Ledger().claim("c", **SAID, holds=holds).verdict == HOLDS


@pytest.mark.parametrize("holds", [1, 0, None, "yes", "", 0.97, np.int64(1), np.array([True]), []])
def test_holds_must_be_a_boolean(holds):
    with pytest.raises(TypeError, match="holds must be a computed boolean"):
        Ledger().claim("c", **SAID, holds=holds)
    with pytest.raises(TypeError, match="shown must be a computed boolean"):
        Ledger().claim("c", **SAID, holds=True, shown=holds)


@pytest.mark.parametrize("name", ["claim", "source", "where", "evidence", "condition"])
@pytest.mark.parametrize(("text", "error"), [("", ValueError), (" \n", ValueError), (3, TypeError)])
def test_texts_must_say_something(name, text, error):
    arguments = SAID | {"claim": "c", "condition": "d", name: text}
    ledger = Ledger()
    with pytest.raises(error, match=name):
        ledger.claim(arguments.pop("claim"), holds=True, **arguments)
    assert len(ledger) == 0


@pytest.mark.parametrize("name", ["source", "where"])
@pytest.mark.parametrize("said", [SAID, ASKED, WARNED])
def test_what_a_source_says_has_an_address(said, name):
    arguments = {key: value for key, value in said.items() if key != name}
    with pytest.raises(TypeError, match=f"{name} must be a string"):
        Ledger().claim("c", **arguments, holds=True)


def test_claim_is_recorded_once(ledger):
    with pytest.raises(ValueError, match="stands in the ledger already: '2 \\+ 2 is 5'"):
        ledger.claim("2 + 2 is 5", **SAID, holds=True)
    assert len(ledger) == 6


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
    assert [a["scope"] for tag, a in cells.tags if tag == "th"] == ["col"] * 5
    assert cells.texts[:6] == ["What we found", *HEADER]
    assert cells.texts[6:11] == [
        "1",
        "2 + 2 is 4",
        "claims: [euclid] Book 1",
        "✓ holds",
        "2 + 2 = 4",
    ]
    assert cells.texts[-3].strip() == "ours"


def test_verdict_is_text_and_its_mark_is_hidden_from_screen_readers(ledger):
    html = html_table(ledger.to_dict()["claims"])
    spoken = Cells(re.sub(r'<span aria-hidden="true">.*?</span>', "", html)).texts[6:]
    assert [text.strip() for text in spoken[3::5]] == [
        "holds",
        "refuted",
        "holds with a condition: p/q rational",
        "answered: yes",
        "confirmed",
        "measured",
    ]


def test_claim_shows_who_said_it_and_ends_its_sentences(ledger):
    html = ledger.claims[3]._repr_html_()
    assert "Question: Is it even? <small>[euclid] Book 1</small>" in html
    assert "Evidence: 2 + 2 = 4.</div>" in html
    assert "Measured here: It took two steps.<br>" in ledger.claims[5]._repr_html_()


def test_html_in_a_claim_is_text():
    hostile = '<script>alert("x")</script> & </td>'
    ledger = Ledger()
    texts = dict.fromkeys(["claim", "source", "where", "evidence", "condition"], hostile)
    ledger.claim(stance="claims", holds=True, **texts)
    html = html_table(ledger.to_dict()["claims"], caption=hostile)
    cells = Cells(html)
    assert "script" not in [tag for tag, _ in cells.tags]
    assert sum(text.count(hostile) for text in cells.texts) == 6


def test_empty_ledger_shows():
    assert repr(Ledger()) == "Claims ledger"
    assert Cells(html_table([])).texts == ["Claims and computed verdicts", *HEADER]
