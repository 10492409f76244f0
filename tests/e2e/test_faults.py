"""Whatever goes wrong with a release, the one that serves goes on serving, and the job says what it was."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from images import derive, push
from rehearsal.box import make_box
from swaps import request, under_traffic

pytestmark = pytest.mark.docker
# Listens where gunicorn would, says that it is ready with the bundle that ANSWER names, and does AFTER at a prediction.
STAND_IN = """
import http.server, json, os, socketserver
path = os.environ["GUNICORN_CMD_ARGS"].partition("unix:")[2]
ready = {{"status": "ready", "bundle": {bundle!r}, "release": os.environ["SLIPWAY_RELEASE"]}}
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(ready).encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers(); self.wfile.write(body)
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))  # what is left unread would reset the connection
        {post}
    def address_string(self): return "unix"
class Server(socketserver.ThreadingUnixStreamServer): daemon_threads = True
server = Server(path, Handler)
os.chmod(path, 0o777)
print("the stand-in is up", flush=True)
server.serve_forever()
"""


@pytest.fixture(scope="module")
def wrong(docker, repository, releases, tmp_path_factory) -> Callable[..., str]:
    """Make an image that is wrong on purpose; its digest."""
    made = []

    def make(*lines: str, program: str = "") -> str:
        folder: Path = tmp_path_factory.mktemp("wrong")
        tag = f"{repository}:wrong-{len(made)}"
        (folder / "program.py").write_text(program)
        derive(docker, folder, tag, f"{repository}:good-0", "COPY program.py /program.py", *lines)
        made.append(tag)
        return push(docker, tag)

    yield make
    for tag in made:
        docker("image", "rm", "--force", tag, check=False)


@pytest.fixture(scope="module")
def bundle(docker, repository, releases) -> str:
    docker("pull", f"{repository}:good-0")
    return docker.inspect(f"{repository}:good-0")["Config"]["Labels"]["slipway.bundle"]


RUN = 'CMD ["python", "/program.py"]'
CASES = {
    "never ready": ((RUN,), "import time; print('waiting for ever', flush=True); time.sleep(3600)", "was not ready within"),
    "hangs": (
        (RUN,),
        STAND_IN.replace("self.send_response(200);", "import time; time.sleep(3600);", 1).replace("{post}", "pass"),
        "was not ready within",
    ),
    "ends at once": (('CMD ["sh", "-c", "echo it cannot start >&2; exit 3"]',), "", "exited with code 3"),
    "crashes at the first prediction": ((RUN,), STAND_IN.replace("{post}", "os._exit(1)"), "did not answer the golden row"),
    "answers otherwise": (
        (RUN,),
        STAND_IN.replace(
            "{post}",
            "self.send_response(200); self.end_headers(); self.wfile.write(json.dumps("
            "{{'prediction': 1.0, 'bundle': ready['bundle']}}).encode())",
        ),
        "does not answer the golden row as recorded in its bundle",
    ),
    "wrong bundle inside": (('LABEL slipway.bundle="' + "0" * 64 + '"',), "", "serves the bundle"),
    "no labels": (('LABEL slipway.bundle=""',), "", "has no label slipway.bundle"),
    "out of memory": (
        (RUN,),
        "print('taking all', flush=True); kept = [b'x' * 50_000_000 for _ in range(99)]",
        "out of memory",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_bad_image_is_removed_with_its_last_words(box, releases, wrong, bundle, case):
    lines, program, expected = CASES[case]
    digest = wrong(*lines, program=program.format(bundle=bundle) if "{bundle!r}" in program else program)
    box.release(request(releases[0], 1))
    before = box.live(), box.releases()
    if "not ready" in expected:  # where it ends by itself, a slow machine has the time it needs
        box.configure(ready_seconds=4)
    with under_traffic(box):
        failed = box.release(request(digest, 2), check=False)
    assert failed.returncode != 0
    assert expected in failed.stdout
    assert "Traceback" not in failed.stdout + failed.stderr
    for word in ("waiting for ever", "it cannot start", "taking all", "the stand-in is up"):
        assert (word in failed.stdout) == (word in program or word in " ".join(lines))
    assert (box.live(), box.releases()) == before
    assert box.run("ls", f"{box.state}/sockets").stdout.split() == sorted(["active.sock", "keys", before[0]])
    box.configure(ready_seconds=60)
    box.release(request(releases[1], 2))
    assert digest not in box.images()


def test_a_registry_that_is_down_leaves_all_as_it_was(box, registry, releases):
    box.release(request(releases[0], 1))
    before = box.live(), box.releases()
    box.docker("image", "rm", "--force", f"{box.repository}@{releases[1]}", f"{box.repository}:good-1", check=False)
    registry.stop()
    try:
        with under_traffic(box):
            failed = box.release(request(releases[1], 2), check=False)
    finally:
        registry.start()
    assert failed.returncode != 0
    assert "docker pull failed" in failed.stdout and "registry" in failed.stdout
    assert (box.live(), box.releases()) == before


def test_an_image_that_is_not_there_is_named(box, releases):
    box.release(request(releases[0], 1))
    failed = box.release(request("sha256:" + "0" * 64, 2), check=False)
    assert failed.returncode != 0
    assert "docker pull failed" in failed.stdout and "0" * 64 in failed.stdout


def test_only_what_the_registry_lists_under_a_release_key_is_released(docker, box, releases, wrong):
    """Who may run code as the runner can ask for any digest."""
    box.release(request(releases[0], 1))
    before = box.live(), box.releases()
    other = box.release(request(releases[1], 2) | {"digest": releases[2]}, check=False)
    assert other.returncode != 0
    assert f"the registry lists {releases[1]} under the release key" in other.stdout and releases[2] in other.stdout
    unlisted = box.release(request(releases[1], 2) | {"key": "0" * 64}, check=False)
    assert unlisted.returncode != 0 and "docker pull failed" in unlisted.stdout
    old = box.release({name: value for name, value in request(releases[1], 2).items() if name != "key"}, check=False)
    assert old.returncode != 0 and "exactly the fields digest, key, commit, run_number" in old.stdout
    assert (box.live(), box.releases()) == before


def test_a_full_disk_is_found_before_anything_changes(docker, repository, registry, releases):
    login = (registry.host, "AWS", registry.password)
    with make_box(docker, repository, login, "--tmpfs", "/var/lib/slipway:mode=711,size=1m") as box:
        box.release(request(releases[0], 1))
        before = box.live(), box.releases()
        with under_traffic(box):
            box.run("sh", "-c", "cat /dev/zero > /var/lib/slipway/full || true")
            failed = box.release(request(releases[1], 2), check=False)
            assert failed.returncode != 0
            assert "No space left" in failed.stdout and "Free disk space" in failed.stdout
            assert (box.live(), box.releases()) == before
            box.run("rm", "/var/lib/slipway/full")
            box.release(request(releases[1], 2))
        assert box.live() != before[0]


def test_a_proxy_that_does_not_answer_brings_the_old_release_back(box, releases):
    box.release(request(releases[0], 1))
    before = box.live(), box.releases()
    box.run("sh", "-c", "sed -i s/127.0.0.1:8099/127.0.0.1:8098/ /etc/nginx/conf.d/slipway.conf && nginx -s reload")
    failed = box.release(request(releases[1], 2), check=False)
    assert failed.returncode != 0
    assert "nginx does not serve" in failed.stdout
    assert (box.live(), box.releases()) == before


def test_a_cancelled_job_leaves_the_old_release_alone(box, releases, wrong):
    slow = wrong(RUN, program="import time; time.sleep(3600)")
    box.release(request(releases[0], 1))
    before = box.live(), box.releases()
    script = f"""
printf '%s' '{json.dumps(request(slow, 2))}' | /usr/local/sbin/slipway-release > /tmp/out &
while ! grep -q 'docker run' /tmp/out; do sleep 0.05; done
kill -TERM $!
wait $! && exit 9
cat /tmp/out
"""
    with under_traffic(box):
        done = box.run("sh", "-c", script)
    assert "cancelled; the old release is live as before" in done.stdout
    assert (box.live(), box.releases()) == before
