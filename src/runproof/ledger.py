"""The claims ledger: who said what, where, and what the computation says to it.

A chapter makes one :class:`Ledger`, adds a statement where the evidence has just been
computed, and shows the ledger at its end. Each statement has a stance: the source *claims*
it, *asks* it, *warns* of it, or it is *ours*. The stance decides which verdicts there can
be: only a claim can be refuted. The output's metadata carries the rows of the rendered
table as JSON; the site collects them from all chapters into one page.
"""

from dataclasses import asdict, dataclass
from html import escape

from runproof.html import header, table
from runproof.validation import one_of

HOLDS = "holds"
REFUTED = "refuted"
CONDITIONAL = "holds with a condition"
NOT_SHOWN = "not shown"

#: The verdicts of each stance: if it holds, if not, if only under a condition, and if the
#: evidence does not decide.
STANCES = {
    "claims": (HOLDS, REFUTED, CONDITIONAL, NOT_SHOWN),
    "asks": ("answered: yes", "answered: no", "answered: under a condition", "not settled"),
    "warns": ("confirmed", "not confirmed", None, "not confirmed"),
    "ours": ("measured", None, None, None),
}

#: The mark beside each verdict, and the class that styles it.
MARKS = {
    HOLDS: ("✓", "holds"),
    REFUTED: ("✗", "refuted"),
    CONDITIONAL: ("◐", "condition"),
    NOT_SHOWN: ("○", "open"),
    "answered: yes": ("✓", "holds"),
    "answered: no": ("✗", "answered"),
    "answered: under a condition": ("◐", "condition"),
    "not settled": ("○", "open"),
    "confirmed": ("✓", "holds"),
    "not confirmed": ("○", "open"),
    "measured": ("•", "answered"),
}

_LABELS = {"claims": "Claim", "asks": "Question", "warns": "Warning", "ours": "Measured here"}


@dataclass(frozen=True)
class Claim:
    """One statement, who made it, and its computed verdict.

    Attributes
    ----------
    id : int
        Position in the ledger, from 1.
    claim : str
        The statement that was checked; a question if the source asks.
    stance : {"claims", "asks", "warns", "ours"}
        How the source puts it.
    source : str or None
        Key of the source in ``book/references.bib``; None for a statement of ours.
    where : str or None
        The address in the source: section, step, page, or file and line.
    verdict : str
        What the computation said, one of the verdicts in :data:`STANCES`.
    evidence : str
        What was measured, with its numbers.
    condition : str or None
        The condition under which the statement holds, where there is one.

    Examples
    --------
    >>> Claim(1, "2 + 2 is 5", "claims", "orwell1949", "Part 1, Chapter 7", "refuted", "2 + 2 = 4")
    Verdict 1: refuted.
    Evidence: 2 + 2 = 4
    """

    id: int
    claim: str
    stance: str
    source: str | None
    where: str | None
    verdict: str
    evidence: str
    condition: str | None = None

    def __repr__(self):
        condition = f" Condition: {self.condition}" if self.condition else ""
        return f"Verdict {self.id}: {self.verdict}.{condition}\nEvidence: {self.evidence}"

    def _repr_html_(self):
        mark, style = MARKS[self.verdict]
        said = (
            f" <small>[{escape(self.source)}] {escape(self.where)}</small>" if self.source else ""
        )
        condition = f" Condition: {_sentence(self.condition)}" if self.condition else ""
        return (
            f'<div class="runproof-verdict {style}" style="border-left:4px solid;padding:.2em 1em">'
            f"{_LABELS[self.stance]}: {_sentence(self.claim)}{said}<br>"
            f"<strong>{mark} Verdict {self.id}: {self.verdict}.</strong>{condition}<br>"
            f"Evidence: {_sentence(self.evidence)}</div>"
        )


def rows_of(output):
    """Return the rows that a notebook output carries.

    Parameters
    ----------
    output : dict
        An output as nbformat stores it.

    Returns
    -------
    list of dict
        The claims; empty if the output does not show a ledger.
    """
    return output.get("metadata", {}).get("runproof", {}).get("claims", [])


class Ledger:
    """The statements that one chapter settled, in order.

    Examples
    --------
    >>> ledger = Ledger()
    >>> ledger.claim(
    ...     "2 + 2 is 5",
    ...     source="orwell1949",
    ...     where="Part 1, Chapter 7",
    ...     stance="claims",
    ...     holds=(2 + 2 == 5),
    ...     evidence="2 + 2 = 4",
    ... )
    Verdict 1: refuted.
    Evidence: 2 + 2 = 4
    """

    def __init__(self):
        self.claims: list[Claim] = []

    def claim(
        self,
        claim,
        *,
        stance,
        holds,
        evidence,
        source=None,
        where=None,
        condition=None,
        shown=True,
    ):
        """Record a statement with the verdict that the computation gave.

        Parameters
        ----------
        claim : str
            The statement, in a form that can fail; a question, with its mark, if the source
            asks.
        stance : {"claims", "asks", "warns", "ours"}
            The source asserts it, asks it, or says itself that it fails; or the statement is
            this book's. Only what a source claims can be refuted.
        holds : bool
            Computed, never typed. NumPy booleans are accepted.
        evidence : str
            What was measured, with numbers, whatever the verdict.
        source : str
            Key of the source in ``book/references.bib``; left out for "ours".
        where : str
            The address in the source: section, step, page, or file and line; left out for
            "ours".
        condition : str, optional
            State it where the statement holds only under a condition. A claim that fails is
            refuted all the same.
        shown : bool
            Whether the evidence decides at all, computed as well. If not, the verdict is "not
            shown" or its like: absence of evidence refutes nothing.

        Returns
        -------
        Claim
            Its representation shows the verdict.

        Raises
        ------
        TypeError
            If `holds` or `shown` is not a boolean, or a text is not a string.
        ValueError
            If a text is empty or missing, the stance is unknown or does not fit the other
            arguments, a statement of ours does not hold, or the statement stands in the
            ledger already.
        """
        _check_texts(claim, stance, source, where, evidence, condition)
        for name, value in [("holds", holds), ("shown", shown)]:
            if type(value).__name__ not in ("bool", "bool_"):
                raise TypeError(f"{name} must be a computed boolean, got {value!r}")
        if any(claim == other.claim for other in self.claims):
            raise ValueError(f"this claim stands in the ledger already: {claim!r}")
        verdict = _verdict(stance, bool(holds), bool(shown), condition)
        entry = Claim(
            len(self.claims) + 1, claim, stance, source, where, verdict, evidence, condition
        )
        self.claims.append(entry)
        return entry

    def __len__(self):
        return len(self.claims)

    def to_dict(self):
        """Return the rows as ``{"claims": [...]}``, ready for JSON."""
        return {"claims": [asdict(entry) for entry in self.claims]}

    def __repr__(self):
        lines = [
            f"{c.id}. {c.claim}\n   {_address(asdict(c))}\n   {c.verdict}: {c.evidence}"
            for c in self.claims
        ]
        return "\n".join(["Claims ledger", *lines])

    def _repr_mimebundle_(self, include=None, exclude=None):
        rows = self.to_dict()
        data = {"text/plain": repr(self), "text/html": html_table(rows["claims"])}
        return data, {"runproof": rows}


def html_table(claims, caption="Claims and computed verdicts"):
    """Render claims as an accessible HTML table.

    Parameters
    ----------
    claims : list of dict
        Rows as in :meth:`Ledger.to_dict`.
    caption : str
        The table's caption.

    Returns
    -------
    str
        HTML. The verdict is text; the mark beside it only repeats it.
    """
    head = header(["#", "Claim", "Who says it, and where", "Verdict", "Evidence"])
    return table("runproof-ledger", caption, head, "".join(map(_html_row, claims)))


def _html_row(row):
    mark, style = MARKS[row["verdict"]]
    verdict = f'<span aria-hidden="true">{mark}</span> {row["verdict"]}'
    if row["condition"]:
        verdict += f": {escape(row['condition'])}"
    return (
        f'<tr class="{style}"><td>{row["id"]}</td><td>{escape(row["claim"])}</td>'
        f"<td>{escape(_address(row))}</td><td>{verdict}</td><td>{escape(row['evidence'])}</td></tr>"
    )


def _address(row):
    """Return the stance and the address, such as ``asks: [granville2023] Section 4.3``."""
    if not row["source"]:
        return row["stance"]
    return f"{row['stance']}: [{row['source']}] {row['where']}"


def _verdict(stance, holds, shown, condition):
    yes, no, under, undecided = STANCES[stance]
    if condition and under is None:
        raise ValueError(f"stance {stance!r} takes no condition, got {condition!r}")
    verdict = undecided if not shown else no if not holds else under if condition else yes
    if verdict is None:
        raise ValueError("a statement of ours must hold: say what was measured instead")
    return verdict


def _check_texts(claim, stance, source, where, evidence, condition):
    one_of("stance", stance, STANCES)
    texts = {"claim": claim, "evidence": evidence}
    if stance != "ours":
        texts |= {"source": source, "where": where}
    elif source is not None or where is not None:
        raise ValueError("a statement of ours has no source: leave out source= and where=")
    if condition is not None:
        texts["condition"] = condition
    for name, text in texts.items():
        if not isinstance(text, str):
            raise TypeError(f"{name} must be a string, got {type(text).__name__}")
        if not text.strip():
            raise ValueError(f"{name} must not be empty")
    if (stance == "asks") != claim.endswith("?"):
        raise ValueError(f"a question mark ends what a source asks, and nothing else: {claim!r}")


def _sentence(text):
    """Escape a text and end it with a period, unless it asks."""
    return escape(text) + ("" if text.endswith(("?", ".")) else ".")
