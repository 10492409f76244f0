"""slipway init"""

import math
import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import yaml

from slipway.cli import collection, database
from slipway.errors import ProblemError
from slipway.kinds import TASKS
from slipway.problem import FILE, SPARK

if TYPE_CHECKING:
    from slipway import problem
    from slipway.table.inference import Target
    from slipway.training.data.sample import Sample
    from slipway.training.inspection.order import Order
    from slipway.training.inspection.profile import Finding
    from slipway.training.inspection.written import Written

Say = Callable[[str, str], None]  # what was found in a table; what was written, and what to do then


@click.command()
@click.argument("table")
@click.option("--target", required=True, help="The column to predict.")
@click.option("--id", "ids", multiple=True, help="A column that names a row; found by itself when it looks like one.")
@click.option("--positive", help="For two classes: the label whose probability is answered.")
@click.option("--task", type=click.Choice(TASKS), help="What kind of answer; by default what the target looks like.")
@click.option("--name", help="Name of the problem; by default that of the table.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), default=FILE, show_default=True)
@click.option("--force", is_flag=True, help="Overwrite the file.")
def command(
    table: str,
    target: str,
    ids: tuple[str, ...],
    positive: str | None,
    task: str | None,
    name: str | None,
    output: Path,
    force: bool,
) -> None:
    """Look at TABLE and write a commented slipway.yaml for it.

    TABLE is a CSV or Parquet file, a quoted glob of them, s3://bucket/key with a glob in its key, a table of the SQL database
    in DATABASE_URL (sql:TABLE), a MongoDB collection (mongodb:COLLECTION on the server in MONGO_DB_URL, or
    mongodb://HOST/DATABASE/COLLECTION), or spark:TABLE on the cluster in SLIPWAY_SPARK_MASTER.

    \b
    Example:
      slipway init table.csv --target charges
      slipway init "data/*.parquet" --target approved --positive yes
      slipway init sql:patients --target charges
      slipway init mongodb://localhost:27017/shop/patients --target charges
    """
    if output.exists() and not force:
        raise ProblemError(f"{output}: already exists", "Add --force to overwrite it, or --output to write another")
    text, say = problem_for(table, target, output, ids, positive, task, name)
    _write(output, text)
    say(f"Wrote {output}", "slipway train" + ("" if str(output) == FILE else f" --problem {output}"))


def problem_for(
    table: str,
    target: str,
    output: Path,
    ids: Sequence[str] = (),
    positive: str | None = None,
    task: str | None = None,
    name: str | None = None,
    moved: Mapping[str, str] | None = None,
) -> tuple[str, Say]:
    """The text of slipway.yaml at `output` for a table, and what tells a person about it once it is written.

    Parameters
    ----------
    moved : mapping, optional
        Settings on where the table will be, if that is not where it is now: source, and the command under fetch.
    """
    from slipway.problem import read_problem
    from slipway.table.inference import features, read_target
    from slipway.training.inspection.problem_file import problem_text
    from slipway.training.inspection.profile import Finding, profile
    from slipway.training.inspection.review import review
    from slipway.training.inspection.written import read_as_written

    named = collection.named(table, "the table", lambda: _here().mongodb) if collection.is_collection(table) else None
    origin = _origin(table, named, output)
    now = {"source": str(Path(table).resolve())} if moved and "source" in moved else {}  # the folder may not be there yet
    given = {
        "name": name or _name(table, named),
        **origin,
        **now,
        **_cluster(table),
        "target": target,
        "positive": positive,
        "task": task,
        "id": list(ids),
    }
    draft = read_problem(yaml.safe_dump({key: value for key, value in given.items() if value}), output, {})
    sample, unfit = _sample(draft, table, named, {target, *ids})
    written = read_as_written(sample.table.to_pandas())
    read = read_target(written.frame, draft)
    features(written.frame, draft)  # tells an id that is no column
    findings = profile(written, read, ids)
    if unfit and database.is_database(table):
        findings = [*findings, *(Finding(name, "drop", why) for name, why in unfit.items())]
        unfit = {}
    elif unfit:
        origin["mongodb"]["fields"] = {column: column for column in written.frame.columns}
    written_so = partial(problem_text, draft, _lines(draft, origin | dict(moved or {}), unfit), read, written, findings)
    learned = [finding.name for finding in findings if finding.use == "feature"]
    found = review(sample.table.to_pandas(date_as_object=False), read_problem(written_so(), output, {}), learned)
    text = written_so(found.order)
    read_problem(text, output, {})

    def say(wrote: str, then: str) -> None:
        _say(sample.seen, read, written, findings, unfit)
        if found.order:
            _say_order(found.order)
        _say_next(wrote, then, output, written, [read.name, *learned])
        if named and not os.environ.get(draft.mongodb.url):
            click.echo(f"Before that, set {draft.mongodb.url} to the URL of the server.")

    return text, say


def _name(table: str, named: collection.Named | None) -> str:
    """What the problem is called if nobody says: as its table."""
    if table.startswith(SPARK):
        return problem_name(_spark_name(table.removeprefix(SPARK).strip()))
    if table.startswith(database.PREFIX):
        return problem_name(table.removeprefix(database.PREFIX))
    return problem_name(named.collection if named else Path(table).name.split(".")[0])


def _spark_name(text: str) -> str:
    if " " in text:  # a query
        return ""
    return Path(text).name.split(".")[0] if "/" in text else text.rpartition(".")[2]


def _cluster(table: str) -> dict[str, Any]:
    """The cluster of a table there, as far as the environment names it; what is written leaves it to the environment."""
    master = os.environ.get("SLIPWAY_SPARK_MASTER")
    return {"spark": {"master": master}} if table.startswith(SPARK) and master else {}


def problem_name(text: str) -> str:
    """The name of a problem after a text: its words, joined by hyphens."""
    return re.sub(r"\W+", "-", text).strip("-") or "problem"


def _origin(table: str, named: collection.Named | None, output: Path) -> dict[str, Any]:
    """What slipway.yaml says of where the table is."""
    if database.is_database(table):
        return database.section_of(table, lambda: _here().sql)
    return collection.section_of(table, named) if named else {"source": _source(table, output)}


def _source(table: str, output: Path) -> str:
    """What `source` says in a file at `output`."""
    return (
        table
        if "://" in table or table.startswith(SPARK)
        else Path(os.path.relpath(Path(table).resolve(), output.resolve().parent)).as_posix()
    )


def _here() -> "problem.Problem":
    """What the problem file here says, if there is one, and the environment: servers, and what they call their databases."""
    from slipway.problem import load_problem, read_problem

    path = Path(os.environ.get("SLIPWAY_PROBLEM") or FILE)
    return load_problem(path) if path.exists() else read_problem("{name: a, source: a, target: a}", path, os.environ)


def _sample(
    draft: "problem.Problem", table: str, named: collection.Named | None, needed: Collection[str]
) -> tuple["Sample", dict[str, str]]:
    """A sample of the table, and which of its columns cannot be read and why; TableError when one of them is `needed`."""
    if database.is_database(table):
        return database.sample_of(draft, needed)
    if named:
        return collection.sample_of(draft, named, needed)
    from slipway.sources.source import open_source
    from slipway.training.data.sample import draw

    batches = open_source(draft)
    return draw(batches, batches.names, draft.sample.cells // len(batches.names), ", ".join(draft.source)), {}


def _write(output: Path, text: str) -> None:
    from slipway.store.atomic import unwritable

    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise unwritable(output, error, ProblemError) from error


def _lines(draft: "problem.Problem", origin: Mapping[str, Any], unfit: Mapping[str, str]) -> list[str]:
    """The lines on where the table is."""
    from slipway.training.inspection.problem_file import scalar, shown

    lines = [f"{key}: {scalar(origin[key])}" for key in ("source", "fetch") if key in origin]
    if "sql" in origin:
        lines += [f"# The URL of the database is in the environment variable {draft.sql.url}"]
        lines += [yaml.safe_dump({"sql": origin["sql"]}, sort_keys=False, allow_unicode=True, width=math.inf).rstrip("\n")]
    if "mongodb" in origin:
        lines += [f"# The URL of the server is in the environment variable {draft.mongodb.url}"]
        if unfit:
            lines += ["# These fields cannot be columns. Add a part of an object to fields, such as city: address.city"]
            lines += [f"#   {shown(name)}: {shown(why)}" for name, why in unfit.items()]
        section = {"mongodb": origin["mongodb"]}
        lines += [yaml.safe_dump(section, sort_keys=False, allow_unicode=True, width=math.inf).rstrip("\n")]
    return lines


def _say(rows: int, target: "Target", table: "Written", findings: "Sequence[Finding]", unfit: Mapping[str, str]) -> None:
    from slipway.report.numbers import counted
    from slipway.training.inspection.problem_file import shown

    kinds = {use: [finding for finding in findings if finding.use == use] for use in ("feature", "id", "drop")}
    columns = counted(len(kinds["feature"]), "column")
    click.echo(f"Read {rows:,} rows: {columns} to learn {shown(target.name)} from ({target.task}).")
    for name, why in unfit.items():
        click.echo(f"  {shown(name)}: left out: {shown(why)}")
    for use in ("id", "drop"):
        for finding in kinds[use]:
            mark = "SUSPECTED LEAK, left out" if finding.leak else {"id": "id", "drop": "left out"}[use]
            click.echo(f"  {shown(finding.name)}: {mark}: {shown(finding.says)}")
    _say_written(target.name, table, table.markers.get(target.name, {}))
    for finding in kinds["feature"]:
        if "SUSPICIOUS" in finding.says or "NOT A NUMBER" in finding.says:
            click.echo(f"  {shown(finding.name)}: {shown(finding.says)}")
        _say_written(finding.name, table, finding.markers)


def _say_written(name: str, table: "Written", markers: Mapping[str, int]) -> None:
    """How the cells of a column are written."""
    from slipway.training.inspection.problem_file import shown

    found = table.found_in(name)
    if found.format:
        click.echo(f"  {shown(name)}: written as {shown(found.format)} ({shown(found.evidence)})")
    if found.are_codes:
        click.echo(f"  {shown(name)}: category: {shown(found.evidence)}")
    if markers:
        click.echo(f"  {shown(name)}: read as missing: {', '.join(map(repr, markers))}")


def _say_order(order: "Order") -> None:
    """The column in whose order the rows are, and whether it is set as time."""
    from slipway.training.inspection.problem_file import shown

    as_what = "time" if order.flatters else "not set as time"
    click.echo(f"  {shown(order.column)}: {as_what}: {shown(order.says)}")


def _say_next(wrote: str, then: str, output: Path, table: "Written", names: Sequence[str]) -> None:
    """What to do next: first of all, the questions that the cells leave open."""
    from slipway.training.inspection.problem_file import shown

    asked = {name: table.found_in(name) for name in names if table.found_in(name).choices}
    if not asked:
        click.echo(f"{wrote}. Next: {then}")
        return
    click.echo(f"{wrote}. These columns are ambiguous. Before training, answer in {output}, under formats:")
    for name, found in asked.items():
        either = " or ".join(f'"{each}"' for each in found.choices)
        click.echo(f"  {shown(name)}: {shown(found.evidence)}? Write {either}.")
    click.echo(f"Then: {then}")
