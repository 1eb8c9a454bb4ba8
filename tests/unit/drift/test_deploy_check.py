"""The gate looks at every open run, a page at a time, and at no other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from continuum import workflow
from continuum.drift import deploy_check
from continuum.drift.deploy_check import Judgement, judge
from continuum.engine.ids import RunId
from continuum.errors import InvalidOption
from continuum.journal.facts import NewRun
from continuum.journal.memory.journal import MemoryJournal
from continuum.journal.port import Journal, VersionRow
from continuum.versions.loaded_code import Code


@workflow(name="deploy_check.flow")
async def flow(number: int) -> int:
    """Do nothing."""
    return number


def on_journal(do: Callable[[Journal], Awaitable[Judgement]]) -> Judgement:
    """Do something on a new journal."""

    async def doing() -> Judgement:
        journal = MemoryJournal()
        await journal.open()
        try:
            return await do(journal)
        finally:
            await journal.close()

    return asyncio.run(doing())


def run_id(number: int) -> RunId:
    return RunId(f"00000000-0000-7000-8000-{number:012}")


async def judged(journal: Journal) -> Judgement:
    return await judge(journal, Code([flow]), [__name__])


async def load(journal: Journal, name: str, module: str) -> None:
    """Note what a node says when it has loaded a workflow."""
    await journal.register_versions([VersionRow(name, "1", "1", module, None, None)])


def test_every_page_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deploy_check, "PAGE_RUNS", 3)
    monkeypatch.setattr(deploy_check, "HISTORIES", 2)
    ids = [run_id(number) for number in range(8)]

    async def look(journal: Journal) -> Judgement:
        await load(journal, "deploy_check.gone", __name__)
        await journal.start([NewRun(one, "deploy_check.gone", b"") for one in ids])
        return await judged(journal)

    found = on_journal(look).findings
    assert sorted(finding.run_id for finding in found) == ids
    assert {finding.problem for finding in found} == {"missing"}


def test_a_run_that_has_ended_asks_for_nothing() -> None:
    async def look(journal: Journal) -> Judgement:
        await load(journal, "deploy_check.gone", __name__)
        await journal.start([NewRun(run_id(1), "deploy_check.gone", b"")])
        await journal.force_cancel(run_id(1))
        return await judged(journal)

    assert on_journal(look) == Judgement([], {})


def test_input_that_the_code_cannot_read_is_found() -> None:
    async def look(journal: Journal) -> Judgement:
        readable = flow.arguments.encode_call((1,), {})
        await journal.start([NewRun(run_id(1), flow.name, readable), NewRun(run_id(2), flow.name, b"\xc1")])
        return await judged(journal)

    (finding,) = on_journal(look).findings
    assert (finding.run_id, finding.problem) == (run_id(2), "drift")
    assert "cannot read its input" in finding.reason


def test_workflows_of_another_application_are_counted_and_not_judged() -> None:
    async def look(journal: Journal) -> Judgement:
        await load(journal, "invoice", "billing")
        names = ["invoice", "invoice", "nobody.loaded"]
        await journal.start([NewRun(run_id(number), name, b"") for number, name in enumerate(names)])
        return await judged(journal)

    assert on_journal(look) == Judgement([], {"invoice": 2, "nobody.loaded": 1})


@pytest.mark.parametrize("module", [__name__, f"{__name__}.inner"])
def test_a_workflow_that_a_node_once_loaded_from_there_is_missing(module: str) -> None:
    async def look(journal: Journal) -> Judgement:
        await load(journal, "deploy_check.renamed", module)
        await journal.start([NewRun(run_id(1), "deploy_check.renamed", b"")])
        return await judged(journal)

    (finding,) = on_journal(look).findings
    assert (finding.run_id, finding.problem) == (run_id(1), "missing")


def test_modules_that_never_had_a_workflow_are_no_answer() -> None:
    async def look(journal: Journal) -> Judgement:
        return await judge(journal, Code([]), ["shop.text"])

    with pytest.raises(InvalidOption, match=r"no workflow is in shop\.text"):
        on_journal(look)
