"""`Visitors`: an observer without a server or a browser, and those who call it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import Any

import httpx

from continuum.client import Client
from continuum.journal.memory.journal import MemoryJournal
from continuum.observer.app import Observer
from continuum.observer.options import ObserverOptions
from continuum.observer.visitor import Role, Visitor

ADA = Visitor("ada", Role.ADMIN)


@asynccontextmanager
async def observed(
    client: Client | None = None, visitor: Visitor | None = ADA, peer: str = "127.0.0.1", **options: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """Yield what calls an observer of a client's journal, by default an empty one, signed in as `visitor`."""
    async with client or Client(MemoryJournal()) as known:
        observer = Observer(lambda: nullcontext(known), ObserverOptions(**options))
        transport = httpx.ASGITransport(app=observer, client=(peer, 12345))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as caller:
            if visitor is not None:
                answer = await caller.get(observer.link(visitor))
                assert answer.status_code == 200
            yield caller
        await observer.close()


def form_token(page: str) -> str:
    """Return the token of the first form of a page."""
    return page.partition('name="form" value="')[2].partition('"')[0]
