"""slipway status"""

import json
from typing import TYPE_CHECKING, Any

import click

from slipway.cli import options
from slipway.errors import BundleError
from slipway.report.numbers import number

if TYPE_CHECKING:
    from slipway.store.local import LocalStore
    from slipway.store.pointer import Pointer

LAST = 5


@click.command()
@options.problem
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(path: str | None, as_json: bool) -> None:
    """Show the champion, whether its bundle is intact, and the last verdicts.

    \b
    Example:
      slipway status
    """
    from slipway.problem import load_problem
    from slipway.store.local import open_store

    problem = load_problem(path)
    store = open_store(problem.folder)
    pointer = store.pointer()
    status = {
        "problem": problem.name,
        "store": str(store.root),
        "bundles": store.digests(),
        "champion": _champion(store, pointer) if pointer else None,
        "verdicts_fault": store.verdicts_fault(),
        "journal": store.journal.entries()[-LAST:],
    }
    click.echo(json.dumps(status, indent=2, ensure_ascii=False) if as_json else "\n".join(_lines(status)))


def _champion(store: "LocalStore", pointer: "Pointer") -> dict[str, Any]:
    from slipway.model.contents import metrics_of, model_of

    found = {
        "digest": pointer.digest,
        "problem": pointer.problem,
        "verdict": dict(store.verdict(pointer)),
        "sound": True,
        "damage": "",
        "holdout": {},
    }
    try:
        bundle = store.bundle(pointer.digest)
        model, metrics = model_of(bundle), metrics_of(bundle)
    except BundleError as error:
        return found | {"sound": False, "damage": str(error)}
    values = {name: one.value for name, one in metrics.holdout.metrics.items()}
    found["damage"] = str(bundle.damage or "")
    return found | {"candidate": model.kind, "target": model.target, "holdout": values}


def _lines(status: dict[str, Any]) -> list[str]:
    from slipway.report.numbers import counted

    champion = status["champion"]
    bundles = counted(len(status["bundles"]), "bundle")
    lines = [f"problem   {status['problem']}", f"store     {status['store']} ({bundles})"]
    if champion is None:
        return [*lines, "champion  none yet: run slipway train"]
    lines.append(f"champion  {champion['digest']}")
    if champion["problem"] != status["problem"]:
        lines.append(f"          OF ANOTHER PROBLEM, {champion['problem']}: slipway serve refuses it; run slipway train")
    if champion["sound"]:
        shown = ", ".join(f"{name} {number(value)}" for name, value in champion["holdout"].items())
        sound = "the files that serve match the digest" if champion["damage"] else "all files match the digest"
        lines += [f"          {champion['candidate']} model of {champion['target']}; {shown}", f"          {sound}"]
    if champion["damage"]:
        lines.append(f"          DAMAGED: {champion['damage']}")
    reasons = champion["verdict"].get("reasons", [])
    lines += [f"{'' if place else 'promoted':<10}{reason}" for place, reason in enumerate(reasons)]
    if status["verdicts_fault"]:
        lines.append(f"verdicts  UNREADABLE: {status['verdicts_fault']}")
    if status["journal"]:
        lines.append("journal")
    for entry in reversed(status["journal"]):
        outcome = entry.get("outcome") or entry.get("event", "")
        lines.append(f"  {entry.get('at', '')}  {entry.get('event', ''):<8}  {outcome:<9} {entry.get('digest', '')[:12]}")
    return lines
