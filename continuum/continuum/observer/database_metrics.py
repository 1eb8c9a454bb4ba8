"""What Prometheus scrapes from an observer: the metrics of the whole database."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from continuum.extras import needs_extra
from continuum.observer.guarding.origins import is_trusted
from continuum.observer.guarding.visitors import Doorkeeper
from continuum.observer.options import LINK
from continuum.observer.place import Place
from continuum.operations.database_metrics import read_database_metrics

_LOOPBACK = ("127.0.0.1", "::1")
_UNKNOWN = "send a token: Authorization: Bearer TOKEN\n"


class DatabaseMetricsRoute:
    """Answers with metrics: to those who may see the pages, and on loopback to this machine.

    They hold names of workflows, activities and queues, and no values. A one-time link signs no scraper in.
    """

    def __init__(self, keeper: Doorkeeper, place: Place) -> None:
        self._keeper = keeper
        self._place = place

    async def answer(self, request: Request) -> Response:
        """Answer one scrape."""
        if not self._is_near(request) and await self._keeper.session(request) is None:
            return PlainTextResponse(_UNKNOWN, status_code=401)
        try:
            # Import late: its library is in an extra of its own.
            from continuum.telemetry.prometheus_text import exposed
        except ModuleNotFoundError as error:
            missing = needs_extra("/metrics", error.name, "metrics")
            return PlainTextResponse(f"{missing}\n", status_code=501)
        found = await read_database_metrics(self._place.journal)
        text, content_type = exposed(*found, accept=request.headers.get("accept", ""))
        return Response(text, headers={"content-type": content_type})

    def _is_near(self, request: Request) -> bool:
        """Whether it comes from this machine, to an observer that only this machine reaches."""
        client = request.client.host if request.client else None
        if {"forwarded", "x-forwarded-for"} & set(request.headers):
            # Only the proxy is near.
            return False
        return self._keeper.options.auth == LINK and is_trusted(client, _LOOPBACK)
