"""An image passed the tests of a commit when the registry has it under the key, and under key and tests."""

from pathlib import Path

import pytest
import yaml

from registries import DIGEST, SmallRegistry, serve_registry
from rehearsal.project import Project
from slipway.errors import ReleaseError
from slipway.release.image.key import release_key
from slipway.release.image.tested import UNTESTED, key_of_tests, note_passed, passed, unpinned_images

ROOT = Path(__file__).resolve().parents[3]
OTHER = "sha256:" + "c" * 64
PINNED = "python:3.11-slim@" + "sha256:" + "b" * 64
FILES = {
    "Dockerfile": f"FROM {PINNED} AS base\nFROM base\nCOPY app.py .\n",
    ".dockerignore": "*\n!app.py\n!artifacts\n",
    "app.py": "app",
    "artifacts/champion.json": "{}",
    "artifacts/verdict.json": "{}",
    "README.md": "text",
    "docs/guide.png": "picture",
    "tests/test_app.py": "test",
    "requirements-train.txt": "lock",
    ".github/workflows/main.yaml": "workflow",
    "Makefile": "make",
    "data/table.csv": "a,b",
}


@pytest.fixture
def repository(tmp_path) -> Project:
    """A git repository with the files of a commit."""
    project = Project(tmp_path)
    project.git("init", "--quiet", "--initial-branch", "main")
    for name, content in FILES.items():
        write(project, name, content)
    project.commit("The first")
    return project


def write(repository: Project, name: str, content: str) -> None:
    (repository.folder / name).parent.mkdir(parents=True, exist_ok=True)
    (repository.folder / name).write_text(content)


@pytest.fixture
def registry(monkeypatch, tmp_path_factory):
    with serve_registry() as registry:
        monkeypatch.setenv("DOCKER_CONFIG", str(registry.login(tmp_path_factory.mktemp("docker"))))
        yield registry


def look(repository: Project, registry: SmallRegistry):
    return passed(repository.folder, registry.host, "insurance")


def deliver(repository: Project, registry: SmallRegistry, digest: str = DIGEST) -> None:
    """Push an image under the key of the commit."""
    registry.images[release_key(repository.folder)] = digest


def test_only_an_image_that_was_noted_after_its_tests_need_not_be_tested_again(repository, registry):
    assert "there is no image" in look(repository, registry).reason
    deliver(repository, registry)
    known = look(repository, registry)
    assert known.digest == "" and "did not pass the tests of this commit" in known.reason
    note_passed(repository.folder, registry.host, "insurance")
    known = look(repository, registry)
    assert (known.digest, known.key) == (DIGEST, release_key(repository.folder))
    assert known.reason == f"No tests run: {DIGEST} passed those of this commit before"


@pytest.mark.parametrize("name", FILES)
def test_a_changed_file_is_tested_again_unless_it_is_a_text_for_people(repository, registry, name):
    deliver(repository, registry)
    note_passed(repository.folder, registry.host, "insurance")
    write(repository, name, FILES[name] + "\n# changed\n")
    repository.commit("Changed")
    deliver(repository, registry)
    assert bool(look(repository, registry).digest) == (name in ("README.md", "docs/guide.png"))
    repository.git("revert", "--no-edit", "HEAD")
    assert look(repository, registry).digest == DIGEST


def test_another_image_under_the_tag_of_the_tests_does_not_count(repository, registry):
    deliver(repository, registry)
    registry.images[f"{release_key(repository.folder)}-{key_of_tests(repository.folder)}"] = OTHER
    assert look(repository, registry).digest == ""
    with pytest.raises(ReleaseError, match="status 400"):
        note_passed(repository.folder, registry.host, "insurance")


def test_a_second_note_says_the_same(repository, registry):
    deliver(repository, registry)
    first = note_passed(repository.folder, registry.host, "insurance")
    assert note_passed(repository.folder, registry.host, "insurance") == first


def test_an_image_that_is_not_there_cannot_be_noted(repository, registry):
    with pytest.raises(ReleaseError, match="is not in the registry"):
        note_passed(repository.folder, registry.host, "insurance")


def test_a_tag_is_one_that_registries_take(repository):
    assert len(f"{release_key(repository.folder)}-{key_of_tests(repository.folder)}") <= 128


def test_without_a_digest_of_the_base_every_commit_is_tested(repository, registry):
    deliver(repository, registry)
    note_passed(repository.folder, registry.host, "insurance")
    write(repository, "Dockerfile", "FROM python:3.11-slim\n")
    repository.commit("Changed")
    deliver(repository, registry)
    assert "names python:3.11-slim without a digest" in note_passed(repository.folder, registry.host, "insurance")
    assert look(repository, registry).digest == ""
    assert "names python:3.11-slim without a digest" in look(repository, registry).reason
    assert len(registry.images) == 3


@pytest.mark.parametrize(
    ("dockerfile", "expected"),
    [
        (f"FROM {PINNED} AS base\nFROM Base\nFROM scratch\nCOPY --from=0 /a /b\nCOPY --from=base /a /b", []),
        (f"from --platform=$BUILDPLATFORM {PINNED}", []),
        ("FROM --platform=linux/amd64 python:3.11", ["python:3.11"]),
        ("ARG BASE=python\nFROM $BASE", ["$BASE"]),
        (f"FROM {PINNED}\nCOPY --from=ghcr.io/astral-sh/uv:0.9 /uv /bin/", ["ghcr.io/astral-sh/uv:0.9"]),
        (f"FROM {PINNED}\nRUN --mount=type=bind,from=busybox,target=/b true", ["busybox"]),
        (f"FROM {PINNED}\n# FROM python:3.11\n# COPY --from=busybox", []),
        ("FROM python AS python\nFROM python", ["python"]),
        (f"FROM {PINNED}\nCOPY --from=busybox /b /b\nFROM {PINNED} AS busybox", ["busybox"]),
        ("FROM python@sha256:abc", ["python@sha256:abc"]),
    ],
)
def test_every_image_that_a_dockerfile_names_is_looked_at(repository, dockerfile, expected):
    write(repository, "Dockerfile", dockerfile)
    repository.commit("Changed")
    assert unpinned_images(repository.folder) == expected


def test_what_starts_no_run_is_what_does_not_count():
    main = yaml.safe_load((ROOT / ".github/workflows/main.yaml").read_text())
    assert tuple(main[True]["push"]["paths-ignore"]) == UNTESTED
