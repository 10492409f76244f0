"""The pages for people: the form with its answer, and the card of the model."""

import hmac
import json
from collections.abc import Mapping, Sequence

from flask import Blueprint, Response, current_app, g, render_template, request, url_for

from slipway import __version__
from slipway.serving import card, metrics, snippets
from slipway.serving.answer import Answer, explain
from slipway.serving.api import answered, service
from slipway.serving.chart import aligned, number, share
from slipway.serving.decoder import InvalidRows, Wrong
from slipway.serving.form import FEW_FIELDS, controls, groups, read_row, typical

pages = Blueprint("pages", __name__)
pages.add_app_template_filter(number, "number")
pages.add_app_template_filter(aligned, "aligned")
pages.add_app_template_filter(share, "share")
pages.add_app_template_filter(card.settings, "settings")

KEY_FIELD = "API key"

# A document of the bundle carries its styles in itself; nothing else may run or load in it.
DOCUMENT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"


@pages.app_context_processor
def _frame() -> dict:
    """What the frame of every page shows, the error page's too."""
    here = service()
    places = {"Predict": "pages.form", "Model": "pages.model", "API": "flasgger.apidocs"}
    return {
        "problem_name": here.problem.name, "version": __version__, "digest": here.predictor.digest,
        "navigation": {title: url_for(place) for title, place in places.items()},
    }


@pages.get("/")
def form() -> str:
    """The form, holding a typical row."""
    return _page()


@pages.post("/")
def ask() -> tuple[str, int]:
    """The same page with the answer, or with what is wrong and what was typed."""
    here = service()
    typed = request.form.to_dict()
    key = typed.pop(KEY_FIELD, "") if _keys() else ""
    row = read_row(here.schema, typed)
    if not _is_known(key):
        return _page(typed, problems=[Wrong(1, KEY_FIELD, "expected one of this service's keys")]), 401
    try:
        decoded = here.decoder.decode(json.dumps(row).encode())
        prediction = answered(here, decoded)
    except InvalidRows as error:
        metrics.refused(here.digest, 1)
        return _page(typed, problems=error.problems), 422
    g.rows = decoded.rows
    metrics.predicted(here.digest, 1)
    warnings = [str(warning) for warning in decoded.warnings]
    return _page(typed, row, explain(here.predictor, prediction, decoded.columns, row, warnings)), 200


def _page(
    typed: Mapping[str, str] | None = None, row: Mapping | None = None, answer: Answer | None = None,
    problems=(),
) -> str:
    here = service()
    schema = here.schema
    wrong = {problem.field: problem.detail for problem in problems}
    shown = controls(schema, typed, wrong)
    ids = {control.field.name: control.target for control in shown} | {KEY_FIELD: "api-key"}
    example = read_row(schema, {field.name: typical(field) for field in schema})
    important = [name for name, _ in here.predictor.bundle.json("metrics.json").get("importance", [])]
    return render_template(
        "form.html",
        target=here.predictor.target,
        groups=groups(shown, important),
        crowded=len(shown) > FEW_FIELDS,
        count=len(shown),
        reject=here.problem.serving.out_of_range == "reject",
        errors=[{"name": name, "detail": detail, "target": ids.get(name)} for name, detail in wrong.items()],
        answer=answer,
        key_field=KEY_FIELD if _keys() else "",
        key_error=wrong.get(KEY_FIELD, ""),
        snippets=_snippets(row if answer else example),
    )


def _snippets(row: Mapping) -> list[dict]:
    url = url_for("api.predict", _external=True)
    key = bool(_keys())
    return [
        {"id": "curl", "title": "curl", "text": snippets.curl(url, row, key)},
        {"id": "python", "title": "Python", "text": snippets.python(url, row, key)},
    ]


def _keys() -> Sequence[str]:
    return current_app.config["API_KEYS"]


def _is_known(key: str) -> bool:
    """Whether the key is one of the service's, compared in constant time; without keys any is."""
    known = [hmac.compare_digest(key.strip().encode(), each.encode()) for each in _keys()]
    return any(known) or not known


@pages.get("/model")
def model() -> str:
    """The card of the model that answers."""
    here = service()
    bundle = here.predictor.bundle
    measured = bundle.json("metrics.json")
    return render_template(
        "model.html",
        predictor=here.predictor,
        model=bundle.json("model.json"),
        metrics=measured,
        verdict=here.verdict,
        has_plot="fit.svg" in bundle.manifest["files"],
        plot_says=card.PLOTS[here.predictor.task],
        schema=here.schema,
        measured=card.deciding_first(measured["holdout"]["metrics"], measured["metric"]),
        meanings=card.MEANINGS,
        importance=card.importance_bars(measured.get("importance", [])),
        best=card.best_of_each(measured["leaderboard"]),
        fields=card.describe(here.schema.fields),
        reject=here.problem.serving.out_of_range == "reject",
        apidocs=url_for("flasgger.apidocs"),
    )


@pages.get("/model/fit.svg")
def plot() -> Response:
    """How the model fits the held-out rows."""
    return _document("fit.svg", "image/svg+xml")


@pages.get("/model/report")
def report() -> Response:
    """The full report of the training."""
    return _document("report.html", "text/html")


def _document(name: str, mimetype: str) -> Response:
    bundle = service().predictor.bundle
    response = Response(bundle.read(name), mimetype=mimetype)
    response.headers["Content-Security-Policy"] = DOCUMENT_POLICY
    response.headers["Cache-Control"] = "no-cache"
    response.set_etag(bundle.digest)
    return response.make_conditional(request)
