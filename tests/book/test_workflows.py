"""What runs on GitHub: pinned actions, least permissions, nothing untrusted in a command, commands that exist."""

from __future__ import annotations

import os
import re

import pytest
import yaml
from sources import BOOK, CONFIG, HTML, ROOT

FOLDER = ROOT / ".github" / "workflows"
WORKFLOWS = {path.name: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.yml"))}
PINNED = re.compile(r"uses: (actions/[a-z-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)$")
# Everything else may read the sources, and nothing more.
MAY_WRITE = {
    ("publish.yml", "publish"): {"pages": "write", "id-token": "write"},
    ("release.yml", "release"): {"contents": "write"},
    ("links.yml", "issue"): {"issues": "write"},
    ("newest.yml", "issue"): {"issues": "write"},
}

every_workflow = pytest.mark.parametrize("name", WORKFLOWS)


def jobs(name: str) -> dict[str, dict]:
    return WORKFLOWS[name]["jobs"]


def events(name: str) -> set[str]:
    return set(WORKFLOWS[name][True])  # YAML reads the key "on" as true


def steps(name: str) -> list[dict]:
    return [step for job in jobs(name).values() for step in job.get("steps", [])]


def artifacts(name: str, action: str) -> list[str]:
    return [step["with"]["name"] for step in steps(name) if action in step.get("uses", "") and "with" in step]


def called(name: str) -> list[str]:
    """The workflows of this repository that a workflow calls."""
    return [job["uses"].rsplit("/", 1)[1] for job in jobs(name).values() if "uses" in job]


def test_what_there_is():
    assert set(WORKFLOWS) == {"ci.yml", "links.yml", "newest.yml", "publish.yml", "rehearsal.yml", "release.yml"}


@every_workflow
def test_actions_are_pinned(name):
    """Every action is GitHub's own, by its full hash, with the version beside it."""
    lines = [line.strip().removeprefix("- ") for line in (FOLDER / name).read_text(encoding="utf-8").splitlines()]
    for line in (line for line in lines if line.startswith("uses:")):
        assert PINNED.match(line) or line.removeprefix("uses: ./.github/workflows/") in WORKFLOWS, line


def test_one_release_of_each_action():
    text = "\n".join(path.read_text(encoding="utf-8") for path in FOLDER.glob("*.yml"))
    found = {match.groups() for match in re.finditer(PINNED.pattern, text, re.MULTILINE)}
    assert len(found) == len({action for action, _, _ in found}) >= 6


@every_workflow
def test_least_permissions(name):
    assert WORKFLOWS[name]["permissions"] == {"contents": "read"}
    for key, job in jobs(name).items():
        assert job.get("permissions") == MAY_WRITE.get((name, key)), key
    for step in steps(name):
        if "actions/checkout@" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is False


@every_workflow
def test_who_may_write_runs_no_code_of_the_tree(name):
    for key, job in jobs(name).items():
        if (name, key) in MAY_WRITE:
            assert not [step for step in job["steps"] if "actions/checkout@" in step.get("uses", "")], key


@every_workflow
def test_no_untrusted_text_in_a_command(name):
    """Expressions reach a command only as environment variables; no event gives a pull request our permissions."""
    assert not events(name) & {"pull_request_target", "workflow_run", "issue_comment", "issues"}
    for step in steps(name):
        assert "${{" not in step.get("run", ""), step["run"]


@every_workflow
def test_limits(name):
    """Each job ends; two runs do not meet; a called workflow does not wait for its caller."""
    for key, job in jobs(name).items():
        assert "uses" in job or 0 < job["timeout-minutes"] <= 120, key
    group = WORKFLOWS[name]["concurrency"]["group"]
    assert "github.workflow" not in group
    assert group not in [WORKFLOWS[other]["concurrency"]["group"] for other in WORKFLOWS if other != name]


@every_workflow
def test_commands_exist(name):
    targets = re.findall(r"^([\w./-]+):(?!=)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    for line in (line.strip() for step in steps(name) for line in step.get("run", "").splitlines()):
        for target in re.findall(r"^make (.+)$", line):
            assert target in targets, f"no such target: make {target}"
        for script in re.findall(r"(?<!\S)\.ci/[\w.-]+", line):
            assert os.access(ROOT / script, os.X_OK), f"no such program: {script}"


@every_workflow
def test_artifacts_come_from_somewhere(name):
    """What a job downloads, the same run has uploaded."""
    uploaded = [item for other in [name, *called(name)] for item in artifacts(other, "/upload-artifact@")]
    assert len(uploaded) == len(set(uploaded))
    assert set(artifacts(name, "/download-artifact@")) <= set(uploaded)


def test_artifacts_are_what_the_builds_write():
    """The PDF has the name set in ``_config.yml``, the offline edition the one that the release takes."""
    paths = {
        step["with"]["name"]: step["with"]["path"]
        for step in [*steps("ci.yml"), *steps("rehearsal.yml")]
        if "/upload-artifact@" in step.get("uses", "")
    }
    target = CONFIG["latex"]["latex_documents"]["targetname"]
    assert paths["pdf"] == f"_build/latex/{target.removesuffix('.tex')}.pdf"
    assert paths["site"] == HTML.relative_to(ROOT).as_posix()
    archive = re.search(
        r'^ZIP = "(.+)"$', (BOOK / "_ext" / "nntk" / "offline.py").read_text(encoding="utf-8"), re.MULTILINE
    )
    release = steps("release.yml")[-1]["run"]
    assert f"site/{archive[1]}" in release and f"pdf/{paths['pdf'].rsplit('/', 1)[1]}" in release


@pytest.mark.parametrize("name", ["publish.yml", "release.yml"])
def test_nothing_is_published_untested(name):
    """Both end in a job that waits for every test and every rehearsal."""
    assert called(name) == ["ci.yml", "rehearsal.yml"]
    needed = jobs(name)[name.removesuffix(".yml")]["needs"]
    assert {"test", "rehearsal"} <= set(needed)
    assert "workflow_call" in events("ci.yml") & events("rehearsal.yml")


def test_what_runs_when():
    assert "pull_request" in events("ci.yml") and ".ci/run" in [step.get("run") for step in steps("ci.yml")]
    assert WORKFLOWS["publish.yml"][True]["push"] == {"branches": ["main"]}
    assert WORKFLOWS["release.yml"][True]["push"] == {"tags": ["v*"]}
    assert {"schedule", "workflow_dispatch"} <= events("rehearsal.yml") & events("links.yml") & events("newest.yml")


def test_only_one_workflow_tries_the_newest_packages():
    """It runs what every other run of CI runs, without the constraints, and says so in an issue, opened once."""
    free = [name for name in WORKFLOWS for step in steps(name) if step.get("env", {}).get("CONSTRAINTS") == ""]
    assert free == ["newest.yml"]
    [run] = [step["run"] for step in steps("newest.yml") if "CONSTRAINTS" in step.get("env", {})]
    assert run == ".ci/run"
    issue = jobs("newest.yml")["issue"]
    assert issue["needs"] == "newest" and "always()" in issue["if"]
    said = issue["steps"][-1]["run"]
    assert "gh issue list" in said and "gh issue create" in said and "gh issue close" in said


def test_dependencies_are_kept_up_to_date():
    updates = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text(encoding="utf-8"))["updates"]
    assert {item["package-ecosystem"] for item in updates} == {"pip", "github-actions"}
    for item in updates:
        assert item["schedule"] == {"interval": "weekly"} and len(item["groups"]) == 1
    assert "/.ci" in next(item for item in updates if item["package-ecosystem"] == "pip")["directories"]
