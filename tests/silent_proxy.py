"""A TCP proxy to the server that can fall silent: it acknowledges, forwards nothing and closes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from psycopg.conninfo import conninfo_to_dict, make_conninfo

CLOSE_SECONDS = 1.0


class SilentProxy:
    """Forwards bytes until a test makes it fall silent."""

    def __init__(self, host: str, port: str) -> None:
        self._host, self._port = host, port
        self._tasks: set[asyncio.Task[None]] = set()
        # Connections that were made before this many silences are silent.
        self._silences = 0
        self.accepted = 0
        # Whether new connections are accepted and then ignored.
        self.ignores = False
        self.swallowed = asyncio.Event()

    def fall_silent(self) -> None:
        """Swallow from now on what comes on the connections that are open now."""
        self._silences += 1
        self.swallowed.clear()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward a connection until either side is done."""
        self.accepted += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        except asyncio.CancelledError:
            # The proxy ends. The callback of asyncio's streams cannot take a task that was cancelled.
            pass
        finally:
            await _close(writer)
            self._tasks.discard(task)

    async def end(self) -> None:
        """End every connection."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        born = self._silences
        if self.ignores:
            while await reader.read(65536):
                self.swallowed.set()
            return
        if self._host.startswith("/"):
            upstream = await asyncio.open_unix_connection(f"{self._host}/.s.PGSQL.{self._port}")
        else:
            upstream = await asyncio.open_connection(self._host, int(self._port))
        ways = [
            asyncio.create_task(self._carry(reader, upstream[1], born)),
            asyncio.create_task(self._carry(upstream[0], writer, born)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # Before anything is awaited: the proxy may end meanwhile.
            upstream[1].close()
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            await _close(upstream[1])

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, born: int) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                if born < self._silences:
                    self.swallowed.set()
                    continue
                writer.write(data)
                await writer.drain()


async def _close(writer: asyncio.StreamWriter) -> None:
    """Close a connection before the loop ends; what nobody reads is dropped."""
    writer.close()
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await writer.wait_closed()
    except OSError:  # TimeoutError is one
        writer.transport.abort()


@asynccontextmanager
async def silent_proxy(dsn: str) -> AsyncIterator[tuple[SilentProxy, str]]:
    """Yield a proxy to the server of `dsn`, and the DSN of the proxy."""
    facts = {name: str(value) for name, value in conninfo_to_dict(dsn).items() if value is not None}
    proxy = SilentProxy(facts.get("host", "localhost"), facts.get("port", "5432"))
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    # TLS and GSS encryption would start with a handshake that the proxy would have to understand.
    through = make_conninfo(dsn, host="127.0.0.1", port=port, sslmode="disable", gssencmode="disable")
    try:
        yield proxy, through
    finally:
        server.close()
        await proxy.end()
