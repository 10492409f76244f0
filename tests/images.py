"""Images of releases, made of this checkout and a small bundle, as main.yaml makes them."""

from pathlib import Path

from rehearsal.containers import Docker
from rehearsal.project import copy_files, name_base
from slipway.release.image.labels import labels
from slipway.store.local import LocalStore

ROOT = Path(__file__).resolve().parents[1]
BASE = "python:3.11-slim"  # without the digest that the Dockerfile may have: not every engine can fetch that one


def checkout(folder: Path) -> LocalStore:
    """The files of a commit as they are now, with another problem; its empty store."""
    copy_files(folder, ROOT, "artifacts/champion.json", "artifacts/verdict.json")
    (folder / "slipway.yaml").write_text("name: regression\nsource: table.csv\ntarget: charges\n")
    name_base(folder, BASE)
    return LocalStore(folder / "artifacts")


def build_release(docker: Docker, folder: Path, tag: str) -> None:
    """The image of a checkout, with the labels that the box asks for."""
    named = labels(LocalStore(folder / "artifacts"))
    arguments = [part for name, value in named.items() for part in ("--label", f"{name}={value}")]
    docker("build", "--tag", tag, *arguments, folder)


def derive(docker: Docker, folder: Path, tag: str, base: str, *lines: str) -> None:
    """An image made of another one, wrong on purpose."""
    (folder / "Dockerfile").write_text("\n".join([f"FROM {base}", *lines, ""]))
    docker("build", "--tag", tag, folder)


def push(docker: Docker, tag: str) -> str:
    """Push an image, also under what stands for its release key; the digest that names it from now on."""
    docker("push", tag)
    name = tag.rpartition(":")[0]
    found = docker.inspect(tag)["RepoDigests"]
    digest = next(each.partition("@")[2] for each in found if each.startswith(f"{name}@"))
    key = f"{name}:{digest.removeprefix('sha256:')}"
    docker("tag", tag, key)
    docker("push", key)
    docker("image", "rm", key)
    return digest
