"""The floor's sibling: the same rows, with a client in a process of its own, and notifications.

It is the bound for the latency of a node. The client inserts a run and announces it, with all that the run
needs, in one statement. The worker hears that and runs its code up to the first write, which claims the run
too. The write that ends the run reports its result to the client, which reads nothing. So a run without steps
is two commits and two notifications. As in `floor.py` there is no fence, no lease, no replay, and a
notification that is lost is waited for in vain.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg import sql

from bench import floor
from bench.floor import GroupCommit, group_commit

# Channels, each behind the name of the schema.
STARTED, POSTED, ENDED = "floor_started", "floor_posted", "floor_ended"
WAITING = "waiting"


@asynccontextmanager
async def listening(dsn: str, schema: str, heard: dict[str, Callable[[str], None]]) -> AsyncIterator[None]:
    """Call a function with the payload of each notification on its channel."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        names = {f"{schema}.{channel}": hear for channel, hear in heard.items()}
        for name in names:
            await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(name)))

        def read() -> None:
            connection.pgconn.consume_input()
            while (notify := connection.pgconn.notifies()) is not None:
                names[notify.relname.decode()](notify.extra.decode())

        loop = asyncio.get_running_loop()
        loop.add_reader(connection.pgconn.socket, read)
        try:
            yield
        finally:
            loop.remove_reader(connection.pgconn.socket)


class Worker:
    """Executes what is announced."""

    def __init__(self, group: GroupCommit, schema: str) -> None:
        self._group = group
        self._schema = schema
        self._tasks: set[asyncio.Task[None]] = set()

    def hear_start(self, payload: str) -> None:
        """Execute an announced run; one that waits for a signal is claimed and left."""
        name, steps = payload.split()
        run_id = bytes.fromhex(name)
        self._begin(self._wait(run_id) if steps == WAITING else self._execute(run_id, int(steps)))

    def hear_post(self, payload: str) -> None:
        """Complete a run that has got a signal."""
        name, key, number = payload.split()
        self._begin(self._complete_signalled(bytes.fromhex(name), key, int(number)))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _execute(self, run_id: bytes, steps: int) -> None:
        def write(number: int, row: floor.Row) -> Awaitable[None]:
            return self._group.commit(claim=None if number else (run_id,), events=[row])

        value, events = await floor.take_steps(run_id, steps, write)
        result = floor.packed(value)
        ended = self._ended(run_id, result)
        if steps:
            await self._group.commit(events=events, complete=(run_id, result), notify=ended)
        else:
            await self._group.commit(claim_and_complete=(run_id, result), notify=ended)

    async def _wait(self, run_id: bytes) -> None:
        await self._group.commit(claim=(run_id,))

    async def _complete_signalled(self, run_id: bytes, key: str, number: int) -> None:
        result = floor.packed(number)
        event = floor.signalled(run_id, result, key)
        ended = self._ended(run_id, result)
        await self._group.commit(events=[event], complete=(run_id, result), take=(run_id,), notify=ended)

    def _ended(self, run_id: bytes, result: bytes) -> floor.Row:
        return (f"{self._schema}.{ENDED}", f"{run_id.hex()} {result.hex()}")


class Caller:
    """Starts runs, sends signals, and hears results."""

    def __init__(self, group: GroupCommit, schema: str) -> None:
        self._group = group
        self._schema = schema
        self._awaited: dict[str, asyncio.Future[int]] = {}

    def hear_end(self, payload: str) -> None:
        """Give a result to the caller that waits for it."""
        name, result = payload.split()
        self._awaited.pop(name).set_result(floor.unpacked(bytes.fromhex(result)))

    def _await_end(self, run_id: bytes) -> asyncio.Future[int]:
        future = self._awaited[run_id.hex()] = asyncio.get_running_loop().create_future()
        return future

    async def run(self, steps: int) -> int:
        """Start a run of so many steps and return its result."""
        run_id = floor.new_id()
        ended = self._await_end(run_id)
        await self._start(run_id, str(steps), floor.body((steps,), None))
        return await ended

    async def suspend(self) -> bytes:
        """Start a run that waits for a signal; return its id."""
        run_id = floor.new_id()
        await self._start(run_id, WAITING, floor.body((), None))
        return run_id

    async def signal(self, run_id: bytes, number: int) -> int:
        """Send a signal, and return the result of the run."""
        ended = self._await_end(run_id)
        key = floor.new_key()
        post = (run_id, key, floor.body(floor.packed(number)))
        heard = (f"{self._schema}.{POSTED}", f"{run_id.hex()} {key} {number}")
        await self._group.commit(post=post, notify=heard)
        return await ended

    async def _start(self, run_id: bytes, what: str, given: bytes) -> None:
        announced = (f"{self._schema}.{STARTED}", f"{run_id.hex()} {what}")
        await self._group.commit(insert=(run_id, given), notify=announced)


@asynccontextmanager
async def worker(dsn: str, schema: str) -> AsyncIterator[None]:
    """Execute what callers in other processes announce."""
    async with group_commit(dsn, schema) as group:
        serving = Worker(group, schema)
        async with listening(dsn, schema, {STARTED: serving.hear_start, POSTED: serving.hear_post}):
            yield


@asynccontextmanager
async def caller(dsn: str, schema: str) -> AsyncIterator[Caller]:
    """Yield a caller, whose worker is another process."""
    async with group_commit(dsn, schema) as group:
        calling = Caller(group, schema)
        async with listening(dsn, schema, {ENDED: calling.hear_end}):
            yield calling
