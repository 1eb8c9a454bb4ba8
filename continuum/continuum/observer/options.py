"""`ObserverOptions`: how an observer is set up. Data only, checked when it is made."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from continuum.errors import InvalidOption
from continuum.quoting import quoted

if TYPE_CHECKING:
    from starlette.requests import Request

    from continuum.observer.visitor import Visitor

# A function of the host application that says who makes a request; None for nobody.
Authenticate = Callable[["Request"], Awaitable["Visitor | None"]]

LINK = "link"
TOKEN = "token"
PROXY = "proxy"


@dataclass(frozen=True, slots=True)
class ObserverOptions:
    """How an observer is set up.

    `auth` is ``link`` (a one-time link, printed at the start), ``token`` (tokens that `tokens` maps to
    visitors), ``proxy`` (headers of a proxy in `trusted_proxies`), or a function that returns the visitor of
    a request. `hosts` are the host names under which it may be called, besides loopback; ``*`` is any. With
    `read_only` nobody changes anything. `redact` are paths of values that nobody sees, such as ``*.card``:
    names with ``*`` for any part.
    """

    auth: str | Authenticate = LINK
    tokens: dict[str, Visitor] = field(default_factory=dict)
    trusted_proxies: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    read_only: bool = False
    redact: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if isinstance(self.auth, str) and self.auth not in (LINK, TOKEN, PROXY):
            raise InvalidOption(f"auth is {LINK}, {TOKEN}, {PROXY} or a function, not {quoted(self.auth)}")
        if self.auth == TOKEN and not self.tokens:
            raise InvalidOption("auth=token needs tokens; name a file of them with --tokens")
        if self.auth == PROXY and not self.trusted_proxies:
            raise InvalidOption(
                "auth=proxy needs the address of the proxy; name it with --trusted-proxy, for anybody else "
                "could send its headers"
            )
        for network in self.trusted_proxies:
            try:
                ipaddress.ip_network(network)
            except ValueError:
                raise InvalidOption(
                    f"a trusted proxy is an address or a network like 10.0.0.0/8, not {quoted(network)}"
                ) from None
