import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from slipway.errors import ProblemError
from slipway.problem import SETTINGS, default_metric, load_problem
from slipway.sections import Collection, Costs, Gate, Holdout, Search, Serving

LEAST = "name: trial\nsource: table.csv\ntarget: charges\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "slipway.yaml"


def load(path: Path, text: str, **environ):
    path.write_text(text, encoding="utf-8")
    return load_problem(path, environ)


def test_three_settings_are_enough(path):
    problem = load(path, LEAST)
    assert (problem.name, problem.source, problem.target) == ("trial", ("table.csv",), "charges")
    assert (problem.task, problem.metric, problem.positive, problem.costs) == (None, None, None, None)
    assert problem.candidates == ("linear", "forest", "boosting")
    assert (problem.search, problem.holdout) == (Search(trials=16), Holdout(share=0.2, salt=None))
    assert problem.gate == Gate(minimum=None, minimum_gain=0.0, confidence=0.9)
    assert problem.serving == Serving(
        unknown_levels="reject",
        out_of_range="near",
        max_rows=10_000,
        max_body_bytes=8 << 20,
        max_upload_bytes=100 << 20,
        cors_origins=(),
    )
    assert problem.folder == path.parent


def test_a_number_that_means_a_missing_cell_does_so_in_both_forms(path):
    assert set(load(path, LEAST + "missing: [-999.0, 0.5, gone]").markers("any")) == {"-999.0", "-999", "0.5", "gone"}
    assert set(load(path, LEAST + "missing: -999").markers("any")) == {"-999.0", "-999"}


def test_every_setting_is_read(path):
    problem = load(
        path,
        """
name: loan
source: [a.csv, "b/*.parquet"]
target: approved
positive: "yes"
task: binary
id: [number, 7]
drop: free text
types: {zip: category, 2020: number}
missing: ["-9", unknown]
metric: cost
costs: {false_positive: 1, false_negative: 10.5}
candidates: [boosting, linear]
search: {trials: 3}
holdout: {share: 0.3, salt: s}
gate: {minimum: -1, minimum_gain: 0.5, confidence: 0.95}
seed: 7
serving:
  unknown_levels: warn
  out_of_range: warn
  max_rows: 5
  max_body_bytes: 2048
  max_upload_bytes: 4096
  cors_origins: https://example.com
""",
    )
    assert problem.source == ("a.csv", "b/*.parquet")
    assert (problem.target, problem.positive, problem.task, problem.metric) == ("approved", "yes", "binary", "cost")
    assert (problem.id, problem.drop, problem.markers("x")) == (("number", "7"), ("free text",), ("-9", "unknown", "-9.0"))
    assert problem.types == {"zip": "category", "2020": "number"}
    assert problem.costs == Costs(false_positive=1.0, false_negative=10.5)
    assert problem.candidates == ("boosting", "linear")
    assert (problem.search, problem.holdout) == (Search(trials=3), Holdout(share=0.3, salt="s"))
    assert problem.gate == Gate(minimum=-1.0, minimum_gain=0.5, confidence=0.95)
    assert problem.seed == 7
    assert problem.serving == Serving(
        unknown_levels="warn",
        out_of_range="warn",
        max_rows=5,
        max_body_bytes=2048,
        max_upload_bytes=4096,
        cors_origins=("https://example.com",),
    )


@pytest.mark.parametrize("text", ["gate:\n", "task:\n", "gate: {}\n", "# only a remark\n", "positive: 1\n"])
def test_these_are_valid_too(path, text):
    load(path, LEAST + text)


@pytest.mark.parametrize(
    "text, value, holds",
    [("accuracy < 0.68", 0.67, True), ("accuracy<.68", 0.68, False), ("mae > 1e3", 1_001, True), ("r2 < -0.5", -0.4, False)],
)
def test_a_rule_compares_one_metric_with_a_number(path, text, value, holds):
    rule = load(path, f"{LEAST}retrain_when: {text}").retrain_when
    assert rule.holds(value) is holds


def test_a_byte_order_mark_and_windows_lines_are_read(path):
    path.write_bytes(b"\xef\xbb\xbf" + LEAST.replace("\n", "\r\n").encode())
    assert load_problem(path, {}).name == "trial"


@pytest.mark.parametrize(
    "text, says",
    [
        ("trget: x", "trget: no such setting. Did you mean target?"),
        ("nothing_like_it: x", "nothing_like_it: no such setting. docs/settings.md lists all of them"),
        ("gate: {minimun: 3}", "gate.minimun: no such setting. Did you mean gate.minimum?"),
        ("max_rows: 3", "max_rows: no such setting. Did you mean serving.max_rows?"),
        ("trials: 3", "trials: no such setting. Did you mean search.trials?"),
        ("gate.minimum: 3", "gate.minimum: no such setting. Write minimum inside the group gate:"),
        ("7: x", "7: no such setting"),
        ("gate: {7: x}", "gate.7: no such setting"),
        ("gate: 0.9", "gate: expected a group with minimum, minimum_gain, confidence, anchor, got 0.9"),
        ("serving: [a]", "serving: expected a group with unknown_levels"),
        ("positive: no", "positive: expected a string, got false. YAML reads yes, no, on and off as true and false"),
        ("drop: [a, on]", "drop: expected a string or a list of strings, got the list .* YAML reads yes, no"),
        ("positive: [a]", "positive: expected a string, got the list"),
        ("positive: ''", "positive: expected a string, got the string ''"),
        ("retrain_when: accuracy", "retrain_when: expected a metric, < or >, and a number, such as accuracy < 0.68, got the"),
        ("retrain_when: {accuracy: 3}", "retrain_when: expected a metric, < or >, and a number"),
        ("retrain_when: acuracy < 0.6", "retrain_when: expected one of rmse, .* got 'acuracy'. Did you mean accuracy?"),
        ("task: regression\nretrain_when: f1 < 0.6", "retrain_when: expected one of rmse, mae, r2, got 'f1'"),
        (
            "retrain_when: accuracy > .9",
            "accuracy > 0.9 asks for training while .* more accuracy is better. Write accuracy < 0.9",
        ),
        ("retrain_when: rmse < 3e2", "less rmse is better. Write rmse > 300"),
        ("retrain_when: cost > 3", "retrain_when: cost needs costs"),
        ("fetch: curl x > table.csv", "fetch: expected one command, without pipes or redirections"),
        ("fetch: 'a && b'", "fetch: expected one command"),
        ("fetch: |-\n  a\n  b", "fetch: expected one command"),
        ('fetch: "sh -c \'a"', "fetch: expected one command"),
        ("fetch: [a, b]", "fetch: expected one command"),
        ("fetch: ''", "fetch: expected one command"),
        ("seed: '7'", "seed: expected an integer of 0 or more, got the string '7'"),
        ("seed: 1.5", "seed: expected an integer of 0 or more, got 1.5"),
        ("seed: true", "seed: expected an integer of 0 or more, got true"),
        ("seed: -1", "seed: expected an integer of 0 or more, got -1"),
        ("search: {trials: 0}", "search.trials: expected an integer of 1 or more, got 0"),
        ("holdout: {share: 0.7}", "holdout.share: expected a number from 0.05 to 0.5, got 0.7"),
        ("holdout: {share: 20%}", "holdout.share: expected a number from 0.05 to 0.5, got the string '20%'"),
        ("gate: {confidence: .nan}", "gate.confidence: expected a number from 0.5 to 0.999, got nan"),
        ("gate: {minimum: .nan}", "gate.minimum: expected a number, got nan"),
        (f"gate: {{minimum: {10**400}}}", "gate.minimum: expected a number, got 1000"),
        ("gate: {minimum: .inf}", "gate.minimum: expected a number, got inf"),
        ("gate: {minimum: 2026-01-01}", "gate.minimum: expected a number, got a date"),
        ("task: regresion", "task: expected one of regression, binary, multiclass, got the string 'regresion'"),
        ("task: [binary]", "task: expected one of regression, binary, multiclass, got the list"),
        ("task: {a: b}", "task: expected one of regression, binary, multiclass, got a mapping"),
        (
            "candidates: [linear, linear]",
            "candidates: expected a list of linear, forest, boosting or package.module:function, each at most once",
        ),
        ("candidates: []", "candidates: expected a list of"),
        ("candidates: [tree]", "candidates: expected a list of"),
        (
            "types: {age: text}",
            "types.age: expected column names with one of number, integer, category, date, got the string 'text'",
        ),
        ("types: {age: [number]}", "types.age: expected column names with"),
        ("types: [age]", "types: expected column names with one of number, integer, category, date, got the list"),
        ("serving: {unknown_levels: ignore}", "serving.unknown_levels: expected one of reject, warn"),
        ("serving: {max_body_bytes: 10}", "serving.max_body_bytes: expected an integer of 1024 or more, got 10"),
        ("costs: {false_positive: 1}", "costs: expected both false_positive and false_negative"),
        ("costs: {false_positive: 0, false_negative: 0}", "costs: at least one of them must be above 0"),
        ("costs: {false_positive: -1, false_negative: 0}", "costs.false_positive: expected a number of 0 or more, got -1"),
        ("costs: {false_positive: .inf, false_negative: 1}", "costs.false_positive: expected a number of 0 or more"),
        ("task: regression\ncosts: {false_positive: 1, false_negative: 1}", "costs: only a binary task has it"),
        ("task: multiclass\npositive: a", "positive: only a binary task has it; task says multiclass"),
        ("task: regression\nmetric: roc_auc", "metric: expected one of rmse, mae, r2, got 'roc_auc'"),
        ("metric: rsme", "metric: expected one of rmse, mae, r2, roc_auc.* got 'rsme'. Did you mean rmse?"),
        ("metric: PR_AUC", "metric: expected one of rmse, .* got 'PR_AUC'. Did you mean pr_auc?"),
        ("task: Regression", "got the string 'Regression'. Did you mean regression?"),
        ("candidates: [Linear, forest]", "candidates: expected a list of linear, .* got the list .* Did you mean linear?"),
        ("types: {age: integer, sex: Category}", "types.sex: .* got the string 'Category'. Did you mean category?"),
        ("TARGET: x", "TARGET: no such setting. Did you mean target?"),
        ("metric: cost", "metric: cost needs costs.false_positive and costs.false_negative"),
        ("id: [a, charges]", "id: charges is the target. Take it out of id"),
        ("drop: charges", "drop: charges is the target"),
        ("id: a\ndrop: [a, b]", "a is in id and in drop"),
        ("group: a\ndrop: a", "a is in group and in drop. A group is not learned from anyway"),
        ("id: a\ngroup: [a, b]", "a is in id and in group. Take it out of id"),
        ("time: charges", "time: charges is the target. Take it out of time"),
        ("group: [a, charges]", "group: charges is the target. Take it out of group"),
        ("time: a\ngroup: [b, c]", "time and group exclude one another: .* Take group out, and put b, c in drop"),
        ("name: twice", "line 4: not valid YAML: the key 'name' is given twice"),
        ("gate: {minimum: 1, minimum: 2}", "line 4: not valid YAML: the key 'minimum' is given twice"),
        ("seed: [1", "line 4: not valid YAML"),
        ("seed: 1\n\tdrop: a", "line 5: not valid YAML"),
        ("seed: !!python/object:os.system x", "line 4: not valid YAML"),
        ("seed: *nowhere", "line 4: not valid YAML"),
        ("? [a]\n: b", "line 4: not valid YAML"),
        ("gate: {minimum: 2026-02-30}", "not valid YAML"),
        ("drop: " + "[" * 3000, "not valid YAML"),
    ],
)
def test_what_is_wrong_is_named(path, text, says):
    with pytest.raises(ProblemError, match=says.replace("[", r"\[")) as caught:
        load(path, LEAST + text)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content, says",
    [
        (b"", "expected settings such as name, source and target, got nothing"),
        (b"- a", "expected settings such as name, source and target, got the list"),
        (b"just a text", "got the string 'just a text'"),
        (b"name: \xff", "cannot be read as UTF-8 text"),
        (b"name: a\nsource: b", "target is missing. The column to predict"),
        (b"name: a\nsource: b\ntarget:", "target is missing"),
        (b"name: \x00", "not valid YAML"),
        (b"a: 1\n--- \nb: 2", "not valid YAML"),
        (LEAST.encode("utf-16"), "cannot be read as UTF-8 text"),
    ],
)
def test_a_file_of_another_kind(path, content, says):
    path.write_bytes(content)
    with pytest.raises(ProblemError, match=says):
        load_problem(path, {})


def test_no_file(path, monkeypatch):
    with pytest.raises(ProblemError, match="slipway.yaml: there is no such file. Write one with: slipway init"):
        load_problem(path, {})
    with pytest.raises(ProblemError, match="cannot be read"):
        load_problem(path.parent, {})
    monkeypatch.chdir(path.parent)
    path.write_text(LEAST)
    assert load_problem(environ={}).folder == path.parent


def test_the_environment_names_the_file(path):
    path.write_text(LEAST)
    assert load_problem(environ={"SLIPWAY_PROBLEM": str(path)}).name == "trial"


@pytest.mark.parametrize(
    "variable, value, read",
    [
        ("NAME", "other", lambda problem: problem.name == "other"),
        ("NAME", "7", lambda problem: problem.name == "7"),
        ("POSITIVE", "no", lambda problem: problem.positive == "no"),
        ("SOURCE", "a.csv, b.csv", lambda problem: problem.source == ("a.csv", "b.csv")),
        ("CANDIDATES", "linear", lambda problem: problem.candidates == ("linear",)),
        ("TYPES", "{zip: category}", lambda problem: problem.types == {"zip": "category"}),
        ("FETCH", "bin/fetch --day 'a, b' x: y", lambda problem: problem.fetch == ("bin/fetch", "--day", "a, b", "x:", "y")),
        ("SEED", "3", lambda problem: problem.seed == 3),
        ("HOLDOUT_SHARE", "0.5", lambda problem: problem.holdout.share == 0.5),
        ("GATE_MINIMUM", "0.7", lambda problem: problem.gate.minimum == 0.7),
        ("GATE_MINIMUM_GAIN", "1", lambda problem: problem.gate.minimum_gain == 1),
        ("GATE_CONFIDENCE", "0.8", lambda problem: problem.gate.confidence == 0.8),
        ("GATE_ANCHOR", "anchor.csv", lambda problem: problem.gate.anchor == "anchor.csv"),
        ("SERVING_UNKNOWN_LEVELS", "warn", lambda problem: problem.serving.unknown_levels == "warn"),
        ("SERVING_OUT_OF_RANGE", "warn", lambda problem: problem.serving.out_of_range == "warn"),
        ("SERVING_MAX_ROWS", "5", lambda problem: problem.serving.max_rows == 5),
        ("SERVING_MAX_BODY_BYTES", "5000", lambda problem: problem.serving.max_body_bytes == 5000),
        ("SERVING_MAX_ROW_MICROSECONDS", "30", lambda problem: problem.serving.max_row_microseconds == 30),
        ("SERVING_MAX_UPLOAD_BYTES", "5000", lambda problem: problem.serving.max_upload_bytes == 5000),
        (
            "SERVING_CORS_ORIGINS",
            "https://a.de,https://b.de",
            lambda problem: problem.serving.cors_origins == ("https://a.de", "https://b.de"),
        ),
        (
            "SERVING_PROTOCOLS",
            "open-inference, mlflow",
            lambda problem: problem.serving.protocols == ("open-inference", "mlflow"),
        ),
        ("SERVING_CACHE_SECONDS", "60", lambda problem: problem.serving.cache_seconds == 60),
        ("SERVING_OFFLINE", "true", lambda problem: problem.serving.offline is True),
    ],
)
def test_the_environment_overrides_the_file(path, variable, value, read):
    assert read(load(path, LEAST + "seed: 1", **{f"SLIPWAY_{variable}": value}))


def test_every_serving_and_gate_setting_is_tried_from_the_environment():
    mark = test_the_environment_overrides_the_file.pytestmark[0]
    tried = {f"SLIPWAY_{variable}" for variable, _, _ in mark.args[1]}
    assert tried >= {each.variable for each in SETTINGS if each.path.startswith(("serving.", "gate."))}


@pytest.mark.parametrize(
    "variable, value, says",
    [
        ("SEED", "many", "SLIPWAY_SEED: expected an integer of 0 or more, got the string 'many'"),
        ("SERVING_MAX_ROWS", "0", "SLIPWAY_SERVING_MAX_ROWS: expected an integer of 1 or more, got 0"),
        (
            "SERVING_PROTOCOLS",
            "mlflow,kserve",
            "SLIPWAY_SERVING_PROTOCOLS: expected a list of mlflow, open-inference, each at most once",
        ),
        ("SERVING_OFFLINE", "often", "SLIPWAY_SERVING_OFFLINE: expected true or false, got the string 'often'"),
        ("SERVING_MAX_ROWS", "[", "SLIPWAY_SERVING_MAX_ROWS: expected an integer of 1 or more"),
        ("GATE_CONFIDENCE", "2026-13-45", "SLIPWAY_GATE_CONFIDENCE: expected a number from 0.5 to 0.999"),
        ("TASK", "anything", "SLIPWAY_TASK: expected one of regression, binary, multiclass"),
        ("NAME", "", "SLIPWAY_NAME: expected a string, got the string ''"),
        ("SERVING_OUT_OF_RANGE", "no", "SLIPWAY_SERVING_OUT_OF_RANGE: expected one of near, warn, reject, got false"),
    ],
)
def test_a_wrong_override_is_named_by_its_variable(path, variable, value, says):
    with pytest.raises(ProblemError, match=f"^{says}"):
        load(path, LEAST, **{f"SLIPWAY_{variable}": value})


@pytest.mark.parametrize(
    "task, costs, metric",
    [
        ("regression", None, "rmse"),
        ("binary", None, "roc_auc"),
        ("binary", Costs(false_positive=1, false_negative=2), "cost"),
        ("multiclass", None, "log_loss"),
    ],
)
def test_the_default_metric(task, costs, metric):
    assert default_metric(task, costs) == metric


def test_a_mongodb_collection(path):
    assert load(path, LEAST).mongodb == Collection(url="MONGO_DB_URL", filter={}, fields={})
    problem = load(
        path,
        """
name: trial
source: mongodb
target: charges
mongodb:
  url: SHOP_URL
  database: shop
  collection: patients
  filter: {joined: {$gte: 2020-01-01}, $or: [{age: 5}, {at: 2020-01-01T10:00:00Z}]}
  fields: {charges: charges, bmi: body.bmi}
""",
    )
    assert problem.mongodb == Collection(
        url="SHOP_URL",
        database="shop",
        collection="patients",
        filter={
            "joined": {"$gte": datetime(2020, 1, 1)},
            "$or": [{"age": 5}, {"at": datetime(2020, 1, 1, 10, tzinfo=UTC)}],
        },
        fields={"charges": "charges", "bmi": "body.bmi"},
    )
    assert load(path, LEAST, SLIPWAY_MONGODB_DATABASE="other", SLIPWAY_MONGODB_FILTER="{a: 1}").mongodb.filter == {"a": 1}


@pytest.mark.parametrize(
    "text, says",
    [
        ("source: mongodb", "mongodb.database is missing. source: mongodb needs it"),
        ("source: mongodb\nmongodb: {database: a}", "mongodb.collection is missing. source: mongodb needs it"),
        ("source: [mongodb, a.csv]\nmongodb: {database: a, collection: b}", "source: mongodb cannot be one table"),
        ("source: a\nsearch: {engine: spark}", "source (a) is not on a cluster. Name a table of the cluster"),
        ("source: ['spark:lake.visits', a.csv]", "source: spark:lake.visits cannot be one table"),
        ("source: a\nmongodb: {filter: age}", "mongodb.filter: expected a filter of MongoDB, got the string 'age'"),
        ("source: a\nmongodb: {fields: [age]}", "mongodb.fields: expected column names with the dotted path"),
        ("source: a\nmongodb: {fields: {age: a..b}}", "mongodb.fields.age: expected column names"),
        ("source: a\nmongodb: {fields: {age: $a}}", "mongodb.fields.age: expected column names"),
        ("source: a\nmongodb: {uri: X}", "mongodb.uri: no such setting. Did you mean mongodb.url?"),
    ],
)
def test_a_mongodb_collection_that_is_none(path, text, says):
    with pytest.raises(ProblemError, match=re.escape(says)):
        load(path, f"name: trial\ntarget: charges\n{text}\n")


@pytest.mark.parametrize("url", ["mongodb://u:hunter2@host/", "u:hunter2@host"])
def test_a_url_in_the_file_is_refused_and_not_repeated(path, url):
    says = "mongodb.url: expected the name of an environment variable. The value itself may be a secret, such as a URL with a "
    with pytest.raises(ProblemError, match=says) as caught:
        load(path, f"{LEAST}mongodb: {{url: '{url}'}}\n")
    assert "hunter2" not in str(caught.value) and caught.value.__cause__ is None
    with pytest.raises(ProblemError, match=f"SLIPWAY_MONGODB_URL.*{says.partition(':')[2]}") as caught:
        load(path, LEAST, SLIPWAY_MONGODB_URL=url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "text, environ, where",
    [
        (LEAST + "store: elsewhere\n", {}, ".*slipway.yaml: store"),
        (LEAST, {"SLIPWAY_STORE": "elsewhere"}, "SLIPWAY_STORE"),
    ],
)
def test_a_setting_that_is_gone_says_what_to_use_instead(path, text, environ, where):
    with pytest.raises(ProblemError, match=f"^{where}: no longer a setting. Bundles are in artifacts/, .*: set remote"):
        load(path, text, **environ)


def test_an_empty_variable_of_a_setting_that_is_gone_is_as_good_as_none(path):
    assert load(path, LEAST, SLIPWAY_STORE="") == load(path, LEAST)
