import pytest

from bundles import SCHEMA, TASKS, files
from evaluations import evaluation
from recordings import recorded
from slipway.model.bundle import read_bundle
from slipway.model.evaluation import Distribution, evaluation_of
from slipway.model.typed_document import Draft


@pytest.mark.parametrize("task", TASKS)
def test_what_is_written_is_read(task):
    assert evaluation_of(Draft(files(task))) == evaluation(task, SCHEMA)


def test_a_bundle_of_format_1_has_none():
    folder = recorded(1, "binary")
    assert evaluation_of(read_bundle(folder, folder.name)) is None


def test_bins_are_equally_wide():
    assert Distribution(counts=(1, 2, 3, 4), low=10.0, high=18.0).edges == (10.0, 12.0, 14.0, 16.0, 18.0)
