"""The plan of an orderly stop: in reverse start order, each child within its budget. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from .child_spec import ChildSpec, Shutdown


@dataclass(frozen=True, slots=True)
class KillChild:
    """Kill the child at once, without asking it to stop."""

    child_id: str


@dataclass(frozen=True, slots=True)
class StopChild:
    """Ask the child to stop and kill it after `budget` seconds; None is no limit."""

    child_id: str
    budget: float | None


def plan(specs: Sequence[ChildSpec]) -> tuple[KillChild | StopChild, ...]:
    """Return the steps that stop these children, which come in the order in which they were started."""
    return tuple(_step(spec) for spec in reversed(specs))


def _step(spec: ChildSpec) -> KillChild | StopChild:
    match spec.shutdown:
        case Shutdown.BRUTAL_KILL:
            return KillChild(spec.id)
        case Shutdown.INFINITY:
            return StopChild(spec.id, None)
        case int() | float() as budget:
            return StopChild(spec.id, budget)
        case never:
            assert_never(never)
