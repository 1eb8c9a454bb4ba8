"""What a supervisor can be asked through `ref.call`, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from .child_spec import ChildSpec
from .ref import ActorRef


@dataclass(frozen=True, slots=True)
class WhichChildren:
    """Answers a tuple of ChildInfo in start order."""


@dataclass(frozen=True, slots=True)
class CountChildren:
    """Answers a ChildCount."""


@dataclass(frozen=True, slots=True)
class StartChild:
    """Add a child at the end and start it; answers its ref."""

    spec: ChildSpec


@dataclass(frozen=True, slots=True)
class TerminateChild:
    """Stop a child and keep its spec; nothing but RestartChild starts it again."""

    child_id: str


@dataclass(frozen=True, slots=True)
class RestartChild:
    """Start a child that is not running; answers its ref."""

    child_id: str


@dataclass(frozen=True, slots=True)
class DeleteChild:
    """Forget the spec of a child that is not running."""

    child_id: str


@dataclass(frozen=True, slots=True)
class ChildInfo:
    """A child as its supervisor sees it; `ref` is None while it does not run."""

    id: str
    ref: ActorRef | None
    spec: ChildSpec


@dataclass(frozen=True, slots=True)
class ChildCount:
    """How many children are specified and how many of them run."""

    specs: int
    active: int


Request: TypeAlias = WhichChildren | CountChildren | StartChild | TerminateChild | RestartChild | DeleteChild
