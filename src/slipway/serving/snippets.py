"""The same call for a terminal and for programs, ready to paste: every name and value is quoted for where it stands.

Signs that turn the direction of what follows are escaped everywhere.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from shlex import quote
from typing import Any

from slipway.serving.keys import HEADER
from slipway.table.faults import visible

KEY = "YOUR-KEY"
# Python writes these as they are in JSON; as the end of a line, or unseen, they do not belong in a program.
UNSAFE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff]")
LONGEST_INTEGER = 15  # digits; a longer one is no number of every language, and the service reads all of them as doubles


@dataclass(frozen=True)
class Snippet:
    """A call in one language.

    Parameters
    ----------
    id : str
        Of its element on the page.
    title, text : str
    """

    id: str
    title: str
    text: str


def snippets(url: str, row: Mapping[str, Any], key: bool = False) -> list[Snippet]:
    """One in each language; with `key` they say where the API key belongs."""
    return [
        Snippet("curl", "curl", curl(url, row, key)),
        Snippet("python", "Python", python(url, row, key)),
        Snippet("javascript", "JavaScript", javascript(url, row, key)),
        Snippet("csharp", "C#", csharp(url, row, key)),
        Snippet("r", "R", r(url, row, key)),
    ]


def curl(url: str, row: Mapping[str, Any], key: bool = False, indent: int | None = 2) -> str:
    """A command for a POSIX shell; every part is quoted. Without `indent` it is one line."""
    headers = ["Content-Type: application/json"] + [f"{HEADER}: {KEY}"] * key
    body = visible(json.dumps(row, indent=indent, ensure_ascii=False))
    return " ".join(["curl", quote(url), *(f"-H {quote(header)}" for header in headers), "-d", quote(body)])


def python(url: str, row: Mapping[str, Any], key: bool = False) -> str:
    """A program that needs the standard library alone."""
    headers = {"Content-Type": "application/json"} | ({HEADER: KEY} if key else {})
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


def javascript(url: str, row: Mapping[str, Any], key: bool = False) -> str:
    """A script or a module for browsers, and for Node.js from version 18 on."""
    # Without brackets this name would set the prototype of the object.
    names = {name: '["__proto__"]' if name == "__proto__" else _text(name) for name in row}
    fields = "".join(f"  {names[name]}: {_value(value)},\n" for name, value in row.items())
    secret = f', "{HEADER}": "{KEY}"' if key else ""
    return f"""const row = {{
{fields}}};
fetch({_text(url)}, {{
  method: "POST",
  headers: {{"Content-Type": "application/json"{secret}}},
  body: JSON.stringify(row),
}})
  .then((answer) => answer.json())
  .then(console.log);
"""


def csharp(url: str, row: Mapping[str, Any], key: bool = False) -> str:
    """A program for .NET 6 or later, of its libraries alone."""
    fields = "".join(f"    [{_text(name)}] = {_value(value)},\n" for name, value in row.items())
    secret = f'client.DefaultRequestHeaders.Add("{HEADER}", "{KEY}");\n' if key else ""
    return f"""using System;
using System.Collections.Generic;
using System.Net.Http;
using System.Text;
using System.Text.Json;

var row = new Dictionary<string, object> {{
{fields}}};
using var client = new HttpClient();
{secret}using var body = new StringContent(JsonSerializer.Serialize(row), Encoding.UTF8, "application/json");
using var answer = await client.PostAsync({_text(url)}, body);
Console.WriteLine(await answer.Content.ReadAsStringAsync());
"""


def r(url: str, row: Mapping[str, Any], key: bool = False) -> str:
    """A script for R 4.1 or later, with the package httr2."""
    fields = ",\n".join(f"  {_text(name)} = {_value(value)}" for name, value in row.items())
    listed = f"list(\n{fields}\n)" if row else "structure(list(), names = character())"  # list() would be a list of JSON
    secret = f'  req_headers("{HEADER}" = "{KEY}") |>\n' if key else ""
    return f"""library(httr2)

row <- {listed}
request({_text(url)}) |>
{secret}  req_body_json(row) |>
  req_perform() |>
  resp_body_json() |>
  print()
"""


def _text(text: str) -> str:
    """A literal of JSON that is one of JavaScript, C# and R as well."""
    return UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", visible(json.dumps(text, ensure_ascii=False)))


def _value(value: str | float) -> str:
    if isinstance(value, str):
        return _text(value)
    return repr(float(value)) if isinstance(value, int) and len(str(abs(value))) > LONGEST_INTEGER else json.dumps(value)
