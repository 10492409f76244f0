"""The service: a Flask app that answers with the champion."""

import os
from collections.abc import Mapping

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from slipway.errors import ServingError
from slipway.problem import Problem, load_problem
from slipway.serving import access, docs, headers, problems
from slipway.serving.api import api
from slipway.serving.pages import pages
from slipway.serving.service import Service


def create_app(problem: Problem | None = None, environ: Mapping[str, str] = os.environ) -> Flask:
    """The WSGI application.

    Parameters
    ----------
    problem : Problem, optional
        By default what slipway.yaml (or ``SLIPWAY_PROBLEM``) says.
    environ : mapping
        ``SLIPWAY_API_KEYS`` and ``SLIPWAY_TRUSTED_PROXIES`` are read from it.

    Raises
    ------
    ServingError
        When there is no champion that can be served.
    """
    problem = problem or load_problem(environ=environ)
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = problem.serving.max_body_bytes
    app.config["MAX_FORM_MEMORY_SIZE"] = problem.serving.max_body_bytes
    app.config["API_KEYS"] = tuple(
        key.strip() for key in environ.get("SLIPWAY_API_KEYS", "").split(",") if key.strip()
    )
    app.config["CORS_ORIGINS"] = problem.serving.cors_origins
    app.extensions["slipway"] = Service(problem)
    access.install(app)
    headers.install(app)
    problems.install(app)
    app.register_blueprint(api)
    app.register_blueprint(pages)
    docs.install(app)
    _trust_proxies(app, environ.get("SLIPWAY_TRUSTED_PROXIES", "0"))
    return app


def _trust_proxies(app: Flask, number: str) -> None:
    """Believe X-Forwarded-For, -Proto, -Host and -Prefix of so many proxies in front; of none by default."""
    if not number.isdigit():
        raise ServingError(f"SLIPWAY_TRUSTED_PROXIES: expected a whole number, got {number!r}")
    if int(number):
        count = int(number)
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count, x_prefix=count)
