"""deliver, with a real engine and a real registry that wants a token for the login, as that of Azure or Google does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bundles import make_bundle
from rehearsal.box import IMAGE
from rehearsal.project import Project
from rehearsal.registry import forget_images, wait
from servers import free_port
from slipway.release.image.registry import Registry
from slipway.store.local import LocalStore
from tokens import ISSUER, LOGIN, SERVICE, serve_tokens

ROOT = Path(__file__).resolve().parents[2]
START = f"""set -e
printf %s "$CERTIFICATE" > /tmp/certificate.pem
cat > /tmp/registry.yml <<END
version: 0.1
log: {{level: warn}}
storage: {{filesystem: {{rootdirectory: /tmp/registry}}}}
http: {{addr: ":5000"}}
auth: {{token: {{realm: "$REALM", service: "{SERVICE}", issuer: "{ISSUER}", rootcertbundle: /tmp/certificate.pem}}}}
END
exec docker-registry serve /tmp/registry.yml
"""

pytestmark = pytest.mark.docker


@pytest.fixture
def host(docker, box_image, tmp_path):
    """A registry that this machine is logged in at."""
    port = free_port()
    with serve_tokens(tmp_path) as (realm, certificate):
        environ = ("--env", f"REALM={realm}", "--env", f"CERTIFICATE={certificate}")
        with docker.running(*environ, "--publish", f"127.0.0.1:{port}:5000", IMAGE, "sh", "-c", START):
            host = f"127.0.0.1:{port}"
            wait(host)
            docker("login", "--username", LOGIN[0], "--password-stdin", host, input=LOGIN[1])
            yield host
            docker("logout", host)
            forget_images(docker, host)


@pytest.fixture
def project(tmp_path) -> Project:
    project = Project(tmp_path / "project")
    project.folder.mkdir()
    (project.folder / "Dockerfile").write_text("FROM scratch\nCOPY app.py /\n")
    (project.folder / ".dockerignore").write_text("*\n!app.py\n!artifacts\n")
    (project.folder / "app.py").write_text("")
    store = LocalStore(project.folder / "artifacts")
    store.promote(make_bundle(store, "regression"), "promote", "for the test")
    project.git("init", "--quiet", "--initial-branch", "main")
    project.commit("The first")
    return project


def deliver(project: Project, host: str) -> tuple[dict[str, str], str]:
    """What it tells a job, and what a person."""
    done = subprocess.run(
        [sys.executable, "-S", "-m", "slipway.release", "deliver", host, "team/insurance"],
        cwd=project.folder,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src"), "BUILDKIT_PROGRESS": "plain"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return dict(line.split("=", 1) for line in done.stdout.splitlines()), done.stderr


def test_what_was_delivered_once_is_found_and_not_built_again(docker, host, project):
    first, said = deliver(project, host)
    assert "Building" in said
    image = f"{host}/team/insurance"
    docker("image", "rm", f"{image}:{first['key']}")
    docker("pull", "--quiet", f"{image}@{first['digest']}")
    labels = docker.inspect(f"{image}@{first['digest']}")["Config"]["Labels"]
    assert labels["slipway.bundle"] == LocalStore(project.folder / "artifacts").pointer().digest
    again, said = deliver(project, host)
    assert again == first and "Nothing to build" in said
    registry = Registry(host)
    registry.add_tag("team/insurance", first["digest"], "tested")
    assert registry.find("team/insurance", "tested") == first["digest"]
