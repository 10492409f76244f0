"""`up` and `teardown` with the real command line of AWS, against a server of AWS (moto) as far as that goes.

It makes no bucket policy and no identity provider by template, protects no stack and runs no commands on instances:
test_templates.py and test_interrupted.py read the former, tests/e2e/test_bootstrap.py runs what the last would.
"""

import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import boto3
import pytest

TOKEN = "AAAATOKEN"
STACK = "try-it"


def run(program: str, *arguments: str, **environ: str) -> subprocess.CompletedProcess:
    """A command of slipway box with this Python and its `aws`, without `gh`."""
    path = os.pathsep.join([str(Path(__file__).with_name("protection")), str(Path(sys.executable).parent), "/usr/bin", "/bin"])
    environment = os.environ | {"PATH": path, "STACK": STACK} | environ
    return subprocess.run(
        [sys.executable, "-m", "slipway", "box", program, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture
def up(account, tmp_path):
    """Run `up` for a repository, on a machine image that the server has."""
    assert shutil.which("aws", path=str(Path(sys.executable).parent)), "awscli is in requirements-dev.txt"
    image = boto3.client("ec2").describe_images()["Images"][0]["ImageId"]

    def make(**environ: str) -> subprocess.CompletedProcess:
        return run("up", GITHUB_REPOSITORY="acme/insurance", IMAGE=image, **environ)

    return make


def outputs(stack: str) -> dict[str, str]:
    [found] = boto3.client("cloudformation").describe_stacks(StackName=f"{STACK}-{stack}")["Stacks"]
    return {each["OutputKey"]: each["OutputValue"] for each in found["Outputs"]}


def parameters() -> dict[str, str]:
    found = boto3.client("ssm").get_parameters_by_path(Path="/slipway", Recursive=True, WithDecryption=True)["Parameters"]
    return {each["Name"]: each["Value"] for each in found}


def test_up_makes_it_all_and_teardown_leaves_nothing(up, tmp_path):
    provider = boto3.client("iam").create_open_id_connect_provider(
        Url="https://token.actions.githubusercontent.com",
        ClientIDList=["sts.amazonaws.com"],
    )["OpenIDConnectProviderArn"]
    done = up(DOMAIN="api.example.org", LOG_SIZE="2GiB", RUNNER_TOKEN=TOKEN)
    assert done.returncode == 0, done.stderr
    [stack] = boto3.client("cloudformation").describe_stacks(StackName=f"{STACK}-foundation")["Stacks"]
    assert {"ParameterKey": "OidcProviderArn", "ParameterValue": provider} in stack["Parameters"], "an account has one only"
    made, box = outputs("foundation"), outputs("box")
    assert_ready_lines(done.stdout, made)
    assert TOKEN not in done.stdout + done.stderr
    assert "A record of api.example.org" in done.stdout and box["Address"] in done.stdout
    assert_archive(made["BucketName"], tmp_path)
    assert_first_boot(box["InstanceId"], tmp_path / "box")
    s3 = boto3.client("s3")
    # as the template asks, which this server does not read
    s3.put_bucket_versioning(Bucket=made["BucketName"], VersioningConfiguration={"Status": "Enabled"})
    [repository] = boto3.client("ecr").describe_repositories()["repositories"]
    assert (repository["repositoryName"], repository["imageTagMutability"]) == (STACK, "IMMUTABLE")
    [reservation] = boto3.client("ec2").describe_instances(InstanceIds=[box["InstanceId"]])["Reservations"]
    assert reservation["Instances"][0]["InstanceType"] == "t3.medium"

    again = up()
    assert again.returncode == 0, again.stderr
    assert outputs("box") == box
    kept = parameters()[f"/slipway/{STACK}-foundation/bootstrap"].split(" ")
    assert {"DOMAIN=api.example.org", "LOG_SIZE=2GiB"} <= set(kept), "they stay"
    assert "https://api.example.org" in again.stdout

    for body in (b"1", b"2"):
        s3.put_object(Bucket=made["BucketName"], Key="artifacts/journal.jsonl", Body=body)
    wrong = run("teardown", "--yes", "something")
    assert wrong.returncode == 1 and "Nothing was deleted" in wrong.stderr
    assert outputs("foundation") == made
    gone = run("teardown", "--yes", STACK)
    assert gone.returncode == 0, gone.stderr
    assert "4 objects and versions" in gone.stderr  # the archive of either run, and two of the journal
    assert s3.list_buckets()["Buckets"] == [] and parameters() == {}
    assert boto3.client("ecr").describe_repositories()["repositories"] == []
    states = {each["StackStatus"] for each in boto3.client("cloudformation").list_stacks()["StackSummaries"]}
    assert states == {"DELETE_COMPLETE"}


def assert_ready_lines(printed: str, made: dict[str, str]) -> None:
    """Every name that the workflows read, as a line to copy."""
    values = {
        "AWS_REGION": os.environ["AWS_REGION"],
        "AWS_ROLE_ARN": made["DeliveryRoleArn"],
        "AWS_ECR_LOGIN_URI": made["Registry"],
        "ECR_REPOSITORY_NAME": STACK,
        "SLIPWAY_REMOTE": f"s3://{made['BucketName']}/artifacts",
    }
    lines = [line.strip() for line in printed.splitlines()]
    for name, value in values.items():
        assert f"gh variable set {name} --repo acme/insurance --body {value}" in lines
    assert any(line.startswith("gh secret set MONGO_DB_URL --repo acme/insurance") for line in lines)


def assert_archive(bucket: str, folder: Path) -> None:
    """What a box reads names an archive by its SHA-256 and the settings; the runner's token is gone."""
    [(name, value)] = parameters().items()
    assert name == f"/slipway/{STACK}-foundation/bootstrap"
    key, *settings = value.split(" ")
    registry = outputs("foundation")["Registry"]
    assert settings == [
        f"REPOSITORY={registry}/{STACK}",
        "RUNNER_URL=https://github.com/acme/insurance",
        "DOMAIN=api.example.org",
        "LOG_SIZE=2GiB",
        f"LOG_REMOTE=s3://{bucket}/artifacts",
    ]
    boto3.client("s3").download_file(bucket, key, str(folder / "archive"))
    content = (folder / "archive").read_bytes()
    assert key == f"bootstrap/{hashlib.sha256(content).hexdigest()}.tar.gz"
    with tarfile.open(folder / "archive") as archive:
        assert {"bootstrap", "nginx.conf", "slipway-release"} <= set(archive.getnames())


def assert_first_boot(instance: str, folder: Path) -> None:
    """The program in the user data fetches, checks and unpacks the archive, and writes the settings with the token."""
    found = boto3.client("ec2").describe_instance_attribute(InstanceId=instance, Attribute="userData")
    script = base64.b64decode(found["UserData"]["Value"]).decode()
    called = re.search(r"^python3 -I - (\S+) (\S+) (\S+) <<'END'\n(.*?)^END$", script, re.M | re.S)
    *arguments, program = called.groups()
    ssm, name = boto3.client("ssm"), f"/slipway/{STACK}-foundation/runner-token"
    ssm.put_parameter(Name=name, Type="SecureString", Value=TOKEN)
    folder.mkdir()

    def boot() -> subprocess.CompletedProcess:
        given = [sys.executable, "-I", "-", *arguments]
        return subprocess.run(given, input=program, cwd=folder, capture_output=True, text=True, timeout=60)

    assert boot().returncode == 0
    assert f"export RUNNER_TOKEN='{TOKEN}'\n" in (folder / "settings").read_text()
    assert os.access(folder / "bootstrap", os.X_OK) and (folder / "slipway-release").exists()
    ssm.delete_parameter(Name=name)
    assert boot().returncode == 0
    settings = (folder / "settings").read_text()
    assert "RUNNER_TOKEN" not in settings and "export DOMAIN='api.example.org'\n" in settings
    key = parameters()[f"/slipway/{STACK}-foundation/bootstrap"].split(" ")[0]
    whole = boto3.client("s3").get_object(Bucket=arguments[1], Key=key)["Body"].read()
    boto3.client("s3").put_object(Bucket=arguments[1], Key=key, Body=whole + b"!")
    refused = boot()
    assert refused.returncode == 1 and "Run up again" in refused.stderr


def test_up_of_a_second_repository_adds_it_to_the_box_that_stands(up, tmp_path):
    """It gets a registry, a store and roles of its own; the box may pull its images, and is told to set it up."""
    assert up().returncode == 0
    before = outputs("box"), parameters()
    guest = {"STACK": "churn", "GITHUB_REPOSITORY": "acme/churn", "BOX_OF": STACK, "PREFIX": "/churn"}
    done = run("up", **guest, RUNNER_TOKEN=TOKEN)
    assert done.returncode == 0, done.stderr
    assert (outputs("box"), parameters()) == before, "no other box, and the token is gone"
    stacks = {each["StackName"] for each in boto3.client("cloudformation").list_stacks()["StackSummaries"]}
    assert stacks == {f"{STACK}-foundation", f"{STACK}-box", "churn-foundation"}
    assert f"http://{before[0]['Address']}/churn\n" in done.stdout
    assert "gh variable set ECR_REPOSITORY_NAME --repo acme/churn --body churn" in done.stdout
    [stack] = boto3.client("cloudformation").describe_stacks(StackName="churn-foundation")["Stacks"]
    assert {"ParameterKey": "OtherBoxRoleArn", "ParameterValue": box_role()} in stack["Parameters"], "it may pull"
    assert_sets_up(before[0]["InstanceId"], tmp_path / "box")


def test_staging_is_a_box_of_its_own_for_the_same_images_and_goes_alone(up):
    """Its settings and its token have a place of their own, and its runner another label."""
    done = up(STAGE="staging", DOMAIN="staging.example.org", RUNNER_TOKEN=TOKEN)
    assert done.returncode == 0, done.stderr
    assert "gh variable set SLIPWAY_STAGING --repo acme/insurance --body box\n" in done.stdout
    assert "AWS_ROLE_ARN" not in done.stdout and "https://staging.example.org\n" in done.stdout
    made, box = outputs("foundation"), outputs("staging-box")
    [(name, value)] = parameters().items()
    assert name == f"/slipway/{STACK}-foundation/staging/bootstrap"
    assert value.split(" ")[1:] == [
        f"REPOSITORY={made['Registry']}/{STACK}",
        "RUNNER_URL=https://github.com/acme/insurance",
        "DOMAIN=staging.example.org",
        "RUNNER_LABEL=slipway-staging",
    ]
    found = boto3.client("ec2").describe_instance_attribute(InstanceId=box["InstanceId"], Attribute="userData")
    assert f" {STACK}-foundation/staging <<'END'" in base64.b64decode(found["UserData"]["Value"]).decode()
    refused = run("teardown", "--yes", STACK)
    assert refused.returncode == 1 and f"STAGE=staging STACK={STACK} slipway box teardown" in refused.stderr
    gone = run("teardown", "--yes", STACK, STAGE="staging")
    assert gone.returncode == 0, gone.stderr
    assert "the bucket" not in gone.stderr and "SLIPWAY_STAGING" in gone.stderr
    assert outputs("foundation") == made and parameters() == {}


def box_role() -> str:
    found = boto3.client("cloudformation").describe_stack_resources(StackName=f"{STACK}-foundation")["StackResources"]
    [name] = [each["PhysicalResourceId"] for each in found if each.get("LogicalResourceId") == "BoxRole"]
    return boto3.client("iam").get_role(RoleName=name)["Role"]["Arn"]


def assert_sets_up(instance: str, folder: Path) -> None:
    """The command to the box runs what its first boot ran, with the settings of the second service."""
    folder.mkdir()
    found = boto3.client("ec2").describe_instance_attribute(InstanceId=instance, Attribute="userData")
    (folder / "part-001").write_bytes(base64.b64decode(found["UserData"]["Value"]))
    [_, command] = boto3.client("ssm").list_commands()["Commands"][-1]["Parameters"]["commands"]
    made, _, last = command.rpartition(" && ")
    assert last == "bash /run/slipway-service 2>&1"
    made = made.replace("/var/lib/cloud/instance/scripts", str(folder)).replace("/run", str(folder))
    subprocess.run(["bash", "-c", made], check=True, timeout=60)
    script = (folder / "slipway-service").read_text()
    called = re.search(r"^python3 -I - (\S+) (\S+) (\S+) <<'END'\n(.*?)^END$", script, re.M | re.S)
    *arguments, program = called.groups()
    given = [sys.executable, "-I", "-", *arguments]
    subprocess.run(given, input=program, cwd=folder, check=True, text=True, timeout=60)
    registry = outputs("foundation")["Registry"]
    assert (folder / "settings").read_text().splitlines() == [
        f"export REPOSITORY='{registry}/churn'",
        "export RUNNER_URL='https://github.com/acme/churn'",
        "export PREFIX='/churn'",
    ]
    assert os.access(folder / "bootstrap", os.X_OK) and script.rstrip().endswith("./bootstrap")


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({}, "Run: GITHUB_REPOSITORY=owner/name slipway box up"),
        ({"GITHUB_REPOSITORY": "https://github.com/a/b"}, "Run: GITHUB_REPOSITORY=owner/name slipway box up"),
        ({"GITHUB_REPOSITORY": "a/b", "STACK": "Of Mine"}, "Use lower-case letters, digits and hyphens"),
        ({"GITHUB_REPOSITORY": "a/b", "STAGE": "test"}, "not staging. Leave it out for production"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_made(environ, told):
    done = run("up", **environ)
    assert done.returncode == 1
    assert told in done.stderr


def test_without_a_region_nothing_is_made(monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    done = run("up", GITHUB_REPOSITORY="a/b", HOME=str(tmp_path))
    assert done.returncode == 1 and "no region is set" in done.stderr


def test_teardown_of_what_is_not_there_says_so(account):
    done = run("teardown", "--yes", STACK)
    assert done.returncode == 1 and f"no stack {STACK}" in done.stderr
