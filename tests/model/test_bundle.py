import json
import os
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from bundles import make_bundle
from recordings import recorded
from slipway.errors import BundleError
from slipway.model.bundle import FORMAT, JUDGING, MANIFEST, SERVING, Bundle, digest_of, packed, read_bundle
from slipway.store.local import LocalStore

SERVES = {"model.json": b"{}", "model.onnx": b"\x00\x01"}
JUDGED = {"twin.json": b"[]"}


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return make_bundle(LocalStore(tmp_path), "regression")


def sha(content: bytes) -> str:
    return sha256(content).hexdigest()


def test_the_manifest_and_the_lists_are_canonical():
    serving = '{"files":{"model.json":{"bytes":2,"sha256":"%s"},"model.onnx":{"bytes":2,"sha256":"%s"}}}\n'
    serving = (serving % (sha(b"{}"), sha(b"\x00\x01"))).encode()
    judging = ('{"files":{"twin.json":{"bytes":2,"sha256":"%s"}}}\n' % sha(b"[]")).encode()
    manifest = '{"format":2,"parts":{"judging":"%s","serving":"%s"},"problem":"Größe"}\n' % (sha(judging), sha(serving))
    expected = SERVES | JUDGED | {"serving.json": serving, "judging.json": judging, MANIFEST: manifest.encode()}
    assert packed("Größe", SERVES, JUDGED) == expected
    assert packed("Größe", dict(reversed(SERVES.items())), JUDGED) == expected


def test_what_nothing_judged_has_no_such_part():
    assert packed("trial", SERVES, {}).keys() == SERVES.keys() | {"serving.json", MANIFEST}


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../model",
        "a/b",
        "a\\b",
        ".hidden",
        "Model.json",
        "a b",
        "x" * 65,
        MANIFEST,
        "serving.json",
        "judging.json",
    ],
)
def test_a_name_that_is_not_for_a_file_is_refused(name):
    with pytest.raises(BundleError, match="not a valid file name"):
        packed("trial", {name: b""}, {})


def test_a_sound_bundle_is_read(bundle):
    assert read_bundle(bundle.folder, bundle.digest) == bundle
    assert bundle.problem == "regression"
    assert bundle.json("model.json")["task"] == "regression"
    assert bundle.digest == sha256((bundle.folder / MANIFEST).read_bytes()).hexdigest()


def test_one_changed_byte_of_any_file_is_named(bundle):
    for path in list(bundle.folder.iterdir()):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        sound = path.read_bytes()
        path.write_bytes(content)
        with pytest.raises(BundleError, match=f"{path.name}: .*SHA-256"):
            read_bundle(bundle.folder, bundle.digest).twin()
        path.write_bytes(sound)
    read_bundle(bundle.folder, bundle.digest)


def test_a_file_that_changes_after_the_bundle_was_read_is_refused(bundle):
    path = bundle.folder / "golden.json"
    path.write_bytes(path.read_bytes().swapcase())
    with pytest.raises(BundleError, match="golden.json: .*differs from the manifest"):
        bundle.json("golden.json")


def link(path: Path) -> None:
    aside = path.parent.parent / "aside"
    path.rename(aside)
    path.symlink_to(aside)


def hide(path: Path, behind: Callable[[Path], None]) -> None:
    path.unlink()
    behind(path)


@pytest.mark.parametrize(
    "damage, says",
    [
        (lambda folder: (folder / "extra.json").write_bytes(b""), "extra.json: is not in the manifest"),
        (lambda folder: (folder / ".hidden").mkdir(), ".hidden: is not in the manifest"),
        (lambda folder: (folder / "model.onnx").unlink(), "model.onnx: cannot be read .No such file"),
        (lambda folder: (folder / MANIFEST).unlink(), "manifest.json: cannot be read .No such file"),
        (lambda folder: link(folder / "model.json"), "model.json: is not a regular file"),
        (lambda folder: link(folder / MANIFEST), "manifest.json: is not a regular file"),
        (lambda folder: hide(folder / "model.json", os.mkdir), "model.json: is not a regular file"),
        (lambda folder: hide(folder / "model.json", os.mkfifo), "model.json: is not a regular file"),
        (lambda folder: (folder / "model.json").write_bytes(b""), "model.json: .*0 bytes instead of"),
        (lambda folder: (folder / "serving.json").unlink(), "serving.json: cannot be read .No such file"),
        (lambda folder: (folder / "twin.txt").write_bytes(b""), "twin.txt: is not in the manifest"),
        (lambda folder: link(folder / "serving.json"), "serving.json: is not a regular file"),
    ],
)
def test_a_damaged_bundle_is_refused(bundle, damage, says):
    damage(bundle.folder)
    with pytest.raises(BundleError, match=says):
        read_bundle(bundle.folder, bundle.digest)


@pytest.mark.parametrize(
    "damage, says",
    [
        (lambda folder: (folder / "judging.json").unlink(), "judging.json: cannot be read .No such file"),
        (lambda folder: (folder / "judging.json").write_bytes(b"{}"), "judging.json: differs from the manifest"),
        (lambda folder: (folder / "twin.json").unlink(), "twin.json: cannot be read .No such file"),
        (lambda folder: (folder / "twin.onnx").write_bytes(b"x"), "twin.onnx: differs from the manifest"),
        (lambda folder: link(folder / "twin.json"), "twin.json: is not a regular file"),
    ],
)
def test_what_serves_is_read_though_what_judged_is_damaged(bundle, damage, says):
    damage(bundle.folder)
    found = read_bundle(bundle.folder, bundle.digest)
    assert (found.read("model.onnx"), found.parts.keys(), found.whole) == (bundle.read("model.onnx"), {SERVING}, False)
    with pytest.raises(BundleError, match=f"{says}.*Run slipway pull to repair it"):
        found.twin()


def test_another_digest_than_asked_for_is_refused(bundle):
    with pytest.raises(BundleError, match="does not match the digest 000000000000"):
        read_bundle(bundle.folder, "0" * 64)


def written(folder: Path, manifest: bytes) -> str:
    (folder / MANIFEST).write_bytes(manifest)
    return digest_of(manifest)


def test_a_newer_format_is_told(tmp_path):
    manifest = json.loads(packed("trial", {}, {})[MANIFEST]) | {"format": FORMAT + 1}
    digest = written(tmp_path, json.dumps(manifest).encode())
    with pytest.raises(BundleError, match="format 3 was written by a newer Slipway. Upgrade"):
        read_bundle(tmp_path, digest)


@pytest.mark.parametrize(
    "document",
    [
        b"nonsense",
        b"[" * 200_000,
        b"[]",
        b"{}",
        b'{"format": "1"}',
        b'{"format": 1, "problem": "x", "files": []}',
        b'{"format": 1, "problem": 1, "files": {}}',
        b'{"format": 1, "problem": "x", "files": {"a": {}}}',
        b'{"format": 0, "problem": "x", "files": {}}',
        b'{"format": 1, "problem": "x", "files": {"a": {"sha256": ""}}}',
        b'{"format": 1, "problem": "x", "files": {"../secret": {"sha256": "", "bytes": 0}}}',
        b'{"format": 2, "problem": "x", "files": {}}',
        b'{"format": 2, "problem": "x", "parts": {}}',
        b'{"format": 2, "problem": 1, "parts": {"serving": "%s"}}' % (b"a" * 64),
        b'{"format": 2, "problem": "x", "parts": {"serving": "a"}}',
        b'{"format": 2, "problem": "x", "parts": {"serving": {}}}',
        b'{"format": 2, "problem": "x", "parts": {"serving": "%s", "../secret": "%s"}}' % (b"a" * 64, b"a" * 64),
    ],
)
def test_a_manifest_of_another_kind_is_refused(tmp_path, document):
    with pytest.raises(BundleError, match="not a manifest"):
        read_bundle(tmp_path, written(tmp_path, document))


@pytest.mark.parametrize("listed", [b"[]", b"{}", b'{"files": {"../secret": {"sha256": "", "bytes": 0}}}'])
def test_a_list_of_another_kind_is_refused(tmp_path, listed):
    (tmp_path / "serving.json").write_bytes(listed)
    manifest = {"format": 2, "problem": "x", "parts": {"serving": sha(listed)}}
    with pytest.raises(BundleError, match="serving.json: not a list of files"):
        read_bundle(tmp_path, written(tmp_path, json.dumps(manifest).encode()))


def without_judging(bundle: Bundle) -> Bundle:
    """The same where only what serves was carried."""
    for path in bundle.folder.iterdir():
        if path.name not in bundle.carried(SERVING):
            path.unlink()
    return read_bundle(bundle.folder, bundle.digest)


def test_what_serves_is_read_and_verified_without_what_judged(bundle):
    serving = without_judging(bundle)
    assert bundle.whole and not serving.whole
    assert (serving.files.keys(), serving.digest) == (bundle.parts[SERVING].keys() | {"serving.json"}, bundle.digest)
    (bundle.folder / "serving.json").write_bytes((bundle.folder / "serving.json").read_bytes().replace(b"0", b"1"))
    with pytest.raises(BundleError, match="serving.json: differs from the manifest .SHA-256"):
        read_bundle(bundle.folder, bundle.digest)


def test_the_twin_has_the_model_that_was_judged(bundle):
    twin = bundle.twin()
    assert (twin.digest, twin.read("schema.json")) == (bundle.digest, bundle.read("schema.json"))
    assert twin.read("model.json") == bundle.read("twin.json") != bundle.read("model.json")


def test_a_champion_of_format_1_is_its_own_twin():
    folder = recorded(1, "regression")
    bundle = read_bundle(folder, folder.name)
    assert bundle.twin() == bundle and bundle.whole


def test_who_needs_a_twin_that_is_not_here_is_told(bundle, tmp_path):
    with pytest.raises(BundleError, match="is here without the part that judged it. Run slipway pull"):
        without_judging(bundle).twin()
    unjudged = LocalStore(tmp_path).add("trial", SERVES)
    assert JUDGING not in unjudged.parts and unjudged.whole
    with pytest.raises(BundleError, match="was not judged"):
        unjudged.twin()


def test_what_is_held_is_read_when_the_folder_is_gone(bundle):
    held = bundle.hold(["model.json", "other.json"])
    expected = bundle.json("model.json")
    shutil.rmtree(bundle.folder)
    assert held.json("model.json") == expected
    with pytest.raises(BundleError, match="cannot be read"):
        held.read("model.onnx")
    with pytest.raises(BundleError, match="has no other.json"):
        held.read("other.json")


def test_a_damaged_file_is_not_held(bundle):
    (bundle.folder / "model.json").write_bytes(b"x" * bundle.files["model.json"]["bytes"])
    with pytest.raises(BundleError, match="differs from the manifest"):
        bundle.hold(["model.json"])


def test_what_a_bundle_does_not_hold(bundle):
    with pytest.raises(BundleError, match="has no other.json"):
        bundle.read("other.json")
    with pytest.raises(BundleError, match="model.onnx: not JSON"):
        bundle.json("model.onnx")
