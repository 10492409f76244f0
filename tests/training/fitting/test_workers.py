"""The processes that fit."""

import os
import select
import signal
import subprocess
import sys

PROGRAM = """
import os
from slipway.training.fitting.workers import Workers
if __name__ == "__main__":
    workers = Workers(print, 1 + 1)
    print(workers._pool.submit(os.getpid).result(), flush=True)
    input()
"""


def test_a_killed_training_leaves_no_worker_behind(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    with subprocess.Popen([sys.executable, program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as training:
        worker = os.pidfd_open(int(training.stdout.readline()))
        training.send_signal(signal.SIGKILL)
    try:
        assert select.select([worker], [], [], 60)[0], "the worker outlived its training"
    finally:
        os.close(worker)
