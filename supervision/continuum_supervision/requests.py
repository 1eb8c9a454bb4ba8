"""The requests that a supervisor accepts through `ref.call`, and its replies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from .child_spec import ChildSpec
from .ref import ActorRef


@dataclass(frozen=True, slots=True)
class WhichChildren:
    """Replies with a tuple of ChildInfo in start order."""


@dataclass(frozen=True, slots=True)
class CountChildren:
    """Replies with a ChildCount."""


@dataclass(frozen=True, slots=True)
class StartChild:
    """Add a child at the end and start it; replies with its ref."""

    spec: ChildSpec


@dataclass(frozen=True, slots=True)
class TerminateChild:
    """Stop a child and keep its spec; only RestartChild starts it again."""

    child_id: str


@dataclass(frozen=True, slots=True)
class RestartChild:
    """Start a child that is not running; replies with its ref."""

    child_id: str


@dataclass(frozen=True, slots=True)
class DeleteChild:
    """Remove the spec of a child that is not running."""

    child_id: str


@dataclass(frozen=True, slots=True)
class ChildInfo:
    """A child as its supervisor sees it; `ref` is None while it does not run."""

    id: str
    ref: ActorRef | None
    spec: ChildSpec


@dataclass(frozen=True, slots=True)
class ChildCount:
    """The number of specs, and of children that run."""

    specs: int
    active: int


Request: TypeAlias = WhichChildren | CountChildren | StartChild | TerminateChild | RestartChild | DeleteChild
