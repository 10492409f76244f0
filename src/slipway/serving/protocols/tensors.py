"""Rows and answers as the Open Inference Protocol has them: one tensor for each column, in JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from slipway.report.numbers import counted
from slipway.serving.refusal import Refusal, shown_name
from slipway.table.rules import SURROGATE

# Datatype → what its values are in JSON. FP16 is none: the protocol has it as binary data alone.
DATATYPES: dict[str, tuple[type, ...]] = {
    "BOOL": (bool,),
    **dict.fromkeys(("UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64"), (int,)),
    **dict.fromkeys(("FP32", "FP64"), (int, float)),
    "BYTES": (str,),
}
OF_FIELDS = {"number": "FP64", "integer": "INT64", "category": "BYTES", "date": "BYTES"}  # type of a field → datatype


class Tensor(Struct):
    """A column of a request."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any]
    parameters: dict[str, Any] | None = None


class Wanted(Struct):
    """A column of the answer that is asked for."""

    name: str
    parameters: dict[str, Any] | None = None


class InferenceRequest(Struct):
    """What is asked. Members that are not named here are ignored, as are parameters: the protocol is extended by them."""

    inputs: list[Tensor]
    id: str | None = None
    outputs: list[Wanted] | None = None
    parameters: dict[str, Any] | None = None


def request_of(document: Any) -> InferenceRequest:
    """The request that a document of JSON is.

    Raises
    ------
    Refusal
        400 when it is none.
    """
    try:
        request = msgspec.convert(document, InferenceRequest)
    except msgspec.ValidationError as error:  # it names types and places, no values
        raise Refusal(400, f"Not an inference request: {error}.") from error
    if request.id is not None and SURROGATE.search(request.id):
        raise Refusal(400, "Not an inference request: the id contains a lone surrogate.")
    return request


def columns_of(inputs: Sequence[Tensor]) -> dict[str, list[Any]]:
    """The cells of each column by its name, all of the same number.

    Raises
    ------
    Refusal
        400 when a tensor is not one value for each row, or its values are not of its datatype.
    """
    if not inputs:
        raise Refusal(400, "There are no inputs; expected a tensor for each field.")
    columns: dict[str, list[Any]] = {}
    for tensor in inputs:
        if tensor.name in columns:
            raise _wrong(tensor, "occurs twice")
        columns[tensor.name] = _cells(tensor)
        if len(columns[tensor.name]) != len(columns[inputs[0].name]):
            raise _wrong(tensor, f"has another number of rows than input {shown_name(inputs[0].name)}")
    return columns


def _cells(tensor: Tensor) -> list[Any]:
    """One value for each row; null is a missing cell."""
    shape, cells = tensor.shape, tensor.data
    if len(shape) not in (1, 2) or shape[1:] not in ([], [1]):
        raise _wrong(tensor, "has a shape other than [rows] or [rows, 1]; expected a tensor for each field")
    if len(cells) != shape[0]:
        raise _wrong(tensor, f"has {counted(len(cells), 'value')}, but its shape says {shape[0]:,}")
    if len(shape) == 2 and set(map(type, cells)) == {list} and set(map(len, cells)) == {1}:
        cells = [cell for [cell] in cells]
    if tensor.datatype not in DATATYPES:
        raise _wrong(tensor, f"has a datatype other than {', '.join(DATATYPES)}")
    kinds = DATATYPES[tensor.datatype]
    if set(map(type, cells)) <= {*kinds, type(None)}:
        return cells
    for row, cell in enumerate(cells, 1):
        if type(cell) not in kinds and cell is not None and not (int in kinds and _is_whole(cell)):
            raise _wrong(tensor, f"has a value in row {row} that is not {tensor.datatype} in JSON")
    return cells


def _is_whole(cell: Any) -> bool:
    """Whether it is an integer written with a decimal point, as some clients do."""
    return type(cell) is float and cell.is_integer()


def _wrong(tensor: Tensor, says: str) -> Refusal:
    return Refusal(400, f"Input {shown_name(tensor.name)} {says}.")


def names_of(wanted: Sequence[Wanted] | None, known: Sequence[str]) -> list[str]:
    """The outputs that are asked for; all that are known when none is named.

    Raises
    ------
    Refusal
        400 for a name that is none of them.
    """
    names = list(dict.fromkeys(each.name for each in wanted or ()))
    for name in names:
        if name not in known:
            raise Refusal(400, f"There is no output {shown_name(name)}; the model's metadata lists the outputs.")
    return names or list(known)


def datatype_of(name: str, classes: Sequence[str]) -> str:
    """That of an output: labels are text, everything else is a number."""
    return "BYTES" if name == "prediction" and classes else "FP64"


def outputs_of(columns: Mapping[str, Sequence[Any]], classes: Sequence[str]) -> list[dict[str, Any]]:
    """The columns of an answer, by name, as tensors."""
    return [
        {"name": name, "shape": [len(cells)], "datatype": datatype_of(name, classes), "data": cells}
        for name, cells in columns.items()
    ]
