"""Every worker takes about as many clients as the others, and all of them when the others do not."""

import selectors
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from slipway.serving.door import AGAIN_SECONDS, PATIENCE_SECONDS, PLACES, Door, Holdings


class Loop:
    """A worker as the door knows it: it turns when it is told to."""

    def __init__(self, stack: ExitStack, listener: socket.socket, number: int, holdings: Holdings) -> None:
        self.number, self.holdings, self.clients = number, holdings, []
        self._stack = stack
        self.poller = stack.enter_context(selectors.DefaultSelector())
        holdings.set(number, 0)
        self.door = Door(self.poller, [listener], self._accept, lambda: holdings.is_ahead(len(self.clients)))

    def _accept(self, listener: socket.socket) -> bool:
        try:
            client, _ = listener.accept()
        except BlockingIOError:
            return False
        self.clients.append(self._stack.enter_context(client))
        self.holdings.set(self.number, len(self.clients))
        return True

    def turn(self, now: float, most: int = 1) -> None:
        ready = self.poller.select(0)
        self.door.begin(now, most)
        for key, _ in ready:
            key.data()
        self.door.look()


class Hall:
    """Two workers with one listening socket, and clients that come."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=100))
        self._listener.setblocking(False)
        holdings = Holdings()
        self.first, self.second = (Loop(stack, self._listener, number, holdings) for number in (1, 2))

    def come(self, count: int) -> None:
        for _ in range(count):
            self._stack.enter_context(socket.create_connection(self._listener.getsockname()))


@pytest.fixture
def hall() -> Iterator[Hall]:
    with ExitStack() as stack:
        yield Hall(stack)


def test_clients_are_left_to_a_worker_that_has_fewer(hall):
    hall.come(16)
    for _ in range(30):
        hall.first.turn(10.0)
    assert len(hall.first.clients) == 1
    for _ in range(30):
        hall.second.turn(10.0)
        hall.first.turn(10.0)
    assert [len(hall.first.clients), len(hall.second.clients)] == [8, 8]


def test_clients_that_the_other_does_not_take_are_taken_and_for_a_while_without_waiting(hall):
    hall.come(16)
    hall.first.turn(10.0)
    hall.first.turn(10.0)
    late = 10.0 + 2 * PATIENCE_SECONDS
    hall.first.turn(late)
    assert len(hall.first.clients) == 2
    hall.first.turn(late, most=5)
    assert len(hall.first.clients) == 7
    for _ in range(9):
        hall.first.turn(late + 2 * AGAIN_SECONDS)
    assert len(hall.first.clients) == 7


def test_a_worker_that_is_behind_takes_all_so_that_nobody_waits_unseen(hall):
    hall.come(9)
    hall.first.turn(10.0)
    hall.first.turn(10.0)
    assert len(hall.first.clients) == 1
    hall.first.turn(10.0, most=100)
    hall.first.turn(10.0, most=100)
    assert len(hall.first.clients) == 9


def test_nobody_waits_for_a_worker_that_ended(hall):
    hall.come(4)
    hall.first.turn(10.0)
    hall.first.holdings.vacate(2)
    for _ in range(3):
        hall.first.turn(10.0)
    assert len(hall.first.clients) == 4


def test_a_door_that_was_closed_stays_so(hall):
    hall.first.turn(10.0)
    hall.first.door.close()
    hall.come(1)
    hall.first.turn(20.0)
    assert hall.first.clients == []


def test_the_number_of_a_worker_that_was_replaced_often_has_a_place():
    holdings = Holdings()
    holdings.set(3 * PLACES + 1, 5)
    assert holdings.is_ahead(6) and not holdings.is_ahead(5)
