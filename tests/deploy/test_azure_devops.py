"""deploy/azure-devops: which stages run, what they call, and what reaches a pull request; played by a stand-in."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

import slipway
from az_commands import require_known
from azure_pipelines import Run
from slipway.release.__main__ import _parser
from slipway.store.local import LocalStore
from slipway.store.pointer import Pointer

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy/azure-devops"
PIPELINE = FOLDER / "azure-pipelines.yml"
SETTINGS = {
    "SLIPWAY_REGISTRY": "models.azurecr.io",
    "SLIPWAY_REPOSITORY": "team/insurance",
    "SLIPWAY_ROAD": "webapp",
    "AZURE_RESOURCE_GROUP": "models",
    "AZURE_WEBAPP_NAME": "charges",
    "AZURE_WEBAPP_STAGING_NAME": "charges-staging",
    "SLIPWAY_CLUSTER": "cluster",
    "AZURE_ML_WORKSPACE": "insurance",
    "AZURE_ML_ENDPOINT": "charges",
}
REQUEST = {"digest": "sha256:" + "1" * 64, "key": "1" * 64, "commit": "2" * 40, "run_number": 7}
STAND_IN = """#!{python} -IS
import json, os, subprocess, sys
from pathlib import Path
folder, words = Path(os.environ["PROGRAMS"]), sys.argv[1:]
program = Path(sys.argv[0]).name
call = {{"program": program, "words": words, "secret": os.environ.get("AWS_ACCESS_KEY_ID"), "in": ""}}
if words[:1] == ["login"] or words[2:3] == ["deploy"] or "deploy.py" in " ".join(words[:1]):
    call["in"] = sys.stdin.read()
if words[3:4] == ["mlflow"]:
    call["login"] = os.environ.get("AZURE_TOKEN_CREDENTIALS")
if words[:2] == ["config", "set-credentials"] or program == "az":
    call["kubeconfig"] = os.environ.get("KUBECONFIG")
with open(folder / "calls", "a") as file:
    print(json.dumps(call), file=file)
line = " ".join([program, *words])
if "deliver" in words:
    Path(words[words.index("--request") + 1]).write_text(json.dumps({request}) + "\\n")
    print("key=1\\ndigest=2")
elif words[:1] == ["deploy/azure-devops/verdict.py"] and not (folder / "real").exists():
    print("the verdict")
elif words[:1] == ["deploy/azure-devops/verdict.py"] or words[:1] == ["-c"]:
    sys.exit(subprocess.run([{python!r}, *words], env=os.environ | {{"PYTHONPATH": {source!r}}}).returncode)
elif program == "az" and "expose" in line or "get-access-token" in line:
    print("a-token")
elif "mlflow_tracking_uri" in line:
    print("azureml://tracking")
elif "--in-git" in words:
    subprocess.run(["git", "add", "--force", "artifacts"], check=True)
elif words[:1] == ["train"]:
    Path("artifacts").mkdir(exist_ok=True)
    made = folder / "promoted.json"
    if made.exists():
        Path("artifacts/champion.json").write_text(made.read_text())
        Path("artifacts/verdict.json").write_text('{{"format": 1, "problem": "charges", "verdicts": []}}')
for failing in (folder / "failing").read_text().split("\\n"):
    if failing and failing in line:
        sys.exit(1)
"""


@pytest.fixture(scope="module")
def ready(tmp_path_factory) -> Path:
    """A checkout with a champion, and the stand-ins."""
    folder = tmp_path_factory.mktemp("azure")
    checkout, programs = folder / "checkout", folder / "programs"
    (checkout / ".venv/bin").mkdir(parents=True)
    programs.mkdir()
    shutil.copytree(FOLDER, checkout / "deploy/azure-devops")
    (checkout / ".gitignore").write_text(".venv\n")
    LocalStore(checkout / "artifacts").point(Pointer("b" * 64, "charges"))
    stand_in = STAND_IN.format(python=sys.executable, request=REQUEST, source=str(Path(slipway.__file__).parents[1]))
    for name in ("az", "docker", "make", "kubectl"):
        (programs / name).write_text(stand_in)
    for name in ("python", "pip", "slipway"):
        (checkout / ".venv/bin" / name).write_text(stand_in)
    for path in (*programs.iterdir(), *(checkout / ".venv/bin").iterdir()):
        path.chmod(0o755)
    who = ["-c", "user.name=a", "-c", "user.email=a@example.com"]
    for command in (["init", "--quiet"], ["add", "."], [*who, "commit", "--quiet", "--message", "Start"]):
        subprocess.run(["git", *command], cwd=checkout, check=True)
    return folder


@pytest.fixture
def play(tmp_path, ready) -> Callable[..., Run]:
    """A run of the pipeline."""
    shutil.copytree(ready, tmp_path, dirs_exist_ok=True)
    checkout, programs = tmp_path / "checkout", tmp_path / "programs"

    def make(
        reason="IndividualCI", branch="refs/heads/main", failing=(), train="False", secrets=None, expired=(), **settings
    ) -> Run:
        (programs / "failing").write_text("\n".join(failing))
        (programs / "calls").touch()
        variables = {"Build.Reason": reason, "Build.SourceBranch": branch}
        if reason == "PullRequest":
            variables |= {"System.PullRequest.TargetBranch": "refs/heads/main"}
        group = {name: value for name, value in (SETTINGS | settings).items() if value}
        run = Run(PIPELINE, checkout, variables, group, programs, {"train": train}, secrets or {}, expired).play()
        run.calls = [json.loads(line) for line in (programs / "calls").read_text().splitlines()]
        run.lines = [" ".join([call["program"], *call["words"]]) for call in run.calls]
        for call in run.calls:
            if call["program"] == "az":
                require_known(call["words"])
        return run

    return make


def ran(run: Run) -> list[str]:
    return [stage for stage, result in run.results.items() if result != "Skipped"]


def test_a_registry_with_a_domain_name_label_is_logged_in_at(play):
    """Whoever may only push cannot ask Azure for the label."""
    lines = play(SLIPWAY_REGISTRY="models-a1b2.azurecr.io").lines
    assert "az acr login --name models --suffix a1b2 --expose-token --query accessToken --output tsv" in lines
    assert [line.rpartition(" ")[2] for line in lines if line.startswith("docker login")] == ["models-a1b2.azurecr.io"]


def test_a_push_is_tested_delivered_and_released(play, tmp_path):
    (tmp_path / "programs/real").touch()
    run = play()
    assert run.results == dict.fromkeys(("Test", "Deliver", "Production"), "Succeeded") | dict.fromkeys(
        ("Staging", "Register", "Train"), "Skipped"
    )
    order = [line for line in run.lines if not line.startswith("make")]
    order[1:3] = sorted(order[1:3])  # two ends of a pipe
    request = f"--request {run.folder.parent}/temporary-Deliver/request.json"
    assert order == [
        "python deploy/azure-devops/verdict.py",
        "az acr login --name models --expose-token --query accessToken --output tsv",
        "docker login --username 00000000-0000-0000-0000-000000000000 --password-stdin models.azurecr.io",
        f"python -m slipway.release deliver models.azurecr.io team/insurance {request}",
        "docker logout models.azurecr.io",
        "python -m slipway.release deploy webapp charges --repository models.azurecr.io/team/insurance --group models",
    ]
    assert [line for line in run.lines if line.startswith("make")] == [
        "make test JUNIT=report.xml",
        "make install",
        "make install",
    ]
    assert json.loads(run.calls[-1]["in"]) == REQUEST
    assert run.connections == [("Deliver", "slipway-delivery"), ("Production", "slipway-deployment")]
    assert run.summaries == ["### The gate\n\nChampion `bbbbbbbbbbbb`: promoted\n"]
    assert "a-token" not in run.log
    assert {call["secret"] for call in run.calls} == {None}, "no macro of a variable that is not set"


@pytest.mark.parametrize("target", ["refs/heads/main", "main"])
def test_a_pull_request_is_tested_alone(play, target):
    run = play(reason="PullRequest", branch="refs/pull/3/merge", secrets={"AWS_ACCESS_KEY_ID": "a-key"})
    assert ran(run) == ["Test"] and run.connections == []
    assert run.lines == [
        "make test JUNIT=report.xml",
        "python deploy/azure-devops/verdict.py",
        "make --silent diff BASE=origin/main",
    ]
    assert {call["secret"] for call in run.calls} == {None} and len(run.summaries) == 2


def test_nothing_is_delivered_from_another_branch(play):
    assert ran(play(branch="refs/heads/other")) == ["Test"]


@pytest.mark.parametrize(
    "failing, results",
    [
        ("make test", {"Test": "Failed"}),
        ("deliver", {"Test": "Succeeded", "Deliver": "Failed"}),
        (
            "deploy webapp charges ",
            {"Test": "Succeeded", "Deliver": "Succeeded", "Staging": "Succeeded", "Production": "Failed"},
        ),
        ("charges-staging", {"Test": "Succeeded", "Deliver": "Succeeded", "Staging": "Failed"}),
    ],
)
def test_what_fails_ends_the_run(play, failing, results):
    run = play(failing=[failing], SLIPWAY_STAGING="webapp", AZURE_ML_MODEL="insurance")
    assert {stage: result for stage, result in run.results.items() if result != "Skipped"} == results


def test_staging_comes_first_where_it_is_named(play):
    run = play(SLIPWAY_STAGING="webapp")
    deployed = [line.split()[5] for line in run.lines if "slipway.release deploy" in line]
    assert deployed == ["charges-staging", "charges"]
    assert {json.loads(call["in"])["digest"] for call in run.calls if "slipway.release deploy" in " ".join(call["words"])} == {
        REQUEST["digest"]
    }


def test_staging_that_a_check_skipped_releases_nothing_to_production(play):
    run = play(SLIPWAY_STAGING="webapp", expired=("Staging",))
    assert ran(run) == ["Test", "Deliver"]


def test_an_approval_that_expired_registers_nothing(play):
    assert ran(play(AZURE_ML_MODEL="insurance", expired=("Production",))) == ["Test", "Deliver"]


def test_a_cluster_gets_the_token_of_the_job(play):
    run = play(SLIPWAY_ROAD="kubernetes", SLIPWAY_STAGING="kubernetes")
    expected = [
        "az aks get-credentials --resource-group models --name cluster --overwrite-existing",
        "az account get-access-token --resource 6dae42f8-4368-4678-94ff-3960e28e3630 --query accessToken --output tsv",
        "kubectl config set-credentials deployment --token a-token",
        "kubectl config set-context --current --user deployment",
        "python -m slipway.release deploy kubernetes insurance --repository models.azurecr.io/team/insurance "
        "--overlay deploy/kubernetes/aks",
    ]
    assert run.lines[-5:] == expected and run.results["Production"] == "Succeeded"
    assert "deploy kubernetes insurance-staging" in "\n".join(run.lines) and "deploy/kubernetes/aks-staging" in "\n".join(
        run.lines
    )
    assert "a-token" not in run.log
    for overlay in ("aks", "aks-staging"):
        assert (ROOT / "deploy/kubernetes" / overlay / "kustomization.yaml").exists()


def test_an_endpoint_and_the_registration_of_the_model(play):
    run = play(SLIPWAY_ROAD="azure-ml", AZURE_ML_MODEL="insurance", SLIPWAY_REMOTE="s3://bucket/artifacts")
    assert run.results["Production"] == run.results["Register"] == "Succeeded"
    assert (
        "python deploy/azure-ml/deploy.py charges --group models --workspace insurance "
        "--repository models.azurecr.io/team/insurance" in run.lines
    )
    assert run.lines[-3:] == [
        "az ml workspace show --name insurance --resource-group models --query mlflow_tracking_uri --output tsv",
        "python -m slipway pull",
        "python -m slipway export mlflow --register insurance",
    ]
    assert run.calls[-1]["login"] == "AzureCliCredential"


@pytest.mark.parametrize(
    "settings, says",
    [
        ({"SLIPWAY_ROAD": ""}, 'the road of production is "": expected webapp, kubernetes or azure-ml'),
        ({"SLIPWAY_ROAD": "box"}, 'the road of production is "box"'),
        ({"AZURE_WEBAPP_NAME": "", "AZURE_RESOURCE_GROUP": ""}, "missing in the variable group slipway: AZURE_RESOURCE_GROUP"),
        ({"SLIPWAY_ROAD": "kubernetes", "SLIPWAY_CLUSTER": ""}, "missing in the variable group slipway: SLIPWAY_CLUSTER"),
        ({"SLIPWAY_ROAD": "azure-ml", "AZURE_ML_ENDPOINT": ""}, "missing in the variable group slipway: AZURE_ML_ENDPOINT"),
    ],
)
def test_a_setting_that_is_missing_is_named(settings, says):
    group = {name: value for name, value in (SETTINGS | settings).items() if value}
    done = subprocess.run(
        [FOLDER / "deploy", "production"],
        env={"PATH": "/usr/bin:/bin", "REQUEST": json.dumps(REQUEST)} | group,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1 and done.stderr.startswith(f"##vso[task.logissue type=error]{says}")


@pytest.mark.parametrize("road", ["webapp", "kubernetes"])
def test_the_release_program_has_what_is_called(play, road):
    called = [line.split()[3:] for line in play(SLIPWAY_ROAD=road).lines if line.startswith("python -m slipway.release")]
    assert [_parser().parse_args(words).command for words in called] == ["deliver", "deploy"]


def test_without_a_registry_the_delivery_says_so(play):
    run = play(SLIPWAY_REGISTRY="")
    assert run.results["Deliver"] == "Failed" and "SLIPWAY_REGISTRY: set it in the variable group slipway" in run.log


def test_without_a_workspace_the_registration_says_so(play):
    run = play(AZURE_ML_MODEL="insurance", AZURE_ML_WORKSPACE="")
    assert run.results["Register"] == "Failed" and "AZURE_ML_WORKSPACE: set it in the variable group slipway" in run.log


def test_keys_of_a_bucket_reach_the_delivery_only_where_they_are_set(play):
    keys = {"AWS_ACCESS_KEY_ID": "a-key", "AWS_SECRET_ACCESS_KEY": "another"}
    run = play(secrets=keys)
    assert {call["secret"] for call in run.calls if "deliver" in call["words"]} == {"a-key"}
    assert {call["secret"] for call in run.calls if "deploy" in call["words"]} == {None} and "a-key" not in run.log


@pytest.mark.parametrize("remote", ["", "s3://bucket/artifacts"])
def test_a_training_that_is_promoted_becomes_a_change_to_propose(play, tmp_path, remote):
    LocalStore(tmp_path / "next").point(Pointer("c" * 64, "charges"))
    (tmp_path / "programs/promoted.json").write_text((tmp_path / "next/champion.json").read_text())
    run = play(reason="Manual", train="True", SLIPWAY_REMOTE=remote)
    assert ran(run) == ["Train"] and run.results["Train"] == "Succeeded", run.log
    change = (run.artifacts["model-1"] / "model.patch").read_text()
    assert "c" * 64 in change and "champion.json" in change
    words = "\n".join(run.lines)
    assert ("slipway push" in words) == bool(remote) and (f"slipway promote {'c' * 64} --in-git" in words) == (not remote)
    assert run.summaries and run.connections == []


def test_a_schedule_trains_and_releases_nothing(play):
    """It has the defaults of the parameters: nobody can tick one for it."""
    assert ran(play(reason="Schedule")) == ["Train"]


def test_nothing_is_trained_from_another_branch(play):
    assert ran(play(reason="Manual", train="True", branch="refs/heads/other")) == []


def test_a_training_that_is_kept_changes_nothing(play):
    run = play(reason="Manual", train="True")
    assert ran(run) == ["Train"] and run.results["Train"] == "Succeeded", run.log
    assert run.artifacts == {} and "slipway push" not in "\n".join(run.lines)


@pytest.mark.parametrize("page", ["azure-devops", "azure-ml"])
def test_the_pages_name_commands_that_azure_has(page):
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / f"docs/{page}.md").read_text(), re.DOTALL)
    text = "\n".join(blocks).replace("\\\n", " ")
    calls = [
        each
        for line in text.splitlines()
        for each in re.findall(r"(?:^|\$\(|&& )(az [^()]*?)(?= *(?:\$\(|\)|#|\||&&|$))", line)
    ]
    assert len(calls) >= 8
    for call in calls:
        words = shlex.split(call + '"' * (call.count('"') % 2))
        require_known([each for each in words[1:] if each])


def jobs() -> list[tuple[str, dict, dict]]:
    return [(stage["stage"], stage, job) for stage in yaml.safe_load(PIPELINE.read_text())["stages"] for job in stage["jobs"]]


def steps(job: dict) -> list[dict]:
    return job.get("steps") or job["strategy"]["runOnce"]["deploy"]["steps"]


def test_every_job_has_the_whole_history_and_a_clean_checkout():
    for name, _, job in jobs():
        assert steps(job)[0] == {"checkout": "self", "fetchDepth": "0", "clean": "true"}, name


def test_what_deploys_is_a_deployment_and_waits_for_its_turn():
    document = yaml.safe_load(PIPELINE.read_text())
    assert document["lockBehavior"] == "sequential"
    found = {name: job.get("environment") for name, _, job in jobs() if "deployment" in job}
    assert found == {"Staging": "staging", "Production": "production"}


def test_a_pull_request_gets_neither_settings_nor_connections():
    name, stage, job = jobs()[0]
    assert name == "Test" and "variables" not in stage and not any("env" in step for step in steps(job))
    assert not any(step.get("task") == "AzureCLI@2" for step in steps(job))


def test_a_name_of_a_connection_is_no_variable():
    """Azure Pipelines reads it before it knows the variables of a run."""
    named = {
        step["inputs"]["azureSubscription"] for _, _, job in jobs() for step in steps(job) if step.get("task") == "AzureCLI@2"
    }
    assert named == {"slipway-delivery", "slipway-deployment"}


def told(folder: Path) -> str:
    """What verdict.py says in a checkout."""
    done = subprocess.run(
        [sys.executable, FOLDER / "verdict.py"],
        cwd=folder,
        env={"PYTHONPATH": str(Path(slipway.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


def test_the_verdict_of_a_checkout_without_a_champion(tmp_path):
    assert "No champion yet" in told(tmp_path)


def test_the_verdict_of_a_training_that_was_kept_is_beside_the_champions(tmp_path):
    """The journal alone has it."""
    store, said = LocalStore(tmp_path / "artifacts"), {"event": "verdict", "problem": "charges"}
    store.decide(said | {"digest": "a" * 64, "outcome": "promoted", "reasons": ["rmse 1 against 2"]})
    alone = told(tmp_path)
    assert "Champion `aaaaaaaaaaaa`: promoted\n- rmse 1 against 2" in alone and "challenger" not in alone
    store.decide(said | {"digest": "b" * 64, "outcome": "kept", "reasons": ["no gain"]})
    assert told(tmp_path) == f"{alone}\nThe last training: challenger `bbbbbbbbbbbb`: kept\n- no gain\n"
