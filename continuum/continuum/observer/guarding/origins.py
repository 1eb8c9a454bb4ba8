"""Whether a request comes from a page of ours, and under a name of ours. Pure functions."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


def host_is_known(host: str, known: Sequence[str]) -> bool:
    """Return whether the Host of a request is loopback, or one of these names; a port does not matter.

    Otherwise any page in the world could reach an observer on loopback under a name of its own that leads
    there.
    """
    if "*" in known:
        return True
    name = urlsplit(f"//{host}").hostname or ""
    return name in ("localhost", "127.0.0.1", "::1") or name in {_name(each) for each in known}


def _name(host: str) -> str:
    return urlsplit(f"//{host}").hostname or ""


def is_same_origin(headers: Mapping[str, str]) -> bool:
    """Return whether a request that changes something comes from a page of the same origin, or no page.

    Browsers say so in ``Sec-Fetch-Site``; older ones name the origin. What says neither is no browser, and
    has no cookie to be abused.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = headers.get("origin")
    if origin is None:
        return True
    return urlsplit(origin).netloc == headers.get("host")


def is_trusted(client: str | None, networks: Sequence[str]) -> bool:
    """Return whether a request comes from one of these networks."""
    try:
        address = ipaddress.ip_address(client or "")
    except ValueError:
        return False
    return any(address in ipaddress.ip_network(network) for network in networks)


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach what listens on this address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
