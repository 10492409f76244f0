"""The program on a box where folders were copied, linked or damaged by hand: no live release may be stopped."""

import io
import os
import shutil
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from slipway.errors import ReleaseError
from slipway.release.box import execution, program
from slipway.release.box.engine import Engine
from slipway.release.box.state import SERVICES, Box, Release

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="settings of root can only be made by root")

LIVE = "a" * 12
REQUEST = b'{"digest": "sha256:%s", "key": "%s", "commit": "%s", "run_number": 2}' % (b"5" * 64, b"6" * 64, b"7" * 40)


class Docker(Engine):
    """An engine with the live release of churn, whose registry is down; it keeps what it was asked to change."""

    changes: list[tuple[str, ...]] = []

    def run(self, arguments, seconds=0):
        if arguments[0] == "ps":
            return f"{LIVE}\trunning\n" if "label=slipway.repository=r.example/churn" in arguments else ""
        if arguments[0] in ("image", "logs"):
            return ""
        self.changes.append(tuple(arguments))
        if arguments[0] == "pull":
            raise ReleaseError("docker pull failed: registry is down")
        return ""


@pytest.fixture
def write(tmp_path) -> Callable[..., Box]:
    """Makes a service with this repository."""

    def write(name: str, repository: str, more: str = "") -> Box:
        box = Box(name, tmp_path)
        box.configuration.parent.mkdir(parents=True)
        box.configuration.write_text(f'repository = "{repository}"\n{more}')
        box.configuration.chmod(0o600)
        box.environment.write_text("")
        box.sockets.mkdir(parents=True)
        return box

    return write


@pytest.fixture
def churn(write) -> Box:
    """A service with a live release."""
    box = write("churn", "r.example/churn")
    box.remember(Release(LIVE, "sha256:" + "1" * 64, "2" * 40, 1, None, "2026-01-01T00:00:00+00:00"))
    box.point(LIVE)
    return box


@pytest.fixture
def call(tmp_path, monkeypatch, capsys) -> Callable[..., tuple[int, str]]:
    """Runs the program on this box; its exit code and output."""
    find = program.installed
    monkeypatch.setattr(program, "installed", lambda root=tmp_path: find(root))
    monkeypatch.setattr(program, "Engine", Docker)
    monkeypatch.setattr(Docker, "changes", [])
    monkeypatch.setattr(execution, "in_flight", lambda path: 0)
    monkeypatch.delenv("SUDO_UID", raising=False)

    def call(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(program.sys, "stdin", SimpleNamespace(buffer=io.BytesIO(REQUEST)))
        code = 0
        try:
            program.main(arguments)
        except SystemExit as ended:
            code = ended.code
        return code, capsys.readouterr().out

    return call


def stopped() -> list[tuple[str, ...]]:
    return [each for each in Docker.changes if f"slipway-{LIVE}" in each]


@pytest.mark.parametrize("arguments", [("--service", "churn"), ("drain",)])
@pytest.mark.parametrize("link", [True, False])
def test_a_link_or_a_backup_of_a_service_is_no_service(churn, call, link, arguments):
    folder = churn.root / SERVICES / "churn"
    if link:
        folder.with_name("alias").symlink_to("churn")
    else:
        shutil.copytree(folder, folder.with_name("churn.bak"))
    call(*arguments)
    assert stopped() == []
    assert churn.live() == LIVE


@pytest.mark.parametrize(
    "arguments", [("--service", "churn"), ("--service", "other"), ("drain",), ("rollback", "--service", "other")]
)
def test_nothing_is_stopped_while_two_have_the_same_repository(churn, write, call, arguments):
    write("other", "r.example/churn", 'prefix = "/other"\n')
    code, said = call(*arguments)
    assert Docker.changes == []
    assert code == ReleaseError.exit_code
    assert "have the same repository" in said


def test_neighbours_with_the_same_repository_are_not_drained_by_a_third(churn, write, call):
    write("other", "r.example/churn", 'prefix = "/other"\n')
    write("fraud", "r.example/fraud", 'prefix = "/fraud"\n')
    _, said = call("--service", "fraud")
    assert stopped() == []
    assert "warning: other is not drained: churn has the same repository" in said


@pytest.mark.parametrize("free, memory, says", [(10, 1_700, "broken 512"), (0, 64_000, "the disk has 0.0 GB free")])
def test_a_neighbour_with_broken_settings_takes_memory_and_disk(churn, write, call, monkeypatch, free, memory, says):
    write("broken", "r.example/broken", "memory =\n")
    monkeypatch.setattr(program, "memory_of", lambda: memory)
    monkeypatch.setattr(program.os, "statvfs", lambda path: SimpleNamespace(f_frsize=10**9, f_bavail=free))
    code, said = call("--service", "churn")
    assert Docker.changes == []
    assert code == ReleaseError.exit_code
    assert says in said


def test_the_status_of_the_others_is_shown_beside_a_broken_one(churn, write, call):
    write("broken", "r.example/broken", "memory =\n")
    code, said = call("status")
    assert code == ReleaseError.exit_code
    assert f"live        {LIVE}" in said
    assert "service     broken\nResult: FAILED: " in said
    assert "memory      2048 MiB" in said
