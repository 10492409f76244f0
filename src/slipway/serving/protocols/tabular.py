"""The tables that MLflow's protocol takes → rows by the names of their columns, as the decoder reads them."""

from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from itertools import islice
from typing import Any

from slipway.serving import csv_upload
from slipway.serving.refusal import Refusal, shown_name
from slipway.serving.service import Service
from slipway.table.dialect import shape_error
from slipway.table.faults import LISTED, FieldProblem, tally_key

CSV, PARQUET = "text/csv", "application/vnd.apache.parquet"
FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")
ONE = f"Expected a JSON object with exactly one of the input fields {', '.join(FORMS)}; and params, if any."

Rows = list[Any]


def rows_of(document: Any) -> Rows:
    """The rows of a JSON document in one of MLflow's four forms.

    Raises
    ------
    Refusal
        422 when it is in none, or its parts do not fit together.
    """
    given = [name for name in FORMS if name in document] if isinstance(document, dict) else []
    if len(given) != 1:
        raise Refusal(422, ONE)
    form = given[0]
    unknown = [name for name in document if name not in (form, "params")]
    if unknown:
        raise Refusal(422, f"There is no field {shown_name(unknown[0])} beside {form}; expected params at most.")
    table = document[form]
    if form == "dataframe_split":
        return _of_split(table)
    if form == "inputs" and isinstance(table, dict):
        return _of_columns(table)
    if not isinstance(table, list):
        raise Refusal(422, f"{form}: expected a list of objects, a row each.")
    return table


def _of_split(table: Any) -> Rows:
    if not isinstance(table, dict) or not {"columns", "data"} <= table.keys() <= {"columns", "data", "index"}:
        raise Refusal(422, "dataframe_split: expected an object with columns, data and, if any, index.")
    names, data = table["columns"], table["data"]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise Refusal(422, "dataframe_split.columns: expected a list of different names.")
    if not isinstance(data, list):
        raise Refusal(422, "dataframe_split.data: expected a list of lists, a row each.")
    odd = [place for place, row in enumerate(data) if not isinstance(row, list) or len(row) != len(names)]
    _require_shapes(dict.fromkeys(odd, f"expected a list of {len(names)} values, as many as there are columns"))
    return [dict(zip(names, row)) for row in data]


def _of_columns(table: dict[str, Any]) -> Rows:
    columns = list(table.values())
    if not any(isinstance(column, (list, dict)) for column in columns):
        return [table]
    if not all(isinstance(column, list) and len(column) == len(columns[0]) for column in columns):
        raise Refusal(422, "inputs: expected an object of columns, lists of the same length; or of the values of one row.")
    return [dict(zip(table, row)) for row in zip(*columns)]


def _require_shapes(wrong: Mapping[int, str]) -> None:
    """Refuse rows, from 0, that are no rows of the table."""
    if wrong:
        problems = [FieldProblem(row + 1, None, "type", says) for row, says in islice(wrong.items(), LISTED)]
        raise Refusal(422, "Some rows do not fit the table.", problems, {tally_key(None, "type"): len(wrong)})


def reads_parquet() -> bool:
    """Whether the library for it is installed, which the image has not."""
    return find_spec("pyarrow") is not None


def _of_csv(service: Service, body: Iterator[bytes]) -> Rows:
    """The rows of a CSV table; like `POST /predict/file` it may have further columns, which are not kept."""
    wanted = {*service.schema.names, *service.ids}
    rows: Rows = []
    wrong: dict[int, str] = {}
    with csv_upload.spool(body) as file:
        sheet = csv_upload.open_sheet(file, service.rules)
        size = len(sheet.header)
        places = {name: place for place, name in enumerate(sheet.header) if name in wanted}
        for number, row in enumerate(islice(sheet.rows, service.decoder.max_rows + 1)):
            says = shape_error(row, size)
            if row is None or says:
                wrong[number] = says
            else:
                rows.append({name: row[place] for name, place in places.items()})
    if not rows and not wrong:
        raise Refusal(422, "The table has no rows.")
    service.decoder.require_rows(len(rows) + len(wrong))
    _require_shapes(wrong)
    return rows


def _of_parquet(service: Service, body: Iterator[bytes]) -> Rows:
    from slipway.serving.protocols.parquet_rows import read_rows

    return read_rows(b"".join(body), [*service.schema.names, *service.ids], service.decoder)


READERS: dict[str, Callable[[Service, Iterator[bytes]], Rows]] = {CSV: _of_csv, PARQUET: _of_parquet}
