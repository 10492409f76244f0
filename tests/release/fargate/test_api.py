"""The calls, with the real `aws` against a server of AWS (moto): it knows them all, but runs no task, so no release ends well.

What a release looks like to the end is in test_release.py and, with containers, in tests/e2e/test_fargate.py.
"""

import os
import sys
from pathlib import Path

import boto3
import pytest

from clouds import BASE, NAME, REPOSITORY
from s3 import aws, serve_s3
from slipway.errors import ReleaseError
from slipway.release.fargate.aws import Aws, AwsError
from slipway.release.fargate.ecs import Ecs
from slipway.release.fargate.release import Fargate
from slipway.release.request import Request

KEY = "a" * 64
MANIFEST = '{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": []}'


class Clock:
    """Every pause takes five minutes, and no time."""

    def __init__(self) -> None:
        self.passed = 0.0

    def now(self) -> float:
        return self.passed

    def pause(self, seconds: float) -> None:
        self.passed += 300 * bool(seconds)


@pytest.fixture(scope="module")
def account():
    """A service with a parameter, and an image under a key; returns the digest that the registry has made."""
    with serve_s3() as address, aws(address):
        ecs = boto3.client("ecs")
        ecs.create_cluster(clusterName=NAME)
        stack = {name: value for name, value in BASE.items() if name not in ("status", "revision", "registeredBy")}
        stack["containerDefinitions"] = [{**each, "memory": 256} for each in BASE["containerDefinitions"]]
        ecs.register_task_definition(**stack, networkMode="awsvpc", requiresCompatibilities=["FARGATE"])
        tags = [{"key": "slipway:tasks", "value": "2"}]
        ecs.create_service(cluster=NAME, serviceName=NAME, taskDefinition=NAME, desiredCount=0, tags=tags)
        boto3.client("ssm").put_parameter(Name=f"/slipway/{NAME}/SLIPWAY_API_KEYS", Value="secret", Type="SecureString")
        boto3.client("ssm").put_parameter(Name=f"/slipway/{NAME}-staging/OTHER", Value="secret", Type="SecureString")
        boto3.client("ecr").create_repository(repositoryName=NAME)
        boto3.client("ecr").put_image(repositoryName=NAME, imageManifest=MANIFEST, imageTag=KEY)
        [image] = boto3.client("ecr").describe_images(repositoryName=NAME)["imageDetails"]
        yield image["imageDigest"]


@pytest.fixture
def program(account) -> Aws:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return Aws(os.environ | {"PATH": path, "AWS_MAX_ATTEMPTS": "1"})


def test_a_release_is_registered_and_the_service_led_to_it_and_back(account, program):
    repository = REPOSITORY.replace("eu-west-1", boto3.client("ecs").meta.region_name)
    with pytest.raises(ReleaseError, match="ECS works towards the previous revision, .*; nothing serves, as before$"):
        list(Fargate(Ecs(program, NAME), Clock(), repository, "b" * 64).deploy(Request(account, KEY, "c" * 40, 7)))
    made = boto3.client("ecs").describe_task_definition(taskDefinition=f"{NAME}:2")["taskDefinition"]
    app = made["containerDefinitions"][0]
    assert app["image"] == f"{repository}@{account}" and app["dockerLabels"]["slipway.run"] == "7"
    assert app["secrets"] == [{"name": "SLIPWAY_API_KEYS", "valueFrom": f"/slipway/{NAME}/SLIPWAY_API_KEYS"}]
    assert (made["cpu"], made["networkMode"]) == ("512", "awsvpc")
    [service] = boto3.client("ecs").describe_services(cluster=NAME, services=[NAME])["services"]
    assert (service["desiredCount"], service["taskDefinition"].rpartition(":")[2]) == (0, "1")


def test_a_cluster_that_is_not_there_is_made_by_up(account, program):
    with pytest.raises(AwsError, match="ClusterNotFoundException: .*deploy/fargate/up") as error:
        Ecs(program, "other").look()
    assert error.value.code == "ClusterNotFoundException"
