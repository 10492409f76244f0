"""What every way of asking leaves in the prediction log, and what it does not."""

import io
import json
from hashlib import sha256

import pytest

from bundles import ROWS, make_bundle
from page import TYPED
from slipway.errors import ProblemError
from slipway.model.event import read_events
from slipway.model.pseudonyms import Pseudonyms
from slipway.problem import load_problem
from slipway.serving.factory import build
from slipway.store.local import LocalStore

KEY = "a-key-of-32-characters-or-more-ab"
HEADER = ["age", "bmi", "smoker", "joined"]


class Logged:
    """A service that logs, and what it has logged."""

    def __init__(self, folder, settings="log: {to: files}\n", task="regression", **environ):
        self.folder = folder
        make_bundle(LocalStore(folder / "artifacts"), task)
        path = folder / "slipway.yaml"
        path.write_text(f"name: {task}\nsource: table.csv\ntarget: charges\nid: [customer]\n{settings}")
        self.app = build(load_problem(path, environ={}), environ)
        self.client = self.app.test_client()

    def post(self, rows, path="/predict", id="r-1", **headers):
        return self.client.post(path, json=rows, headers={"X-Request-ID": id, **headers})

    def events(self):
        self.app.extensions["slipway"].recorder.close()
        found = []
        for path in sorted((self.folder / "log").rglob("*.jsonl")):
            found += read_events(path.read_bytes())
        return found

    def metrics(self):
        lines = self.client.get("/metrics").get_data(as_text=True).splitlines()
        return {line.partition("{")[0]: float(line.rpartition(" ")[2]) for line in lines if line.startswith("slipway_log")}


@pytest.fixture
def logged(tmp_path):
    service = Logged(tmp_path)
    yield service
    service.app.extensions["slipway"].recorder.close()


def test_one_row_is_logged_with_its_answer_before_it_is_sent(logged):
    answer = logged.post(ROWS[0]).get_json()
    [event] = logged.events()
    assert (event.id, event.bundle, event.share, event.client) == ("r-1", answer["bundle"], 1.0, "")
    assert (event.rows, event.answers, event.numbers) == ([ROWS[0]], [answer["prediction"]], None)
    assert event.at.endswith("Z") and (event.warned, event.refused) == ({}, {})
    assert logged.metrics()["slipway_logged_rows_total"] == 1


def test_ids_are_echoed_and_logged_and_change_no_answer(logged):
    plain = logged.post(ROWS[0]).get_json()
    with_id = logged.post(ROWS[0] | {"customer": "C-17"}).get_json()
    assert with_id == {"id": {"customer": "C-17"}} | plain
    many = logged.post([ROWS[0] | {"customer": 17}, {**ROWS[1], "age": "62"}]).get_json()  # read the thorough way
    assert [each.get("id") for each in many["predictions"]] == [{"customer": 17}, None]
    assert "warnings" not in many
    assert [row.get("customer") for event in logged.events() for row in event.rows] == [None, "C-17", 17, None]


def test_an_id_that_is_a_list_is_refused(logged):
    answer = logged.post(ROWS[0] | {"customer": ["C"]})
    assert answer.status_code == 422 and answer.get_json()["errors"][0]["field"] == "customer"


@pytest.mark.parametrize("wrong", [0, None, "customer", [], True])
def test_a_row_that_is_no_object_lets_nothing_into_the_log_and_fails_no_other_row(logged, wrong):
    good = ROWS[0] | {"customer": "C-17", "charges": 16884}
    for rows in ([wrong, good], [good, wrong]):
        answer = logged.post(rows, "/predict?partial=true")
        assert answer.status_code == 200 and answer.get_json()["rejected"] == 1
    assert [event.rows for event in logged.events()] == [[ROWS[0] | {"customer": "C-17"}]] * 2


def test_an_id_that_no_answer_could_hold_is_refused_and_not_echoed(logged):
    odd = ROWS[0] | {"customer": "\ud800"}
    assert logged.post(odd).get_json()["errors"][0]["field"] == "customer"
    many = logged.post([odd, ROWS[1] | {"customer": "C-18"}], "/predict?partial=true").get_json()
    assert [each.get("id") for each in many["predictions"]] == [None, {"customer": "C-18"}]


def test_an_id_that_the_champion_learned_from_is_a_feature(tmp_path):
    logged = Logged(tmp_path, "log: {to: files}\n")
    (tmp_path / "slipway.yaml").write_text((tmp_path / "slipway.yaml").read_text().replace("[customer]", "[customer, age]"))
    logged.app = build(load_problem(tmp_path / "slipway.yaml", environ={}), {})
    logged.client = logged.app.test_client()
    answer = logged.post({**ROWS[0], "age": "19", "customer": 1}).get_json()
    assert answer["id"] == {"customer": 1} and logged.events()[0].rows == [ROWS[0] | {"customer": 1}]


def test_rows_are_logged_as_they_were_read(logged):
    logged.post({"age": " 19 ", "bmi": "NA", "smoker": " yes", "joined": "2020-01-01", "charges": 1})
    [event] = logged.events()
    assert event.rows == [{"age": 19, "smoker": "yes", "joined": "2020-01-01"}]
    assert event.warned == {"charges/ignored": 1}


def test_a_level_that_training_never_saw_is_logged_as_it_was_sent(tmp_path):
    logged = Logged(tmp_path, "log: {to: files}\nserving: {unknown_levels: warn}\n")
    logged.post(ROWS[0] | {"smoker": "sometimes"})
    [event] = logged.events()
    assert event.rows[0]["smoker"] == "sometimes" and event.warned == {"smoker/unseen_level": 1}


def test_of_a_partial_answer_the_places_of_the_answered_rows_are_logged(logged):
    wrong = ROWS[1] | {"age": 5_000}
    logged.post([wrong, ROWS[0], {"smoker": 1}, ROWS[2] | {"customer": 3}], "/predict?partial=true")
    [event] = logged.events()
    assert event.numbers == [1, 3] and [row["age"] for row in event.rows] == [19, 45] and len(event.answers) == 2
    assert event.refused == {"age/out_of_range": 1, "age/missing": 1, "smoker/unseen_level": 1, "joined/missing": 1}


def test_a_refused_call_is_counted_by_field_and_reason_without_its_values(logged):
    logged.post(ROWS[0] | {"age": 4_321, "nonsense": "private"})
    [event] = logged.events()
    assert (event.rows, event.answers, event.refused) == ([], [], {"age/out_of_range": 1, "/unknown_field": 1})
    assert all(b"4321" not in path.read_bytes() for path in (logged.folder / "log").rglob("*.jsonl"))


def test_the_form_is_logged_and_its_previews_are_not(logged):
    logged.client.get("/")
    logged.client.post("/preview", data=TYPED)
    assert logged.events() == []
    logged.client.post("/", data=TYPED)
    logged.client.post("/", data=TYPED | {"age": "wrong"})
    answered, refused = logged.events()
    assert answered.rows[0]["age"] == 45 and refused.refused == {"age/type": 1}


def test_what_is_asked_of_what_if_is_no_prediction(logged):
    assert logged.post(ROWS[0], "/what-if").status_code == 200
    assert logged.post(ROWS[0] | {"age": 5_000}, "/what-if").status_code == 422
    assert logged.events() == []


def test_whatever_goes_wrong_with_the_log_the_answer_is_sent(logged, monkeypatch, capfd):
    def fail(event):
        raise ValueError("secret value")

    monkeypatch.setattr("slipway.serving.recorder.to_line", fail)
    assert logged.post([ROWS[0], ROWS[1]]).status_code == 200
    assert logged.metrics()["slipway_log_dropped_rows_total"] == 2 and "secret" not in capfd.readouterr().err


def test_a_table_is_logged_with_the_number_of_each_row(logged, monkeypatch):
    monkeypatch.setattr("slipway.serving.csv_upload.ROWS", 2)
    lines = ["customer,age,bmi,smoker,joined", "a,19,27.9,yes,2020-01-01", "b,62,,no,2023-06-30", "c,9999,1,no,2020-01-01"]
    lines += ["d,broken", 'e,"45",33.3, no ,2021-11-05']
    answer = logged.client.post("/predict/file", data="\n".join(lines), headers={"Content-Type": "text/csv"})
    assert answer.get_data(as_text=True).count("\n") == 6
    first, second, third = logged.events()
    assert [event.numbers for event in (first, second, third)] == [[0, 1], [], [4]]
    assert [row["customer"] for row in first.rows + third.rows] == ["a", "b", "e"] and "bmi" not in first.rows[1]
    assert second.refused == {"age/out_of_range": 1} and third.rows[0]["smoker"] == "no"


def test_a_header_that_lacks_a_column_is_counted(logged):
    logged.client.post("/predict/file", data="age\n1\n", headers={"Content-Type": "text/csv"})
    assert logged.events()[0].refused == {"bmi/missing": 1, "smoker/missing": 1, "joined/missing": 1}


@pytest.mark.parametrize("task, width", [("binary", None), ("multiclass", 3)])
def test_of_labels_probabilities_are_logged(tmp_path, task, width):
    logged = Logged(tmp_path, task=task)
    answer = logged.post(ROWS[0]).get_json()
    shares = list(answer["probabilities"].values())
    [event] = logged.events()
    assert event.answers == [shares[1] if width is None else shares]


def test_private_columns_are_left_out_or_hashed(tmp_path):
    logged = Logged(tmp_path, "log: {to: files, omit: [bmi], hash: [customer, age]}\n", SLIPWAY_LOG_KEY=KEY)
    for row in (ROWS[0] | {"customer": "C-17"}, {**ROWS[0], "customer": "C-17", "age": "19"}):
        logged.post(row)
    hashed = Pseudonyms(["customer", "age"], KEY.encode())
    kept = {"age": hashed.of("age", 19), "smoker": "yes", "joined": "2020-01-01", "customer": hashed.of("customer", "C-17")}
    assert [event.rows for event in logged.events()] == [[kept], [kept]]
    assert len(kept["customer"]) == 32 and kept["customer"] != sha256(b"C-17").hexdigest()[:32]


@pytest.mark.parametrize(
    "settings, environ, says",
    [
        ("log: {to: files, hash: [customer]}\n", {}, "log.hash needs SLIPWAY_LOG_KEY"),
        ("log: {to: files, hash: [customer]}\n", {"SLIPWAY_LOG_KEY": "short"}, "log.hash needs SLIPWAY_LOG_KEY"),
        ("log: {to: files, omit: [nothing]}\n", {}, "log.omit: the model has no column 'nothing'"),
        ("log: {to: files, omit: [bmi], hash: [bmi]}\n", {"SLIPWAY_LOG_KEY": KEY}, "bmi is in log.omit and in log.hash"),
    ],
)
def test_a_service_that_could_not_keep_its_word_does_not_start(tmp_path, settings, environ, says):
    with pytest.raises(ProblemError, match=says):
        Logged(tmp_path, settings, **environ)


def test_a_share_of_the_calls_is_chosen_by_their_id(tmp_path):
    logged = Logged(tmp_path, "log: {to: files, share: 0.3}\n")
    for number in range(200):
        logged.post(ROWS[0], id=f"r-{number}")
    chosen = {event.id for event in logged.events()}
    assert 35 <= len(chosen) <= 85
    for number in range(200):
        logged.post(ROWS[0], id=f"r-{number}")
    assert {event.id for event in logged.events()} == chosen


def test_who_asked_is_told_by_a_part_of_the_hash_of_the_key(tmp_path):
    logged = Logged(tmp_path, SLIPWAY_API_KEYS="one,other")
    logged.post(ROWS[0], Authorization="Bearer other")
    assert logged.events()[0].client == sha256(b"other").hexdigest()[:8]


@pytest.mark.parametrize("settings", ["", "log: {to: none}\n", "log: {keep_days: 3}\n"])
def test_nothing_is_logged_unless_it_is_asked_for(tmp_path, settings):
    logged = Logged(tmp_path, settings)
    logged.post(ROWS[0])
    assert not (tmp_path / "log").exists()


@pytest.mark.parametrize("name", ["DYNO", "SLIPWAY_RELEASE"])
def test_where_files_end_with_the_container_a_folder_has_to_be_named(tmp_path, capfd, name):
    logged = Logged(tmp_path, **{name: "web.1"})
    logged.post(ROWS[0])
    assert logged.events() == [] and "SLIPWAY_LOG names no folder that stays" in capfd.readouterr().err
    kept = Logged(tmp_path, **{name: "web.1"}, SLIPWAY_LOG=str(tmp_path / "log"))
    kept.post(ROWS[0])
    assert len(kept.events()) == 1


def test_standard_output_has_a_line_for_each_row(tmp_path, capfd):
    logged = Logged(tmp_path, "log: {to: stdout}\n")
    logged.post([ROWS[0], ROWS[1]])
    lines = capfd.readouterr().out.splitlines()
    events = [each for line in lines for each in read_events(line.encode()) if each]
    assert [(event.numbers, event.rows[0]["age"]) for event in events] == [([0], 19), ([1], 62)]
    assert logged.metrics()["slipway_logged_rows_total"] == 2 and not (tmp_path / "log").exists()


def test_a_log_that_cannot_be_written_fails_no_answer_and_is_said_once(tmp_path, capfd):
    (tmp_path / "log").write_text("a file")
    logged = Logged(tmp_path)
    assert [logged.post(ROWS[0]).status_code for _ in range(3)] == [200] * 3
    assert logged.metrics()["slipway_log_dropped_rows_total"] == 3
    said = [json.loads(line) for line in io.StringIO(capfd.readouterr().err)]
    assert said == [{"error": "answered rows are not logged", "reason": "unwritable"}]
