"""How often a client looks for the ends of runs, on virtual time: what passes is what it waits for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from continuum import Client
from continuum.client import completions
from continuum.client.completions import Completions
from continuum.client.limits import ENDS_REMEMBERED, LAST_POLL_SECONDS, POLLS_PER_SECOND
from continuum.engine.ids import RunId
from continuum.journal.ended_run import EndedRun
from continuum.journal.facts import RunRow
from continuum.journal.memory.journal import MemoryJournal
from continuum.journal.notification import Notification, Topic
from tests.contract.builders import new_run
from tests.unit.client.jumping_loop import run_jumping
from tests.unit.client.working import Ending, greeting

# Far more than the first look, and less than any poll.
AT_ONCE = 0.001


class Counting(MemoryJournal):
    """Counts what a client asks after ends, and passes on notifications only if it `notifies`."""

    notifies = True

    def __init__(self) -> None:
        super().__init__()
        self.looks: list[int] = []
        self.rows = self.doubts = 0

    async def ended(self, run_ids: Sequence[RunId]) -> list[EndedRun]:
        self.looks.append(len(run_ids))
        return await super().ended(run_ids)

    async def missing(self, run_ids: Sequence[RunId]) -> list[RunId]:
        self.doubts += 1
        return await super().missing(run_ids)

    async def get_run(self, run_id: RunId) -> RunRow | None:
        self.rows += 1
        return await super().get_run(run_id)

    def notifications(
        self, topics: Sequence[Topic], *, channel: str | None = None
    ) -> AsyncIterator[Notification]:
        return super().notifications(topics if self.notifies else [], channel=channel)


def test_a_result_right_after_the_start_costs_one_look() -> None:
    async def main() -> None:
        journal = Counting()
        async with Client(journal) as client:
            run = await client.start(greeting, "ann")
            waiting = asyncio.create_task(run.result())
            await asyncio.sleep(0)
            await Ending(journal).complete(run.id, "hello")
            assert await waiting == "hello"
            assert (journal.looks, journal.doubts, journal.rows) == ([1], 0, 0)

    run_jumping(main)


def test_the_result_of_a_run_that_ended_unheard_is_there_at_once() -> None:
    async def main() -> None:
        journal = Counting()
        journal.notifies = False
        async with Client(journal) as client:
            runs = [await client.start(greeting, "ann") for _ in range(3)]
            ending = Ending(journal)
            for run in runs:
                await ending.complete(run.id, "hello")
            await asyncio.sleep(1)
            began = asyncio.get_running_loop().time()
            for run in runs:
                assert await run.result() == "hello"
            assert asyncio.get_running_loop().time() - began < AT_ONCE

    run_jumping(main)


def test_an_end_notified_before_the_wait_began_is_there_at_once() -> None:
    async def main() -> None:
        journal = Counting()
        async with Client(journal) as client:
            first = await client.start(greeting, "ann")
            waiting = asyncio.create_task(first.result())
            await asyncio.sleep(0)
            began = asyncio.get_running_loop().time()
            second = await client.start(greeting, "ann")
            ending = Ending(journal)
            for run in (second, first):
                await ending.complete(run.id, "hello")
            await waiting
            assert await second.result() == "hello"
            assert asyncio.get_running_loop().time() - began < AT_ONCE

    run_jumping(main)


def test_ends_that_nobody_asks_for_are_forgotten() -> None:
    async def main() -> None:
        waits = Completions(MemoryJournal())
        for number in range(3 * ENDS_REMEMBERED):
            waits._look_soon(Notification(Topic.DONE, (str(number),)))
        assert len(waits._notified) == ENDS_REMEMBERED

    run_jumping(main)


@pytest.mark.parametrize("number", [1, 10, 300, 6000])
def test_the_looks_of_a_minute_are_bounded_and_cover_every_wait(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_ids, seconds = 100, 600
    monkeypatch.setattr(completions, "POLL_IDS", look_ids)

    async def main() -> None:
        journal = Counting()
        started = await journal.start([new_run(greeting.name) for _ in range(number)])
        waits, waiting = Completions(journal), []
        for run in started:
            waiting.append(asyncio.create_task(waits.wait(run.run_id)))
            await asyncio.sleep(10 / number)
        await asyncio.sleep(60)
        journal.looks.clear()
        await asyncio.sleep(seconds)
        await waits.close()
        await asyncio.gather(*waiting, return_exceptions=True)
        each = max(LAST_POLL_SECONDS, number / (look_ids * POLLS_PER_SECOND))
        assert sum(journal.looks) >= number * (seconds / each - 1)
        # Some looks are for fewer runs than fit.
        assert len(journal.looks) <= seconds * (POLLS_PER_SECOND + 1)

    run_jumping(main)


def test_a_look_after_a_notification_is_for_its_runs_alone() -> None:
    async def main() -> None:
        journal = Counting()
        runs = [run.run_id for run in await journal.start([new_run(greeting.name) for _ in range(500)])]
        waits = Completions(journal)
        waiting = [asyncio.create_task(waits.wait(run_id)) for run_id in runs]
        await asyncio.sleep(0.5)
        journal.looks.clear()
        await Ending(journal).complete(runs[7], "hello")
        assert (await waiting[7]).id == runs[7]
        assert journal.looks == [1]
        await waits.close()
        await asyncio.gather(*waiting, return_exceptions=True)

    run_jumping(main)
