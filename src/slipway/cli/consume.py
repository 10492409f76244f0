"""slipway consume"""

import os

import click

from slipway.cli import options
from slipway.report.numbers import counted


@click.command()
@click.argument("given", metavar="[BROKER]", default="")
@click.option("--from", "source", required=True, metavar="NAME", help="Stream or topic of the rows.")
@click.option("--to", "answers", metavar="NAME", help="Stream or topic of the answers; default: FROM.answers.")
@click.option("--dead-letters", "dead", metavar="NAME", help="Stream or topic of rows without an answer; default: FROM.dead.")
@click.option("--group", metavar="NAME", help="Consumers of a group share the rows; default: slipway-PROBLEM.")
@options.problem
def command(given: str, source: str, answers: str | None, dead: str | None, group: str | None, path: str | None) -> None:
    """Answer the rows of a Redis stream or a Kafka topic with the champion.

    BROKER is redis://HOST:PORT/DATABASE or kafka://HOST:PORT; default: the variable SLIPWAY_STREAM, where passwords belong.
    Each message is a row, a JSON object as POST /predict takes it; an entry of Redis has it in its field row. A message is
    acknowledged once its answer is written. SIGTERM and Ctrl-C end the command after the current batch.

    \b
    Example:
      slipway consume redis://localhost:6379/0 --from patients
      slipway consume kafka://localhost:9092 --from patients --to answers --dead-letters refused
    """
    from slipway.problem import load_problem
    from slipway.serving.service import open_service
    from slipway.streaming.broker import address, broker_url, open_stream
    from slipway.streaming.consumption import consume, ending_by_signal
    from slipway.streaming.stream import Names

    def say(line: str) -> None:
        click.echo(f"slipway: {line}", err=True)

    with ending_by_signal() as ending:
        url, problem = broker_url(given, os.environ), load_problem(path)
        names = Names(source, answers or f"{source}.answers", dead or f"{source}.dead", group or f"slipway-{problem.name}")
        service = open_service(problem)
        stream = open_stream(url, names)
        say(f"{source} at {address(url)} → {names.answers}, by bundle {service.digest[:12]}")
        tally = consume(stream, service, ending, say)
    say(f"{counted(tally.answered, 'row')} answered, {counted(tally.dead, 'dead letter')}")
