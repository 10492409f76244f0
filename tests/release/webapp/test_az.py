"""The program `az`: how it is called, and what its errors become."""

import json
import os

import pytest

from slipway.release.webapp.az import ABSENT, LATER, RIGHTS, SIGN_IN, Az, AzError, PatientAz, failure
from web_app import Azure


@pytest.fixture
def program(tmp_path, monkeypatch):
    """A program that says this, and ends so."""

    def write(text: str, code: int = 0) -> None:
        (tmp_path / "said").write_text(text)
        stream = "" if code == 0 else " >&2"
        (tmp_path / "az").write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/call\ncat {tmp_path}/said{stream}\nexit {code}\n')
        (tmp_path / "az").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin:/bin")

    return write


def test_the_answer_is_json(program, tmp_path):
    program(json.dumps({"properties": {}}))
    assert Az()("rest", "--method", "get") == {"properties": {}}
    assert (tmp_path / "call").read_text() == "rest --method get --output json --only-show-errors\n"


def test_an_empty_answer_is_none(program):
    program("")
    assert Az()("webapp", "deployment", "slot", "swap") is None


def test_an_answer_that_is_not_json_is_an_error(program):
    program("Are you sure?")
    with pytest.raises(AzError, match="az rest: the answer is not JSON"):
        Az()("rest")


def test_a_program_that_is_not_there_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AzError, match="the program az is not installed"):
        Az()("rest")


def test_an_error_names_the_command_and_no_argument(program):
    program("ERROR: Not Found({})", code=3)
    with pytest.raises(AzError, match=r"^az webapp deployment slot swap: Not Found") as failed:
        Az()("webapp", "deployment", "slot", "swap", "--name", "secret")
    assert "secret" not in str(failed.value) and failed.value.cure == ABSENT


@pytest.mark.parametrize(
    "text, cure",
    [
        ("ERROR: Please run 'az login' to setup account.", SIGN_IN),
        ("ERROR: AADSTS700213: No matching federated identity record found for presented assertion subject", SIGN_IN),
        ('ERROR: Forbidden({"error":{"code":"AuthorizationFailed","message":"The client has no authorization"}})', RIGHTS),
        ('ERROR: Not Found({"error":{"code":"ResourceNotFound","message":"Microsoft.Web/sites/x was not found"}})', ABSENT),
        ('ERROR: Not Found({"error":{"code":"ResourceGroupNotFound","message":"Resource group x"}})', ABSENT),
        ('ERROR: Conflict({"Code":"Conflict","Message":"another operation is in progress"})', LATER),
        ("ERROR: Bad Request({})", ""),
    ],
)
def test_errors_have_a_cure(text, cure):
    assert failure("az rest", text).cure == cure


@pytest.mark.parametrize(
    "text", ["Too Many Requests({})", "Service Unavailable", "Max retries exceeded with url", "Read timed out."]
)
def test_some_errors_pass(text):
    assert failure("az rest", f"ERROR: {text}").passing


def test_a_long_error_is_cut():
    assert len(failure("az rest", "x" * 10_000).cause) < 700


def test_a_call_that_may_not_be_made_twice_is_not():
    azure, calls = Azure(), []

    def az(*arguments: str, seconds: float):
        calls.append(seconds)
        raise failure("az", "Read timed out")

    with pytest.raises(AzError):
        PatientAz(az, azure, repeats=False, seconds=7)("rest")
    assert calls == [7]
    with pytest.raises(AzError):
        PatientAz(az, azure)("rest")
    assert len(calls) > 30 and azure.passed >= 300
