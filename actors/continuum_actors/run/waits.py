"""What a live run waits for, from the terms of the replay core to those of the journal."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from continuum.engine.call_site import user_place
from continuum.engine.execution import Execution
from continuum.failures.exception_text import printable
from continuum.journal.wait import MOST_WAITS, NO_COMMAND, Wait


def waits_of(execution: Execution) -> tuple[Wait, ...]:
    """Return what the code waits for, signals first, at most `MOST_WAITS`; it must still be open.

    Signals that no code has taken follow those that it waits for: one of them may be meant. Without any
    that it waits for they come last, so that the first entry tells whether anything could wake the run.
    """
    return tuple(islice(_waits(execution), MOST_WAITS))


def _waits(execution: Execution) -> Iterator[Wait]:
    ended_by: set[int] = set()
    awaited = False
    for (name, site, seq), since in execution.signals_awaited():
        awaited = True
        timer = execution.timers.get(seq)
        if timer is not None:
            ended_by.add(seq)
        place = user_place(site)
        due = None if timer is None else timer.due
        yield Wait("signal", NO_COMMAND, name, since, due, None if place is None else printable(place))
    if awaited:
        yield from _unread(execution)
    for seq, activity in execution.pending.items():
        due = activity.deadline if activity.retry_due is None else activity.retry_due
        yield Wait("activity", seq, activity.name, activity.at, due)
    for seq, timer in execution.timers.items():
        if seq not in ended_by:
            yield Wait("timer", seq, "", timer.since, timer.due)
    for seq, child in (execution.children or {}).items():
        yield Wait("child", seq, child.workflow, child.at)
    if not awaited:
        yield from _unread(execution)


def _unread(execution: Execution) -> Iterator[Wait]:
    for name in execution.names_of_signals_kept():
        yield Wait("unread", NO_COMMAND, name, execution.time)
