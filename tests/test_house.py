"""The plan of the house: floors, rooms and their doors, and that a name is found once."""

import ast
import re
from collections import Counter
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "src"
MODULES = {
    ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__"): path for path in SOURCE.rglob("*.py")
}
# From the top; what stands on no floor is the ground, which all may import.
FLOORS = (
    {"cli", "doctor", "project"},
    {"serving", "batch", "training", "monitoring", "release", "spark", "export", "streaming"},
    {"sources", "store", "report", "model"},
    {"table"},
)
# The rooms within training, from the top; above them stand its own files, such as train.py.
FLOORS_OF_TRAINING = (
    {"whole"},
    {"comparison", "evaluation"},
    {"verdict"},
    {"inspection"},
    {"fitting"},
    {"data"},
    {"measures"},
)
# A room imports what is below it, and on its own floor what these name.
DOORS = {
    ("cli", "doctor"),
    ("cli", "project"),
    ("doctor", "project"),  # it compares the files in deploy/ with those that are shipped
    ("sources", "store"),
    ("store", "model"),
    ("report", "model"),
    ("streaming", "serving"),  # its answers are those of the service
    ("spark", "batch"),
    ("spark", "monitoring"),  # it counts tables in the bins of a look
}


def floor(room: str) -> int:
    return next((number for number, rooms in enumerate(FLOORS) if room in rooms), len(FLOORS))


def room(module: str) -> str:
    """Empty for a module of the ground."""
    parts = module.split(".")
    return parts[1] if f"slipway.{parts[1]}" in MODULES and MODULES[f"slipway.{parts[1]}"].name == "__init__.py" else ""


def room_of_training(module: str) -> str:
    """Empty for a file of training that is in none of its rooms."""
    part = ".".join(module.split(".")[:3])
    return part.rpartition(".")[2] if part in MODULES and MODULES[part].name == "__init__.py" else ""


def floor_of_training(inner: str) -> int:
    return next((number for number, rooms in enumerate(FLOORS_OF_TRAINING) if inner in rooms), -1)


def imported(module: str) -> set[str]:
    """The modules of Slipway that one imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= inner & set(MODULES) or {node.module}
    return found & set(MODULES) - {"slipway", module}


PARTS = sorted(set(MODULES) - {"slipway", "slipway.__main__"})


def test_every_room_stands_on_a_floor():
    assert {room(module) for module in PARTS} - {""} == set().union(*FLOORS)


@pytest.mark.parametrize("module", PARTS)
def test_imports_lead_down(module):
    here = room(module)
    for other in imported(module):
        there = room(other)
        assert there == here or floor(there) > floor(here) or (here, there) in DOORS, f"{module} imports {other}"


OF_TRAINING = [module for module in PARTS if module.startswith("slipway.training.")]


def test_every_room_of_training_stands_on_a_floor():
    assert {room_of_training(module) for module in OF_TRAINING} - {""} == set().union(*FLOORS_OF_TRAINING)


@pytest.mark.parametrize("module", OF_TRAINING)
def test_imports_within_training_lead_down(module):
    here = room_of_training(module)
    for other in imported(module) & set(OF_TRAINING):
        there = room_of_training(other)
        assert there == here or floor_of_training(there) > floor_of_training(here), f"{module} imports {other}"


def test_no_circle():
    todo = {module: imported(module) for module in PARTS}
    while todo:
        free = [module for module, others in todo.items() if not others & set(todo)]
        assert free, f"these import one another: {', '.join(sorted(todo))}"
        for module in free:
            del todo[module]


def test_a_file_name_occurs_once():
    """Whoever looks for a subject by its name finds one file; commands have the names that people type."""
    names = Counter(
        MODULES[module].name
        for module in PARTS
        if room(module) != "cli" and MODULES[module].name not in ("__init__.py", "__main__.py")
    )
    assert [name for name, count in names.items() if count > 1] == []


def test_one_command_runs_every_file_and_folder_of_bench():
    root = SOURCE.parent
    run = set(re.findall(r"python bench/([\w.]+)", (root / "Makefile").read_text()))
    files, folders = (root / "bench").glob("*.py"), (root / "bench").glob("*/__main__.py")
    assert run == {path.name for path in files} | {path.parent.name for path in folders}
