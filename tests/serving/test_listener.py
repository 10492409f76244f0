"""The end of listening, where the system does not help."""

import socket

from slipway.serving.listener import refuse


class Locked(socket.socket):
    """A socket that takes no filter, as in a container without the right."""

    def setsockopt(self, *arguments) -> None:
        raise PermissionError(1, "Operation not permitted")


def test_a_system_that_forbids_filters_does_not_end_the_server():
    with socket.create_server(("127.0.0.1", 0)) as plain, Locked(fileno=plain.detach()) as listener:
        refuse([listener])
        with socket.create_connection(listener.getsockname()):
            listener.accept()[0].close()
