"""slipway doctor in a new repository: nothing is wrong, and each step to a release is named in turn."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from bundles import make_bundle
from slipway.store.local import LocalStore


@pytest.fixture
def doctor(new, run, tmp_path, monkeypatch) -> Callable[[], dict[str, tuple[str, str, str]]]:
    """What is found in a new repository: what → state, what it says, what to do."""
    for name in ("GITHUB_REPOSITORY", "AWS_ROLE_ARN", "AWS_ACCESS_KEY_ID", "AWS_REGION", "AWS_ECR_LOGIN_URI"):
        monkeypatch.delenv(name, raising=False)
    new("churn")
    monkeypatch.chdir(tmp_path / "churn")

    def findings() -> dict[str, tuple[str, str, str]]:
        result = run("doctor")
        assert result.code == 0, result.out + result.err
        found, what = {}, ""
        for line in result.out.splitlines():
            if line.startswith(("  ok ", "  missing ", "  skipped ", "  failed ")):
                state, what, says = line.split(maxsplit=2)
                found[what] = (state, says, "")
            elif line.lstrip().startswith("→ "):
                found[what] = (*found[what][:2], line.lstrip("→ "))
        return found

    return findings


def test_nothing_is_wrong_and_what_is_missing_has_a_cure(doctor):
    found = doctor()
    assert {what for what, each in found.items() if each[0] == "ok"} == {"repository", "problem", "workflow", "source"}
    assert found["SLIPWAY_ROAD"][0] == "skipped"
    assert found["champion"] == ("missing", "no champion yet", "slipway train")
    assert "slipway sample insurance data/insurance.csv" in found["source"][1]
    missing = {what for what, each in found.items() if each[0] == "missing"} - {"bundle"}  # it comes with the champion
    assert missing == {"champion", "AWS", "AWS_REGION", "AWS_ECR_LOGIN_URI", "ECR_REPOSITORY_NAME", "remote", "origin"}
    assert all(found[what][2] for what in missing)


def test_the_next_step_is_named_until_a_release_finds_the_champion(doctor):
    bundle = make_bundle(LocalStore(Path("artifacts")), "regression")
    assert doctor()["champion"][2] == "Commit champion.json: only committed files are released"
    commit(".")
    found = doctor()
    assert found["champion"] == ("ok", f"{bundle.digest[:12]}, committed", "")
    assert found["bundle"][2] == f"slipway push, or slipway promote {bundle.digest[:12]} --in-git and commit"
    commit("--force", f"artifacts/bundles/{bundle.digest}")
    assert doctor()["bundle"][:2] == ("ok", "in git")


def commit(*added: str) -> None:
    author = ("-c", "user.name=T", "-c", "user.email=t@example.org")
    subprocess.run(["git", "add", *added], check=True)
    subprocess.run(["git", *author, "commit", "--quiet", "--message", "Champion"], check=True)
