"""The task definition that a template asks for, with the release that is live: carry_over.py BASE LIVE

Both files are answers of describe-task-definition. Prints what register-task-definition takes, or nothing when the live one
is like that already.
"""

import json
import sys
from pathlib import Path
from typing import Any

from slipway.release.fargate.parameters import OURS
from slipway.release.fargate.revision import READ_ONLY


def carried_over(base: dict[str, Any], live: dict[str, Any]) -> dict[str, Any]:
    """The base with the image, the labels, the secrets and the own environment of the live release."""
    app, released = _app(base), _app(live)
    placeholder = app["image"]
    containers = [
        each | {"image": released["image"]} if each["image"] == placeholder else each for each in base["containerDefinitions"]
    ]
    ours = [each for each in released.get("environment", []) if each["name"] in OURS]  # each release sets them
    changed = {
        "environment": [*app.get("environment", []), *ours],
        "secrets": released.get("secrets", []),
        "dockerLabels": released["dockerLabels"],
    }
    containers = [each | changed if each["name"] == "app" else each for each in containers]
    return {name: value for name, value in base.items() if name not in READ_ONLY} | {"containerDefinitions": containers}


def plain(value: Any) -> Any:
    """Comparable: without what is empty or read-only, and lists of named things in the order of their names."""
    if isinstance(value, dict):
        kept = {name: plain(each) for name, each in value.items() if name not in READ_ONLY}
        return {name: each for name, each in kept.items() if each not in ([], {}, None)}
    if isinstance(value, list):
        each = [plain(item) for item in value]
        return (
            sorted(each, key=lambda item: item["name"])
            if all(isinstance(item, dict) and "name" in item for item in each)
            else each
        )
    return value


def _app(definition: dict[str, Any]) -> dict[str, Any]:
    return next(each for each in definition["containerDefinitions"] if each["name"] == "app")


if __name__ == "__main__":
    base, live = (json.loads(Path(name).read_text()) for name in sys.argv[1:3])
    wanted = carried_over(base, live)
    if plain(wanted) != plain(live):
        print(json.dumps(wanted))
