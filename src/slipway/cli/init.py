"""slipway init"""

import math
import os
import re
from pathlib import Path

import click
import yaml

from slipway.errors import ProblemError

PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./*-]*")
RESERVED = {"yes", "no", "on", "off", "true", "false", "null", "y", "n"}
WIDEST = 40  # of the names of columns in a comment


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
    """Look at TABLE (a CSV or Parquet file, a quoted glob, or s3://bucket/key) and write a commented slipway.yaml for it.

    \b
    Example:
      slipway init table.csv --target charges
      slipway init "data/*.parquet" --target approved --positive yes
    """
    if output.exists() and not force:
        raise ProblemError(f"{output}: is there already", "Add --force to overwrite it, or --output to write another")
    from slipway.inference import features, read_target
    from slipway.problem import read_problem
    from slipway.profile import profile, usual_markers
    from slipway.sources.batches import open_source
    from slipway.training.sample import draw

    folder = output.resolve().parent
    source = table if "://" in table else Path(os.path.relpath(Path(table).resolve(), folder)).as_posix()
    name = name or re.sub(r"\W+", "-", Path(table).name.split(".")[0]).strip("-") or "problem"
    given = {"name": name, "source": source, "target": target, "positive": positive, "id": list(ids)}
    draft = read_problem(yaml.safe_dump({key: value for key, value in given.items() if value}), output, {})
    batches = open_source(draft)
    sample = draw(batches, batches.names, draft.sample.cells // len(batches.names), source)
    frame = sample.table.to_pandas()
    read = read_target(frame, draft)
    features(frame, draft)  # tells an id that is no column
    findings = profile(frame, read, ids)
    text = _text(name, source, read, findings, positive, usual_markers(frame), _balance(read))
    read_problem(text, output, {})
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ProblemError(f"{output}: cannot be written ({error.strerror})") from error
    _say(output, sample.seen, read, findings)


def _balance(target) -> float | None:
    return float((target.y == 1).mean()) if target.task == "binary" else None


def _text(name, source, target, findings, positive, markers, balance) -> str:
    lines = [
        "# What to predict, and from what. docs/settings.md lists every setting.",
        f"name: {_scalar(name)}", f"source: {_scalar(source)}", f"target: {_scalar(target.name)}",
        *_task(target, positive, balance), "",
    ]
    lines += _group("id", "names a row: decides who is held out, and is not learned from", findings)
    lines += _group("drop", "left out", findings)
    found = sorted({marker for finding in findings for marker in finding.markers})
    if found:
        lines += ["missing:                     # texts that seem to mean a missing cell, besides the usual ones"]
        lines += [f"  - {_scalar(marker)}" for marker in found]
    if markers:
        lines += [f"# Read as missing by themselves: {', '.join(repr(marker) for marker in markers)}"]
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


def _task(target, positive: str | None, balance: float | None) -> list[str]:
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


def _group(use: str, says: str, findings) -> list[str]:
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


def _say(output: Path, rows: int, target, findings) -> None:
    kinds = {use: [finding for finding in findings if finding.use == use] for use in ("feature", "id", "drop")}
    click.echo(f"Read {rows:,} rows: {len(kinds['feature'])} columns to learn {_shown(target.name)} from ({target.task}).")
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
