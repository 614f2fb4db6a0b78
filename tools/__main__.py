"""The tools of the book: ``python -m tools COMMAND``."""

import argparse
import sys
from pathlib import Path

from tools import book, chapter, colab, course, decks, fork, pages, rules, run, shots, tables


def _new(options):
    path = run.new(options.name)
    name = book.plain(options.name)
    print(
        f"made {path.relative_to(book.ROOT)}. Next:\n"
        f"  1. edit it (make lab); CONTRIBUTING.md tells what belongs where\n"
        f"  2. make run NB={name}     execute it in place\n"
        f"  3. make check NB={name}   rules, outputs, engine tests\n"
        f"  4. list notebooks/{name} in _toc.yml"
        + (", its entries in notebooks/interview/plan.json" if book.is_interview(path) else "")
    )


def _run(options):
    for path in map(book.resolve, options.names):
        run.run(path)
        print(f"ran {path.name}")


def _check(options):
    paths = [book.resolve(name) for name in options.names] or list(book.known().values())
    complaints = [complaint for path in paths for complaint in rules.check(path)]
    for complaint in complaints:
        print(complaint)
    print(f"{len(paths)} checked, {len(complaints)} complaints", file=sys.stderr)
    return 1 if complaints else 0


def _tests(options):
    paths = [path for name in options.names for path in run.tests(book.resolve(name))]
    print(" ".join(str(path.relative_to(book.ROOT)) for path in dict.fromkeys(paths)))


def _sync(options):
    for path in [*run.sync(), *tables.sync(book.ROOT)]:
        print(f"rewrote {path.relative_to(book.ROOT)}")


def _pages(options):
    print(f"generated pages: {pages.write_pages()} changed")


def _decks(options):
    decks.write(options.folder)


def _student(options):
    for name in options.names:
        made = course.student(chapter.Chapter.read(book.resolve(name)))
        path = Path(options.folder) / f"{book.resolve(name).stem}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        book.write(made, path)
        print(f"wrote {path}")


def _fork(options):
    changed = fork.rewrite(options.address.rstrip("/"), new_branch=options.branch)
    names = [str(path.relative_to(book.ROOT)) for path in changed]
    print("\n".join(names) or "nothing to change")


def _colab(options):
    print(colab.constraints(), end="")


def _shots(options):
    print(shots.take(options.folder, options.parts))


def _parser():
    parser = argparse.ArgumentParser(prog="python -m tools", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    def command(function, text):
        made = commands.add_parser(function.__name__[1:], help=text)
        made.set_defaults(run=function)
        return made.add_argument

    command(_new, "start a notebook from the template")("name")
    add = command(_student, "write chapters without their solutions")
    add("names", nargs="+", metavar="NAME")
    add("--folder", default="dist/student", help="where to (default: %(default)s)")
    command(_run, "execute notebooks top to bottom, in place")("names", nargs="+", metavar="NAME")
    command(_check, "list what is wrong with notebooks (default: all)")(
        "names", nargs="*", metavar="NAME"
    )
    command(_tests, "list the paths that pytest needs for these notebooks")(
        "names", nargs="+", metavar="NAME"
    )
    command(_sync, "rewrite what repeats: set-up cells, and the README's tables")
    command(_pages, "write the pages that are collected from the book itself")
    command(_decks, "write the interview cards, for Anki and as a spreadsheet")("folder")
    add = command(_fork, "rewrite the repository's address everywhere")
    add("address", help="https://github.com/you/your-fork")
    add("branch", nargs="?", help="the default branch, if it has another name")
    command(_colab, "print Colab's list of packages, as constraints for pip")
    add = command(_shots, "picture every page of the built site")
    add("folder", nargs="?", help="default: _build/screenshots")
    add("parts", nargs="*", help="only pages whose names hold one of these")
    return parser


def main(arguments=None):
    """Run one command; return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options) or 0
    except (book.BookError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
