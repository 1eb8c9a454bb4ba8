"""The manual clock, and the clock of the loop."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from continuum_supervision import ManualClock, SystemClock
from tests.unit.supervision.probe import run


@given(st.lists(st.integers(0, 50)))
def test_callbacks_fire_in_the_order_in_which_they_fall_due(delays: list[int]) -> None:
    fired: list[tuple[float, int]] = []

    async def main() -> None:
        clock = ManualClock()
        for number, delay in enumerate(delays):
            clock.call_later(delay, lambda number=number: fired.append((clock.monotonic(), number)))
        await clock.advance(25)

    run(main())
    assert fired == sorted((delay, number) for number, delay in enumerate(delays) if delay <= 25)


def test_a_timer_set_by_a_task_that_a_timer_woke_fires_in_the_same_advance() -> None:
    async def main() -> None:
        clock, seen = ManualClock(), list[float]()

        async def chain() -> None:
            for _ in range(3):
                rung = asyncio.Event()
                clock.call_later(10, rung.set)
                await rung.wait()
                for _ in range(50):
                    await asyncio.sleep(0)
                seen.append(clock.monotonic())

        task = asyncio.create_task(chain())
        await clock.advance(30)
        await task
        assert seen == [10, 20, 30]

    run(main())


def test_a_cancelled_callback_never_fires_and_is_not_due() -> None:
    async def main() -> None:
        clock, fired = ManualClock(), list[int]()
        clock.call_later(1, fired.append, 1).cancel()
        clock.call_later(2, fired.append, 2)
        assert clock.next_due() == 2
        await clock.advance(5)
        assert (fired, clock.next_due(), clock.monotonic()) == ([2], None, 5)

    run(main())


def test_a_clock_does_not_go_back() -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match="cannot go back"):
            await ManualClock().advance(-1)

    run(main())


def test_the_system_clock_uses_the_time_of_the_loop() -> None:
    async def main() -> None:
        rung = asyncio.Event()
        before = SystemClock().monotonic()
        SystemClock().call_later(0, rung.set)
        await rung.wait()
        assert before <= SystemClock().monotonic() <= asyncio.get_running_loop().time()

    run(main())
