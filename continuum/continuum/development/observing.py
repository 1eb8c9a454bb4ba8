"""Serves the observer beside the node of `continuum dev`, by the HTTP server that a node has."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from continuum.operations.account import account_name


@contextmanager
def observing(dsn: str, schema: str, host: str, port: int) -> Iterator[str]:
    """Serve the observer of a database until the end of the block; yield the link that signs its user in.

    `ModuleNotFoundError` without the extra, `InvalidOption` for an address that others can reach.
    """
    # Import late, in the thread that opens it: the node starts meanwhile.
    from continuum.node.http_server import serving
    from continuum.observer.hosted import HostedObserver
    from continuum.observer.options import ObserverOptions
    from continuum.observer.serve import check_address

    options = ObserverOptions()
    check_address(host, options)
    observer = HostedObserver(options, account_name())
    observer.found(dsn, schema)
    with serving((host, free_port(host, port)), observer.routes(), observer) as server:
        yield observer.address(server)


def free_port(host: str, port: int) -> int:
    """Return the port if nothing listens there, otherwise 0: then the system chooses one."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return 0
    return port
