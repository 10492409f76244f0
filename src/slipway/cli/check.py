"""slipway check"""

import sys
from pathlib import Path

import click

from slipway.cli import options
from slipway.errors import TableError


@click.command()
@click.argument("table")
@options.problem
def command(table: str, path: str | None) -> None:
    """Say per column what is wrong in TABLE, by the champion's schema (before the first champion: the source's).

    TABLE is a CSV or Parquet file, a quoted glob of them, or s3://bucket/key with a glob in its key.

    \b
    Example:
      slipway check new-patients.csv
      slipway check "s3://clinic/2026-*/*.parquet"
    """
    from slipway.model.contents import schema_of
    from slipway.problem import load_problem
    from slipway.sources.batches import frame_of
    from slipway.sources.source import open_location, open_source
    from slipway.store.local import open_store
    from slipway.table.audit import audit
    from slipway.table.inference import infer_schema

    problem = load_problem(path)
    tested = open_location(table, Path())
    store = open_store(problem.folder)
    pointer = store.pointer()
    if pointer:
        schema, by = schema_of(store.bundle(pointer.digest)), f"champion {pointer.digest[:12]}"
    else:
        by = ", ".join(problem.source)
        schema = infer_schema(frame_of(open_source(problem), by), problem)
    frame = frame_of(tested, table)
    known = {problem.target, *problem.id, *problem.drop}
    found = audit(frame, schema, known, problem.markers)
    for finding in found:
        click.echo(f"{finding.column}: {finding.says}")
    click.echo(f"{table}: {len(frame):,} rows, {len(found)} findings by the schema of {by}")
    if found:
        sys.exit(TableError.exit_code)
