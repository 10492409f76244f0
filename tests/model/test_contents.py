import json
import re

import pytest

from bundles import SCHEMA, TASKS, files
from recordings import recorded
from slipway.errors import BundleError
from slipway.model.bundle import FORMAT, read_bundle
from slipway.model.contents import golden_of, metrics_of, model_of, schema_of
from slipway.model.evaluation import evaluation_of
from slipway.model.reference import reference_of
from slipway.model.typed_document import Draft, written

READERS = {
    "model.json": model_of,
    "schema.json": schema_of,
    "golden.json": golden_of,
    "metrics.json": metrics_of,
    "evaluation.json": evaluation_of,
    "live.json": reference_of,
}


def changed(name: str, path: str, value: object) -> Draft:
    """The binary test bundle with another value at one place of a document."""
    content = files("binary")
    document = inner = json.loads(content[name])
    *outer, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    for step in outer:
        inner = inner[step]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return Draft(content | {name: json.dumps(document).encode()})


@pytest.mark.parametrize(
    "name, path, value, says",
    [
        ("model.json", "target", ..., "Object missing required field `target`"),
        ("model.json", "task", "clustering", "Invalid enum value 'clustering' - at `$.task`"),
        ("model.json", "threshold", "half", "Expected `float | null`, got `str` - at `$.threshold`"),
        ("model.json", "threshold", None, "binary with the threshold None"),
        ("model.json", "classes", ["N"], "binary with 1 classes"),
        ("model.json", "members.0.base", [0.1, 0.2], "binary of 2 classes with 2 numbers in base"),
        ("model.json", "members.0.link", "cube", "Invalid enum value 'cube' - at `$.members[0].link`"),
        ("model.json", "members.0.input", "float16", "Invalid enum value 'float16' - at `$.members[0].input`"),
        ("model.json", "members.0.encoding", {}, "Object missing required field `outputs` - at `$.members[0].encoding`"),
        ("model.json", "members.0.encoding.outputs.1.fill", "none", "at `$.members[0].encoding.outputs[1].fill`"),
        ("model.json", "members", [], "the weights of the members do not add up to 1"),
        ("model.json", "members.0.weight", 0.5, "the weights of the members do not add up to 1"),
        ("model.json", "calibration", {"slope": -1.0, "shift": 0.0}, "calibration with the slope -1.0"),
        ("model.json", "split.salt", ..., "Object missing required field `salt` - at `$.split`"),
        ("model.json", "rows.without target", ..., "Object missing required field `without target` - at `$.rows`"),
        ("schema.json", "fields", ..., "Object missing required field `fields`"),
        ("schema.json", "fields.0.type", "text", "Invalid enum value 'text' - at `$.fields[0].type`"),
        ("schema.json", "fields.2.levels", "yes", "Expected `array`, got `str` - at `$.fields[2].levels`"),
        ("schema.json", "fields.1.name", "age", "duplicate field name"),
        ("golden.json", "rows", [], "4 predictions for 0 rows"),
        ("golden.json", "predictions.3", ..., "3 predictions for 4 rows"),
        ("golden.json", "predictions.0.prediction", None, "at `$.predictions[0].prediction`"),
        ("golden.json", "rows.1.age", [1], "at `$.rows[1][...]`"),
        ("evaluation.json", "rows", ..., "Object missing required field `rows`"),
        ("evaluation.json", "curve.0.recall", "all", "Expected `float`, got `str` - at `$.curve[0].recall`"),
        ("metrics.json", "holdout", ..., "Object missing required field `holdout`"),
        (
            "metrics.json",
            "holdout.metrics.roc_auc.low",
            None,
            "Expected `float`, got `null` - at `$.holdout.metrics[...].low`",
        ),
        ("metrics.json", "leaderboard.0.candidate", ..., "missing required field `candidate` - at `$.leaderboard[0]`"),
        ("metrics.json", "importance.0", ["age"], "at `$.importance[0]`"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(name, path, value, says):
    with pytest.raises(BundleError, match=f"^bundle draft: {name}: .*{re.escape(says)}.*Run slipway train"):
        READERS[name](changed(name, path, value))


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff", b"[" * 200_000, b'{"fields": ' + b"[" * 200_000, b"NaN"])
def test_what_is_not_json_is_named(name, content):
    with pytest.raises(BundleError, match=f"bundle draft: {name}: (not JSON|Expected `object`, got `array`)"):
        READERS[name](Draft({name: content}))


@pytest.mark.parametrize(
    "name, path",
    [
        ("model.json", "remark"),
        ("model.json", "members.0.encoding.outputs.0.remark"),
        ("model.json", "split.remark"),
        ("schema.json", "fields.0.remark"),
        ("golden.json", "predictions.0.remark"),
        ("metrics.json", "remark"),
        ("metrics.json", "holdout.remark"),
        ("metrics.json", "leaderboard.0.remark"),
    ],
)
def test_a_key_that_is_not_known_is_ignored(name, path):
    assert READERS[name](changed(name, path, "new")) == READERS[name](Draft(files("binary")))


@pytest.mark.parametrize("path", ["leaderboard", "importance", "notes", "holdout.baseline"])
def test_a_bundle_may_lack_what_only_reports_show(path):
    found = metrics_of(changed("metrics.json", path, ...))
    assert found.holdout.metrics["roc_auc"].value == 0.8


@pytest.mark.parametrize("task", TASKS)
def test_documents_are_read_as_they_were_written(task):
    folder = recorded(FORMAT, task)
    for source in (Draft(files(task)), read_bundle(folder, folder.name)):
        for name, read in READERS.items():
            if not source.has(name):
                continue  # format 1 has no evaluation
            assert read(Draft({name: written(read(source))})) == read(source)
    assert schema_of(Draft(files(task))) == SCHEMA


def keys(document: dict) -> set[str]:
    """Paths of all keys that every bundle has, whatever it was learned from."""
    free = {"settings", "libraries", "metrics", "baseline", "fields", "probabilities", "rows", "labels", "losses"}
    found = set()
    for name, value in document.items():
        first = value[0] if isinstance(value, list) and value else value
        inner = keys(first) if isinstance(first, dict) and name not in free else ()
        found |= {name, *(f"{name}.{each}" for each in inner)}
    return found


@pytest.mark.parametrize("task", TASKS)
def test_bundles_of_tests_are_like_those_of_training(task):
    folder = recorded(FORMAT, task)
    trained, made = read_bundle(folder, folder.name), files(task)
    assert set(made) == set(trained.parts["serving"])
    for name in (*READERS, "drift.json"):
        shown = set if name == "evaluation.json" else keys  # its lists are as long as the table gives reason to
        assert shown(json.loads(made[name])) == shown(trained.json(name)), name
