"""Tables of the chapters, made from the chapters' own metadata."""

import re

from tools.book import ROOT, address, branch, is_interview, toc_notebooks
from tools.chapter import Chapter

README = "README.md"
MARK = re.compile(
    r"(<!-- (\w+): made by `python -m tools sync` -->\n).*?(?=<!-- end -->)", re.DOTALL
)


def launch(root=ROOT):
    """Return the README's table of chapters: the engines, and where to run each."""
    repository = address(root).removeprefix("https://github.com/")
    colab = f"https://colab.research.google.com/github/{repository}/blob/{branch(root)}"
    binder = f"https://mybinder.org/v2/gh/{repository}/{branch(root)}?urlpath=lab/tree"
    rows = ["| Chapter | Engine | Colab | Binder |", "|---|---|---|---|"]
    for path, chapter in _chapters(root):
        engines = ", ".join(f"`{name}`" for name in chapter.engines)
        links = f"[run]({colab}/{path}) | [run]({binder}/{path})"
        rows.append(f"| [{chapter.short}]({path}) | {engines} | {links} |")
    return "\n".join(rows) + "\n"


def interview(root=ROOT):
    """Return the README's sentence about the interview book."""
    paths = [path for path in toc_notebooks(root) if is_interview(path)]
    chapters = [(path, Chapter.read(root / path)) for path in paths]
    entries = [entry for _, chapter in chapters for entry in chapter.entries]
    turns = sum("turn" in entry.code for entry in entries)
    links = ", ".join(f"[{_topic(chapter)}]({path})" for path, chapter in chapters)
    return (
        f"The interview book answers {len(entries)} questions, almost all with a check that runs, "
        f"and lets you write {turns} of the answers first: {links}.\n"
    )


def _topic(chapter):
    """Return the name of a topic as it stands inside a sentence."""
    name = chapter.title.partition(":")[0]
    proper = re.match(r"[A-Z]\w*[A-Z]|Python", name)
    return name if proper else name[0].lower() + name[1:]


def instructors(root=ROOT):
    """Return the instructors' table: what a chapter takes, and where it fits."""
    rows = [
        "| Chapter | Reading, without the exercises | Students need | Fits a course in |",
        "|---|---|---|---|",
    ]
    for path, chapter in _chapters(root):
        needs, fits = chapter.facts["needs"], chapter.facts["fits"]
        link = f"[{chapter.short}](../{path})"
        rows.append(f"| {link} | {chapter.minutes} minutes | {needs} | {fits} |")
    return "\n".join(rows) + "\n"


def _chapters(root):
    paths = [path for path in toc_notebooks(root) if not is_interview(path)]
    return [(path, Chapter.read(root / path)) for path in paths]


def made(text, root=ROOT):
    """Return a text with every marked part made anew."""
    parts = {"chapters": launch, "interview": interview}
    return MARK.sub(lambda match: f"{match[1]}\n{parts[match[2]](root)}\n", text)


def sync(root=ROOT):
    """Make the README's marked parts anew; return the paths that changed."""
    path = root / README
    if not path.is_file():
        return []
    old = path.read_text(encoding="utf-8")
    if (new := made(old, root)) == old:
        return []
    path.write_text(new, encoding="utf-8")
    return [path]
