import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from slipway.doctor import check_box
from slipway.doctor.check_box import ROOM, Facts, Service, check, gather
from slipway.release.box.engine import Engine
from slipway.release.box.state import Box

ID = "0123456789ab"
RULE = check_box.RULE.format("insurance")
SETTINGS = "etc/slipway/services/insurance/release.toml"
SOCKETS = "var/lib/slipway/services/insurance/sockets"
FILES = {
    SETTINGS: 'repository = "example.org/insurance"\n',
    "etc/nginx/conf.d/slipway.conf": "server {}\n",
    "etc/sudoers.d/slipway": f"# of bootstrap\n{RULE}\n",
    "etc/sudoers.d/people": "ubuntu ALL=(ALL) NOPASSWD: ALL\n",
    "etc/group": "root:x:0:\ndocker:x:999:ubuntu\nrunner-insurance:x:1001:\n",
    "etc/passwd": "root:x:0:0::/root:/bin/bash\nrunner-insurance:x:1001:1001::/home/runner-insurance:/bin/bash\n",
    "usr/local/sbin/slipway-release": "#!/bin/sh\n",
    "engine": "#!/bin/sh\ncase $1 in info) echo true;; *) echo 28.0;; esac\n",
}


@pytest.fixture
def root() -> Iterator[Path]:
    """A machine that bootstrap prepared, as a folder; its path is short, as those of sockets have to be."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in FILES.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        for name in ("usr/local/sbin/slipway-release", "engine"):
            Path(folder, name).chmod(0o755)
        Path(folder, SOCKETS, ID).mkdir(parents=True)
        yield Path(folder)


@contextmanager
def answering(root: Path, status: str) -> Iterator[None]:
    """A live release that answers every call with a status."""
    box = Box("insurance", root)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(box.socket(ID)))
        listener.listen()

        def answer() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65_536)
                    connection.sendall(f"HTTP/1.1 {status}\r\n\r\n{{}}".encode())

        thread = threading.Thread(target=answer)
        thread.start()
        box.point(ID)
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def states(root: Path) -> dict[str, tuple[str, str]]:
    facts = gather(root, Engine(str(root / "engine")))
    if os.geteuid():  # the files of a test are its user's, not root's
        facts = replace(
            facts,
            services=tuple(replace(each, settings="") for each in facts.services),
            program=(root / "usr/local/sbin/slipway-release").is_file(),
        )
    return {each.what: (each.state, f"{each.says} {each.cure}") for each in check(replace(facts, free=max(facts.free, ROOM)))}


def test_another_machine_is_no_box(tmp_path):
    assert gather(tmp_path) is None
    [found] = check(None)
    assert found.state == "skipped" and "run slipway doctor there" in found.says


def test_a_box_that_is_as_it_should_be(root):
    with answering(root, "200 OK"):
        found = states(root)
    assert {state for state, _ in found.values()} == {"ok"}, found
    assert ID in found["release insurance"][1]


def test_before_the_first_release_one_is_missing(root):
    state, says = states(root)["release insurance"]
    assert state == "missing" and "no live release yet" in says


def test_a_live_release_has_to_be_ready(root):
    with answering(root, "503 Service Unavailable"):
        state, says = states(root)["release insurance"]
    assert state == "failed" and "503" in says and "slipway-release status" in says
    state, says = states(root)["release insurance"]
    assert state == "failed" and "no answer" in says, "its socket is there, and nobody listens"
    shutil.rmtree(root / SOCKETS / ID)
    state, says = states(root)["release insurance"]
    assert state == "failed" and "No such file" in says


def broken_engine(root: Path) -> None:
    (root / "engine").write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2; exit 1\n")


def write(name: str, content: str) -> Callable[[Path], None]:
    def spoil(root: Path) -> None:
        (root / name).write_text(content)

    return spoil


def remove(name: str) -> Callable[[Path], None]:
    return lambda root: (root / name).unlink()


@pytest.mark.parametrize(
    "spoil, what, says",
    [
        (broken_engine, "docker", "systemctl start docker"),
        (
            write("engine", "#!/bin/sh\necho false\n"),
            "docker",
            "live-restore is off: a restart of Docker interrupts the service",
        ),
        (remove("etc/nginx/conf.d/slipway.conf"), "nginx", "slipway.conf is missing"),
        (remove("usr/local/sbin/slipway-release"), "program", "bootstrap"),
        (remove("etc/sudoers.d/slipway"), "sudo", "cannot run slipway-release"),
        (write("etc/sudoers.d/slipway", RULE.removesuffix(' ""')), "sudo", "can run more than slipway-release"),
        (
            write("etc/sudoers.d/more", "runner-insurance ALL=(ALL) NOPASSWD: ALL"),
            "sudo",
            "slipway-release as root: runner-insurance ALL=(ALL)",
        ),
        (write("etc/group", "docker:x:999:ubuntu,runner-insurance\n"), "runner", "every job can become root"),
        (
            write("etc/passwd", "runner-insurance:x:1001:999::/home/runner-insurance:/bin/bash\n"),
            "runner",
            "every job can become root",
        ),
        (
            lambda root: (root / SOCKETS / "active.sock").symlink_to("elsewhere"),
            "release insurance",
            "points to elsewhere",
        ),
    ],
)
def test_what_is_broken_is_found_and_nothing_else(root, spoil, what, says):
    (root / "etc/sudoers.d/more").write_text("")
    spoil(root)
    found = states(root)
    assert found[what][0] == "failed" and says in found[what][1]
    assert {name for name, (state, _) in found.items() if state == "failed"} == {what}


@pytest.mark.skipif(os.geteuid() != 0, reason="the files must be root's")
def test_settings_and_program_are_roots_alone_to_change(root):
    (root / SETTINGS).chmod(0o666)
    (root / "usr/local/sbin/slipway-release").chmod(0o775)
    found = states(root)
    assert found["settings insurance"][0] == "failed" and "other users than root" in found["settings insurance"][1]
    assert found["program"][0] == "failed"


def test_room_for_the_next_image():
    def disk(free):
        [found] = [each for each in check(Facts((Service("insurance"),), free=free)) if each.what == "disk"]
        return found.state

    assert disk(ROOM) == "ok" and disk(ROOM - 1) == "failed"


def test_every_service_is_looked_at(root):
    (root / "etc/slipway/services/churn").mkdir()
    (root / "etc/slipway/services/churn/release.toml").write_text("keep = 0")
    found = states(root)
    assert found["release insurance"][0] == found["release churn"][0] == "missing"
    assert found["settings churn"][0] == "failed" and found["settings insurance"][0] != "failed"
    assert found["sudo"][0] == "failed" and "runner-churn cannot run slipway-release" in found["sudo"][1]
