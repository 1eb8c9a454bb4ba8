"""The addresses of a node, checked before anything starts; a bad one is refused with one line."""

import errno
import ipaddress
import socket

from continuum_supervision.errors import AddressUnusable


def free_port(host: str) -> int:
    """Find a port at which no process listens."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def resolved(address: tuple[str, int], *, purpose: str) -> tuple[str, int]:
    """Resolve a host name to the IPv4 address at which nodes reach each other."""
    host, port = address
    if not 0 < port < 65536:
        raise AddressUnusable(f"port {port} cannot be used to {purpose}: choose one from 1 to 65535")
    try:
        found = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_STREAM)
    except OSError as error:
        raise AddressUnusable(f"{host} has no IPv4 address to {purpose} ({error}): name one") from error
    numeric = str(found[0][4][0])
    if ipaddress.ip_address(numeric).is_unspecified:
        raise AddressUnusable(
            f"{host} names no node that others could call: {purpose} an address of one interface"
        )
    return numeric, port


def refuse_unusable_address(host: str, port: int) -> None:
    """Raise AddressUnusable if a process cannot listen there now."""
    with socket.socket() as probe:
        # A connection that was just closed does not count, a listener does.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            raise AddressUnusable(_why_not(host, port, error)) from error


def _why_not(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is in use at {host}: stop what listens there or choose another port to bind"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is no address of this machine: bind to one that is"
    return f"{host}:{port} cannot be bound ({error.strerror}): choose another address to bind"
