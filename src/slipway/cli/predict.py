"""slipway predict"""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from slipway.cli import options
from slipway.threads import pin_threads


@click.command()
@click.argument("location", metavar="IN")
@click.option("-o", "out", required=True, metavar="OUT", help="Target of the answers; replaced in one step.")
@click.option("--bundle", "digest", metavar="DIGEST", help="Bundle, six digits or more; default: the champion.")
@click.option("--strict", is_flag=True, help="Stop at the first row that cannot be answered, and write nothing.")
@click.option("--rejects", metavar="FILE", help="File for rows that cannot be answered; default: OUT with .rejects.csv.")
@options.problem
def command(location: str, out: str, digest: str | None, strict: bool, rejects: str | None, path: str | None) -> None:
    """Score the table IN with the champion.

    IN and OUT are files (CSV, also .gz, or Parquet), objects in S3 or MongoDB collections; IN can be a glob. OUT has
    all columns of IN, then those of the answer. After an interruption, run the same command again to resume.

    \b
    Example:
      slipway predict patients.csv -o scored.csv
      slipway predict 's3://lake/2026/*.parquet' -o s3://lake/scored.parquet
      slipway predict mongodb:patients -o mongodb:scored
    """
    pin_threads()
    with _terminable():
        from slipway.batch.open import open_batch
        from slipway.batch.run import run
        from slipway.problem import load_problem

        batch = open_batch(load_problem(path), location, out, digest, strict, rejects)
        with _Progress(batch.source.share) as progress:
            mark = run(batch, progress)
    see = f": see {batch.rejects.location}" if mark.rejected else ""
    click.echo(f"{mark.scored:,} rows scored, {mark.rejected:,} rejected{see}")


@contextmanager
def _terminable() -> Iterator[None]:
    """End as by Ctrl-C when SIGTERM comes: what is done is kept, and it is said."""
    def end(number: int, _) -> None:
        signal.signal(number, signal.SIG_IGN)  # a second one would break off the keeping
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    except SystemExit:
        click.echo("slipway: terminated", err=True)
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


class _Progress:
    """A line that counts rows: redrawn on a terminal, every tenth part elsewhere."""

    def __init__(self, share) -> None:
        self._share = share
        self._terminal = sys.stderr.isatty()
        self._drawn = False
        self._tenth = 0
        self._begun, self._before = time.monotonic(), 0

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *_) -> None:
        if self._drawn:
            click.echo(err=True)

    def __call__(self, mark, says: str) -> None:
        rows = mark.scored + mark.rejected
        if says:
            if self._drawn:
                click.echo(err=True)
                self._drawn = False
            click.echo(says, err=True)
            self._before = rows
            return
        rate = (rows - self._before) / max(time.monotonic() - self._begun, 1e-3)
        share = self._share(mark.position)
        told = f"{rows:,} rows, {rate:,.0f} a second"
        if self._terminal:
            bar = "" if share is None else f"{'█' * int(30 * share):<30} {share:4.0%} "
            click.echo(f"\r\033[KScoring {bar}{told}", err=True, nl=False)
            self._drawn = True
        elif share is not None and int(10 * share) > self._tenth:
            self._tenth = int(10 * share)
            click.echo(f"Scoring: {self._tenth}0%, {told}", err=True)
