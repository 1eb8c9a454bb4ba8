"""Whether code does what a history says, found out without doing anything else.

The code is taken through the history and stopped at the first thing it asks for beyond: nothing
is read from the outside, drawn, logged or started.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any

from continuum.engine.call_site import Site, caller
from continuum.engine.drift_messages import asked_for, goes_on
from continuum.engine.events import Event, EventType
from continuum.engine.execution import Execution
from continuum.engine.outcome import Blocked

_AT_THE_END = Blocked("drift", "the history ends here")


class _DryExecution(Execution):
    """Stops where the history does."""

    __slots__ = ("asked",)

    asked: str

    @property
    def replaying(self) -> bool:
        """Always: what would be journaled, drawn or said anew is not."""
        return True

    def command(self, type: EventType, target: Any, site: Site, rest: tuple[Any, ...]) -> Event:
        """Match a command against history, or stop."""
        if self._cursor < len(self._history):
            return super().command(type, target, site, rest)
        self.check()
        self.asked = asked_for(type, target, caller(site))
        self.refuse(_AT_THE_END)


def _no_randomness(size: int) -> bytes:
    raise AssertionError("a dry pass draws nothing")


def dry_pass(
    program: Coroutine[Any, Any, Any],
    history: Sequence[Event],
    info: Any,
    *,
    started_at: int,
    now: int,
    definition: Any = None,
    depth: int = 0,
    complete: bool = False,
) -> Blocked | None:
    """Return why `program` cannot go on with `history`; None when it can.

    `complete` says that the run has ended with its last event: code that goes on after it has drifted too.
    """
    execution = _DryExecution(info, _no_randomness, definition, depth)
    outcome = execution.begin(program, history, started_at=started_at, now=now)
    execution.close()
    if outcome is _AT_THE_END:
        return goes_on(len(history), execution.asked) if complete else None
    if outcome is None and complete:
        return goes_on(len(history), None)
    return outcome if isinstance(outcome, Blocked) else None
