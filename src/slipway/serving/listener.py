"""The end of listening: a new client is answered or not connected at all, never connected and then reset."""

import ctypes
import signal
import socket
import struct
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from types import FrameType

from gunicorn.arbiter import Arbiter

SO_ATTACH_FILTER = 26  # asm-generic/socket.h; Python has no name for it

# A socket filter (man 7 socket; linux/filter.h) as (code, jump if true, jump if false, constant): packets that open a
# connection are dropped, all others pass. The client tries again a second later, when the port is closed or another's.
NO_NEW_CONNECTIONS = [
    (0x30, 0, 0, 13),  # load the byte with TCP's flags
    (0x45, 0, 1, 0x02),  # SYN?
    (0x06, 0, 0, 0),  # drop
    (0x06, 0, 0, 0xFFFFFFFF),  # pass
]


def refuse_when_stopped(server: Arbiter) -> None:
    """Let the listening sockets of gunicorn's master refuse new clients from the signal on that stops it.

    Without this they would be accepted by the system, and reset when the last worker closes the socket.
    """
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        usual = signal.getsignal(number)
        if callable(usual):  # gunicorn's own
            signal.signal(number, partial(_stop, server, usual))


def _stop(server: Arbiter, usual: Callable[[int, FrameType | None], object], number: int, frame: FrameType | None) -> None:
    if not server.systemd and not server.reexec_pid:  # the socket stays open, for systemd or the next master
        refuse(server.LISTENERS)
    usual(number, frame)


def refuse(listeners: Iterable[socket.socket]) -> None:
    """Connect nobody from now on; those who are connected can still be accepted.

    Where the system does not let this process filter, as in some containers, the worker's own end is left: it accepts
    until nobody waits and closes at once, so only who connects within those microseconds is reset.
    """
    for listener in listeners:
        if listener.family == socket.AF_UNIX:
            listener.shutdown(socket.SHUT_RD)
        elif sys.platform == "linux":
            code = b"".join(struct.pack("HBBI", *step) for step in NO_NEW_CONNECTIONS)
            program = ctypes.create_string_buffer(code, len(code))
            with suppress(OSError):
                listener.setsockopt(
                    socket.SOL_SOCKET,
                    SO_ATTACH_FILTER,
                    struct.pack("HP", len(NO_NEW_CONNECTIONS), ctypes.addressof(program)),
                )
