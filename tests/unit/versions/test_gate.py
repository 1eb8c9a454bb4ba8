"""The gate looks at every open run, a page at a time, and at no other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from continuum import workflow
from continuum.code import Code
from continuum.engine.ids import RunId
from continuum.journal.facts import NewRun
from continuum.journal.memory import MemoryJournal
from continuum.journal.port import Journal
from continuum.versions import gate
from continuum.versions.gate import Finding, findings


@workflow(name="gate.flow")
async def flow(number: int) -> int:
    """Do nothing."""
    return number


def on_journal(do: Callable[[Journal], Awaitable[list[Finding]]]) -> list[Finding]:
    """Do something on a new journal."""

    async def doing() -> list[Finding]:
        journal = MemoryJournal()
        await journal.open()
        try:
            return await do(journal)
        finally:
            await journal.close()

    return asyncio.run(doing())


def run_id(number: int) -> RunId:
    return RunId(f"00000000-0000-7000-8000-{number:012}")


async def found_by(journal: Journal) -> list[Finding]:
    return [finding async for finding in findings(journal, Code([flow]))]


def test_every_page_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "PAGE_RUNS", 3)
    monkeypatch.setattr(gate, "HISTORIES", 2)
    ids = [run_id(number) for number in range(8)]

    async def look(journal: Journal) -> list[Finding]:
        await journal.start([NewRun(one, "gate.gone", b"") for one in ids])
        return await found_by(journal)

    found = on_journal(look)
    assert sorted(finding.run_id for finding in found) == ids
    assert {finding.problem for finding in found} == {"missing"}


def test_a_run_that_has_ended_asks_for_nothing() -> None:
    async def look(journal: Journal) -> list[Finding]:
        await journal.start([NewRun(run_id(1), "gate.gone", b"")])
        await journal.force_cancel(run_id(1))
        return await found_by(journal)

    assert on_journal(look) == []


def test_input_that_the_code_cannot_read_is_found() -> None:
    async def look(journal: Journal) -> list[Finding]:
        readable = flow.arguments.encode_call((1,), {})
        await journal.start([NewRun(run_id(1), flow.name, readable), NewRun(run_id(2), flow.name, b"\xc1")])
        return await found_by(journal)

    (finding,) = on_journal(look)
    assert (finding.run_id, finding.problem) == (run_id(2), "drift")
    assert "cannot read its input" in finding.reason
