"""The templates as written, and as a server of AWS (moto) makes them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import pytest
from cfnlint.decode import decode

from s3 import aws, serve_s3

ROOT = Path(__file__).resolve().parents[2]
EC2 = ROOT / "src/slipway/release/ec2"
PROVIDER = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"


@pytest.fixture(scope="session")
def template() -> Callable[[str], dict]:
    """A template by its name, with !Sub and the like in their long form."""

    def load(name: str) -> dict:
        document, errors = decode(str(EC2 / f"{name}.yaml"))
        assert not errors
        return document

    return load


@pytest.fixture
def account() -> Iterator[str]:
    """An empty account that the environment leads to."""
    with serve_s3() as address, aws(address):
        yield address


@pytest.fixture(scope="module")
def roles() -> Iterator[Callable[..., dict]]:
    """The roles of foundation.yaml as AWS has them for a repository: logical name → trust policy."""
    with serve_s3() as address, aws(address):

        def make(**parameters: str) -> dict:
            name = f"stack{len(boto3.client('cloudformation').list_stacks()['StackSummaries'])}"
            parameters |= {"OidcProviderArn": PROVIDER, "ImageRepository": name}
            create(name, "foundation", parameters)
            return {logical: trust(made(name)[logical]) for logical in ("DeliveryRole", "ReadRole", "BoxRole")}

        yield make


def create(stack: str, template: str, parameters: dict[str, str]) -> None:
    boto3.client("cloudformation").create_stack(
        StackName=stack,
        TemplateBody=(EC2 / f"{template}.yaml").read_text(),
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()],
    )


def made(stack: str) -> dict[str, str]:
    """Logical name → physical one, of what the server knows to make."""
    found = boto3.client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
    return {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in found if "LogicalResourceId" in each}


def trust(role: str) -> dict:
    return boto3.client("iam").get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
