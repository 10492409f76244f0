"""A cluster in the place of kubectl, and the public address of what runs on it."""

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from kube import BUNDLE, MANIFESTS, Cluster, Time, write_overlay_of
from slipway.release.kubernetes import deployment, kubectl
from slipway.release.kubernetes.deployment import ClusterRelease
from slipway.release.kubernetes.kubectl import Kubectl
from slipway.release.request import Request


@pytest.fixture
def cluster(monkeypatch) -> Cluster:
    found = Cluster()
    monkeypatch.setattr(kubectl.subprocess, "run", found)
    monkeypatch.setattr(deployment, "Clock", Time)
    return found


@pytest.fixture
def address(cluster) -> Iterator[int]:
    """Port of what answers for the cluster."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"status": "ready", "bundle": BUNDLE, "release": cluster.answers(), "commit": ""}).encode()
            self.send_response(200 if self.path == "/readyz" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture
def overlay(tmp_path, address) -> Path:
    """An overlay with a public address, below a copy of the manifests."""
    folder = tmp_path / "kubernetes"
    shutil.copytree(MANIFESTS, folder)
    return write_overlay_of(folder / "own", f"http://127.0.0.1:{address}")


@pytest.fixture
def request_of() -> Callable[..., Request]:
    def make(number: int, run: int, commit: int | None = None) -> Request:
        return Request(f"sha256:{number:064x}", f"{number:064x}", f"{number if commit is None else commit:040x}", run)

    return make


@pytest.fixture
def steps(overlay) -> Callable[..., Iterator[str]]:
    """A release that is not begun."""

    def make(request, time: Time | None = None, bundle: str = BUNDLE, overlay: Path = overlay) -> Iterator[str]:
        image = f"registry.example.org/insurance@{request.digest}"
        return ClusterRelease(Kubectl("insurance"), overlay, image, request, bundle, time or Time()).steps()

    return make


@pytest.fixture
def release(cluster, steps) -> Callable[..., list[str]]:
    """Makes a release live and tells its lines."""
    return lambda *arguments, **options: list(steps(*arguments, **options))
