"""The same call for a terminal and for a program, ready to paste."""

import json
from collections.abc import Mapping
from shlex import quote

KEY_HEADER = "X-API-Key"


def curl(url: str, row: Mapping, key: bool = False) -> str:
    """A command line for a POSIX shell; every part is quoted."""
    lines = [f"curl {quote(url)}", "-H 'Content-Type: application/json'"]
    if key:
        lines.append(f"-H {quote(KEY_HEADER + ': YOUR-KEY')}")
    lines.append("-d " + quote(json.dumps(row, indent=2, ensure_ascii=False)))
    return " \\\n  ".join(lines)


def python(url: str, row: Mapping, key: bool = False) -> str:
    """A program that needs the standard library alone."""
    headers = {"Content-Type": "application/json"} | ({KEY_HEADER: "YOUR-KEY"} if key else {})
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
