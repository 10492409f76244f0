"""Working examples, generated from the schema."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from slipway.model.contents import Answer, Golden
from slipway.report.numbers import number, share
from slipway.serving.decoder import Decoded
from slipway.serving.refusal import Refusal, problem_document
from slipway.serving.service import Service
from slipway.table.cell import columns_from_rows, typed_text
from slipway.table.dates import show_date
from slipway.table.formats import format_of
from slipway.table.schema import Field, Schema

ROWS = 5


@dataclass(frozen=True)
class Example:
    """A golden row to click: its place in golden.json, and what was answered to it."""

    place: int
    answer: str


def golden_examples(golden: Golden, classes: Sequence[str]) -> list[Example]:
    """Five golden rows that differ in their answers: from the lowest to the highest, or of several classes one of each."""
    answers = golden.predictions
    if len(classes) > 2:
        first = list({answers[place]["prediction"]: place for place in reversed(range(len(answers)))}.values())[::-1]
        others = [place for place in range(len(answers)) if place not in first]
        chosen = sorted([*first, *others][:ROWS], key=lambda place: str(answers[place]["prediction"]))
    else:
        ranked = sorted(range(len(answers)), key=lambda place: _size(answers[place], classes))
        last = len(ranked) - 1
        chosen = [ranked[round(step * last / (ROWS - 1))] for step in range(ROWS)] if last >= ROWS else ranked
    return [Example(place, _said(answers[place])) for place in chosen]


def _size(answer: Answer, classes: Sequence[str]) -> float:
    """The number, or the probability of the positive label."""
    return answer["probabilities"][classes[1]] if classes else float(answer["prediction"])


def _said(answer: Answer) -> str:
    label = answer["prediction"]
    return f"{label} {share(answer['probabilities'][label])}" if isinstance(label, str) else number(label)


def example_row(schema: Schema) -> dict[str, Any]:
    """A typical row; a field that may be missing and has no typical value is left out."""
    values = {field.name: _typical(field) for field in schema}
    return {name: value for name, value in values.items() if value is not None}


def _typical(field: Field) -> float | int | str | None:
    if field.example is not None or field.optional:
        return field.example
    if field.type == "category":
        return field.levels[0] if field.levels else ""
    if field.type == "date":
        return show_date(field.minimum or 0)
    return field.minimum or 0


def example_table(schema: Schema) -> str:
    """The same row as a CSV, its cells in their formats."""
    row = example_row(schema)
    cells = [_written(field, row[field.name]) if field.name in row else "" for field in schema]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([schema.names, cells])
    return text.getvalue()


def _written(field: Field, value: float | int | str) -> str:
    plain = value if isinstance(value, str) else typed_text(value)
    return format_of(field.format).written(plain) if field.format else plain


def answer_example(service: Service) -> dict[str, Any]:
    """The answer to the example row."""
    columns = columns_from_rows(service.schema, [example_row(service.schema)])
    return service.answers(Decoded(columns, 1))[0] | {"bundle": service.digest}


def refusal_example(service: Service) -> dict[str, Any]:
    """The answer to the example row with `true` in its first field, which no field accepts."""
    row = example_row(service.schema) | {service.schema.names[0]: True}
    try:
        service.decoder.decode(msgspec.json.encode(row))
    except Refusal as refusal:
        return problem_document(refusal.status, refusal.detail, refusal.problems, sum(refusal.counts.values()))
    raise AssertionError(f"{row} was accepted")
