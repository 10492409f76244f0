"""slipway check"""

import sys
from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec.structs import replace

from slipway.cli import options
from slipway.cli.database import is_database, section_of
from slipway.errors import TableError

if TYPE_CHECKING:
    import pandas as pd

    from slipway.problem import Problem
    from slipway.sources.batches import Batches
    from slipway.store.pointer import Pointer


@click.command()
@click.argument("table", required=False)
@options.problem
def command(table: str | None, path: str | None) -> None:
    """Compare TABLE with the champion's schema, column by column (if its bundle is not here: with the source's).

    Without TABLE it is the problem's source, fetched first if it is not there. TABLE is a CSV or Parquet file, a quoted glob
    of them, s3://bucket/key with a glob in its key, a table of the SQL database (sql:TABLE), or a table of a Spark cluster,
    as source has it. Exit code 4 means that rows cannot be answered as they are. Columns that are not fields are reported
    and ignored.

    A table of a cluster is counted there, all of it, and the lines also say what drifted from training.

    \b
    Example:
      slipway check
      slipway check new-patients.csv
      slipway check "s3://clinic/2026-*/*.parquet"
      slipway check sql:visits
    """
    from slipway.model.contents import schema_of
    from slipway.problem import SPARK, load_problem
    from slipway.report.numbers import counted
    from slipway.sources.fetch import fetch
    from slipway.sources.source import open_location
    from slipway.store.local import open_store
    from slipway.table.audit import audit
    from slipway.table.inference import infer_schema
    from slipway.table.rules import rules_of

    problem = load_problem(path)
    source = ", ".join(problem.source)
    if table is None:
        fetch(problem, partial(click.echo, err=True))
    store = open_store(problem.folder)
    pointer = store.pointer()
    here = pointer is not None and pointer.digest in store.digests()
    described = _described(problem, table)
    if pointer and here:
        schema, by = schema_of(store.bundle(pointer.digest)), f"champion {pointer.digest[:12]}"
        if described and described.source[0].startswith(SPARK):
            return _on_cluster(described, problem, by)
    else:
        by = source
        schema = infer_schema(_source_frame(problem, by), problem)
    where = table or source
    if described:
        frame = _source_frame(described, where, schema.names)
    else:
        frame = _frame(open_location(where, Path()), problem, where)
    found = audit(frame, rules_of(schema, problem), problem.unlearned | schema.unlearned)
    for finding in found:
        click.echo(f"{finding.column}: {finding.says}")
    for remark in _reviewed(frame, problem, [name for name in schema.names if name in frame.columns]):
        click.echo(remark)
    click.echo(f"{where}: {counted(len(frame), 'row')}, {counted(len(found), 'finding')} against the schema of {by}")
    if by == source:
        click.echo(
            f"{_absent(pointer)}: the table was compared with the source, {by}. From the same table nothing can differ."
        )
    if any(finding.rejects for finding in found):
        sys.exit(TableError.exit_code)


def _described(problem: "Problem", table: str | None) -> "Problem | None":
    """The problem with TABLE as its source; None when TABLE is files."""
    from slipway.problem import SPARK, SQL
    from slipway.sections import Sql

    if table is None:
        return problem
    if is_database(table):
        return replace(problem, source=(SQL,), sql=Sql(**section_of(table, lambda: problem.sql)["sql"]))
    return replace(problem, source=(table,), folder=Path().resolve()) if table.startswith(SPARK) else None


def _source_frame(problem: "Problem", where: str, also: Collection[str] = ()) -> "pd.DataFrame":
    """The problem's table; columns in drop, which may be of types that no table has, stay empty unless they are in `also`."""
    from slipway.sources.source import open_source

    batches = open_source(problem)
    names = batches.names
    wanted = [name for name in names if name not in problem.drop or name in also or name == problem.time]
    if len(wanted) == len(names):
        return _frame(batches, problem, where)
    del batches  # ends a reading that was begun
    read = open_source(problem, wanted, set(names) - set(wanted))
    return _frame(read, problem, where).reindex(columns=list(names))


def _frame(batches: "Batches", problem: "Problem", where: str) -> "pd.DataFrame":
    """The whole table; of one that lies on a cluster a sample by hash, as training would take it."""
    from slipway.sources.batches import frame_of

    if batches.preselect is None:
        return frame_of(batches, where)
    from slipway.training.data.sample import draw

    sample = draw(batches, problem.id or batches.names, max(1, problem.sample.cells // len(batches.names)), where)
    if sample.seen > sample.table.num_rows:
        click.echo(f"{where}: {sample.seen:,} rows, of which a sample is compared: there is no champion to count by", err=True)
    return sample.table.to_pandas(split_blocks=True, self_destruct=True, date_as_object=False)


def _on_cluster(described: "Problem", problem: "Problem", by: str) -> None:
    """Count the table of `described` where it lies."""
    from slipway.report.numbers import counted
    from slipway.sources.spark import SparkTable
    from slipway.spark import check

    source = SparkTable(described)
    found = check(source.frame(), problem)
    for finding in found.findings:
        click.echo(f"{finding.column}: {finding.says}")
    for sentence in found.sentences:
        click.echo(f"{sentence}; unlike training")
    rows, findings = counted(found.rows, "row"), counted(len(found.findings), "finding")
    moved = f", {len(found.moves)} drifted" if found.moves else ""
    refused = f" ({found.answered:,} answered, {found.refused:,} refused)"
    click.echo(f"{source.where}: {rows}{refused}, {findings}{moved} against the schema of {by}")
    if found.refused:
        sys.exit(TableError.exit_code)


def _absent(pointer: "Pointer | None") -> str:
    """Why there is no champion's schema to compare with."""
    if pointer is None:
        return "There is no champion yet"
    return f"The bundle of champion {pointer.digest[:12]} is not here (slipway pull fetches it)"


def _reviewed(frame: "pd.DataFrame", problem: "Problem", names: "Sequence[str]") -> list[str]:
    """What to look into before learning from a table that has the target, too."""
    if problem.target not in frame.columns or not names:
        return []
    from slipway.training.inspection.review import review

    return review(frame, problem, names).remarks()
