"""What doctor says of the files and settings of CI systems beyond GitHub."""

import shutil
from pathlib import Path

import pytest

from slipway.doctor.check_systems import SETTINGS, check
from slipway.project.roads import SYSTEMS, page_of

ROOT = Path(__file__).resolve().parents[2]
SET = {
    "SLIPWAY_REGISTRY": "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
    "SLIPWAY_REPOSITORY": "insurance",
    "SLIPWAY_ROAD": "fargate",
    "AWS_REGION": "eu-west-1",
}


@pytest.fixture
def top(tmp_path) -> Path:
    """A checkout with the files for GitLab."""
    shutil.copytree(ROOT / "deploy/gitlab", tmp_path / "deploy/gitlab")
    return tmp_path


def states(environ: dict[str, str], top: Path, in_git: bool = True, remote: bool = False) -> dict[str, str]:
    return {each.what: each.state for each in check(environ, top, in_git, remote)}


def test_without_files_of_a_system_nothing_is_said(tmp_path):
    assert check({}, tmp_path, False, False) == []


def test_a_system_that_is_all_there(top):
    assert states(SET, top) == {"deploy/gitlab": "ok", "bundle": "ok"}


def test_settings_that_are_not_exported_here_are_named_and_not_missing(top):
    [found] = [each for each in check({"AWS_REGION": "eu-west-1"}, top, True, False) if each.what == "gitlab settings"]
    assert (found.state, found.cure) == ("skipped", "Slipway's docs/gitlab.md")
    assert found.says == "SLIPWAY_ROAD: not set here, and not seen there"


def test_a_setting_that_is_malformed_fails(top):
    [found] = [each for each in check({**SET, "SLIPWAY_ROAD": "webapp"}, top, True, False) if each.what == "SLIPWAY_ROAD"]
    assert (found.state, found.says) == ("failed", "is malformed: gitlab expects fargate or kubernetes")


@pytest.mark.parametrize("road", ["webapp", "box fargate"])
def test_a_road_of_another_system_that_is_here_is_no_mistake(top, road):
    (top / ".github/workflows").mkdir(parents=True)
    (top / ".github/workflows/main.yaml").write_text("")
    [found] = [each for each in check({**SET, "SLIPWAY_ROAD": road}, top, True, False) if each.what == "SLIPWAY_ROAD"]
    assert (found.state, found.says) == ("skipped", "is not for gitlab, which expects fargate or kubernetes")
    assert states({**SET, "SLIPWAY_ROAD": "ship"}, top)["SLIPWAY_ROAD"] == "failed"


@pytest.mark.parametrize("road", ["box fargate", "webapp", "azure-ml"])
def test_in_a_clone_of_slipway_which_has_all_systems_every_road_passes(road):
    assert "failed" not in states({**SET, "SLIPWAY_ROAD": road}, ROOT).values()


def test_files_that_are_missing_changed_or_not_executable_are_named(top):
    folder = top / "deploy/gitlab"
    (folder / "prepare").unlink()
    (folder / "deploy").chmod(0o644)
    found = {each.what: each for each in check(SET, top, True, False)}
    assert (found["deploy/gitlab"].state, found["deploy/gitlab"].says) == ("missing", "lacks prepare")
    assert found["deploy/gitlab/deploy"].says == "is not executable"
    assert found["deploy/gitlab/deploy"].cure.startswith("chmod +x deploy/gitlab/deploy")
    (folder / "prepare").write_text("# ours\n")
    [changed] = [each for each in check(SET, top, True, False) if each.what == "deploy/gitlab"]
    assert (changed.state, changed.says) == ("ok", "is whole; not as this Slipway has it: prepare")


@pytest.mark.parametrize("in_git, remote, state", [(True, False, "ok"), (False, True, "ok"), (False, False, "missing")])
def test_the_bundle_must_be_where_a_system_finds_it(top, in_git, remote, state):
    assert states(SET, top, in_git, remote)["bundle"] == state


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_setting_is_on_the_page_of_its_system(system):
    text = (ROOT / page_of(system)).read_text()
    assert [need.name for need in SETTINGS[system] if f"`{need.name}" not in text] == []


def test_every_system_has_its_settings():
    assert set(SETTINGS) == set(SYSTEMS)
