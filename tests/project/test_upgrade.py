"""slipway upgrade: what changes is shown first, a person's edits are kept, and a conflict is named."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from slipway import __version__
from slipway.project import upgrade as upgrading
from slipway.project.rendering import TEMPLATES

OLD = "0.0.9"


@pytest.fixture
def next_version(monkeypatch):
    """This version with other templates, by the names of the files."""

    def change(**files: tuple[str, str]) -> None:
        source = TEMPLATES.loader.get_source

        def changed(environment, name):
            text, path, fresh = source(environment, name)
            for file, (old, new) in files.items():
                if name.startswith(file):
                    assert old in text
                    text = text.replace(old, new)
            return text, path, fresh

        monkeypatch.setattr(TEMPLATES.loader, "get_source", changed)
        monkeypatch.setattr(TEMPLATES, "cache", None)

    return change


def contents(folder: Path) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths if ".git/" not in path.as_posix()}


def record(folder: Path) -> dict:
    return json.loads((folder / ".slipway.json").read_text())


def test_the_same_version_changes_nothing(folder, run):
    before = contents(folder)
    result = run("upgrade")
    assert (result.code, result.out) == (0, f"Nothing to change: up to date with Slipway {__version__}.\n")
    assert contents(folder) == before


def test_files_that_were_edited_are_named_when_nothing_changes(folder, run):
    edit(folder / "Makefile", "PORT ?= 8080", "PORT ?= 7070")
    (folder / ".python-version").unlink()
    (folder / "src/mine/models.py").write_text("")
    with (folder / "requirements.txt").open("a") as lock:
        lock.write(f"mine==1.0 --hash=sha256:{64 * '0'}\n")
    edited = ".python-version, Makefile, requirements.txt"
    before = contents(folder)
    says = f"Nothing to change: up to date with Slipway {__version__}; edited or removed here: {edited}.\n"
    assert (run("upgrade").out, contents(folder)) == (says, before)


def test_a_difference_is_shown_and_nothing_written_without_yes(folder, run, next_version):
    next_version(Makefile=("PORT ?= 8080", "PORT ?= 9090"))
    before = contents(folder)
    result = run("upgrade")
    assert result.code == 8 and "To write these changes: slipway upgrade --yes" in result.err
    assert "-PORT ?= 8080\n+PORT ?= 9090\n" in result.out and "Makefile: changed\n" in result.out
    assert contents(folder) == before
    assert run("upgrade", "--yes").code == 0
    assert {path for path, content in contents(folder).items() if content != before.get(path)} == {"Makefile", ".slipway.json"}
    assert "Nothing to change" in run("upgrade").out


@pytest.mark.parametrize("typed, code", [("y", 0), ("n", 130)])
def test_at_a_terminal_it_asks(folder, run, next_version, monkeypatch, typed, code):
    next_version(Makefile=("PORT ?= 8080", "PORT ?= 9090"))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda prompt: typed)
    assert run("upgrade").code == code
    assert ("9090" in (folder / "Makefile").read_text()) == (code == 0)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_own_edits_are_kept(folder, run, next_version):
    next_version(Makefile=("PORT ?= 8080", "PORT ?= 9090"))
    edit(folder / "Makefile", "rm -rf $(VENV) build", "rm -rf $(VENV) mine build")
    edit(folder / "Procfile", "--bind", "--workers 3 --bind")
    (folder / "README.md").write_text("mine\n")
    (folder / ".python-version").unlink()
    result = run("upgrade", "--yes")
    assert result.code == 0
    makefile = (folder / "Makefile").read_text()
    assert "PORT ?= 9090" in makefile and "$(VENV) mine build" in makefile
    assert "Makefile: changed; your edits are kept" in result.out
    assert "--workers 3" in (folder / "Procfile").read_text()
    assert (folder / "README.md").read_text() == "mine\n"
    assert not (folder / ".python-version").exists()


def test_an_edit_is_kept_by_the_second_upgrade_too(folder, run, next_version):
    edit(folder / "Makefile", "rm -rf $(VENV) build", "rm -rf $(VENV) mine build")
    for old, new in ((8080, 9090), (9090, 9191)):
        next_version(Makefile=(f"PORT ?= {old}", f"PORT ?= {new}"))
        assert run("upgrade", "--yes").code == 0
        text = (folder / "Makefile").read_text()
        assert f"PORT ?= {new}" in text and "mine build" in text


def test_a_conflict_is_named_and_marked(folder, run, next_version):
    next_version(Makefile=("PORT ?= 8080", "PORT ?= 9090"), Procfile=("--bind", "--preload --bind"))
    edit(folder / "Makefile", "PORT ?= 8080", "PORT ?= 7070")
    result = run("upgrade", "--yes")
    assert result.code == 8
    assert "conflicts with your edits in Makefile. Resolve them between <<<<<<< and >>>>>>>" in result.err
    assert "Makefile: CONFLICT with your edits" in result.out
    text = (folder / "Makefile").read_text()
    assert re.search(
        rf"<<<<<<< yours\nPORT \?= 7070\n\|+ .*\nPORT \?= 8080\n=+\nPORT \?= 9090\n>>>>>>> Slipway {__version__}", text
    )
    assert "--preload" in (folder / "Procfile").read_text()
    same = run("upgrade", "--yes")
    assert same.code == 8 and "Makefile: has conflict markers. Resolve them first" in same.err
    next_version(Makefile=("PORT ?= 9090", "PORT ?= 9191"))
    again = run("upgrade", "--yes")
    assert again.code == 8 and "Makefile: has conflict markers. Resolve them first" in again.err


def test_files_come_and_go_with_the_version(folder, run, monkeypatch):
    monkeypatch.setattr("slipway.project.rendering.COMMON", ("Makefile", "app.json", "app.py"))
    edit(folder / "Procfile", "--bind", "--workers 3 --bind")
    result = run("upgrade", "--yes")
    assert result.code == 0
    assert "app.json: new\n" in result.out and (folder / "app.json").exists()
    assert "Dockerfile: removed\n" in result.out and not (folder / "Dockerfile").exists()
    assert "kept: Procfile: no longer generated; yours stays" in result.out and (folder / "Procfile").exists()


def test_a_new_file_does_not_overwrite_ones_own(folder, run, monkeypatch):
    (folder / "app.json").write_text("{}\n")
    monkeypatch.setattr("slipway.project.rendering.COMMON", (*record(folder)["files"], "app.json"))
    result = run("upgrade", "--yes")
    assert "kept: app.json: new in this version; yours stays" in result.out
    assert (folder / "app.json").read_text() == "{}\n"


def test_ones_own_file_in_the_place_of_a_workflow_that_is_called_is_refused(folder, run):
    """main.yaml would call it, and GitHub starts no run of a workflow that calls what cannot be called."""
    known, path = record(folder), ".github/workflows/deploy.yaml"
    del known["files"][path]
    (folder / ".slipway.json").write_text(json.dumps(known))
    (folder / path).write_text("on: push\njobs: {}\n")
    before = contents(folder)
    result = run("upgrade", "--yes")
    assert result.code == 8 and contents(folder) == before
    assert f"{path}: yours is in the place of a workflow" in result.err and "Rename yours" in result.err
    (folder / path).rename(folder / ".github/workflows/own.yaml")
    assert run("upgrade", "--yes").code == 0 and "workflow_call" in (folder / path).read_text()


def test_locks_follow_and_own_libraries_stay(folder, run):
    path = folder / "requirements-train.txt"
    text = path.read_text()
    pin = re.search(r"^flask==(\S+) \\", text, re.M)[1]
    path.write_text(text.replace(f"flask=={pin}", "flask==3.1.0") + "# the report\nmine==1.0 --hash=sha256:0\n")
    generated = record(folder)
    generated["pins"]["requirements-train.txt"]["flask"] = "3.1.0"
    (folder / ".slipway.json").write_text(json.dumps(generated))
    result = run("upgrade", "--yes")
    assert f"requirements-train.txt:\n  flask 3.1.0 → {pin}\n" in result.out
    assert path.read_text().count(f"flask=={pin} ") == 1
    assert "# the report\nmine==1.0 --hash=sha256:0\n" in path.read_text()
    assert "\nrequirements.txt:" not in f"\n{result.out}"


@pytest.mark.parametrize(
    "settings, library",
    [
        ("source: sql\nsql: {table: visits}", "sqlalchemy"),
        ("source: spark:clinic.visits", "pyspark"),
    ],
)
def test_the_lock_of_training_follows_the_source(folder, run, settings, library):
    path = folder / "slipway.yaml"
    before = path.read_text()
    assert library not in (folder / "requirements-train.txt").read_text()
    path.write_text(f"name: mine\ntarget: charges\n{settings}\n")
    result = run("upgrade", "--yes")
    assert result.code == 0 and f"  {library} absent → " in result.out, result.err
    assert f"\n{library}==" in (folder / "requirements-train.txt").read_text()
    assert library not in (folder / "requirements.txt").read_text()
    assert "Nothing to change" in run("upgrade").out
    path.write_text("source: [")  # cannot be read: what it needed stays
    assert "Nothing to change" in run("upgrade").out
    path.write_text(before)
    run("upgrade", "--yes")
    assert library not in (folder / "requirements-train.txt").read_text()


def test_the_vendored_wheel_is_replaced(folder, run, monkeypatch):
    old, [new] = folder / f"vendor/slipway_ml-{OLD}-py3-none-any.whl", (folder / "vendor").iterdir()
    new.rename(old)
    for name in ("requirements.txt", "requirements-train.txt"):
        edit(folder / name, __version__, OLD)
    result = run("upgrade", "--yes")
    assert f"slipway-ml {OLD} → {__version__}" in result.out
    assert [path.name for path in (folder / "vendor").iterdir()] == [new.name]


def test_vendor_can_be_left_for_an_index(folder, run, monkeypatch):
    monkeypatch.setattr("slipway.project.distribution._indexed", lambda: "f" * 64)
    assert run("upgrade", "--yes", "--index").code == 0
    assert (folder / "requirements.txt").read_text().endswith(f"\nslipway-ml=={__version__} --hash=sha256:{'f' * 64}\n")
    assert list((folder / "vendor").iterdir()) == []
    assert "COPY vendor" not in (folder / "Dockerfile").read_text()
    assert "Nothing to change" in run("upgrade").out


def test_a_crash_in_the_middle_is_made_good_by_the_next_run(folder, run, next_version, monkeypatch):
    """Whatever was written last, the next run ends where one without a crash ends."""
    next_version(Makefile=("PORT ?= 8080", "PORT ?= 9090"), Procfile=("--bind", "--preload --bind"), setup=("in it", "there"))
    edit(folder / "Makefile", "rm -rf $(VENV) build", "rm -rf $(VENV) mine build")
    put, before = upgrading.put_file, contents(folder)

    class Killed(BaseException):
        pass

    def crash_after(count: int):
        written = []

        def killed(*arguments):
            if len(written) == count:
                raise Killed
            written.append(arguments)
            put(*arguments)

        return killed

    ends = []
    for count in range(6):
        for path, content in before.items():
            (folder / path).write_bytes(content)
        monkeypatch.setattr(upgrading, "put_file", crash_after(count))
        try:
            run("upgrade", "--yes")
        except Killed:
            monkeypatch.setattr(upgrading, "put_file", put)
            assert run("upgrade", "--yes").code == 0
        ends.append(contents(folder))
    assert all(end == ends[-1] for end in ends)
    assert b"mine build" in ends[0]["Makefile"] and b"9090" in ends[0]["Makefile"]


@pytest.mark.parametrize(
    "content, says",
    [
        (None, "there is no such file. Run this at the top of a repository that slipway new made"),
        ("{", "Restore it from git"),
        ('{"version": "0.1.0"}', "missing required field.*Restore it from git"),
    ],
)
def test_without_a_sound_record_nothing_is_done(folder, run, content, says):
    path = folder / ".slipway.json"
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    result = run("upgrade", "--yes")
    assert result.code == 8 and re.search(says, result.err), result.err


@pytest.mark.parametrize("suffix", ["rc1", ".dev3"])
def test_a_pre_release_is_followed_by_its_final_version(folder, run, suffix):
    (folder / ".slipway.json").write_text(json.dumps(record(folder) | {"version": f"{__version__}{suffix}"}))
    assert run("upgrade", "--yes").code == 0


def test_a_newer_repository_is_not_taken_back(folder, run):
    generated = record(folder)
    (folder / ".slipway.json").write_text(json.dumps(generated | {"version": "99.0"}))
    result = run("upgrade", "--yes")
    assert result.code == 8 and f"made by Slipway 99.0, and this is {__version__}" in result.err


def test_a_clone_is_upgraded_like_the_first_checkout(folder, run, next_version, monkeypatch):
    me = ["-c", "user.name=me", "-c", "user.email=me@example.com"]
    for command in (["add", "--all"], [*me, "commit", "--quiet", "--message", "x"], ["clone", "--quiet", ".", "../clone"]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    edit(folder.parent / "clone/Makefile", "rm -rf $(VENV) build", "rm -rf $(VENV) mine build")
    next_version(Makefile=("PORT ?= 8080", "PORT ?= 9090"))
    monkeypatch.chdir(folder.parent / "clone")
    assert run("upgrade", "--yes").code == 0
    assert "mine build" in Path("Makefile").read_text() and "9090" in Path("Makefile").read_text()
