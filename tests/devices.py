"""A device that answers rows by itself: a browser with the files that the service gives it."""

import gzip
import json
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome

import slipway.serving
from slipway.serving.offline.device_rules import RULES, device_files, device_rules
from slipway.serving.service import Service

MODULES = Path(slipway.serving.__file__).parent / "static" / "offline"
PAGE = "<!doctype html><meta charset=utf-8><link rel=icon href=data:><title>A device</title>"
OPEN = """
const [base, done] = arguments;
(async () => {
  const ort = await import("/ort/ort.wasm.bundle.min.mjs");
  ort.env.wasm.numThreads = 1;
  ort.env.wasm.wasmPaths = { wasm: "/ort/ort-wasm-simd-threaded.wasm" };
  const { openModel } = await import("/offline/predict.js");
  window.model = await openModel({ base, ort });
  return { digest: window.model.digest };
})().then(done, (error) => done({ error: `${error}` }));
"""
ANSWER = """
const [rows, done] = arguments;
Promise.all(JSON.parse(rows).map((row) => window.model.answer(row))).then(done, (error) => done(`${error}`));
"""


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def give(service: Service, folder: Path) -> None:
    """Write what a device of this service downloads."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in device_files(service.bundle):
        shutil.copyfile(service.bundle.folder / name, folder / name)
    (folder / RULES).write_bytes(device_rules(service))


@contextmanager
def served(folder: Path, runtime: Path) -> Iterator[str]:
    """The address of a site with the modules, onnxruntime-web as it is in `runtime`, and whatever is in `folder`."""
    (folder / "index.html").write_text(PAGE)
    (folder / "offline").symlink_to(MODULES)
    (folder / "ort").mkdir()
    for path in runtime.glob("*.gz"):
        (folder / "ort" / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def open_model(browser: Chrome, site: str, name: str) -> dict[str, Any]:
    """Open the model in the folder of this name: its digest, or why it was not opened."""
    browser.get(site)
    found: dict[str, Any] = browser.execute_async_script(OPEN, f"{site}{name}/")
    return found


def answers(browser: Chrome, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the opened model answers to rows, one at a time."""
    found = browser.execute_async_script(ANSWER, json.dumps(rows))
    assert isinstance(found, list), found
    return found
