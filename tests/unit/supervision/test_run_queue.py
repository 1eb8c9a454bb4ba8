"""The turns that the actors of one loop take."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from continuum_supervision import spawn
from tests.unit.supervision.probe import Probe


def test_actors_that_were_next_when_an_interrupt_left_the_loop_are_served_when_it_runs_again() -> None:
    heard: list[int] = []
    refs: list[Any] = []

    def interrupt(_actor: Any) -> None:
        raise KeyboardInterrupt

    def hear(number: int) -> Any:
        return lambda _actor: heard.append(number)

    async def tell_all() -> None:
        refs.extend([await spawn(Probe()) for _ in range(4)])
        for number, ref in enumerate(refs):
            ref.cast(interrupt if number == 1 else hear(number))
        await asyncio.Event().wait()

    async def wait_for_the_rest() -> None:
        for number in (0, 2, 3):
            await refs[number].stop()

    with asyncio.Runner() as runner:
        with pytest.raises(KeyboardInterrupt):
            runner.run(tell_all())
        runner.run(wait_for_the_rest())
    assert heard == [0, 2, 3]
