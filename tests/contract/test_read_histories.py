"""A history that is read while its run changes has the events of the state that it says."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from continuum.engine.events import Event
from continuum.engine.ids import RunId
from continuum.journal.port import Journal
from continuum.replays.histories import read_histories, read_history
from tests.contract.builders import commit, end, event, owned_run, row, worker_of, write


async def test_a_run_that_ends_between_two_reads_is_read_again(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, event(0)))
    load = journal.load

    async def load_and_end(run_ids: Sequence[RunId]) -> dict[RunId, list[Event]]:
        loaded = await load(run_ids)
        if not (await row(journal, run.id)).state.terminal:
            await commit(journal, worker, write(run, event(1), transition=end()))
        return loaded

    monkeypatch.setattr(journal, "load", load_and_end)
    history = await read_history(journal, run.id)
    assert history is not None
    assert (history.ending.state, [each.seq for each in history.stored]) == ("completed", [0, 1])


async def test_an_unknown_run_has_no_history(journal: Journal) -> None:
    assert await read_history(journal, RunId("01900000-0000-7000-8000-000000000009")) is None


async def test_histories_are_read_in_order_and_each_is_of_one_state(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = await worker_of(journal)
    ends, stays, ended = [await owned_run(journal, worker) for _ in range(3)]
    await commit(journal, worker, write(ends, event(0)), write(stays, event(0)))
    await commit(journal, worker, write(ended, event(0), transition=end()))
    load = journal.load

    async def load_and_end(run_ids: Sequence[RunId]) -> dict[RunId, list[Event]]:
        loaded = await load(run_ids)
        if not (await row(journal, ends.id)).state.terminal:
            await commit(journal, worker, write(ends, event(1), transition=end()))
        return loaded

    monkeypatch.setattr(journal, "load", load_and_end)
    unknown = RunId("01900000-0000-7000-8000-000000000009")
    found = await read_histories(journal, [ended.id, unknown, ends.id, stays.id])
    assert [(each.beginning.run_id, each.ending.state, len(each)) for each in found] == [
        (ended.id, "completed", 1),
        (ends.id, "completed", 2),
        (stays.id, "running", 1),
    ]
