"""Starts through the run host in this process, and by the client itself whatever that one does."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine, Sequence
from typing import ParamSpec

import pytest

from continuum.client import starting
from continuum.client.completions import LONG_AGO, Completions
from continuum.client.in_process_port import InProcessPort
from continuum.client.limits import ENDS_REMEMBERED, KNOWN_END_BYTES
from continuum.client.starting import Starting
from continuum.engine.ids import RunId
from continuum.errors import JournalUnavailable, NotReady, RunNotFound
from continuum.journal.announced_run import NewRun
from continuum.journal.ended_run import EndedRun
from continuum.journal.facts import RunState, Started
from continuum.journal.memory.journal import MemoryJournal

P = ParamSpec("P")

RUN = NewRun(RunId("r"), "orders", b"")


class Starter:
    """A run host with one answer."""

    def __init__(self, say: Callable[[], asyncio.Future[bool] | None]) -> None:
        self._say = say

    def try_start(self, run: NewRun) -> asyncio.Future[bool] | None:
        return self._say()

    def is_live(self, run_id: RunId) -> bool:
        return run_id != "elsewhere"


def in_a_loop(test: Callable[P, Coroutine[None, None, None]]) -> Callable[P, None]:
    """Run a test in a loop of its own."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


def said(created: bool | None) -> Callable[[], asyncio.Future[bool]]:
    """Return the answer of a host; with None it never comes."""

    def say() -> asyncio.Future[bool]:
        outcome: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        if created is not None:
            outcome.set_result(created)
        return outcome

    return say


class Group:
    """The client's own starts."""

    def __init__(self) -> None:
        self.started: list[RunId] = []

    async def start(self, runs: Sequence[NewRun]) -> list[Started]:
        self.started += [run.id for run in runs]
        return [Started(run.id, True) for run in runs]


def starting_with(say: Callable[[], asyncio.Future[bool] | None]) -> tuple[Starting, Group]:
    """Return the starts of a client beside a host that says this."""
    port, group = InProcessPort(), Group()
    port.open(Starter(say))
    return Starting(group.start, port), group


@in_a_loop
async def test_a_run_that_the_host_has_created_is_started() -> None:
    starts, group = starting_with(said(True))
    assert await starts.add(RUN) == Started(RUN.id, False)
    assert group.started == []


@pytest.mark.parametrize("say", [lambda: None, said(False)], ids=["leaves it", "did not create it"])
@in_a_loop
async def test_a_run_that_the_host_has_not_created_is_started_by_the_client(
    say: Callable[[], asyncio.Future[bool] | None],
) -> None:
    starts, group = starting_with(say)
    assert await starts.add(RUN) == Started(RUN.id, True)
    assert group.started == [RUN.id]


@in_a_loop
async def test_the_client_does_not_wait_for_the_host_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "HOST_START_SECONDS", 0.01)
    starts, group = starting_with(said(None))
    assert await starts.add(RUN) == Started(RUN.id, True)
    assert group.started == [RUN.id]


@in_a_loop
async def test_a_client_that_closes_says_that_the_outcome_is_not_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(starting, "CLOSE_SECONDS", 0.01)
    starts, _ = starting_with(said(None))
    waiting = asyncio.create_task(starts.add(RUN))
    await asyncio.sleep(0)
    await starts.close()
    with pytest.raises(JournalUnavailable, match="may have taken effect"):
        await waiting
    with pytest.raises(NotReady):
        await starts.add(RUN)


@in_a_loop
async def test_a_start_that_is_given_up_cancels_nothing_else() -> None:
    outcome: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    starts, _ = starting_with(lambda: outcome)
    waiting = asyncio.create_task(starts.add(RUN))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await starts.close()


@in_a_loop
async def test_a_host_that_has_left_begins_nothing() -> None:
    port, first, second = InProcessPort(), Starter(said(True)), Starter(said(True))
    assert port.try_start(RUN) is None
    port.open(first)
    port.open(second)
    port.close(first)
    assert port.try_start(RUN) is not None
    port.close(second)
    assert port.try_start(RUN) is None


def an_end(run_id: str, result: bytes = b"") -> EndedRun:
    """Return the end of a run."""
    return EndedRun(RunId(run_id), RunState.COMPLETED, result, None, None, RunId(run_id), None)


@in_a_loop
async def test_an_end_is_told_to_who_waits_and_to_who_asks_later() -> None:
    """Told twice it is the same."""
    port, completions = InProcessPort(), Completions(MemoryJournal())
    port.listen(completions.ended)
    waiting = asyncio.create_task(completions.wait(RunId("a")))
    await asyncio.sleep(0)
    for _ in range(2):
        port.ended(an_end("a"))
    assert await waiting == an_end("a")
    port.ended(an_end("b"))
    assert await completions.wait(RunId("b")) == an_end("b")
    port.forget(completions.ended)
    port.ended(an_end("c"))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await completions.wait(RunId("c"))
    await completions.close()


@in_a_loop
async def test_an_end_is_told_in_no_other_loop() -> None:
    """A future of another thread's loop must not be set from here: its waiter would not wake."""
    port, told = InProcessPort(), list[EndedRun]()

    async def elsewhere() -> None:
        port.listen(told.append)

    await asyncio.to_thread(asyncio.run, elsewhere())
    port.ended(an_end("a"))
    assert told == []
    port.forget(told.append)
    port.listen(told.append)
    port.ended(an_end("a"))
    assert told == [an_end("a")]


class Looked(MemoryJournal):
    """Records for which runs it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.looked_for: set[str] = set()

    async def ended(self, run_ids: Sequence[RunId]) -> list[EndedRun]:
        self.looked_for.update(run_ids)
        return []


@in_a_loop
async def test_a_wait_for_a_run_that_is_live_here_does_not_look_for_it_soon() -> None:
    """Even one that was started long ago; the host will tell."""
    journal, port = Looked(), InProcessPort()
    completions = Completions(journal, first_poll=3600.0, port=port)
    port.listen(completions.ended)
    port.open(Starter(said(True)))
    waiting = asyncio.create_task(completions.wait(RunId("a"), LONG_AGO))
    # Another wait of the same poll, which looks for it at once and does not find it.
    with pytest.raises(RunNotFound):
        await completions.wait(RunId("elsewhere"), LONG_AGO)
    port.ended(an_end("a"))
    assert await waiting == an_end("a")
    assert journal.looked_for == {"elsewhere"}
    await completions.close()


@in_a_loop
async def test_ends_that_nobody_asks_for_are_forgotten_and_large_ones_not_kept() -> None:
    completions = Completions(MemoryJournal())
    completions.ended(an_end("large", bytes(KNOWN_END_BYTES + 1)))
    for number in range(ENDS_REMEMBERED + 1):
        completions.ended(an_end(str(number)))
    assert len(completions._known_ends) == ENDS_REMEMBERED
    assert await completions.wait(RunId(str(ENDS_REMEMBERED))) == an_end(str(ENDS_REMEMBERED))
    for run_id in ("large", "0"):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await completions.wait(RunId(run_id))
    await completions.close()
