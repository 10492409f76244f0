"""What reports are made from, of the bundles made by hand."""

from bundles import SCHEMA, files
from evaluations import evaluation
from slipway.model.contents import metrics_of, model_of
from slipway.model.typed_document import Draft
from slipway.report.documents import Documents


def documents(task="binary", schema=SCHEMA, **changes) -> Documents:
    draft = Draft(files(task))
    return Documents(task, "", model_of(draft), schema, metrics_of(draft), evaluation(task, schema), **changes)
