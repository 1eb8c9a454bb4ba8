"""Unique names for live actors.

A `Registry` is a plain object of one loop: a lookup costs a dict access and no message. An actor has at most
one name. When it ends, the name is free before anybody is notified, so that a successor can take it.
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
    """Maps names to actors, one to one."""

    __slots__ = ("_refs", "_release")

    def __init__(self) -> None:
        self._refs: dict[Hashable, ActorRef] = {}
        # Bound once, so that all named actors share one object.
        self._release = self._remove

    def register(self, name: Hashable, ref: ActorRef) -> None:
        """Give an actor its name; raises NameTaken, or ActorDied if the actor is dead."""
        holder = self._refs.get(name)
        if holder is not None:
            raise NameTaken(name, holder)
        ref.hold_name(name, self._release)
        self._refs[name] = ref

    def unregister(self, name: Hashable) -> None:
        """Remove a name from its actor; it is no error if no actor has it."""
        ref = self._refs.pop(name, None)
        if ref is not None:
            ref.drop_name()

    def whereis(self, name: Hashable) -> ActorRef | None:
        """Return the live actor of that name, or None."""
        ref = self._refs.get(name)
        return ref if ref is not None and ref.alive else None

    def names(self) -> tuple[Hashable, ...]:
        return tuple(self._refs)

    def __len__(self) -> int:
        return len(self._refs)

    def _remove(self, name: Hashable) -> None:
        self._refs.pop(name, None)


@dataclass(frozen=True, slots=True)
class WhereIs:
    """Ask a RegistryActor for the live actor of a name; it replies with a ref or None."""

    name: Hashable


@dataclass(frozen=True, slots=True)
class Names:
    """Ask a RegistryActor for all names; it replies with a tuple."""


class RegistryActor(Actor):
    """A registry as an actor, with a place in a supervision tree.

    Pass a registry that must survive a restart of this actor; otherwise it makes an empty one.
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
