"""Puts the application together."""

import os
from collections.abc import Mapping

from flask import Flask
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from slipway.errors import ServingError
from slipway.problem import Problem, load_problem
from slipway.serving import access, docs, headers, keys, refusal
from slipway.serving.api import api
from slipway.serving.pages import pages
from slipway.serving.probes import probes
from slipway.serving.service import open_service


def build(problem: Problem | None = None, environ: Mapping[str, str] = os.environ) -> Flask:
    """The application; `slipway.serving.create_app` is its public name."""
    problem = problem or load_problem(environ=environ)
    app = Flask("slipway.serving")
    app.extensions["slipway"] = service = open_service(problem, environ)
    app.config["MAX_CONTENT_LENGTH"] = problem.serving.max_body_bytes
    app.config["MAX_FORM_PARTS"] = 10 + len(service.schema.fields)
    access.watch(app)
    keys.guard(app)
    headers.protect(app, problem.serving.cors_origins, service.release)
    app.register_error_handler(refusal.Refusal, refusal.answer_refusal)
    app.register_error_handler(HTTPException, refusal.answer_http_error)
    app.register_error_handler(Exception, refusal.answer_failure)
    for blueprint in (api, probes, pages):
        app.register_blueprint(blueprint)
    docs.install(app)
    _trust_proxies(app, environ.get("SLIPWAY_TRUSTED_PROXIES", "0"))
    return app


def _trust_proxies(app: Flask, count: str) -> None:
    if not count.isdigit():
        raise ServingError("SLIPWAY_TRUSTED_PROXIES: expected a whole number", "Say how many proxies are in front")
    if int(count):
        trusted = {name: int(count) for name in ("x_for", "x_proto", "x_host", "x_prefix")}
        app.wsgi_app = ProxyFix(app.wsgi_app, **trusted)
