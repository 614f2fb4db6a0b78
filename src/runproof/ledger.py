"""The claims ledger: what a chapter set out to check, and what the computation said.

A chapter makes one :class:`Ledger`, adds a claim where the evidence has just been
computed, and shows the ledger at its end. The output's metadata carries the rows of the
rendered table as JSON; the site collects them from all chapters into one page.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from html import escape

HOLDS = "holds"
REFUTED = "refuted"
CONDITIONAL = "holds with a condition"
MARKS = {HOLDS: "✓", REFUTED: "✗", CONDITIONAL: "◐"}


@dataclass(frozen=True)
class Claim:
    """One claim and its computed verdict.

    Attributes
    ----------
    id : int
        Position in the ledger, from 1.
    claim : str
        The statement that was checked.
    source : str
        Key of the source in ``book/references.bib``.
    verdict : {"holds", "refuted", "holds with a condition"}
        What the computation said.
    evidence : str
        What was measured, with its numbers.
    condition : str or None
        The condition under which the claim holds, where there is one.
    """

    id: int
    claim: str
    source: str
    verdict: str
    evidence: str
    condition: str | None = None

    def __repr__(self):
        condition = f" Condition: {self.condition}" if self.condition else ""
        return f"Verdict {self.id}: {self.verdict}.{condition}\nEvidence: {self.evidence}"

    def _repr_html_(self):
        condition = f" Condition: {escape(self.condition)}." if self.condition else ""
        return (
            f'<div class="runproof-verdict {self.verdict.split()[-1]}" '
            'style="border-left:4px solid;padding:.2em 1em">'
            f"Claim: {escape(self.claim)}.<br><strong>{MARKS[self.verdict]} Verdict {self.id}: "
            f"{self.verdict}.</strong>{condition}<br>Evidence: {escape(self.evidence)}.</div>"
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
    """The claims of one chapter, in the order in which they were settled.

    Examples
    --------
    >>> ledger = Ledger()
    >>> ledger.claim("2 + 2 is 5", source="orwell1949", holds=(2 + 2 == 5), evidence="2 + 2 = 4")
    Verdict 1: refuted.
    Evidence: 2 + 2 = 4
    """

    def __init__(self):
        self.claims: list[Claim] = []

    def claim(self, claim, *, source, holds, evidence, condition=None):
        """Record a claim with the verdict that the computation gave.

        Parameters
        ----------
        claim : str
            The statement, in a form that can fail.
        source : str
            Key of the source in ``book/references.bib``.
        holds : bool
            Computed, never typed. NumPy booleans are accepted.
        evidence : str
            What was measured, with numbers.
        condition : str, optional
            State it where the claim holds only under a condition. The verdict then reads
            "holds with a condition"; a claim that fails is refuted all the same.

        Returns
        -------
        Claim
            Its representation shows the verdict.

        Raises
        ------
        TypeError
            If `holds` is not a boolean, or a text is not a string.
        ValueError
            If a text is empty, or the claim stands in the ledger already.
        """
        for name, text in [("claim", claim), ("source", source), ("evidence", evidence)]:
            _require_text(name, text)
        if condition is not None:
            _require_text("condition", condition)
        if type(holds).__name__ not in ("bool", "bool_"):
            raise TypeError(f"holds must be a computed boolean, got {holds!r}")
        if any(claim == other.claim for other in self.claims):
            raise ValueError(f"this claim stands in the ledger already: {claim!r}")
        verdict = REFUTED if not holds else CONDITIONAL if condition else HOLDS
        entry = Claim(len(self.claims) + 1, claim, source, verdict, evidence, condition)
        self.claims.append(entry)
        return entry

    def __len__(self):
        return len(self.claims)

    def to_dict(self):
        """Return the rows as ``{"claims": [...]}``, ready for JSON."""
        return {"claims": [asdict(entry) for entry in self.claims]}

    def __repr__(self):
        lines = [f"{c.id}. {c.claim}\n   {c.verdict}: {c.evidence}" for c in self.claims]
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
    header = "".join(
        f'<th scope="col">{name}</th>' for name in ("#", "Claim", "Verdict", "Evidence")
    )
    rows = "".join(_html_row(row) for row in claims)
    return (
        '<div class="runproof-ledger" style="overflow-x:auto" tabindex="0" role="region" '
        f'aria-label="{escape(caption)}"><table><caption>{escape(caption)}</caption>'
        f"<thead><tr>{header}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _html_row(row):
    verdict = f'<span aria-hidden="true">{MARKS[row["verdict"]]}</span> {row["verdict"]}'
    if row["condition"]:
        verdict += f": {escape(row['condition'])}"
    claim = f"{escape(row['claim'])} <small>[{escape(row['source'])}]</small>"
    return (
        f'<tr class="{row["verdict"].split()[-1]}"><td>{row["id"]}</td>'
        f"<td>{claim}</td><td>{verdict}</td><td>{escape(row['evidence'])}</td></tr>"
    )


def _require_text(name, text):
    if not isinstance(text, str):
        raise TypeError(f"{name} must be a string, got {type(text).__name__}")
    if not text.strip():
        raise ValueError(f"{name} must not be empty")
