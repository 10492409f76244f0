"""The pages for people: the form with its answer, and the card of the model."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, g, render_template, request, send_file, url_for

from slipway import __version__
from slipway.model.curves import curves
from slipway.report.fit import fit_figures
from slipway.report.look import LOOK
from slipway.report.meanings import MEANINGS
from slipway.report.numbers import aligned, brief, number, percent, settings, share
from slipway.report.page import best_of_each, compared, depends, drawn, remark, standalone
from slipway.report.summary import origin
from slipway.report.worries import worries
from slipway.serving import card
from slipway.serving.answer import Answer, explain
from slipway.serving.examples import golden_examples
from slipway.serving.form import FEW_FIELDS, FIRST, as_typed, controls, groups, read_row, typical
from slipway.serving.headers import DOCUMENT_POLICY
from slipway.serving.installable import EDITION_HEADER, asset, browser_caches, edition
from slipway.serving.keys import FORM_FIELD
from slipway.serving.live_view import is_shown
from slipway.serving.refusal import Refusal
from slipway.serving.service import current_service
from slipway.serving.snippets import snippets
from slipway.serving.trace import Trace, traces
from slipway.table.faults import visible

FITS = 2  # figures of how well the answers fit on the page of the model; the report has all

pages = Blueprint("pages", __name__)
pages.add_app_template_filter(brief, "brief")
pages.add_app_template_filter(number, "number")
pages.add_app_template_filter(aligned, "aligned")
pages.add_app_template_filter(percent, "percent")
pages.add_app_template_filter(share, "share")
pages.add_app_template_filter(settings, "settings")
pages.add_app_template_filter(visible, "visible")

# Names of the form's own fields: the golden row that was clicked, and the places of the fields whose curves are in view.
EXAMPLE = "slipway:example"
CURVES = "slipway:curves"


@pages.app_context_processor
def _frame() -> dict[str, Any]:
    """What the frame of every page shows, the error page's too."""
    here = current_service()
    places = {"Predict": "pages.form", "Model": "pages.model", "Report": "pages.report", "API": "flasgger.apidocs"}
    if is_shown(here.recorder.folder):
        places["Live"] = "production.live"
    return {
        "problem_name": here.problem.name,
        "version": __version__,
        "digest": here.digest,
        "edition": edition(),
        "asset": asset,
        "navigation": {title: url_for(place) for title, place in places.items()},
    }


@pages.after_request
def _name_edition(response: Response) -> Response:
    """An installed page keeps what is of its own edition."""
    response.headers[EDITION_HEADER] = edition()
    return response


@pages.get("/")
def form() -> str:
    """The form, holding a typical row and, where no key is needed, the answer to it."""
    here = current_service()
    typed = {field.name: typical(field) for field in here.schema}
    if here.keys.needed:
        return _page(typed)
    try:
        return _page(typed, _asked(typed))
    except Refusal:  # limits, say, leave the typical value out
        return _page(typed)


@pages.post("/")
def ask() -> str:
    """The same page with the answer; to a golden row when one was clicked."""
    here = current_service()
    chosen = _places(EXAMPLE, len(here.golden.rows))
    if len(chosen) == 1:
        typed = as_typed(here.schema, here.golden.rows[chosen[0]])
        return _page(typed, _asked(typed))
    return _page(_typed(), _asked(_typed(), counts=True))


@pages.post("/preview")
def preview() -> str:
    """The same page while somebody types: no prediction that counts, and the curves of the fields in view."""
    names = current_service().schema.names
    return _page(_typed(), _asked(_typed(), [names[place] for place in _places(CURVES, len(names))]))


@pages.errorhandler(Refusal)
def _refused(refusal: Refusal) -> tuple[str, int, Mapping[str, str]]:
    """The form again, with what was typed and with all that is wrong."""
    if request.endpoint != "pages.preview":
        current_service().refused(refusal.counts, g.call, prediction=EXAMPLE not in request.form)
    errors = [(problem.field or "", problem.detail) for problem in refusal.problems]
    if not errors:
        errors = [(FORM_FIELD if refusal.status == 401 else "", refusal.detail)]
    return _page(_typed(), errors=errors), refusal.status, refusal.headers


def _places(field: str, count: int) -> list[int]:
    """Which of `count` places a field of the request lists; what is no such place counts for nothing."""
    listed = set(request.form.get(field, "").split())
    return [place for place in range(count) if str(place) in listed]


def _typed() -> dict[str, str]:
    return {name: text for name, text in request.form.items() if name not in (FORM_FIELD, EXAMPLE, CURVES)}


@dataclass(frozen=True)
class _Asked:
    """What a filled-in form was answered with."""

    row: Mapping[str, Any]
    answer: Answer
    traces: Mapping[str, Trace]


def _asked(typed: Mapping[str, str], curved: Sequence[str] = (), counts: bool = False) -> _Asked:
    """The answer to a filled-in form, and its curves: of all fields, or of many those `curved` and the most important.

    One that `counts` is a prediction: it is counted, and logged.

    Raises
    ------
    Refusal
        When the row is not answered.
    """
    here = current_service()
    row = read_row(here.schema, typed)
    decoded = here.decoder.decode(json.dumps(row).encode())
    answers = here.answer(here.asked(decoded, whole=False), g.call).answers if counts else here.score(decoded.columns, {}, 1)
    if answers.reasons:
        raise Refusal(422, "The model has no finite answer: some numbers are too far outside the range.")
    warnings = here.decoder.warnings(decoded, here.rules.unlike(decoded.columns), None)
    answer = explain(here.predictor, answers, row, list(map(str, warnings)), here.intervals)
    shown = [*curved, *here.by_importance[:FIRST]] if len(here.rules) > FEW_FIELDS else here.schema.names
    found = curves(here.predictor, here.rules, decoded.columns, shown)
    return _Asked(row, answer, traces(found, here.predictor.target))


def _page(typed: Mapping[str, str], asked: _Asked | None = None, errors: Sequence[tuple[str, str]] = ()) -> str:
    here = current_service()
    schema = here.schema
    shown = controls(here.rules, typed, dict(errors), asked.traces if asked else {})
    places = {control.field.name: control.target for control in shown} | {FORM_FIELD: "api-key"}
    example = read_row(schema, {field.name: typical(field) for field in schema})
    return render_template(
        "form.html",
        target=here.predictor.target,
        purpose=here.problem.purpose,
        groups=groups(shown, here.by_importance),
        crowded=len(shown) > FEW_FIELDS,
        count=len(shown),
        errors=[{"name": name, "detail": detail, "place": places.get(name)} for name, detail in errors],
        answer=asked.answer if asked else None,
        key_field=FORM_FIELD if here.keys.needed else "",
        key_error=dict(errors).get(FORM_FIELD, ""),
        example_field=EXAMPLE,
        curves_field=CURVES,
        most_bytes=here.problem.serving.max_upload_bytes,
        examples=golden_examples(here.golden, here.predictor.classes),
        snippets=snippets(url_for("api.predict", _external=True), asked.row if asked else example, here.keys.needed),
        device=_device() if here.problem.serving.offline else None,
    )


def _device() -> dict[str, str]:
    from slipway.serving.offline.on_device import offer

    return offer() | {f"{name}-cache": cache for name, cache in browser_caches().items()}


@pages.get("/model")
def model() -> str:
    """The model card."""
    here = current_service()
    metrics = here.measured
    return render_template(
        "model.html",
        digest=here.digest,
        model=here.predictor.model,
        metrics=metrics,
        of=here.documents,
        origin=origin(here.documents),
        fits=drawn(fit_figures(here.documents)[:FITS]),
        depends=drawn(depends(here.documents)[:1]),
        limits=worries(here.documents),
        schema=here.schema,
        measured=card.deciding_first(metrics.holdout.metrics, metrics.metric),
        meanings=MEANINGS,
        best=best_of_each(metrics.leaderboard),
        compared=compared(metrics.leaderboard),
        remark=remark(metrics.leaderboard),
        fields=card.describe(here.schema.fields),
        apidocs=url_for("flasgger.apidocs"),
    )


@pages.get("/static/look.css")
def look() -> Response:
    """The look that the pages share with the report."""
    return send_file(LOOK, mimetype="text/css")


@pages.get("/report")
def report() -> str:
    """The report of the training, with the verdict."""
    return render_template("report.html", body=current_service().report)


@pages.get("/report.html")
def report_file() -> Response:
    """The same as a file that needs nothing else, to keep or to send."""
    here = current_service()
    response = Response(standalone(here.documents), mimetype="text/html")
    response.headers["Content-Security-Policy"] = DOCUMENT_POLICY
    response.headers["Content-Disposition"] = f"attachment; filename=report-{here.digest[:12]}.html"
    return response
