#!/usr/bin/env python3
"""A stand-in for GitHub: as a program it answers what a proposal asks of `gh`, and keeps it in a file beside itself."""

import argparse
import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

PULLS = "repos/{owner}/{repo}/pulls"
FILTERS = {
    ".[].number": lambda pulls: "\n".join(str(pull["number"]) for pull in pulls),
    ".html_url": lambda pull: pull["html_url"],
}
NO_SCOPE = "GraphQL: Your token has not been granted the required scopes to execute this query: 'read:project'"


@dataclass(frozen=True)
class GitHub:
    """What the program in `folder` was asked."""

    folder: Path

    def pulls(self) -> list[dict]:
        """The pull requests, with number, title, body, head and base."""
        return self._kept()["pulls"]

    def calls(self) -> list[str]:
        """Everything that changed something, in order."""
        return self._kept()["calls"]

    def _kept(self) -> dict:
        path = self.folder / "github.json"
        return json.loads(path.read_text()) if path.exists() else {"pulls": [], "calls": []}

    def keep(self, pulls: list[dict], call: str) -> None:
        (self.folder / "github.json").write_text(json.dumps({"pulls": pulls, "calls": [*self.calls(), call]}))


def install(folder: Path) -> GitHub:
    """Put the program `gh` into a folder of programs."""
    program = folder / "gh"
    shutil.copyfile(__file__, program)
    program.chmod(0o755)
    return GitHub(folder)


def main(arguments: list[str]) -> str:
    """What `gh` prints."""
    github = GitHub(Path(__file__).resolve().parent)
    if arguments == ["auth", "setup-git"]:
        return ""
    if arguments[:2] == ["workflow", "run"]:
        github.keep(github.pulls(), " ".join(arguments))
        return ""
    if arguments[:2] == ["pr", "edit"]:
        sys.exit(NO_SCOPE)  # a workflow's token never has it
    if arguments[:1] == ["api"]:
        return _api(github, arguments[1:])
    sys.exit(f"gh {' '.join(arguments)}: not known to the rehearsal")


def _api(github: GitHub, arguments: list[str]) -> str:
    parser = argparse.ArgumentParser()
    parser.add_argument("path")
    parser.add_argument("--method", default="GET")
    parser.add_argument("--jq", choices=FILTERS, required=True)
    parser.add_argument("-f", dest="fields", action="append", default=[])
    parser.add_argument("-F", dest="files", action="append", default=[])
    asked = parser.parse_args(arguments)
    address = urlsplit(asked.path)
    fields = dict(each.split("=", 1) for each in asked.fields)
    if asked.files:
        assert asked.files == ["body=@-"]
        fields["body"] = sys.stdin.read()
    answer = _answer(github, asked.method, address.path, parse_qs(address.query), fields)
    return FILTERS[asked.jq](answer)


def _answer(github: GitHub, method: str, path: str, query: dict[str, list[str]], fields: dict[str, str]) -> list | dict:
    pulls = github.pulls()
    if (method, path) == ("GET", PULLS):
        return [
            each
            for each in pulls
            if query
            == {
                "head": ["{owner}:" + each["head"]],
                "base": [each["base"]],
                "state": ["open"],
            }
        ]
    if (method, path) == ("POST", PULLS):
        number = len(pulls) + 1
        pulls.append(fields | {"number": number, "html_url": f"https://github.com/rehearsal/rehearsal/pull/{number}"})
    elif method == "PATCH" and path in [f"{PULLS}/{each['number']}" for each in pulls]:
        number = int(path.rpartition("/")[2])
        pulls[number - 1] |= fields
    else:
        sys.exit(f"gh: Not Found (HTTP 404): {method} {path}")
    github.keep(pulls, f"{method} {path}")
    return pulls[number - 1]


if __name__ == "__main__":
    print(main(sys.argv[1:]))
