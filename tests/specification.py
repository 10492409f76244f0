"""What the service says of itself in Swagger 2, as JSON schemas of today."""

from typing import Any

from jsonschema import Draft202012Validator, FormatChecker


def with_null(described: Any) -> Any:
    """The same with null where ``x-nullable``, an extension of Swagger 2, allows it."""
    if isinstance(described, list):
        return [with_null(each) for each in described]
    if not isinstance(described, dict):
        return described
    document = {name: with_null(each) for name, each in described.items()}
    if document.pop("x-nullable", False) and "type" in document:
        document["type"] = [document["type"], "null"]
        if "enum" in document:
            document["enum"] = [*document["enum"], None]
    return document


def definition(document: dict, name: str) -> Draft202012Validator:
    """Checks values against one of the definitions of a specification."""
    return Draft202012Validator({"$ref": f"#/definitions/{name}", "definitions": with_null(document["definitions"])})


def row_of(schema: dict) -> Draft202012Validator:
    """Checks rows against the schema of a row."""
    return Draft202012Validator(with_null(schema), format_checker=FormatChecker(["date"]))
