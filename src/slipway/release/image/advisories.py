"""Known vulnerabilities of packages on PyPI, from the database of OSV: https://google.github.io/osv.dev/api/."""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from http.client import HTTPException
from threading import Thread
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

from slipway.errors import ReleaseError

SERVICE = "https://api.osv.dev/v1"
SECONDS = 10  # for one step of an answer
DEADLINE = 60  # seconds for all answers together
LARGEST = 20_000_000  # bytes of one answer
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, RecursionError)


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
    answer: Future[list[list[Advisory]]] = Future()
    Thread(target=_settle, args=(answer, pins, service), daemon=True).start()  # a timeout of urlopen is one of each read
    try:
        return answer.result(DEADLINE)
    except TimeoutError as error:
        raise Unanswered(f"{service} was not done within {DEADLINE} seconds") from error


def _settle(answer: "Future[list[list[Advisory]]]", pins: Sequence[tuple[str, str]], service: str) -> None:
    try:
        answer.set_result(_known(pins, service))
    except BaseException as error:
        answer.set_exception(error)


def _known(pins: Sequence[tuple[str, str]], service: str) -> list[list[Advisory]]:
    try:
        return [_of(name, ids, service) for (name, _), ids in zip(pins, _ids(pins, service), strict=True)]
    except (OSError, HTTPException) as error:
        raise Unanswered(f"{service} cannot be reached ({error})") from error
    except UNREADABLE as error:
        raise Unanswered(f"the answer of {service} cannot be read ({type(error).__name__})") from error


def _ids(pins: Sequence[tuple[str, str]], service: str) -> list[list[str]]:
    """The ids for each package, from all pages of the answer."""
    found: list[list[str]] = [[] for _ in pins]
    todo = {
        number: {"package": {"ecosystem": "PyPI", "name": name}, "version": version}
        for number, (name, version) in enumerate(pins)
    }
    while todo:
        results = _ask(f"{service}/querybatch", json.dumps({"queries": list(todo.values())}).encode())["results"]
        following = {}
        for (number, query), result in zip(todo.items(), results, strict=True):
            found[number] += [_text(each["id"]) for each in result.get("vulns", ())]
            if token := result.get("next_page_token"):
                following[number] = query | {"page_token": token}
        todo = following
    return found


def _of(name: str, ids: Sequence[str], service: str) -> list[Advisory]:
    """Without those that were withdrawn; each vulnerability once, however many databases have it."""
    found: list[Advisory] = []
    for each in ids:
        advisory = _read(name, each, service)
        if advisory and not any(set(advisory.ids) & set(other.ids) for other in found):
            found.append(advisory)
    return found


def _read(name: str, vulnerability: str, service: str) -> Advisory | None:
    """None if it was withdrawn; its id alone if its record cannot be read."""
    try:
        record = _ask(f"{service}/vulns/{quote(vulnerability, safe='')}")
        if "withdrawn" in record:
            return None
        return Advisory(tuple(map(_text, (record["id"], *record.get("aliases", ())))), _fixed(name, record))
    except (HTTPError, *UNREADABLE):
        return Advisory((vulnerability,), ())


def _fixed(name: str, record: Mapping[str, Any]) -> tuple[str, ...]:
    events = [
        event
        for affected in record.get("affected", ())
        if affected.get("package", {}).get("ecosystem") == "PyPI" and affected["package"]["name"] == name
        for versions in affected.get("ranges", ())
        if versions["type"] == "ECOSYSTEM"
        for event in versions["events"]
    ]
    return tuple(dict.fromkeys(_text(event["fixed"]) for event in events if "fixed" in event))


def _text(value: Any) -> str:
    """On one line, whatever the database sent: it is written to a log that reads lines as commands."""
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} is no text")
    return value if value.isprintable() else ascii(value)


def _ask(address: str, body: bytes | None = None) -> Any:
    try:
        with urlopen(Request(address, body, {"Content-Type": "application/json"}), timeout=SECONDS) as answer:
            content = answer.read(LARGEST + 1)
    except HTTPError as error:
        error.close()
        raise
    if len(content) > LARGEST:
        raise ValueError(f"more than {LARGEST} bytes")
    return json.loads(content)
