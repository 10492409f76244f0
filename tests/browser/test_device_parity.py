"""A model that was trained answers in a browser what the service answers: golden predictions, further rows, and refusals."""

import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from bundles import files
from device_models import EXAMPLES, example, trained
from devices import answers, give, open_model, served
from many_rows import many_rows
from recordings import recorded
from slipway.model.contents import schema_of
from slipway.model.predictor import ABSOLUTE, Predictor, close, golden_answers
from slipway.model.typed_document import Draft
from slipway.problem import load_problem
from slipway.serving.factory import build
from slipway.store.local import LocalStore
from slipway.store.pointer import Pointer
from slipway.table.cell import columns_from_rows
from slipway.table.schema import Field
from slipway.training.fitting.export import Tree, linear_graph, tree_graph

pytestmark = pytest.mark.browser

TASKS = ("regression", "binary", "multiclass")
CANDIDATES = ("linear", "forest", "boosting")
ROWS = 240
LIMIT = 30.400000001  # of a tree; as a number of single precision it is another one


def odd_cell(draw: random.Random, field: Field):
    """A cell that is unlike training, or wrong."""
    if field.type == "category":
        return draw.choice(["new", None, 1, True, f" {field.levels[0]} "])
    if field.type == "date":
        return draw.choice(["1999-12-31", "2024-02-30", "2024-02-29T23:59:59.5", "2024-01-01T01:00+02:00", None, 7, "soon"])
    low, high = field.minimum or 0.0, field.maximum or 1.0
    ends = [low, high, low - 1, high + 1, high + 0.9 * (high - low), high + 3 * (high - low), str(low), "x", 1.25, None]
    return draw.choice(ends)


def further_rows(service) -> list[dict]:
    """Golden rows with cells of one another, some of them odd."""
    draw = random.Random(5)
    known = [dict(row) for row in service.golden.rows]
    rows = []
    for _ in range(ROWS):
        row = {name: draw.choice(known)[name] for name in service.schema.names}
        if draw.random() < 0.5:
            name = draw.choice(service.schema.names)
            row[name] = odd_cell(draw, service.schema[name])
        if draw.random() < 0.1:
            row.pop(draw.choice(service.schema.names))
        rows.append(row)
    return rows


def plain(problems) -> list[dict]:
    return [{name: value for name, value in problem.items() if name != "row"} for problem in problems]


def require_same(predictor: Predictor, found: dict, answer: dict) -> None:
    """To the tolerance of parity, the end of the training that every bundle passed."""
    if predictor.task == "regression":
        assert close(answer["prediction"], found["prediction"])
        return
    for name in predictor.classes:
        assert close(answer["probabilities"][name], found["probabilities"][name])
    shares = sorted(answer["probabilities"].values())
    threshold = shares[-2] if predictor.threshold is None else predictor.threshold
    positive = shares[-1] if predictor.threshold is None else answer["probabilities"][predictor.positive]
    assert found["prediction"] == answer["prediction"] or abs(positive - threshold) <= 2 * ABSOLUTE


def require_parity(app, browser, rows: list[dict]) -> tuple[int, int]:
    """That the opened model answers and refuses rows as POST /predict does; how many it answered and refused."""
    client, predictor = app.test_client(), app.extensions["slipway"].predictor
    counts = [0, 0]
    for row, found in zip(rows, answers(browser, rows)):
        said = client.post("/predict", json=[row])
        counts[said.status_code != 200] += 1
        if said.status_code != 200:
            assert found == {"prediction": None, "errors": plain(said.json["errors"])}, row
            continue
        [answer] = said.json["predictions"]
        require_same(predictor, found, answer)
        assert found["warnings"] == plain(said.json.get("warnings", [])), row
    return counts[0], counts[1]


@pytest.fixture(scope="module")
def device(tmp_path_factory, chromium, web_runtime):
    """(app, change of the files) → the digest of its model, once the browser has opened it; or why it did not."""
    site, numbers = tmp_path_factory.mktemp("site"), iter(range(100))
    with served(site, web_runtime) as address:

        def opened(app, change=lambda folder: None):
            name = f"model-{next(numbers)}"
            give(app.extensions["slipway"], site / name)
            change(site / name)
            return open_model(chromium, address, name)

        yield opened
        chromium.get("about:blank")


@pytest.mark.parametrize("candidate", CANDIDATES)
@pytest.mark.parametrize("task", TASKS)
def test_every_task_and_candidate(tmp_path, chromium, device, task, candidate):
    app = trained(tmp_path / "served", task, candidate)
    service = app.extensions["slipway"]
    assert device(app) == {"digest": service.digest}
    answered, refused = require_parity(app, chromium, further_rows(service))
    assert answered > 120 and refused > 15


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_problems_of_this_repository(tmp_path, chromium, device, name):
    app = example(tmp_path / name, name)
    assert "error" not in device(app)
    answered, refused = require_parity(app, chromium, further_rows(app.extensions["slipway"]))
    assert answered > 120 and refused > 10


def remade(task: str, change) -> dict[str, bytes]:
    """The files of a small bundle whose model.json is changed, with further graphs, and the golden predictions of that."""
    made = files(task)
    model = json.loads(made["model.json"])
    made |= change(model) or {}
    made["model.json"] = json.dumps(model).encode()
    schema, golden = schema_of(Draft(made)), json.loads(made["golden.json"])
    golden["predictions"] = golden_answers(Predictor(Draft(made)), columns_from_rows(schema, golden["rows"]))
    return made | {"golden.json": json.dumps(golden).encode()}


def of_files(folder: Path, task: str, made: dict[str, bytes], settings: str = ""):
    """The app of a bundle with these files."""
    store = LocalStore(folder / "artifacts")
    store.point(Pointer(store.add(task, made).digest, task))
    return app_of(folder, task, settings)


def app_of(folder: Path, task: str, settings: str = ""):
    (folder / "slipway.yaml").write_text(f"name: {task}\nsource: table.csv\ntarget: charges\n{settings}")
    return build(load_problem(folder / "slipway.yaml", environ={}), {})


def blended(model: dict) -> dict[str, bytes]:
    """Three members, one of which is of trees that read doubles; calibrated, where a model can be."""
    [one] = model["members"]
    width = len(one["base"])
    weights = np.linspace(-0.03, 0.02, 4 * width).reshape(4, width)
    limits = np.array([40.0, 0, LIMIT, 0, 0])
    tree = Tree(
        feature=np.array([0, 0, 1, 0, 0]),
        left=np.array([1, 0, 3, 0, 0]),
        right=np.array([2, 0, 4, 0, 0]),
        threshold=limits,
        missing_left=np.array([True, False, False, False, False]),
        leaf=np.array([False, True, False, True, True]),
        value=np.arange(5 * width).reshape(5, width) / 7,
    )
    model["members"] = [
        one | {"weight": 0.2},
        one | {"weight": 0.3, "graph": "model-2.onnx"} | ({"link": "expm1", "base": [0.5]} if width == 1 else {}),
        one | {"weight": 0.5, "graph": "model-3.onnx"},
    ]
    if model["task"] == "binary":
        model["members"][1] |= {"link": "sigmoid"}
        model["calibration"] = {"slope": 1.7, "shift": -0.4}
    return {"model-2.onnx": linear_graph(weights), "model-3.onnx": tree_graph([tree, tree], 4, double=True)}


@pytest.mark.parametrize("task", TASKS)
def test_blends_calibration_and_trees_of_doubles(tmp_path, chromium, device, task):
    app = of_files(tmp_path, task, remade(task, blended))
    assert "error" not in device(app)
    rows = [
        *many_rows(60),
        *({"age": 50, "bmi": bmi, "smoker": "no", "joined": "2021-01-01"} for bmi in (30.4, 30.4000000015)),
    ]
    require_parity(app, chromium, rows)
    low, high = (each["prediction"] for each in answers(chromium, rows[-2:]))
    assert low != high or task != "regression"


@pytest.mark.parametrize("number", (1, 2))
@pytest.mark.parametrize("task", TASKS)
def test_bundles_that_earlier_versions_wrote(tmp_path, chromium, device, task, number):
    bundle = recorded(number, task)
    store = LocalStore(tmp_path / "artifacts")
    shutil.copytree(bundle, store.bundles / bundle.name)
    store.point(Pointer(bundle.name, task))
    app = app_of(tmp_path, task)
    assert device(app) == {"digest": bundle.name}
    answered, refused = require_parity(app, chromium, further_rows(app.extensions["slipway"]))
    assert answered and refused


def test_the_interval_is_the_one_that_the_page_shows(tmp_path, chromium, device):
    app = of_files(tmp_path, "regression", files("regression"))
    device(app)
    rows = many_rows(50)
    expected = app.test_client().post("/predict?interval=0.9", json=rows).json["predictions"]
    for found, answer in zip(answers(chromium, rows), expected):
        assert found["interval"]["level"] == 0.9
        assert close([answer["low"], answer["high"]], [found["interval"]["low"], found["interval"]["high"]]).all()


def test_a_row_without_a_finite_answer_is_refused(tmp_path, chromium, device):
    made = remade("regression", lambda model: model["members"][0].update(link="expm1", base=[-50_000.0]))
    app = of_files(tmp_path, "regression", made, "serving: {out_of_range: warn}\n")
    assert "error" not in device(app)
    row = {"age": 10_000, "bmi": 20, "smoker": "no", "joined": "2021-01-01"}
    assert require_parity(app, chromium, [row | {"age": 30}, row]) == (1, 1)


def truncated(folder: Path) -> None:
    graph = folder / "model.onnx"
    graph.write_bytes(graph.read_bytes()[:-1])


def of_another(folder: Path) -> None:
    """The manifest is not the one that the digest names."""
    rules = json.loads((folder / "rules.json").read_text())
    (folder / "rules.json").write_text(json.dumps(rules | {"digest": "0" * 64}))


def renamed(folder: Path) -> None:
    rules = json.loads((folder / "rules.json").read_text())
    rules["fields"][0]["name"] = "years"
    (folder / "rules.json").write_text(json.dumps(rules))


DAMAGES = {
    truncated: "Error: model.onnx differs from what the digest names",
    of_another: "Error: manifest.json differs from what the digest names",
    renamed: "Error: rules.json belongs to another bundle",
    lambda folder: (folder / "golden.json").unlink(): "golden.json was answered with status 404",
}


@pytest.mark.parametrize("damage, told", DAMAGES.items())
def test_a_damaged_file_is_never_answered_from(tmp_path, device, damage, told):
    found = device(of_files(tmp_path, "binary", files("binary")), damage)
    assert told in found["error"]


@pytest.mark.parametrize("task", TASKS)
def test_a_golden_prediction_that_differs_is_told(tmp_path, device, task):
    made = files(task)
    golden = json.loads(made["golden.json"])
    answer = golden["predictions"][2]
    if task == "regression":
        answer["prediction"] *= 1 + 2e-5
    else:
        answer["probabilities"] = {label: share + 1e-4 for label, share in answer["probabilities"].items()}
    app = of_files(tmp_path, task, made | {"golden.json": json.dumps(golden).encode()})
    assert device(app) == {"error": "Error: Golden prediction 3 differs from the recorded one on this device"}
