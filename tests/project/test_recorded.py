"""A repository that an earlier version made becomes one of this version, and a bundle of an earlier one is served in it.

Each file in recorded/ is the .slipway.json of a repository that `slipway new` made, named by the version. Keep one for every
version that is released, and never change it: it stands for the repositories that people have.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from recordings import recorded
from slipway import __version__
from slipway.model.bundle import FORMAT
from slipway.project.generated import FILE, read_generated
from slipway.project.rendering import rendered
from slipway.store.local import LocalStore
from slipway.store.pointer import Pointer

ROOT = Path(__file__).resolve().parents[2]
RECORDS = sorted((Path(__file__).parent / "recorded").glob("*.json"))
HASH = "--hash=sha256:" + 64 * "0"
OWN = "\nmine:            ## A target of one's own\n\techo mine\n"


@pytest.fixture(params=RECORDS, ids=lambda path: path.stem)
def folder(request, tmp_path, monkeypatch, wheel) -> Path:
    """The repository as that version made it, with an edit and a library of a person."""
    (tmp_path / FILE).write_bytes(request.param.read_bytes())
    made = read_generated(tmp_path)
    assert made.version == request.param.stem
    for path in made.files:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(made.text(path) or "")
    for path, pins in made.pins.items():
        lines = [f"{name.partition(' ; ')[0]}=={version} {HASH}" for name, version in pins.items() if ";" not in name]
        (tmp_path / path).write_text("\n".join([*lines, f"mine==1.0 {HASH}", ""]))
    with (tmp_path / "Makefile").open("a") as makefile:
        makefile.write(OWN)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_becomes_one_of_this_version(folder, run):
    before = read_generated(folder)
    result = run("upgrade", "--yes")
    assert result.code == 0, result.out + result.err
    after = read_generated(folder)
    assert (after.version, after.answers) == (__version__, before.answers)
    for path, file in rendered(after.answers).items():
        text = (folder / path).read_text()
        assert text == (file.text + OWN if path == "Makefile" else file.text), path
    for path in after.pins:
        assert f"mine==1.0 {HASH}" in (folder / path).read_text()
    assert "Nothing to change" in run("upgrade").out


@pytest.mark.parametrize("number", range(1, FORMAT + 1))
def test_it_serves_a_bundle_of_every_format(folder, run, number):
    assert run("upgrade", "--yes").code == 0
    bundle = recorded(number, "regression")
    store = LocalStore(folder / "artifacts")
    shutil.copytree(bundle, store.bundles / bundle.name)
    store.point(Pointer(bundle.name, "regression"))
    (folder / "slipway.yaml").write_text("name: regression\nsource: none.csv\ntarget: charges\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "champion", "tests"],
        env=os.environ | {"PYTHONPATH": str(ROOT / "src"), "CI": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and "2 passed" in done.stdout, done.stdout + done.stderr
