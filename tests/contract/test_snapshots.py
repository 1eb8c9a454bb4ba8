"""P13: what snapshots do, and what can go wrong with them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from continuum.codec.codec import encode
from continuum.engine.events import Event, EventType
from continuum.engine.snapshot_history import CompactHistory
from continuum.journal.port import ClaimedRun, Journal, StoredHistory
from continuum.journal.snapshot_codec import pack_snapshot, unpack_parts
from tests.contract.builders import commit, end, event, history, owned_run, owned_runs, worker_of, write

VERSION = "first"


def calls(count: int, first: int = 0) -> list[Event]:
    """Return the events of activities that completed one after the other."""
    events: list[Event] = []
    for number in range(first, first + count):
        seq = 2 * number
        asked = ("act", "flow", "file:1", encode({"0": number}), None)
        events.append(Event(seq, EventType.ACTIVITY_SCHEDULED, 10 * seq, asked))
        events.append(Event(seq + 1, EventType.ACTIVITY_COMPLETED, 10 * seq + 1, (seq, encode(number))))
    return events


async def run_with(journal: Journal, events: Sequence[Event]) -> ClaimedRun:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, *events))
    return run


async def stored(journal: Journal, run: ClaimedRun, version: str = VERSION) -> StoredHistory:
    return (await journal.load_compact([(run.id, version)]))[run.id]


def parts_of(compact: CompactHistory | None) -> list[tuple[int, int]]:
    parts = []
    while compact is not None:
        parts.append((compact.first, compact.events))
        compact = compact.following
    return parts


async def test_p13_loading_never_reads_a_snapshot(journal: Journal) -> None:
    written = [event(seq, (str(seq), (b"x", None))) for seq in range(6)]
    run = await run_with(journal, written)
    await journal.take_snapshot(run.id, VERSION, 0)
    assert await history(journal, run.id) == written


async def test_p13_a_snapshot_holds_the_history_and_the_events_after_it_follow(journal: Journal) -> None:
    """SNP1"""
    worker = await worker_of(journal)
    run, other = await owned_runs(journal, worker, 2)
    await commit(journal, worker, write(run, *calls(3)), write(other, *calls(1)))
    assert await journal.take_snapshot(run.id, VERSION, 0) == 6
    await commit(journal, worker, write(run, *calls(1, first=3)))

    found = await journal.load_compact([(run.id, VERSION), (other.id, VERSION)])

    compact, events = found[run.id]
    assert parts_of(compact) == [(0, 6)]
    assert compact is not None
    assert list(compact.values) == [0, 1, 2]
    assert events == calls(1, first=3)
    assert found[other.id] == StoredHistory(None, calls(1))


async def test_p13_a_part_begins_where_the_previous_one_ended(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, *calls(2)))
    assert await journal.take_snapshot(run.id, VERSION, 0) == 4
    await commit(journal, worker, write(run, *calls(2, first=2)))
    assert await journal.take_snapshot(run.id, VERSION, 4) == 8
    compact, events = await stored(journal, run)
    assert parts_of(compact) == [(0, 4), (4, 4)]
    assert events == []

    assert await journal.take_snapshot(run.id, VERSION, 0) == 8
    assert parts_of((await stored(journal, run)).compact) == [(0, 8)]


async def test_p13_events_replace_a_part_that_does_not_connect(journal: Journal) -> None:
    run = await run_with(journal, calls(4))
    await journal.take_snapshot(run.id, VERSION, 4)
    assert await stored(journal, run) == StoredHistory(None, calls(4))


async def test_p13_other_code_gets_the_events(journal: Journal) -> None:
    run = await run_with(journal, calls(2))
    await journal.take_snapshot(run.id, VERSION, 0)
    assert await stored(journal, run, "second") == StoredHistory(None, calls(2))
    await journal.take_snapshot(run.id, "second", 0)
    assert await stored(journal, run) == StoredHistory(None, calls(2))
    assert parts_of((await stored(journal, run, "second")).compact) == [(0, 4)]


async def test_p13_a_snapshot_that_would_be_too_large_is_not_stored(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    # SNP8
    monkeypatch.setattr("continuum.journal.snapshot_codec.SNAPSHOT_BYTES", 100)
    run = await run_with(journal, calls(200))
    assert await journal.take_snapshot(run.id, VERSION, 0) == 0
    assert await stored(journal, run) == StoredHistory(None, calls(200))


async def test_p13_no_snapshot_is_stored_without_new_events(journal: Journal) -> None:
    run = await run_with(journal, calls(1))
    assert await journal.take_snapshot(run.id, VERSION, 2) == 2


async def test_p13_a_sweep_keeps_the_history_of_an_ended_run_with_a_snapshot(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, *calls(2), transition=end()))
    await journal.take_snapshot(run.id, VERSION, 0)
    await journal.sweep()
    assert await history(journal, run.id) == calls(2)


def test_other_bytes_are_not_read_as_a_snapshot() -> None:
    """B67"""
    # SNF1, SNF4, SNP4
    from continuum.journal.snapshot_codec import Part

    good = pack_snapshot(calls(2))
    assert unpack_parts([Part(0, 4, good)]) is not None
    for bad in (b"", b"nonsense", good[:-3], good[:10] + b"\0" + good[11:]):
        assert unpack_parts([Part(0, 4, bad)]) is None
    assert unpack_parts([Part(0, 5, good)]) is None
    assert unpack_parts([Part(2, 4, good)]) is None
