"""Slipway beside what people would use instead: the same model in each, asked in turn, in one go.

Every service runs in an environment of its own with the same estimator, is started, asked, and ended; then the next one,
and all again in the next turn, so that a busy machine is busy for all. Each figure is appended to build/serving/RUN.jsonl at
once, so a run can be ended and resumed. Tables of medians are printed; RUN.json and RUN.svg are written beside it.

    python bench/serving                                          # everything, three turns
    python bench/serving --peers slipway,tutorial --loads keep-alive,rows --turns 5
    python bench/serving --report                                 # only print what was measured so far
"""

import argparse
import json
import signal
import sys
from collections.abc import Callable
from dataclasses import replace

from environments import PLACE
from loads import LOADS, Load
from models import MODELS
from picture import picture
from results import Results
from services import SERVICES
from turn import Turn

from tables import printed

Names = tuple[str, ...]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", type=_of(SERVICES), help=f"of {', '.join(SERVICES)}; without it, those of each load")
    parser.add_argument("--models", type=_of(MODELS), help=f"of {', '.join(MODELS)}; without it, those of each load")
    parser.add_argument("--loads", type=_of(LOADS), help=f"of {', '.join(LOADS)}; named, they take all --peers and --models")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3, help="of each load, whole ones")
    parser.add_argument("--run", default="results", help="a name, for results of their own; default: results")
    parser.add_argument("--again", action="store_true", help="forget what this run measured before")
    parser.add_argument("--report", action="store_true", help="measure nothing")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that services are ended, too
    results = Results(PLACE / f"{options.run}.jsonl")
    if options.again:
        results.forget()
    if not options.report:
        _measure(options, results)
    _report(results)


def _of(known: dict) -> Callable[[str], Names]:
    def names(told: str) -> Names:
        unknown = sorted(set(told.split(",")) - set(known))
        if unknown:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: not one of {', '.join(known)}")
        return tuple(told.split(","))

    return names


def _measure(options: argparse.Namespace, results: Results) -> None:
    asked = _asked(options.loads, options.peers, options.models)
    for number in range(options.turns):
        turn = Turn(number, options.seconds, results)
        for model in MODELS.values():
            for even in (False, True):  # what needs the peaks of others comes after them
                mine = [load for load in asked if model.name in load.models and load.even == even]
                for service in SERVICES.values():
                    turn.run(model, service, [load for load in mine if not load.services or service.name in load.services])


def _asked(names: Names | None, peers: Names | None, models: Names | None) -> list[Load]:
    """The loads, each where it is measured: named ones as asked, others where they are at home."""
    if names:
        chosen = (LOADS[name] for name in names)
        return [replace(load, services=peers or load.services, models=models or load.models) for load in chosen]
    found = []
    for load in LOADS.values():
        services = tuple(name for name in load.services or SERVICES if name in (peers or SERVICES))
        theirs = tuple(name for name in load.models if name in (models or MODELS))
        found += [replace(load, services=services, models=theirs)] if services and theirs else []
    return found


def _report(results: Results) -> None:
    written = results.path.with_suffix(".json")
    written.write_text(json.dumps(results.summary(), indent=1) + "\n")
    drawing = results.path.with_suffix(".svg")
    drawing.write_text(picture(results))
    print(printed(results))
    print(f"\nWritten: {written} and {drawing}")


if __name__ == "__main__":
    main()
