"""onnxruntime-web, fetched from a registry on this machine."""

import base64
import gzip
import hashlib
import io
import subprocess
import sys
import tarfile
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from servers import ROOT, free_port
from slipway.errors import ServingError
from slipway.serving.offline.fetch_runtime import fetch_runtime
from slipway.serving.offline.web_runtime import KINDS, NAME, SHA512, VERSION, is_complete, packed

CONTENT = {name: f"{name}\n".encode() * 1000 for name in KINDS}


def tarball(names=KINDS) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name in (*names, "other.js"):
            info = tarfile.TarInfo(f"package/dist/{name}")
            info.size = len(CONTENT.get(name, b"other"))
            archive.addfile(info, io.BytesIO(CONTENT.get(name, b"other")))
    return file.getvalue()


def sum_of(content: bytes) -> str:
    return base64.b64encode(hashlib.sha512(content).digest()).decode()


class Registry:
    """Answers with `content`, of which it tells `length`, or with a status."""

    def __init__(self):
        self.content, self.length, self.status, self.asked = tarball(), None, 200, []
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                registry.asked.append(self.path)
                registry.authorization = self.headers["Authorization"]
                self.send_response(registry.status)
                self.send_header("Content-Length", str(registry.length or len(registry.content)))
                self.end_headers()
                self.wfile.write(registry.content)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def stop(self):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    @property
    def environ(self):
        return {"NPM_CONFIG_REGISTRY": f"http://127.0.0.1:{self.server.server_port}/npm/"}


@pytest.fixture
def registry():
    registry = Registry()
    yield registry
    registry.stop()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "artifacts" / NAME


def fetched(folder) -> dict[str, bytes]:
    return {name: gzip.decompress(packed(folder, name).read_bytes()) for name in KINDS}


def test_only_the_files_that_a_browser_needs_are_kept_packed(registry, folder):
    fetch_runtime(folder, registry.environ, sum_of(registry.content))
    assert registry.asked == [f"/npm/onnxruntime-web/-/onnxruntime-web-{VERSION}.tgz"]
    assert fetched(folder) == CONTENT and len(list(folder.iterdir())) == len(KINDS)
    assert folder.stat().st_mode & 0o755 == 0o755 and [each.name for each in folder.parent.iterdir()] == [NAME]


def test_what_is_there_is_not_fetched_again(registry, folder):
    fetch_runtime(folder, registry.environ, sum_of(registry.content))
    fetch_runtime(folder, registry.environ, sum_of(registry.content))
    assert len(registry.asked) == 1


def test_half_a_folder_is_replaced(registry, folder):
    folder.mkdir(parents=True)
    packed(folder, next(iter(KINDS))).write_bytes(b"half")
    fetch_runtime(folder, registry.environ, sum_of(registry.content))
    assert fetched(folder) == CONTENT


def test_another_package_is_refused(registry, folder):
    with pytest.raises(ServingError, match="not the package that this Slipway is locked to"):
        fetch_runtime(folder, registry.environ, SHA512)
    assert not folder.exists() and not is_complete(folder)


@pytest.mark.parametrize("told", ["as it is", "as it should be"])
def test_a_package_that_ends_early_is_refused(registry, folder, told):
    whole = registry.content
    registry.content = whole[:-100]
    registry.length = len(whole) if told == "as it should be" else None
    with pytest.raises(ServingError, match="SHA-512|cannot be fetched"):
        fetch_runtime(folder, registry.environ, sum_of(whole))
    assert not folder.exists()


def test_a_registry_that_does_not_have_it_is_named_without_its_password(registry, folder):
    registry.status = 404
    address = registry.environ["NPM_CONFIG_REGISTRY"]
    with pytest.raises(ServingError, match=r"onnxruntime-web-.*\.tgz: cannot be fetched \(HTTP Error 404") as caught:
        fetch_runtime(folder, {"NPM_CONFIG_REGISTRY": address}, sum_of(registry.content))
    assert "NPM_CONFIG_REGISTRY" in caught.value.cure
    with pytest.raises(ServingError) as caught:
        fetch_runtime(folder, {"NPM_CONFIG_REGISTRY": f"http://me:secret@127.0.0.1:{free_port()}"})
    assert "secret" not in str(caught.value)


def test_a_password_without_a_port_is_not_shown(folder):
    with pytest.raises(ServingError, match=r"http://127\.0\.0\.1/.*cannot be fetched") as caught:
        fetch_runtime(folder, {"NPM_CONFIG_REGISTRY": "http://me:secret@127.0.0.1/npm"})
    assert "secret" not in str(caught.value)


def test_a_name_and_a_password_reach_the_registry_as_they_are(registry, folder):
    address = registry.environ["NPM_CONFIG_REGISTRY"].replace("//", "//me:s%3Ac%2Fret@")
    fetch_runtime(folder, {"NPM_CONFIG_REGISTRY": address}, sum_of(registry.content))
    assert base64.b64decode(registry.authorization.removeprefix("Basic ")) == b"me:s:c/ret" and is_complete(folder)


@pytest.mark.parametrize(
    "address", ["file:///tmp", "registry.npmjs.org", "ftp://x", "http://[::1", "http://a:b", "https://", "http://a?b"]
)
def test_what_is_no_registry_is_refused(folder, address):
    with pytest.raises(ServingError, match="NPM_CONFIG_REGISTRY is not the address of a registry"):
        fetch_runtime(folder, {"NPM_CONFIG_REGISTRY": address})


def test_two_at_once_leave_one_whole_folder(registry, folder):
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(fetch_runtime, folder, registry.environ, sum_of(registry.content)) for _ in range(4)]:
            done.result()
    assert fetched(folder) == CONTENT and [each.name for each in folder.parent.iterdir()] == [NAME]


def test_a_folder_that_cannot_be_written_is_named(registry, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ServingError, match="cannot be written"):
        fetch_runtime(tmp_path / "file" / NAME, registry.environ, sum_of(registry.content))


@pytest.mark.parametrize("serving, code", [("", 0), ("serving: {offline: true}\n", 6)])
def test_the_program_asks_a_registry_only_where_the_form_answers_offline(registry, tmp_path, serving, code):
    """Its registry has another package than the locked one."""
    (tmp_path / "slipway.yaml").write_text(f"name: regression\nsource: table.csv\ntarget: charges\n{serving}")
    done = subprocess.run(
        [sys.executable, "-m", "slipway.serving.offline.fetch_runtime"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT / "src"), **registry.environ},
        capture_output=True,
        text=True,
    )
    assert done.returncode == code and len(registry.asked) == bool(serving), done.stderr
    assert done.stdout == "" and (done.stderr == "" or done.stderr.startswith("slipway: http://127.0.0.1"))
