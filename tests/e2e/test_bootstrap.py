"""The bootstrap on a bare Debian machine: once, and again. No systemd runs there, so nothing of it is started."""

import json
import os
import re
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from slipway.release.box.archive import pack
from slipway.release.box.state import USER

pytestmark = pytest.mark.docker
BASE = "python:3.11-slim-bookworm"
REGISTRY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
REPOSITORY = f"{REGISTRY}/insurance"
DOMAIN = "api.example.org"
SETTINGS = "/etc/slipway/services/insurance"
STATE_FOLDER = "/var/lib/slipway/services/insurance"
RUNNER = "runner-insurance"
PROGRAM = "/usr/local/sbin/slipway-release"
# Names, kinds, modes, owners, targets and content.
STATE = """
find /etc /usr/local /var/lib/slipway -printf '%p %y %m %u:%g %l\\n' | sort
find /etc /usr/local /var/lib/slipway -type f -print0 | sort -z | xargs -0 sha256sum
"""
# A server at the address of the metadata service: python3 -c METADATA
METADATA = """
import fcntl, socket, struct, sys, threading
from http.server import HTTPServer, SimpleHTTPRequestHandler
for request, address in ((0x8916, "169.254.169.254"), (0x891c, "255.255.255.255")):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any:
        value = struct.pack("16sH2x4s8x", b"lo:1", socket.AF_INET, socket.inet_aton(address))
        fcntl.ioctl(any, request, value)
server = HTTPServer(("169.254.169.254", 80), SimpleHTTPRequestHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
"""
# Stands in for systemd as far as Docker goes, and notes whether Docker had live-restore when it was restarted.
SYSTEMCTL = """#!/bin/bash
stop() { kill "$(cat /run/docker.pid)"; while [ -e /run/docker.pid ]; do sleep 0.05; done; }
start() {
  dockerd --storage-driver vfs --iptables=false --bridge=none >/tmp/dockerd.log 2>&1 &
  until docker version >/dev/null 2>&1; do kill -0 $! || exit 1; sleep 0.05; done
}
case "$*" in
  "reload-or-restart docker") kill -HUP "$(cat /run/docker.pid)" ;;
  "restart docker") docker info --format '{{.LiveRestoreEnabled}}' >> /tmp/restarts; stop; start ;;
  "start docker") start ;;
  "stop docker") stop ;;
esac
"""


class Machine:
    """A bare machine with the archive unpacked; `set_up` runs the bootstrap."""

    def __init__(self, docker, name: str) -> None:
        self.docker, self.name = docker, name

    def run(self, command: str, check: bool = True, user: str = "root") -> subprocess.CompletedProcess:
        return self.docker("exec", "--user", user, self.name, "bash", "-c", command, check=check)

    def read(self, command: str) -> str:
        return self.run(command).stdout.strip()

    def set_up(self, check: bool = True, **settings: str) -> subprocess.CompletedProcess:
        said = " ".join(f"{name}='{value}'" for name, value in ({"REPOSITORY": REPOSITORY} | settings).items())
        return self.run(f"{said} /root/box/bootstrap", check=check)

    @contextmanager
    def serving(self, *command: str) -> Iterator[None]:
        """A server inside that says when it is ready, and ends with its standard input."""
        arguments = ["docker", "exec", "--interactive", self.name, *command]
        with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline() == "ready\n"
            yield

    def state(self) -> str:
        return self.read(STATE)


@pytest.fixture(scope="module")
def make_machine(docker, tmp_path_factory) -> Callable[[], Machine]:
    folder = tmp_path_factory.mktemp("box")
    pack(folder / "box.tar.gz")
    with tarfile.open(folder / "box.tar.gz") as archive:
        archive.extractall(folder / "box")

    def copy(name: str) -> Machine:
        docker("cp", folder / "box", f"{name}:/root/box")
        docker("cp", Path(__file__).with_name("github.py"), f"{name}:/root/github.py")
        return Machine(docker, name)

    return copy


@pytest.fixture(scope="module")
def machine(docker, make_machine) -> Iterator[Machine]:
    """A machine that the bootstrap has run on, and that takes itself for GitHub."""
    hosts = [f"--add-host={name}:127.0.0.1" for name in ("github.com", "api.github.com")]
    with docker.running("--cap-add", "NET_ADMIN", *hosts, BASE, "sleep", "infinity") as name:
        machine = make_machine(name)
        machine.set_up()
        yield machine


def test_a_second_run_changes_nothing(machine):
    before = machine.state()
    said = machine.set_up().stdout
    assert machine.state() == before
    assert "wrote" not in said and "made" not in said and "installing" not in said
    assert "systemd does not run here" in said


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (PROGRAM, "755 root:root"),
        ("/etc/slipway", "700 root:root"),
        ("/etc/slipway/services", "700 root:root"),
        (f"{SETTINGS}/release.toml", "600 root:root"),
        (f"{SETTINGS}/service.env", "600 root:root"),
        ("/home/runner-insurance", "700 runner-insurance:runner-insurance"),
        ("/etc/slipway/docker/config.json", "600 root:root"),
        ("/etc/sudoers.d/slipway", "440 root:root"),
        ("/etc/docker/daemon.json", "644 root:root"),
        ("/etc/nginx/conf.d/slipway.conf", "644 root:root"),
        ("/var/lib/slipway", "711 root:root"),
        ("/var/lib/slipway/services", "711 root:root"),
        ("/var/lib/slipway/services/insurance", "750 root:www-data"),
        ("/var/lib/slipway/services/insurance/sockets", "750 root:www-data"),
    ],
)
def test_modes_and_owners(machine, path, expected):
    assert machine.read(f"stat -c '%a %U:%G' {path}") == expected


def test_the_runner_may_run_one_program_without_arguments_and_nothing_else(machine):
    rules = machine.read(f"sudo -l -U {RUNNER}").partition("may run the following commands")[2].splitlines()[1:]
    assert [rule.strip() for rule in rules] == [f'(root) NOPASSWD: {PROGRAM} ""']
    assert machine.read(f"id -nG {RUNNER}") == RUNNER


@pytest.mark.parametrize("command", [f"{PROGRAM} status", f"{PROGRAM} --dry-run", "/bin/sh", "/usr/bin/docker ps"])
def test_sudo_refuses_the_runner_everything_else(machine, command):
    done = machine.run(f"sudo -n {command} </dev/null", check=False, user=RUNNER)
    assert done.returncode == 1 and "a password is required" in done.stderr


def test_the_release_program_runs_and_reads_its_configuration(machine):
    done = machine.run(f"sudo -n {PROGRAM} <<<'no request'", check=False, user=RUNNER)
    assert "is not JSON" in done.stdout + done.stderr
    # As far as the engine, which does not run here: the configuration was read and taken.
    assert "Cannot connect to the Docker daemon" in machine.run(f"{PROGRAM} status", check=False).stdout


def test_passwords_of_the_registry_come_from_the_instance_role(machine):
    assert f'"{REGISTRY}": "ecr-login"' in machine.read("cat /etc/slipway/docker/config.json")
    machine.run("command -v docker-credential-ecr-login")


def test_updates_install_themselves_and_a_restart_that_they_need_is_told(machine):
    assert 'Unattended-Upgrade "1"' in machine.read("cat /etc/apt/apt.conf.d/20auto-upgrades")
    assert "slipway-release watch" in machine.read("cat /etc/systemd/system/slipway-watch.service")
    assert machine.read(f"mkdir -p /run && touch /run/reboot-required; {PROGRAM} watch || echo $?").endswith("sudo reboot\n1")
    machine.run("rm /run/reboot-required /var/lib/slipway/watch.json")


def test_a_watchdog_looks_every_five_minutes_and_logs_are_shipped(machine):
    timers = machine.read("cat /etc/systemd/system/slipway-watch.timer /etc/systemd/system/slipway-ship.timer")
    assert "OnCalendar=*:0/5" in timers and "OnCalendar=*:2/10" in timers
    assert f"ExecStart={PROGRAM} ship\n" in machine.read("cat /etc/systemd/system/slipway-ship.service")
    assert machine.read(f"{PROGRAM} ship") == "", "without a log there is nothing to ship"


def test_the_prediction_log_gets_a_file_system_of_its_own_once(machine, tmp_path):
    log, unit = f"{STATE_FOLDER}/log", "/etc/systemd/system/var-lib-slipway-services-insurance-log.mount"
    asked = {"LOG_SIZE": "64MiB", "LOG_REMOTE": "s3://bucket/artifacts"}
    machine.run(f"echo unfinished > {log}.img.new")  # of a run that was killed
    machine.set_up(**asked)
    settings = machine.read(f"cat {SETTINGS}/release.toml").splitlines()
    assert f'log_mount = "{log}"' in str(settings) and 'log_remote = "s3://bucket/artifacts"' in str(settings)
    assert machine.read(f"stat -c '%a %U:%G %s' {log}.img {log}").split()[:3] == ["600", "root:root", str(64 << 20)]
    assert machine.read(f"stat -c '%a %U:%G' {log}") == "700 root:root", "a release could write to the disk of the box"
    before = machine.state()
    said = machine.set_up(**asked | {"LOG_SIZE": "65MiB"}).stdout
    machine.set_up()
    assert machine.state() == before and "keeps its size" in said
    mount = dict(line.split("=", 1) for line in machine.read(f"grep = {unit}").splitlines())
    assert (mount["What"], mount["Where"], mount["Before"]) == (f"{log}.img", log, "docker.service")
    machine.docker("cp", f"{machine.name}:{log}.img", tmp_path / "log.img")
    (tmp_path / "log").mkdir()
    subprocess.run(["mount", "-t", mount["Type"], "-o", mount["Options"], tmp_path / "log.img", tmp_path / "log"], check=True)
    try:
        root = (tmp_path / "log").stat()
        assert (root.st_uid, root.st_gid, (tmp_path / "log").is_mount()) == (USER, USER, True)
        assert os.statvfs(tmp_path / "log").f_flag & (os.ST_NOSUID | os.ST_NODEV | os.ST_NOEXEC) == 14
    finally:
        subprocess.run(["umount", "--lazy", tmp_path / "log"], check=True)
    machine.run(f"rm -r {log}.img {log} {unit} && sed -i '/^log_/d' {SETTINGS}/release.toml")


def test_logs_stay_bounded(machine):
    assert '"max-size": "10m"' in machine.read("cat /etc/docker/daemon.json")
    machine.run("logrotate --debug /etc/logrotate.d/nginx")


def test_nginx_s_logs_are_rotated_by_size_between_the_system_s_own_rotations(machine):
    units = machine.read("cat /etc/systemd/system/slipway-logs.timer /etc/systemd/system/slipway-logs.service")
    rotate = re.search("^ExecStart=(.+)$", units, re.MULTILINE).group(1)
    assert "OnCalendar=*:0/10" in units
    machine.run(f"cd /var/log/nginx && truncate -s 99M slipway.log && {rotate} && test ! -e slipway.log.1")
    machine.run(f"cd /var/log/nginx && truncate -s 101M slipway.log && {rotate} && {rotate}")
    found = "stat -c '%n %s' /var/log/nginx/slipway.log /var/log/nginx/slipway.log.1"
    assert machine.read(found).split() == ["/var/log/nginx/slipway.log", "0", "/var/log/nginx/slipway.log.1", str(101 << 20)]
    machine.run("rm /var/log/nginx/slipway.log*")


def test_nginx_takes_the_site_and_not_its_welcome_page(machine):
    machine.run("nginx -t")
    machine.run("test ! -e /etc/nginx/sites-enabled/default")


def test_what_a_person_edited_survives_and_the_repository_follows(machine):
    machine.run(f"sed -i 's/^keep = 3 .*/keep = 5   # mine/' {SETTINGS}/release.toml")
    machine.run(f"echo SLIPWAY_API_KEYS=secret >> {SETTINGS}/service.env; echo '{{}}' > /etc/docker/daemon.json")
    machine.set_up(REPOSITORY=f"{REGISTRY}/other", SERVICE="insurance")
    settings = machine.read(f"cat {SETTINGS}/release.toml").splitlines()
    assert f'repository = "{REGISTRY}/other"' in settings and "keep = 5   # mine" in settings
    assert machine.read(f"tail -n 1 {SETTINGS}/service.env") == "SLIPWAY_API_KEYS=secret"
    assert json.loads(machine.read("cat /etc/docker/daemon.json")) == {"live-restore": True}
    machine.set_up()
    assert f'repository = "{REPOSITORY}"' in machine.read(f"cat {SETTINGS}/release.toml").splitlines()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ('{"live-restore": false}', "turns live-restore off"),
        ("{", "cannot be read as JSON"),
        ("[]", "cannot be read as JSON"),
    ],
)
def test_a_docker_that_would_interrupt_the_service_is_refused(machine, settings, told):
    machine.run(f"cp /etc/docker/daemon.json /root/sound; echo '{settings}' > /etc/docker/daemon.json")
    done = machine.set_up(check=False)
    assert done.returncode == 1 and told in done.stderr
    assert machine.read("cat /etc/docker/daemon.json") == settings
    machine.run("cp /root/sound /etc/docker/daemon.json")


def test_live_restore_is_added_to_what_docker_was_told_before(machine):
    machine.run("""echo '{"data-root": "/mnt"}' > /etc/docker/daemon.json; chmod 600 /etc/docker/daemon.json""")
    machine.set_up()
    assert json.loads(machine.read("cat /etc/docker/daemon.json")) == {"data-root": "/mnt", "live-restore": True}
    assert machine.read("stat -c %a /etc/docker/daemon.json") == "600"
    before = machine.state()
    machine.set_up()
    assert machine.state() == before
    machine.run("rm /etc/docker/daemon.json")
    machine.set_up()


@pytest.mark.parametrize("settings", ["{}", '{"live-restore": true}'], ids=["new", "of a bootstrap that was killed"])
def test_a_running_docker_takes_live_restore_before_it_is_restarted(machine, settings):
    state = "docker info --format '{{.LiveRestoreEnabled}}'"
    machine.docker(
        "exec",
        "--interactive",
        machine.name,
        "sh",
        "-c",
        "cat > /usr/local/bin/systemctl && chmod 755 /usr/local/bin/systemctl",
        input=SYSTEMCTL,
    )
    machine.run("mkdir -p /run/systemd/system; rm -f /tmp/restarts")
    machine.run("echo '{}' > /etc/docker/daemon.json; systemctl start docker")
    assert machine.read(state) == "false"
    machine.run(f"echo '{settings}' > /etc/docker/daemon.json")
    machine.set_up()
    assert machine.read("cat /tmp/restarts") == machine.read(state) == "true"
    assert "already there: live-restore" in machine.set_up().stdout
    machine.run("systemctl stop docker; rm -r /run/systemd/system /usr/local/bin/systemctl /etc/docker/daemon.json")
    machine.set_up()


def test_what_drains_is_looked_at_every_minute(machine):
    timer = machine.read("cat /etc/systemd/system/slipway-drain.timer /etc/systemd/system/slipway-drain.service")
    assert "OnCalendar=minutely" in timer and f"ExecStart={PROGRAM} drain" in timer
    assert "ConditionPathExistsGlob=/var/lib/slipway/services/*/draining/*" in timer


def test_what_nginx_refuses_is_taken_back(machine):
    before = machine.state()
    machine.run("cp /root/box/service.conf /root/sound; echo 'no_such_directive on;' >> /root/box/service.conf")
    done = machine.set_up(check=False)
    assert done.returncode == 1 and "no_such_directive" in done.stderr and "back in place" in done.stderr
    machine.run("nginx -t && cp /root/sound /root/box/service.conf")
    machine.set_up()
    assert machine.state() == before


def test_the_runner_is_kept_from_the_instance_role(machine):
    machine.docker("exec", machine.name, "nft", "-f", "/etc/slipway/metadata.nft")
    machine.docker("exec", machine.name, "nft", "-f", "/etc/slipway/metadata.nft")  # as after a restart
    ask = "curl --silent --max-time 20 --output /dev/null http://169.254.169.254/"
    with machine.serving("python3", "-c", METADATA):
        assert machine.run(ask, check=False).returncode == 0
        assert machine.run(ask, check=False, user=RUNNER).returncode == 7, "not refused at once"


def test_the_runner_is_downloaded_checked_and_registered_once(machine):
    assert "RUNNER_TOKEN is not set" in machine.set_up(RUNNER_URL="https://github.com/acme/insurance").stdout
    machine.run(
        "mkdir -p /root/tls && cd /root/tls && openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout key.pem"
        " -out certificate.pem -subj /CN=github.com -addext subjectAltName=DNS:github.com,DNS:api.github.com"
        " && cp certificate.pem /usr/local/share/ca-certificates/stand-in.crt && update-ca-certificates"
    )
    asked = {"RUNNER_URL": "https://github.com/acme/insurance", "RUNNER_TOKEN": "AAAA"}
    with machine.serving("python3", "/root/github.py", "/root/tls"):
        wrong = machine.set_up(check=False, RUNNER_VERSION="9.8.7", RUNNER_SHA256="0" * 64, **asked)
        assert wrong.returncode == 1 and "another SHA-256" in wrong.stderr
        machine.run(f"test ! -e /opt/actions-{RUNNER}")
        machine.set_up(**asked)
    user, token, *arguments, _ = machine.read(f"cat /opt/actions-{RUNNER}/asked").split("|")
    assert (user, token) == (RUNNER, "AAAA")
    assert "AAAA" not in arguments and "--unattended" in arguments
    assert arguments[arguments.index("--labels") + 1] == "slipway"
    assert machine.read(f"stat -c %U:%a /opt/actions-{RUNNER}") == f"{RUNNER}:700"
    assert machine.read("stat -c %U:%a /etc/systemd/system/slipway-runner-insurance.service") == "root:644"
    assert "already registered" in machine.set_up(**asked).stdout


def test_a_domain_name_brings_https(machine):
    folder = f"/etc/letsencrypt/live/{DOMAIN}"
    to = f"curl --silent --insecure --resolve {DOMAIN}:80:127.0.0.1 --resolve {DOMAIN}:443:127.0.0.1 --output /tmp/body"
    to += " --write-out"
    assert "no certificate was requested" in machine.set_up(DOMAIN=DOMAIN, EMAIL="a@example.org").stdout
    machine.run("nginx -t && nginx")
    for name in (DOMAIN, "127.0.0.1", "localhost"):
        assert machine.read(f"{to} '%{{http_code}}' http://{name}/predict; cat /tmp/body").startswith("503")
        assert "HTTPS for api.example.org is not set up yet" in machine.read("cat /tmp/body")
    machine.run(
        f"mkdir -p {folder} && openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={DOMAIN}"
        f" -keyout {folder}/privkey.pem -out {folder}/fullchain.pem"
    )
    machine.set_up(DOMAIN=DOMAIN, EMAIL="a@example.org")
    before = machine.state()
    machine.set_up(DOMAIN=DOMAIN, EMAIL="a@example.org")
    assert machine.state() == before
    machine.set_up()  # without the name, which stays until its file is removed
    assert machine.state() == before
    first = f"{to} '%{{http_code}}' http://{DOMAIN}/predict"
    machine.run(f"nginx -s reload; for i in $(seq 100); do [ $({first}) = 308 ] && exit; sleep 0.1; done; exit 1")
    for name in (DOMAIN, "127.0.0.1", "localhost"):
        plain = machine.read(f"{to} '%{{http_code}} %{{redirect_url}}' 'http://{name}/predict?a=1'")
        assert plain == f"308 https://{DOMAIN}/predict?a=1", "answered in clear"
    # There is no release yet, and the site says so in its own words.
    assert machine.read(f"{to} '%{{content_type}}' https://{DOMAIN}/predict") == "application/problem+json"
    machine.run(
        "mkdir -p /var/lib/slipway/acme/.well-known/acme-challenge && cd /var/lib/slipway/acme && echo yes >"
        " .well-known/acme-challenge/x"
    )
    assert machine.read(f"{to} '%{{http_code}}' http://{DOMAIN}/.well-known/acme-challenge/x") == "200"


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"REPOSITORY": ""}, "REPOSITORY is not set"),
        ({"REPOSITORY": "https://x/y"}, "Omit https://"),
        ({"DOMAIN": "a b; rm"}, "not a domain name like"),
        ({"RUNNER_TOKEN": "AAAA"}, "RUNNER_URL is not"),
        ({"RUNNER_LABEL": "gpu"}, "Set it to slipway-staging"),
        ({"LOG_SIZE": "2GB"}, "not a size like 2GiB"),
        ({"LOG_SIZE": "1MiB"}, "at least 64MiB"),
        ({"LOG_SIZE": "900000GiB"}, "the disk has no room for 900000GiB"),
        ({"LOG_REMOTE": "bucket/prefix"}, "not s3://bucket/prefix"),
        ({"SERVICE": "Churn"}, "cannot be the name of a service"),
        ({"PREFIX": "churn"}, "not a path like /churn"),
        ({"SERVICE": "churn", "PREFIX": "/churn"}, "service insurance already has this repository"),
    ],
)
def test_wrong_settings_are_refused_before_anything_changes(machine, settings, told):
    before = machine.state()
    done = machine.set_up(check=False, **settings)
    assert done.returncode == 1 and told in done.stderr
    assert machine.state() == before
