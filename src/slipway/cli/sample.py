"""slipway sample"""

from pathlib import Path

import click

from slipway.errors import TableError
from slipway.store.atomic import replace, unwritable


@click.command()
@click.argument("name", type=click.Choice(["insurance", "loan", "truck"]))
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--rows", type=click.IntRange(1), default=None, help="Number of rows; default: as many as the original.")
@click.option("--real", is_flag=True, help="Download the public table instead; only for insurance.")
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
def command(name: str, file: Path, rows: int | None, real: bool, force: bool) -> None:
    """Write a sample table as CSV to FILE: insurance charges, loan approvals or truck sensor faults.

    The table is generated: the columns of a well-known public table, with invented rows.

    \b
    Example:
      slipway sample insurance data/insurance.csv
      slipway sample insurance data/insurance.csv --real --force
    """
    if real and (name != "insurance" or rows):
        raise click.UsageError("--real downloads the whole insurance table: use it without --rows, and only with insurance")
    if file.exists() and not force and rows is None and not real:
        click.echo(f"{file} already exists; use --force to overwrite it.")
        return
    if file.exists() and not force:
        raise TableError(f"{file}: already exists", "Add --force to overwrite it")
    content, says = _original() if real else _generated(name, rows)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        replace(file, content)
    except OSError as error:
        raise unwritable(file, error, TableError) from error
    click.echo(f"Wrote {says} to {file}")


def _original() -> tuple[bytes, str]:
    from slipway.sources.public_tables import ROWS, URL, insurance

    return insurance(), f"the {ROWS:,} rows of {URL}"


def _generated(name: str, rows: int | None) -> tuple[bytes, str]:
    import csv
    import io

    from slipway.sources.samples import ROWS, SAMPLES

    buffer = io.StringIO()
    rows = rows or ROWS[name]
    csv.writer(buffer, lineterminator="\n").writerows(SAMPLES[name](rows))
    return buffer.getvalue().encode(), f"{rows:,} generated rows"
