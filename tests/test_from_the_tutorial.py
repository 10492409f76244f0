"""What docs/from-the-tutorial.md and docs/heroku.md name is there."""

import json
import re
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from slipway.cli import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
TUTORIAL, HEROKU = (ROOT / "docs" / name for name in ("from-the-tutorial.md", "heroku.md"))
PAGES = [TUTORIAL, HEROKU]
MADE_LATER = {f"artifacts/{name}" for name in ("champion.json", "verdict.json", "bundles/", "journal.jsonl")}  # by a training
PATH = re.compile(r"[\w.][\w.-]*/[\w./-]*|[\w.-]+\.(py|ya?ml|md|txt|json|toml)|\.[\w-]+|[A-Z][a-z]+file")
NAMES = {
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_REGION",
    "AWS_ECR_LOGIN_URI",
    "ECR_REPOSITORY_NAME",
    "MONGO_DB_URL",
    "HEROKU_EMAIL",
    "HEROKU_API_KEY",
    "HEROKU_APP_NAME",
}


def here(page: Path) -> str:
    """A page without the first cell of each row of a table: what the tutorial says."""
    text = page.read_text(encoding="utf-8")
    return re.sub(r"^\|[^|]*\|", "|", text, flags=re.M) if page == TUTORIAL else text


def code(text: str) -> list[str]:
    """What is in backticks and in blocks, one line each."""
    blocks = [line for block in re.findall("```sh\n(.*?)```", text, re.S) for line in block.splitlines()]
    return blocks + re.findall(r"`([^`\n]+)`", re.sub("```.*?```", "", text, flags=re.S))


def paths(page: Path) -> set[str]:
    words = {word for line in code(here(page)) for word in line.split()}
    return {word for word in words if PATH.fullmatch(word) and word != "."} - MADE_LATER


@pytest.mark.parametrize(
    "page, some",
    [
        (TUTORIAL, {"src/slipway/release/ec2/bootstrap", ".github/workflows/main.yaml", "slipway.yaml", "setup.py"}),
        (HEROKU, {"Procfile", "bin/post_compile", ".python-version", "app.json", ".github/workflows/heroku.yaml"}),
    ],
    ids=["tutorial", "heroku"],
)
def test_files_exist(page, some):
    assert some <= paths(page)
    assert sorted(name for name in paths(page) if not (ROOT / name).exists()) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_their_options_exist(page):
    lines = [line for line in code(page.read_text(encoding="utf-8")) if line.startswith("slipway ")]
    assert {line.split()[1] for line in lines} >= {"promote", "push", "doctor"}
    for line in lines:
        name, *arguments = line.split()[1:]
        assert name in COMMANDS, line
        command = import_module(COMMANDS[name][0]).command
        known = {option for each in command.params for option in each.opts}
        assert {word for word in arguments if word.startswith("-")} <= known, line


def test_what_people_look_for_is_there():
    text = TUTORIAL.read_text(encoding="utf-8")
    wanted = ("`/docs`", "Streamlit", "PyCaret", "timestamp", "docker logs", "/readyz", "Clustering, recommenders, text")
    assert [each for each in wanted if each not in text] == []


def test_modules_and_make_targets_exist():
    text = TUTORIAL.read_text(encoding="utf-8")
    for module in re.findall(r"`python -m ([\w.]+)", text):
        import_module(module)
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"`make (\w+)", text))
    assert targets and all(re.search(f"^{target}:", makefile, re.M) for target in targets)


def test_every_secret_of_the_tutorial_has_a_row_and_is_read_by_a_workflow():
    rows = [line for line in TUTORIAL.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    named = {name for row in rows for name in re.findall("[A-Z_]{8,}", row.split("|")[1])}
    assert NAMES <= named
    workflows = "".join(path.read_text() for path in (ROOT / ".github" / "workflows").glob("*.yaml"))
    assert sorted(name for name in NAMES if f"secrets.{name}" not in workflows) == []


def test_the_jobs_have_the_names_that_the_page_says():
    names = ("main.yaml", "release.yaml", "deploy.yaml")
    workflows = [yaml.safe_load((ROOT / ".github" / "workflows" / name).read_text()) for name in names]
    jobs = [job for workflow in workflows for job in workflow["jobs"].values() if "runs-on" in job]
    text = TUTORIAL.read_text(encoding="utf-8")
    assert all(f"*{job['name']}*" in text for job in jobs)
    own, chosen = next(job["runs-on"] for job in jobs if isinstance(job["runs-on"], list))
    *_, label = re.findall("'([^']+)'", chosen)  # of production
    assert f"`{own}, {label}`" in text


def test_the_config_vars_of_the_page_are_those_of_the_app():
    told = set(re.findall(r"\b([A-Z][A-Z_]{7,})=", HEROKU.read_text(encoding="utf-8")))
    assert told and told <= set(json.loads((ROOT / "app.json").read_text())["env"])


def test_files_of_the_box_are_those_that_bootstrap_makes():
    bootstrap = (ROOT / "src/slipway/release/ec2/bootstrap").read_text()
    words = {word for line in code(TUTORIAL.read_text(encoding="utf-8")) for word in line.split()}
    named = {word for word in words if re.match("/(etc|usr)/", word)}
    assert {"/etc/slipway/services/NAME/service.env", "/usr/local/sbin/slipway-release"} <= named
    assert all(name in bootstrap for name in named)
