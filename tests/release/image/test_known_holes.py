"""What a known hole in a locked library stops; the stand-in answers as OSV documents it, its holes are invented."""

import json
import re
import socket
import subprocess
import sys

import pytest

from servers import ROOT
from slipway.errors import ReleaseError
from slipway.release import __main__ as commands
from slipway.release.image.advisories import Advisory, Unanswered, advisories
from slipway.release.image.known_holes import REACH, audit, holes
from web import Web, serve_web

PINS = [("idna", "3.20"), ("numpy", "2.4.1"), ("scikit-learn", "1.8.0"), ("werkzeug", "3.1.9")]
VULNS = [["PYSEC-2099-1"], [], ["GHSA-aaaa-bbbb-cccc"], ["GHSA-cccc-dddd-eeee", "PYSEC-2099-7"]]


def record(name: str, *ids: str, fixed: tuple[str, ...] = (), **more) -> dict:
    """An entry of the database."""
    events = [{"introduced": "0"}, *({"fixed": version} for version in fixed)]
    ranges = [{"type": "GIT", "events": [{"fixed": "0" * 40}]}, {"type": "ECOSYSTEM", "events": events}]
    others = {"package": {"ecosystem": "Debian", "name": name}, "ranges": ranges}
    return {
        "id": ids[0],
        "aliases": list(ids[1:]),
        "affected": [others, {"package": {"ecosystem": "PyPI", "name": name}, "ranges": ranges}],
    } | more


RECORDS = [
    record("idna", "PYSEC-2099-1", fixed=("99.0",)),
    record("scikit-learn", "GHSA-aaaa-bbbb-cccc", "CVE-2099-8"),
    record("werkzeug", "GHSA-cccc-dddd-eeee", "CVE-2099-7", fixed=("3.2", "4.0")),
    record("werkzeug", "PYSEC-2099-7", "CVE-2099-7", fixed=("3.2",)),
]


def tell(web: Web, vulns: list[list[str]], records: list[dict]) -> None:
    """What the database answers from now on."""
    results = [{"vulns": [{"id": each, "modified": "2099-01-01T00:00:00Z"} for each in ids]} if ids else {} for ids in vulns]
    web.pages["/querybatch"] = 200, {"results": results}
    web.pages |= {f"/vulns/{each['id']}": (200, each) for each in records}


@pytest.fixture
def osv():
    with serve_web() as web:
        tell(web, VULNS, RECORDS)
        yield web


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


def test_the_database_is_asked_once_for_all_packages_and_once_for_each_hole(osv):
    found = advisories(PINS, osv.url)
    assert found[:3] == [[Advisory(("PYSEC-2099-1",), ("99.0",))], [], [Advisory(("GHSA-aaaa-bbbb-cccc", "CVE-2099-8"), ())]]
    asked = json.loads(osv.sent["/querybatch"])["queries"]
    assert asked[3] == {"package": {"ecosystem": "PyPI", "name": "werkzeug"}, "version": "3.1.9"} and len(asked) == 4
    assert len(osv.calls) == 5


def test_a_hole_that_several_databases_have_counts_once_and_one_that_was_withdrawn_never(osv):
    assert advisories(PINS, osv.url)[3] == [Advisory(("GHSA-cccc-dddd-eeee", "CVE-2099-7"), ("3.2", "4.0"))]
    tell(osv, [["PYSEC-2099-1"]], [record("idna", "PYSEC-2099-1", withdrawn="2099-02-02T00:00:00Z")])
    assert advisories(PINS[:1], osv.url) == [[]]


def test_a_hole_is_told_with_its_reach_serving_first(folder, osv):
    assert [str(each) for each in holes(folder, (), osv.url)] == [
        "werkzeug 3.1.9: GHSA-cccc-dddd-eeee, fixed in 3.2, 4.0. Reach: serving: the image of every release has it",
        "scikit-learn 1.8.0: GHSA-aaaa-bbbb-cccc, no version fixes it yet. Reach: training",
        "idna 3.20: PYSEC-2099-1, fixed in 99.0. Reach: development and tests",
    ]


@pytest.mark.parametrize("accepted", ["GHSA-cccc-dddd-eeee", "CVE-2099-7"])
def test_only_a_hole_in_what_serves_stops_a_release_unless_it_is_accepted(folder, osv, accepted):
    with pytest.raises(ReleaseError, match="known holes in what serves:\nwerkzeug 3.1.9: GHSA-cccc") as stopped:
        audit(folder, (), osv.url)
    assert "scikit-learn" not in str(stopped.value)
    assert "make lock" in stopped.value.cure and "slipway upgrade" in stopped.value.cure and "ACCEPTED" in stopped.value.cure
    assert [line.split()[0] for line in audit(folder, [accepted], osv.url)] == ["scikit-learn", "idna"]


def test_without_holes_it_says_so(folder, osv):
    tell(osv, [[], [], [], []], [])
    assert audit(folder, (), osv.url) == ["No known holes in the locked libraries"]


@pytest.mark.parametrize(
    "status, document",
    [
        (503, {}),
        (200, b"<html>"),
        (200, []),
        (200, {}),
        (200, {"results": 3}),
        (200, {"results": []}),
        (200, {"results": [{"vulns": [{}]}, {}, {}, {}]}),
        (200, {"results": [{"vulns": [{"id": 7}]}, {}, {}, {}]}),
        (200, b"[" * 200_000),
    ],
)
def test_an_answer_that_cannot_be_read_is_no_clean_bill(osv, status, document):
    osv.pages["/querybatch"] = status, document
    with pytest.raises(Unanswered, match=re.escape(osv.url)):
        advisories(PINS, osv.url)


@pytest.mark.parametrize(
    "status, document",
    [(404, {}), (200, b"<html>"), (200, b"[" * 200_000), (200, {"id": 7}), (200, record("idna", "PYSEC-2099-1", fixed=(7,)))],
)
def test_a_hole_whose_record_cannot_be_read_is_told_all_the_same(folder, osv, status, document):
    osv.pages["/vulns/PYSEC-2099-1"] = status, document
    assert advisories(PINS, osv.url)[0] == [Advisory(("PYSEC-2099-1",), ())]
    with pytest.raises(ReleaseError, match="known holes in what serves:\nwerkzeug"):
        audit(folder, (), osv.url)


def test_a_record_may_name_code_that_is_in_no_package(osv):
    document = record("idna", "PYSEC-2099-1", fixed=("99.0",))
    document["affected"].insert(0, {"ranges": []})
    osv.pages["/vulns/PYSEC-2099-1"] = 200, document
    assert advisories(PINS, osv.url)[0] == [Advisory(("PYSEC-2099-1",), ("99.0",))]


def test_an_answer_of_several_pages_is_read_to_its_end(osv):
    class Paged(dict):
        def get(self, path, default):
            token = json.loads(osv.sent[path])["queries"][0].get("page_token") if path == "/querybatch" else None
            return super().get(token or path, default)

    first = {"results": [{"next_page_token": "second"}, {}, {}, {}]}
    last = {"results": [{"vulns": [{"id": "PYSEC-2099-1"}]}]}
    osv.pages = Paged(osv.pages | {"/querybatch": (200, first), "second": (200, last)})
    assert advisories(PINS, osv.url) == [[Advisory(("PYSEC-2099-1",), ("99.0",))], [], [], []]
    [query] = json.loads(osv.sent["/querybatch"])["queries"]
    assert query == {"package": {"ecosystem": "PyPI", "name": "idna"}, "version": "3.20", "page_token": "second"}


def test_a_database_that_takes_too_long_is_not_waited_for(monkeypatch):
    monkeypatch.setattr("slipway.release.image.advisories.DEADLINE", 0.1, raising=False)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(Unanswered, match="not done within 0.1 seconds"):
        advisories(PINS, f"http://127.0.0.1:{silent.getsockname()[1]}")


def test_an_answer_larger_than_any_real_one_is_not_read(osv, monkeypatch):
    monkeypatch.setattr("slipway.release.image.advisories.LARGEST", 20, raising=False)
    with pytest.raises(Unanswered, match="cannot be read"):
        advisories(PINS, osv.url)


def test_what_the_database_calls_a_hole_stays_on_its_line(folder, osv):
    tell(osv, [["a\n::error::b"], [], [], []], [])
    assert str(holes(folder, (), osv.url)[0]).startswith(r"idna 3.20: 'a\n::error::b', no version")


def test_libraries_with_extras_and_spaces_are_asked_about(folder, osv):
    (folder / "requirements.txt").write_text("urllib3[socks]==1.26.0\nrequests == 2.0.0 \\\n    --hash=sha256:0\n")
    tell(osv, [[], [], [], [], [], []], [])
    audit(folder, (), osv.url)
    asked = [(each["package"]["name"], each["version"]) for each in json.loads(osv.sent["/querybatch"])["queries"]]
    assert {("urllib3", "1.26.0"), ("requests", "2.0.0")} <= set(asked)


def test_every_lock_of_this_repository_is_asked_about_in_one_batch(osv, monkeypatch):
    tracked = subprocess.run(["git", "ls-files", "*requirements*.txt"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(tracked.stdout.split()) == set(REACH)
    asked = []
    monkeypatch.setattr("slipway.release.image.known_holes.advisories", lambda pins, _: asked.extend(pins) or [[]] * len(pins))
    assert holes(ROOT, (), osv.url) == []
    assert {"kserve", "mlflow", "numpy"} <= {name for name, _ in asked} and len(asked) <= 1000  # the most of OSV's querybatch


def test_a_hole_of_a_lock_in_a_folder_is_told_with_its_reach(folder, osv):
    there = folder / "tests/serving/protocols/requirements.txt"
    there.parent.mkdir(parents=True)
    there.write_text("idna==3.20\nkserve==0.21.0\n")
    tell(osv, [[], ["PYSEC-2099-9"], [], [], []], [record("kserve", "PYSEC-2099-9")])
    says = "kserve 0.21.0: PYSEC-2099-9, no version fixes it yet. Reach: tests with KServe's and Triton's clients"
    assert audit(folder, (), osv.url) == [says]


def test_a_folder_without_locks_has_no_clean_bill(tmp_path, osv):
    tell(osv, [], [])
    with pytest.raises(ReleaseError, match="no lock was found"):
        audit(tmp_path, (), osv.url)


@pytest.fixture
def command(monkeypatch, capsys, folder):
    """Run ``python -m slipway.release audit`` on the locks of `folder`: exit code, standard output, standard error."""

    def command(address: str, *accepted: str) -> tuple[int, str, str]:
        monkeypatch.setattr(commands, "SERVICE", address)
        monkeypatch.setattr(commands, "HERE", folder)
        monkeypatch.setattr(sys, "argv", ["release", "audit", *accepted])
        monkeypatch.setenv("GITHUB_ACTIONS", "true")
        try:
            commands.main()
            code = 0
        except SystemExit as ended:
            code = ended.code
        return code, *capsys.readouterr()

    return command


def test_a_hole_in_what_serves_fails_the_job_with_the_cure(command, osv):
    code, _, told = command(osv.url)
    assert code == 7 and "::error::werkzeug 3.1.9: " in told and "ACCEPTED" in told
    code, out, _ = command(osv.url, "CVE-2099-7")
    assert code == 0 and "scikit-learn 1.8.0" in out


def test_a_database_that_does_not_answer_is_told_and_fails_no_job(command):
    with serve_web() as gone:
        pass
    code, out, told = command(gone.url)
    assert code == 0
    assert out.startswith(f"Not audited: {gone.url} cannot be reached") and told.startswith("::warning::Not audited: ")
