"""Describes for people what the code of a replayed run waits for."""

from __future__ import annotations

from continuum.engine.execution import Execution
from continuum.journal.untyped_values import at
from continuum.replays.histories import History


def waits_of(execution: Execution, history: History) -> tuple[str, ...]:
    """Return what the code of a replayed run waits for; its execution must still be open."""
    waits = [f"signal {name!r}" for name in execution.signals_waited_for()]
    for activity in execution.pending.values():
        retry = activity.retry_due
        waits.append(
            f"activity {activity.name}"
            if retry is None
            else f"attempt {activity.attempt} of {activity.name} at {_time(retry)}"
        )
    for seq in execution.timers:
        due, _, where = history.stored[seq].body[:3]
        waits.append(f"a timer due at {_time(due)} ({where})")
    waits += [f"child {child.workflow} {child.run_id}" for child in (execution.children or {}).values()]
    return tuple(waits)


def _time(microseconds: int) -> str:
    return at(microseconds).isoformat(timespec="seconds")
