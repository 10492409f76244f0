"""What a call costs, as counts that no noise of a machine changes."""

import gc
import itertools
import statistics
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType
from typing import Any

from figures import Figures

TURNS = 9  # a call may come at the turn of a second, when something is written anew: the median does not
Call = Callable[[], object]
Counter = Iterator[int]  # itertools.count: two threads may count at once, for next() of it is one step


def cost(call: Call, turns: int = TURNS) -> Figures:
    """What one call costs."""
    call()
    gc.collect()
    gc.disable()
    try:
        call()
        return {
            "objects left to the garbage collector": gc.collect(),
            "opcodes": statistics.median(_counted(call, opcodes) for _ in range(turns)),
            "C calls": statistics.median(_counted(call, c_calls) for _ in range(turns)),
            "bytes at the peak": statistics.median(_peak(call) for _ in range(turns)),
        }
    finally:
        gc.enable()


def _counted(call: Call, watch: Callable[[Counter], AbstractContextManager[None]]) -> int:
    counter = itertools.count()
    with watch(counter):
        call()
    return next(counter)


@contextmanager
def opcodes(counter: Counter) -> Iterator[None]:
    """Count them in this thread and in those that begin meanwhile."""

    def in_frame(frame: FrameType, event: str, _: object) -> Any:
        if event == "opcode":
            next(counter)
        return in_frame

    def enter(frame: FrameType, event: str, _: object) -> Any:
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return in_frame

    threading.settrace(enter)
    sys.settrace(enter)
    try:
        yield
    finally:
        sys.settrace(None)
        threading.settrace(None)


@contextmanager
def c_calls(counter: Counter) -> Iterator[None]:
    """Count calls of functions in C, likewise."""

    def called(frame: FrameType, event: str, _: object) -> None:
        if event == "c_call":
            next(counter)

    threading.setprofile(called)
    sys.setprofile(called)
    try:
        yield
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def _peak(call: Call) -> int:
    """The most bytes that a call takes beyond those that were taken before."""
    tracemalloc.start()
    try:
        call()
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        call()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
