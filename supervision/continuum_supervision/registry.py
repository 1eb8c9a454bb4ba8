"""Unique names for live actors.

A `Registry` is a plain object of one loop: asking it costs a dict lookup, no
message. An actor has at most one name, and a name is free again before anybody
hears that its actor ended, so that a successor can take it.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import assert_never

from .actor import Actor
from .ref import ActorRef


class NameTaken(ValueError):
    """Another actor has this name."""

    def __init__(self, name: Hashable, holder: ActorRef):
        super().__init__(f"the name {name!r} is taken by {holder!r}: use whereis() to find it")
        self.name = name
        self.holder = holder


class Registry:
    """Name to actor, one to one."""

    __slots__ = ("_refs", "_release")

    def __init__(self) -> None:
        self._refs: dict[Hashable, ActorRef] = {}
        # Bound once: every named actor holds this one object, not a copy each.
        self._release = self._forget

    def register(self, name: Hashable, ref: ActorRef) -> None:
        """Give an actor its name; raises NameTaken, or ActorDied for an actor that is dead."""
        holder = self._refs.get(name)
        if holder is not None:
            raise NameTaken(name, holder)
        ref.hold_name(name, self._release)
        self._refs[name] = ref

    def unregister(self, name: Hashable) -> None:
        """Take a name away from its actor; a name nobody has is no error."""
        ref = self._refs.pop(name, None)
        if ref is not None:
            ref.drop_name()

    def whereis(self, name: Hashable) -> ActorRef | None:
        """The live actor of that name."""
        ref = self._refs.get(name)
        return ref if ref is not None and ref.alive else None

    def names(self) -> tuple[Hashable, ...]:
        return tuple(self._refs)

    def __len__(self) -> int:
        return len(self._refs)

    def _forget(self, name: Hashable) -> None:
        self._refs.pop(name, None)


@dataclass(frozen=True, slots=True)
class WhereIs:
    """Ask a RegistryActor for the live actor of a name; answers a ref or None."""

    name: Hashable


@dataclass(frozen=True, slots=True)
class Names:
    """Ask a RegistryActor for all names; answers a tuple."""


class RegistryActor(Actor):
    """A registry with a place in a supervision tree.

    Give it the registry when that must outlive a restart of this actor.
    """

    def __init__(self, registry: Registry | None = None) -> None:
        self.registry = Registry() if registry is None else registry

    def handle_call(self, request: WhereIs | Names) -> ActorRef | tuple[Hashable, ...] | None:
        match request:
            case WhereIs(name):
                return self.registry.whereis(name)
            case Names():
                return self.registry.names()
            case never:
                assert_never(never)
