"""The instances that run in this process, by name, and which instance is the default.

`continuum.children(name=...)` registers its instance while it runs; `continuum.connect(name=...)`
finds it here. `continuum.configure` sets where the default instance is; it need not run here.
This module opens and closes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from continuum.client.in_process_port import InProcessPort
from continuum.errors import InstanceNotRegistered, InvalidOption
from continuum.journal.port import Journal
from continuum.quoting import quoted

DEFAULT = "default"
DEFAULT_SCHEMA = "continuum"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a client finds its journal. `dsn` None means the environment's, `schema` None the default one."""

    dsn: str | None = None
    name: str = DEFAULT
    schema: str | None = None
    listen: bool = True


@dataclass(frozen=True, slots=True)
class MemoryPlace:
    """A journal in memory, or an object of the application. It belongs to the loop that created it."""

    journal: Journal
    loop: asyncio.AbstractEventLoop


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance that runs here. Compared by identity: a restarted instance is another one."""

    name: str
    place: Place | MemoryPlace
    port: InProcessPort = field(default_factory=InProcessPort)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)


@dataclass(slots=True)
class _Known:
    """The instances of this process. Names change in one step, because other threads may read them."""

    running: dict[str, Instance]
    configured: Place | None = None


_known = _Known({})


@contextmanager
def registered(instance: Instance) -> Iterator[None]:
    """Register an instance under its name for the duration of the block."""
    if _known.running.setdefault(instance.name, instance) is not instance:
        raise InvalidOption(
            f"an instance named {quoted(instance.name)} runs in this process already; "
            "give this one another name with children(name=...)"
        )
    try:
        yield
    finally:
        del _known.running[instance.name]


def find(name: str) -> Instance | None:
    """Return the running instance of this name, if there is one."""
    return _known.running.get(name)


def port_to(place: Place | MemoryPlace, name: str, dsn: str | None) -> InProcessPort | None:
    """Return the port of a running instance whose journal is at this place, the one of this name first.

    `dsn` is the default one.
    """
    for instance in sorted(_known.running.values(), key=lambda running: running.name != name):
        other = instance.place
        if other is place:
            return instance.port
        if (
            isinstance(other, Place)
            and isinstance(place, Place)
            and _address(other, dsn) == _address(place, dsn)
        ):
            return instance.port
    return None


def _address(place: Place, dsn: str | None) -> tuple[str | None, str]:
    return place.dsn or dsn, place.schema or DEFAULT_SCHEMA


def configure_default(place: Place | None) -> None:
    """Set where the default instance is from now on, or with None forget it."""
    _known.configured = place


def configured_default() -> Place | None:
    """Return what was configured last, if anything was."""
    return _known.configured


def not_registered(name: str) -> InstanceNotRegistered:
    """Return the error for a name that no instance has."""
    names = ", ".join(sorted(_known.running)) or "none"
    return InstanceNotRegistered(
        f"no instance named {quoted(name)} runs in this process (running: {names}); "
        "start it with continuum.children(name=...), or pass a dsn"
    )
