"""The image of a commit: found, or built and pushed, by a docker that writes down what it was asked."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bundles import make_bundle
from registries import DIGEST, KIND, LOGIN, SmallRegistry, serve_registry
from rehearsal.project import Project
from slipway.errors import ReleaseError
from slipway.release.image.delivery import require_full_clone
from slipway.release.image.key import release_key, unsaved
from slipway.release.request import read_request
from slipway.store.local import LocalStore

ROOT = Path(__file__).resolve().parents[3]
OTHER = "sha256:" + "b" * 64
DOCKER = f"""#!{sys.executable}
import json, os, signal, sys
from urllib.request import Request, urlopen
with open(os.environ["CALLS"], "a") as calls:
    print(json.dumps([*sys.argv[1:], os.environ.get("DOCKER_BUILDKIT", "")]), file=calls)
print("what docker says of", sys.argv[1])
fault = os.environ.get("FAULT", "")
def put(image):
    host, _, path = image.partition("/")
    url = "http://" + host + "/v2/" + path.replace(":", "/manifests/")
    headers = {{"Authorization": "Basic {LOGIN}", "Content-Type": "{KIND}"}}
    urlopen(Request(url, b'{{"image": "{DIGEST}"}}', headers, method="PUT")).close()
if sys.argv[1] == "build" and fault == "hangs":
    def end(number, frame):
        with open(os.environ["CALLS"], "a") as calls:
            print('["ended"]', file=calls)
        sys.exit(1)
    signal.signal(signal.SIGTERM, end)
    with open(os.environ["STARTED"], "w"):
        pass
    while True:
        signal.pause()
if sys.argv[1] == "build" and fault == "overtaken":
    put(sys.argv[-2])
if sys.argv[1] == "push" and fault != "denied":
    put(sys.argv[-1])
sys.exit(fault == sys.argv[1] or sys.argv[1] == "push" and fault in ("refused", "denied"))
"""


class Agent:
    """A CI agent: a full clone, a login, and docker."""

    def __init__(self, folder: Path, registry: SmallRegistry) -> None:
        self.project = Project(folder / "project")
        self.registry = registry
        self.calls = folder / "calls"
        (folder / "bin").mkdir()
        (folder / "bin/docker").write_text(DOCKER)
        (folder / "bin/docker").chmod(0o755)
        self.environ = {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "HOME": str(folder),
            "PYTHONPATH": str(ROOT / "src"),
            "DOCKER_CONFIG": str(registry.login(folder)),
            "CALLS": str(self.calls),
        }

    @property
    def key(self) -> str:
        return release_key(self.project.folder)

    def command(self, *options: str) -> list[str]:
        return [sys.executable, "-S", "-m", "slipway.release", "deliver", self.registry.host, "team/insurance", *options]

    def deliver(self, *options: str, **environ: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            self.command(*options),
            cwd=self.project.folder,
            env=self.environ | environ,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def called(self) -> list[list[str]]:
        return [json.loads(line) for line in self.calls.read_text().splitlines()] if self.calls.exists() else []


@pytest.fixture
def agent(tmp_path):
    with serve_registry() as registry:
        agent = Agent(tmp_path, registry)
        folder = agent.project.folder
        (folder / "src").mkdir(parents=True)
        (folder / "src/app.py").write_text("")
        (folder / "Dockerfile").write_text("FROM scratch\n")
        (folder / ".dockerignore").write_text("*\n!src\n!artifacts\n")
        store = LocalStore(folder / "artifacts")
        store.promote(make_bundle(store, "regression"), "promote", "for the test")
        agent.project.git("init", "--quiet", "--initial-branch", "main")
        agent.project.commit("The first")
        registry.images["unrelated"] = DIGEST
        yield agent


def test_an_image_that_is_there_is_neither_built_nor_pushed(agent):
    agent.registry.images[agent.key] = OTHER
    (agent.project.folder / "src/app.py").write_text("changed\n")
    done = agent.deliver()
    assert (done.returncode, done.stdout) == (0, f"key={agent.key}\ndigest={OTHER}\n")
    assert "Nothing to build" in done.stderr and agent.called() == []


def test_an_image_that_is_not_there_is_built_and_pushed_under_its_key(agent):
    done = agent.deliver()
    assert (done.returncode, done.stdout) == (0, f"key={agent.key}\ndigest={DIGEST}\n"), done.stderr
    assert "what docker says of build" in done.stderr
    build, push = agent.called()
    image = f"{agent.registry.host}/team/insurance:{agent.key}"
    assert build[0] == "build" and build[-4:] == ["--tag", image, ".", "1"] and "--cache-from" not in build
    bundle = LocalStore(agent.project.folder / "artifacts").pointer().digest
    assert f"slipway.bundle={bundle}" in build and build[build.index("--platform") + 1] == "linux/amd64"
    assert push[:3] == ["push", "--quiet", image]


def test_the_layers_of_the_image_before_are_used_and_the_platform_is_the_chosen_one(agent):
    environ = {"SLIPWAY_PLATFORM": "linux/arm64"}
    before = release_key(agent.project.folder, environ=environ)
    agent.registry.images[before] = OTHER
    (agent.project.folder / "src/app.py").write_text("changed\n")
    agent.project.commit("The second")
    done = agent.deliver(**environ)
    assert done.returncode == 0, done.stderr
    build = agent.called()[0]
    assert build[build.index("--cache-from") + 1] == f"{agent.registry.host}/team/insurance:{before}"
    assert build[build.index("--platform") + 1] == "linux/arm64"


@pytest.mark.parametrize("fault", ["refused", "overtaken"])
def test_an_image_that_another_run_pushed_meanwhile_is_as_good(agent, fault):
    done = agent.deliver(FAULT=fault)
    assert (done.returncode, done.stdout) == (0, f"key={agent.key}\ndigest={DIGEST}\n"), done.stderr
    assert ("another run was faster" in done.stderr) == (fault == "overtaken")


@pytest.mark.parametrize(
    "fault, says",
    [
        ("build", "docker build ended with status 1: its output is above"),
        ("denied", "docker push ended with status 1: its output is above. Check that the repository exists"),
    ],
)
def test_what_docker_says_of_a_failure_is_shown(agent, fault, says):
    done = agent.deliver(FAULT=fault)
    assert (done.returncode, done.stdout) == (7, "") and says in done.stderr
    assert "what docker says of" in done.stderr


def test_without_docker_it_says_so(agent, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/git").symlink_to(shutil.which("git"))
    done = agent.deliver(PATH=str(tmp_path / "empty"))
    assert done.returncode == 7 and "docker cannot be run" in done.stderr


@pytest.mark.parametrize("path", ["src/app.py", "src/new.py", "Dockerfile", "artifacts/champion.json"])
def test_what_is_not_as_committed_is_not_built(agent, path):
    with (agent.project.folder / path).open("a") as file:
        file.write("\n")
    done = agent.deliver()
    assert done.returncode == 7 and f"{path}: not as committed" in done.stderr and agent.called() == []


def test_what_is_not_in_the_image_may_differ(agent):
    (agent.project.folder / "report.xml").write_text("")
    (agent.project.folder / "artifacts/verdict.json").write_text("{}")
    assert unsaved(agent.project.folder) == []
    (agent.project.folder / ".dockerignore").write_text(".git\n")
    agent.project.git("add", ".dockerignore")
    agent.project.git("commit", "--quiet", "--message", "All of the repository")
    assert unsaved(agent.project.folder) == [], "a report beside it is in no key, and would be in every CI system's way"
    (agent.project.folder / "src/app.py").write_text("changed\n")
    assert unsaved(agent.project.folder) == ["src/app.py"]


def test_a_shallow_clone_is_refused(agent, tmp_path):
    (agent.project.folder / "src/app.py").write_text("changed\n")
    agent.project.commit("The second")
    agent.project.git("clone", "--quiet", "--depth", "1", agent.project.folder.as_uri(), str(tmp_path / "shallow"))
    with pytest.raises(ReleaseError, match=r"shallow clone\. Fetch the whole history.*GIT_DEPTH: 0"):
        require_full_clone(tmp_path / "shallow")


def test_the_request_names_the_commit_and_counts_the_commits(agent, tmp_path):
    agent.registry.images[agent.key] = OTHER
    file = tmp_path / "request.json"
    assert agent.deliver("--request", str(file)).returncode == 0
    first = read_request(file.read_bytes())
    assert (first.digest, first.key, first.run_number) == (OTHER, agent.key, 1)
    assert first.commit == agent.project.git("rev-parse", "HEAD")
    agent.project.git("switch", "--quiet", "--create", "branch")
    for number in range(3):
        agent.project.git("commit", "--quiet", "--allow-empty", "--message", f"On the branch, {number}")
    agent.project.git("switch", "--quiet", "main")
    agent.project.git("merge", "--quiet", "--no-ff", "--message", "Merge", "branch")
    assert agent.deliver("--request", str(file)).returncode == 0
    assert read_request(file.read_bytes()).run_number == 5
    assert agent.deliver("--request", str(file), "--run-number", "71").returncode == 0
    assert read_request(file.read_bytes()).run_number == 71


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_cancelled_job_ends_docker_first(agent, tmp_path, number):
    started = tmp_path / "started"
    os.mkfifo(started)
    environ = agent.environ | {"FAULT": "hangs", "STARTED": str(started)}
    with subprocess.Popen(
        agent.command(), cwd=agent.project.folder, env=environ, stderr=subprocess.PIPE, text=True
    ) as process:
        started.open().close()  # until docker builds
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 7 and "cancelled at docker build" in said
    assert agent.called()[-1] == ["ended"] and len(agent.called()) == 2


def test_a_bundle_that_is_not_in_the_checkout_is_fetched(agent, bucket):
    folder = agent.project.folder
    (folder / "slipway.yaml").write_text("name: trial\nsource: table.csv\ntarget: charges\n")
    (folder / ".gitignore").write_text("artifacts/bundles\n")
    agent.project.git("rm", "-r", "--quiet", "--cached", "artifacts/bundles")
    agent.project.commit("The bundle is elsewhere")
    store = {name: value for name, value in os.environ.items() if name.startswith("AWS_")} | {"SLIPWAY_REMOTE": bucket.url}
    push = [sys.executable, "-m", "slipway", "push"]
    subprocess.run(push, cwd=folder, env=agent.environ | store, check=True, capture_output=True, timeout=60)
    shutil.rmtree(folder / "artifacts/bundles")

    done = subprocess.run(
        [word for word in agent.command() if word != "-S"],  # with the libraries of slipway pull, as after make install
        cwd=folder,
        env=agent.environ | store,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (0, f"key={agent.key}\ndigest={DIGEST}\n"), done.stderr
    assert "Fetching bundle" in done.stderr
    assert LocalStore(folder / "artifacts").champion().damage is None


def test_a_bundle_that_is_nowhere_says_where_it_may_be(agent):
    folder = agent.project.folder
    (folder / "slipway.yaml").write_text("name: trial\nsource: table.csv\ntarget: charges\n")
    agent.project.git("rm", "-r", "--quiet", "artifacts/bundles")
    agent.project.commit("The bundle is nowhere")
    command = [word for word in agent.command() if word != "-S"]
    done = subprocess.run(command, cwd=folder, env=agent.environ, capture_output=True, text=True, timeout=60)
    assert done.returncode == 7 and "slipway promote DIGEST --in-git" in done.stderr and agent.called() == []


def test_a_later_commit_never_has_a_lower_number_however_it_was_merged(agent, tmp_path):
    """main may be moved forward to a branch that merged it: its first parents are then those of the branch."""
    agent.registry.images[agent.key] = OTHER
    file = tmp_path / "request.json"
    agent.project.git("branch", "work")
    for number in range(4):
        agent.project.git("commit", "--quiet", "--allow-empty", "--message", f"On main, {number}")
    agent.deliver("--request", str(file))
    before = read_request(file.read_bytes()).run_number
    agent.project.git("switch", "--quiet", "work")
    agent.project.git("commit", "--quiet", "--allow-empty", "--message", "On the branch")
    agent.project.git("merge", "--quiet", "--no-ff", "--message", "Merge", "main")
    agent.project.git("switch", "--quiet", "main")
    agent.project.git("merge", "--quiet", "--ff-only", "work")
    agent.deliver("--request", str(file))
    assert read_request(file.read_bytes()).run_number > before
