"""Histories of runs, made in memory, to measure replay and resuming with."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import continuum
from bench.flows import steps_in_a_row
from continuum import workflow
from continuum.codec.codec import encode
from continuum.engine.events import Event, EventType
from continuum.engine.execution import Execution

STARTED_AT = 1_700_000_000_000_000


@workflow(name="bench.readings")
async def readings(count: int) -> int:
    """Read the time again and again."""
    for _ in range(count):
        continuum.now()
    return count


KINDS: dict[str, Callable[[int], Coroutine[Any, Any, int]]] = {
    "activities": steps_in_a_row.fn,
    "readings": readings.fn,
}


def execution() -> Execution:
    """Return a new execution."""
    return Execution(None, lambda size: b"\x07" * size)


def history_of(kind: str, events: int) -> list[Event]:
    """Return the first events of a longer run of this kind."""
    run, history, now = execution(), [], STARTED_AT
    run.begin(KINDS[kind](events), (), started_at=STARTED_AT, now=now)
    history += run.log.take_events()
    while len(history) < events:
        for activity in run.take_opened():
            now += 1_000
            run.apply(EventType.ACTIVITY_COMPLETED, (activity.seq, encode(1)), at=now)
            history += run.log.take_events()
    return history[:events]
