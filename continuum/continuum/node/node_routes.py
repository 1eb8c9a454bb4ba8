"""What a node answers over HTTP: whether it is well, whether it takes work, and what it has counted."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from continuum.node.node_status import NodeStatus
from continuum.telemetry.prometheus_text import exposed


def node_routes(status: NodeStatus) -> list[Route]:
    """Return the routes of a node: /healthz, /readyz and /metrics."""

    async def healthz(request: Request) -> Response:
        return _answer(status.unhealthy())

    async def readyz(request: Request) -> Response:
        return _answer(status.not_claiming())

    async def metrics(request: Request) -> Response:
        text, content_type = exposed(status.counted(), accept=request.headers.get("accept", ""))
        return Response(text, headers={"content-type": content_type})

    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)]


def _answer(reason: str | None) -> Response:
    if reason is None:
        return PlainTextResponse("ok\n")
    return PlainTextResponse(f"{reason}\n", status_code=503)
