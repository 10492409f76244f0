"""The files of a bundle that are for people."""

from slipway.model.typed_document import Draft
from slipway.report.documents import documents_of
from slipway.report.markdown import card
from slipway.report.page import standalone


def readable(draft: Draft, problem: str, purpose: str | None) -> dict[str, bytes]:
    """report.html and card.md, made from the other files; the same files give the same bytes."""
    of = documents_of(draft, problem, purpose)
    return {"report.html": standalone(of), "card.md": card(of)}
