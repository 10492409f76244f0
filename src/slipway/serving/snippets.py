"""The same call for a terminal and for a program, ready to paste."""

import json
from collections.abc import Mapping
from shlex import quote
from typing import Any

from slipway.serving.keys import HEADER
from slipway.table.faults import visible


def curl(url: str, row: Mapping[str, Any], key: bool = False, indent: int | None = 2) -> str:
    """A command for a POSIX shell; every part is quoted. Without `indent` it is one line."""
    headers = ["Content-Type: application/json"] + [f"{HEADER}: YOUR-KEY"] * key
    body = visible(json.dumps(row, indent=indent, ensure_ascii=False))
    return " ".join(["curl", quote(url), *(f"-H {quote(header)}" for header in headers), "-d", quote(body)])


def python(url: str, row: Mapping[str, Any], key: bool = False) -> str:
    """A program that needs the standard library alone."""
    headers = {"Content-Type": "application/json"} | ({HEADER: "YOUR-KEY"} if key else {})
    fields = "".join(f"    {name!r}: {value!r},\n" for name, value in row.items())
    return f"""import json
from urllib.request import Request, urlopen

row = {{
{fields}}}
request = Request(
    {url!r},
    data=json.dumps(row).encode(),
    headers={headers!r},
)
with urlopen(request) as answer:
    print(json.load(answer))
"""
