"""The run queue of a loop."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from continuum_supervision import spawn
from tests.unit.supervision.probe import Probe


def test_actors_behind_an_interrupt_are_served_when_the_loop_runs_again() -> None:
    handled: list[int] = []
    refs: list[Any] = []

    def interrupt(_actor: Any) -> None:
        raise KeyboardInterrupt

    def record(number: int) -> Any:
        return lambda _actor: handled.append(number)

    async def cast_to_all() -> None:
        refs.extend([await spawn(Probe()) for _ in range(4)])
        for number, ref in enumerate(refs):
            ref.cast(interrupt if number == 1 else record(number))
        await asyncio.Event().wait()

    async def wait_for_the_rest() -> None:
        for number in (0, 2, 3):
            await refs[number].stop()

    with asyncio.Runner() as runner:
        with pytest.raises(KeyboardInterrupt):
            runner.run(cast_to_all())
        runner.run(wait_for_the_rest())
    assert handled == [0, 2, 3]
