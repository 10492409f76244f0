from collections.abc import Iterator
from pathlib import Path

import pytest

from servers import free_port
from slipway.doctor import check_github as github
from slipway.doctor.finding import Finding
from web import Web, serve_web

ORIGIN = "https://github.com/acme/insurance"
ON_A_BOX = "on: push\njobs:\n  deploy:\n    runs-on: [self-hosted, slipway]\n"
HOSTED = "on: push\njobs:\n  test: # no self-hosted runner here\n    runs-on: ubuntu-latest\n"


@pytest.fixture
def web() -> Iterator[Web]:
    with serve_web() as web:
        yield web


@pytest.mark.parametrize(
    "origin, name",
    [
        ("https://github.com/acme/insurance.git\n", "acme/insurance"),
        ("https://github.com/acme/my.model", "acme/my.model"),
        ("git@github.com:acme/insurance.git", "acme/insurance"),
        ("ssh://git@github.com:22/acme/insurance", "acme/insurance"),
        ("https://me:secret@github.com/acme/insurance", "acme/insurance"),
        ("https://gitlab.com/acme/insurance", None),
        ("/srv/git/insurance.git", None),
        ("https://github.com.example.org/acme/insurance", None),
        (None, None),
        ("", None),
        ("https://github.com/acme/insurance/../../user", None),
    ],
)
def test_the_name_of_a_repository(origin, name):
    assert github.name_of(origin, {}) == name


def test_a_github_of_ones_own_has_another_host():
    environ = {"GITHUB_API_URL": "https://git.example.org/api/v3"}
    assert github.name_of("git@git.example.org:acme/insurance.git", environ) == "acme/insurance"


@pytest.mark.parametrize(
    "text, asks",
    [
        (ON_A_BOX, True),
        (HOSTED, False),
        ("jobs: {a: {runs-on: self-hosted}}", True),
        ("jobs: {a: {runs-on: slipway}}", True),
        ("jobs: {a: {runs-on: {group: big, labels: [self-hosted]}}}", True),
        ("jobs: {a: {uses: ./b.yaml}}", False),
        ("""jobs: {a: {runs-on: "${{ fromJSON(vars.RUNNER || '[\\"self-hosted\\"]') }}"}}""", True),
        ("jobs: {a: {runs-on: self-hosted", True),
        ("", False),
        ("[]", False),
    ],
)
def test_whether_a_workflow_asks_for_a_runner_of_ones_own(text, asks):
    assert github.on_own_machine({"main.yaml": text}, ["box"]) == (["main.yaml"] if asks else [])


def test_the_box_s_job_asks_for_no_runner_where_no_release_goes_to_a_box():
    deploy = (Path(__file__).resolve().parents[2] / ".github/workflows/deploy.yaml").read_text()
    assert github.on_own_machine({"deploy.yaml": deploy}, ["box", "fargate"]) == ["deploy.yaml"]
    assert github.on_own_machine({"deploy.yaml": deploy}, ["fargate"]) == []
    assert github.on_own_machine({"main.yaml": ON_A_BOX}, ["fargate"]) == ["main.yaml"]


def visibility(web: Web, workflows: list[str], **environ: str) -> Finding:
    [found] = github.check(github.look("acme/insurance", {"GITHUB_API_URL": web.url} | environ), workflows, ORIGIN)
    return found


def test_a_public_repository_with_a_runner_fails_and_says_why(web):
    web.pages["/repos/acme/insurance"] = (200, {"private": False})
    found = visibility(web, ["main.yaml"])
    assert found.state == "failed"
    assert "acme/insurance is public" in found.says and "main.yaml" in found.says
    for why in ("pull request from a fork", "names the runner's labels", "runs on the box"):
        assert why in found.says
    assert "private" in found.cure and "runner" in found.cure
    assert web.calls == [("/repos/acme/insurance", None)]


@pytest.mark.parametrize(
    "status, document, workflows, state, says",
    [
        (200, {"private": False}, [], "ok", "public, and no workflow here uses"),
        (200, {"private": True}, ["main.yaml"], "ok", "private"),
        (404, {}, ["main.yaml"], "ok", "private, or does not exist"),
        (401, {}, ["main.yaml"], "skipped", "refused"),
        (403, {}, ["main.yaml"], "skipped", "too many requests"),
        (500, {}, ["main.yaml"], "skipped", "500"),
        (200, [], ["main.yaml"], "skipped", "its answer is invalid"),
    ],
)
def test_what_github_answers(web, status, document, workflows, state, says):
    web.pages["/repos/acme/insurance"] = (status, document)
    found = visibility(web, workflows)
    assert found.state == state and says in found.says


def test_without_github_it_cannot_be_told():
    found = visibility(Web(url=f"http://127.0.0.1:{free_port()}"), ["main.yaml"])
    assert found.state == "skipped" and "cannot be reached (ConnectionRefusedError)" in found.says
    [elsewhere] = github.check(None, ["main.yaml"], "https://gitlab.com/acme/insurance")
    assert elsewhere.state == "skipped"


def test_with_a_token_registered_runners_count_too(web):
    web.pages["/repos/acme/insurance"] = (200, {"private": False})
    web.pages["/repos/acme/insurance/actions/runners"] = (200, {"total_count": 2})
    found = visibility(web, [], GH_TOKEN="ghp_secret")
    assert found.state == "failed" and "2 registered" in found.says
    assert {token for _, token in web.calls} == {"Bearer ghp_secret"}
    web.pages["/repos/acme/insurance/actions/runners"] = (403, {})
    assert visibility(web, [], GITHUB_TOKEN="ghp_secret").state == "ok"


def test_the_token_is_not_sent_to_whom_github_leads_on(web):
    web.pages["/repos/acme/insurance"] = (301, "/repositories/7")
    web.pages["/repositories/7"] = (200, {"private": True})
    assert visibility(web, [], GITHUB_TOKEN="ghp_secret").state == "ok"
    assert web.calls == [("/repos/acme/insurance", "Bearer ghp_secret"), ("/repositories/7", None)]
