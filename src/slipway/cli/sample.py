"""slipway sample"""

from pathlib import Path

import click

from slipway.errors import TableError
from slipway.files import replace


@click.command()
@click.argument("name", type=click.Choice(["insurance", "loan", "truck"]))
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--rows", type=click.IntRange(1), default=None, help="How many rows; by default as many as the original.")
@click.option("--force", is_flag=True, help="Overwrite a file that holds something else.")
def command(name: str, file: Path, rows: int | None, force: bool) -> None:
    """Write a sample table as CSV to FILE: insurance charges, loan approvals or truck sensor faults.

    \b
    Example:
      slipway sample insurance data/insurance.csv
    """
    import csv
    import io

    from slipway.samples import ROWS, SAMPLES

    if file.exists() and not force and rows is None:
        click.echo(f"{file} is there already; --force writes it anew.")
        return
    if file.exists() and not force:
        raise TableError(f"{file}: is there already", "Add --force to overwrite it")
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(SAMPLES[name](rows or ROWS[name]))
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        replace(file, buffer.getvalue().encode())
    except OSError as error:
        raise TableError(f"{file}: cannot be written ({error.strerror})") from error
    click.echo(f"Wrote {rows or ROWS[name]:,} rows to {file}")
