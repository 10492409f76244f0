"""The command line. Commands load when they are called, so that ``slipway --help`` is instant."""

import sys
import traceback
from importlib import import_module
from typing import Any

import click

from slipway import __version__
from slipway.errors import SlipwayError

# name → (module, what it does)
COMMANDS = {
    "new": ("slipway.cli.new", "Make a repository for a model."),
    "init": ("slipway.cli.init", "Write a commented slipway.yaml for a table."),
    "check": ("slipway.cli.check", "Compare a table with the champion's schema."),
    "load": ("slipway.cli.load", "Fill a MongoDB collection from a table."),
    "train": ("slipway.cli.train", "Train, compare, and pass the gate."),
    "import": ("slipway.cli.import_model", "Make a bundle of a fitted scikit-learn pipeline."),
    "serve": ("slipway.cli.serve", "Serve the champion."),
    "predict": ("slipway.cli.predict", "Score a table with the champion."),
    "consume": ("slipway.cli.consume", "Answer the rows of a Redis stream or a Kafka topic."),
    "export": ("slipway.cli.export", "Write the champion as a model of MLflow."),
    "status": ("slipway.cli.status", "Show the champion and the last verdicts."),
    "promote": ("slipway.cli.promote", "Make a bundle the champion by hand."),
    "diff": ("slipway.cli.diff", "Show how the model differs from another commit's."),
    "rollback": ("slipway.cli.rollback", "Go back to the previous champion."),
    "push": ("slipway.cli.push", "Copy the champion and the journal to the remote store."),
    "pull": ("slipway.cli.pull", "Fetch a bundle from the remote store."),
    "collect": ("slipway.cli.collect", "Turn the prediction log into tables."),
    "labels": ("slipway.cli.labels", "Add what really happened to the prediction log."),
    "watch": ("slipway.cli.watch", "Tell what moved in production, and what to do."),
    "due": ("slipway.cli.due", "Say whether the next model is due."),
    "monitor": ("slipway.cli.monitor", "Open the page of the last slipway watch."),
    "replay": ("slipway.cli.replay", "Compare a bundle with the champion on what production was asked."),
    "log": ("slipway.cli.log", "Delete a person's rows from the prediction log."),
    "doctor": ("slipway.cli.doctor", "Report what is missing for production."),
    "upgrade": ("slipway.cli.upgrade", "Bring a repository to this version of Slipway."),
    "box": ("slipway.cli.box", "Create, update and delete a box on EC2."),
    "sample": ("slipway.cli.sample", "Write a sample table."),
}
EPILOG = """\b
Exit codes: 0 done (a verdict of "kept" is a result, not an error); 1 unexpected; 2 wrong usage;
3 the problem file or a setting; 4 the table; 5 no champion, a bundle, the store or a stream; 6 the service; 7 a release,
or what slipway doctor found; 8 a repository that cannot be made or upgraded, or a conflict in it; 10, 11, 12 what
slipway watch found; 130 Ctrl-C; 143 SIGTERM.
"""


class Lazy(click.Group):
    """A group whose commands are imported when one of them is called."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = import_module(COMMANDS[name][0]).command
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except SlipwayError as error:
            if context.params["debug"]:
                traceback.print_exc()
            click.echo(f"slipway: {error}", err=True)
            sys.exit(error.exit_code)


@click.group(cls=Lazy, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.version_option(__version__, prog_name="slipway")
def slipway(debug: bool) -> None:
    """Take a tabular model from a table to production, and back.

    \b
    Example:
      slipway init table.csv --target charges
      slipway train
      slipway serve
    """


def main() -> None:
    """The console script."""
    try:
        slipway(standalone_mode=False)
    except click.exceptions.Exit as exit:
        sys.exit(exit.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt) as error:
        why = str(error.__cause__ or error)  # click turns the one into the other
        click.echo(f"slipway: interrupted{why and f': {why}'}", err=True)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except Exception as error:
        if "--debug" in sys.argv:
            raise
        click.echo(f"slipway: unexpected {type(error).__name__}: {error}. Run it again with slipway --debug …", err=True)
        sys.exit(1)
