"""What the JavaScript of a device reads and encodes is what Python does: the modules alone, in Node.js."""

import base64
import json
import os
import random
import shutil
import string
import subprocess

import numpy as np
import pytest

from devices import MODULES
from page import start
from slipway.model.encoding import NUMBERED, Encoding, Output
from slipway.serving.offline.device_rules import device_rules
from slipway.table.cell import typed_text
from slipway.table.date_parts import PARTS
from slipway.table.schema import Feature, Field, Schema
from slipway.table.unlike import warnings

pytestmark = pytest.mark.browser

READ = """
import { readFileSync } from "node:fs";
import { Rules } from "./row-rules.js";
import { Encoding } from "./encoding.js";

const { schema, model, device, rows } = JSON.parse(readFileSync(0, "utf8"));
const rules = new Rules(schema, device);
const encoding = new Encoding(schema, model.members[0].encoding, device.formulas);
const bytes = (numbers) => Buffer.from(Float64Array.from(numbers).buffer).toString("base64");
const read = (row) => {
  const { values, errors, warnings } = rules.read(row);
  return { errors, warnings, values: bytes(values.values()), matrix: errors.length ? "" : bytes(encoding.encode(values)) };
};
process.stdout.write(JSON.stringify(rows.map(read)));
"""
LEVELS = ("1", "1.5", "1e-05", "12345678901234567890", "NA ", "blue", "false", "grün", "red")
SCHEMA = Schema(
    (
        Field("amount", "number", minimum=-3.5, maximum=5e4, missing=0.1, example=1.5),
        Field("in come", "number", minimum=0.0, maximum=1e300, missing=0.1, example=3.0),
        Field("age", "integer", minimum=18, maximum=64, example=30),
        Field("flag", "integer", minimum=0, maximum=1, missing=0.2, example=1),
        Field("colour", "category", levels=LEVELS, missing=0.1, example="red"),
        Field("size", "category", levels=('"L"', "M", "S"), example="M"),
        Field("joined", "date", minimum=-719162.0, maximum=19722.25, missing=0.1, example="2020-01-01"),
        Field("left", "date", minimum=18262.0, maximum=19722.0, missing=0.1, example="2021-01-01"),
        Field("price", "number", minimum=0, maximum=100, missing=0.1, format="1.234,56 €", example=5.0),
        Field("day", "date", minimum=0, maximum=20_000, missing=0.1, format="31.12.2024", example="2021-01-01"),
        Field("odd", "number", minimum=0, maximum=9, missing=0.1, markers=("-999", "k.A."), example=5.0),
        Field("constructor", "number", minimum=0, maximum=9, missing=0.1, example=2.0),  # a name that objects have anyway
    )
)
EXPRESSIONS = {
    "sum": "amount + `in come` - 3 * odd / -2.5",
    "days": "left - joined",
    "least": "min(amount, odd, 1_000) + max(age, 0x10)",
    "root": "sqrt(abs(amount)) + +abs(-odd)",
    "share": "amount / odd",
    "chained": "share * 1e30 * `in come`",
    "part": "month(left) + 12 * year(joined)",
    "range": "bin(amount - 2, -1, 0, 5.5, 1e4)",
}
LOGS = {"logs": "log(amount + 4) + log(odd)"}
POLICIES = {
    "near": "",
    "warn": "serving: {unknown_levels: warn, out_of_range: warn}\n",
    "reject": "serving: {out_of_range: reject}\n",
    "limits": "limits: {amount: [0, 10.5], age: [null, 99]}\n"
    "missing: {'*': ['-1', 'NO data'], joined: ['1900-01-01'], size: [M]}\n",
}
TYPICAL = {field.name: field.example for field in SCHEMA}


def outputs() -> tuple[Output, ...]:
    """One of every kind for every field that it fits, plain, filled, and scaled; those by logarithms last."""
    found = []
    for field in SCHEMA:
        kinds = ("value", "missing") if field.is_number else ("value", "missing", *PARTS)
        if field.type == "category":
            found += [Output("missing", field.name), Output("level", field.name, field.levels[1:2], unseen=True)]
            found += [Output("level", field.name, field.levels[:2])]
            values = tuple(place / 3 for place in range(len(field.levels) - 1))
            found += [Output(kind, field.name, field.levels[1:], values=values, other=0.7) for kind in NUMBERED]
            found += [Output(NUMBERED[0], field.name, field.levels[:1], values=(0.1,), fill=0.3, mean=0.2, scale=0.7)]
            continue
        for kind in kinds:
            found += [Output(kind, field.name), Output(kind, field.name, fill=1.25, mean=0.1, scale=3.3)]
    found += [Output("value", name) for name in EXPRESSIONS if name != "range"]
    found += [Output("level", "range", ("below -1", "0 to 5.5")), Output("missing", "range"), Output("missing", "share")]
    logs = [Output("log", field.name, fill=0.5, mean=0.1, scale=0.9) for field in SCHEMA if field.is_number]
    return (*found, *logs, Output("value", "logs"))


def of_logarithms() -> int:
    """How many outputs are, at the end."""
    return 1 + sum(field.is_number for field in SCHEMA)


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    """(settings) → the service of a linear model with these outputs."""
    features = tuple(Feature(name, text) for name, text in (EXPRESSIONS | LOGS).items())
    encoding = Encoding(SCHEMA, outputs(), features)
    weights = np.zeros((len(encoding.outputs), 1))

    def make(settings: str = ""):
        folder = tmp_path_factory.mktemp("served")
        lines = f"drop: [dropped]\nid: [number]\n{settings}"
        app = start(folder, "regression", lines, schema=SCHEMA, encoding=encoding, rows=[TYPICAL], weights=weights)
        return app.extensions["slipway"]

    return make


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """(service, rows) → what the modules make of each row: errors, warnings, and bytes of its values and of the matrix."""
    node = shutil.which("node")
    if not node and os.environ.get("SLIPWAY_BROWSER") != "required":
        pytest.skip("needs Node.js")
    folder = tmp_path_factory.mktemp("modules")
    shutil.copytree(MODULES, folder, dirs_exist_ok=True)
    (folder / "package.json").write_text('{"type": "module"}')
    (folder / "read.js").write_text(READ)

    def ask(service, rows):
        parts = {name: json.loads(service.bundle.read(f"{name}.json")) for name in ("schema", "model")}
        given = json.dumps({**parts, "device": json.loads(device_rules(service)), "rows": rows}).encode()
        done = subprocess.run([node, "read.js"], input=given, cwd=folder, capture_output=True, timeout=60)
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)

    return ask


def numbers(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), dtype=np.float64)


def expected(service, rows):
    """What Python makes of the rows: the problems of each, the warnings of each, and their columns."""
    decoded = service.decoder.decode_rows(rows, partial=True)
    told = {row: [each.to_json() for each in problems] for row, problems in decoded.wrong.items()}
    unlike: dict[int, list] = {}
    for each in warnings(service.rules.unlike(decoded.columns), 10**6):
        unlike.setdefault(each.row - 1, []).append(each.to_json())
    return told, unlike, decoded.columns


def plain(problems) -> list:
    return [{name: value for name, value in problem.items() if name != "row"} for problem in problems]


def drawn(draw: random.Random) -> dict:
    """A row as callers send it, of sound cells."""
    day = f"{draw.randint(1, 9999):04}-{draw.randint(1, 12):02}-{draw.randint(1, 28):02}"
    time = f"{draw.randint(0, 23):02}:{draw.randint(0, 59):02}"
    zone = draw.choice(["", "Z", "+01:30", "-0800"]) if "0002" < day < "9998" else ""
    return {
        "amount": draw.choice([draw.uniform(-3.5, 5e4), draw.gauss(0, 1), 0, -0.0, 1, 2, 1e-7]),
        "in come": draw.choice([draw.lognormvariate(5, 50), 0, 1e300]),
        "age": draw.randint(18, 64),
        "flag": draw.choice([0, 1, True, None]) if draw.random() < 0.9 else "1.0",
        "colour": draw.choice([*LEVELS, 1, 1.5, 1e-5, False, " red ", '"blue"', "never seen"]),
        "size": draw.choice(['"L"', "M", "S"]),
        "joined": draw.choice(
            [day, f"{day}T{time}{zone}", f"{day} {time}:{draw.randint(0, 59):02}.{draw.randint(0, 999):03}"]
        ),
        "left": f"20{draw.randint(0, 99):02}-{draw.randint(1, 12):02}-{draw.randint(1, 28):02}T{time}:07.123456{zone}",
        "price": draw.uniform(0, 100),
        "day": f"{draw.randint(1970, 2020)}-02-{draw.randint(1, 28):02}",
        "odd": draw.choice([draw.uniform(0, 9), 0, draw.randint(0, 9)]),
        "constructor": draw.randint(0, 12),
    }


def test_two_thousand_rows_are_encoded_alike(service, read):
    draw = random.Random(1)
    rows = [drawn(draw) for _ in range(2_000)]
    for row in rows:
        optional = [field.name for field in SCHEMA if field.optional]
        for name in optional:
            if draw.random() < 0.1:
                row.pop(name) if draw.random() < 0.5 else row.update({name: draw.choice([None, "", "NA", " n/a "])})
    here = service(POLICIES["warn"])
    found = read(here, rows)
    told, unlike, columns = expected(here, rows)
    sound = [place for place in range(len(rows)) if place not in told]
    assert len(sound) > 1_000
    assert [place for place, each in enumerate(found) if not each["errors"]] == sound
    assert [each["warnings"] for each in found] == [plain(unlike.get(place, [])) for place in range(len(rows))]
    matrix = here.predictor._members[0].encoding.encode({name: each[sound] for name, each in columns.items()})
    answered = np.array([numbers(found[place]["matrix"]) for place in sound])
    rest = -of_logarithms()
    np.testing.assert_array_equal(answered[:, :rest], matrix[:, :rest])
    np.testing.assert_allclose(answered[:, rest:], matrix[:, rest:], rtol=1e-15, atol=1e-15)


ODD_NUMBERS = (0, -0.0, 1, 1.0, 1.5, -1, -999, 17, 19.5, 64, 65, 111, 112, 1e16, 1e22, 1e-5, 2**53)
ODD_TEXTS = (
    "|0| |\t|\x1c|\u3000|\ufeff|NA| na |N/A|NaN|-nan|null|?|-|k.A.|K.a.|no DATA|1|1.0|01| 1 |+1|1.|.5|1e1|1E1|1e-1|1e400"
    "|-1e400|inf|-Infinity|iNF|infinit|1_000|1,5|1.234,56|1,234.56|0x10|1e|e1|--1|\u22121|1 000|5 €|TRUE|False|red|RED|grün"
    '|gru\u0308n|"1"|"red"| " red " |""|"|"""|""""|"a""b"|\ufeffred|\ufeff"red"|red"|"re"d"|\'red\'|NA |unseen|L|"L"|1e-05'
    "|12345678901234567890|2020-01-01|2020-1-1|2020-02-29|2021-02-29|0000-01-01|0001-01-01|9999-12-31|2020-13-01|2020-00-10"
    "|2020-01-01T08:30|2020-01-01 08:30:00|2020-01-01T24:00|2020-01-01T08:60|2020-01-01T08:30:60|2020-01-01T08"
    "|2020-01-01T08:30Z|2020-01-01T08:30+01:00|2020-01-01T08:30-2359|0001-01-01T00:00+01:00|9999-12-31T23:59-01:00"
    "|2020-01-01T08:30:00.1|2020-01-01T08:30:00.123456|2020-01-01T08:30:00.1234567"
    "|2020-01-01T08:30:00Z |9999-12-31T23:59:59.999999"
    "|2020-01-01t08:30|20200101|1900-01-01|\uff12020-01-01|31.12.2020|\ud800|a\udfffb|😀"
)
ODD = (None, True, False, [], [1], {}, {"a": 1}, *ODD_NUMBERS, *ODD_TEXTS.split("|"), "x" * 300)
FOR_THE_SERVER = {
    "price": lambda cell: isinstance(cell, str),
    "day": lambda cell: isinstance(cell, str),
    "joined": lambda cell: isinstance(cell, str) and cell.endswith(".999999"),
    "left": lambda cell: isinstance(cell, str) and cell.endswith(".999999"),
}


def require_same_refusals(service, read, rows, names):
    """The same problems in each row; a device may leave some texts of `names` to the server."""
    found = read(service, rows)
    told, unlike, columns = expected(service, rows)
    values = np.column_stack([columns[name] for name in SCHEMA.names]).astype(np.float64)
    left = 0
    for place, (row, each) in enumerate(zip(rows, found)):
        errors = plain(told.get(place, []))
        refused = {error["field"] for error in each["errors"] if error["reason"] == "server"}
        left += len(refused)
        assert all(name in names and names[name](row[name]) for name in refused), row
        kept = [error for error in each["errors"] if error["field"] not in refused]
        assert kept == [error for error in errors if error["field"] not in refused], row
        if not each["errors"]:
            assert each["warnings"] == plain(unlike.get(place, [])), row
            np.testing.assert_array_equal(numbers(each["values"]), values[place], err_msg=str(row))
    return left


@pytest.mark.parametrize("settings", POLICIES.values(), ids=POLICIES)
def test_odd_cells_are_read_or_refused_alike(service, read, settings):
    rows = [TYPICAL | {name: cell} for name in SCHEMA.names for cell in ODD]
    left = require_same_refusals(service(settings), read, rows, FOR_THE_SERVER)
    assert left < 0.2 * len(rows)


def test_random_texts_are_read_or_refused_alike(service, read):
    draw = random.Random(2)
    signs = [*string.digits * 2, *"+-..eE_ \t\"'TZ:,/infatrue€\u2212\u00a0\x85\ufeff"]
    texts = ["".join(draw.choices(signs, k=draw.randint(1, 7))) for _ in range(4_000)]
    dates = ["2020-0" + "".join(draw.choices([*"0123456789-:TZ+. "], k=draw.randint(3, 12))) for _ in range(2_000)]
    plain_fields = [field.name for field in SCHEMA if not field.format]
    rows = [TYPICAL | {draw.choice(plain_fields): text} for text in [*texts, *dates]]
    zones = {name: lambda cell: True for name in ("joined", "left")}
    left = require_same_refusals(service("missing: {'*': ['7', '1e1', 'in']}\n"), read, rows, zones)
    assert left < 10


def test_digits_of_other_scripts_are_left_to_the_server(service, read):
    [found] = read(service(), [TYPICAL | {"amount": "\u0663", "in come": "\uff11.5"}])
    assert [(each["field"], each["reason"]) for each in found["errors"]] == [("amount", "server"), ("in come", "server")]
    assert found["errors"][0]["detail"].startswith("is written in a way that only the server reads; expected a number")


def test_names_that_are_no_fields(service, read):
    here = service()
    rows = [
        TYPICAL | {"charges": 5, "dropped": "x", "number": "a-1"},
        TYPICAL | {"number": ["a"]},
        TYPICAL | {"number": "\ud800"},
        TYPICAL | {"new": 1, "x" * 200: 2, "\ud800": 3, "toString": 4},
        {name: value for name, value in TYPICAL.items() if name != "age"},
    ]
    found = read(here, rows)
    told, _, _ = expected(here, rows)
    assert [each["errors"] for each in found] == [plain(told.get(place, [])) for place in range(len(rows))]
    ignored = [(each["field"], each["reason"]) for each in found[0]["warnings"]]
    assert ignored == [("charges", "ignored"), ("dropped", "ignored")]


def test_a_number_as_the_text_of_a_level(service, read):
    """Python and JavaScript write small and large numbers in different ways."""
    cells = [1e-4, 1e-5, 1.5e-5, 1.25e-10, 123456.789, 1e15, 1e16, 2.0**60, 1e21, 1e22, 0.1 + 0.2, -1e-5]
    schema = [typed_text(cell) for cell in cells]
    assert len(set(schema)) == len(cells)
    rows = [TYPICAL | {"colour": cell} for cell in cells]
    assert require_same_refusals(service(), read, rows, {}) == 0
