"""Around CodePipeline's own action for ECS: python -m slipway.release.fargate.ecs_action images|verify NAME HOST/REPO

That action copies the revision that a service runs and replaces the images that a file names. It knows of no number of tasks,
no settings and no labels, and does not tell a deployment that ECS rolled back from one that takes long.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from slipway.errors import ReleaseError, SlipwayError
from slipway.release.clock import interruptible
from slipway.release.fargate.aws import Aws
from slipway.release.fargate.ecs import Ecs, Service
from slipway.release.fargate.last_words import EVENTS, last_words
from slipway.release.fargate.release import Fargate, public_address
from slipway.release.fargate.revision import environment_of, release_of, released_containers
from slipway.release.fargate.rollout import Failed, Rollout
from slipway.release.public_address import require_release
from slipway.release.request import MOST_BYTES, Request, read_request
from slipway.store.local import open_store

AGAIN = "Release the commit again: in CodePipeline, Release change"


def image_definitions(definition: Mapping[str, Any], repository: str, digest: str) -> list[dict[str, str]]:
    """What imagedefinitions.json holds: each container that runs the image of a release, with the new one by digest.

    Parameters
    ----------
    definition : mapping
        The revision that the service runs, as describe-task-definition has it.
    repository, digest : str
        Of the image: ``HOST/REPO`` and ``sha256:…``.

    Raises
    ------
    ReleaseError
        If there is no container `app`.
    """
    return [{"name": name, "imageUri": f"{repository}@{digest}"} for name in released_containers(definition, repository)]


def verify(fargate: Fargate, request: Request) -> Iterator[str]:
    """Make sure that the action made a release live; yields the steps, and at the end a line that begins with ``Result: ``.

    Where nothing serves yet, it makes the first release, as ``deploy fargate``: tasks, settings and labels come from there.

    Raises
    ------
    ReleaseError
        If another image serves, or not the bundle of this commit.
    """
    service = fargate.ecs.look()
    revision = service.primary.revision
    current = fargate.ecs.definition(revision)
    id = environment_of(current).get("SLIPWAY_RELEASE")
    if service.desired == 0 or not id:
        yield "no release was made here yet: the first one brings the tasks and the settings"
        yield from fargate.deploy(request)
        return
    yield from _require_image(service, current, fargate.repository, request.digest)
    yield from _follow(fargate, service, request.run_number)
    address = public_address(service.tags)
    if address:
        require_release(address, id, fargate.bundle, fargate.clock)
        yield f"{address} serves the bundle {fargate.bundle[:12]}"
    else:
        yield "no public address to ask: its tasks are ready, as ECS sees them"
    if release_of(current) is None:
        yield f"/readyz goes on naming release {id} and its commit: the action for ECS changes the image alone"
    yield f"Result: {request.digest[:19]} of commit {request.commit[:12]} is live as {revision.rpartition('/')[2]}"


def _require_image(service: Service, current: Mapping[str, Any], repository: str, digest: str) -> Iterator[str]:
    """ReleaseError, after the last events of the service, if any container of a release runs another image."""
    names = released_containers(current, repository)
    found = {each["image"] for each in current["containerDefinitions"] if each["name"] in names}
    if found != {f"{repository}@{digest}"}:
        yield from (f"  event: {text}" for text in reversed([*service.events.values()][:EVENTS]))
        reason = f" ({service.primary.reason})" if service.primary.reason else ""
        raise ReleaseError(
            f"{service.primary.revision} runs {', '.join(sorted(found))}, not {repository}@{digest}: "
            f"ECS went back to it{reason}, or it was deployed meanwhile",
            AGAIN,
        )


def _follow(fargate: Fargate, service: Service, run_number: int) -> Iterator[str]:
    revision = service.primary.revision
    try:
        yield from Rollout(fargate.ecs, fargate.clock, revision, run_number, service).follow()
    except Failed:
        yield from last_words(fargate.ecs, revision, service)
        raise


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m slipway.release.fargate.ecs_action", description=__doc__)
    parser.add_argument("command", choices=("images", "verify"), help="print imagedefinitions.json, or check the deployment")
    parser.add_argument("name", help="of the service and its cluster")
    parser.add_argument("repository", help="of the image: HOST/REPO")
    asked = parser.parse_args()
    try:
        request = read_request(sys.stdin.buffer.read(MOST_BYTES + 1))
        for line in _images(asked, request) if asked.command == "images" else _verify(asked, request):
            print(line, flush=True)
    except SlipwayError as error:
        print(f"slipway: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


def _images(asked: argparse.Namespace, request: Request) -> Iterator[str]:
    ecs = Ecs(Aws(), asked.name)
    current = ecs.definition(ecs.look().primary.revision)
    yield json.dumps(image_definitions(current, asked.repository, request.digest))


def _verify(asked: argparse.Namespace, request: Request) -> Iterator[str]:
    bundle = open_store(Path()).require_pointer().digest
    with interruptible() as clock:
        yield from verify(Fargate(Ecs(Aws(), asked.name), clock, asked.repository, bundle), request)


if __name__ == "__main__":
    main()
