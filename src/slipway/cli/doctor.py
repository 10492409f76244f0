"""slipway doctor"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from slipway.cli import options

if TYPE_CHECKING:
    from slipway.doctor.finding import Finding
    from slipway.problem import Problem
    from slipway.store.local import LocalStore


@click.command()
@click.option(
    "--live",
    metavar="[URL]",
    is_flag=False,
    flag_value="",
    help="Also check the first deployment: ask the service at URL, restore the champion from the store, look for images.",
)
@options.problem
def command(live: str | None, path: str | None) -> None:
    """Check the checkout, GitHub, credentials, roads, other CI systems, store and box; report what is missing and what to do.

    The last line tells what training and serving on this machine need from what only a release needs. You may not need
    everything that is missing; that depends on how you deploy. Failures are wrong or dangerous, and end with exit code 7.
    Nothing is changed, and no secret is shown.

    \b
    Example:
      slipway doctor
      slipway doctor --live https://api.example.org
    """
    from slipway.doctor.finding import FAILED, MISSING
    from slipway.errors import ReleaseError

    if live and not live.startswith(("https://", "http://")):
        raise click.BadParameter("expected an address such as https://api.example.org", param_hint="--live")
    groups = examine(path, os.environ, Path("/"), live)
    for name, findings in groups.items():
        if findings:
            click.echo(name)
        for each in findings:
            click.echo(f"  {each.state:<8} {each.what:<20} {each.says}")
            if each.cure:
                click.echo(f"{'':<31} → {each.cure}")
    wrong = [each for findings in groups.values() for each in findings if each.state in (FAILED, MISSING)]
    states = [each.state for each in wrong]
    click.echo(f"\n{states.count(FAILED)} failed, {states.count(MISSING)} missing")
    if wrong:
        now = ", ".join(each.what for each in wrong if each.now) or "none of them"
        click.echo(f"Needed to train and serve on this machine: {now}. Needed only for releases: the rest")
    if FAILED in states:
        sys.exit(ReleaseError.exit_code)


def examine(path: str | None, environ: Mapping[str, str], root: Path, live: str | None = None) -> dict[str, list["Finding"]]:
    """All findings by group; `root` is where the file system of the box starts.

    `live` is the address of the service, empty if it is not known; None leaves out what only a deployment has.
    """
    from slipway.doctor import (
        check_checkout,
        check_extras,
        check_log,
        check_roads,
        check_source,
        check_store,
        check_systems,
        check_tracking,
    )
    from slipway.errors import ProblemError
    from slipway.problem import load_problem
    from slipway.store.checkout import Checkout
    from slipway.store.local import open_store

    problem = refused = local = None
    try:
        problem = load_problem(path, environ)
        local = open_store(problem.folder)
    except ProblemError as error:
        refused = error
    folder = problem.folder if problem else Path.cwd()
    facts = check_checkout.gather(folder, local)
    seen = check_store.look(problem, facts.champion)
    retrained = check_source.check(problem, check_source.gather(problem), facts.workflows) if problem else []
    needed = check_extras.check(problem) if problem else []
    logged = check_log.check_here(problem.log, environ) if problem else []
    origin = Checkout(folder).git("remote", "get-url", "origin")
    groups = {
        "checkout": check_checkout.check(facts, refused, seen.bundle) + needed + retrained + logged,
        "GitHub": _github(origin, facts.workflows, environ),
        "credentials": _credentials(origin, environ),
        "roads": check_roads.check(environ, facts.top or folder),
        "systems": check_systems.check(environ, facts.top or folder, facts.in_git, bool(problem and problem.remote)),
        "store": check_store.check(seen, facts.champion, facts.in_git) + check_tracking.check(environ),
        "box": _box(root, problem),
    }
    if live is not None and problem and local:
        groups |= _live(live, problem, local, facts.champion, environ)
    return groups


def _live(
    address: str, problem: "Problem", store: "LocalStore", champion: str | None, environ: Mapping[str, str]
) -> dict[str, list["Finding"]]:
    """What only a deployment has: a service that answers, and something to restore it from."""
    from slipway.api_keys import VARIABLE, listed_keys
    from slipway.doctor import check_restore, check_service
    from slipway.doctor.finding import SKIPPED, Finding

    golden = _golden(store)
    key = next(iter(listed_keys(environ.get(VARIABLE, ""))), "")
    seen = check_service.look(address.rstrip("/"), golden.get("row"), key) if address else None
    asked = [Finding("service", SKIPPED, "its address is not known", "slipway doctor --live https://api.example.org")]
    restored = check_restore.check(problem, champion, seen.ready if seen and not seen.silent else None)
    return {
        "service": check_service.check(seen, champion, golden.get("answer")) if seen else asked,
        "restore": restored + check_restore.images(problem.folder, environ),
    }


def _golden(store: "LocalStore") -> dict[str, Any]:
    """A row that the champion's service accepts, and its recorded answer; empty if its bundle is not here."""
    from slipway.errors import SlipwayError
    from slipway.release.image.labels import labels

    try:
        found: dict[str, Any] = json.loads(labels(store)["slipway.golden"])
    except SlipwayError:
        return {}
    return found


def _github(origin: str | None, workflows: Mapping[str, str], environ: Mapping[str, str]) -> list["Finding"]:
    from slipway.doctor.check_github import check, look, name_of, on_own_machine
    from slipway.release.workflow.road_settings import roads

    name = name_of(origin, environ)
    return check(look(name, environ) if name else None, on_own_machine(workflows, roads(environ)), origin)


def _credentials(origin: str | None, environ: Mapping[str, str]) -> list["Finding"]:
    from slipway.doctor.check_credentials import answers, check, identity, well_formed
    from slipway.doctor.check_github import name_of
    from slipway.release.workflow.workflow_settings import registry_of

    registry = registry_of(environ).host
    unanswered = answers(registry) if well_formed(registry) else ""
    return check(identity(environ), environ, unanswered, elsewhere=bool(origin) and name_of(origin, environ) is None)


def _box(root: Path, problem: "Problem | None") -> list["Finding"]:
    from slipway.doctor import check_box
    from slipway.doctor.finding import SKIPPED, Finding

    try:
        return check_box.check(check_box.gather(root), problem.log if problem else None)
    except PermissionError as error:
        return [Finding("box", SKIPPED, f"only root can read {error.filename}", "Run sudo slipway doctor")]
