"""main.yaml and retrain.yaml themselves, run by act, from a push to a swapped container.

They are played in a repository that ``slipway new`` made; a short set at the end plays those of this repository. When a
called workflow fails, act runs nothing after it: there is no journal of such a run here, as there is on GitHub.
"""

import json
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import one_task
import wheels
from bundles import ROWS, make_bundle
from images import BASE
from rehearsal.aws import KEYS, PASSWORD, Aws, make_aws
from rehearsal.box import ROOT
from rehearsal.project import pin_base
from rehearsal.registry import USER
from rehearsal.traffic import traffic
from servers import free_port
from slipway.model.bundle import Bundle
from slipway.model.event import SHORT, Event, to_line
from slipway.monitoring.known_labels import add
from slipway.monitoring.outcomes import Outcomes
from slipway.monitoring.partitions import Log
from slipway.monitoring.row_keys import request_key
from slipway.store.local import LocalStore
from ways import NAME, PROBLEM, Way, make_way

pytestmark = pytest.mark.docker
TESTED = ["Release / Tested Before", "Release / Continuous Integration"]
BUILT = {"Release / Continuous Integration", "Release / Continuous Delivery"}
JOBS = [*TESTED, "Release / Continuous Delivery", "Approval", "Continuous Deployment / Box", "Release journal"]
DEPLOY_ROLE = "arn:aws:iam::123456789012:role/deploy"
TESTS = "tests/store/test_pointer.py"  # of this repository


@pytest.fixture(scope="module")
def aws() -> Iterator[Aws]:
    with make_aws(free_port()) as aws:
        yield aws


@pytest.fixture(scope="session")
def environment(tmp_path_factory, site) -> Path:
    """Where Slipway is installed from its wheel, as in a repository that vendors it."""
    return wheels.environment(tmp_path_factory.mktemp("environment") / "venv", site)


@pytest.fixture(scope="session")
def made(tmp_path_factory, site) -> Path:
    """The repository that ``slipway new`` makes."""
    return wheels.new(tmp_path_factory.mktemp("new") / NAME, site)


@pytest.fixture
def way(docker, box_image, aws, tmp_path, made, environment) -> Iterator[Way]:
    """The way of a repository that ``slipway new`` made."""
    with make_way(docker, aws, tmp_path, made, environment=environment) as way:
        yield way


@pytest.fixture
def our_way(docker, box_image, aws, tmp_path) -> Iterator[Way]:
    """The way of this repository."""
    with make_way(docker, aws, tmp_path, ROOT, tests=TESTS) as way:
        yield way


def test_first_deployment_a_model_change_and_a_revert(docker, way, capsys):
    """Nobody notices; the revert brings back the same image, without building or testing anything."""
    pin_base(docker, way.registry, way.project, way.runner.place / "docker")
    first = way.model(0)
    way.project.commit("The first model")
    run = way.push()
    assert run.code == 0, run.log
    assert sorted(run.jobs) == sorted(JOBS)
    assert run.built and f"Fetching bundle {first[:12]}" in run.log
    assert "1 passed, 0 failed, 2 skipped" in run.log  # the bundle is not in git
    assert "The tests run: there is no image of this commit yet" in run.log and "Noted as tested: " in run.log
    before = way.digest()
    with traffic("127.0.0.1", way.box.port, ROWS[0], 240) as found:
        second = way.model(1)
        way.project.commit("Another model")
        run = way.push()
        assert run.code == 0, run.log
        assert way.digest() != before
        way.project.git("revert", "--no-edit", "HEAD")
        run = way.push()
        assert run.code == 0, run.log
    with capsys.disabled():
        print(f"\nrevert: released on the box {run.live:.1f} s after its push")
    assert sorted(run.jobs) == sorted(set(JOBS) - BUILT)
    assert f"No tests run: {before} passed those of this commit before" in run.log
    assert way.digest() == before
    assert found.failed == []
    assert found.rate >= 200
    assert found.bundles() == [first, second]
    after_revert = [each.bundle for each in sorted(found.requests, key=lambda each: each.sent)][-1]
    assert after_revert == first
    assert_no_secret(run.log)
    noted = [(entry["bundle"], entry["outcome"]) for entry in way.noted()]
    assert noted == [(first, "success"), (second, "success"), (first, "success")]


def test_two_roads_after_staging_get_one_image_and_a_failure_in_staging_stops_them(docker, way):
    """The run that failed had tested and built; the next one of the same commit does neither."""
    pin_base(docker, way.registry, way.project, way.runner.place / "docker")
    bundle = way.model(0)
    way.project.commit("The first model")
    way.runner.variables.update(SLIPWAY_STAGING="fargate", SLIPWAY_ROAD="box fargate", AWS_DEPLOY_ROLE_ARN=DEPLOY_ROLE)
    services = one_task.install(way.runner.place / "bin")
    run = way.push()
    assert run.code != 0 and f"there is no service {NAME}-staging" in run.log
    assert sorted(run.jobs) == sorted({*TESTED, *BUILT, "Staging / Fargate"})
    assert way.box.releases() == []
    with one_task.make_service(services, f"{NAME}-staging"), one_task.make_service(services, NAME):
        run = way.push()
        assert run.code == 0, run.log
        roads = [f"Continuous Deployment / {road}" for road in ("Box", "Fargate")]
        assert sorted(run.jobs) == sorted([TESTED[0], "Staging / Fargate", "Approval", *roads, "Release journal"])
        assert run.jobs.index("Staging / Fargate") < run.jobs.index("Approval") < min(map(run.jobs.index, roads))
        for name in (f"{NAME}-staging", NAME):
            app = services.app(name)
            assert app["image"] == f"{way.registry.host}/{NAME}@{way.digest()}"
            assert app["dockerLabels"]["slipway.run"] == "2"
            assert json.loads(one_task.fetch(services.all()[name]["port"], "/readyz")[1])["bundle"] == bundle
    assert [entry["outcome"] for entry in way.noted()] == ["success"]
    assert_no_secret(run.log)


def test_a_road_that_there_is_none_of_stops_a_run_before_its_tests(way):
    way.model(0)
    way.project.commit("The first model")
    way.runner.variables.update(SLIPWAY_ROAD="fargat")
    run = way.push()
    assert run.code != 0 and run.jobs == TESTED[:1]
    assert "SLIPWAY_ROAD is 'fargat': expected box, fargate, kubernetes" in run.log


def test_an_earlier_commit_is_released_again_by_hand(way):
    """One image serves both commits; a commit that was never merged and a run that comes too late are refused."""
    way.model(0)
    earlier = way.project.commit("The first model")
    assert way.push().code == 0
    (way.project.folder / "README.md").write_text("Another text\n")
    way.project.commit("What is not in the image")
    way.project.git("update-ref", "refs/remotes/origin/main", "HEAD")
    run = way.push(event="workflow_dispatch", payload={"inputs": {"commit": earlier[:12]}})
    assert run.code == 0, run.log
    assert sorted(run.jobs) == sorted(JOBS) and not run.built and "Nothing to build" in run.log
    assert f"the Dockerfile names {BASE} without a digest" in run.log
    assert (way.live()["commit"], way.live()["run_number"]) == (earlier, 2)

    way.project.git("switch", "--quiet", "--create", "proposal", "main")
    (way.project.folder / "README.md").write_text("A proposal\n")
    proposed = way.project.commit("Never merged")
    way.project.git("switch", "--quiet", "main")
    run = way.push(event="workflow_dispatch", payload={"inputs": {"commit": proposed}})
    assert run.code != 0 and run.jobs == TESTED[:1]
    assert f"commit {proposed[:12]} is not on main" in run.log

    way.number = 0
    run = way.push()
    assert run.code != 0 and "run 1 is older than the live run 2" in run.log
    assert way.live()["commit"] == earlier
    assert [entry["outcome"] for entry in way.noted()] == ["success", "success"]


def assert_no_secret(log: str) -> None:
    for value in (*KEYS.values(), PASSWORD):
        assert value not in log


def test_a_pull_request_is_tested_and_told_what_changes_but_never_delivered(way):
    way.model(0)
    way.project.commit("The first model")
    way.project.git("update-ref", "refs/remotes/origin/main", "HEAD")
    way.project.git("switch", "--quiet", "--create", "proposal")
    way.model(1)
    way.project.commit("Another model")
    payload = {"pull_request": {"head": {"ref": "proposal"}, "base": {"ref": "main"}}}
    run = way.push(event="pull_request", payload=payload)
    assert run.code == 0, run.log
    assert run.jobs == TESTED
    assert "Model of regression" in run.log
    assert way.box.releases() == []


def test_a_failing_test_stops_everything(way):
    way.model(0)
    (way.project.folder / "tests/test_broken.py").write_text("def test_that_fails():\n    assert not [1]\n")
    way.project.commit("A broken commit")
    run = way.push()
    assert run.code != 0
    assert run.jobs == TESTED
    assert "1 passed, 1 failed, 2 skipped" in run.log
    assert way.box.releases() == []


def test_a_missing_setting_is_named_with_where_to_set_it(way):
    way.model(0)
    way.project.commit("The first model")
    del way.runner.variables["AWS_ECR_LOGIN_URI"]
    run = way.push()
    assert run.code != 0
    assert "AWS_ECR_LOGIN_URI is not set" in run.log and "gh variable set AWS_ECR_LOGIN_URI" in run.log
    assert run.jobs == JOBS[:3]


def test_a_repository_without_a_registry_is_tested_and_told_that_nothing_is_released(way):
    way.model(0)
    way.project.commit("The first model")
    way.runner.variables.clear()
    way.runner.secrets.clear()
    run = way.push()
    assert run.code == 0, run.log
    assert run.jobs == TESTED
    assert "no registry is set" in run.log
    assert way.box.releases() == []


def test_a_bundle_that_nobody_pushed_stops_the_delivery_with_the_cure(way):
    make_bundle(LocalStore(way.project.folder / "artifacts"), "regression", weights=[[1.0], [2.0], [3.0], [4.0]])
    way.project.commit("A model that is on one machine only")
    run = way.push()
    assert run.code != 0
    assert "slipway push" in run.log
    assert way.box.releases() == []


def test_a_registry_beyond_aws_and_a_bundle_in_git_take_nothing_of_aws(way):
    """The path of every registry that has a user and a password: no role is taken, and there is no store and no journal."""
    bundle = make_bundle(LocalStore(way.project.folder / "artifacts"), "regression", weights=[[9.0], [2.0], [3.0], [4.0]])
    (way.project.folder / "slipway.yaml").write_text(f"{PROBLEM}gate: {{minimum: 1}}\n")  # a committed bundle is tested
    way.slipway("promote", bundle.digest, "--in-git")
    way.project.commit("A model in git")
    for settings in (way.runner.variables, way.runner.secrets):
        settings.clear()
    way.runner.variables.update(SLIPWAY_REGISTRY=way.registry.host, SLIPWAY_REPOSITORY=NAME)
    way.runner.secrets.update(REGISTRY_USERNAME=USER, REGISTRY_PASSWORD=way.registry.password)
    run = way.push()
    assert run.code == 0, run.log
    assert sorted(run.jobs) == sorted(JOBS) and run.built
    assert "The tests run, for nobody may ask the registry" in run.log
    assert not any(run.ran(step) for step in ("Take the role, or the keys", "Log in at Azure", "Log in at Google"))
    assert run.ran("Log in at the registry") and not run.ran("Sync artifacts and journal")
    assert way.digest() in run.log and way.live()["run_number"] == 1
    assert_no_secret(run.log)


def test_retraining_proposes_the_pointer_alone_with_the_numbers(way, made, tmp_path):
    """The problem of a new repository on a clean checkout, where its table is not."""
    shutil.copy(made / "slipway.yaml", way.project.folder)
    commit = way.project.commit("A problem without a champion")
    way.runner.environ.update(SLIPWAY_CANDIDATES="linear", SLIPWAY_SEARCH_TRIALS="1")
    clone = way.project.clone(tmp_path / "clone")
    run = way.runner.run(clone, 1, workflow="retrain.yaml", event="workflow_dispatch")
    assert run.code == 0, run.log
    assert_no_secret(run.log)
    assert (
        way.project.git("diff", "--name-only", commit, "slipway/retrain") == "artifacts/champion.json\nartifacts/verdict.json"
    )
    digest = json.loads(way.project.git("show", "slipway/retrain:artifacts/champion.json"))["digest"]
    assert f"/{digest}/manifest.json" in "".join(way.keys())
    [pull] = way.runner.github.pulls()
    assert (pull["head"], pull["base"], pull["title"]) == ("slipway/retrain", "main", f"Serve model {digest[:12]}")
    assert "held-out rows" in pull["body"] and "Golden predictions" in pull["body"]
    assert "#### Why now\n\nIt was started by hand." in pull["body"] and "#### How to undo it" in pull["body"]
    assert way.runner.github.calls()[-1] == "workflow run main.yaml --ref slipway/retrain"


def test_production_is_watched_every_day_and_a_broken_pipe_ends_red_with_its_page_kept(way, made, tmp_path):
    """Each run is on a new checkout: what it knows of the days before is in the remote store."""
    shutil.copy(made / "slipway.yaml", way.project.folder)
    way.project.commit("A problem without a champion")
    way.runner.environ.update(SLIPWAY_CANDIDATES="linear", SLIPWAY_SEARCH_TRIALS="1")
    run = way.runner.run(way.project.clone(tmp_path / "first"), 1, workflow="retrain.yaml", event="workflow_dispatch")
    assert run.code == 0, run.log
    way.project.git("merge", "--quiet", "slipway/retrain")
    way.slipway("pull")
    asked(way, LocalStore(way.project.folder / "artifacts").champion(), datetime.now(UTC) - timedelta(days=10))

    run = way.runner.run(way.project.clone(tmp_path / "second"), 2, workflow="retrain.yaml", event="schedule")
    assert run.code == 0, run.log
    assert run.ran("Keep the page") and not run.ran("Train") and not run.ran("Propose")
    assert "Do not train: Nothing moved beyond chance." in run.log

    path = way.project.folder / "artifacts/verdict.json"
    path.write_text(re.sub(r'"at": "[^"]*"', '"at": "2026-01-01T00:00:00+00:00"', path.read_text()))
    way.project.commit("As if it had been promoted long ago")
    run = way.runner.run(way.project.clone(tmp_path / "third"), 3, workflow="retrain.yaml", event="schedule")
    assert run.code != 0
    assert run.ran("Keep the page") and run.ran("Fail if what feeds the model is broken") and not run.ran("Train")
    assert "What feeds the model is broken: see the summary" in run.log
    assert [look["outcome"] for look in way.journal("watch")] == ["quiet", "broken"]
    assert_no_secret(run.log)


def asked(way: Way, bundle: Bundle, at: datetime) -> None:
    """What a box would have sent to the store: answers of a day, and what came true of one."""
    golden = json.loads(bundle.read("golden.json"))
    answers = [each["prediction"] for each in golden["predictions"]]
    event = Event(at=f"{at:%Y-%m-%dT%H:%M:%S}Z", id="r", bundle=bundle.digest, rows=golden["rows"], answers=answers)
    place = f"log/raw/date={at.date()}/bundle={bundle.digest[:SHORT]}/local-boot-1-0.jsonl"
    way.put(place, to_line(event))
    outcomes = Log(bundle.folder.parent / "log")
    outcomes.make()
    told = {(request_key("r", 0), None): (str(answers[0]), None)}
    add(outcomes, Outcomes(told, 1, ()), at.replace(tzinfo=None), "outcomes.csv")
    [path] = outcomes.labels()
    way.put(outcomes.address(path), path.read_bytes())


def test_this_repository_is_tested_and_released_and_then_not_tested_again(docker, our_way):
    pin_base(docker, our_way.registry, our_way.project, our_way.runner.place / "docker")
    our_way.model(0)
    our_way.project.commit("The first model")
    run = our_way.push()
    assert run.code == 0, run.log
    assert sorted(run.jobs) == sorted(JOBS) and run.ran("Lint code, workflows and Dockerfile")
    assert "| POST /predict, 1 row: opcodes | " in run.log
    live = our_way.digest()
    our_way.project.git("commit", "--quiet", "--allow-empty", "--message", "Nothing that counts")
    run = our_way.push()
    assert run.code == 0, run.log
    assert f"No tests run: {live} passed those of this commit before" in run.log
    assert sorted(run.jobs) == sorted(set(JOBS) - BUILT)
    assert (our_way.digest(), our_way.live()["run_number"]) == (live, 2)
