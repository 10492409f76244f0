"""What a known hole in a locked library stops; the report has the form of pip-audit, its holes are invented."""

import json

import pytest

from slipway.errors import ReleaseError
from slipway.release.image.known_holes import audit, holes

REPORT = {
    "dependencies": [
        {"name": "numpy", "version": "2.4.1", "vulns": []},
        {"name": "pywin", "skip_reason": "not on this platform"},
        {"name": "idna", "version": "3.20", "vulns": [{"id": "PYSEC-2099-1", "fix_versions": ["99.0"], "aliases": []}]},
        {"name": "scikit-learn", "version": "1.8.0", "vulns": [{"id": "GHSA-aaaa-bbbb-cccc", "fix_versions": []}]},
        {"name": "werkzeug", "version": "3.1.9", "vulns": [{"id": "CVE-2099-7", "fix_versions": ["3.2", "4.0"]}]},
    ],
    "fixes": [],
}
WITHOUT_SERVING = {**REPORT, "dependencies": REPORT["dependencies"][:-1]}


@pytest.fixture
def folder(tmp_path):
    """Locks that build on each other."""
    lock = ""
    for name, pins in {
        "requirements.txt": "Werkzeug==3.1.9 \\\n    --hash=sha256:0\nnumpy==2.4.1\n",
        "requirements-train.txt": "Scikit_Learn==1.8.0 ; python_version < '4'\n",
        "requirements-dev.txt": "idna==3.20\n",
    }.items():
        lock += pins
        (tmp_path / name).write_text(lock)
    return tmp_path


def put(folder, report: dict):
    path = folder / "audit.json"
    path.write_text(json.dumps(report))
    return path


def test_a_hole_is_told_with_its_reach_serving_first(folder):
    assert [str(each) for each in holes(json.dumps(REPORT).encode(), folder)] == [
        "werkzeug 3.1.9: CVE-2099-7, fixed in 3.2, 4.0. Reach: serving: the image of every release has it",
        "scikit-learn 1.8.0: GHSA-aaaa-bbbb-cccc, no version fixes it yet. Reach: training",
        "idna 3.20: PYSEC-2099-1, fixed in 99.0. Reach: development and tests",
    ]


def test_only_a_hole_in_what_serves_stops_a_release(folder):
    with pytest.raises(ReleaseError, match="known holes in what serves:\nwerkzeug 3.1.9: CVE-2099-7") as stopped:
        audit(put(folder, REPORT), folder)
    assert "scikit-learn" not in str(stopped.value) and "make lock" in stopped.value.cure
    told = audit(put(folder, WITHOUT_SERVING), folder)
    assert [line.split()[0] for line in told] == ["scikit-learn", "idna"]


def test_a_library_that_no_lock_names_counts_as_serving(folder):
    (folder / "requirements-dev.txt").write_text("")
    with pytest.raises(ReleaseError, match="idna 3.20"):
        audit(put(folder, WITHOUT_SERVING), folder)


def test_without_holes_it_says_so(folder):
    clean = {"dependencies": REPORT["dependencies"][:2], "fixes": []}
    assert audit(put(folder, clean), folder) == ["No known holes in the locked libraries"]


def test_an_audit_that_could_not_be_made_stops_nothing(folder):
    assert audit(folder / "none.json", folder)[0].startswith("Not audited: ")


@pytest.mark.parametrize("report", [b"", b"[]", b'{"dependencies": 3}', b'{"dependencies": [{"vulns": [{}]}]}'])
def test_a_damaged_report_is_an_error(folder, report):
    with pytest.raises(ReleaseError, match="is not valid"):
        holes(report, folder)
