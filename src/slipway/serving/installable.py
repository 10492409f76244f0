"""The pages as an app that phones and computers install: its manifest, and the worker that opens it without the server.

What a browser keeps of them is named by their edition, so that nothing of another release stays.
"""

from base64 import b64encode
from functools import cache
from hashlib import sha256
from pathlib import Path

from flask import Blueprint, Response, current_app, jsonify, render_template, url_for

from slipway import __version__
from slipway.report.look import LOOK
from slipway.serving.keys import FORM_FIELD
from slipway.serving.service import Service, current_service

installable = Blueprint("installable", __name__)

ASSETS = ("icon.svg", "slipway.css", "slipway.js", "form.js", "upload.js")
PAGES = ("pages.form", "pages.model", "pages.report")  # what an installed page shows without the server, once it has seen them
OTHERS = ("flasgger.apidocs", "production.live")
SURFACE, GROUND = "#ffffff", "#f5f7f8"  # of look.css
STATIC = Path(__file__).parent / "static"
EDITION_HEADER = "Slipway-Edition"
DIGITS = 16
EXTENSION = "slipway-edition"
MOST_LETTERS = 12  # of the name under an icon


def edition() -> str:
    """Of the app that answers now: bundle, Slipway, release, keys, what the form needs offline, scripts and styles."""
    extensions = current_app.extensions
    if EXTENSION not in extensions:
        extensions[EXTENSION] = edition_of(extensions["slipway"])
    found: str = extensions[EXTENSION]
    return found


def edition_of(service: Service) -> str:
    """The first digits of a SHA-256."""
    found = sha256()
    for part in (__version__, service.digest, service.release, str(service.keys.needed)):
        found.update(part.encode() + b"\0")
    if service.problem.serving.offline:
        from slipway.serving.offline.device_rules import device_rules

        found.update(device_rules(service))
    found.update(_look())
    return found.hexdigest()[:DIGITS]


@cache
def _look() -> bytes:
    """SHA-256 over the scripts, styles and pictures."""
    found = sha256(LOOK.read_bytes())
    for path in sorted(STATIC.rglob("*")):
        if path.is_file():
            found.update(path.relative_to(STATIC).as_posix().encode() + b"\0" + path.read_bytes())
    return found.digest()


def asset(name: str) -> str:
    """The address of a script or style of this edition; a page of another one asks for another address."""
    if name == "look.css":
        return url_for("pages.look", v=edition())
    return url_for("static", filename=name, v=edition())


def integrity(content: bytes) -> str:
    """With which a browser verifies what it keeps: an answer of another release or of a proxy would stay."""
    return f"sha256-{b64encode(sha256(content).digest()).decode()}"


def _assets() -> dict[str, str]:
    """What the pages load, and the integrity of each."""
    found = {asset(name): integrity((STATIC / name).read_bytes()) for name in ASSETS}
    found[asset(LOOK.name)] = integrity(LOOK.read_bytes())
    return found | {url_for("installable.manifest"): integrity(manifest().get_data())}


def browser_caches() -> dict[str, str]:
    """The names of its caches in a browser. One origin may have several services, each under a path of its own."""
    here, scope = current_service(), url_for("pages.form")
    names = {"edition": f"slipway:{scope}:{edition()}"}
    if here.problem.serving.offline:
        names["runtime"] = f"slipway:{scope}:runtime"  # outlives editions: it says that this device wants the model
    return names


@installable.get("/manifest.webmanifest")
def manifest() -> Response:
    """What a browser shows of the app, and where it starts."""
    problem, start = current_service().problem, url_for("pages.form")
    name = problem.name
    document = {
        "id": start,
        "name": name,
        "short_name": name if len(name) <= MOST_LETTERS else f"{name[: MOST_LETTERS - 1]}…",
        "description": problem.purpose or f"Predict {problem.target}",
        "lang": "en",
        "start_url": start,
        "scope": start,
        "display": "standalone",
        "theme_color": SURFACE,
        "background_color": GROUND,
        "icons": [
            _icon("icon.svg", "any", "image/svg+xml"),
            _icon("icon-192.png", "192x192"),
            _icon("icon-512.png", "512x512"),
            {**_icon("icon-maskable.png", "512x512"), "purpose": "maskable"},
        ],
    }
    response = jsonify(document)
    response.mimetype = "application/manifest+json"
    return response


def _icon(name: str, sizes: str, kind: str = "image/png") -> dict[str, str]:
    return {"src": url_for("static", filename=name), "sizes": sizes, "type": kind}


@installable.get("/service-worker.js")
def worker() -> Response:
    """The worker of this edition: another edition is another file, which a browser notices at the next visit."""
    names = browser_caches()
    script = render_template(
        "service-worker.js",
        header=EDITION_HEADER,
        edition=edition(),
        names=names,
        scope=url_for("pages.form"),
        pages=[url_for(page) for page in PAGES],
        others=[url_for(page) for page in OTHERS],
        assets=_assets(),
        secret=FORM_FIELD,
    )
    return Response(script, mimetype="text/javascript")
