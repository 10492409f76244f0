"""slipway upgrade --road: a repository gets a road later, and the next version of its files as a difference."""

import json
import stat
from pathlib import Path

import pytest

from slipway.project import roads

TEXTS = {"up": "#!/bin/sh\necho up\n", "service.yaml": "one: 1\ntwo: 2\nthree: 3\nfour: 4\nfive: 5\n"}


@pytest.fixture(autouse=True)
def source(tmp_path, monkeypatch) -> Path:
    """Where Slipway has the files of its roads."""
    folder = tmp_path / "roads"
    for name, text in TEXTS.items():
        (folder / "fargate").mkdir(parents=True, exist_ok=True)
        (folder / "fargate" / name).write_text(text)
    monkeypatch.setattr(roads, "SOURCE", folder)
    return folder / "fargate"


def answers(folder: Path) -> dict:
    return json.loads((folder / ".slipway.json").read_text())["answers"]


def test_a_road_can_be_added_later_and_stays(folder, run):
    assert not (folder / "deploy").exists() and "roads" not in answers(folder)
    shown = run("upgrade", "--road", "fargate")
    assert shown.code == 8 and "deploy/fargate/service.yaml: new" in shown.out and "+three: 3" in shown.out
    assert not (folder / "deploy").exists()
    assert run("upgrade", "--road", "fargate", "--yes").code == 0
    assert {path.name: path.read_text() for path in (folder / "deploy/fargate").iterdir()} == TEXTS
    assert (folder / "deploy/fargate/up").stat().st_mode & stat.S_IXUSR
    assert not (folder / "deploy/fargate/service.yaml").stat().st_mode & stat.S_IXUSR
    assert answers(folder)["roads"] == ["fargate"]
    assert "Nothing to change" in run("upgrade").out


def test_the_next_version_of_a_road_is_merged_with_ones_own_edits(folder, run, source):
    assert run("upgrade", "--road", "fargate", "--yes").code == 0
    own = folder / "deploy/fargate/service.yaml"
    own.write_text(TEXTS["service.yaml"].replace("one: 1", "one: mine"))
    (source / "service.yaml").write_text(TEXTS["service.yaml"].replace("five: 5", "five: next"))
    result = run("upgrade", "--yes")
    assert result.code == 0 and "deploy/fargate/service.yaml: changed; your edits are kept" in result.out
    assert own.read_text() == "one: mine\ntwo: 2\nthree: 3\nfour: 4\nfive: next\n"


def test_a_file_that_a_road_loses_goes_unless_it_was_edited(folder, run, source):
    assert run("upgrade", "--road", "fargate", "--yes").code == 0
    (folder / "deploy/fargate/service.yaml").write_text("mine: 1\n")
    for name in TEXTS:
        (source / name).unlink()
    result = run("upgrade", "--yes")
    assert result.code == 0 and "kept: deploy/fargate/service.yaml: no longer generated; yours stays" in result.out
    assert not (folder / "deploy/fargate/up").exists()


def test_ones_own_file_in_the_way_stays(folder, run):
    (folder / "deploy/fargate").mkdir(parents=True)
    (folder / "deploy/fargate/up").write_text("mine\n")
    result = run("upgrade", "--road", "fargate", "--yes")
    assert result.code == 0 and "kept: deploy/fargate/up: new in this version; yours stays" in result.out
    assert (folder / "deploy/fargate/up").read_text() == "mine\n"
