"""Heroku: the build, the dyno and the workflow, run here as Heroku and GitHub run them."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from functools import partial
from hashlib import sha256
from pathlib import Path

import pytest

import wheels
from bundles import ROWS, make_bundle
from s3 import KEYS, client, serve_s3
from servers import DEADLINE, Server, free_port
from slipway.problem import SETTINGS
from slipway.serving.offline.web_runtime import KINDS, NAME, packed
from slipway.settings import VARIABLES
from slipway.store.local import LocalStore
from slipway.store.pointer import Pointer
from slugs import Slug, ours, thin

ROOT = Path(__file__).resolve().parent.parent
APP = json.loads((ROOT / "app.json").read_text())
MEMORY = 512 << 20  # bytes of the smallest dyno
BOUND = ["setpriv", "--bounding-set=-dac_override", "--"] if os.geteuid() == 0 else []  # the modes bind root too


@pytest.fixture(scope="module", params=["ours", "thin"])
def unpack(request, tmp_path_factory) -> Callable[[], AbstractContextManager[Slug]]:
    """What Heroku unpacks: a commit of this repository, or of one that ``slipway new --heroku`` made."""
    if request.param == "ours":
        return ours
    site = request.getfixturevalue("site")
    return partial(thin, wheels.new(tmp_path_factory.mktemp("new") / "regression", site, "--heroku"), site)


@pytest.fixture
def tree(unpack) -> Iterator[Slug]:
    with unpack() as slug:
        yield slug


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }


def refused(done: subprocess.CompletedProcess) -> str:
    """What a build that fails says: one line."""
    assert (done.returncode, done.stdout) == (5, "")
    assert re.fullmatch(r"slipway: [^\n]+\n", done.stderr), done.stderr
    return done.stderr


def test_a_build_with_the_bundle_in_the_commit_changes_nothing(tree):
    bundle = make_bundle(LocalStore(tree.folder / "artifacts"), "regression")
    before = contents(tree.folder)
    done = tree.build()
    assert (done.returncode, done.stderr) == (0, "")
    assert bundle.digest[:12] in done.stdout
    assert contents(tree.folder) == before


def no_champion(store: LocalStore) -> None:
    make_bundle(store, "regression", promote=False)


def bundle_elsewhere(store: LocalStore) -> None:
    store.point(Pointer("a" * 64, "regression", {}))


def damaged(store: LocalStore) -> None:
    path = make_bundle(store, "regression").folder / "model.onnx"
    path.write_bytes(path.read_bytes()[:-1] + b"?")


def of_another_problem(store: LocalStore) -> None:
    make_bundle(store, "binary")


def wrong_answers(store: LocalStore) -> None:
    bundle = make_bundle(store, "regression", promote=False)
    golden = bundle.json("golden.json")
    golden["predictions"][0]["prediction"] += 1
    files = {name: bundle.read(name) for name in bundle.parts["serving"]} | {"golden.json": json.dumps(golden).encode()}
    store.point(Pointer(store.add("regression", files).digest, "regression", {}))


@pytest.mark.parametrize(
    "spoil, says",
    [
        (no_champion, "artifacts/champion.json: no champion yet. Run slipway train first; commit the file"),
        (bundle_elsewhere, "a{12} is neither in this commit nor in a remote store. .*--in-git.*slipway push.*SLIPWAY_REMOTE"),
        (damaged, "model.onnx: differs from the manifest"),
        (of_another_problem, "belongs to the problem binary, not to regression"),
        (wrong_answers, "golden"),
    ],
)
def test_a_build_without_a_sound_champion_fails(tree, spoil, says):
    spoil(LocalStore(tree.folder / "artifacts"))
    assert re.search(says, refused(tree.build()))


def test_the_build_fetches_the_runtime_of_a_form_that_answers_offline(tree):
    """From a registry that is away: what it does with one that answers is tests/serving/offline/test_fetch_runtime.py's."""
    make_bundle(LocalStore(tree.folder / "artifacts"), "regression")
    done = tree.build(SLIPWAY_SERVING_OFFLINE="true", NPM_CONFIG_REGISTRY=f"http://127.0.0.1:{free_port()}")
    assert done.returncode == 6 and re.search(r"onnxruntime-web-[\d.]+\.tgz: cannot be fetched", done.stderr), done.stderr


def test_a_build_of_what_could_not_start_fails(tree):
    store = LocalStore(tree.folder / "artifacts")
    make_bundle(store, "regression")
    for name in KINDS:
        path = packed(store.root / NAME, name)
        path.parent.mkdir(exist_ok=True)
        path.touch()
    done = tree.build(SLIPWAY_SERVING_OFFLINE="true", SLIPWAY_API_KEYS="secret")
    assert done.returncode == 6 and "serving.offline and API keys exclude each other" in done.stderr, done.stderr


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    with serve_s3() as url:
        client(url).create_bucket(Bucket="models")
        yield url


@pytest.fixture
def config(s3, tree, tmp_path) -> dict[str, str]:
    """Config vars of an app whose bundle is in S3, and of a pip that finds one wheel, and leaves a trace of it."""
    wheel = tmp_path / "witness-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("sitecustomize.py", "import os; open(os.environ['WITNESS'], 'w').close()")
        archive.writestr("witness-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: witness\nVersion: 1.0\n")
        archive.writestr("witness-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("witness-1.0.dist-info/RECORD", "")
    digest = sha256(wheel.read_bytes()).hexdigest()
    tree.libraries.write_text(f"witness==1.0 --hash=sha256:{digest}\n")
    pip = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path), "PIP_ROOT_USER_ACTION": "ignore"}
    return (
        KEYS
        | pip
        | {
            "AWS_ENDPOINT_URL": s3,
            "SLIPWAY_REMOTE": "s3://models/heroku",
            "WITNESS": str(tmp_path / "installed"),
        }
    )


def push(folder: Path, config: dict[str, str]) -> None:
    environ = os.environ | config | {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run([sys.executable, "-m", "slipway", "push"], cwd=folder, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_build_fetches_the_bundle_and_leaves_no_library_behind(tree, config, tmp_path):
    folder = tree.folder
    before = contents(folder)
    bundle = make_bundle(LocalStore(folder / "artifacts"), "regression")
    push(folder, config)
    wanted = before | {
        name: content
        for name, content in contents(folder).items()
        if name.startswith(f"artifacts/bundles/{bundle.digest}/")
        or name in ("artifacts/champion.json", "artifacts/verdict.json")
    }
    shutil.rmtree(folder / "artifacts" / "bundles")
    done = tree.build(**config)
    assert done.returncode == 0, done.stderr
    assert bundle.digest[:12] in done.stdout
    assert (tmp_path / "installed").exists(), "the bundle was not fetched with the locked libraries"
    assert contents(folder) == wanted


@pytest.mark.parametrize(
    "pin, says",
    [
        (f"witness==1.0 --hash=sha256:{'0' * 64}", "THESE PACKAGES DO NOT MATCH THE HASHES"),
        ("witness==1.0", "Hashes are required"),
    ],
)
def test_a_library_with_another_hash_or_none_ends_the_build(tree, config, pin, says):
    bundle_elsewhere(LocalStore(tree.folder / "artifacts"))
    tree.libraries.write_text(pin)
    done = tree.build(**config)
    assert done.returncode != 0 and says in done.stderr


def test_a_bundle_that_is_in_no_store_ends_the_build(tree, config):
    bundle_elsewhere(LocalStore(tree.folder / "artifacts"))
    assert "aaaaaaaaaaaa is not in s3://models/heroku" in refused(tree.build(**config))


@pytest.fixture(scope="module")
def slug(unpack) -> Iterator[Slug]:
    """A finished build with the bundle in the commit."""
    with unpack() as slug:
        make_bundle(LocalStore(slug.folder / "artifacts"), "regression")
        done = slug.build()
        assert done.returncode == 0, done.stderr
        yield slug


def lock(folder: Path, locked: bool) -> None:
    """Take the right to write into a folder away, or give it back."""
    for path in [folder, *folder.rglob("*")]:
        path.chmod(path.stat().st_mode & ~0o222 if locked else path.stat().st_mode | 0o200)


@pytest.fixture
def dyno(slug) -> Iterator[Callable[[], Server]]:
    """Start the Procfile's command as a dyno does: a shell, a port, no config of the store, a folder that stays as it is."""
    started: list[subprocess.Popen] = []
    folder = slug.folder
    before = contents(folder)
    lock(folder, True)
    assert subprocess.run([*BOUND, "touch", folder / "written"], stderr=subprocess.DEVNULL).returncode != 0
    [command] = re.findall(r"^web: (.+)$", (folder / "Procfile").read_text(), re.M)
    config = {name: each["value"] for name, each in APP["env"].items() if "value" in each}

    def start() -> Server:
        port = free_port()
        process = subprocess.Popen(
            [*BOUND, "bash", "-c", command],
            cwd=folder,
            env=slug.environ(PORT=str(port), DYNO="web.1", **config),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        started.append(process)
        server = Server(process, port)
        deadline = time.monotonic() + DEADLINE
        while True:
            with suppress(OSError):
                if server.call("GET", "/readyz")[0] == 200:
                    return server
            assert process.poll() is None and time.monotonic() < deadline, end(server)
            time.sleep(0.02)

    yield start
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    lock(folder, False)
    assert contents(folder) == before, "the service wrote into its folder"


def end(server: Server) -> tuple[int, str, str]:
    """SIGTERM to every process, as Heroku sends it; exit code and output, at the latest when Heroku would kill."""
    with suppress(ProcessLookupError):
        os.killpg(server.process.pid, signal.SIGTERM)
    out, errors = server.process.communicate(timeout=30)
    return server.process.returncode, out, errors


def test_a_dyno_answers_stops_and_starts_anew(dyno):
    for _ in range(2):  # the second one finds nothing that the first has left
        server = dyno()
        assert server.call("POST", "/predict", ROWS[0])[0] == 200
        wanted = int(APP["env"]["WEB_CONCURRENCY"]["value"])
        assert len(server.workers(wanted)) == wanted
        code, _, errors = end(server)
        assert (code, errors) == (0, "")


def test_a_stop_lets_the_running_answer_end(dyno):
    server = dyno()
    body = json.dumps(ROWS[0]).encode()
    head = f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with server.connect() as connection:
        connection.sendall(head.encode() + body[:10])
        server.call("GET", "/healthz")
        os.killpg(server.process.pid, signal.SIGTERM)
        connection.sendall(body[10:])
        assert b" 200 " in connection.makefile("rb").readline()
    assert end(server)[0] == 0


def test_the_memory_of_a_small_dyno_is_enough(dyno):
    server = dyno()
    table = b"age,bmi,smoker,joined\n" + b"19,27.9,yes,2020-01-01\n" * 10_000
    for _ in range(200):
        assert server.call("POST", "/predict", ROWS * 25)[0] == 200
    for path in ("/", "/model", "/apidocs/", "/metrics"):
        assert server.call("GET", path)[0] == 200
    assert server.call("POST", "/predict/file", table, **{"Content-Type": "text/csv"})[0] == 200
    used = sum(proportional(pid) for pid in [server.process.pid, *server.workers()])
    assert 50 << 20 < used < MEMORY, f"{used >> 20} MB"


def proportional(pid: int) -> int:
    """Bytes of memory of a process; what several share is divided among them."""
    return 1024 * int(re.search(r"^Pss: +(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)[1])


def test_the_python_is_one_that_the_packages_are_locked_for():
    assert re.fullmatch(r"3\.\d+\n", (ROOT / ".python-version").read_text())
    version = (ROOT / ".python-version").read_text().strip()
    assert f"FROM python:{version}-slim" in (ROOT / "Dockerfile").read_text()


def test_every_config_var_is_one_that_is_read():
    known = {each.variable for each in SETTINGS} | {each.name for each in VARIABLES}
    known |= {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"}
    assert set(APP["env"]) <= known
    for name, each in APP["env"].items():
        assert each["description"].endswith("."), name
        assert "value" in each or each["required"] is False, f"{name} would be asked for"
