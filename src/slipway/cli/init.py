"""slipway init"""

import math
import os
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import yaml

from slipway.cli.collection import Named, is_collection, named
from slipway.errors import ProblemError

if TYPE_CHECKING:
    from slipway import problem
    from slipway.table.inference import Target
    from slipway.training.profile import Finding
    from slipway.training.sample import Sample

PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./*-]*")
RESERVED = {"yes", "no", "on", "off", "true", "false", "null", "y", "n"}
WIDEST = 40  # of the names of columns in a comment
URL = "MONGO_DB_URL"  # the default of mongodb.url


@click.command()
@click.argument("table")
@click.option("--target", required=True, help="The column to predict.")
@click.option("--id", "ids", multiple=True, help="A column that names a row; found by itself when it looks like one.")
@click.option("--positive", help="For two classes: the label whose probability is answered.")
@click.option("--name", help="Name of the problem; by default that of the table.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), default="slipway.yaml", show_default=True)
@click.option("--force", is_flag=True, help="Overwrite the file.")
def command(
    table: str, target: str, ids: tuple[str, ...], positive: str | None, name: str | None, output: Path, force: bool
) -> None:
    """Look at TABLE and write a commented slipway.yaml for it.

    TABLE is a CSV or Parquet file, a quoted glob of them, s3://bucket/key with a glob in its key, or a MongoDB collection:
    mongodb:COLLECTION on the server in MONGO_DB_URL, or mongodb://HOST/DATABASE/COLLECTION.

    \b
    Example:
      slipway init table.csv --target charges
      slipway init "data/*.parquet" --target approved --positive yes
      slipway init mongodb://localhost:27017/shop/patients --target charges
    """
    if output.exists() and not force:
        raise ProblemError(f"{output}: is there already", "Add --force to overwrite it, or --output to write another")
    from slipway.problem import read_problem
    from slipway.store.atomic import unwritable
    from slipway.table.inference import features, read_target
    from slipway.training.profile import profile, usual_markers

    collection = named(table, "the table", _server) if is_collection(table) else None
    origin: dict[str, Any] = _section(table, collection) if collection else {"source": _source(table, output)}
    name = name or re.sub(r"\W+", "-", collection.collection if collection else Path(table).name.split(".")[0]).strip("-")
    given = {"name": name or "problem", **origin, "target": target, "positive": positive, "id": list(ids)}
    draft = read_problem(yaml.safe_dump({key: value for key, value in given.items() if value}), output, {})
    sample, unfit = _from_collection(draft, collection, {target, *ids}) if collection else (_sample(draft), {})
    frame = sample.table.to_pandas()
    read = read_target(frame, draft)
    features(frame, draft)  # tells an id that is no column
    findings = profile(frame, read, ids)
    if unfit:
        origin["mongodb"]["fields"] = {column: column for column in frame.columns}
    text = _text(draft.name, _origin(origin, unfit), read, findings, positive, usual_markers(frame), _balance(read))
    read_problem(text, output, {})
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise unwritable(output, error, ProblemError) from error
    _say(output, sample.seen, read, findings, unfit)
    if collection and not os.environ.get(collection.where) and not os.environ.get(URL):
        click.echo(f"Before that, set {URL} to the URL of the server.")


def _source(table: str, output: Path) -> str:
    """What `source` says in a file at `output`."""
    return table if "://" in table else Path(os.path.relpath(Path(table).resolve(), output.resolve().parent)).as_posix()


def _section(table: str, collection: Named) -> dict[str, Any]:
    """What slipway.yaml says of a collection: never the URL, which may have a password."""
    variable = {} if "://" in table or collection.where == URL else {"url": collection.where}
    return {"source": "mongodb", "mongodb": variable | {"database": collection.database, "collection": collection.collection}}


def _server() -> "problem.Collection":
    """The server and database that the problem file here names; without one, those of the environment."""
    from slipway.problem import FILE, load_problem, read_problem

    path = Path(os.environ.get("SLIPWAY_PROBLEM") or FILE)
    return (load_problem(path) if path.exists() else read_problem("{name: a, source: a, target: a}", path, os.environ)).mongodb


def _sample(draft: "problem.Problem") -> "Sample":
    from slipway.sources.source import open_source
    from slipway.training.sample import draw

    batches = open_source(draft)
    return draw(batches, batches.names, draft.sample.cells // len(batches.names), ", ".join(draft.source))


def _from_collection(draft: "problem.Problem", collection: Named, needed: Collection[str]) -> tuple["Sample", dict[str, str]]:
    """A sample of a collection, and which fields cannot be columns and why; TableError when one of them is `needed`."""
    from msgspec.structs import replace

    from slipway.sources.mongodb import UnfitField, open_collection, place
    from slipway.training.sample import draw

    settings = replace(draft.mongodb, url=collection.where)
    unfit: dict[str, str] = {}
    while True:
        batches = open_collection(settings, without=unfit, server=collection.url)
        try:
            return draw(batches, batches.names, draft.sample.cells // len(batches.names), place(settings)), unfit
        except UnfitField as error:
            if error.field in needed or error.field in unfit:
                raise
            unfit[error.field] = error.why


def _balance(target: "Target") -> float | None:
    return float((target.y == 1).mean()) if target.task == "binary" else None


def _origin(origin: Mapping[str, Any], unfit: Mapping[str, str]) -> list[str]:
    """The lines on where the table is."""
    lines = [f"source: {_scalar(origin['source'])}"]
    if "mongodb" in origin:
        lines += [f"# The URL of the server is in the environment variable {origin['mongodb'].get('url', URL)}"]
        if unfit:
            lines += ["# These fields cannot be columns. Add a part of an object to fields, such as city: address.city"]
            lines += [f"#   {_shown(name)}: {_shown(why)}" for name, why in unfit.items()]
        section = {"mongodb": origin["mongodb"]}
        lines += [yaml.safe_dump(section, sort_keys=False, allow_unicode=True, width=math.inf).rstrip("\n")]
    return lines


def _text(
    name: str, origin: Sequence[str], target: "Target", findings: Sequence["Finding"], positive: str | None,
    markers: Sequence[str], balance: float | None,
) -> str:
    lines = [
        "# What to predict, and from what. docs/settings.md lists every setting.",
        f"name: {_scalar(name)}", *origin, f"target: {_scalar(target.name)}",
        *_task(target, positive, balance), "",
    ]
    lines += _group("id", "names a row: decides who is held out, and is not learned from", findings)
    lines += _group("drop", "left out", findings)
    found = sorted({marker for finding in findings for marker in finding.markers})
    if found:
        lines += ["missing:                     # texts that seem to mean a missing cell, besides the usual ones"]
        lines += [f"  - {_scalar(marker)}" for marker in found]
    if markers:
        lines += [f"# Read as missing: {', '.join(marker or 'empty cells' for marker in markers)}"]
    lines += ["", "# Learned from (set types: {column: number | integer | category | date} where a type is wrong):"]
    learned = [(_shown(finding.name), _shown(finding.says)) for finding in findings if finding.use == "feature"]
    width = min(WIDEST, max([len(shown) for shown, _ in learned], default=0))
    lines += [f"#   {shown:<{width}}  {says}" for shown, says in learned]
    lines += [
        "", "gate:", "  # minimum: …               # what a challenger must reach on held-out rows",
        "  minimum_gain: 0             # by how much it must beat the champion",
        "  confidence: 0.9             # in what share of bootstrap draws", "",
        "serving:", "  unknown_levels: reject      # or warn: answer, and say so", "  out_of_range: reject", "",
    ]
    return "\n".join(lines)


def _task(target: "Target", positive: str | None, balance: float | None) -> list[str]:
    if target.task == "regression":
        return ["task: regression             # the target is a number", "metric: rmse                 # or mae, r2"]
    if target.task == "multiclass":
        return [
            f"task: multiclass             # {len(target.classes)} labels: {_shown(', '.join(target.classes[:8]))}",
            "metric: log_loss             # or accuracy, balanced_accuracy, f1_macro",
        ]
    why = "given" if positive else "guessed: change it if the other label is the question"
    rare = balance is not None and balance < 0.1
    metric = "pr_auc" if rare else "roc_auc"
    says = f"only {balance:.1%} are positive, so ranking them matters" if rare else f"{balance:.1%} are positive"
    return [
        "task: binary", f"positive: {_scalar(target.classes[1], True):<19} # {why}",
        f"metric: {metric:<21} # {says}; or log_loss, brier, f1, accuracy",
        "# costs:                     # what wrong answers cost; then metric: cost, and the threshold follows",
        "#   false_positive: 1", "#   false_negative: 10",
    ]


def _group(use: str, says: str, findings: Sequence["Finding"]) -> list[str]:
    chosen = [finding for finding in findings if finding.use == use]
    if not chosen:
        return []
    lines = [f"{use}:  # {says}"]
    for finding in chosen:
        back = "; if not, take it out of this list" if finding.leak else ""
        lines.append(f"  - {_scalar(finding.name)}  # {_shown(finding.says)}{back}")
    return lines


def _scalar(text: str, always: bool = False) -> str:
    """A text of YAML, in quotes where it needs them or `always`."""
    if PLAIN.fullmatch(text) and text.lower() not in RESERVED and not always:
        return text
    return yaml.safe_dump(text, default_style='"', allow_unicode=True, width=math.inf).rstrip("\n")


def _shown(text: str) -> str:
    """A text for a comment or a terminal: on one line, control characters and their like escaped."""
    line = " ".join(text.split())
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in line)


def _say(
    output: Path, rows: int, target: "Target", findings: Sequence["Finding"], unfit: Mapping[str, str],
) -> None:
    kinds = {use: [finding for finding in findings if finding.use == use] for use in ("feature", "id", "drop")}
    click.echo(f"Read {rows:,} rows: {len(kinds['feature'])} columns to learn {_shown(target.name)} from ({target.task}).")
    for name, why in unfit.items():
        click.echo(f"  {_shown(name)}: left out: {_shown(why)}")
    for use in ("id", "drop"):
        for finding in kinds[use]:
            mark = "SUSPECTED LEAK, left out" if finding.leak else {"id": "id", "drop": "left out"}[use]
            click.echo(f"  {_shown(finding.name)}: {mark}: {_shown(finding.says)}")
    for finding in kinds["feature"]:
        if "SUSPICIOUS" in finding.says:
            click.echo(f"  {_shown(finding.name)}: {_shown(finding.says)}")
        if finding.markers:
            click.echo(f"  {_shown(finding.name)}: read as missing: {', '.join(map(repr, finding.markers))}")
    click.echo(f"Wrote {output}. Next: slipway train" + ("" if str(output) == "slipway.yaml" else f" --problem {output}"))
