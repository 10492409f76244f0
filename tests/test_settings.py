import ast
from pathlib import Path

import pytest
from msgspec.structs import fields

from slipway.kinds import TASKS
from slipway.problem import GROUPS, SETTINGS, TASK_METRICS, Problem
from slipway.settings import VARIABLES, settings_page

ROOT = Path(__file__).resolve().parent.parent


def test_the_page_is_what_the_structs_say():
    assert (ROOT / "docs" / "settings.md").read_text(encoding="utf-8") == settings_page(SETTINGS)


@pytest.mark.parametrize("each", [*SETTINGS, *VARIABLES], ids=lambda each: getattr(each, "path", None) or each.name)
def test_each_has_a_sentence_of_help(each):
    assert each.help[0].isupper() and each.help.endswith(".") and len(each.help) > 15
    assert "|" not in each.help


def test_every_field_is_a_setting_but_the_folder():
    paths = {f"{name}.{field.name}" for name, group in GROUPS.items() for field in fields(group)}
    paths |= {field.name for field in fields(Problem)} - {*GROUPS, "folder"}
    assert {each.path for each in SETTINGS} == paths


def test_paths_and_variables_are_there_once():
    names = [each.path for each in SETTINGS] + [each.variable for each in SETTINGS] + [each.name for each in VARIABLES]
    assert len(names) == len(set(names))


def test_defaults_are_of_their_kind():
    for each in SETTINGS:
        if not each.required and each.default is not None:
            value = list(each.default) if isinstance(each.default, tuple) else each.default
            assert each.kind.read(value) == each.default


def test_every_variable_that_the_program_reads_is_documented():
    known = {each.variable for each in SETTINGS} | {each.name for each in VARIABLES}
    read = {
        node.value
        for path in (ROOT / "src").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node.value.startswith("SLIPWAY_")
        and node.value.replace("_", "").isalnum()
        and node.value != "SLIPWAY_"
    }
    assert read and read <= known


def test_tasks_have_metrics():
    assert tuple(TASK_METRICS) == TASKS
