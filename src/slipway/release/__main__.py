"""Commands for workflows, before and after they build an image: python -m slipway.release …"""

import argparse
import os
import sys
from pathlib import Path

from slipway.errors import ReleaseError, SlipwayError
from slipway.release.box.pack import build
from slipway.release.image.audit import audit
from slipway.release.image.commit import chosen_commit
from slipway.release.image.key import earlier_keys, release_key
from slipway.release.image.labels import labels
from slipway.release.image.registry import find_image
from slipway.release.image.workflow_settings import require_settings
from slipway.store.local import open_store


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m slipway.release", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    chosen = commands.add_parser("commit", help="the full SHA of the commit to release; fails if it is not on main")
    chosen.add_argument("name", help="a commit; empty for the one checked out")
    commands.add_parser("key", help="the release key of this commit: the tag of its image")
    commands.add_parser("labels", help="the labels of the champion's image, one per line")
    told = commands.add_parser("settings", help="fail if a setting of the workflow is missing, and say where to set it")
    told.add_argument("--store", action="store_true", help="check only the settings of the remote store")
    found = commands.add_parser("find", help="the digest of this commit's image in the registry; empty if there is none")
    found.add_argument("--required", action="store_true", help="fail if there is none")
    cache = commands.add_parser("cache", help="the newest image of an earlier commit in the registry; empty if there is none")
    for command in (found, cache):
        command.add_argument("registry", help="host, as in AWS_ECR_LOGIN_URI")
        command.add_argument("name", help="repository, as in ECR_REPOSITORY_NAME")
    made = commands.add_parser("build", help="write the release program for the box")
    made.add_argument("target", type=Path)
    audited = commands.add_parser("audit", help="known holes in the locked libraries; fails if one of them serves")
    audited.add_argument("report", type=Path, help="what pip-audit --format json wrote")
    asked = parser.parse_args()
    try:
        for line in _answer(asked):
            print(line)
    except SlipwayError as error:
        mark = "::error::" if "GITHUB_ACTIONS" in os.environ else "slipway: "
        for line in str(error).splitlines():
            print(f"{mark}{line}", file=sys.stderr)
        sys.exit(error.exit_code)


def _answer(asked: argparse.Namespace) -> list[str]:
    here = Path()
    if asked.command == "commit":
        return [chosen_commit(here, asked.name)]
    if asked.command == "key":
        return [release_key(here)]
    if asked.command == "audit":
        return audit(asked.report, here)
    if asked.command == "labels":
        return [f"{name}={value}" for name, value in labels(open_store(here)).items()]
    if asked.command == "find":
        key = release_key(here)
        digest = find_image(asked.registry, asked.name, key)
        if asked.required and not digest:
            raise ReleaseError(f"{asked.registry}/{asked.name}:{key} is not in the registry")
        return [digest] if digest else []
    if asked.command == "settings":
        store = open_store(here)
        pointer = store.pointer()
        require_settings(os.environ, bool(pointer and pointer.digest in store.digests()), asked.store)
        return []
    if asked.command == "cache":
        keys = (key for key in earlier_keys(here) if find_image(asked.registry, asked.name, key))
        return [f"{asked.registry}/{asked.name}:{key}" for key in keys][:1]
    build(asked.target)
    return []


if __name__ == "__main__":
    main()
