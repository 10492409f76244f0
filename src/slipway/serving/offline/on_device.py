"""What a device downloads to answer without the server. Only a service with ``serving.offline`` has these addresses."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from flask import Blueprint, Flask, Response, abort, current_app, request, send_file, url_for
from werkzeug.wrappers import Response as BaseResponse

from slipway.errors import ServingError
from slipway.model.bundle import MANIFEST
from slipway.report.numbers import number
from slipway.serving.headers import POLICY
from slipway.serving.installable import edition, integrity
from slipway.serving.offline.device_rules import RULES, device_files, device_rules
from slipway.serving.offline.web_runtime import BINARY, KINDS, MODULE, packed, require_runtime, unpacked
from slipway.serving.offline.web_runtime import NAME as RUNTIME
from slipway.serving.service import Service

on_device = Blueprint("on_device", __name__, url_prefix="/offline")

FORM = ("pages.form", "pages.ask")
FORM_POLICY = POLICY.replace("script-src 'self'", "script-src 'self' 'wasm-unsafe-eval'")
UNCHANGING = "public, max-age=31536000, immutable"  # the address has the edition, or the version
SCRIPTS = Path(__file__).parents[1] / "static" / "offline"
SCRIPT = "device.js"  # of the page; it imports the others
EXTENSION = "slipway-device"


@dataclass(frozen=True)
class Download:
    """All that a device gets.

    Parameters
    ----------
    runtime : Path
        The folder of onnxruntime-web.
    scripts : mapping of str to Path
    names : tuple of str
        Files of the bundle.
    rules : bytes
        The policies of the service, which are not in the bundle.
    sums : mapping of str to str
        The integrity of every file, by its name.
    size : int
        Bytes, as far as nothing in front of the service packs them further.
    """

    runtime: Path
    scripts: Mapping[str, Path]
    names: tuple[str, ...]
    rules: bytes
    sums: Mapping[str, str]
    size: int


def install(app: Flask) -> None:
    """Add the addresses.

    Raises
    ------
    ServingError
        When there are API keys, the runtime was not fetched, or the model is too large for a phone.
    """
    app.extensions[EXTENSION] = download_of(app.extensions["slipway"])
    app.register_blueprint(on_device)


def download_of(service: Service) -> Download:
    """What a device gets of this service; ServingError as `install`."""
    if service.keys.needed:
        raise ServingError(
            "serving.offline and API keys exclude each other: whoever opens the form would get the model without a key",
            "Unset SLIPWAY_API_KEYS and SLIPWAY_API_KEYS_FILE, or set serving.offline to false",
        )
    names, rules = device_files(service.bundle), device_rules(service)
    runtime = require_runtime(service.problem)
    scripts = {path.name: path for path in sorted(SCRIPTS.glob("*.js"))}
    contents = {RULES: rules} | {name: path.read_bytes() for name, path in scripts.items()}
    contents |= {name: _read(service, name) for name in names}
    size = sum(map(len, contents.values())) + sum(packed(runtime, name).stat().st_size for name in KINDS)
    sums = {name: integrity(content) for name, content in contents.items()}
    return Download(runtime, scripts, names, rules, sums | _runtime_sums(runtime), size)


@cache
def _runtime_sums(runtime: Path) -> dict[str, str]:
    """To unpack 14 MB takes as long as a fifth of a start: once, before the workers are forked."""
    return {name: integrity(unpacked(runtime, name)) for name in KINDS}


def _read(service: Service, name: str) -> bytes:
    """A file of the bundle, verified but for the manifest, which the digest names."""
    bundle = service.bundle
    return (bundle.folder / name).read_bytes() if name == MANIFEST else bundle.read(name)


def _here() -> Download:
    here: Download = current_app.extensions[EXTENSION]
    return here


def offer() -> dict[str, str]:
    """What the form needs to know: where the files are, and how much they are."""
    here = _here()
    script = url_for("on_device.file", key=edition(), name=SCRIPT)
    base = script.removesuffix(SCRIPT)
    runtime = {name: url_for("on_device.runtime", name=name) for name in (MODULE, BINARY)}
    return {
        "script": script,
        "base": base,
        "files": json.dumps({base + name: here.sums[name] for name in (*here.scripts, RULES, *here.names)}),
        "runtime": json.dumps({address: here.sums[name] for name, address in runtime.items()}),
        "module": runtime[MODULE],
        "binary": runtime[BINARY],
        "size": f"{number(here.size / 1e6, 1)} MB",
    }


@on_device.get("/<key>/<name>")
def file(key: str, name: str) -> BaseResponse:
    """A script, the policies, or a file of the bundle; of this edition alone."""
    here = _here()
    if key != edition():
        abort(404)
    if name in here.scripts:
        return _unchanging(send_file(here.scripts[name], mimetype="text/javascript"))
    if name == RULES:
        return _unchanging(Response(here.rules, mimetype="application/json"))
    if name not in here.names:
        abort(404)
    content = _read(current_app.extensions["slipway"], name)
    kind = "application/json" if name.endswith(".json") else "application/octet-stream"
    return _unchanging(Response(content, mimetype=kind))


@on_device.get(f"/{RUNTIME}/<name>")
def runtime(name: str) -> BaseResponse:
    """A file of onnxruntime-web; unpacked for the rare client that does not know gzip."""
    if name not in KINDS:
        abort(404)
    path = packed(_here().runtime, name)
    if request.accept_encodings["gzip"]:
        response: BaseResponse = send_file(path, mimetype=KINDS[name], download_name=name)
        response.headers["Content-Encoding"] = "gzip"
    else:
        response = Response(unpacked(_here().runtime, name), mimetype=KINDS[name])
    response.vary.add("Accept-Encoding")
    return _unchanging(response)


def _unchanging(response: BaseResponse) -> BaseResponse:
    response.headers["Cache-Control"] = UNCHANGING
    return response


@on_device.after_app_request
def _let_the_form_compile(response: Response) -> Response:
    """The runtime is WebAssembly, and no other page runs it."""
    if request.endpoint in FORM:
        response.headers["Content-Security-Policy"] = FORM_POLICY
    return response
