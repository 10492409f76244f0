"""This repository is made from the templates that slipway new uses; what differs is listed here, with the reason."""

import re
from pathlib import Path

import pytest
import yaml

from slipway.project.answers import Answers
from slipway.project.rendering import COMMON, HEROKU, render

ROOT = Path(__file__).resolve().parents[2]
OURS = Answers(name="insurance", heroku=True, source=True)
THEIRS = Answers(name="churn", heroku=True, vendored=True)
INDEXED = Answers(name="churn", vendored=False)
# Files that are written by hand here.
OTHERS = {
    "Makefile": "lint, docs, bench and the locks of Slipway are made here",
    "README.md": "it describes Slipway",
    "setup.py": "it packs the locks into the wheel",
    "tests/test_model.py": "the tests here are of Slipway; no champion is committed",
}
# File → lines that it has only here, and the line before them.
ADDED = {
    ".gitignore": (  # tools and examples that a thin repository does not have
        (".tox/\n.mypy_cache/\n", ".venv/\n"),
        (".hypothesis/\n", ".pytest_cache/\n"),
        ("/examples/*/artifacts/\n/examples/*/data/\n", "/data/\n"),
    ),
}


@pytest.mark.parametrize("name", sorted({*COMMON, *HEROKU, "slipway.yaml"} - set(OTHERS)))
def test_this_repository_is_made_from_the_templates(name):
    text = render(name, OURS)
    for lines, before in ADDED.get(name, ()):
        assert text.count(before) == 1
        text = text.replace(before, before + lines)
    assert text == (ROOT / name).read_text()


def test_what_differs_still_differs():
    there = [name for name in OTHERS if (ROOT / name).exists()]
    assert [name for name in there if render(name, OURS) == (ROOT / name).read_text()] == []


def workflows(answers: Answers) -> dict[str, dict]:
    names = [name for name in (*COMMON, *HEROKU) if name.startswith(".github/workflows/")]
    return {name: yaml.safe_load(render(name, answers)) for name in names}


def test_a_thin_repository_has_no_source_of_slipway():
    for name in (*COMMON, *HEROKU):
        text = render(name, THEIRS)
        assert not re.search(r"PYTHONPATH: src|PYTHONPATH=src|COPY src|make lint|make docs|make e2e|guard", text), name
        assert "\n\n\n\n" not in text and not re.search("<%|%>", text), name


def test_a_thin_repository_has_the_rights_the_order_and_the_limits_of_this_one():
    """What act cannot play: tests/test_workflows.py asserts it on the files of this repository."""
    ours, theirs = workflows(OURS), workflows(THEIRS)
    for name, workflow in theirs.items():
        jobs = {job: body for job, body in ours[name].pop("jobs").items() if job != "end-to-end"}
        assert {job: rules(body) for job, body in workflow.pop("jobs").items()} == {job: rules(jobs[job]) for job in jobs}
        assert workflow == ours[name]


def rules(job: dict) -> dict:
    """A job without what it runs; of its steps only the actions."""
    steps = job.get("steps", [])
    assert not [step["run"] for step in steps if "${{" in step.get("run", "")]
    assert all(step["with"]["persist-credentials"] is False for step in steps if "checkout@" in step.get("uses", ""))
    used = {step["uses"] for step in steps if "uses" in step and "upload-artifact" not in step["uses"]}
    needs = [each for each in job["needs"] if each != "end-to-end"] if isinstance(job.get("needs"), list) else job.get("needs")
    kept = {key: value for key, value in job.items() if key not in ("steps", "strategy", "env")}
    return kept | {"needs": needs, "uses": job.get("uses", used)}


def test_slipway_is_installed_before_it_is_called():
    """In each job of a thin repository: from the lock of the commit that is checked out, by its hash.

    The delivery has the Slipway of now: an earlier commit may have one that knows neither `deliver` nor the registry.
    """
    for name, workflow in workflows(THEIRS).items():
        for job, body in workflow["jobs"].items():
            installed = ready = False
            for step in body.get("steps", []):
                run = step.get("run", "")
                installed |= step.get("name") == "Install Slipway"
                ready |= installed or "make install" in run or "make test" in run
                if "git checkout" in run and "Choose" not in step["name"]:
                    assert installed == (job == "delivery"), f"{name}, {job}: installed from another commit"
                assert ready or "-m slipway" not in run, f"{name}, {job}: {step.get('name')}"


def test_the_step_that_installs_takes_one_line_of_the_lock():
    for answers, line in ((THEIRS, "./vendor/slipway_ml-1-py3-none-any.whl"), (INDEXED, "slipway-ml==1")):
        steps = workflows(answers)[".github/workflows/release.yaml"]["jobs"]["tested"]["steps"]
        [step] = [each for each in steps if each.get("name") == "Install Slipway"]
        pattern = re.search("grep -E '([^']+)'", step["run"])[1]
        assert re.match(pattern, f"{line} --hash=sha256:0") and not re.match(pattern, "flask==1")
        assert "--require-hashes" in step["run"] and "--no-deps" in step["run"]


def test_the_image_of_a_vendored_wheel_gets_it():
    assert "COPY vendor vendor" in render("Dockerfile", THEIRS) and "!vendor\n" in render(".dockerignore", THEIRS)
    assert "COPY vendor" not in render("Dockerfile", INDEXED) and "!vendor" not in render(".dockerignore", INDEXED)


@pytest.mark.parametrize("answers", [OURS, THEIRS, INDEXED], ids=["ours", "vendored", "indexed"])
def test_what_trains_in_a_container_does_not_touch_what_serves(answers):
    """Docker prefers the list beside a Dockerfile; the release key covers what .dockerignore lets in, and nothing of this."""
    text, allowed = (render(name, answers) for name in ("Dockerfile.train", "Dockerfile.train.dockerignore"))
    copied = [name for line in re.findall("^COPY (.+) [^ ]+$", text, re.MULTILINE) for name in line.split()]
    assert allowed.splitlines()[0] == "*"
    assert [line[1:] for line in allowed.splitlines() if line.startswith("!")] == copied
    assert "requirements-train.txt" not in render(".dockerignore", answers) + render("Dockerfile", answers)
    assert re.findall("^FROM (\\S+)", text, re.MULTILINE) == re.findall(
        "^FROM (\\S+) AS base$", render("Dockerfile", answers), re.M
    )


@pytest.mark.parametrize(
    "name, package",
    [
        ("churn", "churn"),
        ("My-Model.2", "my_model_2"),
        ("2024", "model_2024"),
        ("class", "model_class"),
        ("json", "model_json"),
    ],
)
def test_the_package_is_a_name_that_python_takes(name, package):
    assert Answers(name=name).package == package


def test_pages_that_are_not_in_a_repository_are_named_as_those_of_slipway():
    for name in (*COMMON, *HEROKU):
        lines = [line for line in render(name, THEIRS).splitlines() if re.search(r"docs/[a-z-]+\.md", line)]
        assert [line for line in lines if not re.search(r"Slipway's docs/[a-z-]+\.md", line)] == [], name
    assert render("slipway.yaml", THEIRS).startswith("# What this repository serves. Slipway's docs/settings.md")


def recipe(text: str) -> str:
    """What make runs to install the libraries."""
    return text.partition("\n$(VENV)/train.stamp: requirements-train.txt")[2].partition("\n\n")[0]


@pytest.mark.parametrize("text", [render("Makefile", THEIRS), (ROOT / "Makefile").read_text()], ids=["theirs", "ours"])
def test_make_says_that_it_installs_before_pip_is_silent(text):
    said, _, then = recipe(text).partition("Installing the libraries into $(VENV)")
    assert "pip install" not in said and "pip install --quiet" in then


def test_a_vendored_wheel_replaces_one_of_the_same_version():
    assert "pip uninstall -qq --yes slipway-ml" in recipe(render("Makefile", THEIRS)).partition("pip install")[0]
    assert "pip uninstall" not in render("Makefile", INDEXED)
