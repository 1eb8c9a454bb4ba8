"""Which runs the signal router reads mail for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

from continuum.client.in_process_port import InProcessPort
from continuum.engine.ids import RunId
from continuum.journal.notification import Topic
from continuum_actors.host.host import Host
from continuum_actors.host.messages import LookForMail, Notified
from continuum_actors.run.signal_router import NAMED_RUNS, SignalRouter


class _Journal:
    """Records what mail is asked for."""

    def __init__(self) -> None:
        self.asked: asyncio.Queue[Sequence[RunId] | None] = asyncio.Queue()

    async def inbox(self, worker: object, run_ids: Sequence[RunId] | None) -> list[Any]:
        self.asked.put_nowait(run_ids)
        return []


async def _asked(times: int, *looks: LookForMail) -> list[Sequence[RunId] | None]:
    """Return what a router asks for after these messages."""
    journal = _Journal()
    settings = SimpleNamespace(poll_seconds=3600.0)
    host = SimpleNamespace(
        journal=journal, settings=settings, random_fraction=lambda: 0.5, registered_worker=lambda: None
    )
    router = SignalRouter(cast(Host, host))
    for look in looks:
        router.handle_cast(look)
    fetching = asyncio.create_task(router._fetch_for_ever())
    try:
        return [await journal.asked.get() for _ in range(times)]
    finally:
        fetching.cancel()
        await asyncio.gather(fetching, return_exceptions=True)


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
    runs = _runs(2 * NAMED_RUNS + 1)
    parts = asyncio.run(_asked(3, LookForMail(runs[:-1]), LookForMail(runs[-1:])))
    assert parts == [list(runs[:NAMED_RUNS]), list(runs[NAMED_RUNS:-1]), [runs[-1]]]


def test_a_look_at_all_mail_includes_the_runs_that_were_named() -> None:
    parts = asyncio.run(_asked(1, LookForMail(_runs(3)), LookForMail(None), LookForMail(_runs(1))))
    assert parts == [None]
