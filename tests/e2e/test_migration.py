"""A box that the last version set up becomes one with services when the bootstrap runs again, and its release goes on serving.

last_box/ has the files of nginx as that version wrote them. This test goes on for ever: never renew them.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundles import ROWS
from rehearsal.box import PROGRAM, Box, make_box
from rehearsal.traffic import Traffic, traffic
from swaps import request

pytestmark = pytest.mark.docker
LAST = Path(__file__).with_name("last_box")
FILES = {"nginx.conf": "conf.d/slipway.conf", "proxy.conf": "slipway/proxy.conf", "service.conf": "slipway/service.conf"}
PUBLIC = """server {
  listen 80 default_server;
  listen [::]:80 default_server;
  server_name _;
  include /etc/nginx/slipway/service.conf;
}
"""
# Everything of the one service where the last version had it, and its user and runner by their names.
BACK = """set -e
cd /var/lib/slipway
mv services/insurance/releases services/insurance/history.jsonl .
rm -r services
mv /etc/slipway/services/insurance/* /etc/slipway/
rm -r /etc/slipway/services /etc/nginx/slipway/at-any.conf
sed -i '/^host\\|^prefix\\|^email/d' /etc/slipway/release.toml
usermod --login runner --home /home/runner --move-home runner-insurance
groupmod --new-name runner runner-insurance
echo 'runner ALL=(root) NOPASSWD: /usr/local/sbin/slipway-release ""' > /etc/sudoers.d/slipway
mkdir /opt/actions-runner
touch /opt/actions-runner/.runner
chown -R runner:runner /opt/actions-runner
nginx -s reload
"""


@pytest.fixture
def last(docker, registry, repository, releases) -> Iterator[Box]:
    """A box of the last version, with a release that serves."""
    login = (registry.host, "AWS", registry.password)
    with make_box(docker, repository, login, sockets="/var/lib/slipway/sockets") as box:
        box.run("sh", "-c", f"rmdir {box.state}/sockets && ln -s /var/lib/slipway/sockets {box.state}/sockets")
        box.run("sh", "-c", "chown root:www-data /var/lib/slipway/sockets && chmod 750 /var/lib/slipway/sockets")
        box.release(request(releases[0], 1))
        for name, place in FILES.items():
            box.run("sh", "-c", 'cat > "$0"', f"/etc/nginx/{place}", text=(LAST / name).read_text())
        box.run("sh", "-c", 'cat > "$0"', "/etc/nginx/conf.d/slipway.public.conf", text=PUBLIC)
        box.run("sh", "-c", BACK)
        yield box


def lost(found: Traffic) -> list:
    """Failures, but for those of a connection that was idle when nginx closed it: every reload does that to clients."""
    return [each for each in found.failed if not (each.kept and each.status == 0)]


def test_a_box_of_the_last_version_gets_services_while_it_serves(last, releases):
    repository = f"REPOSITORY={last.repository}"
    live = last.run("readlink", "/var/lib/slipway/sockets/active.sock").stdout.partition("/")[0]
    other = last.run("env", "REPOSITORY=registry.invalid/churn", "bash", "/deploy/bootstrap", check=False)
    assert other.returncode == 1 and f"Run this once with REPOSITORY={last.repository}" in other.stderr
    with traffic("127.0.0.1", last.port, ROWS[0], 100) as found:
        last.run("env", repository, "bash", "/deploy/bootstrap")
        last.run("nginx", "-s", "reload")  # systemd's, which does not run here
        last.run("sh", "-c", "until curl -sf 127.0.0.1:8099/insurance/readyz; do sleep 0.05; done")
    assert lost(found) == [] and len(found.failed) <= 4  # as many connections are kept
    assert {each.release for each in found.requests if each.status} == {live} == {last.live()}
    assert last.run("stat", "-c", "%U:%a", "/opt/actions-runner-insurance/").stdout.strip() == "runner-insurance:700"
    assert last.run("id", "runner", check=False).returncode != 0
    with traffic("127.0.0.1", last.port, ROWS[0], 100) as found:
        last.release(request(releases[1], 2))
        last.rollback()
        last.release(request(releases[2], 3))
    assert found.failed == []
    history = [json.loads(line) for line in last.run("cat", f"{last.state}/history.jsonl").stdout.splitlines()]
    assert [each["event"] for each in history] == ["start", "live", "start", "live", "rollback", "start", "live"]
    assert sorted(last.releases()) == sorted(f"slipway-{id}" for id in (live, last.live()))  # it was gone back to
    before = last.run("sh", "-c", "find /etc /usr/local /opt -type f | sort | xargs sha256sum").stdout
    last.run("env", repository, "bash", "/deploy/bootstrap")
    assert last.run("sh", "-c", "find /etc /usr/local /opt -type f | sort | xargs sha256sum").stdout == before
    assert "live " in last.run(PROGRAM, "status").stdout
