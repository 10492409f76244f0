"""``slipway doctor --live``: a service that answers, and what it could be restored from."""

import json
import os
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from bundles import make_bundle
from certificates import certificate
from s3 import DENIED, aws, client, proxied, serve_s3
from servers import Server, serve
from slipway.cli.doctor import command, examine
from slipway.doctor import check_service
from slipway.doctor.check_service import Seen
from slipway.doctor.finding import Finding
from slipway.problem import load_problem
from slipway.release.image.key import release_key
from slipway.store.local import LocalStore
from slipway.store.remote import open_remote
from slipway.store.transfer import add_entries, push
from web import serve_web

KEY = "hidden-key"
AUTHOR = ("-c", "user.name=T", "-c", "user.email=t@example.org")


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *AUTHOR, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with serve_s3() as url:
        yield url


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A checkout whose last two commits differ in what is released."""
    folder = tmp_path_factory.mktemp("live") / "checkout"
    make_bundle(LocalStore(folder / "artifacts"), "regression")
    (folder / "slipway.yaml").write_text("name: regression\nsource: table.csv\ntarget: charges\nremote: s3://models/live\n")
    (folder / ".gitignore").write_text("artifacts/bundles\nartifacts/*.jsonl\n")
    git(folder, "init", "--quiet", "--initial-branch=main")
    for dependency in ("one", "two"):
        (folder / "requirements.txt").write_text(dependency)
        git(folder, "add", ".")
        git(folder, "commit", "--quiet", "--message", dependency)
    return folder


@pytest.fixture(scope="module")
def digest(folder) -> str:
    return LocalStore(folder / "artifacts").require_pointer().digest


@pytest.fixture
def bucket(s3, folder, digest):
    """A bucket with versions that has the champion, and a journal with its release."""
    with aws(s3):
        store = client(s3)
        store.create_bucket(Bucket="models")
        store.put_bucket_versioning(Bucket="models", VersioningConfiguration={"Status": "Enabled"})
        remote = open_remote(load_problem(folder / "slipway.yaml"))
        push(LocalStore(folder / "artifacts"), remote, digest, lambda *told: None)
        add_entries(remote, [release(digest, git(folder, "rev-parse", "HEAD"))])
        yield remote
        for each in store.list_object_versions(Bucket="models").get("Versions", []):
            store.delete_object(Bucket="models", Key=each["Key"], VersionId=each["VersionId"])
        store.delete_bucket(Bucket="models")


def release(bundle: str, commit: str, outcome: str = "success", run_number: int = 1) -> dict:
    return {"event": "release", "bundle": bundle, "commit": commit, "outcome": outcome, "run_number": run_number}


@pytest.fixture(scope="module")
def service(folder) -> Iterator[Server]:
    commit = git(folder, "rev-parse", "HEAD")
    with serve(folder, SLIPWAY_API_KEYS=KEY, WEB_CONCURRENCY="1", SLIPWAY_COMMIT=commit) as server:
        yield server


def look(folder: Path, live: str, tmp_path: Path, **environ: str) -> dict[str, Finding]:
    """The findings of a deployment by name."""
    offline = {"GITHUB_API_URL": "http://127.0.0.1:9"}
    groups = examine(str(folder / "slipway.yaml"), os.environ | offline | environ, tmp_path / "nowhere", live)
    return {each.what: each for name in ("service", "restore") for each in groups[name]}


def test_a_first_deployment_in_order(bucket, folder, service, tmp_path):
    address = f"http://127.0.0.1:{service.port}/"
    with serve_web() as web:
        for commit in ("HEAD", "HEAD~1"):
            web.pages[f"/v2/insurance/manifests/{release_key(folder, commit)}"] = (200, {})
        registry = {"AWS_ECR_LOGIN_URI": web.url.removeprefix("http://"), "ECR_REPOSITORY_NAME": "insurance"}
        found = look(folder, address, tmp_path, SLIPWAY_API_KEYS=f"{KEY},other", **registry)
    states = {name: each.state for name, each in found.items()}
    assert states.pop("certificate") == "missing", "plain HTTP"
    assert states == dict.fromkeys(
        ("service", "keys", "answer", "versioning", "restore", "journal", "image", "rollback"), "ok"
    )
    assert "files fetched, verified and answering" in found["restore"].says
    assert KEY not in json.dumps([each.says + each.cure for each in found.values()])


def test_without_a_key_the_answer_is_not_compared(bucket, folder, service, tmp_path):
    found = look(folder, f"http://127.0.0.1:{service.port}", tmp_path)
    assert (found["keys"].state, found["answer"].state, found["image"].state) == ("ok", "skipped", "skipped")


def test_without_an_address_the_rest_is_checked(bucket, folder, tmp_path):
    found = look(folder, "", tmp_path)
    assert found["service"].state == "skipped" and "--live https://" in found["service"].cure
    assert found["restore"].state == found["journal"].state == "ok"


def test_a_bucket_without_versions_is_told(bucket, s3, folder, tmp_path):
    client(s3).put_bucket_versioning(Bucket="models", VersioningConfiguration={"Status": "Suspended"})
    found = look(folder, "", tmp_path)["versioning"]
    assert found.state == "failed" and "put-bucket-versioning --bucket models" in found.cure


def test_a_damaged_object_fails_the_drill(bucket, s3, folder, digest, tmp_path):
    client(s3).put_object(Bucket="models", Key=f"live/bundles/{digest}/golden.json", Body=b"{}")
    found = look(folder, "", tmp_path)["restore"]
    assert found.state == "failed" and "golden.json" in found.says


def test_the_right_that_the_drill_lacks_is_named(bucket, s3, folder, tmp_path):
    with proxied(s3) as proxy, aws(proxy.url):
        proxy.fault = lambda call, forward: DENIED if "versioning" in call.path else None
        found = look(folder, "", tmp_path)["versioning"]
    assert found.state == "skipped" and "s3:GetBucketVersioning" in found.says + found.cure


@pytest.mark.parametrize(
    "bundle, outcome, state, says",
    [
        ("f" * 64, "success", "failed", "but this checkout has"),
        ("f" * 64, "failure", "ok", "one after it ended as failure"),
    ],
)
def test_the_journal_is_compared_with_what_is_served(bucket, folder, tmp_path, bundle, outcome, state, says):
    add_entries(bucket, [release(bundle, "e" * 40, outcome, 2)])
    found = look(folder, "", tmp_path)["journal"]
    assert found.state == state and says in found.says


def test_a_service_after_a_rollback_differs_from_the_journal(bucket, folder, service, tmp_path):
    add_entries(bucket, [release("f" * 64, "e" * 40, run_number=3)])
    found = look(folder, f"http://127.0.0.1:{service.port}", tmp_path)["journal"]
    assert found.state == "failed" and "but the service has" in found.says and "rollback" in found.cure


def test_a_service_that_cannot_be_reached(folder, tmp_path):
    with serve_web() as web:
        gone = look(folder, web.url, tmp_path, SLIPWAY_REMOTE="")["service"]
    silent = look(folder, web.url, tmp_path, SLIPWAY_REMOTE="")["service"]
    assert (gone.state, gone.says) == ("failed", "/readyz answers 404")
    assert silent.state == "failed" and "ConnectionRefusedError" in silent.says


@pytest.mark.parametrize(
    "seen, state, what",
    [
        (Seen({"bundle": "a"}, open=200, status=200, answer={"prediction": 1.0}), "missing", "keys"),
        (Seen({"bundle": "a"}, open=200, status=200, answer={"prediction": 1.0}), "ok", "answer"),
        (Seen({"bundle": "a"}, open=200, status=200, answer={"prediction": 2.0}), "failed", "answer"),
        (Seen({"bundle": "a"}, open=401, status=500), "failed", "answer"),
        (Seen({"bundle": "a"}, open=500, status=500), "failed", "keys"),
        (Seen({"bundle": "a"}), "skipped", "keys"),
        (Seen({"bundle": "b"}, open=401, status=401), "failed", "service"),
        (Seen({"bundle": "a"}, days=5.0), "failed", "certificate"),
        (Seen({"bundle": "a"}, days=80.0), "ok", "certificate"),
    ],
)
def test_answers_are_judged(seen, state, what):
    found = {each.what: each.state for each in check_service.check(seen, "a", {"prediction": 1.0})}
    assert found[what] == state


def test_the_end_of_the_certificate_is_read_from_the_connection(tmp_path, monkeypatch):
    class Ready(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b'{"bundle": "a"}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_) -> None:
            pass

    path = certificate(tmp_path, 10)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    with ThreadingHTTPServer(("127.0.0.1", 0), Ready) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        address = f"https://localhost:{server.server_port}"
        assert "certificate is not valid" in check_service.look(address, None, "").silent
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
        seen = check_service.look(address, None, "")
        server.shutdown()
    assert seen.ready == {"bundle": "a"} and 9.9 < seen.days < 10


def test_an_address_that_is_none_is_refused():
    done = CliRunner().invoke(command, ["--live", "file:///etc/passwd"])
    assert done.exit_code == 2 and "https://api.example.org" in done.output
