"""Builds the application."""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

import flask
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from slipway.errors import ServingError
from slipway.problem import Problem, load_problem
from slipway.serving import access, docs, headers, keys, prefix, refusal, shortcut
from slipway.serving.api import api
from slipway.serving.installable import installable
from slipway.serving.live_view import production
from slipway.serving.pages import pages
from slipway.serving.probes import probes
from slipway.serving.service import Service, open_service

if TYPE_CHECKING:
    from slipway.serving.protocols.protocol import Protocol


def build(problem: Problem | None = None, environ: Mapping[str, str] = os.environ) -> flask.Flask:
    """The application; `slipway.serving.create_app` is its public name."""
    problem = problem or load_problem(environ=environ)
    app = flask.Flask("slipway.serving")  # not imported by its name: a tool may have put its own class there meanwhile
    is_wrapped = "wsgi_app" in vars(app)  # in middleware of a tool, which is to see every call
    app.extensions["slipway"] = service = open_service(problem, environ)
    app.config["MAX_CONTENT_LENGTH"] = problem.serving.max_body_bytes
    app.config["MAX_FORM_PARTS"] = 10 + len(service.schema.fields)
    access.watch(app)
    keys.guard(app)
    headers.protect(app, problem.serving.cors_origins, service.release)
    app.register_error_handler(refusal.Refusal, refusal.answer_refusal)
    app.register_error_handler(HTTPException, refusal.answer_http_error)
    app.register_error_handler(Exception, refusal.answer_failure)
    app.extensions[refusal.PROTOCOLS] = spoken = _spoken(problem)
    for blueprint in (api, probes, pages, installable, production, *(protocol.blueprint for protocol in spoken.values())):
        app.register_blueprint(blueprint)
    if problem.serving.cache_seconds:
        from slipway.serving import cached

        cached.install(app)
    if problem.serving.offline:
        from slipway.serving.offline import on_device

        on_device.install(app)
    docs.install(app)
    if not is_wrapped:
        shortcut.install(app)
    prefix.install(app, environ.get(prefix.VARIABLE, ""))
    _trust_proxies(app, environ.get("SLIPWAY_TRUSTED_PROXIES") or "0")
    return app


def _spoken(problem: Problem) -> "dict[str, Protocol]":
    """The further protocols, by their blueprints; their room is imported only if there are some."""
    if not problem.serving.protocols:
        return {}
    from slipway.serving.protocols import protocols_of

    return protocols_of(problem.serving.protocols)


def checked(problem: Problem) -> Service:
    """The service of a problem, before any worker starts; SlipwayError when it cannot do what is switched on."""
    service = open_service(problem)
    if problem.serving.offline:
        from slipway.serving.offline.on_device import download_of

        download_of(service)
    return service


def _trust_proxies(app: flask.Flask, count: str) -> None:
    """Trust the forwarded address and scheme; not host and prefix: where a proxy does not set them, any client could."""
    if not count.isdecimal():
        raise ServingError(f"SLIPWAY_TRUSTED_PROXIES: {count!r} is not a number of proxies", "Set it to 1 for one proxy")
    if int(count):
        fixed = ProxyFix(app.wsgi_app, x_for=int(count), x_proto=int(count))
        app.wsgi_app = fixed  # type: ignore[method-assign]  # as Flask documents
