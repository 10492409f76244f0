"""How far a command is, on standard error: a line redrawn on a terminal, a plain line now and then elsewhere."""

import sys

import click

FEW = 200_000  # rows that are read before one asks how far it is
ERASED = "\r\033[K"


class Progress:
    """A context; at its end, also that by an error, the line that was drawn stays and is closed."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._drawn = False
        self._what = ""
        self._tenth, self._next = 0, FEW

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def advance(self, what: str, done: int, share: float | None, says: str) -> None:
        """Say how far `what` is: without a terminal every tenth part, or, without a `share`, when twice as much is `done`."""
        if what != self._what:
            self._close()
            self._what, self._tenth, self._next = what, 0, FEW
        if self._terminal:
            bar = "" if share is None else f"{'█' * int(30 * share):<30} {share:4.0%} "
            self._draw(f"{what} {bar}{says}")
        elif share is None and done >= self._next:
            self._next = 2 * done
            self.say(f"{what}: {says}")
        elif share is not None and int(10 * share) > self._tenth:
            self._tenth = int(10 * share)
            self.say(f"{what}: {self._tenth}0%, {says}")

    def file(self, number: int, total: int, name: str, size: int, what: str) -> None:
        """Say what is done with a file; "…" at the end of it: not yet. One that was replaced stays to be read."""
        line = f"{number}/{total} {name}, {size:,} bytes: {what}"
        if self._terminal and not what.endswith("replaced"):
            self._draw(line)
        elif not what.endswith("…"):
            self.say(line)

    def say(self, line: str) -> None:
        """Write a line that stays, in the place of the one that is redrawn."""
        click.echo(f"{ERASED if self._drawn else ''}{line}", err=True)
        self._drawn = False

    def _close(self) -> None:
        if self._drawn:
            click.echo(err=True)
        self._drawn = False

    def _draw(self, line: str) -> None:
        click.echo(f"{ERASED}{line}", err=True, nl=False)
        self._drawn = True
