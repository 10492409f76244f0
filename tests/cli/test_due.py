"""slipway due, as the scheduled workflow calls it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bundles import ROWS, make_bundle
from logs import put
from slipway.model.event import SHORT, Event
from slipway.monitoring import schedule
from slipway.monitoring.known_labels import add
from slipway.monitoring.outcomes import Outcomes
from slipway.monitoring.partitions import Log
from slipway.monitoring.row_keys import request_key
from slipway.store.local import LocalStore
from slipway.store.transfer import add_entries

NOW = datetime.now(UTC).replace(tzinfo=None)
SETTINGS = "name: regression\nsource: table.csv\ntarget: charges\n"


class Repository:
    """A checkout with a champion, and the files that GitHub gives a step."""

    def __init__(self, folder: Path, run) -> None:
        self.folder, self.run = folder, run
        self.log, self.store = Log(folder / "log"), LocalStore(folder / "artifacts")
        self.logs("files")
        decided = (NOW - timedelta(20)).isoformat() + "+00:00"
        self.bundle = make_bundle(self.store, "regression", verdict={"at": decided})

    def logs(self, to: str) -> None:
        (self.folder / "slipway.yaml").write_text(f"{SETTINGS}log: {{to: {to}}}\n")

    def asked(self, days: int = 1) -> None:
        """It was asked something so many days ago."""
        at = NOW - timedelta(days)
        event = Event(at=f"{at.isoformat()}Z", id="r", bundle=self.bundle.digest, rows=ROWS, answers=[1.0] * len(ROWS))
        put(self.log, event, day=str(at.date()), bundle=self.bundle.digest[:SHORT], name=f"local-{days}")

    def labelled(self, taken: datetime = NOW) -> None:
        add(self.log, Outcomes({(request_key("r", 0), taken): ("1", None)}, 1, ()), taken, "outcomes.csv")

    def kept(self, days: int) -> None:
        """So many days ago a challenger was kept."""
        self.store.journal.append(
            {"event": "verdict", "outcome": "kept", "at": f"{(NOW - timedelta(days)).isoformat()}+00:00"}
        )

    def due(self) -> dict[str, str]:
        """The outputs of the step."""
        path = self.folder / "output"
        path.unlink(missing_ok=True)
        done = self.run("due")
        assert done.code == 0, done.err
        return dict(line.split("=", 1) for line in path.read_text().splitlines())

    @property
    def summary(self) -> str:
        return (self.folder / "summary").read_text()


@pytest.fixture
def repository(tmp_path, run, monkeypatch) -> Repository:
    monkeypatch.chdir(tmp_path)
    for name, value in (("EVENT_NAME", "schedule"), ("OUTPUT", tmp_path / "output"), ("STEP_SUMMARY", tmp_path / "summary")):
        monkeypatch.setenv(f"GITHUB_{name}", str(value))
    return Repository(tmp_path, run)


def test_a_quiet_look_trains_nothing_and_is_in_the_summary(repository):
    repository.asked()
    repository.log.make()
    repository.labelled()
    found = repository.due()
    assert found == {
        "train": "false",
        "reason": "Nothing moved beyond chance.",
        "outcome": "quiet",
        "page": str(repository.log.root / "live.html"),
    }
    assert Path(found["page"]).exists()
    assert "nothing moved beyond chance; it answered 4 rows on 1 of the last 28 days" in repository.summary
    assert "**No training.** Nothing moved beyond chance." in repository.summary


def test_a_broken_pipe_is_told_and_not_trained_on(repository):
    repository.asked(days=10)
    found = repository.due()
    assert (found["train"], found["outcome"]) == ("false", "broken") and found["reason"].startswith("No row was answered")
    live = json.loads((repository.log.root / "live.json").read_bytes())
    assert (live["outcome"], live["train"], live["reasons"]) == ("broken", False, [found["reason"]])


@pytest.mark.parametrize("logged", [True, False])
@pytest.mark.parametrize("days, train", [(7, "true"), (6, "false")])
def test_without_labels_it_trains_a_week_after_the_last_training(repository, logged, days, train):
    if logged:
        repository.asked()
    repository.kept(days)
    assert repository.due()["train"] == train


def test_labels_that_have_ceased_end_no_weekly_training(repository):
    repository.asked()
    repository.log.make()
    repository.labelled(NOW - timedelta(31))
    assert repository.due()["train"] == "true"


def test_a_training_of_another_machine_counts_also_where_nobody_looks(repository, bucket, monkeypatch):
    monkeypatch.setenv("SLIPWAY_REMOTE", bucket.url)
    repository.logs("none")
    repository.kept(1)
    add_entries(bucket.remote(), repository.store.journal.entries())
    repository.store.journal.path.unlink()
    assert repository.due()["train"] == "false"


@pytest.mark.parametrize("to", ["none", "files"])
def test_where_nothing_is_logged_there_is_no_look_and_the_weekly_training_stays(repository, to):
    """Neither where the log is off, nor on a new machine without a log."""
    repository.logs(to)
    found = repository.due()
    assert found.keys() == {"train", "reason"} and found["train"] == "true"
    assert "Nobody looked at production" in repository.summary and not repository.log.root.exists()


def test_without_a_champion_there_is_nothing_to_look_at(repository):
    repository.asked()
    (repository.store.root / "champion.json").unlink()
    assert repository.due() == {"train": "true", "reason": "It is the weekly training: no answered row is logged yet."}
    repository.kept(1)
    assert repository.due()["train"] == "false"


def test_who_starts_it_by_hand_gets_a_training_even_if_the_log_cannot_be_read(repository, monkeypatch):
    repository.asked()
    repository.due()
    [path] = repository.log.tables()
    path.write_bytes(b"no table")
    done = repository.run("due")
    assert done.code == 5 and str(path) in done.err
    monkeypatch.setenv("GITHUB_EVENT_NAME", "workflow_dispatch")
    assert repository.due() == {"train": "true", "reason": "It was started by hand."}


def test_outside_of_a_workflow_it_only_says_so(repository, monkeypatch):
    for name in ("GITHUB_EVENT_NAME", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name)
    repository.logs("none")
    done = repository.run("due")
    assert (done.code, done.out) == (0, "Train: It is the weekly training: no answered row is logged yet.\n")
    assert not (repository.folder / "output").exists()


def test_a_name_with_a_line_break_adds_no_output(repository, monkeypatch):
    said = schedule.Turn(False, "Columns moved: a\ntrain=true.")
    monkeypatch.setattr(schedule, "turn", lambda *_: said)
    assert repository.due()["reason"] == "Columns moved: a train=true."


def test_a_look_is_known_on_the_next_machine(repository, bucket, monkeypatch):
    """A runner is new each day: what it leaves is in the remote store, the line of a broken pipe, too."""
    monkeypatch.setenv("SLIPWAY_REMOTE", bucket.url)
    repository.asked(days=10)
    assert repository.due()["outcome"] == "broken"
    for name in ("live.html", "live.json"):
        (repository.log.root / name).unlink()
    first = repository.store.journal.path.read_bytes()
    repository.store.journal.path.unlink()
    repository.due()
    page = (repository.log.root / "live.html").read_text()
    assert page.count('<td class="when">') == 2
    known = bucket.objects()["models/a/journal.jsonl"].splitlines()
    assert {*first.splitlines(), *repository.store.journal.path.read_bytes().splitlines()} <= {*known}
