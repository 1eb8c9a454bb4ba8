"""The deploy check reads every open run, a page at a time, and no other run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing

import pytest

from continuum import workflow
from continuum.drift import deploy_check
from continuum.drift.deploy_check import CheckedRuns, OpenRunsCheck, check_open_runs
from continuum.engine.ids import RunId
from continuum.errors import InvalidOption
from continuum.journal.announced_run import NewRun
from continuum.journal.memory.journal import MemoryJournal
from continuum.journal.port import Journal, VersionRow
from continuum.versions.loaded_code import Code


@workflow(name="deploy_check.flow")
async def flow(number: int) -> int:
    """Do nothing."""
    return number


def on_journal(do: Callable[[Journal], Awaitable[CheckedRuns]]) -> CheckedRuns:
    """Check the runs of a new journal."""

    async def doing() -> CheckedRuns:
        journal = MemoryJournal()
        await journal.open()
        try:
            return await do(journal)
        finally:
            await journal.close()

    return asyncio.run(doing())


def run_id(number: int) -> RunId:
    return RunId(f"00000000-0000-7000-8000-{number:012}")


async def checked(journal: Journal) -> CheckedRuns:
    return await check_open_runs(journal, Code([flow]), [__name__])


async def load(journal: Journal, name: str, module: str) -> None:
    """Register a workflow as a node does after loading it."""
    await journal.register_versions([VersionRow(name, "1", "1", module, None, None)])


def test_the_check_reads_every_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deploy_check, "PAGE_RUNS", 3)
    monkeypatch.setattr(deploy_check, "HISTORIES", 2)
    ids = [run_id(number) for number in range(8)]

    async def check(journal: Journal) -> CheckedRuns:
        await load(journal, "deploy_check.gone", __name__)
        await journal.start([NewRun(one, "deploy_check.gone", b"") for one in ids])
        return await checked(journal)

    found = on_journal(check).findings
    assert sorted(finding.run_id for finding in found) == ids
    assert {finding.problem for finding in found} == {"missing"}


def test_a_check_that_was_interrupted_continues_after_the_last_run_it_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deploy_check, "PAGE_RUNS", 3)
    ids = [run_id(number) for number in range(8)]

    async def check(journal: Journal) -> CheckedRuns:
        await load(journal, "deploy_check.gone", __name__)
        await journal.start([NewRun(one, "deploy_check.gone", b"") for one in ids])
        first = OpenRunsCheck(journal, Code([flow]), [__name__])
        async with aclosing(first.pages()) as pages:
            assert await anext(pages) == 3
        assert [finding.run_id for finding in first.result().findings] == ids[:3]
        second = OpenRunsCheck(journal, Code([flow]), [__name__], after=first.after)
        assert [checked async for checked in second.pages()] == [3, 2]
        return second.result()

    assert [finding.run_id for finding in on_journal(check).findings] == ids[3:]


def test_findings_are_listed_by_the_start_of_their_runs() -> None:
    async def check(journal: Journal) -> CheckedRuns:
        await load(journal, "deploy_check.gone", __name__)
        for number in (2, 1):
            await journal.start([NewRun(run_id(number), "deploy_check.gone", b"")])
        return await checked(journal)

    assert [finding.run_id for finding in on_journal(check).findings] == [run_id(2), run_id(1)]


def test_the_check_ignores_runs_that_have_ended() -> None:
    async def check(journal: Journal) -> CheckedRuns:
        await load(journal, "deploy_check.gone", __name__)
        await journal.start([NewRun(run_id(1), "deploy_check.gone", b"")])
        await journal.force_cancel(run_id(1))
        return await checked(journal)

    assert on_journal(check) == CheckedRuns([], {})


def test_the_check_finds_input_that_the_code_cannot_read() -> None:
    async def check(journal: Journal) -> CheckedRuns:
        readable = flow.arguments.encode_call((1,), {})
        await journal.start([NewRun(run_id(1), flow.name, readable), NewRun(run_id(2), flow.name, b"\xc1")])
        return await checked(journal)

    (finding,) = on_journal(check).findings
    assert (finding.run_id, finding.problem) == (run_id(2), "input")
    assert "cannot read its input" in finding.reason


def test_the_check_only_counts_runs_of_other_applications() -> None:
    async def check(journal: Journal) -> CheckedRuns:
        await load(journal, "invoice", "billing")
        names = ["invoice", "invoice", "nobody.loaded"]
        await journal.start([NewRun(run_id(number), name, b"") for number, name in enumerate(names)])
        return await checked(journal)

    assert on_journal(check) == CheckedRuns([], {"invoice": 2, "nobody.loaded": 1})


@pytest.mark.parametrize("module", [__name__, f"{__name__}.inner"])
def test_a_workflow_that_a_node_once_loaded_from_the_module_is_missing(module: str) -> None:
    async def check(journal: Journal) -> CheckedRuns:
        await load(journal, "deploy_check.renamed", module)
        await journal.start([NewRun(run_id(1), "deploy_check.renamed", b"")])
        return await checked(journal)

    (finding,) = on_journal(check).findings
    assert (finding.run_id, finding.problem) == (run_id(1), "missing")


def test_the_check_refuses_modules_that_never_had_a_workflow() -> None:
    async def check(journal: Journal) -> CheckedRuns:
        return await check_open_runs(journal, Code([]), ["shop.text"])

    with pytest.raises(InvalidOption, match=r"no workflow is in shop\.text"):
        on_journal(check)
