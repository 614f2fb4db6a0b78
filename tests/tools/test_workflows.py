"""The workflow files: valid for GitHub, least rights, and what they call exists."""

import re
import shutil
import subprocess

import check_jsonschema
import pytest
import yaml
from click.testing import CliRunner

from tools.book import ROOT, setup_cell

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
BAD = """
on: push
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - use: actions/checkout@v7
"""
WRITES = {
    ("publish.yml", "tag"): {"contents": "write"},
    ("publish.yml", "deploy"): {"pages": "write", "id-token": "write"},
    ("weekly.yml", "report"): {"issues": "write"},
}


def complaints(schema, *files):
    """Check files against a schema that check-jsonschema brings along; return what it says."""
    arguments = ["--builtin-schema", f"vendor.{schema}", *map(str, files)]
    result = CliRunner().invoke(check_jsonschema.main, arguments)
    return result.output if result.exit_code else ""


def unpinned(text):
    """Return the actions that are used without a commit, and the version it is in a comment."""
    used = re.findall(r"uses:\s*(\S.*)", text)
    pinned = re.compile(r"[\w-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
    return [use for use in used if not use.startswith("./") and not pinned.fullmatch(use)]


def loaded(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def jobs():
    return {
        (path.name, name): job for path in WORKFLOWS for name, job in loaded(path)["jobs"].items()
    }


def test_all_workflows_are_there():
    assert [path.stem for path in WORKFLOWS] == ["links", "publish", "test", "weekly"]


def test_workflows_fit_githubs_schema():
    assert complaints("github-workflows", *WORKFLOWS) == ""


def test_bad_workflow_is_noticed(tmp_path):
    (tmp_path / "bad.yml").write_text(BAD, encoding="utf-8")
    assert "bad.yml" in complaints("github-workflows", tmp_path / "bad.yml")


def test_dependabot_fits_its_schema():
    assert complaints("dependabot", ROOT / ".github" / "dependabot.yml") == ""


def test_bad_dependabot_is_noticed(tmp_path):
    (tmp_path / "bad.yml").write_text("version: 1\nupdates: []\n", encoding="utf-8")
    assert "bad.yml" in complaints("dependabot", tmp_path / "bad.yml")


def test_citation_fits_its_schema():
    assert complaints("citation-file-format", ROOT / "CITATION.cff") == ""


def test_bad_citation_is_noticed(tmp_path):
    (tmp_path / "bad.cff").write_text("cff-version: 1.2.0\ntitle: Runproof\n", encoding="utf-8")
    assert "bad.cff" in complaints("citation-file-format", tmp_path / "bad.cff")


def test_actions_are_pinned():
    for path in WORKFLOWS:
        assert unpinned(path.read_text(encoding="utf-8")) == []


def test_unpinned_action_is_noticed():
    text = (
        "uses: actions/checkout@main\nuses: ./.github/workflows/test.yml\nuses: a/b@v3\nuses: a/c\n"
        f"uses: a/d@{'0' * 40}\nuses: a/e@{'0' * 40} # v1.2.3"
    )
    assert unpinned(text) == ["actions/checkout@main", "a/b@v3", "a/c", f"a/d@{'0' * 40}"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflow_may_only_read_and_does_not_pile_up(path):
    assert loaded(path)["permissions"] == {"contents": "read"}
    assert loaded(path)["concurrency"]["group"]


def test_only_the_named_jobs_may_write():
    assert {
        key: job["permissions"] for key, job in jobs().items() if "permissions" in job
    } == WRITES


def test_every_job_ends():
    assert [key for key, job in jobs().items() if not {"timeout-minutes", "uses"} & set(job)] == []


def test_caches_are_keyed_on_the_lock():
    steps = [step for job in jobs().values() for step in job.get("steps", [])]
    keys = [step["with"]["key"] for step in steps if "actions/cache" in step.get("uses", "")]
    assert keys
    assert all("hashFiles('requirements.txt')" in key for key in keys)


def test_workflows_call_only_what_exists():
    text = "\n".join(path.read_text(encoding="utf-8") for path in WORKFLOWS)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"run: make (\w+)", text):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
    for path in [*re.findall(r"run: bash (\S+)", text), *re.findall(r"uses: \./(\S+)", text)]:
        assert (ROOT / path).is_file()


def test_ci_calls_the_command_that_the_readme_names():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert subprocess.run(["bash", "-n", ROOT / ".ci" / "run"]).returncode == 0
    assert script.splitlines()[-1] == "make test"
    assert "make test" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_promised_python_is_tested():
    lowest = re.search(
        r'requires-python = ">=3\.(\d+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    )
    tested = jobs()["test.yml", "test"]["strategy"]["matrix"]["python"]
    assert tested == [f"3.{minor}" for minor in range(int(lowest[1]), int(lowest[1]) + len(tested))]
    assert len(tested) >= 4


def test_other_systems_leave_out_what_portable_leaves_out():
    """The names come from the Makefile's list, which make itself expands."""
    step = jobs()["test.yml", "elsewhere"]["steps"][-1]
    script = f"echo {step['run']}"
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True)
    dry = ["make", "--dry-run", "--old-file=.venv/.ready", "portable"]
    made = subprocess.run(dry, cwd=ROOT, capture_output=True, text=True).stdout
    ignored = set(re.findall(r"--ignore=\S+", made))
    assert set(re.findall(r"--ignore=\S+", done.stdout)) == ignored
    assert all((ROOT / word.partition("=")[2]).exists() for word in ignored)


def test_shell_in_workflows_parses():
    scripts = [
        step["run"] for job in jobs().values() for step in job.get("steps", []) if "run" in step
    ]
    for script in scripts:
        done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


# The scripts, run for real


def tag_script():
    """Return the script of the job that tags a version."""
    return next(step["run"] for step in jobs()["publish.yml", "tag"]["steps"] if "run" in step)


def git(folder, *arguments):
    someone = ["-c", "user.name=someone", "-c", "user.email=someone@localhost"]
    command = ["git", "-C", folder, *someone, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


def change(tree, name, text):
    (tree / name).parent.mkdir(exist_ok=True)
    (tree / name).write_text(text, encoding="utf-8")
    git(tree, "add", "--all")
    git(tree, "commit", "--message=change")


def publish(tree):
    """Run the script as GitHub does; return its exit status and the tags on the server."""
    command = ["bash", "-e", "-c", tag_script()]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True)
    return done.returncode, git(tree.parent / "origin", "tag")


@pytest.fixture
def tree(tmp_path):
    """A small repository with a server to push to."""
    subprocess.run(["git", "init", "--quiet", "--bare", tmp_path / "origin"], check=True)
    subprocess.run(["git", "init", "--quiet", tmp_path / "tree"], check=True)
    git(tmp_path / "tree", "remote", "add", "origin", tmp_path / "origin")
    change(tmp_path / "tree", "src/engine.py", "x = 1\n")
    change(tmp_path / "tree", "pyproject.toml", '[project]\nname = "x"\nversion = "0.1.0"\n')
    return tmp_path / "tree"


def test_version_is_tagged_once_and_only_while_the_package_stays(tree):
    assert publish(tree) == (0, ["v0.1.0"])
    change(tree, "README.md", "other words\n")
    assert publish(tree) == (0, ["v0.1.0"])
    change(tree, "src/engine.py", "x = 2\n")
    assert publish(tree) == (1, ["v0.1.0"])
    change(tree, "pyproject.toml", '[project]\nname = "x"\nversion = "0.2.0"\n')
    assert publish(tree) == (0, ["v0.1.0", "v0.2.0"])


def test_published_tag_is_the_one_that_set_up_cells_install():
    line = next(line for line in tag_script().splitlines() if line.startswith("tag="))
    command = ["bash", "-c", f"{line}; echo $tag"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert setup_cell().endswith(f'@{done.stdout.strip()}"')


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        (["chromium"], ["make test"]),
        (["google-chrome"], ["make test"]),
        (
            [],
            ["apt-get update", "apt-get install -y --no-install-recommends chromium", "make test"],
        ),
    ],
)
def test_ci_fetches_a_browser_only_where_there_is_none(tmp_path, present, expected):
    """Run it where apt-get, make and the browsers only write down that they were called."""
    for tool in ("bash", "dirname", "env"):
        (tmp_path / tool).symlink_to(shutil.which(tool))
    record = f'#!/bin/sh\necho "${{0##*/}} $*" >> {tmp_path}/calls\n'
    scripts = dict.fromkeys(["apt-get", "make", *present], record) | {
        "sudo": '#!/bin/sh\nexec "$@"\n'
    }
    for name, text in scripts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    subprocess.run([ROOT / ".ci" / "run"], env={"PATH": str(tmp_path)}, check=True)
    assert (tmp_path / "calls").read_text(encoding="utf-8").splitlines() == expected
