"""`serving`: HTTP in a thread of the launcher, so that no process of the engine answers a request.

The launcher has no loop of its own and only waits for reports; uvicorn runs its loop in the thread. Whatever
else the node is to serve is another route (`routes`), such as the observer mounted at "/".
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import uvicorn
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from continuum.errors import InvalidOption

# What is under way when the node has stopped ends within this time.
GRACE_SECONDS = 2


class Hosted(Protocol):
    """An application that the server ends with itself."""

    def end_streams(self) -> None:
        """End answers that would never end; the server waits for every answer."""
        ...

    async def close(self) -> None:
        """Close what it has opened, in the loop of the server."""
        ...


@contextmanager
def serving(
    where: tuple[str, int], routes: Sequence[BaseRoute], hosted: Hosted | None = None
) -> Iterator[str]:
    """Serve routes until the end of the block; yield the address, as in a URL.

    `hosted` ends with the server. With port 0 the system chooses one. Raises `InvalidOption` for an address
    that cannot be listened at.
    """
    with _listener(*where) as listener:
        config = uvicorn.Config(
            Starlette(routes=list(routes)),
            # The log is that of the launcher.
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            # The address of a visitor is that of the connection, and not what a header says.
            proxy_headers=False,
            lifespan="off",
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        server = _Server(config, hosted)
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listener]}, name="continuum http", daemon=True
        )
        thread.start()
        host, port = listener.getsockname()[:2]
        try:
            yield f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        finally:
            server.should_exit = True
            thread.join(2 * GRACE_SECONDS)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, hosted: Hosted | None) -> None:
        super().__init__(config)
        self._hosted = hosted

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._hosted is not None:
            self._hosted.end_streams()
        await super().shutdown(sockets)
        if self._hosted is not None:
            await self._hosted.close()


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise InvalidOption(
            f"cannot listen for HTTP at {host}:{port}: {error.strerror or error}; choose another --http"
        ) from error
