"""Serves the observer beside the node of `continuum dev`, in a thread with a loop of its own."""

from __future__ import annotations

import asyncio
import socket
import threading
from importlib.util import find_spec

from continuum.client.connecting import connect
from continuum.operations.account import account_name

# What the extra `observer` brings, as far as it is imported first.
_NEEDS = ("starlette", "uvicorn", "jinja2", "sse_starlette", "itsdangerous")


def missing_part() -> str | None:
    """Return the first package that the observer needs and that is not installed."""
    return next((name for name in _NEEDS if find_spec(name) is None), None)


class Observing:
    """An observer in a thread; `link` is what signs its user in, None if it could not be served."""

    def __init__(self, dsn: str, schema: str, host: str, port: int) -> None:
        self.link: str | None = None
        self.error: BaseException | None = None
        self._told = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(
            target=self._run, args=(dsn, schema, host, port), name="continuum observer", daemon=True
        )
        self._thread.start()

    def wait(self) -> None:
        """Return once there is a link, or an error."""
        self._told.wait()

    def close(self) -> None:
        """Stop serving; return when it is over."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()

    def _run(self, *where: object) -> None:
        try:
            self._loop.run_until_complete(self._serve(*where))  # type: ignore[arg-type]
        except BaseException as error:  # noqa: BLE001 - the node works without it; its user sees why
            self.error = error
        finally:
            self._loop.close()
            self._told.set()

    async def _serve(self, dsn: str, schema: str, host: str, port: int) -> None:
        # Import late, in this thread: the node starts meanwhile.
        from continuum.observer.options import ObserverOptions
        from continuum.observer.serve import serve

        async with connect(dsn, schema=schema) as client:
            await serve(
                client,
                host,
                free_port(host, port),
                ObserverOptions(),
                starter=account_name(),
                told=self._tell,
                stopping=self._stopping,
            )

    def _tell(self, link: str) -> None:
        self.link = link
        self._told.set()


def free_port(host: str, port: int) -> int:
    """Return the port if nothing listens there, otherwise 0: then the system chooses one."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return 0
    return port
