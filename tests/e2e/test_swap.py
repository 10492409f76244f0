"""The release program on a box with a real engine, nginx and traffic: nobody notices a swap."""

import json
from http.client import HTTPConnection

import pytest

from bundles import ROWS
from rehearsal.box import PROGRAM
from rehearsal.traffic import traffic
from slipway.release.box.rotation import INSIDE
from swaps import RATE, Reports, request, under_traffic

pytestmark = pytest.mark.docker


def test_twenty_swaps_and_five_rollbacks(box, releases):
    box.release(request(releases[0], 1))
    reports = Reports()
    with under_traffic(box) as found:
        reports.reported(box)
        for number in range(2, 22):
            box.release(request(releases[number % 3], number))
            reports.reported(box)
        for number in range(5):
            box.rollback()
            reports.reported(box)
            box.release(request(releases[number % 3], 22 + number))
            reports.reported(box)
    assert len(found.bundles()) == 3
    assert reports.late(found) == []
    assert len(box.releases()) == 2
    assert set(box.images()) == set(releases)


def test_stop_then_run_fails_under_the_same_traffic(docker, box, releases):
    """The negative control: this traffic sees a service that is gone for a moment."""
    box.release(request(releases[0], 1))
    name = f"slipway-{box.live()}"
    with traffic("127.0.0.1", box.port, ROWS[0], RATE) as found:
        docker("stop", "--time", "40", name)
        docker("start", name)
        box.run(PROGRAM, "status")
    assert found.failed


def hold(box) -> None:
    """Begin a request that goes on until /tmp/go is there; what came back is in /tmp/answer then."""
    body = json.dumps(ROWS[0]).encode()
    head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    program = f"""
import os, socket, time
connection = socket.socket(socket.AF_UNIX)
connection.connect("{box.state}/sockets/active.sock")
connection.sendall({head.encode()!r})
open("/tmp/held", "w").close()
while not os.path.exists("/tmp/go"):
    time.sleep(0.01)
connection.sendall({body!r})
answer = connection.recv(65536)
connection.close()
open("/tmp/answer", "wb").write(answer)
"""
    box.run("sh", "-c", 'python3 -c "$0" & while [ ! -e /tmp/held ]; do sleep 0.05; done', program)


def drain(box) -> str:
    """Do what the timer does until nothing drains; what was said the last time."""
    box.run("sh", "-c", f"until {PROGRAM} drain > /tmp/drained && grep -q 'draining: none' /tmp/drained; do sleep 0.05; done")
    return box.run("cat", "/tmp/drained").stdout


def test_a_request_outlives_any_number_of_swaps(box, releases):
    """Its release drains beside the others until it has answered; no release waits for it."""
    box.release(request(releases[0], 1))
    first = box.live()
    hold(box)
    for number in range(2, 5):
        done = box.release(request(releases[number % 3], number))
    assert f"{first} still answers 1 request: draining, at most 3600 s" in done.stdout
    assert f"draining    {first} still answers 1 request" in box.run(PROGRAM, "status").stdout
    assert len(box.releases()) == 3
    box.run("sh", "-c", "touch /tmp/go; while [ ! -s /tmp/answer ]; do sleep 0.05; done")
    assert box.run("cat", "/tmp/answer").stdout.startswith("HTTP/1.1 200")
    assert f"docker stop --time 40 slipway-{first}" in drain(box)
    assert len(box.releases()) == 2


def test_a_request_that_takes_too_long_is_cut_off_and_named(box, releases):
    box.configure(drain_seconds=1)
    box.release(request(releases[0], 1))
    first = box.live()
    hold(box)
    for number in (2, 3):
        box.release(request(releases[number % 3], number))
    assert f"warning: {first} still answers 1 request: cut off, because it has been draining for 1 s" in drain(box)
    assert len(box.releases()) == 2
    last = json.loads(box.run("tail", "-n", "1", f"{box.state}/history.jsonl").stdout)
    assert (last["event"], last["release"], last["requests"], last["run_number"]) == ("cut", first, 1, 1)


def test_two_at_once_come_one_after_the_other(box, releases):
    box.release(request(releases[0], 1))
    both = f"""
for number in 2 3; do
  printf '%s' '{json.dumps(request(releases[1], 2))}' | {PROGRAM} > /tmp/out.$number &
done
wait
cat /tmp/out.*
"""
    with under_traffic(box):
        done = box.run("sh", "-c", both)
    assert done.stdout.count("is live") == 2
    assert len(box.releases()) == 2


def test_a_lower_run_number_is_refused_and_the_same_one_is_not(box, releases):
    box.release(request(releases[0], 7))
    live = box.live()
    refused = box.release(request(releases[1], 6), check=False)
    assert refused.returncode != 0
    assert "run 6 is older than the live run 7" in refused.stdout
    assert box.live() == live
    box.release(request(releases[1], 7))
    assert box.live() != live


def test_the_runner_may_release_and_nothing_else(box, releases):
    as_runner = ("runuser", "-u", box.runner, "--")
    for command in (
        ("sudo", "-n", PROGRAM, "status"),
        ("sudo", "-n", PROGRAM, "--dry-run"),
        ("sudo", "-n", "docker", "ps"),
        ("sudo", "-n", "sh"),
        ("docker", "ps"),
        ("cat", f"{box.settings}/release.toml"),
        ("ls", f"{box.state}/sockets"),
    ):
        assert box.run(*as_runner, *command, check=False).returncode != 0, command
    box.release(request(releases[0], 1))


@pytest.mark.parametrize("text", ["", "{}", '{"digest": "latest"}', "digest: latest", "\x00" * 9_000])
def test_a_bad_request_changes_nothing(box, text):
    done = box.run("runuser", "-u", box.runner, "--", "sudo", "-n", PROGRAM, text=text, check=False)
    assert done.returncode != 0
    assert "Result: FAILED" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert box.releases() == []


def test_a_dry_run_shows_the_steps_and_does_nothing(box, releases):
    done = box.release(request(releases[0], 1), "--dry-run")
    assert "docker pull --quiet" in done.stdout and "rename active.sock" in done.stdout
    assert box.releases() == []


def predict(box, key: str) -> int:
    """Status of a prediction through nginx with an API key."""
    connection = HTTPConnection("127.0.0.1", box.port, timeout=30)
    headers = {"Content-Type": "application/json", "X-API-Key": key}
    connection.request("POST", "/predict", json.dumps(ROWS[0]), headers)
    status = connection.getresponse().status
    connection.close()
    return status


def test_keys_rotate_without_a_release_and_secrets_stay_in_root_s_files(docker, box, releases):
    box.write(f"{box.settings}/service.env", f"SLIPWAY_API_KEYS=hidden-key-1,hidden-key-2\nSLIPWAY_API_KEYS_FILE={INSIDE}\n")
    box.run(PROGRAM, "keys", text="hidden-key-3\n")
    done = box.release(request(releases[0], 1))
    assert [predict(box, f"hidden-key-{number}") for number in (1, 3, 4)] == [200, 200, 401]
    said = box.run(PROGRAM, "keys", text="hidden-key-4\n").stdout
    assert "1 API key is valid from the next request on" in said and "hidden-key" not in said
    assert [predict(box, f"hidden-key-{number}") for number in (1, 3, 4)] == [200, 401, 200]
    assert len(box.releases()) == 1
    processes = box.run("sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '").stdout
    history = box.run("cat", f"{box.state}/history.jsonl").stdout
    logs = docker("logs", f"slipway-{box.live()}")
    image = docker("history", "--no-trunc", f"{box.repository}@{releases[0]}").stdout
    for text in (done.stdout, done.stderr, processes, history, logs.stdout, logs.stderr, image):
        assert "hidden-key" not in text
    assert box.run("sh", "-c", "cat /var/log/nginx/*").stdout.count("hidden-key") == 0


def test_images_beyond_the_count_are_removed_and_others_are_not_touched(docker, box, releases):
    box.configure(keep=2)
    docker("pull", f"{box.repository}:good-0")
    docker("tag", f"{box.repository}:good-0", "other/insurance:1")
    try:
        for number in range(1, 4):
            box.release(request(releases[number % 3], number))
        assert set(box.images()) == {releases[2], releases[0]}
        assert docker("image", "inspect", "other/insurance:1", check=False).returncode == 0
    finally:
        docker("image", "rm", "other/insurance:1")


def test_rollbacks_go_back_step_by_step_and_end_kindly(box, releases):
    for number in range(3):
        box.release(request(releases[number], number + 1))
    with under_traffic(box) as found:
        assert "(run 2," in box.rollback().stdout
        assert "(run 1," in box.rollback().stdout  # it was stopped for good: it is started again from its image
    assert len(found.bundles()) == 3
    done = box.rollback(check=False)
    assert done.returncode != 0
    assert "there is no earlier release" in done.stdout
    box.release(request(releases[2], 3))
    assert len(box.releases()) == 2


def test_after_a_reboot_the_live_release_answers_by_itself(docker, box, releases):
    box.release(request(releases[0], 1))
    box.release(request(releases[1], 2))
    live = box.live()
    for name in box.releases():
        assert docker.inspect(name)["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
        docker("kill", name)  # what the engine starts again at boot; here it is told to
        docker("start", name)
    docker("restart", "--time", "1", box.name)
    box.run("sh", "-c", f"for i in $(seq 100); do {PROGRAM} status | grep -q '^live.*ready' && exit; sleep 0.2; done; exit 1")
    assert box.live() == live
    assert f"live        {live}" in box.run(PROGRAM, "status").stdout
