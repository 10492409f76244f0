"""The steps of deploy/gitlab/gitlab-ci.yml, run in a checkout beside programs that write down what they were asked."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from registries import DIGEST, serve_registry
from rehearsal.project import Project
from slipway.release.image.key import release_key
from slipway.release.request import read_request

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy/gitlab"
JOBS = yaml.safe_load((FOLDER / "gitlab-ci.yml").read_text())
STUB = f"""#!{sys.executable} -S
import json, os, sys
name = os.path.basename(sys.argv[0])
if name == "python3" and "pip" not in sys.argv and "deploy" not in sys.argv:
    os.execv({sys.executable!r}, [{sys.executable!r}, "-S", *sys.argv[1:]])
said = "" if sys.stdin.isatty() else sys.stdin.read()
role = os.environ.get("AWS_ROLE_ARN")
with open(os.environ["CALLS"], "a") as calls:
    print(json.dumps([name, *sys.argv[1:], said, role]), file=calls)
if sys.argv[1:3] == ["ecr", "get-login-password"]:
    if "deploy" in (role or ""):
        sys.exit("AccessDeniedException: not authorized to perform: ecr:GetAuthorizationToken")
    print("of ECR")
if sys.argv[1:2] == [os.environ.get("FAILS")]:
    sys.exit("it does not answer")
"""


class Runner:
    """A checkout, as a runner of GitLab has it, and the programs of its image."""

    def __init__(self, folder: Path, host: str) -> None:
        self.project = Project(folder / "project")
        self.calls = folder / "calls"
        shutil.copytree(FOLDER, self.project.folder / "deploy/gitlab")
        (self.project.folder / "artifacts").mkdir()
        (self.project.folder / "artifacts/champion.json").write_text("{}")
        (self.project.folder / "requirements.txt").write_text("flask==3.1.2\n")
        (self.project.folder / "Dockerfile").write_text("FROM scratch\n")
        self.project.git("init", "--quiet", "--initial-branch", "main")
        self.project.commit("The first")
        programs = folder / "bin"
        programs.mkdir()
        for name in ("apk", "aws", "docker", "kubectl", "python3"):
            (programs / name).write_text(STUB)
            (programs / name).chmod(0o755)
        self.environ = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "HOME": str(folder),
            "DOCKER_CONFIG": str(folder),
            "CALLS": str(self.calls),
            "CI_JOB_ID": "7",
            "CI_REGISTRY": host,
            "CI_REGISTRY_IMAGE": f"{host}/group/insurance",
            "CI_REGISTRY_USER": "gitlab-ci-token",
            "CI_REGISTRY_PASSWORD": "of GitLab",
            "AWS_ID_TOKEN": "a token of this job",
            "AWS_REGION": "eu-west-1",
        }
        (self.project.folder / "src").symlink_to(ROOT / "src")  # as in Slipway's own repository, but not committed

    def run(self, job: str, **environ: str) -> subprocess.CompletedProcess:
        """The script of a job as a runner runs it: all its lines in one shell."""
        script = JOBS[job].get("script") or JOBS[JOBS[job]["extends"]]["script"]
        return subprocess.run(
            ["sh", "-c", "set -e\n" + "\n".join(script)],
            cwd=self.project.folder,
            env=self.environ | {"CI_JOB_NAME": job} | environ,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def called(self, program: str) -> list[list[str]]:
        calls = [json.loads(line) for line in self.calls.read_text().splitlines()]
        return [call[1:] for call in calls if call[0] == program]


@pytest.fixture
def runner(tmp_path):
    with serve_registry() as registry:
        runner = Runner(tmp_path, registry.host)
        registry.login(tmp_path)
        registry.images[release_key(runner.project.folder)] = DIGEST
        yield runner


def test_the_delivery_finds_the_image_and_keeps_the_request(runner):
    done = runner.run("deliver")
    assert done.returncode == 0, done.stderr
    host = runner.environ["CI_REGISTRY"]
    login = next(call for call in runner.called("docker") if call[0] == "login")
    assert login[:-1] == ["login", "--username", "gitlab-ci-token", "--password-stdin", host, "of GitLab"]
    request = read_request((runner.project.folder / "request.json").read_bytes())
    assert (request.digest, request.run_number) == (DIGEST, 1)
    assert f"key={request.key}" in done.stdout
    assert "request.json" in JOBS["deliver"]["artifacts"]["paths"]


@pytest.mark.parametrize("host", ["dkr.ecr.eu-west-1.amazonaws.com", "dkr-ecr.eu-west-1.on.aws"])
def test_the_delivery_logs_in_at_ecr_with_its_own_role(runner, host):
    registry = f"123456789012.{host}"
    account = "arn:aws:iam::123456789012:role"
    roles = {"AWS_ROLE_ARN": f"{account}/push", "AWS_DEPLOY_ROLE_ARN": f"{account}/deploy"}
    runner.run("deliver", SLIPWAY_REGISTRY=registry, SLIPWAY_REPOSITORY="insurance", FAILS="login", **roles)
    login = next(call for call in runner.called("docker") if call[0] == "login")
    assert login[1:6] == ["--username", "AWS", "--password-stdin", registry, "of ECR"]
    assert login[6] == roles["AWS_ROLE_ARN"]


def test_a_repository_of_its_own_installs_the_locked_wheel_without_its_libraries(runner):
    locked = "./vendor/slipway_ml-0.1.0-py3-none-any.whl --hash=sha256:" + "a" * 64
    (runner.project.folder / "requirements.txt").write_text(f"flask==3.1.2\n{locked}\n")
    runner.run("deliver")
    [pip] = runner.called("python3")
    assert "--no-deps" in pip and "--require-hashes" in pip
    assert Path(pip[pip.index("-r") + 1]).read_text() == f"{locked}\n"


@pytest.mark.parametrize(
    "job, environ, name, more",
    [
        ("production", {"SLIPWAY_ROAD": "fargate"}, "insurance", []),
        ("staging", {"SLIPWAY_STAGING": "fargate"}, "insurance-staging", []),
        (
            "production",
            {"SLIPWAY_ROAD": "kubernetes", "SLIPWAY_OVERLAY": "eks", "SLIPWAY_CLUSTER": "models"},
            "insurance",
            ["--overlay", "deploy/kubernetes/eks"],
        ),
    ],
)
def test_a_deployment_takes_its_own_role_and_the_request_of_the_delivery(runner, job, environ, name, more):
    (runner.project.folder / "request.json").write_text("the request")
    registry = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
    role = "arn:aws:iam::123456789012:role/deploy"
    done = runner.run(job, SLIPWAY_REGISTRY=registry, SLIPWAY_REPOSITORY="insurance", AWS_DEPLOY_ROLE_ARN=role, **environ)
    assert done.returncode == 0, done.stderr
    road = environ.get("SLIPWAY_ROAD") or environ["SLIPWAY_STAGING"]
    [deployed] = runner.called("python3")
    release = ["-m", "slipway.release", "deploy", road, name, "--repository", f"{registry}/insurance", *more]
    assert deployed == [*release, "the request", role]
    assert runner.called("docker") == [], "the role of a deployment cannot log in at the registry, and its job has no engine"
    assert (Path(runner.environ["HOME"]) / "aws-id-token").read_text() == "a token of this job"
    updated = [call[1] for call in runner.called("aws") if call[0] == "eks"]
    assert updated == (["update-kubeconfig"] if road == "kubernetes" else [])


def test_the_program_of_aws_is_installed_for_aws_alone(runner):
    runner.run("deliver", FAILS="login")
    runner.run("deliver", FAILS="login", AWS_REGION="")
    assert ["aws-cli" in call for call in runner.called("apk")] == [True, False]


def test_an_unknown_road_and_a_login_without_a_password_stop_the_job(runner):
    (runner.project.folder / "request.json").write_text("the request")
    done = runner.run("production", SLIPWAY_ROAD="box", AWS_DEPLOY_ROLE_ARN="")
    assert done.returncode == 1 and "the road is 'box': expected fargate or kubernetes" in done.stderr
    done = runner.run("deliver", SLIPWAY_REGISTRY="models.azurecr.io")
    assert done.returncode != 0 and "REGISTRY_PASSWORD" in done.stderr
    assert runner.called("python3") == []


def test_deployments_wait_for_one_another_and_production_for_a_person():
    assert [JOBS[job]["resource_group"] for job in ("staging", "production")] == ["staging", "production"]
    [rule] = JOBS["production"]["rules"]
    assert (rule["when"], rule["allow_failure"]) == ("manual", False)
    assert JOBS["variables"]["GIT_DEPTH"] == "0"
    for job in ("deliver", "staging", "production"):
        assert all("$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH" in rule["if"] for rule in JOBS[job]["rules"]), job
    assert JOBS["test"]["artifacts"]["reports"]["junit"] == "report.xml" and JOBS["test"]["artifacts"]["when"] == "always"
    assert JOBS["test"]["script"] == ["make test JUNIT=report.xml"]
    assert [name for name, job in JOBS.items() if "services" in job] == ["deliver"]
