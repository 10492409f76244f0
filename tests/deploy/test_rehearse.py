"""What a rehearsal takes from the repository that it plays: its files, its table and its libraries."""

import pytest

from rehearsal.project import Project, link_data, make_project
from rehearse import ROOT, environment_of


def test_an_ignored_table_is_linked_and_not_committed(tmp_path):
    source = Project(tmp_path / "source")
    (source.folder / "data/deep").mkdir(parents=True)
    (source.folder / ".gitignore").write_text("/data/*\n!/data/kept.csv\n")
    for name in ("data/kept.csv", "data/table.csv", "data/deep/part.csv"):
        (source.folder / name).write_text(name)
    source.git("init", "--quiet", "--initial-branch", "main")
    copy = make_project(tmp_path / "copy", source.folder)
    link_data(copy.folder, source.folder)
    copy.commit("All that git takes")
    assert {path.relative_to(copy.folder).as_posix() for path in copy.folder.glob("data/**/*.csv") if path.is_symlink()} == {
        "data/table.csv",
        "data/deep/part.csv",
    }
    assert (copy.folder / "data/deep/part.csv").read_text() == "data/deep/part.csv"
    assert copy.git("ls-files").splitlines() == [".gitignore", "data/kept.csv"]


def test_a_repository_without_data_is_copied_as_it_is(tmp_path):
    source = Project(tmp_path / "source")
    source.folder.mkdir()
    (source.folder / "README.md").write_text("No table\n")
    source.git("init", "--quiet", "--initial-branch", "main")
    copy = make_project(tmp_path / "copy", source.folder)
    link_data(copy.folder, source.folder)
    assert not (copy.folder / "data").exists()


def test_a_new_repository_is_played_with_its_own_libraries(tmp_path):
    (tmp_path / ".slipway.json").touch()
    with pytest.raises(SystemExit, match="has no .venv with its libraries. Run make install there first"):
        environment_of(tmp_path)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv/train.stamp").touch()
    assert environment_of(tmp_path) == tmp_path / ".venv"
    assert environment_of(ROOT) is None
