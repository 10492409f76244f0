"""slipway watch on a log of whole days: quiet while nothing changes, drift in words, a worse loss, a broken pipe."""

import json
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from shutil import copytree, rmtree

import numpy as np
import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from page import Page
from slipway.cli import slipway
from slipway.errors import ProblemError
from slipway.kinds import Comparison
from slipway.model.event import CLOSED, RAW, SHORT, Event, to_line
from slipway.model.last_look import read_figures
from slipway.model.predictor import Predictor
from slipway.monitoring.collector import collect
from slipway.monitoring.known_labels import add
from slipway.monitoring.memory import exchange_state
from slipway.monitoring.outcomes import Outcomes
from slipway.monitoring.partitions import Log
from slipway.monitoring.publication import figures, publish
from slipway.monitoring.row_keys import request_key
from slipway.monitoring.watched import watch
from slipway.problem import load_problem
from slipway.store.local import LocalStore
from slipway.table.cell import columns_from_rows
from tables import charges
from trainings import trained
from web import serve_web

NOW = datetime(2026, 11, 22, 6)


class Production:
    """A model, and the days on which it was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store, self.log = LocalStore(folder / "artifacts"), Log(folder / "log")
        if not self.store.root.exists():
            trained(folder, self.store, charges(1_000), "charges", candidates=["linear"])
        self.bundle = self.store.champion()
        self.predictor = Predictor(self.bundle)
        self.problem = load_problem(folder / "slipway.yaml", environ={})
        self.decided("2026-11-20")
        self.log.make()

    def decided(self, day: str) -> None:
        """When the champion became one."""
        path = self.store.root / "verdict.json"
        for each in (path, self.store.journal.path):
            each.write_text(re.sub(r'"at": ?"[^"]*"', f'"at": "{day}T00:00:00+00:00"', each.read_text()))

    def labels(self, backs, off: float, label: str = "") -> None:
        """What really happened on those days: the answers, and an error as on the hold-out and `off` beside."""
        found = {}
        random = np.random.default_rng(0)
        for back in backs:
            answers = self.predictor.scores(columns_from_rows(self.predictor.schema, rows_of(back)))
            for number, answer in enumerate(answers):
                truth = repr(float(answer + random.normal(0, 500) + off))
                found[request_key(f"r-{back}", number), NOW - timedelta(days=back, hours=-2)] = (label or truth, None)
        taken = NOW + timedelta(seconds=len(self.log.labels()))  # one table after another
        add(self.log, Outcomes(found, len(found), ()), taken, "outcomes.csv")

    def day(self, back: int, rows: list[dict], refused=None) -> None:
        """What it was asked so many days ago."""
        at = NOW - timedelta(days=back)
        answers = self.predictor.scores(columns_from_rows(self.predictor.schema, rows)).tolist() if rows else []
        event = Event(
            at=at.isoformat() + "Z",
            id=f"r-{back}",
            bundle=self.bundle.digest,
            rows=rows,
            answers=answers,
            refused=refused or {},
        )
        place = self.log.root / RAW / f"date={at.date()}" / f"bundle={self.bundle.digest[:SHORT]}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"local-0-{back}{CLOSED}").write_bytes(to_line(event))

    def watch(self, now=NOW):
        collect(self.log, self.problem.id, 90, now, pytest.fail)
        return watch(self.problem, self.store, self.log, now)


def rows_of(seed: int, number: int = 500, **changed) -> list[dict]:
    """Rows as those of the training."""
    frame = charges(number, seed).drop(columns="charges").assign(**changed)
    return [
        {"age": int(row.age), "smoker": row.smoker, "region": row.region}
        | ({} if row.bmi == "NA" else {"bmi": float(row.bmi)})
        for row in frame.itertuples()
    ]


@pytest.fixture(scope="module")
def asked(tmp_path_factory) -> Path:
    """A model, and 23 days on which it was asked what it had learned from."""
    production = Production(tmp_path_factory.mktemp("asked"))
    for back in range(3, 26):
        production.day(back, rows_of(back))
    return production.folder


@pytest.fixture
def production(asked, tmp_path) -> Production:
    return Production(Path(copytree(asked, tmp_path / "asked")))


def test_nothing_moves_while_production_is_like_training(production):
    for back in (2, 1):
        production.day(back, rows_of(back))
    before, now = production.watch(NOW - timedelta(days=1)), production.watch()
    assert [each.decision.outcome for each in (before, now)] == ["quiet", "quiet"]
    assert (now.look.days, now.look.rows, now.look.calibrated, now.rows) == (2, 1_000, True, 12_500)
    assert now.sentences == [] and not now.decision.train
    assert now.estimate["absolute_error"].value == pytest.approx(400, rel=0.2)


def test_a_shift_is_flagged_by_the_second_look_and_told_in_words(production):
    for back in (2, 1):
        production.day(back, rows_of(back, smoker="yes"))
    before, now = production.watch(NOW - timedelta(days=1)), production.watch()
    assert before.decision.outcome == "quiet" and now.decision.outcome == "drift"
    assert "field/smoker" in [move.column.key for move in now.look.flagged]
    [sentence] = [each for each in now.sentences if each.startswith("`smoker`")]
    assert "since 2026-11-20" in sentence and "the answers moved, too" in sentence
    assert not now.decision.train  # no labels, nothing to learn from


def test_the_second_look_may_be_made_on_another_machine(production, bucket):
    for back in (2, 1):
        production.day(back, rows_of(back, smoker="yes"))
    production.watch(NOW - timedelta(days=1))
    exchange_state(production.log, production.bundle.digest, bucket.remote())
    (production.log.root / "watch.json").unlink()
    exchange_state(production.log, production.bundle.digest, bucket.remote())
    assert production.watch().decision.outcome == "drift"


def test_a_training_on_another_machine_counts(production):
    for back in (2, 1):
        production.day(back, rows_of(back))
    production.labels(range(3, 26), off=3_000)
    production.decided("2026-10-01")
    assert production.watch().decision.train
    elsewhere = [{"event": "verdict", "outcome": "kept", "at": "2026-11-21T00:00:00+00:00"}]
    assert not watch(production.problem, production.store, production.log, NOW, elsewhere).decision.train


def test_a_look_that_is_repeated_confirms_nothing(production):
    production.day(2, rows_of(2))
    production.day(1, rows_of(1, 2_000, age="60"))
    assert [production.watch().decision.outcome for _ in range(3)] == ["quiet"] * 3


@pytest.mark.parametrize(
    "changed, refused, part", [({"bmi": "NA"}, {}, "missing"), ({}, {"bmi/out_of_range": 200}, "refused")]
)
def test_what_breaks_in_front_of_the_model_is_told_to_a_person(production, changed, refused, part):
    for back in (2, 1):
        production.day(back, rows_of(back, **changed), refused)
    production.watch(NOW - timedelta(days=1))
    decision = production.watch().decision
    assert (decision.outcome, decision.train) == ("broken", False)
    assert decision.reasons == (f"`bmi` is {part} more often than in training: repair what sends it.",)


def test_a_field_that_is_missing_less_often_breaks_nothing(production):
    for back in (2, 1):
        production.day(back, rows_of(back, bmi="30.5"))
    production.watch(NOW - timedelta(days=1))
    decision = production.watch().decision
    assert decision.outcome == "drift" and "bmi" in decision.reasons[0]


def test_a_training_that_was_kept_counts_for_the_next(production):
    for back in (2, 1):
        production.day(back, rows_of(back))
    production.labels(range(3, 26), off=3_000)
    production.decided("2026-10-01")
    assert production.watch().decision.train
    production.store.journal.append({"event": "verdict", "outcome": "kept", "at": "2026-11-21T00:00:00+00:00"})
    decision = production.watch().decision
    assert not decision.train and "none before 2026-11-28" in decision.reasons[-1]


def test_a_label_that_the_model_does_not_know_is_left_out(production):
    production.day(1, rows_of(1))
    production.labels(range(3, 26), off=0, label="not a number")
    assert production.watch().loss is None


def test_a_log_that_has_gone_silent_is_a_broken_pipe(production):
    decision = production.watch(NOW + timedelta(days=3)).decision
    assert decision.outcome == "broken" and "since 2026-11-19" in decision.reasons[0]
    later = production.watch(NOW + timedelta(days=60)).decision
    assert (later.outcome, later.reasons) == ("broken", ("No row was answered for 28 days.",))


@pytest.mark.parametrize("weekday, outcome", [(0, "quiet"), (1, "quiet"), (2, "broken")])
def test_a_service_that_rests_at_weekends_is_not_silent_on_mondays(asked, tmp_path, weekday, outcome):
    """Its days end on a Friday; on a Wednesday two working days have been without a row."""
    folder = Path(copytree(asked, tmp_path / "rests"))
    for path in (folder / "log" / RAW).glob("date=*"):
        if date.fromisoformat(path.name.removeprefix("date=")).weekday() > 4 or path.name > "date=2026-11-13":
            rmtree(path)
    production = Production(folder)
    production.decided("2026-10-01")
    assert production.watch(datetime(2026, 11, 16 + weekday, 4, 17)).decision.outcome == outcome


def test_a_new_champion_rests_as_the_earlier_ones_did(asked, tmp_path):
    production = Production(Path(copytree(asked, tmp_path / "rests")))
    production.decided("2026-10-01")
    for path in (production.log.root / RAW).glob("date=*/bundle=*"):
        day = path.parent.name.removeprefix("date=")
        if day > "2026-11-06":
            rmtree(path)
        elif day < "2026-11-05":
            rmtree(path) if day > "2026-11-01" else path.rename(path.with_name(f"bundle={'0' * SHORT}"))
    assert [production.watch(datetime(2026, 11, 9 + more, 4, 17)).decision.outcome for more in (0, 2, 3)] == [
        "quiet",
        "quiet",
        "broken",
    ]


@pytest.mark.parametrize("wrong", ["journal", "verdict"])
def test_a_training_of_the_future_ends_no_training(production, wrong):
    """Its clock was wrong: until then nothing would be trained."""
    for back in (2, 1):
        production.day(back, rows_of(back))
    production.labels(range(3, 26), off=3_000)
    production.decided("2027-11-22" if wrong == "verdict" else "2026-10-01")
    production.store.journal.append({"event": "verdict", "outcome": "kept", "at": "2027-11-22T00:00:00+00:00"})
    found = production.watch()
    assert found.decision.train and found.trained <= found.tried <= NOW.date()


def test_a_champion_that_has_just_come_back_is_not_silent(production):
    production.decided(str((NOW + timedelta(days=4)).date()))
    assert production.watch(NOW + timedelta(days=5)).decision.outcome == "quiet"


def test_a_loss_above_its_limit_asks_for_training_once_the_model_is_old_enough(production):
    for back in (2, 1):
        production.day(back, rows_of(back))
    production.labels(range(3, 26), off=3_000)
    young = production.watch()
    assert young.loss.crossed and (young.decision.outcome, young.decision.train) == ("worse", False)
    production.decided("2026-11-01")
    old = production.watch()
    assert (old.decision.outcome, old.decision.train) == ("worse", True)
    assert old.losses.cohorts.coverage == pytest.approx(23 / 25)  # of the last two days nobody has told yet


def test_labels_as_good_as_on_the_hold_out_change_nothing(production):
    for back in (2, 1):
        production.day(back, rows_of(back))
    production.labels(range(3, 26), off=0)
    found = production.watch()
    assert found.loss.release.rows > 1_000 and not found.loss.crossed and found.decision.outcome == "quiet"


def test_the_means_of_the_loss_have_intervals(production):
    """As wide as chance makes them: 1.645 standard errors of absolute errors around 400 with a deviation of 300.

    Those of production are a little wider, because its days differ from one another.
    """
    for back in (2, 1):
        production.day(back, rows_of(back))
    production.labels(range(3, 26), off=0)
    loss = figures(production.watch())["loss"]
    low, high = loss["interval"]
    assert low < loss["mean"] < high and 1 < (high - low) / 2 / (1.645 * 300 / loss["rows"] ** 0.5) < 1.5
    low, high = loss["holdout"]["interval"]
    assert low < loss["usual"] < high
    assert (high - low) / 2 == pytest.approx(1.645 * 300 / loss["holdout"]["rows"] ** 0.5, rel=0.2)


@pytest.mark.parametrize("number, outcome", [(600, "worse"), (2_000, "quiet")])
def test_the_plain_rule_is_judged_on_the_newest_labelled_rows(production, number, outcome):
    for back in (2, 1):
        production.day(back, rows_of(back))
    production.labels(range(8, 26), off=0)
    production.labels(range(3, 8), off=1_000)  # mean absolute error: about 1,000; of all days it is less
    production.decided("2026-11-01")
    production.problem = replace(production.problem, retrain_when=Comparison("mae", ">", number))
    found = production.watch()
    assert not found.loss.crossed and found.decision.outcome == outcome
    assert (str(found.plain) in found.decision.reasons) is (outcome == "worse")
    assert found.plain.rows == 500 and found.plain.value == pytest.approx(1_020, rel=0.1)
    assert found.plain.days == ((NOW - timedelta(days=3)).date(),)


def test_a_metric_of_another_task_is_refused(production):
    production.problem = replace(production.problem, retrain_when=Comparison("accuracy", "<", 0.6))
    production.day(1, rows_of(1))
    with pytest.raises(ProblemError, match="accuracy does not measure regression"):
        production.watch()


def test_labels_that_somebody_corrects_are_told_to_a_person(production):
    for back in (2, 1):
        production.day(back, rows_of(back))
    production.labels(range(3, 26), off=0)
    production.labels(range(20, 26), off=3_000)
    decision = production.watch().decision
    assert (decision.outcome, decision.train) == ("broken", False)
    assert "labels of the last 7 days" in decision.reasons[0] and "3,000 of the 14,500" in decision.reasons[0]


def test_private_columns_are_not_compared(production):
    production.problem = replace(production.problem, log=replace(production.problem.log, omit=("bmi",), hash=("region",)))
    production.day(1, [{"age": 40, "smoker": "no", "region": "0123"}] * 500)
    found = production.watch()
    assert {move.column.name for move in found.look.moves} == {"score", "age", "smoker"}


def test_days_of_another_bundle_do_not_count(production):
    other = f"bundle={'0' * SHORT}"
    production.watch()  # collected
    for path in (production.log.root / "rows").glob("date=*/bundle=*"):
        path.rename(path.with_name(other))
    found = production.watch()
    assert (found.days, found.look, found.decision.outcome) == ((), None, "quiet")
    assert found.decision.reasons == (
        "The champion answered no row on the last 28 whole days (UTC); those of today count tomorrow.",
    )


def test_a_look_is_noted_and_shown(production):
    production.day(1, rows_of(1, age="60"))
    production.day(2, rows_of(2, age="60"))
    for now in (NOW - timedelta(days=1), NOW):
        publish(production.watch(now), production.store, production.log)
    noted = [each for each in production.store.journal.entries() if each["event"] == "watch"]
    assert [each["outcome"] for each in noted] == ["quiet", "drift"]
    assert "field/age" in noted[-1]["figures"]["flagged"]
    assert [("field/age" in each["figures"]["suspected"]) for each in noted] == [True, False]
    assert any(each.startswith("`age`: ") for each in noted[-1]["figures"]["sentences"])
    page = (production.log.root / "live.html").read_text()
    assert "Columns moved" in page and page.count('<td class="when">20') == 2 and "http" not in page.replace("http-equiv", "")
    live = json.loads((production.log.root / "live.json").read_bytes())
    assert (live["rows"], live["outcome"], live["train"]) == (12_500, "drift", False)
    Page(page)


def test_its_exit_code_says_what_was_found(production, monkeypatch):
    monkeypatch.chdir(production.folder)
    told = CliRunner().invoke(slipway, ["watch"])
    assert told.exit_code in (0, 12), told.output  # by the day that this test is run, the log is silent
    assert "log/live.html" in told.output


class Later(datetime):
    """A clock that has stopped: three days later nobody asks any more."""

    @classmethod
    def now(cls, zone=None):
        return (NOW + timedelta(days=3)).replace(tzinfo=zone)


@pytest.fixture
def watched(production, monkeypatch):
    """Call slipway watch when the log has gone silent."""
    monkeypatch.chdir(production.folder)
    for module in ("slipway.cli.watch", "slipway.monitoring.publication"):
        monkeypatch.setattr(f"{module}.datetime", Later)

    def call():
        return CliRunner().invoke(slipway, ["watch"])

    return call


def test_a_person_is_told_of_a_change_with_the_next_look_if_need_be(watched, monkeypatch):
    with serve_web() as web:
        monkeypatch.setenv("SLIPWAY_WEBHOOK", f"{web.url}/SECRET")
        deaf = watched()
        assert deaf.exit_code == 12 and "SLIPWAY_WEBHOOK: the message did not arrive (HTTP 404)" in deaf.output
        assert "SECRET" not in deaf.output
        web.pages["/SECRET"] = (200, b"ok")
        assert "SLIPWAY_WEBHOOK" not in watched().output and "SLIPWAY_WEBHOOK" not in watched().output
    assert [path for path, _ in web.calls] == ["/SECRET"] * 2
    told = json.loads(web.sent["/SECRET"])
    assert not told["ok"] and told["text"].startswith(
        "trial: what feeds the model is broken\nNo row was answered, or logged, since"
    )
    assert "log/live.html has the rest" in told["text"]


def test_a_wrong_setting_is_told_before_anything_is_done(watched, production, monkeypatch):
    monkeypatch.setenv("SLIPWAY_WEBHOOK", "nonsense")
    failed = watched()
    assert failed.exit_code == 3 and "SLIPWAY_WEBHOOK: not an https:// URL" in failed.output
    assert not (production.log.root / "live.html").exists()


def test_the_page_of_any_machine_is_in_the_remote_store(watched, production, bucket, monkeypatch, tmp_path):
    monkeypatch.setenv("SLIPWAY_REMOTE", bucket.url)
    with serve_web() as web:
        web.pages["/hook"] = (200, b"ok")
        monkeypatch.setenv("SLIPWAY_WEBHOOK", f"{web.url}/hook")
        assert watched().exit_code == 12
    assert f"{bucket.url}/log/live.html has the rest" in json.loads(web.sent["/hook"])["text"]
    here = {name: (production.log.root / name).read_bytes() for name in ("live.html", "live.json")}
    for name, content in here.items():
        assert bucket.remote().read(f"log/{name}") == content
    shown = json.loads(here["live.json"])
    assert (shown["outcome"], shown["train"]) == ("broken", False) and shown["reasons"]
    figures = read_figures(production.log.root)
    assert figures.timestamp == (NOW + timedelta(days=3)).replace(tzinfo=UTC).timestamp()
    assert (figures.bundle, figures.outcome) == (production.bundle.digest, "broken")

    monkeypatch.setenv("SLIPWAY_LOG", str(tmp_path / "another"))
    done = CliRunner().invoke(slipway, ["monitor", "--no-browser"])
    assert (done.exit_code, done.output.strip()) == (0, str(tmp_path / "another/live.html"))
    assert (tmp_path / "another/live.html").read_bytes() == here["live.html"]
