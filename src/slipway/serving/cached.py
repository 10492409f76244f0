"""``GET /predict?FIELD=VALUE&…``: the answer to one row, which caches may keep.

The row is read and answered as by ``POST /predict``. The ETag is a hash of what decides the answer, so nothing is computed to
tell a cache that what it has is still right.
"""

from collections.abc import Mapping
from hashlib import sha256

import msgspec
from flask import Flask, Response, g, request

from slipway import __version__
from slipway.serving.api import arguments, level_of, prediction
from slipway.serving.keys import HEADER
from slipway.serving.refusal import Refusal, shown_name
from slipway.serving.service import Service

ENDPOINT = "api.cached"  # of the API's blueprint: its errors, and its headers for pages of other origins
ARGUMENT = "interval"


def install(app: Flask) -> None:
    """Answer ``GET /predict`` and ``HEAD /predict`` in `app`."""
    app.add_url_rule("/predict", ENDPOINT, CachedAnswers(app.extensions["slipway"]).answer, methods=["GET"])


class CachedAnswers:
    """Answers for the caches between the service and its clients, or in these.

    Parameters
    ----------
    service : Service
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._cells = {*service.schema.names, *service.ids}
        scope = "private" if service.keys.needed else "public"
        self._storing = f"{scope}, max-age={service.problem.serving.cache_seconds}"
        problem = service.problem
        reading = problem.serving, problem.limits, problem.missing, problem.id, sorted(problem.unlearned)
        self._decides = sha256(msgspec.json.encode([__version__, service.release, service.digest, reading]))

    def answer(self) -> Response:
        """The answer to the row in the query; to HEAD, and to a cache that has it, its headers alone."""
        row, query = self._asked(arguments(request))
        level = level_of(self._service, query.get(ARGUMENT))
        tag = self._tag(row, level)
        is_known = request.if_none_match.contains_weak(tag)  # a proxy that compresses makes a weak one of it
        if is_known or request.method == "HEAD":
            self._service.decoder.decode_rows([row])  # what GET refuses is refused
            response = Response(iter(()), 304 if is_known else 200, mimetype="application/json")
        else:
            body = msgspec.json.encode(row)
            response = Response(prediction(self._service, g.call, body, query), mimetype="application/json")
        response.headers["Cache-Control"] = self._storing
        response.set_etag(tag)
        if self._service.keys.needed:
            response.vary.update(("Authorization", HEADER))
        return response

    def _asked(self, given: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
        """The row, without its empty cells, and the arguments. A cell that is named like an argument is none.

        Raises
        ------
        Refusal
            422 when a name occurs twice: caches and proxies differ in which of them counts.
        """
        for name, texts in request.args.lists():
            if len(texts) > 1:
                raise Refusal(422, f"The query has {shown_name(name)} {len(texts)} times; expected it once.")
        row = {name: text for name, text in given.items() if text or name not in self._cells}
        if ARGUMENT in row and ARGUMENT not in self._cells:
            return row, {ARGUMENT: row.pop(ARGUMENT)}
        return row, {}

    def _tag(self, row: Mapping[str, str], level: float | None) -> str:
        """The same for the same row, in whichever order its fields are."""
        found = self._decides.copy()
        found.update(msgspec.json.encode([sorted(row.items()), level]))
        return found.hexdigest()[:32]
