"""The box's own settings: strict, and root's alone."""

import os

import pytest

from slipway.errors import ReleaseError
from slipway.release.box.configuration import Configuration, read_configuration

REPOSITORY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/insurance"
root_only = pytest.mark.skipif(os.getuid() != 0, reason="a file of root can only be made by root")


@pytest.fixture
def write(tmp_path):
    def write(text: str, mode: int = 0o600):
        path = tmp_path / "release.toml"
        path.write_text(text)
        path.chmod(mode)
        return path

    return write


@root_only
def test_only_the_repository_must_be_given(write):
    found = read_configuration(write(f'repository = "{REPOSITORY}"'))
    assert found == Configuration(REPOSITORY)
    assert (found.keep, found.memory) == (3, "512m")


@root_only
@pytest.mark.parametrize(
    "line, named",
    [
        ('repository = "insurance"', "repository"),
        ('repository = "host/name:tag"', "repository"),
        ('repository = "https://host/name"', "repository"),
        ('repository = "host/name@sha256:00"', "repository"),
        ("repository = 7", "repository"),
        (f'repository = "{REPOSITORY}"\nkeep = 1', "keep"),
        (f'repository = "{REPOSITORY}"\nkeep = true', "keep"),
        (f'repository = "{REPOSITORY}"\nmemory = "much"', "memory"),
        (f'repository = "{REPOSITORY}"\npids = "256"', "pids"),
        (f'repository = "{REPOSITORY}"\nready_seconds = 0', "ready_seconds"),
        (f'repository = "{REPOSITORY}"\ndrain_seconds = 86401', "drain_seconds"),
        (f'repository = "{REPOSITORY}"\ndraining = -1', "draining"),
        (f'repository = "{REPOSITORY}"\nwebhook = "file:///etc/shadow"', "webhook"),
        (f'repository = "{REPOSITORY}"\nhost = "https://api.example.org"', "host"),
        (f'repository = "{REPOSITORY}"\nprefix = "churn"', "prefix"),
        (f'repository = "{REPOSITORY}"\nprefix = "/churn; }}"', "prefix"),
        (f'repository = "{REPOSITORY}"\nemail = "nobody"', "email"),
        (f'repository = "{REPOSITORY}"\nsockets_mount = "relative"', "sockets_mount"),
        (f'repository = "{REPOSITORY}"\nlog_mount = "relative"', "log_mount"),
        (f'repository = "{REPOSITORY}"\nlog_remote = "bucket/prefix"', "log_remote"),
        (f'repository = "{REPOSITORY}"\nlog_remote = "s3://b/a?x"', "log_remote"),
        (f'repository = "{REPOSITORY}"\nprivileged = true', "unknown setting privileged"),
        ("keep = 3", "repository is missing"),
        ("keep = ", "invalid TOML"),
    ],
)
def test_what_is_wrong_is_named_with_its_file(write, line, named):
    path = write(line)
    with pytest.raises(ReleaseError, match=named) as raised:
        read_configuration(path)
    assert str(path) in str(raised.value)


@root_only
@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_write_is_not_believed(write, mode):
    with pytest.raises(ReleaseError, match="other users than root"):
        read_configuration(write(f'repository = "{REPOSITORY}"', mode))


@root_only
def test_a_file_of_another_user_is_not_believed(write):
    path = write(f'repository = "{REPOSITORY}"')
    os.chown(path, 10001, 10001)
    with pytest.raises(ReleaseError, match="other users than root"):
        read_configuration(path)


def test_a_missing_file_says_who_writes_it(tmp_path):
    with pytest.raises(ReleaseError, match="bootstrap"):
        read_configuration(tmp_path / "absent.toml")
