"""Rules about the Markdown of a notebook: its numbers, words, headings and verdicts."""

import html
import math
import re
from itertools import pairwise

from pybtex.database import parse_file

from runproof.ledger import MARKS, STANCES, html_table, rows_of
from tools import book, cells
from tools.cells import as_text, at, code, headings, markdown, section, tags, without_fences
from tools.chapter import ANCHOR, Chapter, is_solution

VERDICT = re.compile(rf"\*\*Verdict (\d+): ({'|'.join(MARKS)})\.\*\*")

SKELETON = [
    "You will build",
    "Set-up",
    "The question and the data",
    "The published method",
    "Does it hold?",
    "A better way",
    "Against someone else's numbers",
    "Your turn",
    "Claims ledger",
    "What we learned",
    "Going further",
]

#: How fast a chapter is read, and how long it may be.
WORDS_A_MINUTE, LINES_A_MINUTE = 200, 40
MAX_WORDS, MAX_CELLS = 3500, 60

FORBIDDEN = ["simply", "obviously", "of course", "as we all know", "needless to say"]
#: British spellings (regular expressions) and what we write.
SPELLING = {
    "colour": "color",
    "behaviour": "behavior",
    "favour": "favor",
    "neighbour": "neighbor",
    "labelled": "labeled",
    "modell(?:ed|ing)": "modeled, modeling",
    r"analys(?:e\b|ed|ing)": "analyze",
    r"centre(?:s|d)?\b": "center",
    r"metres?\b": "meter",
    "licence": "license",
    "defence": "defense",
    r"programmes?\b": "program",
    "whilst": "while",
    "(?:general|maxim|minim|normal|optim|organ|recogn|regular|summar|visual)is"
    r"(?:e[ds]?|ing|ations?)\b": "-ize",
}

#: How a note opens that a template gives to its author.
AUTHOR = "**For the author.**"

GIVEN = re.compile(r"<!--\s*given:(.*?)-->", re.DOTALL)
FENCE = re.compile(r"^(```+|~~~+)[^\n]*\n(.*?)^\1\s*$", re.MULTILINE | re.DOTALL)
CODE_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
COMMENT_OR_ROLE = re.compile(r"<!--.*?-->|\{[\w:-]+\}`[^`]*`", re.DOTALL)
#: Links, tags and identifiers: they carry digits and words that no reader is told.
ADDRESS = re.compile(
    r"(?<=\])\([^()\s]*(?:\([^()]*\)[^()\s]*)*\)|https?://[^\s)>]+|</?[A-Za-z][^<>]*>"
    r"|\b10\.\d{4,}/\S+|\barXiv:\S+"
)
#: Table 4.1, Figures 2.1 and 2.2, p. 1234: names of things, not numbers.
ONE_LABEL = r"(?:Table|Figure|Section|Chapter|Theorem|Lemma|Equation|page|(?:Eq|Fig|Sec|p)\.)"
LABELS = r"(?:Tables|Figures|Sections|Chapters|Theorems|Lemmas|Equations|pages|pp\.)"
LABEL = re.compile(
    rf"\b{ONE_LABEL}\s*\(?\d[\d.]*|\b{LABELS}\s*\d[\d.]*(?:\s*(?:,|and|to|–|-)\s*\d[\d.]*)*"
)
YEAR = r"(?:1[5-9]|20)\d\d[a-z]?"
AUTHOR_YEAR = re.compile(rf"\b([A-Z][\w'’-]+(?: et al\.)?)\s+\({YEAR}(?:, pp?\. ?[\d–-]+)?\)")
NUMBER = re.compile(r"(?<![\w.])(-?)(\d+(?:\.\d+)*|\.\d+)(?:[eE]([-+]?\d+))?")
SEPARATOR = "[,_\N{THIN SPACE}\N{NARROW NO-BREAK SPACE}\N{NO-BREAK SPACE}]"


def numbers(text):
    """Return the numbers of a text as written, in a normal form.

    Thousands separators go, a minus is a hyphen, ``3.2 × 10^5`` and ``3.2e+05`` both read
    ``3.2e5``, ``.5`` reads ``0.5``. Digits stay as they are: 0.5 and 0.50 are two numbers,
    for nobody may round by hand. A version such as 1.0.4 is no number, nor is the 84187
    in A084187.

    Parameters
    ----------
    text : str

    Returns
    -------
    list of str
        A leading ``-`` is kept where it can only be a sign.
    """
    text = text.replace("\N{MINUS SIGN}", "-")
    text = re.sub(r"\{,\}|\\[,;: ]", "\N{THIN SPACE}", text)
    text = re.sub(rf"(?<=\d){SEPARATOR}(?=\d{{3}}(?!\d))", "", text)
    text = re.sub(r"\s*(?:×|·|\\times|\\cdot)\s*10\s*(?:\^|\*\*)\s*\{?(-?\d+)\}?", r"e\1", text)
    text = re.sub(r"\\[A-Za-z]+", " ", text)
    found = []
    for sign, digits, exponent in NUMBER.findall(text):
        if digits.count(".") < 2:
            digits = f"0{digits}" if digits.startswith(".") else digits
            found.append(sign + digits + (f"e{int(exponent)}" if exponent else ""))
    return found


def is_checked(number):
    """Tell whether the rule asks for this number: a decimal point, or four digits."""
    mantissa, _, exponent = number.lstrip("-").partition("e")
    return "." in mantissa or len(mantissa) >= 4 or exponent.startswith("-")


def told(source, programs=""):
    """Return the numbers that a Markdown text tells its reader.

    Parameters
    ----------
    source : str
        The Markdown.
    programs : str
        The notebook's code; a code span or block that occurs there is a quotation.

    Returns
    -------
    list of str
    """

    def quoted(match):
        words = re.escape(match[2].strip())
        return " " if re.search(rf"(?<![\w.]){words}(?![\w.])", programs) else match[2]

    text = COMMENT_OR_ROLE.sub(" ", source)
    text = CODE_SPAN.sub(quoted, FENCE.sub(quoted, text))
    text = AUTHOR_YEAR.sub(r"\1", ADDRESS.sub(" ", text))
    # In prose a plain space may separate thousands; in an output it separates columns.
    text = re.sub(r"(?<![\d.])\d{1,3}(?: \d{3})+(?!\d)", lambda m: m[0].replace(" ", ""), text)
    return numbers(LABEL.sub(" ", text))


def printed(nb):
    """Return all numbers in the outputs of a notebook, each also without its sign."""
    texts = [text for _, cell in code(nb) for out in cell.outputs for text in _texts(out)]
    # A comma between digits may separate thousands or columns: both readings count.
    found = {n for text in texts for n in (*numbers(text), *numbers(text.replace(",", ", ")))}
    return found | {n.lstrip("-") for n in found}


def _texts(output):
    if output.output_type == "stream":
        yield as_text(output.text)
    data = output.get("data", {})
    for mime, value in data.items():
        if mime == "text/html":
            yield html.unescape(re.sub(r"<[^>]*>", " ", as_text(value)))
        elif mime.startswith("text/") and not any(m.startswith("image/") for m in data):
            yield as_text(value)


def author_notes(nb, path):
    """The template's notes to its author are gone."""
    for i, cell in markdown(nb):
        if AUTHOR in cell.source and not path.stem.startswith("_"):
            yield at(nb, i, f"still has the template's note '{AUTHOR}'; do what it says, delete it")


def prose_numbers(nb, path):
    """A number in prose was printed by a cell, or is marked as given."""
    known = printed(nb)
    programs = "\n".join(cell.source for _, cell in code(nb))
    for i, cell in markdown(nb):
        given = {n.lstrip("-") for mark in GIVEN.findall(cell.source) for n in numbers(mark)}
        found = [n for n in told(cell.source, programs) if is_checked(n)]
        for n in dict.fromkeys(found):
            if n not in known and n.lstrip("-") not in given:
                yield at(
                    nb,
                    i,
                    f"{n} stands in no output of this notebook; print it in a cell with these "
                    "very digits (commas do not count), or mark it in this cell: "
                    f"<!-- given: {n.lstrip('-')} -->",
                )
        for n in sorted(given - {n.lstrip("-") for n in told(cell.source, programs)}):
            yield at(nb, i, f"{n} is marked as given but not told here; remove the mark")


def words(nb, path):
    """The house voice: American spelling, no belittling."""
    for i, cell in markdown(nb):
        text = ADDRESS.sub(" ", CODE_SPAN.sub(" ", _plain(cell.source))).lower()
        text = re.sub(r"\s+", " ", text)
        for phrase in FORBIDDEN:
            if re.search(rf"\b{phrase}\b", text):
                yield at(nb, i, f"says {phrase!r}; leave it out")
        for british, american in SPELLING.items():
            if match := re.search(rf"\b\w*{british}\w*", text):
                yield at(nb, i, f"spells {match[0]!r}; write American English ({american})")


def _plain(source):
    return COMMENT_OR_ROLE.sub(" ", without_fences(source))


def heading_levels(nb, path):
    """One H1, in the first cell, in words; levels do not skip; an H2 or H3 begins its cell."""
    first = nb.cells[0] if nb.cells else None
    if first is None or first.cell_type != "markdown" or not first.source.startswith("# "):
        yield "cell 1: must be Markdown and begin with the title (# Title)"
    found = [(i, *heading) for i, cell in markdown(nb) for heading in headings(cell.source)]
    for i, level, title in found:
        if level == 1 and (i, level, title) != found[0]:
            yield at(nb, i, f"is a second H1 ({title}); a notebook has one, use ## or deeper")
        opening = ANCHOR.sub("", nb.cells[i].source, count=1).lstrip()
        begins = opening.startswith("#" * level + " ")
        if level in (2, 3) and not (begins and title == next(headings(nb.cells[i].source))[1]):
            yield at(nb, i, f"the heading {title!r} stands inside a cell; begin a cell with it")
    if found and "$" in found[0][2]:
        yield "cell 1: the title has a formula, which the tab and the search cannot show; use words"
    for (_, above, _), (i, level, title) in pairwise(found):
        if level > above + 1:
            yield at(nb, i, f"{title!r} jumps from H{above} to H{level}; do not skip a level")


def skeleton(nb, path):
    """A chapter has the book's sections, in order; others may stand between them."""
    titles = [t for _, cell in markdown(nb) for level, t in headings(cell.source) if level == 2]
    missing = [title for title in SKELETON if title not in titles]
    for title in missing:
        yield f"the section '## {title}' is missing; every chapter has it"
    found = [title for title in titles if title in SKELETON]
    if not missing and found != SKELETON:
        wrong = next(a for a, b in zip(found, [*SKELETON, ""], strict=False) if a != b)
        yield f"the section '## {wrong}' is out of order or double; see notebooks/_template.ipynb"
    build = " ".join(cell.source for _, cell in section(nb, "You will build"))
    if build and not re.search(r"\d\s*[MG]B\b", build):
        yield "'## You will build' does not tell the memory; say, e.g., 300 MB"


def reading(nb):
    """Return what a reader of the unfolded chapter meets: words, lines of code, code cells.

    Solutions, folded cells and `<details>` are left out, and the set-up cell, which nobody
    reads. A cell whose code alone is folded still counts as a cell: its output is read.
    """
    shown = [cell for _, cell in markdown(nb) if not is_solution(cell)]
    texts = [re.sub(r"<!--.*?-->|<details.*?</details>", " ", c.source, flags=re.S) for c in shown]
    visible = [cell for _, cell in cells.own(nb) if "hide-cell" not in tags(cell)]
    open_cells = [cell for cell in visible if "hide-input" not in tags(cell)]
    lines = [line for cell in open_cells for line in cell.source.splitlines() if line.strip()]
    return sum(len(text.split()) for text in texts), len(lines), len(visible)


def length(nb, path):
    """A chapter is read in the minutes that it states, and is short enough to be read."""
    n_words, lines, n_cells = reading(nb)
    minutes = math.ceil(n_words / WORDS_A_MINUTE + lines / LINES_A_MINUTE)
    build = " ".join(cell.source for _, cell in section(nb, "You will build"))
    stated = re.search(r"Reading takes (\d+) minutes", build)
    if not stated or abs(int(stated[1]) - minutes) > 1:
        yield (
            f"'## You will build' must say 'Reading takes {minutes} minutes': {n_words} words and "
            f"{lines} lines of code, at {WORDS_A_MINUTE} and {LINES_A_MINUTE} a minute"
        )
    if n_words > MAX_WORDS or n_cells > MAX_CELLS:
        yield (
            f"has {n_words} words and {n_cells} code cells outside its folds, at most {MAX_WORDS} "
            f"and {MAX_CELLS} are allowed; what does not serve the story goes"
        )


def ledgers(nb):
    """Yield (index, output, claims) for every claims ledger that a cell shows."""
    for i, cell in code(nb):
        for out in cell.outputs:
            if claims := rows_of(out):
                yield i, out, claims


def ledger_shown(nb, path):
    """A chapter ends with its claims ledger, whose rows are those of the table beside it."""
    shown = list(ledgers(nb))
    if not shown:
        yield "shows no claims ledger; end a cell with `ledger` under '## Claims ledger'"
    elif shown[-1][0] < len(nb.cells) * 2 / 3:
        yield at(nb, shown[-1][0], "the ledger stands too early; show it in the last third")
    for i, out, claims in shown:
        # nbval compares the table only; the site and the rule on verdicts read the rows.
        if as_text(out.data.get("text/html", "")) != _table(claims):
            yield at(nb, i, "the ledger's rows are not those of its table; run `make run`")


def _table(claims):
    try:
        return html_table(claims)
    except (AttributeError, KeyError, TypeError):  # rows that no ledger wrote
        return None


def ledger_sources(nb, path):
    """Every statement has a source in the bibliography and an address that this source has.

    An entry lists under ``parts`` what somebody found when he opened the source: sections,
    pages, tables, files. A theorem of another text cannot be cited under its key then.
    """
    known = parse_file(book.BIBLIOGRAPHY).entries if book.BIBLIOGRAPHY.exists() else {}
    bibliography = book.BIBLIOGRAPHY.name
    for i, _, claims in list(ledgers(nb))[-1:]:
        for claim in (row for row in claims if row.get("stance") != "ours"):
            name, where = claim.get("source"), claim.get("where") or ""
            about = f"claim {claim.get('id')} cites {name!r}"
            if name not in known:
                yield at(nb, i, f"{about}, which is not in {bibliography}; add the entry there")
                continue
            parts = [part.strip() for part in known[name].fields.get("parts", "").split(";")]
            if not where.strip() or not any(part and where.startswith(part) for part in parts):
                yield at(
                    nb,
                    i,
                    f"{about} at {where!r}, but that source has {'; '.join(parts) or 'no parts'}; "
                    "cite the text where it stands, or list the part under `parts` of its entry "
                    f"in {bibliography} after you have seen it there",
                )


def ledger_stances(nb, path):
    """The verdict fits the stance: only what a source claims can hold or be refuted."""
    for i, _, claims in list(ledgers(nb))[-1:]:
        for claim in claims:
            stance, verdict = claim.get("stance"), claim.get("verdict")
            if stance not in STANCES:
                yield at(
                    nb,
                    i,
                    f"claim {claim.get('id')} has the stance {stance!r}; known: "
                    f"{', '.join(STANCES)}",
                )
            elif verdict not in STANCES[stance]:
                yield at(
                    nb,
                    i,
                    f"claim {claim.get('id')}, which the source {stance}, has the "
                    f"verdict {verdict!r}; run `make run`",
                )


def verdicts(nb, path):
    """The text states the verdict that was computed, for every claim."""
    computed = {claim.get("id"): claim.get("verdict") for claim in Chapter(nb, path).claims}
    stated = set()
    for i, cell in markdown(nb):
        for number, verdict in VERDICT.findall(cell.source):
            stated.add(int(number))
            if (truth := computed.get(int(number))) != verdict:
                truth = f"the ledger says {truth!r}" if truth else "the ledger has no such claim"
                yield at(nb, i, f"states verdict {number}: {verdict}, but {truth}; mend the text")
        if len(VERDICT.findall(cell.source)) < cell.source.count("**Verdict"):
            yield at(nb, i, "has a verdict in another form; write **Verdict 1: refuted.**")
    for number in computed.keys() - stated:
        yield f"no text states verdict {number}; write **Verdict {number}: {computed[number]}.**"
