"""The definitions of the specification: JSON schemas of a row, of the answers to it, and of what is wrong with it."""

from math import isfinite
from typing import Any

from slipway.serving.examples import example_row
from slipway.serving.service import Service
from slipway.table.dates import show_date
from slipway.table.rules import Rule
from slipway.table.schema import Field

Document = dict[str, Any]

ERRORS: Document = {"type": "array", "items": {"$ref": "#/definitions/FieldProblem"}}
BUNDLE: Document = {"type": "string", "description": "Digest of the bundle that answered"}
NUMBER: Document = {"type": "number"}
ID: Document = {"description": "Names the row: not learned from, but echoed and logged. Text or a number", "x-nullable": True}
PROBLEM: Document = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": ERRORS,
        "errors_total": {"type": "integer"},
    },
}
FIELD_PROBLEM: Document = {
    "type": "object",
    "required": ["row", "field", "reason", "detail"],
    "properties": {
        "row": {"type": "integer", "description": "From 1", "x-nullable": True},
        "field": {"type": "string", "x-nullable": True},
        "reason": {"type": "string"},
        "detail": {"type": "string"},
    },
}


def definitions(service: Service) -> Document:
    """Name → JSON schema."""
    answer = _answer(service)
    ends = {"low": NUMBER, "high": NUMBER} if service.intervals else {}
    more = ends | ({"id": {"type": "object", "description": "As the row had it"}} if service.ids else {})
    rows = service.problem.serving.max_rows
    return {
        "Row": row_schema(service),
        "Rows": {"type": "array", "minItems": 1, "maxItems": rows, "items": {"$ref": "#/definitions/Row"}},
        "Answer": {
            "type": "object",
            "required": [*answer, "bundle"],
            "properties": answer | more | {"bundle": BUNDLE, "warnings": ERRORS},
        },
        "Answers": _answers(answer | more),
        "WhatIf": _curves(answer | {"bundle": BUNDLE}, ends),
        "Problem": PROBLEM,
        "FieldProblem": FIELD_PROBLEM,
    }


def _answer(service: Service) -> Document:
    """The members of every answer to one row."""
    if service.predictor.task == "regression":
        return {"prediction": NUMBER}
    label = {"type": "string", "enum": list(service.predictor.classes)}
    return {"prediction": label, "probabilities": {"type": "object", "additionalProperties": NUMBER}}


def _answers(answer: Document) -> Document:
    """Answers to a list of rows; one that is rejected has a null prediction, and errors instead of probabilities."""
    nullable = {"prediction": answer["prediction"] | {"x-nullable": True}}
    one = {"type": "object", "required": ["prediction"], "properties": answer | nullable | {"errors": ERRORS}}
    return {
        "type": "object",
        "required": ["predictions", "bundle"],
        "properties": {
            "predictions": {"type": "array", "items": one},
            "rejected": {"type": "integer"},
            "bundle": BUNDLE,
            "warnings": ERRORS,
        },
    }


def _curves(properties: Document, optional: Document) -> Document:
    values = {"type": "array", "items": {}}
    answers = {"type": "array", "items": {"type": "number"}}
    curve = {"field": {"type": "string"}, "values": values, "answers": answers}
    label = {"type": "string", "description": "Whose probability the answers are"}
    properties = properties | {"curves": {"type": "array", "items": {"type": "object", "properties": curve}}}
    more = optional | ({"label": label} if "probabilities" in properties else {})
    return {"type": "object", "required": [*properties], "properties": properties | more}


def row_schema(service: Service) -> Document:
    """The JSON schema of a row, as the decoder accepts it."""
    document: Document = {
        "type": "object",
        "additionalProperties": False,
        "properties": {rule.field.name: _field(rule) for rule in service.rules} | dict.fromkeys(service.ids, ID),
        "example": example_row(service.schema),
    }
    required = [field.name for field in service.schema if not field.optional]
    return document | ({"required": required} if required else {})


def row_parameters(service: Service) -> list[Document]:
    """The same row as parameters of a query, whose cells are written as in CSV."""
    found = []
    for rule in service.rules:
        field = rule.field
        described = _field(rule)
        if field.format:
            described = {"type": "string", "description": described["description"]}
        described.pop("x-nullable", None)
        empty = {"allowEmptyValue": True} if field.optional else {}
        found.append({"in": "query", "name": field.name, "required": not field.optional} | described | empty)
    ids = [{"in": "query", "name": name, "type": "string", "description": ID["description"]} for name in service.ids]
    return [*found, *ids]


def _field(rule: Rule) -> Document:
    field = rule.field
    described: Document = {"description": rule.expected[0].upper() + rule.expected[1:]}
    described |= {"x-nullable": True} if field.optional else {}
    if field.type == "category":
        return {"type": "string"} | ({"enum": list(field.levels)} if rule.closed_levels else {}) | described
    if field.type == "date":
        return {"type": "string", "format": "date" if _whole_days(field) else "date-time"} | described
    limits = {"minimum": rule.low, "maximum": rule.high}
    finite = {name: _plain(bound) for name, bound in limits.items() if isfinite(bound)}
    return {"type": field.type} | finite | described


def _whole_days(field: Field) -> bool:
    return all("T" not in show_date(day) for day in (field.minimum or 0, field.maximum or 0))


def _plain(number: float) -> int | float:
    return int(number) if float(number).is_integer() else number
