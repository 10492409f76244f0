"""The `gcloud` program is called as documented, and its errors come with a cure."""

import sys

import pytest

from slipway.errors import ReleaseError
from slipway.release.cloudrun.gcloud import Gcloud, GcloudError, failure
from slipway.release.cloudrun.run_service import parse_service


@pytest.fixture
def program(tmp_path, monkeypatch):
    """A `gcloud` that prints its arguments, or what it is told to; PATH has it alone."""

    def make(script: str = "import json, sys; print(json.dumps(sys.argv[1:]))") -> Gcloud:
        (tmp_path / "gcloud").write_text(f"#!{sys.executable} -IS\n{script}\n")
        (tmp_path / "gcloud").chmod(0o755)
        return Gcloud("acme-ml")

    monkeypatch.setenv("PATH", str(tmp_path))
    return make


def test_a_call_names_the_project_asks_nothing_and_answers_as_json(program):
    gcloud = program()
    assert gcloud("run", "services", "describe", "insurance") == [
        *("run", "services", "describe", "insurance", "--format=json", "--project=acme-ml", "--quiet")
    ]
    assert "--format" not in gcloud.text("auth", "print-access-token")


def test_the_libraries_of_this_program_are_not_those_of_gcloud(program, monkeypatch):
    """It is written in Python, too, and may run in another one."""
    monkeypatch.setenv("PYTHONPATH", "libraries")
    gcloud = program("import json, os; print(json.dumps([os.environ.get('PYTHONPATH'), 'PATH' in os.environ]))")
    assert gcloud("info") == [None, True]


def test_nothing_is_no_answer_and_what_is_not_json_is_an_error(program):
    assert program("")("run", "services", "update", "insurance") is None
    with pytest.raises(GcloudError, match="gcloud run services describe: the answer is not JSON") as caught:
        program("print('{')")("run", "services", "describe", "insurance")
    assert caught.value.passing


def test_a_machine_without_gcloud_is_told_where_to_get_it(program):
    with pytest.raises(ReleaseError, match="gcloud is not installed. See https://cloud.google.com/sdk/docs/install"):
        Gcloud("acme-ml").text("auth", "print-access-token")


def test_an_error_is_the_last_that_the_program_said(program):
    script = (
        "import sys; sys.exit('Deploying...\\n.failed\\nERROR: (gcloud.run.services.update) INVALID_ARGUMENT: bad\\n  name')"
    )
    with pytest.raises(GcloudError, match=r"^gcloud run services update: INVALID_ARGUMENT: bad name$"):
        program(script)("run", "services", "update", "insurance")


@pytest.mark.parametrize(
    ("text", "cure", "passing"),
    [
        (
            "PERMISSION_DENIED: Permission 'iam.serviceaccounts.actAs' denied on service account x",
            "may not use that of the service",
            False,
        ),
        ("PERMISSION_DENIED: Cloud Run Admin API has not been used in project 1 before", "which enables it", False),
        ("PERMISSION_DENIED: Permission 'run.services.get' denied on resource", "lacks a role", False),
        ("Cannot find service [insurance]", "Run deploy/cloudrun/up, which makes", False),
        (
            "Revision 'x' is not ready and cannot serve traffic. Image 'h/p@sha256:1' not found.",
            "Check that the image is in",
            False,
        ),
        (
            "Revision 'x' is not ready. The user-provided container failed to start and listen on the port",
            "The log that",
            False,
        ),
        ("Invalid account type for `--audiences`. Requires valid service account.", "set GCP_SERVICE_ACCOUNT", False),
        ("You do not currently have an active account selected.", "Log in first", False),
        ("UNAVAILABLE: The service is currently unavailable", "Run the job again later", True),
        (
            "ABORTED: Conflict for resource 'insurance': version '1' was specified but current version is '2'",
            "again later",
            True,
        ),
        ("INVALID_ARGUMENT: the tag is too long", "", False),
    ],
)
def test_known_errors_come_with_a_cure(text, cure, passing):
    error = failure("gcloud run", f"ERROR: (gcloud.run.services.update) {text}\n")
    assert cure in error.cure and bool(cure) == bool(error.cure) and error.passing is passing


def test_a_service_that_serves_nothing_is_an_error():
    document = {"metadata": {"name": "insurance"}, "spec": {"template": {}}, "status": {"url": "https://x", "traffic": []}}
    with pytest.raises(ReleaseError, match="the service insurance serves nothing"):
        parse_service(document)
