"""Which part of the house may import which: one way only, and serving never needs what training needs."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bundles import make_bundle
from slipway.store.local import LocalStore

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src"
MODULES = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path for path in SOURCE.rglob("*.py")
}
HEAVY = {
    "pandas",
    "sklearn",
    "scipy",
    "matplotlib",
    "onnx",
    "skl2onnx",
    "pyarrow",
    "slipway.training",
    "slipway.sources",
}
PARQUET = "slipway.serving.protocols.parquet_rows"  # where pyarrow is installed, which an image has not


# What a service imports only where a setting of slipway.yaml asks for it.
SWITCHED = {"slipway.serving.cached", "slipway.serving.offline", "slipway.serving.protocols"}

# What a service imports when a call needs it, never at its start.
LATER = {"onnxruntime", "flasgger", "jsonschema", "mistune", "boto3", "botocore", "pymongo", "sqlite3", "multiprocessing"}


def named(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Import):
        return {alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports name the whole path"
        return {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return set()


def imports(name: str) -> set[str]:
    """What a module imports, anywhere in it but for type checkers; for a part of Slipway also the packages around it."""
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if not _is_for_type_checkers(node)]
    found = set().union(*(named(node) for node in ast.walk(tree)))
    return {each for each in found if not each.startswith("slipway") or each in MODULES} | set(parents(name))


def _is_for_type_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def reached(start: str, without: str = "") -> set[str]:
    """All modules that importing these may lead to, even within functions, but for one and what it leads to."""
    seen, todo = {without}, [name for name in MODULES if name == start or name.startswith(f"{start}.")]
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo += [each for each in imports(name) if each in MODULES] if name in MODULES else []
            seen |= {each for each in imports(name) if each not in MODULES}
    return seen - {without}


def within(names: set[str], packages: set[str]) -> set[str]:
    return {name for name in names if any(name == each or name.startswith(f"{each}.") for each in packages)}


@pytest.mark.parametrize(
    "part, forbidden",
    [
        ("slipway.serving", HEAVY | {"slipway.cli", "slipway.table.cells", "slipway.table.inference"}),
        ("slipway.training", {"slipway.serving", "slipway.cli", "flask", "gunicorn"}),
        ("slipway.sources", {"slipway.serving", "slipway.training", "slipway.cli", "flask"}),
        ("slipway.batch", {"sklearn", "scipy", "matplotlib", "onnx", "skl2onnx", "slipway.training", "slipway.cli"}),
        ("slipway.spark.scoring_job", {"sklearn", "onnx", "slipway.training", "slipway.serving", "slipway.cli"}),
        ("slipway.streaming", HEAVY | {"slipway.cli"}),
        ("slipway.model.predictor", HEAVY | {"slipway.serving", "slipway.cli", "slipway.problem"}),
        ("slipway.table.schema", HEAVY | {"slipway.serving", "slipway.cli", "slipway.problem", "onnxruntime"}),
        ("slipway.table.formats", HEAVY | {"slipway.serving", "slipway.cli", "slipway.problem", "onnxruntime"}),
        ("slipway.store.local", HEAVY | {"slipway.serving", "slipway.cli", "slipway.problem", "numpy"}),
        ("slipway.store.transfer", HEAVY | {"slipway.serving", "slipway.cli", "numpy", "flask"}),
        (
            "slipway.release",
            HEAVY | {"slipway.serving", "slipway.cli", "slipway.problem", "slipway.store.remote", "numpy", "yaml"},
        ),
        ("slipway.problem", HEAVY | {"slipway.serving", "slipway.cli", "numpy"}),
    ],
)
def test_doors_that_stay_shut(part, forbidden):
    assert part in MODULES
    assert within(reached(part, PARQUET), forbidden) == set()


def test_parquet_alone_leads_the_service_to_arrow_and_it_is_imported_for_parquet_alone():
    assert {name.partition(".")[0] for name in within(reached(PARQUET), HEAVY)} == {"pyarrow"}
    for name in within(set(MODULES), {"slipway.serving"}) - {PARQUET}:
        top = set().union(*(named(node) for node in ast.parse(MODULES[name].read_text(encoding="utf-8")).body))
        assert PARQUET not in top, name


@pytest.mark.parametrize(
    "part",
    sorted(
        {
            "slipway.store.local",
            "slipway.model.bundle",
            "slipway.store.atomic",
            "slipway.store.journal",
            "slipway.store.pointer",
            "slipway.table.schema",
        }
        | {"slipway.release"} & set(MODULES)
    ),
)
def test_parts_that_need_the_standard_library_alone(part):
    allowed = {"slipway", "numpy"} if part == "slipway.table.schema" else {"slipway"}
    assert {name.partition(".")[0] for name in reached(part)} <= allowed | sys.stdlib_module_names


def test_the_command_line_imports_nothing_heavy_before_a_command_is_called():
    for name in within(set(MODULES), {"slipway.cli"}):
        tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
        top = set().union(*(named(node) for node in tree.body))
        heavy = HEAVY | {"numpy", "flask", "gunicorn", "slipway.serving", "slipway.table.inference"}
        assert within(top, heavy) == set(), name


def loaded(code: str, folder: Path, **environ) -> set[str]:
    """Modules that a fresh interpreter has after running the code."""
    return set(json.loads(run(code + SHOW, folder, **environ).splitlines()[-1]))


SHOW = "\nimport json, sys\nprint('\\n' + json.dumps(sorted(sys.modules)))\n"


def run(code: str, folder: Path, **environ) -> str:
    """What a fresh interpreter prints."""
    environ = {**os.environ, "PYTHONPATH": str(SOURCE), **environ}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


def test_the_service_answers_without_training_libraries(tmp_path):
    make_bundle(LocalStore(tmp_path / "artifacts"), "regression")
    (tmp_path / "slipway.yaml").write_text("name: regression\nsource: table.csv\ntarget: charges\n")
    code = f"""
import runpy
app = runpy.run_path({str(ROOT / "app.py")!r}, run_name="app")["app"]
client = app.test_client()
row = {{"age": 19, "bmi": 27.9, "smoker": "yes", "joined": "2020-01-01"}}
for path in ("/", "/model", "/apidocs/", "/apispec.json", "/metrics", "/readyz"):
    assert client.get(path).status_code == 200, path
assert client.post("/predict", json=row).status_code == 200
assert client.post("/predict/file", data="age,bmi,smoker,joined\\n19,20,no,2020-01-01", content_type="text/csv").data
"""
    found = loaded(code, tmp_path, SLIPWAY_PROBLEM=str(tmp_path / "slipway.yaml"))
    assert {"slipway.serving.factory", "onnxruntime", "flask"} <= found
    assert within(found, HEAVY) == set()
    assert within(found, SWITCHED) == set(), "what is off is imported"


@pytest.mark.parametrize(
    "code, forbidden",
    [
        ("import slipway.serving", HEAVY | {"numpy", "flask", "onnxruntime"}),
        ("import slipway.serving.factory", HEAVY | LATER),
        (
            "import slipway.batch.open",
            {"flask", "gunicorn", "prometheus_client", "sklearn", "scipy", "boto3", "pymongo", "pandas"},
        ),
        ("import slipway.spark", {"pyspark", "sklearn", "pandas", "onnxruntime", "boto3", "pymongo", "flask"}),
        ("import slipway.problem, slipway.store.local", HEAVY | {"numpy", "flask"}),
        (
            "import sys\nfrom slipway.cli import main\nsys.argv = ['slipway', '--help']\ntry: main()\nexcept SystemExit: pass",
            HEAVY | {"numpy", "flask", "yaml", "onnxruntime", "slipway.problem"},
        ),
        (
            "import sys\nfrom slipway.cli import main\nsys.argv = ['slipway', 'status', '--help']\n"
            "try: main()\nexcept SystemExit: pass",
            HEAVY | {"numpy", "flask", "onnxruntime"},
        ),
    ],
)
def test_a_fresh_interpreter_loads_only_what_is_needed(tmp_path, code, forbidden):
    assert within(loaded(code, tmp_path), forbidden) == set()


def test_workers_share_what_the_master_imports_and_nothing_of_it_is_looked_through_for_garbage(tmp_path):
    make_bundle(LocalStore(tmp_path / "artifacts"), "regression")
    (tmp_path / "slipway.yaml").write_text("name: regression\nsource: table.csv\ntarget: charges\n")
    master = """
import gc
from types import SimpleNamespace
import slipway.serving.worker  # as gunicorn does when it reads the name of the worker class
from slipway.serving import create_app, gunicorn_conf
gunicorn_conf.on_starting(None)
assert not gc.isenabled()
"""
    worker = """
gunicorn_conf.when_ready(SimpleNamespace(LISTENERS=[]))
shared = gc.get_freeze_count()
assert gc.isenabled() and shared
gunicorn_conf.post_worker_init(SimpleNamespace(wsgi=create_app()))
assert gc.isenabled() and gc.get_freeze_count() > shared
"""
    before, after = loaded(master, tmp_path), loaded(master + worker, tmp_path)
    assert "slipway.serving.factory" in before and within(before, HEAVY | LATER) == set()
    assert within(after, SWITCHED) == set()
    assert "onnxruntime" in after and within(after - before, {"slipway", "flask", "msgspec", "prometheus_client"}) == set()


def test_what_is_reached_in_several_steps_is_seen():
    assert {"pandas", "sklearn", "slipway.training.data.split", "numpy"} <= {
        name.partition(".")[0] if not name.startswith("slipway") else name for name in reached("slipway.cli")
    }
