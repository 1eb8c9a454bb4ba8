"""A TCP proxy to the server that can lose one request or one response, as a dying connection does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum

from psycopg.conninfo import conninfo_to_dict, make_conninfo

# The type of a server's message.
NOTIFICATION = b"A"


class Loss(Enum):
    """What the proxy loses next, together with the connection."""

    NOTHING = "nothing"
    REQUEST = "request"
    RESPONSE = "response"


class CuttingProxy:
    """Forwards bytes until a test makes it lose some."""

    def __init__(self, upstream: dict[str, str]) -> None:
        self._upstream = upstream
        self.next_loss = Loss.NOTHING
        self._carrying: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward a connection until either side is done."""
        task = asyncio.current_task()
        assert task is not None
        self._carrying[task] = writer
        try:
            await self._serve(reader, writer)
        finally:
            del self._carrying[task]

    async def cut(self) -> None:
        """End every open connection, in the middle of whatever it does."""
        left = dict(self._carrying)
        for writer in left.values():
            writer.close()
        await asyncio.gather(*left)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await self._dial()
        ways = [
            asyncio.create_task(self._carry(reader, server_writer, Loss.REQUEST)),
            asyncio.create_task(self._carry(server_reader, writer, Loss.RESPONSE)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            writer.close()
            server_writer.close()

    async def _dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, port = self._upstream["host"], self._upstream["port"]
        if host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(host, int(port))

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lost_when: Loss
    ) -> None:
        while data := await reader.read(65536):
            if self.next_loss is lost_when:
                self.next_loss = Loss.NOTHING
                return
            writer.write(data)
            await writer.drain()


class DeafProxy(CuttingProxy):
    """Forwards everything but notifications."""

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lost_when: Loss
    ) -> None:
        if lost_when is Loss.REQUEST:
            await super()._carry(reader, writer, lost_when)
            return
        while head := await reader.read(1):
            length = await reader.readexactly(4)
            body = await reader.readexactly(int.from_bytes(length, "big") - len(length))
            if head != NOTIFICATION:
                writer.write(head + length + body)
                await writer.drain()


@asynccontextmanager
async def cutting_proxy(
    dsn: str, kind: type[CuttingProxy] = CuttingProxy
) -> AsyncIterator[tuple[CuttingProxy, str]]:
    """Yield a proxy to the server of `dsn`, and the DSN of the proxy."""
    facts = {name: str(value) for name, value in conninfo_to_dict(dsn).items() if value is not None}
    proxy = kind({"host": facts.get("host", "localhost"), "port": facts.get("port", "5432")})
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    # TLS and GSS encryption would start with a handshake that the proxy would have to understand.
    through = make_conninfo(dsn, host="127.0.0.1", port=port, sslmode="disable", gssencmode="disable")
    try:
        yield proxy, through
    finally:
        server.close()
        await proxy.cut()
