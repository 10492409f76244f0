"""The typed client of docs/api.md, as it stands there."""

import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from werkzeug.serving import make_server

from calls import ROW, make_problem
from slipway.problem import load_problem
from slipway.serving.factory import build

PAGE = Path(__file__).resolve().parents[2] / "docs/api.md"
[CLIENT] = [
    block for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL) if "TypedDict" in block
]


@pytest.fixture
def address(tmp_path):
    """A service of the insurance table."""
    make_problem(tmp_path)
    app = build(load_problem(tmp_path / "slipway.yaml", environ={}), {"SLIPWAY_API_KEYS": "one"})
    server = make_server("127.0.0.1", 0, app)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_it_has_ten_lines():
    assert len([line for line in CLIENT.splitlines() if line]) == 10


def test_it_answers(address):
    names = {}
    exec(compile(CLIENT, "client", "exec"), names)
    first, second = names["predict"]([ROW, ROW | {"age": 32}], address, "one")
    assert isinstance(first, float) and second > first


CALLS = {
    f"found: list[float] = predict([{ROW}])": "",
    f"predict([{ROW | {'age': 'old'}}])": "Incompatible types",
    f"predict([{ROW | {'smoker': 'sometimes'}}])": "Incompatible types",
    f"predict([{ {name: ROW[name] for name in ROW if name != 'bmi'} }])": "Missing key",
    f"predict([{ROW | {'colour': 'red'}}])": "Extra key",
}


def test_mypy_checks_its_calls(tmp_path):
    lines = CLIENT.splitlines()
    (tmp_path / "client.py").write_text("\n".join([*lines, *CALLS, ""]), encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={tmp_path / 'cache'}", "client.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    said = {int(line.split(":")[1]): line for line in done.stdout.splitlines() if ": error:" in line}
    for number, wrong in enumerate(CALLS.values(), len(lines) + 1):
        assert (wrong in said.pop(number)) if wrong else number not in said, done.stdout
    assert not said
