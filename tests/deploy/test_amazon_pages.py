"""The commands and files of the pages for SageMaker and Lambda are ones that `aws` and the services take."""

import json
import re
import subprocess
import textwrap
from pathlib import Path

import pytest

from aws_commands import require_known

DOCS = Path(__file__).resolve().parents[2] / "docs"
BLOCK = re.compile(r'^( *)```(sh|json title="(?P<name>[\w.]+)")\n(?P<text>.*?)^\1```', re.MULTILINE | re.DOTALL)
PAGES = {"sagemaker": 23, "lambda": 19}
MADE = "docker.json"  # by a command of the page
OCI = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": "sha256:aa", "size": 1},
    "layers": [
        {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": f"sha256:{digits}", "size": 2}
        for digits in ("bb", "cc")
    ],
}


def read(page: str) -> tuple[list[str], dict[str, str]]:
    """The commands of a page, and its files."""
    commands, files = [], {}
    for found in BLOCK.finditer((DOCS / f"{page}.md").read_text()):
        text = textwrap.dedent(found["text"])
        if found["name"]:
            assert found["name"] not in files
            files[found["name"]] = text
        else:
            commands += [line for line in text.replace("\\\n", " ").splitlines() if line.startswith("aws ")]
    return commands, files


@pytest.mark.parametrize("page, least", PAGES.items())
def test_every_command_is_one_of_aws_with_its_options_and_values(page, least):
    commands, files = read(page)
    assert len(commands) >= least
    for command in commands:
        require_known(command, files | {MADE: "{}"})


def test_an_oci_manifest_becomes_one_of_docker(tmp_path):
    (tmp_path / "oci.json").write_text(json.dumps(OCI))
    text = (DOCS / "sagemaker.md").read_text()
    [command] = re.findall(r"^sed (?:.*\\\n)*.*$", text, re.MULTILINE)
    subprocess.run(command, shell=True, check=True, cwd=tmp_path)
    made = json.loads((tmp_path / MADE).read_text())
    layer = "application/vnd.docker.image.rootfs.diff.tar.gzip"
    assert made["mediaType"] == "application/vnd.docker.distribution.manifest.v2+json"
    assert made["config"] == OCI["config"] | {"mediaType": "application/vnd.docker.container.image.v1+json"}
    assert made["layers"] == [each | {"mediaType": layer} for each in OCI["layers"]]


@pytest.mark.parametrize("page", PAGES)
def test_a_version_is_waited_for_before_an_alias_has_it(page):
    commands, _ = read(page)
    published = [place for place, command in enumerate(commands) if "publish-version" in command]
    assert all("wait published-version-active" in commands[place + 1] for place in published)
    assert bool(published) == (page == "lambda")


@pytest.mark.parametrize("page", PAGES)
def test_every_file_is_json_and_named_by_a_command(page):
    commands, files = read(page)
    for name, text in files.items():
        json.loads(text)
        assert any(f"file://{name}" in command for command in commands)


@pytest.mark.parametrize("page", PAGES)
def test_what_is_made_is_undone(page):
    commands, _ = read(page)
    made = {word[2].removeprefix("create-") for word in map(str.split, commands) if word[2].startswith("create-")}
    undone = {word[2].removeprefix("delete-") for word in map(str.split, commands) if word[2].startswith("delete-")}
    assert made - undone - {"alias", "transform-job"} == set()  # an alias ends with its function


@pytest.mark.parametrize(
    "command, says",
    [
        ("aws sagemaker make-model --model-name a", "no command make-model"),
        ("aws sagemaker create-model --model a", "no option --model"),
        ("aws sagemaker create-endpoint --endpoint-name a", "Missing required parameter"),
        ("aws sagemaker wait endpoint-ready --endpoint-name a", "no waiter"),
        ("aws lambda create-function-url-config --function-name a --auth-type ANYBODY", "ANYBODY is none of"),
        ("aws lambda create-function --function-name a --role r --code 5", "Invalid type"),
    ],
)
def test_others_would_be_seen(command, says):
    with pytest.raises(AssertionError, match=says):
        require_known(command, {})
