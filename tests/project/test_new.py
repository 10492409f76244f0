"""slipway new: what it writes, where the table comes from, and what it leaves alone."""

import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from slipway.problem import load_problem
from slipway.project.generated import read_generated
from slipway.project.roads import FOLDERS, page_of, road_files
from tables import charges

ROOT = Path(__file__).resolve().parents[2]
USUAL = {
    ".dockerignore",
    ".github/dependabot.yml",
    ".github/workflows/deploy.yaml",
    ".github/workflows/main.yaml",
    ".github/workflows/release.yaml",
    ".github/workflows/retrain.yaml",
    ".gitignore",
    ".python-version",
    ".slipway.json",
    "Dockerfile",
    "Dockerfile.train",
    "Dockerfile.train.dockerignore",
    "MLproject",
    "Makefile",
    "Procfile",
    "README.md",
    "app.py",
    "artifacts/.gitkeep",
    "requirements-train.txt",
    "requirements.txt",
    "setup.py",
    "slipway.yaml",
    "src/{package}/__init__.py",
    "tests/test_model.py",
}
HEROKU = {".github/workflows/heroku.yaml", "app.json", "bin/post_compile"}


def listed(folder: Path) -> set[str]:
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in found if path.parts[0] != ".git"}


def usual(package: str) -> set[str]:
    return {name.format(package=package) for name in USUAL}


@pytest.fixture
def table(tmp_path) -> Path:
    path = tmp_path / "patients.csv"
    charges(80).to_csv(path, index=False)
    return path


def test_without_a_table_it_is_the_insurance_sample(new, tmp_path, wheel):
    result = new("my-insurance")
    assert result.code == 0, result.err
    assert result.out == "Wrote 25 files to my-insurance. Next: cd my-insurance && make up\n"
    folder = tmp_path / "my-insurance"
    assert listed(folder) == usual("my_insurance") | {f"vendor/{wheel.name}"}
    problem = load_problem(folder / "slipway.yaml")
    assert (problem.name, problem.target) == ("my-insurance", "charges")
    assert problem.fetch == ("slipway", "sample", "insurance", "data/insurance.csv")
    assert (folder / ".git").is_dir()


def test_what_it_writes_is_short_and_nothing_of_slipway(new, tmp_path):
    new("mine", "--heroku")
    folder = tmp_path / "mine"
    assert listed(folder) >= HEROKU
    assert (folder / "bin/post_compile").stat().st_mode & stat.S_IXUSR
    templated = {path: (folder / path).read_text() for path in usual("mine") | HEROKU if not path.startswith("requirements")}
    assert not {path for path in templated if path.endswith(".py") and "def create_app" in templated[path]}
    for path, text in templated.items():
        assert not re.search("<%|%>|<<[ a-z]|[a-z] >>$", text, re.M), path
        assert text == "" or (text.endswith("\n") and not text.endswith("\n\n")), path


@pytest.mark.parametrize("roads", [(), ("fargate",), ("kubernetes", "fargate"), ("fargate", "fargate")])
def test_a_road_is_a_copy_of_the_files_of_this_repository_and_no_other_comes_along(new, tmp_path, roads):
    assert new("mine", *(part for road in roads for part in ("--road", road))).code == 0
    ours = {f"deploy/{road}/{name}" for road in roads for name in listed(ROOT / "deploy" / road) if "__pycache__" not in name}
    assert {name for name in listed(tmp_path / "mine") if name.startswith("deploy/")} == ours
    for name in ours:
        copy, original = tmp_path / "mine" / name, ROOT / name
        assert copy.read_bytes() == original.read_bytes(), name
        assert copy.stat().st_mode & stat.S_IXUSR == original.stat().st_mode & stat.S_IXUSR, name
    assert read_generated(tmp_path / "mine").answers.roads == tuple(sorted(set(roads)))
    readme = (tmp_path / "mine/README.md").read_text()
    assert {road for road in FOLDERS if page_of(road) in readme} == set(roads)


@pytest.mark.parametrize("road", FOLDERS)
def test_every_road_and_system_has_files_to_copy_and_a_page(road):
    assert road_files(road)
    assert (ROOT / page_of(road)).is_file()


def test_a_road_that_there_is_none_of_is_refused(new, tmp_path):
    result = new("mine", "--road", "ship")
    assert result.code == 2 and "'ship' is not one of 'fargate', 'kubernetes', " in result.err
    assert not (tmp_path / "mine").exists()


def test_every_road_and_setting_of_the_files_is_valid(new, tmp_path):
    new("mine", "--heroku")
    done = subprocess.run(
        [
            Path(sys.executable).parent / "ruff",
            "check",
            "--isolated",
            "--line-length",
            "127",
            "--select",
            "B,E,F,I,UP,W",
            "mine",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_a_table_is_copied_and_described(new, tmp_path, table):
    result = new("clinic", "--table", table, "--target", "charges", "--commit-data")
    assert result.code == 0, result.err
    folder = tmp_path / "clinic"
    assert (folder / "data/patients.csv").read_bytes() == table.read_bytes()
    problem = load_problem(folder / "slipway.yaml")
    assert (problem.name, problem.source, problem.target, problem.fetch) == ("clinic", ("data/patients.csv",), "charges", None)
    (folder / "data/other.csv").write_text("secret\n")
    assert added(folder) == usual("clinic") - {".slipway.json"} | {".slipway.json", "data/patients.csv", *vendor(folder)}


def added(folder: Path) -> set[str]:
    """What git would commit."""
    subprocess.run(["git", "add", "--all"], cwd=folder, check=True)
    return set(subprocess.check_output(["git", "ls-files", "-z"], cwd=folder, text=True).split("\0")) - {""}


def vendor(folder: Path) -> set[str]:
    return {f"vendor/{path.name}" for path in (folder / "vendor").iterdir()}


def test_without_a_terminal_the_table_is_not_committed_unless_told(new, tmp_path, table):
    result = new("clinic", "--table", table, "--target", "charges")
    assert result.code == 0
    assert "The runners of your CI do not get data/patients.csv yet" in result.err
    assert "--commit-data" in result.err and "--fetch COMMAND" in result.err
    assert not {name for name in added(tmp_path / "clinic") if name.startswith("data/")}


def test_what_is_left_to_decide_is_said_once_all_is_written(new, tmp_path, table):
    (tmp_path / "clinic").mkdir()
    (tmp_path / "clinic/Makefile").write_text("all:\n")
    result = new("clinic", "--table", table, "--target", "charges")
    assert (result.code, result.err.count("\n")) == (8, 1) and "runners" not in result.err


def test_one_line_says_what_is_next(new, tmp_path, table, monkeypatch):
    result = new("clinic", "--table", table, "--target", "charges", "--commit-data")
    assert [line for line in result.out.splitlines() if "Next:" in line] == [
        "Wrote 25 files to clinic. Next: cd clinic && make up"
    ]
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert new(".").out == "Wrote 25 files. Next: make up\n"


def test_columns_to_decide_on_come_before_it(new, table):
    table.write_text("day,charges\n" + "".join(f"0{number % 9 + 1}/0{number % 7 + 1}/2024,{number}\n" for number in range(80)))
    result = new("clinic", "--table", table, "--target", "charges", "--commit-data")
    assert result.code == 0, result.err
    assert "ambiguous. Before training, answer in clinic/slipway.yaml, under formats:\n" in result.out
    assert result.out.endswith("Then: cd clinic && make up\n") and "Next" not in result.out


@pytest.mark.parametrize("typed, name, package", [("My Churn", "My-Churn", "my_churn"), ("json", "json", "model_json")])
def test_another_name_than_the_one_typed_is_told(new, typed, name, package):
    result = new(typed)
    assert f"The problem is called {name}; src/{package}/ is for candidates of your own.\n" in result.out


def test_in_another_repository_it_says_that_it_made_none(new, tmp_path):
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    result = new("mine")
    assert result.err == (
        f"mine is inside the git repository {tmp_path}, so it did not become one. GitHub runs workflows only at the top of a "
        "repository: to release the model, move the folder out and run git init in it\n"
    )
    assert not (tmp_path / "mine/.git").exists()


def test_a_command_that_fetches_it_is_told(new, tmp_path, table):
    new("clinic", "--table", table, "--target", "charges", "--fetch", "aws s3 cp s3://bucket/p.csv data/patients.csv")
    problem = load_problem(tmp_path / "clinic/slipway.yaml")
    assert problem.fetch == ("aws", "s3", "cp", "s3://bucket/p.csv", "data/patients.csv")


@pytest.mark.parametrize(
    "typed, fetch, committed",
    [("commit\n", None, True), ("fetch\nget it\n", ("get", "it"), False), ("\n", None, False)],
)
def test_at_a_terminal_it_is_asked(new, tmp_path, table, monkeypatch, typed, fetch, committed):
    answers = iter(typed.splitlines())
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda prompt: next(answers))
    result = new("clinic", "--table", table, "--target", "charges")
    assert result.code == 0, result.err
    assert f"({table.stat().st_size:,} bytes)" in result.out
    assert load_problem(tmp_path / "clinic/slipway.yaml").fetch == fetch
    assert ("data/patients.csv" in added(tmp_path / "clinic")) == committed


def test_several_files_become_one_source(new, tmp_path):
    for number in (1, 2):
        charges(60, seed=number).to_csv(tmp_path / f"part-{number}.csv", index=False)
    result = new("clinic", "--table", str(tmp_path / "part-*.csv"), "--target", "charges", "--commit-data")
    assert result.code == 0, result.err
    assert load_problem(tmp_path / "clinic/slipway.yaml").source == ("data/part-*.csv",)
    assert {"data/part-1.csv", "data/part-2.csv"} <= added(tmp_path / "clinic")


def test_a_table_in_the_folder_stays_where_it_is(new, tmp_path, table, monkeypatch):
    folder = tmp_path / "clinic"
    (folder / "data").mkdir(parents=True)
    table.rename(folder / "data/patients.csv")
    monkeypatch.chdir(folder)
    assert new(".", "--table", "data/patients.csv", "--target", "charges", "--commit-data").code == 0
    assert load_problem(folder / "slipway.yaml").name == "clinic"
    assert "data/patients.csv" in added(folder)


@pytest.mark.parametrize("name", ["patients.csv", "our patients.csv", "raw/patients.csv"])
def test_a_table_in_the_folder_is_not_committed_unless_told(new, tmp_path, table, monkeypatch, name):
    folder = tmp_path / "clinic"
    (folder / name).parent.mkdir(parents=True)
    table.rename(folder / name)
    monkeypatch.chdir(folder)
    assert new(".", "--table", name, "--target", "charges").code == 0
    assert not {path for path in added(folder) if "patients" in path}


@pytest.mark.parametrize(
    "name", ["data/2026/our patients.csv", "data/a/b/patients.csv", "raw/2026/patients.csv", "back\\slash.csv"]
)
def test_a_table_in_any_folder_is_committed_when_told(new, tmp_path, table, monkeypatch, name):
    folder = tmp_path / "clinic"
    (folder / name).parent.mkdir(parents=True)
    (folder / "data/other.csv").parent.mkdir(exist_ok=True)
    (folder / "data/other.csv").touch()
    table.rename(folder / name)
    monkeypatch.chdir(folder)
    assert new(".", "--table", name, "--target", "charges", "--commit-data").code == 0
    assert {path for path in added(folder) if path.endswith(".csv")} == {name}


def test_a_package_never_hides_a_library(new, tmp_path):
    assert new("numpy").code == 0
    assert (tmp_path / "numpy/src/model_numpy").is_dir()


@pytest.mark.parametrize("name", ["yes", "null", "2024-01-01", "1_000"])
def test_a_name_that_yaml_would_read_as_something_else_stays_a_name(new, tmp_path, name):
    assert new(name).code == 0
    assert load_problem(tmp_path / name / "slipway.yaml", environ={}).name == name


def test_files_that_are_there_are_not_changed_without_being_told(new, tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "Makefile").write_text("all:\n")
    (folder / "notes.txt").write_text("mine\n")
    result = new("mine")
    assert result.code == 8
    assert (
        result.err
        == "slipway: mine already has Makefile. Nothing was written. Add --force to overwrite them, or choose another name\n"
    )
    assert listed(folder) == {"Makefile", "notes.txt"}
    assert new("mine", "--force").code == 0
    assert "make up" in (folder / "Makefile").read_text()
    assert (folder / "notes.txt").read_text() == "mine\n"


def test_it_can_be_repeated_after_a_crash(new, tmp_path):
    assert new("mine").code == 0
    (tmp_path / "mine/.slipway.json").unlink()
    (tmp_path / "mine/Dockerfile").unlink()
    assert new("mine").code == 0
    assert (tmp_path / "mine/.slipway.json").exists() and (tmp_path / "mine/Dockerfile").exists()


def test_another_table_is_not_overwritten(new, tmp_path, table):
    other = tmp_path / "clinic/data/patients.csv"
    other.parent.mkdir(parents=True)
    other.write_text("another\n")
    result = new("clinic", "--table", table, "--target", "charges", "--commit-data")
    assert (result.code, other.read_text()) == (8, "another\n")
    assert "data/patients.csv already exists" in result.err
    assert listed(tmp_path / "clinic") == {"data/patients.csv"}


@pytest.mark.parametrize(
    "arguments, code, says",
    [
        (("my n", "--table", "t.csv"), 2, "predict: slipway new 'my n' --table t.csv --target COLUMN"),
        (("mine", "--target", "y"), 2, "learn from: slipway new mine --table FILE.csv --target y"),
        (("mine", "--fetch", "get"), 2, "both need --table"),
        (("mine", "--table", "none.csv", "--target", "y"), 4, "none.csv: there is no such file"),
    ],
)
def test_wrong_usage_writes_nothing(new, tmp_path, arguments, code, says):
    result = new(*arguments)
    assert result.code == code and says in " ".join(result.err.split())
    assert listed(tmp_path) == set()


def test_without_the_training_libraries_a_table_needs_them(new, tmp_path, table, monkeypatch):
    monkeypatch.setitem(sys.modules, "slipway.training.inspection.profile", None)
    result = new("mine", "--table", table, "--target", "charges", "--commit-data")
    assert result.code == 8 and 'pip install "slipway-ml[train]"' in result.err


def test_a_table_too_large_for_git_is_refused(new, table, monkeypatch):
    monkeypatch.setattr("slipway.project.own_table.LARGEST", 100)
    result = new("mine", "--table", table, "--target", "charges", "--commit-data")
    assert result.code == 8 and "--commit-data takes files up to 100" in result.err
