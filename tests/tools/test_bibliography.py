"""The bibliography: entries are whole and print well, and keys and citations fit each other."""

import re

import pytest
import yaml
from pybtex.backends.plaintext import Backend
from pybtex.database import parse_string
from pybtex.exceptions import PybtexError
from pybtex.style.formatting.unsrt import Style

from tools.book import BIBLIOGRAPHY, ROOT
from tools.cells import markdown
from tools.chapter import Chapter

FIELDS = {
    "year": re.compile(r"\d{4}[a-z]?"),  # a letter tells works of one year apart
    "doi": re.compile(r"10\.\d{4,9}/[^\s{}]*[^\s{}.,;]"),  # bare: neither a link nor "doi:"
    "eprint": re.compile(r"\d{4}\.\d{4,5}|[a-z-]+/\d{7}"),
    "url": re.compile(r"https://\S+"),
    "pages": re.compile(r"\w+(--\w+)?"),
}
CITE = re.compile(r"\{cite(?::\w+)?\}`([^`]+)`")
STYLE = Style()  # looks up its plugins, which takes its time


# The entries


def printed(entry):
    """Return an entry as the list of references prints it, without its links' commands."""
    text = STYLE.format_entry("1", entry).text.render(Backend())
    return re.sub(r"\\url (?=https?://)", "", text)  # sphinxcontrib-bibtex makes it a link


def cited(entry):
    """Return what a citation shows of an entry: authors and year."""
    names = [" ".join(person.last_names) for person in entry.persons.get("author", [])]
    return (*(names if len(names) < 3 else [names[0], "et al."]), entry.fields.get("year"))


def entry_faults(text):
    """Return what is wrong with the entries of a bibliography.

    A reader gets the authors, a title, a year and an address that works. What a citation
    shows of an entry, authors and year, is no other's. No TeX may be left in the printed
    text, which is HTML: sphinxcontrib-bibtex typesets no formula. The label in the list is
    made from the authors' names, where a command for an accent would be spelled.
    """
    try:
        entries = parse_string(text, "bibtex").entries
    except PybtexError as error:
        return [f"does not parse: {error}"]
    faults, dois, labels = [], {}, {}
    for key, entry in entries.items():
        names = [str(person) for person in entry.persons.get("author", [])]
        present = {"author": names, **entry.fields}
        faults += [f"{key} has no {f}" for f in ("author", "title", "year") if not present.get(f)]
        faults += [f"{key} spells {name} with a command" for name in names if "\\" in name]
        for field, form in FIELDS.items():
            value = entry.fields.get(field)
            if value is not None and not form.fullmatch(value):
                faults.append(f"{key} has the {field} {value!r}")
        if doi := entry.fields.get("doi", "").lower():
            if doi in dois:
                faults.append(f"{key} has the doi of {dois[doi]}")
            dois.setdefault(doi, key)
        if (first := labels.setdefault(cited(entry), key)) != key:
            faults.append(f"{key} is cited like {first}")
        if not any(fault.startswith(f"{key} has no") for fault in faults):
            left = re.search(r"[\\{}$].*", printed(entry))
            faults += [f"{key} prints {left[0]}"] if left else []
    return faults


def test_entries_are_whole_and_print_without_tex():
    text = BIBLIOGRAPHY.read_text(encoding="utf-8")
    assert entry_faults(text) == []
    assert len(parse_string(text, "bibtex").entries) > 80


ENTRY = r"""@article{kac1946,
  author = {Kac, Mark and Erdős, Paul},
  title = {On sums {Σf(2ᵏt)} \& values, file \url{https://example.org/a}},
  journal = {Annals},
  pages = {33--49},
  year = {1946},
  eprint = {1711.01722},
  doi = {10.2307/1969033}
}
"""
OTHER = ENTRY.replace("{kac1946", "{other")


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("year = {1946},", "year = {1946", "does not parse"),
        ("@article", ENTRY + "@article", "does not parse"),
        ("  author = {Kac, Mark and Erdős, Paul},\n", "", "kac1946 has no author"),
        ("  title =", "  booktitle =", "kac1946 has no title"),
        ("  year = {1946},\n", "", "kac1946 has no year"),
        ("{1946}", "{March 1946}", "kac1946 has the year"),
        ("@article", OTHER.replace("1969033", "1") + "@article", "kac1946 is cited like other"),
        ("ő", r"{\H o}", "kac1946 spells"),
        ("10.2307", "https://doi.org/10.2307", "kac1946 has the doi"),
        ("10.2307", "doi:10.2307", "kac1946 has the doi"),
        ("10.2307", "10.23", "kac1946 has the doi"),
        ("1969033", "1969033.", "kac1946 has the doi"),
        ("1711.01722", "arXiv:1711.01722", "kac1946 has the eprint"),
        ("33--49", "33-49", "kac1946 has the pages"),
        ("33--49", "33–49", "kac1946 has the pages"),
        ("  pages", "  url = {doi.org/10.2307/1},\n  pages", "kac1946 has the url"),
        ("{Σf(2ᵏt)}", r"$\sum f(2^k t)$", "kac1946 prints $"),
        ("file", r"file \texttt{a.pdf}", r"kac1946 prints \texttt"),
        ("@article", OTHER.replace("{1946", "{1947") + "@article", "kac1946 has the doi of"),
    ],
)
def test_bad_entry_is_noticed(old, new, fault):
    assert entry_faults(ENTRY) == []
    faults = entry_faults(ENTRY.replace(old, new, 1))
    assert len(faults) == 1
    assert faults[0].startswith(fault)


# The citations


def cited_in(text):
    """Return the keys that the cite roles of a Markdown text name."""
    return {key.strip() for keys in CITE.findall(text) for key in keys.split(",")}


def pages():
    """Yield every page of the book: its Markdown, and the claims of its ledger."""
    toc = (ROOT / "_toc.yml").read_text(encoding="utf-8")
    parts = yaml.safe_load(toc)
    for name in [parts["root"], *(c["file"] for part in parts["parts"] for c in part["chapters"])]:
        path = ROOT / name
        if path.with_suffix(".md").exists():
            yield path.with_suffix(".md").read_text(encoding="utf-8"), []
        else:
            chapter = Chapter.read(path.with_suffix(".ipynb"))
            yield "\n".join(cell.source for _, cell in markdown(chapter.nb)), chapter.claims


def citation_faults(entries, cited, sources):
    """Return where the entries, the cite roles and the ledgers' sources do not fit.

    The list of references holds what a cite role names, so a source must be cited by one; the
    ledger's addresses begin with one of the ``parts`` of the source's entry.
    """
    faults = [f"{key} is cited nowhere" for key in sorted(set(entries) - cited)]
    faults += [f"{key} is cited but no entry" for key in sorted((cited | sources) - set(entries))]
    for key in sorted(sources & set(entries)):
        if key not in cited:
            faults.append(f"{key} is a ledger's source, and no text cites it")
        if not entries[key].fields.get("parts", "").strip():
            faults.append(f"{key} is a ledger's source without parts")
    return faults


def test_every_key_is_cited_and_every_citation_has_its_entry():
    entries = parse_string(BIBLIOGRAPHY.read_text(encoding="utf-8"), "bibtex").entries
    texts, ledgers = zip(*pages(), strict=True)
    cited = set().union(*map(cited_in, texts))
    sources = {row["source"] for rows in ledgers for row in rows if row["source"]}
    assert citation_faults(entries, cited, sources) == []
    assert len(sources) > 10


def test_cite_roles_are_found():
    assert cited_in("{cite}`a2001, b2002` and {cite:p}`c` but `d`") == {"a2001", "b2002", "c"}


@pytest.mark.parametrize(
    ("cited", "sources", "faults"),
    [
        ({"a", "b"}, {"a"}, []),
        ({"a"}, {"a"}, ["b is cited nowhere"]),
        ({"a", "b", "c"}, set(), ["c is cited but no entry"]),
        ({"a", "b"}, {"c"}, ["c is cited but no entry"]),
        ({"b"}, {"a"}, ["a is cited nowhere", "a is a ledger's source, and no text cites it"]),
        ({"a", "b"}, {"b"}, ["b is a ledger's source without parts"]),
    ],
)
def test_bad_citation_is_noticed(cited, sources, faults):
    text = "@misc{a, title = {A}, parts = {Section 1}}\n@misc{b, title = {B}, parts = { }}"
    assert citation_faults(parse_string(text, "bibtex").entries, cited, sources) == faults
