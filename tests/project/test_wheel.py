"""The wheel that a repository carries, and the one that it takes from an index."""

import re
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest

from slipway import __version__
from slipway.errors import ProjectError
from slipway.project.distribution import origin
from slipway.project.wheel import Wheel, repacked
from wheels import install, python

REPACK = "from slipway.project.wheel import repacked; import sys; w = repacked(); open(w.name, 'wb').write(w.content)"
NAME = f"slipway_ml-{__version__}-py3-none-any.whl"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        """Nothing on the screen."""


def repack(folder: Path, site: Path) -> Path:
    folder.mkdir()
    python(folder, "-c", REPACK, PYTHONPATH=str(site))
    return folder / NAME


@pytest.fixture(scope="module")
def packed(tmp_path_factory, site) -> Path:
    return repack(tmp_path_factory.mktemp("packed") / "first", site)


@pytest.fixture(scope="module")
def again(tmp_path_factory, packed) -> Path:
    """A folder that the repacked wheel is installed in."""
    target = tmp_path_factory.mktemp("again")
    install(target, str(packed), "--no-index")
    return target


def test_the_packed_wheel_has_the_files_of_the_built_one(packed, built):
    with zipfile.ZipFile(packed) as ours, zipfile.ZipFile(built) as theirs:
        names = sorted(theirs.namelist())
        assert sorted(ours.namelist()) == names
        record = next(name for name in names if name.endswith("RECORD"))
        assert [name for name in names if name != record and ours.read(name) != theirs.read(name)] == []
        assert sorted(ours.read(record).splitlines()) == sorted(theirs.read(record).splitlines())


def test_two_machines_pack_the_same_bytes(packed, again, tmp_path):
    assert repack(tmp_path / "second", again).read_bytes() == packed.read_bytes()


def test_the_packed_wheel_works(again, tmp_path):
    assert "slipway new" in python(tmp_path, "-m", "slipway", "new", "--help", PYTHONPATH=str(again))
    python(tmp_path, "-m", "slipway", "new", "mine", PYTHONPATH=str(again))
    [line] = [line for line in (tmp_path / "mine/requirements.txt").read_text().splitlines() if "vendor" in line]
    wheel, digest = re.fullmatch(r"\./(vendor/\S+) --hash=sha256:(\w+)", line).groups()
    assert sha256((tmp_path / "mine" / wheel).read_bytes()).hexdigest() == digest


def test_a_changed_file_is_not_packed(again, tmp_path, packed):
    install(tmp_path / "site", str(packed), "--no-index")
    (tmp_path / "site/slipway/report/look.css").write_text("mine\n")
    done = subprocess.run(
        [sys.executable, "-c", REPACK],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
    )
    assert "look.css: changed since it was installed. Install slipway-ml again" in done.stderr


def test_a_checkout_says_how_to_build_one():
    with pytest.raises(ProjectError, match="not .*an installed wheel.*python -m build --wheel"):
        repacked()


def test_what_a_build_left_beside_the_source_is_no_wheel(tmp_path, monkeypatch):
    left = tmp_path / "slipway_ml.egg-info"
    left.mkdir()
    (left / "PKG-INFO").write_text("Metadata-Version: 2.4\nName: slipway-ml\nVersion: 0.1.0\n")
    monkeypatch.setattr("slipway.project.wheel.distribution", lambda name: PathDistribution(left))
    with pytest.raises(ProjectError, match="runs from its source.*python -m build --wheel"):
        repacked()


@pytest.fixture
def index(tmp_path, monkeypatch) -> Iterator[Path]:
    """A simple index on loopback; the folder of slipway-ml in it."""
    folder = tmp_path / "index/simple/slipway-ml"
    folder.mkdir(parents=True)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "index"))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple/")
        yield folder
        server.shutdown()


def test_a_repository_can_take_it_from_an_index(index, built, site, tmp_path):
    (index / built.name).write_bytes(built.read_bytes())
    python(tmp_path, "-m", "slipway", "new", "mine", "--index", PYTHONPATH=str(site))
    assert not (tmp_path / "mine/vendor").exists()
    line = (tmp_path / "mine/requirements.txt").read_text().splitlines()[-1]
    assert line == f"slipway-ml=={__version__} --hash=sha256:{sha256(built.read_bytes()).hexdigest()}"
    (tmp_path / "line.txt").write_text(line + "\n")
    pip = ("-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--target", "found", "-r", "line.txt")
    python(tmp_path, *pip)
    assert __version__ in python(tmp_path, "-m", "slipway", "--version", PYTHONPATH=str(tmp_path / "found"))


def changed(content: bytes) -> bytes:
    return content + b"# mine\n"


@pytest.mark.parametrize(
    "file, change, more",
    [
        ("slipway/errors.py", changed, ()),
        ("entry_points.txt", changed, ()),
        ("slipway/errors.py", lambda content: None, ()),
        ("RECORD", lambda content: None, ()),
        ("", changed, ("other.pth",)),
        ("", changed, (f"slipway_ml-{__version__}.data/scripts/ls",)),
    ],
)
def test_another_wheel_of_this_name_on_the_index_is_refused(index, built, monkeypatch, file, change, more):
    """Whatever its RECORD says: each file counts as it is."""
    with zipfile.ZipFile(built) as theirs, zipfile.ZipFile(index / built.name, "w") as other:
        for name in theirs.namelist():
            content = change(theirs.read(name)) if file and name.endswith(file) else theirs.read(name)
            if content is not None:
                other.writestr(name, content)
        for name in more:
            other.writestr(name, "import os\n")
    monkeypatch.setattr("slipway.project.distribution.repacked", lambda: Wheel(built.name, built.read_bytes()))
    with pytest.raises(ProjectError, match="the index has another slipway-ml"):
        origin(vendored=False)


def test_an_index_without_it_is_named(index):
    with pytest.raises(
        ProjectError, match=f"slipway-ml {__version__} cannot be downloaded: No matching distribution.*--index"
    ):
        origin(vendored=False)
