"""The pages for people: the form with its answer, and the card of the model."""

import json
from collections.abc import Mapping

from flask import Blueprint, Response, current_app, render_template, request, url_for

from slipway import __version__
from slipway.serving.answer import Answer, explain
from slipway.serving import card, snippets
from slipway.serving.chart import number, numbers, share
from slipway.serving.form import FEW_FIELDS, controls, groups, read_row, typical

pages = Blueprint("pages", __name__)
pages.add_app_template_filter(number, "number")
pages.add_app_template_filter(numbers, "numbers")
pages.add_app_template_filter(share, "share")
pages.add_app_template_filter(card.settings, "settings")

# A document of the bundle carries its styles in itself; nothing else may run or load in it.
DOCUMENT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"


@pages.app_context_processor
def _frame() -> dict:
    """What the frame of every page shows, the error page's too."""
    service = current_app.extensions["slipway"]
    places = {"Predict": "pages.form", "Model": "pages.model", "API": "flasgger.apidocs"}
    return {
        "problem_name": service.problem.name, "version": __version__, "digest": service.predictor.digest,
        "navigation": {title: url_for(place) for title, place in places.items()},
    }


@pages.get("/")
def form() -> str:
    """The form, holding a typical row."""
    return _page()


@pages.post("/")
def ask() -> tuple[str, int]:
    """The same page with the answer, or with what is wrong and what was typed."""
    service = current_app.extensions["slipway"]
    typed = request.form.to_dict()
    row = read_row(service.schema, typed)
    try:
        columns, warnings = service.decoder.decode(json.dumps(row).encode())
    except ValueError as error:
        return _page(typed, row, problems=error.problems), 422
    return _page(typed, row, explain(service.predictor, columns, row, warnings)), 200


def _page(
    typed: Mapping[str, str] | None = None, row: Mapping | None = None, answer: Answer | None = None,
    problems=(),
) -> str:
    service = current_app.extensions["slipway"]
    schema = service.schema
    wrong = {problem.field: problem.detail for problem in problems}
    shown = controls(schema, typed, wrong)
    ids = {control.field.name: control.target for control in shown}
    example = read_row(schema, {field.name: typical(field) for field in schema})
    important = [name for name, _ in service.predictor.bundle.json("metrics.json").get("importance", [])]
    return render_template(
        "form.html",
        target=service.predictor.target,
        groups=groups(shown, important),
        crowded=len(shown) > FEW_FIELDS,
        count=len(shown),
        reject=service.problem.serving.out_of_range == "reject",
        errors=[{"name": name, "detail": detail, "target": ids.get(name)} for name, detail in wrong.items()],
        answer=answer,
        snippets=_snippets(row if answer else example),
    )


def _snippets(row: Mapping) -> list[dict]:
    url = url_for("pages.form", _external=True) + "predict"
    return [
        {"id": "curl", "title": "curl", "text": snippets.curl(url, row)},
        {"id": "python", "title": "Python", "text": snippets.python(url, row)},
    ]


@pages.get("/model")
def model() -> str:
    """The card of the model that answers."""
    service = current_app.extensions["slipway"]
    bundle = service.predictor.bundle
    metrics = bundle.json("metrics.json")
    return render_template(
        "model.html",
        predictor=service.predictor,
        model=bundle.json("model.json"),
        metrics=metrics,
        verdict=service.verdict,
        has_plot="fit.svg" in bundle.manifest["files"],
        plot_says=card.PLOTS[service.predictor.task],
        schema=service.schema,
        measured=card.deciding_first(metrics["holdout"]["metrics"], metrics["metric"]),
        meanings=card.MEANINGS,
        importance=card.importance_bars(metrics.get("importance", [])),
        best=card.best_of_each(metrics["leaderboard"]),
        fields=card.describe(service.schema.fields),
        reject=service.problem.serving.out_of_range == "reject",
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
    bundle = current_app.extensions["slipway"].predictor.bundle
    response = Response(bundle.read(name), mimetype=mimetype)
    response.headers["Content-Security-Policy"] = DOCUMENT_POLICY
    response.set_etag(bundle.digest)
    return response.make_conditional(request)
