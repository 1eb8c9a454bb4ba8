"""When the timer wheel wakes runs."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from types import SimpleNamespace
from typing import cast

from continuum_actors.host.host import Host
from continuum_actors.host.limits import WOKEN_PER_TURN
from continuum_actors.host.messages import TimerDue
from continuum_actors.run.timer_wheel import TimerWheel
from continuum_supervision import Actor, spawn_nowait

DUE = 1_000


class _Run(Actor):
    """Counts the runs that were woken."""

    def __init__(self, woken: list[int], done: asyncio.Event | None = None) -> None:
        self._woken = woken
        self._done = done

    def handle_cast(self, message: object) -> None:
        assert isinstance(message, TimerDue)
        self._woken[0] += 1
        if self._done is not None:
            self._done.set()


def _host(writer: object) -> SimpleNamespace:
    return SimpleNamespace(
        journal=SimpleNamespace(now=lambda: DUE),
        writer=writer,
        settings=SimpleNamespace(longest_nap=10.0),
        live_runs=list,
    )


async def _counts(runs: int) -> list[int]:
    """Wake runs that are all due at once; return how many were awake after each turn of the loop."""
    wheel = TimerWheel(cast(Host, _host(SimpleNamespace(behind=False))))
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
    counts = asyncio.run(_counts(2 * WOKEN_PER_TURN + 1))

    steps = [after - before for before, after in pairwise(counts) if after > before]
    assert max(steps) <= WOKEN_PER_TURN
    assert sum(steps) == 2 * WOKEN_PER_TURN + 1


class _BehindFor:
    """A journal writer that is behind when it is asked so many times."""

    def __init__(self, looks: int, woken: list[int]) -> None:
        self._looks = looks
        self._woken = woken
        self.woken_meanwhile: list[int] = []

    @property
    def behind(self) -> bool:
        self.woken_meanwhile.append(self._woken[0])
        return len(self.woken_meanwhile) <= self._looks


async def _woken_while_behind(looks: int) -> list[int]:
    """Return how many runs are awake each time that the wheel asks whether the journal writer is behind."""
    woken, done = [0], asyncio.Event()
    writer = _BehindFor(looks, woken)
    wheel = TimerWheel(cast(Host, _host(writer)))
    of_wheel = spawn_nowait(wheel)
    wheel.arm(spawn_nowait(_Run(woken, done)), DUE)
    await done.wait()
    await of_wheel.stop()
    return writer.woken_meanwhile


def test_no_run_is_woken_while_many_writes_wait() -> None:
    """Each step of all other runs would come after theirs."""
    assert asyncio.run(_woken_while_behind(3)) == [0, 0, 0, 0]
