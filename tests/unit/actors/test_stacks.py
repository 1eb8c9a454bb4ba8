"""Where threads and tasks are, as a process says it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from continuum.operations.node_report import ProcessStacks
from continuum_actors.host import limits
from continuum_actors.node.stacks import stacks_of


async def waits(gate: asyncio.Event, depth: int = 0) -> None:
    """Wait, after so many calls."""
    if depth:
        await waits(gate, depth - 1)
    else:
        await gate.wait()


def told_of(depths: Sequence[int]) -> ProcessStacks:
    """Return what a process tells of tasks that wait after so many calls each."""

    async def main() -> ProcessStacks:
        gate = asyncio.Event()
        tasks = [asyncio.create_task(waits(gate, depth), name="secret") for depth in depths]
        await asyncio.sleep(0)
        told = stacks_of("run_host-1", "run_host", 7, asyncio.get_running_loop())
        gate.set()
        await asyncio.gather(*tasks)
        return told

    return asyncio.run(main())


def test_tasks_at_one_place_are_told_once_with_their_number() -> None:
    told = told_of([0] * 5)
    (stack,) = [stack for stack in told.stacks if stack.name == "waits"]
    assert (stack.kind, stack.number) == ("task", 5)
    assert [frame.rpartition(" ")[2] for frame in stack.frames] == ["waits", "Event.wait"]
    assert "secret" not in str(told)


def test_only_the_innermost_frames_are_told() -> None:
    (stack,) = [stack for stack in told_of([2 * limits.STACK_FRAMES]).stacks if stack.name == "waits"]
    assert len(stack.frames) == limits.STACK_FRAMES
    assert stack.frames[-1].endswith(" Event.wait")


def test_stacks_that_do_not_fit_are_counted() -> None:
    depths = [*range(60), 59, 59]
    told = told_of(depths)
    assert told.omitted > 0
    assert sum(len(frame) for stack in told.stacks for frame in stack.frames) <= limits.STACKS_BYTES
    assert told.omitted + sum(stack.number for stack in told.stacks) >= len(depths)
