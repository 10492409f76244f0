"""Commands for workflows, before and after they build an image: python -m slipway.release …"""

import argparse
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from slipway.errors import ReleaseError, SlipwayError
from slipway.release.box.pack import build
from slipway.release.image.advisories import SERVICE, Unanswered
from slipway.release.image.commit import chosen_commit
from slipway.release.image.delivery import deliver, write_request
from slipway.release.image.key import release_key
from slipway.release.image.known_holes import audit
from slipway.release.image.registry import find_image
from slipway.release.image.tested import key_of_tests, note_passed, passed
from slipway.release.request import MOST_BYTES, Request, read_request
from slipway.release.workflow.junit import summary
from slipway.release.workflow.proposal import propose
from slipway.release.workflow.requirements import store_requirements
from slipway.release.workflow.road_settings import ROADS, require_road, require_roads
from slipway.release.workflow.workflow_settings import registry_of, require_settings, require_store
from slipway.store.local import open_store

HERE = Path()
RESULT = "Result: "


def main() -> None:
    """The command line."""
    asked = _parser().parse_args()
    try:
        for line in _answer(asked):
            print(line, flush=True)
            if line.startswith(RESULT) and asked.command == "deploy":
                _summarize(line.removeprefix(RESULT))
    except SlipwayError as error:
        mark = "::error::" if "GITHUB_ACTIONS" in os.environ else "slipway: "
        for line in str(error).splitlines():
            print(f"{mark}{line}", file=sys.stderr)
        sys.exit(error.exit_code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m slipway.release", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    chosen = commands.add_parser("commit", help="the full SHA of the commit to release; fails if it is not on main")
    chosen.add_argument("name", help="a commit; empty for the one checked out")
    keyed = commands.add_parser("key", help="the release key of a commit: the tag of its image")
    keyed.add_argument("commit", nargs="?", default="HEAD", help="by default the one checked out")
    commands.add_parser("tests-key", help="the hash of this commit's tests, and of all that they may read")
    commands.add_parser("requirements", help="the file of locked requirements of slipway pull and slipway push")
    told = commands.add_parser("settings", help="fail if a setting of the workflow is missing, and say where to set it")
    which = told.add_mutually_exclusive_group()
    which.add_argument("--store", action="store_true", help="check only the settings of the remote store")
    which.add_argument("--roads", action="store_true", help="check only where a release goes")
    which.add_argument("--road", choices=ROADS[1:], help="check only what the deployment to this road needs")
    told.add_argument("--stage", choices=("staging", "production"), default="production", help="of --road")
    found = commands.add_parser("find", help="the digest of this commit's image in the registry; empty if there is none")
    found.add_argument("--required", action="store_true", help="fail if there is none")
    before = commands.add_parser("tested", help="key, digest and reason: whether this commit's image passed its tests before")
    before.add_argument("--note", action="store_true", help="note that it passed")
    delivered = commands.add_parser(
        "deliver", help="key and digest of this commit's image; built and pushed if it is not there"
    )
    delivered.add_argument("--request", type=Path, metavar="FILE", help="also write the request of the release, for deploy")
    delivered.add_argument("--run-number", type=int, metavar="N", help="of the request; default: the number of commits")
    for command in (found, before, delivered):
        command.add_argument("registry", help="host, as in SLIPWAY_REGISTRY or AWS_ECR_LOGIN_URI")
        command.add_argument("name", help="repository, as in SLIPWAY_REPOSITORY or ECR_REPOSITORY_NAME")
    report = commands.add_parser("junit", help="a JUnit report as Markdown")
    report.add_argument("report", type=Path)
    commands.add_parser("propose", help="open or update the pull request of the model that was promoted just now")
    audited = commands.add_parser("audit", help="known holes in the locked libraries; fails if one of them serves")
    audited.add_argument("accepted", nargs="*", help="ids of known holes that do not concern the service")
    made = commands.add_parser("build", help="write the release program for the box")
    made.add_argument("target", type=Path)
    deployed = commands.add_parser("deploy", help="make the request on standard input live; run in a checkout of its commit")
    _add_roads(deployed)
    return parser


def _add_roads(deployed: argparse.ArgumentParser) -> None:
    roads = deployed.add_subparsers(dest="road", required=True)
    fargate = roads.add_parser("fargate", help="on a service of ECS")
    kubernetes = roads.add_parser("kubernetes", help="on a cluster of Kubernetes")
    kubernetes.add_argument("--overlay", type=Path, required=True, help="folder of the overlay, e.g. deploy/kubernetes/eks")
    cloudrun = roads.add_parser("cloudrun", help="on a service of Google Cloud Run")
    cloudrun.add_argument("--region", required=True, help="of the service, e.g. europe-west1")
    webapp = roads.add_parser("webapp", help="on an Azure Web App for Containers")
    webapp.add_argument("--group", required=True, help="its resource group, as in AZURE_RESOURCE_GROUP")
    for road in (fargate, kubernetes, webapp, cloudrun):
        road.add_argument("name", help="of the service")
        road.add_argument(
            "--repository", required=True, help="of the image: HOST/REPO, as in SLIPWAY_REGISTRY/SLIPWAY_REPOSITORY"
        )


def _answer(asked: argparse.Namespace) -> Iterable[str]:
    match asked.command:
        case "commit":
            return [chosen_commit(HERE, asked.name)]
        case "key":
            return [release_key(HERE, asked.commit)]
        case "tests-key":
            return [key_of_tests(HERE)]
        case "requirements":
            return [str(store_requirements())]
        case "settings":
            return _settings(asked)
        case "find":
            return _find(asked.registry, asked.name, asked.required)
        case "tested":
            return _tested(asked.registry, asked.name, asked.note)
        case "deliver":
            return _deliver(asked)
        case "audit":
            return _audit(asked.accepted)
        case "junit":
            return summary(asked.report)
        case "propose":
            return propose(HERE)
        case "deploy":
            return _deploy(asked)
    build(asked.target)
    return []


def _settings(asked: argparse.Namespace) -> list[str]:
    if asked.roads:
        require_roads(os.environ)
        registry = registry_of(os.environ)
        return [f"registry={registry.host}", f"repository={registry.name}", f"kind={registry.kind}"]
    if asked.road:
        require_road(os.environ, asked.road, asked.stage)
        return []
    if asked.store:
        require_store(os.environ)
        return []
    store = open_store(HERE)
    pointer = store.pointer()
    return require_settings(os.environ, bool(pointer and pointer.digest in store.digests()))


def _find(registry: str, name: str, required: bool) -> list[str]:
    key = release_key(HERE)
    digest = find_image(registry, name, key)
    if required and not digest:
        raise ReleaseError(f"{registry}/{name}:{key} is not in the registry")
    return [digest] if digest else []


def _audit(accepted: Sequence[str]) -> list[str]:
    """Whoever cannot ask releases: a database that does not answer is a warning, and no failure."""
    try:
        return audit(HERE, accepted, SERVICE)
    except Unanswered as error:
        warning = f"Not audited: {error}"
        if "GITHUB_ACTIONS" in os.environ:
            print(f"::warning::{warning}", file=sys.stderr)
        return [warning]


def _deliver(asked: argparse.Namespace) -> list[str]:
    """For GITHUB_OUTPUT, too."""
    made = deliver(HERE, asked.registry, asked.name)
    if asked.request:
        write_request(asked.request, HERE, made, asked.run_number)
    return [f"key={made.key}", f"digest={made.digest}"]


def _tested(registry: str, name: str, note: bool) -> list[str]:
    """For GITHUB_OUTPUT. Whoever cannot know it tests: a fault is a reason, and no failure."""
    if note:
        return [note_passed(HERE, registry, name)]
    try:
        known = passed(HERE, registry, name)
    except ReleaseError as error:
        return [f"reason=The tests run: {str(error).replace(chr(10), ' ')}"]
    return [f"key={known.key}", f"digest={known.digest}", f"reason={known.reason}"]


def _deploy(asked: argparse.Namespace) -> Iterator[str]:
    """The steps of a deployment; its last line is the result, as on the box."""
    try:
        request = read_request(sys.stdin.buffer.read(MOST_BYTES + 1))
        pointer = open_store(HERE).pointer()
        if pointer is None:
            raise ReleaseError("this commit has no champion", "Run it in a checkout of the commit that is released")
        yield from _on_road(asked, request, pointer.digest)
    except SlipwayError as error:
        yield f"{RESULT}FAILED: {' '.join(str(error).split())}"
        raise


def _on_road(asked: argparse.Namespace, request: Request, bundle: str) -> Iterator[str]:
    """A job takes one road: the others are not imported."""
    match asked.road:
        case "fargate":
            from slipway.release.fargate import release

            return release.deploy(asked.name, asked.repository, request, bundle)
        case "cloudrun":
            from slipway.release.cloudrun import traffic_shift

            return traffic_shift.deploy(asked.name, asked.repository, asked.region, request, bundle)
        case "webapp":
            from slipway.release.webapp import web_release

            return web_release.deploy(asked.name, asked.repository, asked.group, request, bundle)
    from slipway.release.kubernetes import deployment

    return deployment.deploy(asked.name, asked.repository, asked.overlay, request, bundle)


def _summarize(result: str) -> None:
    """Add a line to the summary of the job. No shell is left to do it: the program takes the place of that of its step."""
    path = os.environ.get("GITHUB_STEP_SUMMARY")
    if path:
        with Path(path).open("a", encoding="utf-8") as summary:
            summary.write(f"{result}\n")


if __name__ == "__main__":
    main()
