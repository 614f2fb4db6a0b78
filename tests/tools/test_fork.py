"""``make repo URL=...``: a fork gets its own address in every place, and nothing else changes."""

import json
import re
import shutil
import subprocess

import pytest
import yaml

from tools import __main__ as command
from tools import fork as forking
from tools.book import ROOT, address, branch, setup_cell
from tools.cells import is_setup

FORK = "https://github.com/Some-Teacher/course.2027_ml"
BAD = [
    "",
    "course",
    "github.com/teacher/course",
    "http://github.com/teacher/course",
    "https://gitlab.com/teacher/course",
    "https://github.com/teacher",
    "https://github.com/teacher/.",
    "https://github.com/teacher/..",
    "https://github.com/teacher/course.git",
    "https://github.com/teacher/course/tree/main",
    "https://github.com/teacher/course?tab=readme",
    "https://github.com/-teacher/course",
    "https://github.com/tea cher/course",
    "https://github.com/teacher/course\n",
    " https://github.com/teacher/course",
    "git@github.com:teacher/course.git",
]


def copy_of_the_book(folder):
    """Copy every file that git has, or would take."""
    git = ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(git, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in listed:
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def texts(folder):
    """Return the text files below a folder by relative path."""
    found = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            found[path.relative_to(folder).as_posix()] = path.read_bytes().decode("utf-8")
        except UnicodeDecodeError:
            continue
    return found


def traces(folder, url):
    """Return the files that hold any form of the address."""
    forms = forking.spellings(url)
    return {name for name, text in texts(folder).items() if any(form in text for form in forms)}


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    return copy_of_the_book(tmp_path_factory.mktemp("book"))


@pytest.fixture(scope="module")
def fork(tmp_path_factory):
    folder = copy_of_the_book(tmp_path_factory.mktemp("fork"))
    forking.rewrite(FORK, folder)
    return folder


def test_no_trace_of_the_old_address_is_left(fork):
    assert traces(fork, address(ROOT)) == set()


def test_trace_that_is_left_is_noticed(book):
    assert {"_config.yml", "README.md", "CITATION.cff"} <= traces(book, address(ROOT))


def test_new_address_stands_in_every_place_of_the_old_one(book, fork):
    pairs = list(zip(forking.spellings(address(ROOT)), forking.spellings(FORK), strict=True))
    before, after = texts(book), texts(fork)
    assert before.keys() == after.keys()
    for name, text in before.items():
        for old, new in pairs:
            text = text.replace(old, new)
        assert after[name] == text, name


def test_rewriting_back_restores_every_byte(book, fork, tmp_path):
    shutil.copytree(fork, tmp_path / "back")
    forking.rewrite(address(book), tmp_path / "back")
    assert texts(tmp_path / "back") == texts(book)


def test_rewriting_twice_changes_nothing(fork):
    assert forking.rewrite(FORK, fork) == []


def test_launch_buttons_lead_to_the_fork(book, fork):
    before, after = (
        yaml.safe_load((tree / "_config.yml").read_text("utf-8")) for tree in (book, fork)
    )
    assert after["repository"] == before["repository"] | {"url": FORK}
    assert {**after, "repository": None} == {**before, "repository": None}
    assert after["launch_buttons"]["colab_url"]
    assert after["launch_buttons"]["binderhub_url"]


def test_site_and_launch_paths_follow_github():
    assert forking.spellings(FORK) == [
        f"{FORK}\ncd course.2027_ml\n",
        FORK,
        "gh/Some-Teacher/course.2027_ml",
        "github/Some-Teacher/course.2027_ml",
        "https://some-teacher.github.io/course.2027_ml",
    ]


@pytest.mark.parametrize("name", ["anna.github.io", "Anna.GitHub.io"])
def test_repository_named_after_its_owner_is_served_at_the_root(name):
    assert forking.spellings(f"https://github.com/Anna/{name}")[-1] == "https://anna.github.io"


def test_site_at_the_root_stands_in_every_place_and_leads_back(book, tmp_path):
    url = "https://github.com/anna/anna.github.io"
    shutil.copytree(book, tmp_path / "fork")
    forking.rewrite(url, tmp_path / "fork")
    readme = (tmp_path / "fork" / "README.md").read_text("utf-8")
    assert "Read it at <https://anna.github.io>" in readme
    assert "url: https://anna.github.io\n" in (tmp_path / "fork" / "CITATION.cff").read_text(
        "utf-8"
    )
    forking.rewrite(address(book), tmp_path / "fork")
    assert texts(tmp_path / "fork") == texts(book)


def test_reader_changes_into_the_folder_that_git_made(fork):
    page = (fork / "book" / "how_to_use.md").read_text("utf-8")
    assert f"git clone {FORK}\ncd course.2027_ml\n" in page


def test_fork_may_have_another_branch(book, fork, tmp_path):
    shutil.copytree(fork, tmp_path / "other")
    forking.rewrite(FORK, tmp_path / "other", "trunk")
    config = yaml.safe_load((tmp_path / "other" / "_config.yml").read_text("utf-8"))
    assert config["repository"]["branch"] == branch(tmp_path / "other") == "trunk"
    before, after = texts(fork), texts(tmp_path / "other")
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {
        "README.md",
        "_config.yml",
        "book/instructors.md",
        ".github/workflows/publish.yml",
        ".github/workflows/test.yml",
    }
    word = re.compile(r"(?<![\w-])main(?![\w(-])")  # not `if __name__ == "__main__"`, `domain`
    assert [name for name in changed if word.search(after[name])] == []
    forking.rewrite(FORK, tmp_path / "other", "main")
    assert texts(tmp_path / "other") == before


@pytest.mark.parametrize("branch", ["a b", "-x", "a/b", "x\n", "[main]"])
def test_bad_branch_is_refused_and_nothing_is_written(branch, book):
    before = texts(book)
    with pytest.raises(ValueError, match="must be a plain name"):
        forking.rewrite(FORK, book, branch)
    assert texts(book) == before


def test_notebooks_change_in_the_set_up_cell_only(book, fork):
    names = [name for name in texts(book) if name.endswith(".ipynb")]
    assert names
    for name in names:
        before, after = (json.loads((tree / name).read_text("utf-8")) for tree in (book, fork))
        old, new = before.pop("cells"), after.pop("cells")
        assert before == after
        changed = [i for i, (a, b) in enumerate(zip(old, new, strict=True)) if a != b]
        assert ["".join(new[i]["source"]) for i in changed] == [setup_cell(fork)], name
        assert all(old[i] | {"source": new[i]["source"]} == new[i] for i in changed)


def test_set_up_cell_of_a_fork_is_recognized(fork):
    class Cell:
        source = setup_cell(fork)

    assert is_setup(Cell)
    assert f'"runproof @ git+{FORK}@v' in Cell.source


@pytest.mark.parametrize("url", BAD)
def test_bad_address_is_refused_and_nothing_is_written(url, book):
    before = texts(book)
    with pytest.raises(ValueError, match=r"must look like https://github\.com/owner/name"):
        forking.rewrite(url, book)
    assert texts(book) == before


def test_bad_address_in_the_configuration_is_noticed(tmp_path):
    (tmp_path / "_config.yml").write_text("repository: {url: 'https://example.org'}\n", "utf-8")
    with pytest.raises(ValueError, match=r"'https://example\.org'"):
        address(tmp_path)


def test_longer_names_are_left_alone(tmp_path):
    url = "https://github.com/me/book"
    kept = (
        "https://github.com/me/book-two https://github.com/me/bookshop https://github.com/us/book"
    )
    (tmp_path / "_config.yml").write_text(f"repository: {{url: {url}}}\n", "utf-8")
    (tmp_path / "README.md").write_text(f"{kept} {url} {url}/issues {url}.\n", "utf-8")
    forking.rewrite(FORK, tmp_path)
    text = (tmp_path / "README.md").read_text("utf-8")
    assert text == f"{kept} {FORK} {FORK}/issues {FORK}.\n"


def test_command_refuses_with_a_message(capsys):
    assert command.main(["fork", "nonsense"]) == 1
    assert "error: address 'nonsense': it must look like" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        command.main(["fork"])
    assert "usage" in capsys.readouterr().err


def test_command_lists_what_changed(monkeypatch, capsys):
    said = []
    monkeypatch.setattr(
        forking, "rewrite", lambda *a, **k: said.append((*a, k)) or [ROOT / "README.md"]
    )
    assert command.main(["fork", FORK + "/"]) == 0
    assert command.main(["fork", FORK, "trunk"]) == 0
    assert said == [(FORK, {"new_branch": None}), (FORK, {"new_branch": "trunk"})]
    assert capsys.readouterr().out == "README.md\n" * 2
