"""Fields of a Deployment that somebody added by hand: they belong to another manager, and no release removes them."""

from collections.abc import Iterator, Mapping
from typing import Any

from slipway.release.kubernetes.confirmed import NOTER
from slipway.release.kubernetes.kubectl import MANAGER

KNOWN = (MANAGER, NOTER, "kube-controller-manager")


def foreign_fields(deployment: Mapping[str, Any]) -> dict[str, list[str]]:
    """Manager → the fields below ``spec`` that it owns and a release does not; the autoscaler's are left out."""
    entries = [each for each in deployment["metadata"].get("managedFields") or [] if not each.get("subresource")]
    own = {path for each in entries if each.get("manager") == MANAGER for path in _of_spec(each)}
    found: dict[str, list[str]] = {}
    for each in entries:
        fields = sorted(set(_of_spec(each)) - own)
        if each.get("manager") not in KNOWN and fields:
            found[str(each.get("manager"))] = fields
    return found


def _of_spec(entry: Mapping[str, Any]) -> Iterator[str]:
    fields = entry.get("fieldsV1") or {}
    return _paths(fields["f:spec"], "spec") if "f:spec" in fields else iter(())


def _paths(fields: Mapping[str, Any], path: str) -> Iterator[str]:
    """The ends of a set of fields, as ``fieldsV1`` writes it."""
    below = {name: value for name, value in fields.items() if name != "."}
    if not below:
        yield path
    for name, value in below.items():
        kind, _, rest = name.partition(":")
        yield from _paths(value, path + (f".{rest}" if kind == "f" else f"[{rest}]"))
