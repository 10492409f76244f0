"""slipway diff"""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from bundles import make_bundle, said
from slipway.cli import slipway
from slipway.errors import StoreError
from slipway.model.changes import changes
from slipway.store.local import LocalStore
from slipway.store.pointer import Pointer

RECORDED = "With the code of this checkout, the bundle answers all 4 of its own golden rows as recorded."


@pytest.fixture
def store(tmp_path, monkeypatch) -> LocalStore:
    """A repository whose first commit points to a bundle; the champion is another one now."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "slipway.yaml").write_text("name: regression\nsource: table.csv\ntarget: charges\n")
    store = LocalStore(tmp_path / "artifacts")
    before = make_bundle(store, "regression")
    git("init", "--quiet")
    git("add", "artifacts/champion.json")
    git("commit", "--quiet", "--message", "first")
    after = make_bundle(store, "regression", weights=[[251.0], [30.0], [23000.0], [1.0]], promote=False)
    store.point(Pointer(after.digest, "regression"))
    told = {"against": before.digest} | changes(before, after)
    said(store, "regression", after.digest, reasons=["rmse 1 against 2"], changes=told)
    return store


def git(*arguments: str) -> bytes:
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", *arguments]
    return subprocess.run(command, check=True, capture_output=True).stdout


def diff(base: str):
    return CliRunner().invoke(slipway, ["diff", base])


def test_what_the_verdict_tells_is_shown(store):
    done = diff("HEAD")
    assert done.exit_code == 0, done.output
    assert "- rmse 1 against 2" in done.output
    assert "Golden predictions: 4 of 4 change." in done.output
    assert done.output.rstrip().endswith(RECORDED)  # answered by this code


def test_the_verdict_comes_first_then_what_changes(store):
    """Headings and their order; what nobody wrote down has none."""
    said = diff("HEAD").output
    assert said.splitlines()[2] == "**Rmse 1 against 2.**"
    headings = [line for line in said.splitlines() if line.startswith("####")]
    assert headings == ["#### Data", "#### Model", "#### How good it is"]
    assert "| rows learned from | 100 | the same |" in said


def test_why_now_is_told_by_the_workflow_or_by_the_last_look(store, monkeypatch):
    before = Pointer.from_bytes(git("show", "HEAD:artifacts/champion.json"), "").digest
    assert "Why now" not in diff("HEAD").output
    figures = {"rows": 1, "days": 1, "loss": None, "sentences": ["`age`: 31 % above 60."]}
    reasons = ["The loss is above its limit."]
    line = {"event": "watch", "at": datetime.now(UTC).isoformat(), "digest": before, "outcome": "worse", "reasons": reasons}
    store.journal.append(line | {"train": True, "figures": figures})
    said = diff("HEAD").output
    assert "#### Why now\n\nThe loss is above its limit.\n" in said
    assert "#### Production\n" in said and "- age: 31 % above 60." in said
    monkeypatch.setenv("SLIPWAY_WHY", "It was started by hand.")
    assert "#### Why now\n\nIt was started by hand.\n" in diff("HEAD").output


@dataclass
class Replayed:
    """A stand-in for what a replay ends with."""

    markdown: list[str]


@pytest.fixture
def asked(store, monkeypatch) -> list[tuple]:
    """A collected log, and what is asked of a stand-in for the replay of it."""
    calls = []

    def replay(problem, store, log, challenger, days, now, champion):
        calls.append((challenger.digest, days, champion.digest))
        return Replayed(["2 of 40 answers flip."])

    monkeypatch.setitem(sys.modules, "slipway.monitoring.replay", SimpleNamespace(replay=replay))
    path = store.root.parent / "log/rows/date=2026-11-21/bundle=8821177e2697/a.parquet"
    path.parent.mkdir(parents=True)
    path.touch()
    return calls


def test_where_a_log_is_collected_the_last_days_are_replayed(store, asked):
    before = Pointer.from_bytes(git("show", "HEAD:artifacts/champion.json"), "").digest
    said = diff("HEAD").output
    assert "#### On the last 7 days of production\n\n2 of 40 answers flip.\n" in said
    assert asked == [(store.pointer().digest, 7, before)]


def test_what_cannot_be_replayed_is_said_and_the_rest_is_shown(store, asked):
    before = Pointer.from_bytes(git("show", "HEAD:artifacts/champion.json"), "").digest
    shutil.rmtree(store.bundles / before)
    said = diff("HEAD").output
    assert f"They could not be replayed: bundle {before[:12]} is not in" in said
    assert said.rstrip().endswith(RECORDED)


def test_an_error_of_the_replay_is_no_markdown(store, asked, monkeypatch):
    def replay(*_, **__):
        raise StoreError("<img> @octocat")

    monkeypatch.setitem(sys.modules, "slipway.monitoring.replay", SimpleNamespace(replay=replay))
    assert "They could not be replayed: \\<img\\> @\u200doctocat\n" in diff("HEAD").output


def test_the_same_bundle_is_not_replayed(store, asked):
    git("add", "artifacts/champion.json")
    git("commit", "--quiet", "--message", "second")
    assert "On the last" not in diff("HEAD").output and asked == []


def test_without_the_bundle_it_says_so(store, tmp_path):
    (tmp_path / "artifacts/bundles").rename(tmp_path / "elsewhere")
    assert "The bundle is not in this checkout" in diff("HEAD").output


def test_the_same_bundle_is_said_to_be_the_same(store):
    git("add", "artifacts/champion.json")
    git("commit", "--quiet", "--message", "second")
    assert "The same bundle as in `HEAD`" in diff("HEAD").output
    assert "against" in diff("HEAD~1").output


def test_changes_against_another_champion_are_not_passed_off_as_these(store):
    told = store.verdict(store.pointer())["changes"] | {"against": "f" * 64}
    said(store, "regression", store.pointer().digest, changes=told)
    for path in store.bundles.iterdir():
        shutil.rmtree(path)
    shown = diff("HEAD").output
    assert "What changes is unknown: the two bundles are not both here. Run slipway pull." in shown
    assert "How good it is" not in shown and "Golden predictions" not in shown


def test_a_champion_set_by_hand_is_compared_by_the_bundles(store):
    """As after slipway promote: the verdict has no changes."""
    before = Pointer.from_bytes(git("show", "HEAD:artifacts/champion.json"), "").digest
    said(store, "regression", store.pointer().digest, event="promote", champion=before, reasons=["promoted by hand"])
    shown = diff("HEAD").output
    assert shown.splitlines()[2] == "**Promoted by hand.**"
    assert "#### How good it is" in shown and "Golden predictions: 4 of 4 change." in shown


def test_after_a_revert_the_earlier_verdict_is_not_passed_off_as_a_new_one(store):
    """The first champion is back; it became one when there was none."""
    first = json.loads(git("show", "HEAD:artifacts/champion.json"))["digest"]
    git("add", "artifacts/champion.json")
    git("commit", "--quiet", "--message", "second")
    second = store.pointer().digest
    store.point(Pointer(first, "regression"))
    said(store, "regression", first, champion=None, reasons=["rmse 1 against the baseline's 2"])
    lines = [line for line in diff("HEAD").output.splitlines() if line]
    assert lines[1:5] == [
        "**The verdict on this model comes from an earlier change.**",
        f"{second[:12]} → **{first[:12]}**",
        "Why it became the champion when there was none:",
        "- rmse 1 against the baseline's 2",
    ]
    assert "Golden predictions: 4 of 4 change." in lines and lines[-1] == RECORDED


def test_a_champion_of_whom_nobody_said_anything_is_compared_too(store):
    (store.root / "verdict.json").unlink()
    shown = diff("HEAD").output
    assert "**Nobody said why it is the champion.**" in shown and "Golden predictions: 4 of 4 change." in shown


def test_a_pointer_of_format_1_tells_its_own_changes(store):
    verdict = store.verdict(store.pointer())
    document = {"format": 1, "problem": "regression", "digest": store.pointer().digest, "verdict": verdict}
    (store.root / "champion.json").write_text(json.dumps(document))
    (store.root / "verdict.json").unlink()
    assert "- rmse 1 against 2" in diff("HEAD").output and "4 of 4 change" in diff("HEAD").output


def test_an_unknown_commit_is_an_error_that_says_what_to_name(store, tmp_path):
    done = diff("origin/main")
    assert done.exit_code == 3 and "origin/main: no such commit in this repository. There is no remote" in done.output
    assert "make diff BASE=HEAD" in done.output
    git("remote", "add", "origin", "https://example.org/model.git")
    assert diff("origin/main").output.endswith("Run git fetch first\n")


def test_before_the_first_commit_it_says_to_make_one(store, tmp_path):
    shutil.rmtree(tmp_path / ".git")
    git("init", "--quiet")
    assert "Make the first commit" in diff("HEAD").output
