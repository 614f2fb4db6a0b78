"""The workflow files: valid for GitHub, least rights, and what they call exists."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
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
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}"]
    done = subprocess.run([*command, *files], capture_output=True, text=True)
    return done.stdout + done.stderr if done.returncode else ""


def unpinned(text):
    """Return the actions that are used without a major version or a commit."""
    used = re.findall(r"uses:\s*(\S+)", text)
    pinned = re.compile(r"[\w-]+/[\w./-]+@(v\d+|[0-9a-f]{40})")
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
        "uses: actions/checkout@main\nuses: ./.github/workflows/test.yml\nuses: a/b@v3\nuses: a/c"
    )
    assert unpinned(text) == ["actions/checkout@main", "a/c"]


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


def test_shell_in_workflows_parses():
    scripts = [
        step["run"] for job in jobs().values() for step in job.get("steps", []) if "run" in step
    ]
    for script in scripts:
        done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_published_tag_is_the_one_that_set_up_cells_install():
    """The tag that the workflow reads out of pyproject.toml, by running its own command."""
    script = next(step["run"] for step in jobs()["publish.yml", "tag"]["steps"] if "run" in step)
    line = next(line for line in script.splitlines() if line.startswith("tag="))
    done = subprocess.run(
        ["bash", "-c", f"{line}; echo $tag"], cwd=ROOT, capture_output=True, text=True
    )
    from tools.notebook import setup_cell

    assert f'@{done.stdout.strip()}"' in setup_cell()
