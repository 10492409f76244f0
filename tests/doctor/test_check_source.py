"""Whether retrain.yaml finds the source on a clean checkout."""

import subprocess
from pathlib import Path

import pytest
from msgspec.structs import replace

from slipway.cli.doctor import examine
from slipway.doctor.check_source import RETRAIN, check, gather
from slipway.problem import Problem, load_problem

ROOT = Path(__file__).resolve().parents[2]
HANDS_OVER = {RETRAIN: (ROOT / ".github/workflows" / RETRAIN).read_text()}
TABLES = ("data/a.csv", "data/b.csv")


@pytest.fixture
def problem(tmp_path) -> Problem:
    """In a folder below the repository's top; data/a.csv is committed, data/b.csv is not."""
    folder = tmp_path / "models/insurance"
    (folder / "data").mkdir(parents=True)
    (folder / "slipway.yaml").write_text("name: insurance\nsource: data/a.csv\ntarget: charges\n")
    for name in TABLES:
        (folder / name).write_text("a,b\n1,2\n")
    author = ["-c", "user.name=T", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    for command in (["init", "--quiet"], ["add", "--", folder / TABLES[0]], [*author, "commit", "--quiet", "-m", "Table"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    return load_problem(folder / "slipway.yaml", environ={})


@pytest.mark.parametrize(
    "sources, fetch, states, says",
    [
        (["data/a.csv"], None, ["ok"], "data/a.csv is committed"),
        (["../insurance/data/a.csv"], None, ["ok"], "is committed"),
        (["data/b.csv"], None, ["failed"], "starts from the last commit, which does not contain data/b.csv"),
        (["data/c.csv"], None, ["failed"], "does not contain data/c.csv"),
        (["/elsewhere/table.csv"], None, ["failed"], "does not contain /elsewhere/table.csv"),
        (["data/b.csv"], ("bin/get", "a b"), ["ok"], "data/b.csv is fetched on a runner: bin/get 'a b'"),
        (["data/c.csv"], ("bin/get",), ["ok"], "is fetched on a runner"),
        (["data/*.csv"], None, ["failed"], "does not contain data/b.csv"),
        (["data/*.csv"], ("bin/get",), ["failed"], "does not contain data/b.csv"),
        (["data/a.csv", "data/b.csv"], None, ["ok", "failed"], ""),
        (["s3://lake/a.csv"], None, ["ok"], "retrain.yaml reads s3://lake/a.csv"),
        (["s3://lake/a.csv", "data/b.csv"], None, ["ok", "failed"], "reads s3://lake/a.csv"),
        (["mongodb"], None, ["ok"], "retrain.yaml reads shop.patients, with the secret MONGO_DB_URL"),
    ],
)
def test_where_a_runner_gets_the_table_from(problem, sources, fetch, states, says):
    patients = replace(problem.mongodb, database="shop", collection="patients")
    asked = replace(problem, source=tuple(sources), fetch=fetch, mongodb=patients)
    found = check(asked, gather(asked), HANDS_OVER)
    assert [each.state for each in found] == states and says in found[0].says
    assert all(each.cure for each in found if each.state == "failed")


def test_a_server_whose_variable_the_workflow_does_not_know(problem):
    asked = replace(problem, source=("mongodb",), mongodb=replace(problem.mongodb, url="PATIENTS_URL"))
    [found] = check(asked, gather(asked), HANDS_OVER)
    assert found.state == "failed" and "PATIENTS_URL: ${{ secrets.PATIENTS_URL }}" in found.cure


def test_without_a_retrain_workflow_nothing_is_asked(problem):
    assert check(problem, gather(problem), {"main.yaml": ""}) == []


def test_a_folder_without_a_commit_holds_nothing(problem, tmp_path):
    (tmp_path / ".git").rename(tmp_path / "away")
    assert [each.state for each in check(problem, gather(problem), HANDS_OVER)] == ["failed"]


@pytest.mark.parametrize("change, state", [(lambda text: text, "ok"), (lambda text: text.replace("fetch: ", "# "), "failed")])
def test_the_doctor_looks_at_the_shipped_problem(tmp_path, change, state):
    (tmp_path / ".github/workflows").mkdir(parents=True)
    (tmp_path / ".github/workflows" / RETRAIN).write_text(HANDS_OVER[RETRAIN])
    (tmp_path / "slipway.yaml").write_text(change((ROOT / "slipway.yaml").read_text()))
    groups = examine(str(tmp_path / "slipway.yaml"), {}, tmp_path / "nowhere")
    assert [each.state for each in groups["checkout"] if each.what == "source"] == [state]
