"""The commands of the pages for Google Cloud are ones that `gcloud` takes."""

import re
import shlex
from pathlib import Path

import pytest

from gcloud_commands import parse

DOCS = Path(__file__).resolve().parents[2] / "docs"
BLOCK = re.compile(r"^ *```sh\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"\bgcloud ((?:[^;|)'\"\n]|'[^'\n]*'|\"[^\"\n]*\")+)")


def commands(page: str) -> list[str]:
    text = (DOCS / f"{page}.md").read_text()
    blocks = [each.replace("\\\n", " ") for each in BLOCK.findall(text)]
    return [found for block in blocks for found in COMMAND.findall(re.sub(r" +# .*", "", block))]


@pytest.mark.parametrize("page, least", [("cloud-run", 5), ("cloud-build", 15)])
def test_every_command_is_one_of_gcloud_with_its_options(page, least):
    found = commands(page)
    assert len(found) >= least
    for each in found:
        parse(shlex.split(each))


def test_only_alpha_approves_a_build_of_a_region():
    assert "alpha builds approve BUILD --location=$REGION --project=$PROJECT" in [
        each.strip() for each in commands("cloud-build")
    ]
    for wrong in ("builds approve BUILD --region=r", "beta builds approve BUILD --location=r"):
        with pytest.raises(ValueError, match="no such command"):
            parse(wrong.split())
