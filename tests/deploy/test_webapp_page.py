"""docs/azure-web-app.md: commands that `az` knows, and names that the files have."""

import json
import re
import shlex
from pathlib import Path

import pytest

from az_commands import require_known
from slipway.release.webapp.app_record import OURS

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/azure-web-app.md").read_text()
LINES = [
    line.strip().partition(" > ")[0]
    for block in re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
    for line in block.splitlines()
]
INLINE = [text for text in re.findall(r"`(az [^`…]+)`", TEXT) if " --" in text]
UP = (ROOT / "deploy/webapp/up").read_text()


@pytest.mark.parametrize("line", [line for line in (*LINES, *INLINE) if line.startswith("az ")])
def test_each_call_is_one_that_az_knows(line):
    require_known(shlex.split(line, comments=True)[1:])


def test_each_variable_that_up_sets_is_on_the_page():
    for name in re.findall(r"gh variable set ([A-Z_]+)", UP):
        assert f"`{name}`" in TEXT, name


def test_each_variable_that_up_sets_is_deleted_again():
    undo = TEXT.partition("## Undo")[2].partition("\n## ")[0]
    for name, environment in re.findall(r"gh variable set ([A-Z_]+) \$to( --env \$environment)?", UP):
        assert environment or name in undo, name
    assert "SLIPWAY_STAGING" in undo and "environments/webapp-staging" in undo


def test_each_setting_of_up_is_on_the_page():
    header = UP.partition("set -euo")[0]
    for name in re.findall(r"^#   ([A-Z_]+) ", header, re.M):
        assert f"`{name}`" in TEXT, name


def test_the_settings_of_a_release_and_of_the_template_are_on_the_page():
    template = json.loads((ROOT / "deploy/webapp/webapp.json").read_text())
    for name in (*OURS, *(each["name"] for each in template["variables"]["settings"])):
        told = name in TEXT or any(name.startswith(prefix) for prefix in ("WEBSITE_WARMUP_", "WEBSITE_SWAP_WARMUP_"))
        assert told or name == "WEBSITES_CONTAINER_START_TIME_LIMIT", name
