"""`serve`: runs the observer by itself, with uvicorn, until it is stopped."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import nullcontext

import uvicorn

from continuum.client import Client
from continuum.errors import InvalidOption
from continuum.observer.app import Observer
from continuum.observer.guarding.origins import is_loopback
from continuum.observer.limits import SHUTDOWN_SECONDS
from continuum.observer.options import LINK, ObserverOptions


def check_address(host: str, options: ObserverOptions) -> None:
    """Refuse an address that others can reach without that anybody says who they are."""
    if options.auth == LINK and not is_loopback(host):
        raise InvalidOption(
            f"{host} can be reached from other machines: say who may see it with --auth token or --auth "
            "proxy, or listen on 127.0.0.1 and use a tunnel"
        )


async def serve(
    client: Client,
    host: str,
    port: int,
    options: ObserverOptions,
    *,
    starter: str,
    told: Callable[[str], None],
    stopping: asyncio.Event | None = None,
) -> None:
    """Serve the observer of a client's database until a signal ends the process, or `stopping` is set.

    `told` gets the address to open: with ``link``, one that signs `starter` in as admin, once. With port 0
    the system chooses one. Raises `InvalidOption` for an address that is too wide, `OSError` for one in use.
    """
    check_address(host, options)
    observer = Observer(lambda: nullcontext(client), options)
    config = uvicorn.Config(
        observer,
        host,
        port,
        log_level="warning",
        access_log=False,
        server_header=False,
        # The address of a visitor is that of the connection, and not what a header says.
        proxy_headers=False,
        # A page that stays open keeps nobody from stopping.
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    server = _Server(config, observer)
    listener = config.bind_socket()
    with listener:
        # A person may open the address as soon as it is printed.
        listener.listen()
        bound = listener.getsockname()[1]
        address = f"http://{f'[{host}]' if ':' in host else host}:{bound}"
        told(address + observer.entrance(starter))
        async with asyncio.TaskGroup() as tasks:
            waiting = None if stopping is None else tasks.create_task(_stop(server, stopping))
            await server.serve(sockets=[listener])
            if waiting is not None:
                waiting.cancel()


class _Server(uvicorn.Server):
    """Ends the streams of open pages first: it waits for the end of every answer."""

    def __init__(self, config: uvicorn.Config, observer: Observer) -> None:
        super().__init__(config)
        self._observer = observer

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._observer.end_streams()
        await super().shutdown(sockets)


async def _stop(server: uvicorn.Server, stopping: asyncio.Event) -> None:
    await stopping.wait()
    server.should_exit = True
