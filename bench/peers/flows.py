"""The workflows of this engine that only the comparison with others needs."""

from __future__ import annotations

import asyncio
from datetime import datetime

import continuum
from bench.peers.driver import SLOW_STEP_SECONDS, lateness, mark
from continuum import activity, workflow


@workflow
async def nothing() -> int:
    """Do nothing, as a child."""
    return 1


@workflow
async def with_children(count: int) -> int:
    """Start so many children, then await each."""
    started = [await nothing.start_child(id=str(number)) for number in range(count)]
    done = 0
    for child in started:
        done += await child
    return done


@activity
def late_by(due: float) -> float:
    """Return by how many seconds a time has passed."""
    return lateness(due)


@workflow
async def sleep_until_due(when: datetime, due: float) -> float:
    """Sleep, and return how late the next step ran."""
    await continuum.sleep_until(when)
    return await late_by(due)


@activity
async def write_mark(marks: str, number: int, what: str) -> int:
    """Write one line to a file."""
    mark(marks, number, what)
    return number


@activity
async def slow_marked_step(i: int) -> int:
    """Wait, as a step does that uses the network."""
    await asyncio.sleep(SLOW_STEP_SECONDS)
    return i + 1


@workflow
async def marked_slow_steps(number: int, steps: int, marks: str) -> int:
    """Mark the begin, take slow steps, and mark the end."""
    await write_mark(marks, number, "begun")
    value = 0
    for _ in range(steps):
        value = await slow_marked_step(value)
    await write_mark(marks, number, "done")
    return value


WORKFLOWS = (with_children, sleep_until_due, marked_slow_steps)
