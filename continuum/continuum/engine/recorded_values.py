"""Commands whose answer is known at once: recorded reads of the outside, and patch decisions.

None of them waits for a commit; a replay takes the answer from the history.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from continuum.engine import side_effect_errors
from continuum.engine.call_site import Site
from continuum.engine.events import EventType
from continuum.engine.execution import Execution
from continuum.engine.snapshot_replay import AHEAD, COMMAND, value_ahead


def recorded_value(execution: Execution, kind: str, site: Site, produce: Callable[[], Any]) -> Any:
    """Return the journaled value of `produce`, or raise its journaled failure, calling it only once."""
    if execution.compact is not None:
        rest = value_ahead(execution, execution.compact, COMMAND, EventType.SIDE_EFFECT, kind, site)
        if rest is not AHEAD:
            return rest[0] if len(rest) == 1 else _raise(rest)
    execution.check()
    recorded = (None,) if execution.replaying else _attempt(execution, produce)
    body = execution.command(EventType.SIDE_EFFECT, kind, site, recorded).body
    return body[3] if len(body) == 4 else _raise(body[3:])


def _raise(recorded: tuple[Any, ...]) -> NoReturn:
    raise side_effect_errors.raised(*recorded[1:])


def _attempt(execution: Execution, produce: Callable[[], Any]) -> tuple[Any, ...]:
    execution.in_side_effect = True
    try:
        return side_effect_errors.attempt(produce)
    finally:
        execution.in_side_effect = False


def reached_patch(execution: Execution, name: str, site: Site) -> bool:
    """Return whether the run reached patch `name` first with code that has it."""
    execution.check()
    decisions = execution.patches
    if decisions is None:
        decisions = execution.patches = {}
    known = decisions.get(name)
    if known is None:
        recorded = execution.next_recorded()
        # Only its own marker: one of another name belongs to another call.
        known = recorded is None or (recorded.type == EventType.PATCHED and recorded.body[0] == name)
        if known:
            execution.command(EventType.PATCHED, name, site, ())
        decisions[name] = known
    return known
