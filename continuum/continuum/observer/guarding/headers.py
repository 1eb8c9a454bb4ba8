"""The headers of every answer: nothing from elsewhere, nothing inline, no frames, no copies in caches."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from continuum.observer.guarding.origins import host_is_known


def policy(style_digest: str) -> str:
    """Return the content security policy; the style of the page itself is known by its digest."""
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            f"style-src 'self' '{style_digest}'",
            "img-src 'self'",
            "connect-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )


class Guarded:
    """An application whose every answer has the headers, and that is called by its own names alone."""

    def __init__(self, app: ASGIApp, style_digest: str, hosts: tuple[str, ...]) -> None:
        self._app = app
        self._hosts = hosts
        self._headers = {
            "content-security-policy": policy(style_digest),
            "x-content-type-options": "nosniff",
            "referrer-policy": "same-origin",
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
            "permissions-policy": "camera=(), geolocation=(), microphone=()",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers[name] = value
                if "cache-control" not in headers:
                    headers["cache-control"] = "no-store"
            await send(message)

        if not host_is_known(given.get("host", ""), self._hosts):
            refusal = "This observer is not known under this name; start it with --host NAME to allow one.\n"
            await PlainTextResponse(refusal, status_code=421)(scope, receive, sending)
            return
        await self._app(scope, receive, sending)
