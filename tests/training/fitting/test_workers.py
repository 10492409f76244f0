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


WARM = """
import os
from multiprocessing import forkserver
from slipway.training.fitting.forks import warm_up
if __name__ == "__main__":
    warm_up()
    server = forkserver._forkserver._forkserver_pid
    from slipway.training.fitting.workers import Workers
    with Workers(print, 1 + 1) as workers:
        print(workers._pool.submit(os.getppid).result() == server)
        print(workers._pool.submit(eval, '"slipway.training.challenger" in __import__("sys").modules').result())
"""


def test_workers_come_with_their_libraries_from_the_server_that_was_warmed_up(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(WARM)
    assert subprocess.run([sys.executable, program], capture_output=True, text=True, check=True).stdout == "True\nTrue\n"
