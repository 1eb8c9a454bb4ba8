"""Lost, doubled, late and empty notifications change when a caller gets a result, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from continuum import Client
from continuum.codec.codec import encode
from continuum.engine.ids import RunId
from continuum.journal.facts import RunState, Transition
from continuum.journal.memory.journal import MemoryJournal
from continuum.journal.notification import Notification, Topic
from tests.unit.client.jumping_loop import run_jumping
from tests.unit.client.working import Ending, greeting

# What becomes of a notification: how many seconds later each of its copies comes, and whether it names runs.
FATE = st.lists(st.tuples(st.sampled_from([0.0, 0.01, 0.5, 30.0]), st.booleans()), max_size=3)
# What a caller does with a run, in seconds after its start: when it ends, and when the caller asks.
CALL = st.tuples(st.sampled_from([0.0, 0.001, 0.03, 2.0]), st.sampled_from([0.0, 0.001, 0.03, 2.0, 40.0]))
# Nobody waits for longer than this after the end: the rarest poll, and some more.
LATE = 10.0


class Fateful(MemoryJournal):
    """Passes on notifications as their fates say, and after those at once."""

    def __init__(self, fates: Sequence[Sequence[tuple[float, bool]]]) -> None:
        super().__init__()
        self._fates = iter(fates)

    async def notifications(
        self, topics: Sequence[Topic], *, channel: str | None = None
    ) -> AsyncIterator[Notification]:
        """Yield what is left of the notifications."""
        arrived: asyncio.Queue[Notification] = asyncio.Queue()

        async def listen() -> None:
            async for notification in super(Fateful, self).notifications(topics, channel=channel):
                for delay, named in next(self._fates, [(0.0, True)]):
                    copy = notification if named else Notification(notification.topic, ())
                    asyncio.get_running_loop().call_later(delay, arrived.put_nowait, copy)

        listening = asyncio.create_task(listen())
        try:
            while True:
                yield await arrived.get()
        finally:
            listening.cancel()


async def call(client: Client, ending: Ending, number: int, ends_after: float, asks_after: float) -> None:
    """Start a run and ask for its result; it is that of this run, and soon there."""
    loop = asyncio.get_running_loop()
    run = await client.start(greeting, "ann")
    ended_at = asyncio.create_task(end(ending, run.id, number, ends_after))
    await asyncio.sleep(asks_after)
    asked_at = loop.time()
    assert await run.result() == str(number)
    assert loop.time() <= max(await ended_at, asked_at) + LATE


async def end(ending: Ending, run_id: RunId, number: int, after: float) -> float:
    """End a run, and return when."""
    await asyncio.sleep(after)
    await ending.write(run_id, Transition(RunState.COMPLETED, result=encode(str(number))))
    return asyncio.get_running_loop().time()


@given(st.lists(FATE, max_size=6), st.lists(CALL, min_size=1, max_size=5))
@settings(deadline=None, max_examples=200)
def test_whatever_becomes_of_notifications_each_caller_gets_the_result_of_its_run(
    fates: list[list[tuple[float, bool]]], calls: list[tuple[float, float]]
) -> None:
    async def main() -> None:
        journal = Fateful(fates)
        async with Client(journal) as client, asyncio.TaskGroup() as group:
            ending = Ending(journal)
            for number, (ends_after, asks_after) in enumerate(calls):
                group.create_task(call(client, ending, number, ends_after, asks_after))

    run_jumping(main)
