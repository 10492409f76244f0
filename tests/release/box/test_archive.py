"""What a box is set up with, as one archive."""

import subprocess
import tarfile

import pytest
from click.testing import CliRunner

from slipway.cli.box import command
from slipway.errors import ReleaseError
from slipway.release.box.archive import EC2, pack


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    path = tmp_path_factory.mktemp("archive") / "box.tar.gz"
    pack(path)
    return path


def test_the_archive_is_the_same_for_the_same_files(archive, tmp_path):
    done = CliRunner().invoke(command, ["pack", str(tmp_path / "again.tar.gz")])
    assert done.exit_code == 0 and "is packed" in done.output
    assert (tmp_path / "again.tar.gz").read_bytes() == archive.read_bytes()


def test_programs_can_be_run_and_files_cannot(archive):
    """An installed package has lost the modes of its files, so they come from the content."""
    with tarfile.open(archive) as file:
        modes = {entry.name: entry.mode for entry in file.getmembers()}
    assert {name for name, mode in modes.items() if mode == 0o755} == {"bootstrap", "runner", "site", "slipway-release"}
    assert set(modes.values()) == {0o755, 0o644}
    assert {path.name for path in EC2.glob("*.conf")} <= set(modes)
    assert not {"up", "teardown", "box.yaml", "foundation.yaml"} & set(modes)


def test_it_needs_nothing_else(archive, tmp_path):
    """The bootstrap finds all its parts: it ends at the first check of the machine, not before."""
    with tarfile.open(archive) as file:
        file.extractall(tmp_path, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))  # since 3.11.4
    done = subprocess.run([tmp_path / "bootstrap"], env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True)
    assert done.returncode == 1
    assert "must run as root" in done.stderr or "REPOSITORY is not set" in done.stderr


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(ReleaseError, match="box.tar.gz"):
        pack(tmp_path / "missing" / "box.tar.gz")
