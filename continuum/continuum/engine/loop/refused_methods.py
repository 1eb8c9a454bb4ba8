"""The loop methods that a workflow's loop refuses, because they reach outside the workflow."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from continuum.errors import DeterminismError

LOOP_METHODS = (
    *("run_in_executor", "call_soon_threadsafe", "getaddrinfo", "getnameinfo", "set_default_executor"),
    *("create_connection", "create_server", "create_unix_connection", "create_unix_server"),
    *("create_datagram_endpoint", "connect_read_pipe", "connect_write_pipe", "connect_accepted_socket"),
    *("subprocess_exec", "subprocess_shell", "add_signal_handler", "remove_signal_handler"),
    *("add_reader", "remove_reader", "add_writer", "remove_writer", "sendfile", "start_tls"),
    *("sock_recv", "sock_recv_into", "sock_recvfrom", "sock_recvfrom_into", "sock_sendall", "sock_sendto"),
    *("sock_connect", "sock_accept", "sock_sendfile"),
    *("run_forever", "run_until_complete", "stop", "close", "set_task_factory"),
)


def refuse(name: str) -> Callable[..., NoReturn]:
    """Return a method that raises `DeterminismError` whenever it is called."""

    def refused(self: object, *args: object, **kwargs: object) -> NoReturn:
        raise DeterminismError(
            f"{name} reaches outside the workflow, which replay cannot repeat; do it in an activity"
        )

    refused.__name__ = name
    return refused
