"""`app`: the observer as an application to serve by itself, or to mount in a Starlette or FastAPI host."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, nullcontext
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from continuum.client import Client
from continuum.client.journals import journal_of
from continuum.errors import ContinuumError
from continuum.observer.answers import Answers
from continuum.observer.database_metrics import DatabaseMetricsRoute
from continuum.observer.guarding.headers import Guarded
from continuum.observer.guarding.links import Links
from continuum.observer.guarding.sessions import Sessions
from continuum.observer.guarding.visitors import Doorkeeper
from continuum.observer.options import LINK, Authenticate, ObserverOptions
from continuum.observer.pages import PAGES
from continuum.observer.place import place_of
from continuum.observer.rendering import Templates
from continuum.observer.visitor import Role, Visitor

log = logging.getLogger("continuum.observer")

SECRET_BYTES = 32

# What opens the client of a database, for as long as the observer needs it.
Opening = Callable[[], AbstractAsyncContextManager[Client]]


class Observer:
    """The application. It opens its connections with the first request, and closes them in `close`.

    A host that mounts it need not run its lifespan: Starlette does not run those of mounted applications.
    """

    def __init__(self, opening: Opening, options: ObserverOptions) -> None:
        self._opening_client = opening
        self._options = options
        self._links = Links()
        self._templates = Templates()
        self._exits = AsyncExitStack()
        self._opening = asyncio.Lock()
        self._ending = asyncio.Event()
        self._inner: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or take part in the lifespan of the server."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        try:
            inner = self._inner or await self._open()
        except ContinuumError as error:
            inner = PlainTextResponse(f"The observer cannot begin: {error}\n", status_code=503)
        await inner(scope, receive, send)

    def link(self, visitor: Visitor) -> str:
        """Return the path of a link that signs this visitor in, once."""
        return self._links.link(visitor)

    def entrance(self, starter: str) -> str:
        """Return the path that a person opens first: where a link signs in, one for `starter` as admin."""
        return self.link(Visitor(starter, Role.ADMIN)) if self._options.auth == LINK else "/"

    def end_streams(self) -> None:
        """End the streams of open pages: a server that stops would wait for them."""
        self._ending.set()

    async def close(self) -> None:
        """Close what was opened with the first request."""
        self.end_streams()
        self._inner = None
        await self._exits.aclose()

    async def _open(self) -> ASGIApp:
        async with self._opening:
            if self._inner is None:
                async with AsyncExitStack() as exits:
                    client = await exits.enter_async_context(self._opening_client())
                    place = await exits.enter_async_context(place_of(client))
                    self._exits = exits.pop_all()
                keeper = Doorkeeper(self._options, Sessions(await _secret(client)))
                answers = Answers(place, self._options, keeper, self._templates, self._links, self._ending)
                routed = _routed(answers, DatabaseMetricsRoute(keeper, place))
                self._inner = Guarded(routed, self._templates.style_digest, self._options.hosts)
            return self._inner

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.close()
                await send({"type": "lifespan.shutdown.complete"})
                return


def app(
    client: Client, auth: str | Authenticate = LINK, *, options: Mapping[str, Any] | None = None
) -> Observer:
    """Return the observer of a client's database, as an ASGI application.

    `auth` says who sees it: a function that takes the request and returns a `Visitor`, or None for nobody,
    or one of the words of `ObserverOptions`. `options` are the others of those.
    """
    return Observer(lambda: nullcontext(client), ObserverOptions(auth=auth, **(options or {})))


async def _secret(client: Client) -> bytes:
    """Return what signs sessions: the same for all observers of the database, or one for this process."""
    fresh = os.urandom(SECRET_BYTES)
    try:
        return await journal_of(client).shared_secret("observer", fresh)
    except ContinuumError as error:
        log.warning("sessions end with this process, for the database keeps no secret for it: %s", error)
        return fresh


def _routed(answers: Answers, metrics: DatabaseMetricsRoute) -> Starlette:
    routes: list[Route | Mount] = []
    for page in PAGES:
        routes += [
            Route(page.path, answers.page(page), methods=["GET"]),
            Route(f"/api/v1{'' if page.path == '/' else page.path}", answers.record(page), methods=["GET"]),
        ]
        if page.live:
            routes.append(Route(f"/live{page.path}", answers.stream(page), methods=["GET"]))
    routes += [
        Route("/actions/{action}", answers.change, methods=["POST"]),
        Route("/api/v1/openapi.json", answers.document, methods=["GET"]),
        Route("/metrics", metrics.answer, methods=["GET"]),
        Route("/healthz", _healthy, methods=["GET"]),
        Route("/link", answers.link, methods=["GET"]),
        Route("/sign-in", answers.sign_in, methods=["GET", "POST"]),
        Route("/sign-out", answers.sign_out, methods=["POST"]),
        Mount("/static", _Unchanging(packages=[("continuum.observer", "static")])),
    ]
    handlers = {404: answers.nothing_here, 405: answers.nothing_here, 500: answers.fault}
    return Starlette(routes=routes, exception_handlers=handlers)  # type: ignore[arg-type]  # narrower than theirs


async def _healthy(_request: Request) -> Response:
    """Tell a probe that this process answers: a restart would not help against a database that does not."""
    return PlainTextResponse("ok\n")


class _Unchanging(StaticFiles):
    """Files whose addresses name their version, so that browsers keep them."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["cache-control"] = "public, max-age=3600"
        return response
