"""The floor: the smallest program that writes the same rows, with plain coroutines and a group commit.

A run is inserted, claimed by an update and completed by an update, and waits for each of
these commits. A step writes the same two events with payloads of the same sizes. It waits
for one commit, because its result is written together with the next step, in one row. There is no
fence, no lease, no replay, no mailbox, no typed decoding and no notification.

It is meant to be hard to beat: one prepared statement for each commit, with packed arrays,
on one connection, and everything that is waiting goes into one commit.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgpack
import psycopg
from psycopg import sql

from continuum.journal.postgres import packed_arrays

# Bodies as the engine writes them: name, calling function, place, arguments, options.
CALLER, PLACE = "steps_in_a_row", "bench/flows.py:37"
SCHEDULED, COMPLETED, SIGNALLED = 1, 2, 8
# As many active runs as one run host has.
ACTIVE_RUNS = 1_000
FORMAT = b"\x01"

_INSERT = """INSERT INTO {schema}.runs (id, workflow, namespace, input, due_at)
    SELECT s.id, 'steps_in_a_row', 'default', s.input, clock_timestamp()
    FROM unnest(%s, %s) AS s (id, input)"""
_CLAIM = """UPDATE {schema}.runs r SET owner = 1, token = nextval('{schema}.fencing_token'), state = 1,
    due_at = NULL, attempt = r.attempt + 1, fresh = false, version = '1', updated_at = clock_timestamp()
    FROM unnest(%s) AS c (id) WHERE r.id = c.id"""
_EVENTS = """INSERT INTO {schema}.events (run_id, seq, type, at, payload)
    SELECT e.* FROM unnest(%s, %s, %s, %s, %s) AS e (run_id, seq, type, at, payload)"""
_COMPLETE = """UPDATE {schema}.runs r SET state = 4, owner = NULL, result = d.result,
    updated_at = clock_timestamp(), completed_at = clock_timestamp()
    FROM unnest(%s, %s) AS d (id, result) WHERE r.id = d.id"""
_CLAIM_AND_COMPLETE = """UPDATE {schema}.runs r SET token = nextval('{schema}.fencing_token'), state = 4,
    due_at = NULL, attempt = r.attempt + 1, fresh = false, version = '1', result = d.result,
    updated_at = clock_timestamp(), completed_at = clock_timestamp()
    FROM unnest(%s, %s) AS d (id, result) WHERE r.id = d.id"""
_POST = """INSERT INTO {schema}.inbox (run_id, kind, name, key, payload)
    SELECT p.run_id, 1, 'go', p.key, p.payload FROM unnest(%s, %s, %s) AS p (run_id, key, payload)"""
_TAKE = "DELETE FROM {schema}.inbox i USING unnest(%s) AS t (run_id) WHERE i.run_id = t.run_id"
# It has to be the last part of a statement: what nobody reads in front of that is not executed.
_NOTIFY = "SELECT pg_notify(n.channel, n.payload) FROM unnest(%s, %s) AS n (channel, payload)"

Row = tuple[Any, ...]
_pack = msgpack.Packer(use_bin_type=True).pack


class GroupCommit:
    """At most one commit is in flight; everything that waits meanwhile goes into the next one."""

    def __init__(self, connection: psycopg.AsyncConnection[Any], schema: str) -> None:
        self._connection = connection
        self._schema = schema
        self._statements: dict[tuple[bool, ...], bytes] = {}
        self._rows: tuple[list[Row], ...] = tuple([] for _ in _KINDS)
        self._waiting: list[asyncio.Future[None]] = []
        self._writer: asyncio.Task[None] | None = None

    async def commit(
        self,
        *,
        insert: Row | None = None,
        claim: Row | None = None,
        events: Sequence[Row] = (),
        complete: Row | None = None,
        post: Row | None = None,
        claim_and_complete: Row | None = None,
        take: Row | None = None,
        notify: Row | None = None,
    ) -> None:
        """Return once these rows are durable, and a notification of them is on its way."""
        of_one = (insert, claim, None, complete, claim_and_complete, post, take, notify)
        for rows, row in zip(self._rows, of_one, strict=True):
            if row is not None:
                rows.append(row)
        self._rows[EVENTS].extend(events)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        self._waiting.append(future)
        if self._writer is None:
            self._writer = loop.create_task(self._write())
        await future

    async def _write(self) -> None:
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            rows, self._rows = self._rows, tuple([] for _ in _KINDS)
            parameters: list[packed_arrays.PackedArray] = []
            for kind, some in zip(_KINDS, rows, strict=True):
                if some:
                    parameters.extend(
                        pack(column) for pack, column in zip(kind[1], zip(*some, strict=True), strict=True)
                    )
            await self._connection.execute(
                self._statement(tuple(map(bool, rows))), parameters, prepare=True, binary=True
            )
            for future in waiting:
                future.set_result(None)
        self._writer = None

    def _statement(self, kinds: tuple[bool, ...]) -> bytes:
        known = self._statements.get(kinds)
        if known is None:
            parts = [text for (text, _), wanted in zip(_KINDS, kinds, strict=True) if wanted]
            ahead = ", ".join(f"w{number} AS ({part})" for number, part in enumerate(parts[:-1]))
            text = (f"WITH {ahead} " if ahead else "") + parts[-1]
            known = self._statements[kinds] = text.replace("{schema}", self._schema).encode()
        return known


_KINDS: tuple[tuple[str, tuple[Any, ...]], ...] = (
    (_INSERT, (packed_arrays.packed_uuids, packed_arrays.byteas)),
    (_CLAIM, (packed_arrays.packed_uuids,)),
    (
        _EVENTS,
        (
            packed_arrays.packed_uuids,
            packed_arrays.integers,
            packed_arrays.smallints,
            packed_arrays.timestamps,
            packed_arrays.byteas,
        ),
    ),
    (_COMPLETE, (packed_arrays.packed_uuids, packed_arrays.byteas)),
    (_CLAIM_AND_COMPLETE, (packed_arrays.packed_uuids, packed_arrays.byteas)),
    (_POST, (packed_arrays.packed_uuids, packed_arrays.texts, packed_arrays.byteas)),
    (_TAKE, (packed_arrays.packed_uuids,)),
    (_NOTIFY, (packed_arrays.texts, packed_arrays.texts)),
)
EVENTS = 2


@asynccontextmanager
async def group_commit(dsn: str, schema: str) -> AsyncIterator[GroupCommit]:
    """Open one connection and commit through it."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        packed_arrays.register(connection)
        # Plan once, and for the indexes: planning every commit would cost more than its rows, and a
        # plan made while the tables are small would scan them for ever.
        for setting in ("enable_seqscan", "enable_hashjoin", "enable_mergejoin"):
            await connection.execute(sql.SQL("SET {} = off").format(sql.Identifier(setting)))
        await connection.execute(sql.SQL("SET plan_cache_mode = force_generic_plan"))
        yield GroupCommit(connection, schema)


def new_id() -> bytes:
    """Make a run id as bytes; consecutive ids are neighbours in the index."""
    return b"\x00\x00\x00\x10" + (time.time_ns() // 1_000_000).to_bytes(6, "big") + os.urandom(10)


def body(*parts: object) -> bytes:
    """Pack the body of an event."""
    packed: bytes = FORMAT + _pack(parts)
    return packed


def new_key() -> str:
    """Make the key of a delivery."""
    return os.urandom(16).hex()


def packed(value: int) -> bytes:
    """Pack a value."""
    text: bytes = FORMAT + _pack(value)
    return text


def unpacked(text: bytes) -> int:
    """Return a packed value."""
    value: int = msgpack.unpackb(text[len(FORMAT) :])
    return value


def signalled(run_id: bytes, value: bytes, key: str) -> Row:
    """Return the event of a signal that is a run's first."""
    return (run_id, 0, SIGNALLED, time.time_ns() // 1000, body("go", value, key))


async def step(value: int) -> int:
    """Do what the engine's measured activity does."""
    return value + 1


async def run(group: GroupCommit, steps: int, active: asyncio.Semaphore) -> int:
    """Insert, claim, execute and complete one run."""
    run_id = new_id()
    await group.commit(insert=(run_id, body((steps,), None)))
    async with active:
        await group.commit(claim=(run_id,))
        value, events = await take_steps(run_id, steps, lambda _, row: group.commit(events=[row]))
        await group.commit(events=events, complete=(run_id, packed(value)))
    return value


async def take_steps(
    run_id: bytes, steps: int, write: Callable[[int, Row], Awaitable[None]]
) -> tuple[int, list[Row]]:
    """Take steps, each after its row has been written; return the last result, and what is left to write."""
    value = seq = 0
    completed: tuple[Any, ...] = ()
    for number in range(steps):
        scheduled = ("step", CALLER, PLACE, body((value,), None), None)
        now = time.time_ns() // 1000
        if completed:
            # The call refers to the first one, which is from the same place.
            together = _pack((COMPLETED, 0, completed, -SCHEDULED, 0, (0, *scheduled[3:])))
            row: Row = (run_id, seq - 1, -2, now, together)
        else:
            row = (run_id, seq, SCHEDULED, now, FORMAT + _pack(scheduled))
        await write(number, row)
        value = await step(value)
        completed = (seq, packed(value))
        seq += 2
    events: list[Row] = []
    if completed:
        events.append((run_id, seq - 1, COMPLETED, time.time_ns() // 1000, body(*completed)))
    return value, events


async def run_many(group: GroupCommit, runs: int, steps: int) -> None:
    """Take many runs from insert to completion, concurrently."""
    active = asyncio.Semaphore(ACTIVE_RUNS)
    results = await asyncio.gather(*(run(group, steps, active) for _ in range(runs)))
    if results != [steps] * runs:
        raise AssertionError("the floor lost count of its steps")


async def one_by_one(group: GroupCommit, runs: int, steps: int) -> list[float]:
    """Take runs from insert to completion one after the other; return how long each took."""
    active = asyncio.Semaphore(ACTIVE_RUNS)
    seconds: list[float] = []
    for _ in range(runs):
        begin = time.perf_counter()
        await run(group, steps, active)
        seconds.append(time.perf_counter() - begin)
    return seconds


async def suspend(group: GroupCommit) -> bytes:
    """Insert and claim a run that then waits for a signal; return its id."""
    run_id = new_id()
    await group.commit(insert=(run_id, body((), None)))
    await group.commit(claim=(run_id,))
    return run_id


async def signal(group: GroupCommit, run_id: bytes, number: int) -> int:
    """Post a signal to a run, then write its event and complete the run."""
    value, key = packed(number), new_key()
    await group.commit(post=(run_id, key, body(value)))
    await group.commit(events=[signalled(run_id, value, key)], complete=(run_id, value), take=(run_id,))
    return number


async def signals(group: GroupCommit, runs: int) -> list[float]:
    """Signal waiting runs one after the other; return the time of each."""
    ids = [await suspend(group) for _ in range(runs)]
    seconds: list[float] = []
    for number, run_id in enumerate(ids):
        begin = time.perf_counter()
        await signal(group, run_id, number)
        seconds.append(time.perf_counter() - begin)
    return seconds
