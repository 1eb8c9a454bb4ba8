"""Which runs the signal router reads mail for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

from continuum.client.in_process_port import InProcessPort
from continuum.engine.ids import RunId
from continuum.journal.notification import Topic
from continuum_actors.host.host import Host
from continuum_actors.host.limits import WOKEN_PER_TURN
from continuum_actors.host.messages import LookForMail, Notified
from continuum_actors.run.signal_router import SignalRouter


class _Journal:
    """Records what mail is asked for; each of `mailed` has some."""

    def __init__(self, mailed: Sequence[RunId] = ()) -> None:
        self.asked: asyncio.Queue[Sequence[RunId] | None] = asyncio.Queue()
        self._mailed = mailed

    async def inbox(self, worker: object, run_ids: Sequence[RunId] | None) -> list[Any]:
        self.asked.put_nowait(run_ids)
        return [
            SimpleNamespace(run_id=run_id) for run_id in self._mailed if run_ids is None or run_id in run_ids
        ]


class _Writer:
    """Never behind, or behind until `catch_up` is called: then who waits for that is recorded."""

    def __init__(self, waits: asyncio.Queue[Any] | None = None) -> None:
        self._waits = waits
        self._caught_up = asyncio.Event()
        if waits is None:
            self._caught_up.set()

    def catch_up(self) -> None:
        self._caught_up.set()

    async def caught_up(self) -> None:
        if self._waits is not None and not self._caught_up.is_set():
            self._waits.put_nowait("waits")
        await self._caught_up.wait()


@asynccontextmanager
async def _fetching(journal: _Journal, writer: _Writer, *looks: LookForMail) -> AsyncIterator[None]:
    """Have a router fetch mail after these messages; no run is live."""
    host = SimpleNamespace(
        journal=journal,
        writer=writer,
        settings=SimpleNamespace(poll_seconds=3600.0),
        registry=SimpleNamespace(whereis=lambda _: None),
        random_fraction=lambda: 0.5,
        registered_worker=lambda: None,
    )
    router = SignalRouter(cast(Host, host))
    for look in looks:
        router.handle_cast(look)
    fetching = asyncio.create_task(router._fetch_for_ever())
    try:
        yield
    finally:
        fetching.cancel()
        await asyncio.gather(fetching, return_exceptions=True)


async def _asked(
    times: int, *looks: LookForMail, mailed: Sequence[RunId] = ()
) -> list[Sequence[RunId] | None]:
    """Return what a router asks for after these messages."""
    journal = _Journal(mailed)
    async with _fetching(journal, _Writer(), *looks):
        return [await journal.asked.get() for _ in range(times)]


def test_a_client_beside_the_host_learns_which_runs_may_continue_in_others() -> None:
    host = SimpleNamespace(registry=SimpleNamespace(whereis=lambda _: None), port=InProcessPort())
    router, lost = SignalRouter(cast(Host, host)), list[Sequence[str]]()

    async def notifying() -> None:
        host.port.listen(lambda _: None, lost.append)
        router.handle_cast(Notified(Topic.LOST, ("0",)))
        router.handle_cast(Notified(Topic.LOST, ()))

    asyncio.run(notifying())
    assert lost == [("0",), ()]


def _runs(number: int) -> tuple[RunId, ...]:
    return tuple(RunId(str(each)) for each in range(number))


def test_a_burst_is_read_in_parts_that_name_their_runs() -> None:
    """A query for all runs would read again what is on its way to them."""
    runs = _runs(2 * WOKEN_PER_TURN + 1)
    parts = asyncio.run(_asked(3, LookForMail(runs[:-1]), LookForMail(runs[-1:])))
    assert parts == [list(runs[:WOKEN_PER_TURN]), list(runs[WOKEN_PER_TURN:-1]), [runs[-1]]]


def test_a_look_at_all_mail_includes_the_runs_that_were_named() -> None:
    parts = asyncio.run(_asked(1, LookForMail(_runs(3)), LookForMail(None), LookForMail(_runs(1))))
    assert parts == [None]


def test_mail_that_a_look_at_all_has_found_is_delivered_in_parts_too() -> None:
    """Thousands of runs that begin to write in one turn would keep all others from theirs."""
    runs = _runs(2 * WOKEN_PER_TURN)
    parts = asyncio.run(_asked(2, LookForMail(None), mailed=runs))
    assert parts == [None, list(runs[WOKEN_PER_TURN:])]


async def _asked_while_behind() -> list[Any]:
    """Return what a router does first while the journal writer is behind, and next when it is not."""
    journal = _Journal()
    writer = _Writer(journal.asked)
    async with _fetching(journal, writer, LookForMail(_runs(1))):
        first = await journal.asked.get()
        assert first == "waits"
        writer.catch_up()
        return [first, await journal.asked.get()]


def test_no_mail_is_read_while_many_writes_wait() -> None:
    """The runs that it wakes would write before each step of all others."""
    assert asyncio.run(_asked_while_behind()) == ["waits", list(_runs(1))]
