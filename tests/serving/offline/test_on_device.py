"""What a device downloads: which addresses there are, what they say, and when there are none."""

import gzip
import json
import re
from base64 import b64encode
from hashlib import sha256

import pytest

from bundles import make_bundle
from page import Page
from servers import ROOT, start
from slipway.errors import ServingError
from slipway.serving.offline.on_device import SCRIPTS
from slipway.serving.offline.web_runtime import BINARY, KINDS, MODULE, NAME, packed
from slipway.store.local import LocalStore

OFFLINE = "offline: true"


@pytest.fixture
def runtime(tmp_path):
    """A runtime of some bytes, where the service looks for it."""
    folder = tmp_path / "artifacts" / NAME
    folder.mkdir(parents=True)
    for name in KINDS:
        packed(folder, name).write_bytes(gzip.compress(name.encode(), mtime=0))
    return folder


@pytest.fixture
def offered(serve, runtime):
    """The client of a service that offers its model, and what its form says of that."""
    app = serve(serving=OFFLINE)
    client = app.test_client()
    section = Page(client.get("/").text).one("section", id="device")[0]
    return client, {name.removeprefix("data-"): value for name, value in section.items() if name.startswith("data-")}


def test_the_form_names_what_a_device_needs(offered):
    client, said = offered
    files = {address.rpartition("/")[2]: client.get(address) for address in json.loads(said["files"])}
    assert {
        "device.js",
        "predict.js",
        "rules.json",
        "manifest.json",
        "schema.json",
        "model.json",
        "golden.json",
        "model.onnx",
    } <= set(files)
    for name, answer in files.items():
        assert answer.status_code == 200 and answer.headers["Cache-Control"].endswith("immutable"), name
    digest = client.application.extensions["slipway"].digest
    assert sha256(files["manifest.json"].data).hexdigest() == digest == files["rules.json"].json["digest"]
    assert json.loads(files["schema.json"].data) and files["device.js"].mimetype == "text/javascript"
    assert said["base"] == said["script"].removesuffix("device.js") and files.keys() & KINDS.keys() == set()


def test_the_size_that_it_names_is_what_is_downloaded(offered, runtime):
    client, said = offered
    sent = sum(len(client.get(address).data) for address in json.loads(said["files"]))
    sent += sum(packed(runtime, name).stat().st_size for name in KINDS)
    assert said["size"] == f"{sent / 1e6:.1f} MB" and client.application.extensions["slipway-device"].size == sent


def test_a_browser_verifies_each_of_them(offered):
    """Else a login page that a proxy answers instead would be kept as a script, and the script of another release too."""
    client, said = offered
    for address, expected in {**json.loads(said["files"]), **json.loads(said["runtime"])}.items():
        with client.get(address) as answer:
            assert expected == f"sha256-{b64encode(sha256(answer.data).digest()).decode()}", address


def test_the_size_of_the_scripts_is_the_documented_one():
    sent = sum(path.stat().st_size for path in SCRIPTS.glob("*.js"))
    assert f"| scripts of Slipway | {sent / 1000:.0f} kB |" in (ROOT / "docs" / "app.md").read_text()


@pytest.mark.parametrize("name", [MODULE, BINARY])
def test_the_runtime_travels_packed_to_those_who_can_unpack_it(offered, name):
    client, _ = offered
    answer = client.get(f"/offline/{NAME}/{name}", headers={"Accept-Encoding": "gzip, br"})
    assert (answer.mimetype, answer.headers["Content-Encoding"]) == (KINDS[name], "gzip")
    assert gzip.decompress(answer.data) == name.encode() and "gz" not in answer.headers["Content-Disposition"]
    plain = client.get(f"/offline/{NAME}/{name}")
    assert plain.data == name.encode() and "Content-Encoding" not in plain.headers
    for each in (answer, plain):
        assert each.headers["Vary"] == "Accept-Encoding" and "immutable" in each.headers["Cache-Control"]


@pytest.mark.parametrize("path", ["metrics.json", "evaluation.json", "slipway.yaml", "..%2fslipway.yaml", "other.onnx", ""])
def test_nothing_else_of_the_bundle_leaves(offered, path):
    client, said = offered
    assert client.get(said["base"] + path).status_code == 404


def test_another_edition_and_another_runtime_are_not_there(offered):
    client, said = offered
    assert client.get(said["script"].replace(said["base"], "/offline/0123456789abcdef/")).status_code == 404
    assert client.get(f"/offline/onnxruntime-web-0.0.0/{MODULE}").status_code == 404
    assert client.get(f"/offline/{NAME}/package.json").status_code == 404


@pytest.mark.parametrize("method, path", [("GET", "/"), ("POST", "/")])
def test_the_page_of_the_form_alone_may_compile(offered, method, path):
    client, said = offered
    assert "script-src 'self' 'wasm-unsafe-eval';" in client.open(path, method=method).headers["Content-Security-Policy"]
    for other in ("/model", "/report", "/apidocs/", "/nowhere", "/service-worker.js", "/healthz", said["script"]):
        assert "unsafe" not in client.get(other).headers["Content-Security-Policy"], other
    assert "unsafe" not in client.post("/preview").headers["Content-Security-Policy"]


def test_the_edition_changes_with_the_policies_and_the_switch(serve, runtime):
    found = [
        Page(serve(serving=serving).test_client().get("/").text).one("meta", name="slipway-edition")[0]["content"]
        for serving in ("", OFFLINE, f"{OFFLINE}, out_of_range: warn")
    ]
    assert len(set(found)) == 3


def test_under_a_prefix_every_address_has_it(serve, runtime):
    client = serve(serving=OFFLINE, environ={"SLIPWAY_URL_PREFIX": "/models/charges"}).test_client()
    section = Page(client.get("/").text).one("section", id="device")[0]
    found = [
        *json.loads(section["data-files"]),
        *json.loads(section["data-runtime"]),
        section["data-module"],
        section["data-binary"],
        section["data-base"],
    ]
    assert all(address.startswith("/models/charges/offline/") for address in found)
    assert client.get(section["data-module"]).status_code == 200
    assert section["data-runtime-cache"] == "slipway:/models/charges/:runtime"


def test_switched_off_there_is_none_of_it(client):
    assert not Page(client.get("/").text).all("section", id="device")
    assert client.get(f"/offline/{NAME}/{MODULE}").status_code == 404


@pytest.mark.parametrize("variable", ["SLIPWAY_API_KEYS", "SLIPWAY_API_KEYS_FILE"])
def test_keys_and_a_public_model_exclude_each_other(serve, runtime, tmp_path, variable):
    (tmp_path / "keys").write_text("key\n")
    value = "key" if variable == "SLIPWAY_API_KEYS" else str(tmp_path / "keys")
    with pytest.raises(ServingError, match=r"exclude each other.*Unset SLIPWAY_API_KEYS"):
        serve(serving=OFFLINE, environ={variable: value})


def test_without_the_runtime_it_says_what_to_run(serve):
    with pytest.raises(ServingError, match=rf"{NAME} is missing.*Run python -m slipway\.serving\.offline\.fetch_runtime"):
        serve(serving=OFFLINE)


@pytest.mark.parametrize("content", [b"no gzip", gzip.compress(b"x" * 999)[:-9]], ids=["no gzip", "cut short"])
def test_a_damaged_runtime_is_named(serve, runtime, content):
    packed(runtime, BINARY).write_bytes(content)
    with pytest.raises(ServingError, match=rf"{BINARY}\.gz cannot be read: .* Remove .*, and run python -m"):
        serve(serving=OFFLINE)


def test_the_server_says_so_in_one_line_before_any_worker_starts(tmp_path):
    make_bundle(LocalStore(tmp_path / "artifacts"), "regression")
    (tmp_path / "slipway.yaml").write_text("name: regression\nsource: table.csv\ntarget: charges\nserving: {offline: true}\n")
    with start(tmp_path, "app.py", PORT="0") as process:
        out, err = process.communicate(timeout=30)
    assert process.returncode == 6 and out == "" and re.fullmatch(r"slipway: serving\.offline: [^\n]+\n", err), err
