"""What deploy/fargate/service.yaml makes, as far as a release and its traffic meet it: read, not written again.

The template's functions are resolved as CloudFormation does for its defaults and the parameters given; attributes of other
resources are their names. Network, roles, alarms and autoscaling are not played.
"""

import re
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

from cfnlint.decode import decode

from rehearsal.box import ROOT
from rehearsal.ecs import Stack
from rehearsal.target_group import Checks

TEMPLATE = ROOT / "deploy/fargate/service.yaml"
MAPS = ("options", "dockerLabels")  # with names of their own
NO_VALUE = {"Ref": "AWS::NoValue"}
REFERENCE = re.compile(r"\$\{([^}]+)\}")
QUICK = {"interval": 1, "delay": 4}


def read_stack(name: str, repository: str, template: Path = TEMPLATE, **parameters: str) -> Stack:
    """The service of a template whose images are of `repository`, ``HOST/REPO``."""
    document, errors = decode(str(template))
    if errors:
        raise ValueError(f"{template}: {errors[0]}")
    host, _, images = repository.partition("/")
    resolve = Resolver(document, {"Name": name, "ImageRepository": images, **parameters})
    resources = {each: resolve(document["Resources"][each]["Properties"]) for each in ("Base", "TargetGroup", "Service")}
    service, group = resources["Service"], resources["TargetGroup"]
    configuration = service["DeploymentConfiguration"]
    tags = {each["Key"]: each["Value"] for each in service["Tags"]}
    return Stack(
        name=name,
        definition=definition(resources["Base"], host),
        checks=checks(group),
        grace=service["HealthCheckGracePeriodSeconds"],
        tasks=int(tags["slipway:tasks"]),
        threshold=configuration["DeploymentCircuitBreaker"]["ThresholdConfiguration"]["Value"],
        least=configuration["MinimumHealthyPercent"],
        most=configuration["MaximumPercent"],
    )


def quick(stack: Stack, grace: float) -> Stack:
    """The same with shorter periods, for tests."""
    checks = replace(stack.checks, **QUICK)
    made = replace(stack, definition=deepcopy(stack.definition), grace=grace, checks=checks)
    for each in made.definition["containerDefinitions"]:
        if "healthCheck" in each:
            each["healthCheck"] |= {"interval": 2, "startPeriod": int(grace)}
    return made


def checks(group: dict) -> Checks:
    """Numbers of a target group; of its attributes, the delay."""
    attributes = {each["Key"]: each["Value"] for each in group["TargetGroupAttributes"]}
    return Checks(
        path=group["HealthCheckPath"],
        interval=group["HealthCheckIntervalSeconds"],
        timeout=group["HealthCheckTimeoutSeconds"],
        healthy=group["HealthyThresholdCount"],
        unhealthy=group["UnhealthyThresholdCount"],
        delay=int(attributes["deregistration_delay.timeout_seconds"]),
    )


def definition(properties: dict, host: str) -> dict:
    """What RegisterTaskDefinition takes; images come from the registry at `host`."""
    made = _camel(properties)
    made["cpu"], made["memory"] = str(made["cpu"]), str(made["memory"])
    for each in made["containerDefinitions"]:
        each["image"] = f"{host}/{each['image'].partition('/')[2]}"
    return made


def _camel(value: Any) -> Any:
    """Names as the API has them: the first letter is small."""
    if isinstance(value, list):
        return [_camel(each) for each in value]
    if not isinstance(value, dict):
        return value
    pairs = ((name[:1].lower() + name[1:], each) for name, each in value.items())
    return {name: dict(each) if name in MAPS else _camel(each) for name, each in pairs}


class Resolver:
    """Resolves the functions that the resources above use."""

    def __init__(self, document: dict, parameters: dict[str, str]) -> None:
        defaults = {name: each.get("Default", name) for name, each in document["Parameters"].items()}
        self._values = defaults | parameters | {"AWS::AccountId": "123456789012", "AWS::Region": "eu-west-1"}
        self._conditions = document["Conditions"]

    def __call__(self, value: Any) -> Any:
        """A value without functions."""
        if isinstance(value, list):
            return [self(each) for each in value if self._chosen(each) != NO_VALUE]
        if not isinstance(value, dict):
            return value
        match list(value.items()):
            case [("Ref", name)]:
                return self._values.get(name, name)
            case [("Fn::GetAtt", path)]:
                return ".".join(path)
            case [("Fn::Sub", text)]:
                return REFERENCE.sub(lambda found: str(self._values.get(found[1], found[1])), text)
            case [("Fn::If", _)]:
                return self(self._chosen(value))
        return {name: self(each) for name, each in value.items() if self._chosen(each) != NO_VALUE}

    def _chosen(self, value: Any) -> Any:
        while isinstance(value, dict) and list(value) == ["Fn::If"]:
            name, then, otherwise = value["Fn::If"]
            value = then if self._holds(self._conditions[name]) else otherwise
        return value

    def _holds(self, condition: dict) -> bool:
        if "Fn::Not" in condition:
            return not self._holds(condition["Fn::Not"][0])
        one, other = condition["Fn::Equals"]
        return self(one) == self(other)
