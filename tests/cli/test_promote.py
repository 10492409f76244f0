"""``slipway promote --in-git``: git keeps the champion's bundle, and a clone serves without any store."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bundles import ROWS, files, make_bundle
from slipway.store.checkout import LIMIT
from slipway.store.local import LocalStore

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = "name: regression\nsource: table.csv\ntarget: charges\n"
ANSWER = """
import json, runpy, sys
client = runpy.run_path("app.py", run_name="app")["app"].test_client()
ready = client.get("/readyz")
print(json.dumps([ready.json["bundle"], client.post("/predict", json=json.loads(sys.argv[1])).status_code]))
"""


class Repository:
    """A checkout of this project's files with a problem of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = LocalStore(folder / "artifacts")

    def git(self, *arguments: str, check: bool = True) -> str:
        identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
        done = subprocess.run(["git", *identity, *arguments], cwd=self.folder, capture_output=True, text=True)
        assert not check or done.returncode == 0, done.stderr
        return done.stdout

    def slipway(self, *arguments: str) -> subprocess.CompletedProcess:
        environ = os.environ | {"PYTHONPATH": str(ROOT / "src")}
        return subprocess.run(
            [sys.executable, "-m", "slipway", *arguments],
            cwd=self.folder,
            env=environ,
            capture_output=True,
            text=True,
        )

    def release(self, digest: str) -> None:
        done = self.slipway("promote", digest, "--in-git")
        assert done.returncode == 0, done.stderr
        self.git("add", "artifacts")
        self.git("commit", "--quiet", "-m", f"Champion {digest[:6]}")

    def committed(self, commit: str = "HEAD") -> set[str]:
        """Digests of the bundles that a commit holds."""
        names = self.git("ls-tree", "-r", "--name-only", commit, "--", "artifacts/bundles").splitlines()
        return {name.split("/")[2] for name in names}

    def serves(self) -> str:
        """The digest of the bundle that a fresh clone answers with."""
        clone = self.folder.parent / "clone"
        shutil.rmtree(clone, ignore_errors=True)
        self.git("clone", "--quiet", str(self.folder), str(clone))
        done = subprocess.run(
            [sys.executable, "-c", ANSWER, json.dumps(ROWS[0])],
            cwd=clone,
            capture_output=True,
            text=True,
        )
        digest, status = json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else (done.stderr, 0)
        assert status == 200, digest
        return digest


@pytest.fixture
def bare(tmp_path) -> Repository:
    """A folder with a problem and a store, and no git."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "slipway.yaml").write_text(SETTINGS)
    return Repository(folder)


@pytest.fixture
def repository(bare) -> Repository:
    for name in ("app.py", "gunicorn.conf.py", ".gitignore", ".gitattributes"):
        shutil.copy(ROOT / name, bare.folder)
    shutil.copytree(ROOT / "src", bare.folder / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    bare.git("init", "--quiet", "--initial-branch=main")
    bare.git("add", ".")
    bare.git("commit", "--quiet", "-m", "Code")
    return bare


@pytest.fixture
def digests(bare) -> tuple[str, str]:
    one = make_bundle(bare.store, "regression", promote=False)
    other = make_bundle(bare.store, "regression", promote=False, weights=[[1.0], [1.0], [1.0], [1.0]])
    return one.digest, other.digest


def test_the_commit_holds_the_pointer_and_exactly_that_bundle(repository, digests):
    repository.release(digests[0])
    assert repository.committed() == {digests[0]}
    assert digests[0] in repository.git("show", "HEAD:artifacts/champion.json")
    assert "journal" not in repository.git("ls-files", "artifacts")
    assert repository.git("status", "--porcelain") == ""
    assert repository.serves() == digests[0]


def test_the_commit_holds_what_serves_alone(repository, digests):
    repository.release(digests[0])
    names = {Path(name).name for name in repository.git("ls-files", "artifacts/bundles").splitlines()}
    assert names == {*files("regression"), "serving.json", "manifest.json"}
    assert repository.store.bundle(digests[0]).whole, "what judged it left the disk"


def test_the_next_one_takes_the_place_of_the_first(repository, digests):
    repository.release(digests[0])
    repository.release(digests[1])
    assert repository.committed() == {digests[1]}
    assert repository.committed("HEAD~1") == {digests[0]}
    assert repository.git("status", "--porcelain") == ""
    assert set(digests) <= set(repository.store.digests()), "the earlier bundle left the disk"
    assert repository.serves() == digests[1]


def test_a_revert_brings_back_the_earlier_one(repository, digests):
    repository.release(digests[0])
    repository.release(digests[1])
    repository.git("revert", "--no-edit", "HEAD")
    assert repository.committed() == {digests[0]}
    assert repository.store.bundle(digests[0]).digest == repository.store.pointer().digest
    assert repository.serves() == digests[0]


def test_line_ends_are_left_alone(repository, digests):
    repository.git("config", "--global", "core.autocrlf", "true")
    repository.release(digests[0])
    assert repository.serves() == digests[0]


@pytest.fixture(autouse=True)
def own_settings_of_git(tmp_path, monkeypatch):
    """Neither the person's settings nor a hook that runs these tests reach the repository."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


def test_without_the_option_git_is_not_touched(repository, digests):
    done = repository.slipway("promote", digests[0])
    assert (done.returncode, done.stderr) == (0, "")
    said = "Commit artifacts/champion.json and verdict.json to release it."
    assert done.stdout.endswith(f"{said}\nA running service answers with it after a restart or a release.\n")
    assert repository.git("diff", "--cached", "--name-only") == ""
    assert repository.committed() == set()


def test_a_bundle_that_is_too_large_is_refused_before_anything_changes(repository, digests):
    repository.release(digests[0])
    files = {"report.html": bytes(LIMIT - 500), "plot.svg": b"x" * 500}
    digest = repository.store.add("regression", files).digest
    before = repository.store.journal.entries()
    done = repository.slipway("promote", digest, "--in-git")
    assert (done.returncode, done.stdout) == (5, "")
    assert digest[:12] in done.stderr and "1,000,000" in done.stderr and "1,000,3" in done.stderr
    assert repository.store.pointer().digest == digests[0]
    assert repository.store.journal.entries() == before
    assert repository.git("status", "--porcelain") == ""


def test_a_bundle_of_just_the_limit_is_kept(repository):
    judged = {"twin.onnx": bytes(LIMIT)}  # git does not carry it
    folder = repository.store.add("regression", {"report.html": bytes(900_000)}, judged).folder
    lists = sum((folder / name).stat().st_size for name in ("manifest.json", "serving.json"))
    digest = repository.store.add("regression", {"report.html": bytes(LIMIT - lists)}, judged).digest
    assert repository.slipway("promote", digest, "--in-git").returncode == 0


def test_outside_a_repository_nothing_changes(bare, digests):
    done = bare.slipway("promote", digests[0], "--in-git")
    assert done.returncode == 5 and done.stderr.count("\n") == 1
    assert "not a git repository" in done.stderr and "git init" in done.stderr
    assert bare.store.pointer() is None and bare.store.journal.entries() == []


def test_a_locked_index_changes_nothing(repository, digests):
    (repository.folder / ".git" / "index.lock").touch()
    done = repository.slipway("promote", digests[0], "--in-git")
    assert done.returncode == 5 and "index.lock" in done.stderr
    assert repository.store.pointer() is None and repository.store.journal.entries() == []
