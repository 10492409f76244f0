"""slipway push and slipway pull, as a person calls them."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import s3
import slipway
from bundles import make_bundle
from slipway.store.local import LocalStore

FILES = ["card.md", "drift.json", "evaluation.json", "golden.json", "live.json", "metrics.json", "model.json", "model.onnx"]
FILES += ["report.html", "schema.json", "twin.json", "twin.onnx"]
LISTS = ["serving.json", "judging.json", "manifest.json"]
RELEASE = {
    "key": "4fd1",
    "digest": f"sha256:{'a' * 64}",
    "commit": "b" * 40,
    "run_number": 7,
    "run_attempt": 1,
    "outcome": "failure",
}


@pytest.fixture
def store(tmp_path, bucket) -> LocalStore:
    """A problem with a champion, and the bucket as its remote store."""
    (tmp_path / "slipway.yaml").write_text(f"name: trial\nsource: table.csv\ntarget: charges\nremote: {bucket.url}\n")
    store = LocalStore(tmp_path / "artifacts")
    store.promote(make_bundle(store, "regression"), "promote", "for the test")
    return store


@pytest.fixture
def run(tmp_path, monkeypatch, run):
    """Call ``slipway`` there."""
    monkeypatch.chdir(tmp_path)
    return run


def journal(bucket) -> list[dict]:
    return [json.loads(line) for line in bucket.objects()["models/a/journal.jsonl"].splitlines()]


def test_push_then_pull_on_another_machine(run, store, bucket):
    digest = store.pointer().digest
    code, out, err = run("push")
    assert (code, out) == (0, f"{digest[:12]} is in {bucket.url}; 1 new in its journal.\n")
    told = re.findall(r"^(\d+)/15 (\S+), ([\d,]+) bytes: uploaded$", err, re.M)
    assert [name for _, name, _ in told] == [*FILES, *LISTS] and len(err.splitlines()) == 15
    assert [int(size.replace(",", "")) for *_, size in told] == [
        (store.bundles / digest / name).stat().st_size for name in [*FILES, *LISTS]
    ]
    assert journal(bucket) == store.journal.entries()
    shutil.rmtree(store.bundles)
    code, out, err = run("pull")
    assert (code, out) == (0, f"{digest[:12]} is in artifacts, fetched.\n".replace("artifacts", str(store.root)))
    assert re.findall(r"^\d+/12 (\S+), [\d,]+ bytes: downloaded$", err, re.M) == FILES
    assert store.bundle(digest).problem == "regression"


def test_the_second_time_there_is_nothing_to_do(run, store):
    run("push")
    code, out, err = run("push")
    assert code == 0 and out.endswith("; 0 new in its journal.\n")
    assert err.count(": there already\n") == 15
    assert run("pull") == (0, f"{store.pointer().digest[:12]} is in {store.root}, there already.\n", "")


def test_the_bundle_of_another_digest(run, store):
    first = store.pointer().digest
    run("push")
    make_bundle(store, "binary")
    run("push")
    shutil.rmtree(store.bundles)
    for digits in (first[:6].upper(), first):
        assert run("pull", digits)[0] == 0
        assert store.digests() == [first]
    assert run("pull")[0] == 0
    assert store.digests() == sorted([first, store.pointer().digest])


def test_what_is_damaged_here_is_repaired_and_told(run, store):
    run("push")
    (store.bundles / store.pointer().digest / "model.onnx").write_bytes(b"")
    assert run("pull")[1].endswith(", repaired.\n")
    assert store.bundle(store.pointer().digest)


def test_a_wrong_object_is_told_and_replaced(run, store, bucket):
    run("push")
    bucket.put(f"bundles/{store.pointer().digest}/model.onnx", b"wrong")
    code, _, err = run("push")
    assert code == 0
    assert re.search(r"^8/15 model.onnx, \d+ bytes: different object replaced$", err, re.M)


def test_a_release_is_noted_once(run, store, bucket, tmp_path):
    (tmp_path / "release.json").write_text(json.dumps(RELEASE))
    assert run("push", "--release", "release.json")[1].endswith("; 2 new in its journal.\n")
    assert run("push", "--release", "release.json")[1].endswith("; 0 new in its journal.\n")
    noted = journal(bucket)[-1]
    assert noted.pop("at") and noted.pop("who")
    assert noted == RELEASE | {"event": "release", "problem": "regression", "bundle": store.pointer().digest}


@pytest.mark.parametrize("content, says", [(None, "release.json: cannot be read"), ("{}", "release.json: expected the keys")])
def test_a_wrong_release_is_told_before_anything_is_copied(run, store, bucket, tmp_path, content, says):
    if content:
        (tmp_path / "release.json").write_text(content)
    code, out, err = run("push", "--release", "release.json")
    assert (code, out) == (5, "") and says in err
    assert bucket.proxy.calls == []


@pytest.mark.parametrize("command", ["push", "pull"])
def test_a_problem_without_a_remote(run, store, tmp_path, command):
    (tmp_path / "slipway.yaml").write_text("name: trial\nsource: table.csv\ntarget: charges\n")
    assert run(command) == (
        5,
        "",
        "slipway: remote is not set. Set remote in slipway.yaml, or SLIPWAY_REMOTE, to s3://bucket/prefix\n",
    )


def test_the_environment_names_the_remote(run, store, bucket, tmp_path, monkeypatch):
    (tmp_path / "slipway.yaml").write_text("name: trial\nsource: table.csv\ntarget: charges\n")
    monkeypatch.setenv("SLIPWAY_REMOTE", bucket.url)
    assert run("push")[0] == 0
    assert len(bucket.objects()) == 16


@pytest.mark.parametrize("command", ["push", "pull"])
def test_a_store_without_a_champion(run, store, command):
    (store.root / "champion.json").unlink()
    says = "no champion yet. Run slipway train first; commit the file to release it"
    assert run(command) == (5, "", f"slipway: {store.root}/champion.json: {says}\n")


def test_looks_of_models_that_were_all_kept_are_pushed_without_a_champion(run, store, bucket):
    (store.root / "champion.json").unlink()
    store.journal.append({"event": "verdict", "outcome": "kept", "digest": "a" * 64})
    assert run("push") == (0, f"No champion yet; 2 new in the journal of {bucket.url}.\n", "")
    assert journal(bucket) == store.journal.entries()


def test_a_refusal_is_one_line_with_bucket_key_and_right(run, store, bucket):
    bucket.proxy.fault = lambda call, forward: s3.DENIED if call.kind == "put" else None
    code, out, err = run("push")
    key = f"models/a/bundles/{store.pointer().digest}/card.md"
    assert (code, out) == (5, "")
    assert err == (
        f"slipway: s3://{bucket.name}/{key}: S3 refused (AccessDenied: Access Denied). "
        f"Grant the permission s3:PutObject on arn:aws:s3:::{bucket.name}/{key} (docs/remote.md)\n"
    )


def test_on_a_terminal_one_line_is_redrawn_and_what_was_replaced_stays(run, store, bucket, monkeypatch):
    run("push")
    bucket.put(f"bundles/{store.pointer().digest}/model.onnx", b"wrong")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    _, _, err = run("push")
    first, second, rest = err.split("\n")
    bundle = store.bundles / store.pointer().digest
    size = (bundle / "manifest.json").stat().st_size
    assert first.endswith("replaced") and second.endswith(f"15/15 manifest.json, {size} bytes: there already") and rest == ""
    size = (bundle / "model.onnx").stat().st_size
    assert f"\r\033[K8/15 model.onnx, {size} bytes: uploading …\r" in first


def test_a_terminal_line_is_closed_before_an_error(run, store, bucket, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    bucket.proxy.fault = lambda call, forward: s3.DENIED if call.kind == "put" else None
    assert re.fullmatch(r"\r\033\[K1/15 card.md.*uploading …\nslipway: s3://.*\n", run("push")[2])


def test_pulling_needs_neither_numpy_nor_pandas_nor_flask(store, run, tmp_path):
    run("push")
    shutil.rmtree(store.bundles)
    for arguments in (["pull", "--help"], ["pull"]):
        code = (
            f"import sys\nsys.argv = ['slipway', *{arguments}]\nfrom slipway.cli import main\n"
            "try: main()\nexcept SystemExit as end: assert not end.code\n"
            "print('\\n' + ' '.join(sorted({name.partition('.')[0] for name in sys.modules})))"
        )
        environ = os.environ | {"PYTHONPATH": str(Path(slipway.__file__).parent.parent)}
        done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environ, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        loaded = set(done.stdout.splitlines()[-1].split())
        assert ("boto3" in loaded) == (arguments == ["pull"])
        assert not loaded & {"numpy", "pandas", "flask", "sklearn", "onnxruntime", "pyarrow"}
    assert store.bundle(store.pointer().digest)


def test_without_boto3_the_package_to_install_is_named(run, store, monkeypatch):
    monkeypatch.delitem(sys.modules, "slipway.store.remote", raising=False)
    monkeypatch.delitem(sys.modules, "slipway.store.transfer", raising=False)
    monkeypatch.setitem(sys.modules, "boto3", None)
    code, out, err = run("pull")
    assert (code, out) == (5, "")
    assert err == "slipway: boto3 is not installed. pip install -r requirements-release.txt\n"


def test_only_the_rights_of_the_documentation_are_used(run, store, bucket, tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "remote.md").read_text()
    policy = json.loads(re.search(r"```json\n(.*?)```", page, re.S)[1])
    given = {action for statement in policy["Statement"] for action in statement["Action"]}
    (tmp_path / "release.json").write_text(json.dumps(RELEASE))
    run("push")
    bucket.put(f"bundles/{store.pointer().digest}/model.onnx", b"wrong")
    run("push", "--release", "release.json")
    shutil.rmtree(store.bundles)
    run("pull", store.pointer().digest[:8])
    rights = {"list": "s3:ListBucket", "head": "s3:GetObject", "get": "s3:GetObject", "put": "s3:PutObject"}
    assert {rights[call.kind] for call in bucket.proxy.calls} == given
    for call in bucket.proxy.calls:  # nothing outside of the prefix, which is the condition of the policy
        assert "prefix=models%2Fa%2F" in call.path if call.kind == "list" else f"/{bucket.name}/models/a/" in call.path
