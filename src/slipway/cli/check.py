"""slipway check"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from slipway.cli import options
from slipway.errors import TableError

if TYPE_CHECKING:
    import pandas as pd

    from slipway.problem import Problem


@click.command()
@click.argument("table")
@options.problem
def command(table: str, path: str | None) -> None:
    """Compare TABLE with the champion's schema, column by column (before the first champion: with the source's).

    TABLE is a CSV or Parquet file, a quoted glob of them, or s3://bucket/key with a glob in its key. Exit code 4 means that
    rows cannot be answered as they are. Columns that are not fields are reported and ignored.

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
    from slipway.table.rules import rules_of

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
    found = audit(frame, rules_of(schema, problem), problem.unlearned | schema.unlearned)
    for finding in found:
        click.echo(f"{finding.column}: {finding.says}")
    for remark in _reviewed(frame, problem, [name for name in schema.names if name in frame.columns]):
        click.echo(remark)
    rows = "1 row" if len(frame) == 1 else f"{len(frame):,} rows"
    findings = "1 finding" if len(found) == 1 else f"{len(found)} findings"
    click.echo(f"{table}: {rows}, {findings} against the schema of {by}")
    if pointer is None:
        click.echo(
            f"There is no champion yet: the table was compared with the source, {by}. From the same table nothing can differ."
        )
    if any(finding.rejects for finding in found):
        sys.exit(TableError.exit_code)


def _reviewed(frame: "pd.DataFrame", problem: "Problem", names: "Sequence[str]") -> list[str]:
    """What to look into before learning from a table that has the target, too."""
    if problem.target not in frame.columns or not names:
        return []
    from slipway.training.inspection.review import review

    return review(frame, problem, names).remarks()
