"""`slipway train` keeps the champion from a challenger that is better as a whole, and worse where a person looked."""

from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from logs import event, put
from slipway.cli import slipway
from slipway.model.contents import Split
from slipway.model.division import held_out
from slipway.monitoring.collector import collect
from slipway.monitoring.known_labels import add
from slipway.monitoring.outcomes import Outcomes
from slipway.monitoring.partitions import Log
from slipway.monitoring.row_keys import id_key
from slipway.store.local import LocalStore
from tables import charges, problem

ROWS = 900
SETTINGS = {"id": "row", "candidates": ["linear"], "gate.anchor": "anchor.csv"}


def train(*arguments: str) -> str:
    done = CliRunner().invoke(slipway, ["train", "--jobs", "1", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def keyed(frame, by: str):
    return frame.assign(row=[f"{by}{number}" for number in range(len(frame))])


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """A champion that does not know the age; then a table whose rows of the east teach too high charges."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SLIPWAY_LOG", raising=False)
    frame = keyed(charges(ROWS), "r")
    keyed(charges(60, seed=1), "a").assign(region="east").to_csv("anchor.csv", index=False)
    problem(tmp_path, frame, "charges", drop=["age"], **SETTINGS)
    assert "Verdict: promoted" in train()
    wrong = (frame["region"] == "east") & ~held_out(frame, Split(0.2, "trial", ("row",)))
    frame["charges"] = frame["charges"].astype(float) + 3_500 * wrong
    problem(tmp_path, frame, "charges", **SETTINGS)
    return tmp_path


def asked(folder, rows: int = 1_200) -> None:
    """Production was asked about the east three days ago; two days ago it was known what happened."""
    log, frame = Log(folder / "log"), keyed(charges(rows, seed=2), "p").assign(region="east")
    log.make()
    now = datetime.now(UTC).replace(tzinfo=None)
    at = now.replace(hour=9, minute=0, second=0, microsecond=0) - timedelta(days=3)
    features = frame[["row", "age", "bmi", "smoker", "region"]].to_dict("records")
    sent = [each | {"age": int(each["age"]), "bmi": None if each["bmi"] == "NA" else float(each["bmi"])} for each in features]
    put(log, event("a", sent, at=f"{at.isoformat()}Z"), day=at.date().isoformat())
    collect(log, ["row"], 90, now, print)
    found = {(id_key([row]), at + timedelta(hours=4)): (label, None) for row, label in zip(frame["row"], frame["charges"])}
    add(log, Outcomes(found, len(found), ()), now, "outcomes.csv")


def test_a_planted_challenger_is_kept_with_what_the_anchor_set_says(planted):
    output = train()
    assert "Verdict: kept" in output
    assert "harm on the anchor set: absolute error" in output and "beyond the tolerance of 5%, and not by chance" in output
    assert "to serve it anyway: slipway promote" in output
    noted = LocalStore(planted / "artifacts").journal.entries()[-1]
    harm = noted["figures"]["harms"][0]
    assert (noted["outcome"], harm["name"], harm["rows"], harm["refused"]) == ("kept", "the anchor set", 60, True)
    assert harm["challenger"] > 1.2 * harm["champion"]


def test_the_log_speaks_against_it_too(planted):
    asked(planted)
    output = train()
    assert "harm on the newest rows of production (" in output and "harm on the anchor set" in output
    harms = LocalStore(planted / "artifacts").journal.entries()[-1]["figures"]["harms"]
    assert [harm["refused"] for harm in harms] == [True, True] and {harm["rows"] for harm in harms} > {60}


def test_another_anchor_set_is_a_reason_to_train(planted):
    train()
    assert "Nothing changed" in train("--if-changed")
    keyed(charges(70, seed=1), "a").to_csv("anchor.csv", index=False)
    assert "Training: changed since the last training: anchor set." in train("--if-changed")
