"""`Doorkeeper`: finds out who makes a request: by a session, a token, headers or a function of the host."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.requests import Request

from continuum.errors import InvalidOption
from continuum.observer.guarding.origins import is_trusted
from continuum.observer.guarding.sessions import Session, Sessions
from continuum.observer.options import PROXY, TOKEN, ObserverOptions
from continuum.observer.visitor import Visitor, role_named

# What a proxy says of the person that it has authenticated.
USER_HEADER = "x-forwarded-user"
ROLE_HEADER = "x-forwarded-role"
PROTOCOL_HEADER = "x-forwarded-proto"


@dataclass(frozen=True, slots=True)
class Doorkeeper:
    """Finds out who makes a request."""

    options: ObserverOptions
    sessions: Sessions

    async def session(self, request: Request) -> Session | None:
        """Return the session of a request, or one that lasts for it alone; None for nobody."""
        options = self.options
        if not isinstance(options.auth, str):
            return self._of_request(request, await options.auth(request))
        if options.auth == PROXY:
            return self._of_request(request, self._behind_proxy(request))
        if options.auth == TOKEN and (token := _bearer(request)) is not None:
            visitor = self.with_token(token)
            return None if visitor is None else Session("", visitor)
        return self.sessions.session(request.cookies.get(self.sessions.cookie_name))

    def with_token(self, token: str) -> Visitor | None:
        """Return whose token this is; every comparison takes as long as any other."""
        found = None
        for known, visitor in self.options.tokens.items():
            if hmac.compare_digest(known.encode(), token.encode()):
                found = visitor
        return found

    def _behind_proxy(self, request: Request) -> Visitor | None:
        client = request.client.host if request.client else None
        if not is_trusted(client, self.options.trusted_proxies):
            return None
        name = request.headers.get(USER_HEADER)
        if not name:
            return None
        try:
            return Visitor(name, role_named(request.headers.get(ROLE_HEADER, "viewer")))
        except InvalidOption:
            return None

    def _of_request(self, request: Request, visitor: Visitor | None) -> Session | None:
        """Bind forms to the visitor's name: there is no session of ours."""
        return None if visitor is None else Session(f"name:{visitor.name}", visitor)


def is_secure(request: Request, trusted_proxies: Sequence[str]) -> bool:
    """Return whether the visitor came over TLS, to us or to a trusted proxy."""
    if request.url.scheme == "https":
        return True
    client = request.client.host if request.client else None
    return is_trusted(client, trusted_proxies) and request.headers.get(PROTOCOL_HEADER) == "https"


def _bearer(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None
