"""The labels of an image, which the box checks: its bundle, and one row with the expected answer."""

import json
from collections.abc import Mapping
from typing import Any

from slipway.errors import ReleaseError
from slipway.store.local import LocalStore


def labels(store: LocalStore) -> dict[str, str]:
    """The labels of an image that serves the champion of `store`, whose bundle is verified here.

    Raises
    ------
    StoreError, BundleError
        If there is no champion, or its bundle is missing or damaged.
    """
    bundle = store.champion()
    golden, fields = bundle.json("golden.json"), bundle.json("schema.json")["fields"]
    for row, answer in zip(golden["rows"], golden["predictions"], strict=True):
        if all(_usual(row.get(field["name"]), field) for field in fields):
            return {"slipway.bundle": bundle.digest, "slipway.golden": json.dumps({"row": row, "answer": answer})}
    raise ReleaseError(f"bundle {bundle.digest[:12]}: the service would refuse every golden row")


def _usual(value: object, field: Mapping[str, Any]) -> bool:
    """Whether the service accepts a value under its strictest policy."""
    if value is None:
        return bool(field["missing"] > 0)
    if field["levels"]:
        return value in field["levels"]
    if isinstance(value, (int, float)) and field["minimum"] is not None:
        return bool(field["minimum"] <= value <= field["maximum"])
    return True
