"""The signals that a client sends, and those that it refuses before it writes anything."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from continuum import Client, Signal, workflow
from continuum.client import signal_checking
from continuum.codec.codec import decode
from continuum.codec.signal_contracts import declared, describe
from continuum.engine.ids import RunId
from continuum.errors import DurableTermError, JournalUnavailable, RunNotFound, UndeclaredSignal
from continuum.journal.memory.journal import MemoryJournal
from tests.unit.client.test_client import mail
from tests.unit.client.working import Ending, greeting, memory_client


@dataclass
class Verdict:
    """The verdict of a reviewer."""

    approved: bool
    amount: int = 0


review = Signal("review", Verdict)
count = Signal("count", int)


@workflow(name="greeting", signals=[review, count])
async def reviewed(name: str) -> str:
    """`greeting` with declared signals."""
    return name


class CountsReads(MemoryJournal):
    """Counts the reads of declared signals."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0
        self.unavailable = 0

    async def declared_signals(self, run_id: RunId) -> Mapping[str, Any] | None:
        self.reads += 1
        if self.unavailable:
            self.unavailable -= 1
            raise JournalUnavailable("it restarts")
        return await super().declared_signals(run_id)


def test_a_run_refuses_signals_that_it_does_not_declare() -> None:
    """SIG1: a misspelled name and a value that does not match leave no inbox entry; valid signals arrive."""

    async def main() -> None:
        async with memory_client() as (client, ending):
            await ending.declare(review, count)
            run = await client.start("greeting", "ann")
            with pytest.raises(UndeclaredSignal, match="takes no signal 'reveiw'; it takes count, review"):
                await run.signal("reveiw", {"approved": True})
            with pytest.raises(DurableTermError, match=r"^signal review\.amount: expected int, got str$"):
                await run.signal("review", {"approved": True, "amount": "5"})
            with pytest.raises(DurableTermError, match=r"^signal review: the field approved is missing$"):
                await client.signal(run.id, "review", {})
            assert await mail(ending) == []
            await run.signal("review", {"approved": True})
            await run.signal(count, 2)
            assert [name for _, name, _ in await mail(ending)] == ["review", "count"]

    asyncio.run(main())


def test_a_signal_object_must_match_the_declaration_of_the_run() -> None:
    """SIG1: the type that the sender declares does not count."""

    async def main() -> None:
        async with memory_client() as (client, ending):
            await ending.declare(review, count)
            for run in (await client.start("greeting", "ann"), await client.start(reviewed, "ann")):
                with pytest.raises(DurableTermError, match="signal count: expected int, got str"):
                    await run.signal(Signal("count", str), "two")
            assert await mail(ending) == []

    asyncio.run(main())


def test_the_journal_returns_the_declared_signals_of_a_version() -> None:
    """SIG2."""

    async def main() -> None:
        async with memory_client() as (client, ending):
            await ending.declare(review, count)
            run = await client.start(reviewed, "ann")
            found = await ending.journal.declared_signals(run.id)
            assert found == declared(reviewed.signals) == {"review": describe(Verdict), "count": "int"}
            await ending.claim()
            assert await ending.journal.declared_signals(run.id) == found

    asyncio.run(main())


def test_a_run_without_declarations_accepts_any_signal() -> None:
    """SIG4."""

    async def main() -> None:
        async with memory_client() as (client, ending):
            await ending.declare()
            for run in (await client.start(greeting, "ann"), await client.start("greeting", "bob")):
                await run.signal("anything", [1])
                await run.signal(count, 1)
            assert len(await mail(ending)) == 4

    asyncio.run(main())


def test_a_client_with_the_workflow_does_not_read_declarations() -> None:
    async def main() -> None:
        journal = CountsReads()
        async with Client(journal) as client:
            await Ending(journal).declare(review, count)
            run = await client.start(reviewed, "ann")
            await run.signal(review, Verdict(True))
            await run.signal("count", 1)
            with pytest.raises(DurableTermError, match="signal count: expected int"):
                await run.signal("count", "1")
            await client.signal(run.id, count, 1, workflow=reviewed)
            assert journal.reads == 0

    asyncio.run(main())


def test_concurrent_signals_to_a_run_share_one_read_of_its_declarations() -> None:
    async def main() -> None:
        journal = CountsReads()
        async with Client(journal) as client:
            ending = Ending(journal)
            await ending.declare(count)
            run = await client.start("greeting", "ann")
            await asyncio.gather(*(run.signal("count", n) for n in range(50)))
            await run.signal("count", 50)
            assert journal.reads == 1
            # The signals keep their order.
            assert [value_of(body) for _, _, body in await mail(ending)] == list(range(51))

    asyncio.run(main())


def value_of(body: tuple[Any, ...]) -> Any:
    """Return the value of an inbox entry."""
    return decode(body[0])


def test_a_signal_is_refused_only_after_a_fresh_read() -> None:
    async def main() -> None:
        async with memory_client() as (client, ending):
            await ending.declare(count)
            run = await client.start("greeting", "ann")
            await run.signal("count", 1)
            await ending.declare(count, review)
            await run.signal("review", {"approved": True})
            assert len(await mail(ending)) == 2

    asyncio.run(main())


def test_a_signal_that_only_newer_code_declares_is_sent() -> None:
    """C9: a client may be older than the nodes."""

    async def main() -> None:
        async with memory_client() as (client, ending):
            added = Signal("added", int)
            run = await client.start(reviewed, "ann")
            with pytest.raises(UndeclaredSignal, match="it takes count, review"):
                await run.signal(added, 1)
            await ending.declare(review, count, added)
            await run.signal(added, 1)
            with pytest.raises(UndeclaredSignal, match="it takes added, count, review"):
                await run.signal("other", 1)

    asyncio.run(main())


def test_a_failed_read_of_declarations_is_repeated() -> None:
    async def main() -> None:
        journal = CountsReads()
        async with Client(journal) as client:
            run = await client.start("greeting", "ann")
            journal.unavailable = 2
            with pytest.raises(JournalUnavailable):
                await run.signal("count", 1)
            await run.signal("count", 1)

    asyncio.run(main())


def test_the_cache_of_declarations_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal_checking, "CONTRACTS_KEPT", 2)

    async def main() -> None:
        journal = CountsReads()
        async with Client(journal) as client:
            runs = [await client.start("greeting", str(n)) for n in range(3)]
            for run in (*runs, runs[2], runs[1], runs[0]):
                await run.signal("count", 1)
            assert journal.reads == 4

    asyncio.run(main())


def test_a_signal_to_an_unknown_run_is_not_found() -> None:
    """SRT2, THP6."""

    async def main() -> None:
        async with memory_client() as (client, _):
            with pytest.raises(RunNotFound):
                await client.signal("00000000-0000-0000-0000-000000000000", "review", 1)

    asyncio.run(main())


def test_a_signal_value_that_cannot_be_stored_is_refused_with_its_path() -> None:
    """SRT3: nothing is written."""

    async def main() -> None:
        async with memory_client() as (client, ending):
            run = await client.start("greeting", "ann")
            with pytest.raises(DurableTermError, match=r"^signal review\.who\[0\]: "):
                await run.signal("review", {"who": [object()]})
            assert await mail(ending) == []

    asyncio.run(main())
