"""The prediction log: what doctor says of it, here and on a box."""

import os

import pytest

from slipway.doctor import check_log
from slipway.doctor.check_log import BoxLog, check_here, check_service, gather
from slipway.release.box.configuration import Configuration
from slipway.release.box.state import USER, Box
from slipway.sections import Log

KEY = {"SLIPWAY_LOG_KEY": "0123456789abcdef"}
FILES, HASHED = Log(to="files"), Log(to="files", hash=("customer",))
SOUND = BoxLog("/srv/log", "", "s3://bucket/a", KEY)


@pytest.mark.parametrize(
    ("found", "asked", "state", "says"),
    [
        (SOUND, HASHED, "ok", "shipped to s3://bucket/a"),
        (SOUND, None, "ok", "shipped to s3://bucket/a"),
        (BoxLog(), FILES, "missing", "log_mount is empty"),
        (BoxLog("/srv/log", "/srv/log is not mounted", "s3://bucket/a"), FILES, "failed", "is not mounted"),
        (BoxLog("/srv/log", "", "s3://bucket/a"), HASHED, "failed", "log.hash needs SLIPWAY_LOG_KEY"),
        (BoxLog("/srv/log"), FILES, "missing", "log_remote is empty"),
    ],
)
def test_the_log_of_a_service(found, asked, state, says):
    [finding] = check_service("churn", found, asked)
    assert (finding.what, finding.state) == ("log churn", state) and says in finding.says
    assert KEY["SLIPWAY_LOG_KEY"] not in repr(finding) + repr(found)
    assert bool(finding.cure) == (state != "ok")


@pytest.mark.parametrize("asked", [None, Log()])
def test_without_a_log_that_is_asked_for_nothing_is_said(asked):
    assert check_service("churn", BoxLog(), asked) == []


def test_hashed_columns_need_the_key_here_too():
    [finding] = check_here(HASHED, {})
    assert (finding.state, finding.now) == ("missing", True) and "SLIPWAY_LOG_KEY" in finding.says
    assert check_here(HASHED, KEY) == check_here(FILES, {}) == []


@pytest.fixture
def box(tmp_path) -> Box:
    made = Box("churn", tmp_path)
    made.environment.parent.mkdir(parents=True)
    made.environment.write_text("SLIPWAY_LOG_KEY=0123456789abcdef\n")
    return made


def test_what_is_gathered_of_a_service(box):
    assert gather(box, Configuration("example.org/a")) == BoxLog()
    found = gather(box, Configuration("example.org/a", log_mount="/srv/log", log_remote="s3://bucket/a"))
    assert (found.folder, found.remote, found.environ) == ("/srv/log", "s3://bucket/a", KEY)
    assert "srv/log, which log_mount names, cannot be read" in found.trouble


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_releases_must_own_the_folder(box, monkeypatch):
    monkeypatch.setattr(check_log, "unlogged", lambda folder, root: "")
    folder = box.root / "srv/log"
    folder.mkdir(parents=True)
    settings = Configuration("example.org/a", log_mount="/srv/log")
    assert "belongs to user 0, so releases cannot write there" in gather(box, settings).trouble
    os.chown(folder, USER, USER)
    assert gather(box, settings).trouble == ""
