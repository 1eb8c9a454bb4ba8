"""When the timer wheel wakes runs."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from types import SimpleNamespace
from typing import cast

from continuum.telemetry.measures import Measures
from continuum_actors.host.host import Host
from continuum_actors.host.limits import TIMERS_PER_TURN
from continuum_actors.host.messages import TimerDue
from continuum_actors.run.timer_wheel import TimerWheel
from continuum_supervision import Actor, spawn_nowait

DUE = 1_000


class _Run(Actor):
    """Counts the runs that were woken."""

    def __init__(self, woken: list[int]) -> None:
        self._woken = woken

    def handle_cast(self, message: object) -> None:
        assert isinstance(message, TimerDue)
        self._woken[0] += 1


async def _counts(runs: int) -> list[int]:
    """Wake runs that are all due at once; return how many were awake after each turn of the loop."""
    host = SimpleNamespace(
        journal=SimpleNamespace(now=lambda: DUE),
        measures=Measures(),
        settings=SimpleNamespace(longest_nap=10.0),
        live_runs=list,
    )
    wheel = TimerWheel(cast(Host, host))
    of_wheel, woken, counts = spawn_nowait(wheel), [0], [0]
    for _ in range(runs):
        wheel.arm(spawn_nowait(_Run(woken)), DUE)
    while counts[-1] < runs:
        await asyncio.sleep(0)
        counts.append(woken[0])
    await of_wheel.stop()
    return counts


def test_runs_that_are_due_at_once_are_woken_in_parts() -> None:
    """Others get a turn in between: their timers, results and signals."""
    counts = asyncio.run(_counts(2 * TIMERS_PER_TURN + 1))

    steps = [after - before for before, after in pairwise(counts) if after > before]
    assert max(steps) <= TIMERS_PER_TURN
    assert sum(steps) == 2 * TIMERS_PER_TURN + 1
