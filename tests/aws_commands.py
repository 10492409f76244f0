"""What the real `aws` knows: operations, options and values, from the service descriptions that botocore brings."""

import json
import shlex
from collections.abc import Mapping
from functools import cache
from typing import Any

from botocore import xform_name
from botocore.model import ServiceModel, Shape
from botocore.session import get_session
from botocore.validate import ParamValidator

EVERYWHERE = {"query", "output", "region", "profile", "cli-binary-format"}
WITH_A_FILE = {("sagemaker-runtime", "invoke-endpoint")}  # where the answer goes


@cache
def service(name: str) -> ServiceModel:
    return get_session().get_service_model(name)


def operation(model: ServiceModel, name: str) -> str:
    """As the service calls it."""
    found = {xform_name(each, "-"): each for each in model.operation_names}
    assert name in found, f"aws {model.service_name} has no command {name}"
    return found[name]


def waited_for(model: ServiceModel, name: str) -> str:
    """The operation that a waiter calls."""
    waiters = get_session().get_waiter_model(model.service_name)
    found = {xform_name(each, "-"): each for each in waiters.waiter_names}
    assert name in found, f"aws {model.service_name} has no waiter {name}"
    return waiters.get_waiter(found[name]).operation


def require_known(command: str, files: Mapping[str, str]) -> dict[str, Any]:
    """The parameters of a call; AssertionError if `aws`, or the service, would refuse them. `files` are those it names."""
    program, where, name, *rest = shlex.split(command)
    assert program == "aws"
    model = service(where)
    called = waited_for(model, rest.pop(0)) if name == "wait" else operation(model, name)
    shape = model.operation_model(called).input_shape
    given = _options(rest, int((where, name) in WITH_A_FILE))
    parameters = json.loads(_content(given.pop("cli-input-json"), files)) if "cli-input-json" in given else {}
    members = {xform_name(member, "-"): member for member in shape.members}
    for option, values in given.items():
        if option not in EVERYWHERE:
            assert option in members, f"aws {where} {name} has no option --{option}"
            parameters[members[option]] = _value(shape.members[members[option]], values, files)
    problems = ParamValidator().validate(parameters, shape)
    assert not problems.has_errors(), f"{command}: {problems.generate_report()}"
    _require_choices(parameters, shape, command)
    return parameters


def _options(words: list[str], files: int) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for word in words[: len(words) - files]:
        if word.startswith("--"):
            assert word[2:] not in found, f"{word} is given twice"
            found[word[2:]] = []
        else:
            found[[*found][-1]].append(word)
    return found


def _content(values: list[str], files: Mapping[str, str]) -> str:
    [value] = values
    return files[value.removeprefix("file://")] if value.startswith("file://") else value


def _value(shape: Shape, values: list[str], files: Mapping[str, str]) -> Any:
    if shape.type_name == "boolean":
        assert not values, "a flag has no value"
        return True
    if shape.type_name == "list" and not values[0].startswith("file://"):
        is_plain = shape.member.type_name != "structure"
        return values if is_plain else [dict(pair.split("=", 1) for pair in each.split(",")) for each in values]
    text = _content(values, files)
    if shape.type_name == "string":
        return text
    return text.encode() if shape.type_name == "blob" else json.loads(text)


def _require_choices(value: Any, shape: Shape, command: str) -> None:
    """The validator of botocore leaves these to the service."""
    if shape.type_name == "structure":
        for name, each in value.items():
            _require_choices(each, shape.members[name], command)
    elif shape.type_name == "list":
        for each in value:
            _require_choices(each, shape.member, command)
    elif choices := getattr(shape, "enum", None):
        assert value in choices, f"{command}: {value} is none of {choices}"
    limits = shape.metadata
    size = value if shape.type_name in ("integer", "float") else len(value) if hasattr(value, "__len__") else None
    if size is not None and isinstance(limits.get("max"), (int, float)):
        assert size <= limits["max"], f"{command}: more than {limits['max']}"
