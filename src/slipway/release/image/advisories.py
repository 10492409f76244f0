"""Known vulnerabilities of packages on PyPI, from the database of OSV: https://google.github.io/osv.dev/api/."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.request import Request, urlopen

from slipway.errors import ReleaseError

SERVICE = "https://api.osv.dev/v1"
SECONDS = 10


class Unanswered(ReleaseError):
    """The database cannot be reached, or its answer cannot be read: nothing is known, neither good nor bad."""


@dataclass(frozen=True)
class Advisory:
    """A known vulnerability: its id and those of other databases for the same, and the versions that fix it."""

    ids: tuple[str, ...]
    fixed: tuple[str, ...]


def advisories(pins: Sequence[tuple[str, str]], service: str) -> list[list[Advisory]]:
    """What is known of each package.

    Parameters
    ----------
    pins : sequence of (str, str)
        Normalized name and version of each package.
    service : str
        Address of the database, such as `SERVICE`.

    Raises
    ------
    Unanswered
        If the database does not answer, or not as documented.
    """
    queries = [{"package": {"ecosystem": "PyPI", "name": name}, "version": version} for name, version in pins]
    try:
        results = _ask(f"{service}/querybatch", json.dumps({"queries": queries}).encode())["results"]
        found = [[each["id"] for each in result.get("vulns", ())] for result in results]
        return [_of(name, ids, service) for (name, _), ids in zip(pins, found, strict=True)]
    except (OSError, HTTPException) as error:
        raise Unanswered(f"{service} cannot be reached ({error})") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unanswered(f"the answer of {service} cannot be read ({type(error).__name__})") from error


def _of(name: str, ids: Sequence[str], service: str) -> list[Advisory]:
    """Without those that were withdrawn; each vulnerability once, however many databases have it."""
    found: list[Advisory] = []
    for each in ids:
        record = _ask(f"{service}/vulns/{each}")
        names = (record["id"], *record.get("aliases", ()))
        if "withdrawn" not in record and not any(set(names) & set(other.ids) for other in found):
            found.append(Advisory(names, _fixed(name, record)))
    return found


def _fixed(name: str, record: Mapping[str, Any]) -> tuple[str, ...]:
    events = [
        event
        for affected in record.get("affected", ())
        if affected["package"]["ecosystem"] == "PyPI" and affected["package"]["name"] == name
        for versions in affected.get("ranges", ())
        if versions["type"] == "ECOSYSTEM"
        for event in versions["events"]
    ]
    return tuple(dict.fromkeys(event["fixed"] for event in events if "fixed" in event))


def _ask(address: str, body: bytes | None = None) -> Any:
    with urlopen(Request(address, body, {"Content-Type": "application/json"}), timeout=SECONDS) as answer:
        return json.loads(answer.read())
