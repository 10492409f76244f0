"""The page that the last look at production left, for people with a key."""

from pathlib import Path

from flask import Blueprint, Response, current_app, render_template, request
from werkzeug.wrappers import Response as BaseResponse

from slipway.model.last_look import PAGE, read_page
from slipway.serving.headers import DOCUMENT_POLICY
from slipway.serving.keys import FORM_FIELD
from slipway.serving.refusal import Refusal, answer_refusal, for_a_person

production = Blueprint("production", __name__)


@production.route("/live", methods=["GET", "POST"])
def live() -> Response:
    """The page; a browser sends the key in a form, so this address takes one."""
    folder = current_app.extensions["slipway"].recorder.folder
    if folder is None:
        raise Refusal(404, "This service writes no prediction log, so nobody looks at it: see log in slipway.yaml.")
    try:
        content = read_page(folder)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Refusal(404, "There is no page yet: slipway watch writes it.") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise Refusal(503, f"The page cannot be read ({reason}).") from error
    return Response(content, mimetype="text/html", headers={"Content-Security-Policy": DOCUMENT_POLICY})


@production.errorhandler(Refusal)
def _refused(refusal: Refusal) -> BaseResponse:
    """To a person without a key a form that takes one; otherwise the problem."""
    if refusal.status != 401 or not for_a_person():
        return answer_refusal(refusal)
    wrong = FORM_FIELD in request.form
    page = render_template("key.html", key_field=FORM_FIELD, wrong=wrong)
    return Response(page, refusal.status, refusal.headers, mimetype="text/html")


def is_shown(folder: Path | None) -> bool:
    """Whether there is a page."""
    return folder is not None and (folder / PAGE).is_file()
