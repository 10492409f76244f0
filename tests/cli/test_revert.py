"""A champion is reverted with git alone, whatever the last training ended with."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bundles import make_bundle
from slipway.problem import load_problem
from slipway.serving.service import open_service
from slipway.store.journal import entry
from slipway.store.local import LocalStore
from slipway.store.verdicts import from_bytes, to_bytes

DOCS = Path(__file__).parents[2] / "docs" / "bundle.md"


class Repository:
    """A model's repository, with real git."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.store = folder, LocalStore(folder / "artifacts")
        self.one = self.two = self.second = ""

    def git(self, *arguments: str) -> str:
        who = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "core.editor=true"]
        done = subprocess.run(["git", *who, *arguments], cwd=self.folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def shell(self, line: str) -> None:
        for command in line.split(" && "):
            program, *words = command.split()
            assert program == "git"
            self.git(*words)

    def trained(self, weight: float, outcome: str) -> str:
        """What `slipway train` writes down."""
        pointer = self.store.pointer()
        bundle = make_bundle(self.store, "regression", weights=[[weight], [30.0], [23000.0], [1.0]], promote=False)
        verdict = {"outcome": outcome, "reasons": [f"{weight:g} decided"]}
        before = pointer.digest if pointer else None
        self.store.decide(entry("verdict", bundle, before, verdict), {"against": before} if outcome == "promoted" else None)
        return bundle.digest

    def commit(self, message: str) -> str:
        self.git("add", ".")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD").strip()

    def served(self) -> str:
        """What the service answers with; the code of the second champion is gone when that is."""
        assert (self.folder / "models.py").exists() == (self.store.pointer().digest != self.one)
        return open_service(load_problem(self.folder / "slipway.yaml"), {}).digest

    def clone(self, folder: Path) -> "Repository":
        """A clone to which the bundles were pulled; it has no journal."""
        self.git("clone", "--quiet", ".", str(folder))
        shutil.copytree(self.store.bundles, folder / "artifacts" / "bundles")
        found = Repository(folder)
        found.one = self.one
        return found


@pytest.fixture
def repository(tmp_path) -> Repository:
    """Two commits, a champion with its code each: `one`, and `two` of the commit `second`."""
    found = Repository(tmp_path / "model")
    found.folder.mkdir()
    found.git("init", "--quiet")
    (found.folder / ".gitignore").write_text("artifacts/*\n!artifacts/champion.json\n!artifacts/verdict.json\n")
    (found.folder / "slipway.yaml").write_text("name: regression\nsource: table.csv\ntarget: charges\n")
    found.one = found.trained(250, "promoted")
    found.commit("The first champion")
    found.two = found.trained(251, "promoted")
    (found.folder / "models.py").write_text("depth = 3\n")
    found.second = found.commit("The second champion")
    assert found.served() == found.two != found.one
    return found


def test_a_training_that_was_kept_is_not_in_the_way(repository):
    repository.trained(252, "kept")
    assert repository.git("status", "--porcelain") == "", "there is nothing to commit"
    repository.git("revert", "--no-edit", "HEAD")
    assert repository.served() == repository.one
    assert repository.store.verdict(repository.store.pointer())["reasons"] == ["250 decided"]


def test_nor_after_a_commit_in_between(repository):
    repository.trained(252, "kept")
    (repository.folder / "README.md").write_text("Other settings were worse.\n")
    repository.commit("Other settings were worse")
    repository.git("revert", "--no-edit", repository.second)
    assert repository.served() == repository.one


def test_nor_on_a_clone(repository, tmp_path):
    clone = repository.clone(tmp_path / "clone")
    clone.trained(252, "kept")
    clone.trained(253, "kept")
    clone.git("revert", "--no-edit", "HEAD")
    assert clone.served() == repository.one


def recipes() -> list[str]:
    """The two that docs/bundle.md has."""
    text = DOCS.read_text().partition("### A revert that stops at `verdict.json`")[2].partition("\n## ")[0]
    return re.findall(r"^    (git .*)$", text, re.MULTILINE)


def noted_by_an_earlier_version(repository: Repository) -> None:
    """It wrote the last refusal into verdict.json, too."""
    path = repository.store.root / "verdict.json"
    told = from_bytes(path.read_bytes(), "here")
    kept = {"at": "2026-11-23T00:00:00+00:00", "digest": "c" * 64, "outcome": "kept", "reasons": ["no gain"]}
    path.write_bytes(to_bytes("regression", [*told, kept]))


def test_what_an_earlier_version_wrote_and_nobody_committed_is_thrown_away(repository):
    noted_by_an_earlier_version(repository)
    repository.shell(recipes()[0])
    repository.git("revert", "--no-edit", "HEAD")
    assert repository.served() == repository.one


def test_a_conflict_with_what_was_committed_ends_as_the_docs_say(repository):
    noted_by_an_earlier_version(repository)
    repository.commit("What the last training said")
    with pytest.raises(AssertionError, match="CONFLICT .*verdict.json"):
        repository.git("revert", "--no-edit", repository.second)
    assert json.loads((repository.store.root / "champion.json").read_bytes())["digest"] == repository.one
    repository.shell(recipes()[1])
    assert repository.git("status", "--porcelain") == "" and repository.served() == repository.one
    assert repository.store.verdict(repository.store.pointer())["reasons"] == ["250 decided"]


def test_so_does_the_revert_of_a_champion_that_was_rolled_back_already(repository):
    repository.store.promote(repository.store.bundle(repository.one), "rollback", "rolled back by hand")
    repository.commit("In an emergency")
    with pytest.raises(AssertionError, match="CONFLICT .*verdict.json"):
        repository.git("revert", "--no-edit", repository.second)
    repository.shell(recipes()[1])
    assert repository.served() == repository.one


def test_the_next_promotion_drops_what_an_earlier_version_wrote(repository):
    noted_by_an_earlier_version(repository)
    repository.commit("What the last training said")
    repository.trained(252, "promoted")
    repository.commit("The third champion")
    assert {each["outcome"] for each in repository.store.verdicts()} == {"promoted"}
    repository.git("revert", "--no-edit", "HEAD")
    assert repository.served() == repository.two
