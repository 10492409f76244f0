"""``slipway doctor``: what it finds, what it says about it, and what it never says."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bundles import make_bundle
from s3 import DENIED, aws, client, proxied, serve_s3
from servers import free_port
from slipway.cli.doctor import examine
from slipway.doctor.finding import Finding
from slipway.store.local import LocalStore
from web import Web, serve_web

ROOT = Path(__file__).resolve().parents[2]
ON_A_BOX = "on: push\njobs:\n  deploy:\n    runs-on: [self-hosted, slipway]\n"


@pytest.fixture
def web() -> Iterator[Web]:
    with serve_web() as web:
        yield web


def named(findings: list[Finding], what: str) -> Finding:
    [found] = [each for each in findings if each.what == what]
    return found


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with serve_s3() as url:
        client(url).create_bucket(Bucket="models")
        yield url


@pytest.fixture
def repository(tmp_path) -> Path:
    """A checkout with a champion that is committed; its bundle is only on this machine."""
    folder = tmp_path / "checkout"
    (folder / ".github" / "workflows").mkdir(parents=True)
    (folder / ".github" / "workflows" / "main.yaml").write_text(ON_A_BOX)
    remote = f"s3://models/{tmp_path.name}"  # the server is shared
    (folder / "slipway.yaml").write_text(f"name: regression\nsource: table.csv\ntarget: charges\nremote: {remote}\n")
    (folder / ".gitignore").write_text("artifacts/bundles\nartifacts/*.jsonl\n")
    make_bundle(LocalStore(folder / "artifacts"), "regression")
    git(folder, "init", "--quiet")
    git(folder, "remote", "add", "origin", "https://bot:ghp_origin@github.com/acme/insurance.git")
    git(folder, "add", ".")
    git(folder, "-c", "user.name=T", "-c", "user.email=t@example.org", "commit", "--quiet", "-m", "Champion")
    return folder


@pytest.fixture(autouse=True)
def own_settings_of_git(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith(("GIT_", "GITHUB_", "GH_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)


def slipway(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess:
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")} | environ
    return subprocess.run(
        [sys.executable, "-m", "slipway", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )


@pytest.fixture
def look(repository, web, tmp_path) -> Callable[..., dict[str, list[Finding]]]:
    """Examine the checkout, with GitHub and a registry that are stand-ins."""
    web.pages["/v2/"] = (401, {})

    def call(root: Path = tmp_path / "nowhere", **environ: str) -> dict[str, list[Finding]]:
        registry = {"AWS_ECR_LOGIN_URI": web.url.removeprefix("http://"), "ECR_REPOSITORY_NAME": "insurance"}
        return examine(str(repository / "slipway.yaml"), os.environ | registry | {"GITHUB_API_URL": web.url} | environ, root)

    return call


def test_all_is_well_after_a_push(look, repository, s3):
    with aws(s3):
        assert slipway(repository, "push").returncode == 0
        groups = look()
    assert {each.state for name in ("checkout", "GitHub", "credentials") for each in groups[name]} == {"ok"}
    assert "arn:aws" in named(groups["credentials"], "AWS").says
    assert named(groups["checkout"], "bundle").says == "in the remote store"
    assert [each.state for each in groups["store"]] == ["ok", "ok", "skipped"]
    assert [each.state for each in groups["box"]] == ["skipped"]


def test_a_bundle_that_is_in_the_last_commit(look, repository):
    git(repository, "add", "--force", "artifacts/bundles")
    with aws(f"http://127.0.0.1:{free_port()}"):
        assert named(look(SLIPWAY_REMOTE="")["checkout"], "bundle").state == "missing", "it is staged, not committed"
        git(repository, "-c", "user.name=T", "-c", "user.email=t@example.org", "commit", "--quiet", "-m", "Bundle")
        assert named(look(SLIPWAY_REMOTE="")["checkout"], "bundle").says == "in git"


def test_the_store_is_looked_at_and_nothing_is_written(look, repository, s3):
    with aws(s3):
        for kinds, state in (({"list"}, "skipped"), ({"list", "get"}, "ok")):
            with proxied(s3) as proxy:
                os.environ["AWS_ENDPOINT_URL"] = proxy.url
                groups = look()
            assert {call.kind for call in proxy.calls if call.path.startswith("/models")} == kinds
            assert named(groups["store"], "read").state == state
            write = named(groups["store"], "write")
            assert write.state == "skipped" and "slipway push" in write.says
            assert slipway(repository, "push", AWS_ENDPOINT_URL=s3).returncode == 0


@pytest.mark.parametrize("denied, what, right", [("list", "list", "s3:ListBucket"), ("get", "read", "s3:GetObject")])
def test_the_right_that_is_missing_is_named(look, repository, s3, denied, what, right):
    with proxied(s3) as proxy, aws(proxy.url):
        assert slipway(repository, "push").returncode == 0
        proxy.fault = lambda call, forward: DENIED if call.kind == denied and call.path.startswith("/models") else None
        found = named(look()["store"], what)
    assert found.state == "failed" and right in found.says + found.cure


def test_a_bucket_that_is_not_there(look, s3):
    with aws(s3):
        found = named(look(SLIPWAY_REMOTE="s3://nowhere/box")["store"], "list")
    assert found.state == "failed" and "nowhere" in found.says


def test_without_keys_they_are_missing(look, monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    found = named(look()["credentials"], "AWS")
    assert found.state == "missing" and "AWS_ACCESS_KEY_ID" in found.cure and "AWS_ROLE_ARN" in found.cure


REFUSED = b"""<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>\
<Code>InvalidClientTokenId</Code><Message>The key AKIATESTTESTTESTTEST is not known.</Message></Error></ErrorResponse>"""


def test_keys_that_aws_refuses(look, s3):
    with proxied(s3) as proxy, aws(proxy.url):
        head = f"HTTP/1.1 403 Forbidden\r\nContent-Type: text/xml\r\nContent-Length: {len(REFUSED)}\r\n\r\n"
        proxy.fault = lambda call, forward: head.encode() + REFUSED if call.method == "POST" else None
        found = named(look()["credentials"], "AWS")
    assert found.state == "failed" and "InvalidClientTokenId" in found.says and "AKIA" not in found.says


def test_aws_that_cannot_be_reached(look):
    with aws(f"http://127.0.0.1:{free_port()}"):
        assert named(look(SLIPWAY_REMOTE="")["credentials"], "AWS").state == "skipped"


@pytest.mark.parametrize(
    "name, value, state",
    [
        ("AWS_REGION", "", "missing"),
        ("AWS_REGION", "eu-west-1", "ok"),
        ("AWS_REGION", "Ireland", "failed"),
        ("ECR_REPOSITORY_NAME", "team/insurance-2", "ok"),
        ("ECR_REPOSITORY_NAME", "Insurance", "failed"),
        ("ECR_REPOSITORY_NAME", "1.dkr.ecr.eu-west-1.amazonaws.com/insurance:latest", "failed"),
        ("AWS_ECR_LOGIN_URI", "", "missing"),
        ("AWS_ECR_LOGIN_URI", "https://example.org", "failed"),
        ("AWS_ECR_LOGIN_URI", "example.org/insurance", "failed"),
        ("AWS_ECR_LOGIN_URI", "AWS:password@example.org", "failed"),
    ],
)
def test_names_that_are_well_formed(look, s3, name, value, state):
    with aws(s3):
        found = named(look(**{name: value, "SLIPWAY_REMOTE": ""})["credentials"], name)
    assert found.state == state
    assert not value or value not in found.says + found.cure, "what is in the wrong place may be a secret"


@pytest.mark.parametrize("page, state", [((200, {}), "ok"), ((401, {}), "ok"), ((404, {}), "failed"), ((503, {}), "failed")])
def test_the_registry_has_to_answer(look, web, s3, page, state):
    web.pages["/v2/"] = page
    with aws(s3):
        assert named(look()["credentials"], "AWS_ECR_LOGIN_URI").state == state
        closed = named(look(AWS_ECR_LOGIN_URI=f"127.0.0.1:{free_port()}")["credentials"], "AWS_ECR_LOGIN_URI")
    assert closed.state == "failed" and "cannot be reached" in closed.says


def test_the_command_fails_on_a_public_repository_with_a_runner(repository, web, s3):
    web.pages["/repos/acme/insurance"] = (200, {"private": False})
    with aws(s3):
        public = slipway(repository, "doctor", GITHUB_API_URL=web.url)
        web.pages["/repos/acme/insurance"] = (404, {})
        private = slipway(repository, "doctor", GITHUB_API_URL=web.url)
    assert (public.returncode, public.stderr) == (7, "")
    assert "pull request from a fork" in public.stdout and public.stdout.endswith(
        "\n1 failed, 3 missing\nNeeded to train and serve on this machine: none of them. Needed only for releases: the rest\n"
    )
    assert private.returncode == 0 and "\n0 failed, " in private.stdout


def test_a_repository_without_a_remote_is_not_one_elsewhere(look, repository, s3):
    with aws(s3):
        git(repository, "remote", "set-url", "origin", "https://gitlab.com/acme/insurance")
        [elsewhere] = look(GITHUB_API_URL="")["GitHub"]
        git(repository, "remote", "remove", "origin")
        [without] = look(GITHUB_API_URL="")["GitHub"]
    assert (elsewhere.state, elsewhere.says) == ("skipped", "origin is not a repository on github.com")
    assert (without.what, without.state) == ("origin", "missing") and "git remote add origin" in without.cure


def test_outside_a_repository_and_without_a_problem_it_says_so(tmp_path):
    done = slipway(tmp_path, "doctor", AWS_EC2_METADATA_DISABLED="true", HOME=str(tmp_path))
    assert done.returncode == 7 and done.stderr == ""
    assert "slipway.yaml: there is no such file" in done.stdout and "git init" in done.stdout
    assert "Needed to train and serve on this machine: problem, champion. " in done.stdout


def test_no_secret_is_shown(repository, web, s3):
    secrets = {
        "AWS_SECRET_ACCESS_KEY": "hidden-1",
        "AWS_SESSION_TOKEN": "hidden-2",
        "GITHUB_TOKEN": "hidden-3",
        "SLIPWAY_API_KEYS": "hidden-4",
        "MONGO_DB_URL": "mongodb://me:hidden-5@example.org",
        "HEROKU_API_KEY": "hidden-6",
        "AWS_ECR_LOGIN_URI": "hidden-7",
        "ECR_REPOSITORY_NAME": "Hidden-8",
        "AWS_ACCESS_KEY_ID": "hidden-9",
    }
    web.pages["/repos/acme/insurance"] = (200, {"private": False})
    with aws(s3):
        for endpoint in (s3, f"http://127.0.0.1:{free_port()}"):
            done = slipway(repository, "doctor", **secrets | {"GITHUB_API_URL": web.url, "AWS_ENDPOINT_URL": endpoint})
            assert done.returncode == 7
            assert "hidden" not in (done.stdout + done.stderr).lower() and "ghp_origin" not in done.stdout + done.stderr
