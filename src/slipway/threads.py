"""One thread per numerical library: several only fight over the cores, and make sums depend on their number."""

import os
from contextlib import AbstractContextManager


def pin_threads() -> None:
    """Pin them, here and in child processes; call it before the libraries load."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"


def one_thread() -> AbstractContextManager[object]:
    """Pin libraries that are loaded already, from the call on, or for the length of a with block."""
    from threadpoolctl import threadpool_limits  # comes with scikit-learn, which serving does without

    limits: AbstractContextManager[object] = threadpool_limits(limits=1)
    return limits


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
