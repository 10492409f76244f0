"""The release key changes with everything that is in an image, and with nothing else."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from slipway.errors import ReleaseError
from slipway.release.image.key import earlier_keys, release_key

ROOT = Path(__file__).resolve().parents[3]
FILES = (
    "Dockerfile",
    ".dockerignore",
    "app.py",
    "gunicorn.conf.py",
    "slipway.yaml",
    "requirements.txt",
    "src/slipway/x.py",
    "artifacts/champion.json",
    "artifacts/verdict.json",
    "README.md",
    "docs/api.md",
    "tests/test_x.py",
    "requirements-dev.txt",
    ".github/workflows/main.yaml",
)
BAKED = {*FILES[: FILES.index("artifacts/champion.json") + 1]}


class Repository:
    """A git repository with the files of a commit."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git("init", "--quiet", "--initial-branch", "main")
        for name in FILES:
            self.write(name, name)
        self.write(".dockerignore", (ROOT / ".dockerignore").read_text())
        self.commit()

    def git(self, *arguments: str) -> str:
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", *arguments]
        return subprocess.run(command, cwd=self.folder, check=True, capture_output=True, text=True).stdout

    def write(self, name: str, content: str) -> None:
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(content)

    def commit(self) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "change")
        return release_key(self.folder)


@pytest.fixture
def repository(tmp_path) -> Repository:
    return Repository(tmp_path)


@pytest.mark.parametrize("name", FILES)
def test_a_changed_file_gives_another_key_only_when_it_is_in_the_image(repository, name):
    before = release_key(repository.folder)
    repository.write(name, "changed")
    assert (repository.commit() != before) == (name in BAKED)


def test_a_new_name_and_a_new_mode_give_another_key(repository):
    first = release_key(repository.folder)
    repository.git("mv", "src/slipway/x.py", "src/slipway/y.py")
    second = repository.commit()
    os.chmod(repository.folder / "app.py", 0o755)
    assert len({first, second, repository.commit()}) == 3


def test_a_revert_gives_the_key_of_before(repository):
    before = release_key(repository.folder)
    repository.write("artifacts/champion.json", "another model")
    assert repository.commit() != before
    repository.git("revert", "--no-edit", "HEAD")
    assert release_key(repository.folder) == before


def test_the_platform_counts_where_it_is_another_than_the_usual_one(repository, monkeypatch):
    """No key of an existing release changes, and no image of one platform is found for the other."""
    monkeypatch.delenv("SLIPWAY_PLATFORM", raising=False)
    usual = release_key(repository.folder)
    for value, same in (("", True), ("linux/amd64", True), ("linux/arm64", False)):
        assert (release_key(repository.folder, environ={"SLIPWAY_PLATFORM": value}) == usual) is same
        monkeypatch.setenv("SLIPWAY_PLATFORM", value)
        assert (release_key(repository.folder) == usual) is same


def test_what_is_not_committed_does_not_count(repository):
    before = release_key(repository.folder)
    repository.write("app.py", "not committed")
    assert release_key(repository.folder) == before


def test_keys_of_earlier_commits_come_nearest_first_and_once(repository):
    first = release_key(repository.folder)
    repository.write("README.md", "changed")
    repository.commit()
    repository.write("app.py", "changed")
    second = repository.commit()
    repository.write("app.py", "changed again")
    repository.commit()
    assert earlier_keys(repository.folder) == [second, first]


def test_a_commit_without_a_champion_says_what_to_run(repository):
    repository.git("rm", "--quiet", "artifacts/champion.json")
    with pytest.raises(ReleaseError, match="slipway train"):
        repository.commit()


def test_outside_a_repository_git_says_why(tmp_path):
    with pytest.raises(ReleaseError, match="git ls-tree failed"):
        release_key(tmp_path, "HEAD")


@pytest.mark.parametrize("name", ["README.md", "tests/test_x.py", "data/table.csv"])
@pytest.mark.parametrize("ignored", ["", "tests\n", "*\n!app.py\n!data/*.csv\n", "**\n!app.py\n"])
def test_where_dockerignore_is_no_plain_list_of_what_goes_in_every_file_counts(repository, name, ignored):
    repository.write(".dockerignore", ignored)
    before = repository.commit()
    repository.write(name, "changed")
    assert repository.commit() != before


@pytest.mark.parametrize(("name", "changes"), [("vendor/x.whl", True), ("README.md", False)])
def test_what_dockerignore_lets_in_counts_whatever_the_dockerfile_makes_of_it(repository, name, changes):
    repository.write(".dockerignore", "# the wheel, too\n*\n!app.py\n!/vendor/\n!artifacts\n**/__pycache__\n")
    before = repository.commit()
    repository.write(name, "changed")
    assert (repository.commit() != before) == changes


def test_the_file_that_docker_reads_before_dockerignore_decides(repository):
    repository.write("Dockerfile.dockerignore", "*\n!README.md\n")
    before = repository.commit()
    repository.write("README.md", "changed")
    assert repository.commit() != before


def test_everything_that_the_dockerfile_copies_counts():
    """`*` shuts out all that is not named, and what is named counts; of artifacts only what the pointer names goes in."""
    first, *others = (ROOT / ".dockerignore").read_text().split()
    allowed = {line[1:] for line in others if line.startswith("!")}
    copied = {
        word.strip("./") or word
        for line in (ROOT / "Dockerfile").read_text().splitlines()
        if line.startswith(("COPY ", "ADD ")) and "--from" not in line
        for word in line.split()[1:-1]
    }
    assert first == "*" and copied == allowed


def test_from_names_the_base_itself_once_where_dependabot_reads_it():
    """It reads lines that begin with FROM and knows no ARG; a digest in such a line is in the key with the Dockerfile."""
    text = (ROOT / "Dockerfile").read_text()
    lines = [line for line in text.splitlines() if line.startswith("FROM")]
    assert not re.search("^ARG", text.partition("\nFROM")[0], re.MULTILINE)
    assert re.fullmatch(r"FROM python:3\.\d+-slim(@sha256:[0-9a-f]{64})? AS base", lines[0])
    stages = {line.rpartition(" AS ")[2] for line in lines if " AS " in line}
    assert {line.split()[1] for line in lines[1:]} <= stages
