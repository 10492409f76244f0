"""The tests that `slipway new` writes: they pass in the repository as it was made, and fail when what they name is wrong."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from recordings import TABLES, recorded
from slipway.model.bundle import FORMAT
from slipway.problem import load_problem
from slipway.project.answers import Answers
from slipway.project.creation import contents, write
from slipway.project.distribution import Origin
from slipway.project.repository import repository
from slipway.store.local import LocalStore
from slipway.store.pointer import Pointer
from slipway.training.fitting.candidates import CANDIDATES
from slipway.training.inputs import fingerprint
from slipway.training.train import train
from tables import charges

ROOT = Path(__file__).resolve().parents[2]
OWN = b"""from sklearn.linear_model import Ridge
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline


def make():
    return make_pipeline(SimpleImputer(), Ridge())
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A repository with a candidate of its own, and a champion that it made."""
    folder = tmp_path_factory.mktemp("trained") / "clinic"
    line = "./vendor/slipway_ml-0.1.0-py3-none-any.whl --hash=sha256:0"
    made = repository(Answers(name="clinic", data="data/table.csv"), Origin(line))
    settings = "target: charges\ncandidates: [clinic.models:make]\nsearch: {trials: 1}\ndrop: [region]\n"
    own = {"slipway.yaml": f"name: clinic\nsource: data/table.csv\n{settings}".encode(), "src/clinic/models.py": OWN}
    write(folder, made, contents(made, own))
    (folder / "data").mkdir()
    charges(200).replace({"smoker": {"yes": 1, "no": 0}}).to_csv(folder / "data/table.csv", index=False)
    train(load_problem(folder / "slipway.yaml"), LocalStore(folder / "artifacts"), jobs=1)
    CANDIDATES.pop("clinic.models:make")
    return folder


@pytest.fixture
def clone(trained, tmp_path) -> Path:
    """A copy of it that a test may break."""
    return Path(shutil.copytree(trained, tmp_path / "clone"))


RUNNERS = ("CI", "CODEBUILD_BUILD_ID", "JENKINS_URL", "TF_BUILD")  # each names a system that runs a job


def make_test(folder: Path, *only: str, **environ: str) -> subprocess.CompletedProcess:
    """The three tests, as `make test` runs them."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rs", *only, "tests"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")} | dict.fromkeys((*RUNNERS, "SLIPWAY_LOG_KEY"), "") | environ,
        capture_output=True,
        text=True,
    )


def test_its_tests_pass_and_its_own_candidate_is_found_in_src(trained):
    done = make_test(trained)
    assert done.returncode == 0 and "3 passed" in done.stdout, done.stdout + done.stderr
    champion = LocalStore(trained / "artifacts").champion()
    assert "clinic.models:make" in {each["candidate"] for each in champion.json("metrics.json")["leaderboard"]}


def test_a_changed_candidate_of_ones_own_is_trained_again(clone):
    before = fingerprint(load_problem(clone / "slipway.yaml"))
    assert fingerprint(load_problem(clone / "slipway.yaml")) == before
    (clone / "src/clinic/models.py").write_bytes(OWN + b"# another\n")
    assert fingerprint(load_problem(clone / "slipway.yaml")) != before


def test_its_tests_fail_for_another_table_a_worse_model_and_another_answer(clone):
    table = clone / "data/table.csv"
    table.write_text(table.read_text().replace("bmi", "mass", 1))
    problem = clone / "slipway.yaml"
    problem.write_text(problem.read_text() + "gate: {minimum: 0.001}\n")
    (clone / "app.py").write_text("from flask import Flask\n\napp = Flask('app')\n")
    done = make_test(clone)
    assert "3 failed" in done.stdout, done.stdout + done.stderr
    assert "bmi" in done.stdout


def test_on_a_runner_they_say_what_is_not_there(clone):
    shutil.rmtree(clone / "data")
    shutil.rmtree(clone / "artifacts/bundles")
    here = make_test(clone, "-k", "answers")
    assert here.returncode == 1 and "run slipway pull" in here.stdout
    for name in RUNNERS:
        runner = make_test(clone, **{name: "true"})
        assert runner.returncode == 0 and "3 skipped" in runner.stdout, name
        assert "the table is neither in git nor fetched" in runner.stdout


def test_on_a_runner_that_has_the_table_it_is_tested_without_the_bundle(clone):
    shutil.rmtree(clone / "artifacts/bundles")
    done = make_test(clone, CI="true")
    assert done.returncode == 0 and "1 passed, 2 skipped" in done.stdout, done.stdout
    table = clone / "data/table.csv"
    table.write_text(table.read_text().replace("bmi", "age", 1))  # a column name twice
    assert "1 failed, 2 skipped" in make_test(clone, CI="true").stdout


def test_without_a_champion_they_say_what_to_do(clone):
    (clone / "artifacts/champion.json").unlink()
    assert "run make up, and commit artifacts/champion.json" in make_test(clone, "-k", "answers", CI="true").stdout


ANOTHER = """

@app.after_request
def another(answer):
    if "prediction" in (told := answer.get_json(silent=True) or {}):
        CHANGE
        answer.set_data(app.json.dumps(told))
    return answer
"""
CHANGES = {  # of an answer, to which the tests must object
    "regression": ["told['prediction'] *= 1.0001"],
    "binary": ["told['prediction'] = 'top'", "told['probabilities']['low'] += 0.0001"],
    "multiclass": ["told['prediction'] = 'none'", "told['probabilities']['top'] += 0.0001"],
}


@pytest.fixture(params=CHANGES)
def task(request) -> str:
    return request.param


@pytest.fixture
def recorded_one(task, tmp_path) -> Path:
    """A repository whose champion answers a task; it logs, and the log has a hash instead of a column."""
    folder, bundle = tmp_path / task, recorded(FORMAT, task)
    made = repository(Answers(name=task, data="data/table.csv"), Origin("slipway-ml==0.1.0 --hash=sha256:0"))
    frame, target, _ = TABLES[task]
    settings = f"name: {task}\nsource: none.csv\ntarget: {target}\nlog: {{to: files, hash: [{frame.columns[0]}]}}\n"
    write(folder, made, contents(made, {"slipway.yaml": settings.encode()}))
    store = LocalStore(folder / "artifacts")
    shutil.copytree(bundle, store.bundles / bundle.name)
    store.point(Pointer(bundle.name, task))
    return folder


def test_answers_of_every_task_are_compared_by_the_locked_pytest_and_leave_no_line_in_the_log(recorded_one, task):
    assert f"\npytest=={pytest.__version__} " in (recorded_one / "requirements-train.txt").read_text()
    done = make_test(recorded_one, "-k", "champion", SLIPWAY_API_KEYS_FILE="absent.txt")
    assert done.returncode == 0 and "2 passed" in done.stdout, done.stdout + done.stderr
    assert not (recorded_one / "log").exists()
    app = recorded_one / "app.py"
    right = app.read_text()
    for change in CHANGES[task]:
        app.write_text(right + ANOTHER.replace("CHANGE", change))
        done = make_test(recorded_one, "-k", "answers")
        assert "1 failed" in done.stdout and "AssertionError" in done.stdout, f"{change}: {done.stdout}"
