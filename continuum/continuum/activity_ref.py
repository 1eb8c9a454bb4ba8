"""What a call that can be undone returns, and where it is noted until it is."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from continuum.engine.execution import Execution

if TYPE_CHECKING:
    from continuum.definitions.activity_calls import Deferred

R = TypeVar("R")
T = TypeVar("T")

innermost_block: ContextVar[list[Any] | None] = ContextVar("continuum_saga", default=None)
"""What the innermost `saga` block around this code, if any, has to undo."""


@dataclass(frozen=True, slots=True, eq=False)
class ActivityRef(Generic[R]):
    """A call made through `options(compensate=...)`: its `result`, and what undoes it.

    It belongs to the run that made the call; what is passed on or stored is `result`.
    """

    activity: str
    result: R
    undo: Deferred[Any] = field(repr=False)


@overload
def unwrap(value: ActivityRef[R]) -> R: ...
@overload
def unwrap(value: T) -> T: ...
def unwrap(value: Any) -> Any:
    """Return the result behind an `ActivityRef`; anything else as it is."""
    return value.result if isinstance(value, ActivityRef) else value


def note(execution: Execution, ref: ActivityRef[Any]) -> None:
    """Put a call last on the run's list of what may have to be undone, and on that of the block around it."""
    if execution.compensations is None:
        execution.compensations = {}
    execution.compensations[ref] = None
    block = innermost_block.get()
    if block is not None:
        block.append(ref)


def take(execution: Execution, ref: ActivityRef[Any]) -> bool:
    """Take a call off the run's list; False when it is not, or no more, on it."""
    noted = execution.compensations
    if noted is None or ref not in noted:
        return False
    del noted[ref]
    return True
