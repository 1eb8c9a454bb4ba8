"""Rows of events in the table: how many a write makes, and what reading from an event on needs of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from continuum.codec.codec import encode
from continuum.engine.events import Event, EventType
from continuum.journal.limits import EVENT_ROW_BYTES
from continuum.journal.port import ClaimedRun, StoredHistory, Worker
from continuum.journal.postgres import PostgresJournal
from continuum.journal.postgres.snapshots import load
from continuum.journal.snapshot_codec import SNAPSHOT_FORMAT, pack_snapshot
from tests.contract.builders import commit, event, owned_run, worker_of, write
from tests.postgres.grown import reads_of

VERSION = "v1"
# A row, the pages of the index that lead to it and those before it, whatever the history has besides.
FEW_PAGES = 12


@dataclass(frozen=True, slots=True)
class OneRun:
    """A run that a worker owns, in a journal that is open."""

    runner: asyncio.Runner
    journal: PostgresJournal
    worker: Worker
    run: ClaimedRun

    def write(self, *writes: Sequence[Event]) -> None:
        """Commit writes as one batch."""
        self.runner.run(commit(self.journal, self.worker, *(write(self.run, *events) for events in writes)))

    def load(self, known: int) -> list[Event]:
        """Return the events from one on."""
        return self.runner.run(load(self.journal._database, {self.run.id: known}))[self.run.id]

    def load_compact(self) -> StoredHistory:
        """Return the history with the part that a snapshot has."""
        return self.runner.run(self.journal.load_compact([(self.run.id, VERSION)]))[self.run.id]


@pytest.fixture
def one(dsn: str, schema: str) -> Iterator[OneRun]:
    """A run without events."""
    with asyncio.Runner() as runner:
        journal = PostgresJournal(dsn, schema=schema, listen=False)
        runner.run(journal.open())
        worker = runner.run(worker_of(journal))
        yield OneRun(runner, journal, worker, runner.run(owned_run(journal, worker)))
        runner.run(journal.close())


def sql(dsn: str, schema: str, text: LiteralString, *values: Any) -> list[tuple[Any, ...]]:
    """Execute a statement; return rows, if it has some."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        cursor = connection.execute(SQL(text).format(schema=Identifier(schema)), values)
        return cursor.fetchall() if cursor.description else []


def stored(dsn: str, schema: str) -> list[tuple[int, int]]:
    """Return first seq and type of each row."""
    return sql(dsn, schema, "select seq, type from {schema}.events order by run_id, seq")


def calls(count: int) -> list[Event]:
    """Return the events of activities that completed one after the other."""
    events: list[Event] = []
    for seq in range(0, 2 * count, 2):
        asked = ("act", "flow", "file:1", encode({"0": seq}), None)
        events.append(Event(seq, EventType.ACTIVITY_SCHEDULED, 10 * seq, asked))
        events.append(Event(seq + 1, EventType.ACTIVITY_COMPLETED, 10 * seq + 1, (seq, encode(seq))))
    return events


def test_a_write_is_one_row_and_an_event_alone_is_one_as_ever(dsn: str, schema: str, one: OneRun) -> None:
    one.write([event(0)])
    one.write([event(1), event(2)])
    one.write([event(3), event(4), event(5)])
    assert stored(dsn, schema) == [(0, EventType.SIDE_EFFECT), (1, -2), (3, -3)]


def test_several_writes_of_a_run_in_a_batch_are_one_row(dsn: str, schema: str, one: OneRun) -> None:
    one.write(*([event(seq)] for seq in range(7)))
    assert stored(dsn, schema) == [(0, -7)]


def test_a_long_write_is_as_few_rows_as_keep_their_values(dsn: str, schema: str, one: OneRun) -> None:
    """Postgres moves the values of long rows to another table."""
    one.write([event(seq, (b"x" * 500,)) for seq in range(100)])
    assert len(stored(dsn, schema)) == 100 // (EVENT_ROW_BYTES // 510) + 1
    toast: LiteralString = (
        "select pg_relation_size(reltoastrelid) from pg_class c join pg_namespace n on n.oid = relnamespace"
        " where nspname = %s and relname = 'events'"
    )
    assert sql(dsn, schema, toast, schema) == [(0,)]


@pytest.mark.parametrize("known", range(10))
def test_events_load_from_any_one_on(one: OneRun, known: int) -> None:
    written = calls(4)
    for first, end in ((0, 1), (1, 5), (5, 6), (6, 8)):
        one.write(written[first:end])
    assert one.load(known) == written[known:]


def test_events_follow_a_snapshot_that_ends_within_a_row(dsn: str, schema: str, one: OneRun) -> None:
    written = calls(4)
    one.write(written)
    snapshot: LiteralString = "insert into {schema}.snapshots values (%s, 0, 4, %s, %s, %s, now())"
    sql(dsn, schema, snapshot, one.run.id, SNAPSHOT_FORMAT, VERSION, pack_snapshot(written[:4]))
    compact, events = one.load_compact()
    assert compact is not None
    assert compact.end == 4
    assert events == written[4:]


def test_rows_before_the_end_of_a_snapshot_are_not_read(dsn: str, schema: str, one: OneRun) -> None:
    written = calls(4)
    one.write(written[:6])
    assert one.runner.run(one.journal.take_snapshot(one.run.id, VERSION, 0)) == 6
    sql(dsn, schema, "update {schema}.events set payload = ''")
    assert one.load_compact().events == []
    one.write(written[6:])
    assert one.load_compact().events == written[6:]


@pytest.mark.parametrize(
    "change",
    [
        "payload = '\\xff'",
        "payload = ''",
        "payload = '\\x01' || payload",
        "at = 'infinity'",
        "at = '290000-01-01'",
        "type = -1",
        "type = -32768",
    ],
)
def test_i11_a_damaged_row_is_one_corrupt_event(
    dsn: str, schema: str, one: OneRun, change: LiteralString
) -> None:
    written = calls(3)
    for first in (0, 2, 4):
        one.write(written[first : first + 2])
    sql(dsn, schema, "update {schema}.events set " + change + " where seq = 2")
    found = one.load(0)
    assert found[:2] == written[:2]
    assert [entry.seq for entry in found[2:]] == [-1]


def in_writes(one: OneRun, events: Sequence[Event], width: int) -> None:
    """Commit events in writes of so many."""
    for begin in range(0, len(events), width):
        one.write(events[begin : begin + width])


def test_calls_from_one_place_are_stored_once(dsn: str, schema: str, one: OneRun) -> None:
    written = calls(6)
    in_writes(one, written, 2)
    texts = sql(dsn, schema, "select seq from {schema}.events where position('file:1'::bytea in payload) > 0")
    assert texts == [(0,)]
    assert one.load(0) == written
    assert one.load(7) == written[7:]


def test_a_row_refers_to_several_rows_before_a_snapshot(one: OneRun) -> None:
    """A write that is under way while a snapshot is taken refers to what the snapshot replaces."""
    bodies = [(name, "flow", "file:1", b"") for name in ("one", "two", "three")]
    written = [event(seq, body) for seq, body in enumerate([*bodies, *bodies])]
    in_writes(one, written[:3], 1)
    one.write(written[3:])
    assert one.load(3) == written[3:]


def test_i11_events_that_refer_to_a_damaged_row_are_corrupt(dsn: str, schema: str, one: OneRun) -> None:
    written = calls(4)
    in_writes(one, written, 2)
    for damage in ("'\\xc1'", "''", "payload || '\\x00'"):
        sql(dsn, schema, "update {schema}.events set payload = " + damage + " where seq = 0")
        assert [entry.seq for entry in one.load(0)] == [-1]
        assert [entry.seq for entry in one.load(4)] == [-1]
    sql(dsn, schema, "delete from {schema}.events where seq = 0")
    assert [entry.seq for entry in one.load(4)] == [-1]


def test_nothing_refers_to_a_write_that_failed(one: OneRun) -> None:
    first, later = calls(3), calls(3)
    one.write(first[:2])
    elsewhere = [event._replace(body=("act", "other", "file:9", *event.body[3:])) for event in later]
    with pytest.raises(Exception, match="duplicate key"):
        one.write(elsewhere[:1])
    written = [*first[:2], elsewhere[2], later[3], elsewhere[4]]
    in_writes(one, written[2:], 1)
    assert one.load(0) == written


def test_another_journal_continues_a_history(dsn: str, schema: str, one: OneRun) -> None:
    """It does not know what was written before."""
    written = calls(4)
    in_writes(one, written[:4], 2)
    later = OneRun(one.runner, PostgresJournal(dsn, schema=schema, listen=False), one.worker, one.run)
    one.runner.run(later.journal.open())
    in_writes(later, written[4:], 2)
    one.runner.run(later.journal.close())
    assert one.load(0) == written


def test_the_end_of_a_long_history_is_found_through_the_index(dsn: str, schema: str, one: OneRun) -> None:
    for first in range(0, 8_000, 400):
        one.write([event(seq, (b"x" * 900,)) for seq in range(first, first + 400)])
    sql(dsn, schema, "analyze {schema}.events")
    reads = reads_of(dsn, schema, lambda journal: load(journal._database, {one.run.id: 7_998}))
    assert reads.indexes == {"events_pkey"}
    assert reads.pages < FEW_PAGES
