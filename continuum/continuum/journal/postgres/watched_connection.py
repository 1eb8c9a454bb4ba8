"""`WatchedConnection`: a connection on which no wait lasts for ever.

The connection alone does not show whether a silent server is gone or works on a long statement.
So after some silence another connection asks the server whether the statement still runs. If it does,
the wait continues, up to the limit that the session has set for statements. If not, or if this question
has no answer either, the connection is shut down here, without waiting for the server, and the statement
fails.

A cancelled wait ends at once, too: the connection is dropped, and the server is asked to cancel in the
background. The driver alone would wait for up to ten seconds for a server that may be gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import psycopg
from psycopg import capabilities, generators, waiting
from psycopg.abc import PQGen
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult

from continuum.journal.limits import (
    ANSWER_SECONDS,
    QUESTION_SECONDS,
    SILENCE_SECONDS,
    STATEMENT_SECONDS,
)
from continuum.journal.postgres.prepared_statements import PreparedStatement

T = TypeVar("T")

_GOOD = (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK)

StillRuns = Callable[["WatchedConnection"], Awaitable[bool]]
"""Asks by another connection whether the server works on the statement of this one."""

_cancelling: set[asyncio.Task[None]] = set()


class _Forks:
    """How often this process has been forked off from another one that had imported this module."""

    count = 0


def _forked() -> None:
    _Forks.count += 1


# A loop that a fork copied shares its selector with the parent: what the child takes out is out for both.
os.register_at_fork(after_in_child=_forked)


class NoAnswerError(psycopg.OperationalError):
    """The server has not answered on a connection that is open; the connection has been dropped."""


class WatchedConnection(psycopg.AsyncConnection[Any]):
    """A connection whose statements end; `silence` and `longest` are in seconds, and may be changed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.silence = SILENCE_SECONDS
        self.longest = STATEMENT_SECONDS
        # Without it silence is the end: nobody can be asked.
        self.still_runs: StillRuns | None = None
        # The process that serves this session, as the server itself knows it; 0 behind a pooler.
        self.server_pid = 0
        # Begins every statement where sessions change, so that the server finds the statement by it.
        self.mark = b""
        self._forks = _Forks.count
        # The descriptor that the loop watches between two statements.
        self._attended: int | None = None
        self._watch = _Watch(self)
        self._prepared_here: set[bytes] = set()

    async def wait(self, gen: PQGen[T], interval: float = 0.0, timeout: float | None = None) -> T:
        """Drive the driver's generator until it ends, or the server counts as gone."""
        if timeout is not None:
            return await super().wait(gen, interval, timeout)
        try:
            state = next(gen)
        except StopIteration as ended:
            value: T = ended.value
            return value
        watch = self._watch
        watch.begin()
        loop, descriptor = asyncio.get_running_loop(), self.pgconn.socket
        try:
            while True:
                ready = await _ready(loop, descriptor, state)
                watch.heard = loop.time()
                state = gen.send(ready)
        except StopIteration as ended:
            value = ended.value
            return value
        except asyncio.CancelledError:
            self._abandon()
            raise
        except psycopg.OperationalError as error:
            if watch.reason is None:
                raise
            raise NoAnswerError(watch.reason) from error
        finally:
            watch.end()

    async def run_prepared(
        self, statement: PreparedStatement, parameters: Sequence[bytes | None]
    ) -> PGresult:
        """Run a statement, which this session prepares at its first use."""
        pgconn = self.pgconn
        if statement.name not in self._prepared_here:
            pgconn.send_prepare(statement.name, statement.text)
            self._checked(await self.wait(generators.execute(pgconn)))
            self._prepared_here.add(statement.name)
        pgconn.send_query_prepared(statement.name, parameters, statement.formats)
        return self._checked(await self.wait(generators.execute(pgconn)))

    def _checked(self, results: Sequence[PGresult]) -> PGresult:
        result = results[-1]
        if result.status not in _GOOD:
            raise psycopg.errors.error_from_result(result, encoding=self.info.encoding)
        return result

    async def close(self) -> None:
        """Close without waiting for the server; a forked child leaves the connection to its parent."""
        if self._forks == _Forks.count:
            self._watch.stop()
            await super().close()

    def drop(self) -> None:
        """Shut the socket down, so that a wait for the server fails at once."""
        if self.closed or self._forks != _Forks.count:
            return
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(self.pgconn.socket)) as shared:
            shared.shutdown(socket.SHUT_RDWR)

    def hang_up(self) -> None:
        """Close at once; a forked child leaves the connection to its parent."""
        if not self.closed and self._forks == _Forks.count:
            self._watch.stop()
            self.pgconn.finish()

    def attend(self, readable: Callable[[], object] | None) -> None:
        """Call `readable` when the server sends something between two statements; None ends that."""
        if self._forks != _Forks.count:
            return
        if self._attended is not None:
            # Also once the driver has closed it: the next one that the process opens has the same number.
            asyncio.get_running_loop().remove_reader(self._attended)
            self._attended = None
        if readable is not None and not self.closed:
            self._attended = self.pgconn.socket
            asyncio.get_running_loop().add_reader(self._attended, readable)

    def take_in(self) -> None:
        """Read what the server has sent unasked, and pass notifications to their handlers."""
        self.pgconn.consume_input()
        self.pass_on()

    def pass_on(self) -> None:
        """Pass notifications that have been read to their handlers."""
        while (notify := self.pgconn.notifies()) is not None:
            # As the driver does for what comes with the answer to a statement.
            if self.pgconn.notify_handler is not None:
                self.pgconn.notify_handler(notify)

    def is_idle(self) -> bool:
        """Whether the connection is open and between two transactions."""
        return not self.closed and self.pgconn.transaction_status == TransactionStatus.IDLE

    def is_fresh(self) -> bool:
        """Whether an idle connection can be used: what the server sends unasked is mostly its farewell."""
        return self.is_idle() and not _poll(self.pgconn.socket, waiting.Wait.R)

    def _abandon(self) -> None:
        if self.closed or self._forks != _Forks.count:
            return
        if self.pgconn.transaction_status == TransactionStatus.ACTIVE and capabilities.has_cancel_safe():
            task = asyncio.get_running_loop().create_task(_cancel(self.pgconn.cancel_conn()))
            _cancelling.add(task)
            task.add_done_callback(_cancelling.discard)
        self.pgconn.finish()


class _Watch:
    """Watches the waits of a connection, one after the other; `reason` says why it has been dropped.

    A connection in use has one timer: it is set anew when it has come, not for every wait.
    """

    def __init__(self, connection: WatchedConnection) -> None:
        self._connection = connection
        self._began = self.heard = 0.0
        self._watching = False
        self._timer: asyncio.TimerHandle | None = None
        self._asking: asyncio.Task[None] | None = None
        self.reason: str | None = None

    def begin(self) -> None:
        self._loop = loop = asyncio.get_running_loop()
        self._began = self.heard = loop.time()
        self._watching, self.reason = True, None
        if self._timer is None or self._timer.when() > self.heard + self._connection.silence:
            self.stop()
            self._look_in(self._connection.silence)

    def end(self) -> None:
        self._watching = False
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        if not self._watching:
            return
        silent = self._loop.time() - self.heard
        if silent < self._connection.silence:
            self._look_in(self._connection.silence - silent)
        else:
            self._asking = self._loop.create_task(self._ask())

    def _look_in(self, delay: float) -> None:
        self._timer = self._loop.call_later(delay, self._look)

    async def _ask(self) -> None:
        connection, heard = self._connection, self.heard
        if self._loop.time() - self._began < connection.longest + connection.silence:
            if await _answers_yes(connection):
                self._look_in(connection.silence)
                return
            await asyncio.sleep(ANSWER_SECONDS if connection.still_runs is not None else 0)
        if self.heard > heard:
            self._look_in(connection.silence)
            return
        self.reason = f"no answer on an open connection for {self._loop.time() - heard:.0f} s"
        connection.drop()


async def _answers_yes(connection: WatchedConnection) -> bool:
    if connection.still_runs is None:
        return False
    try:
        async with asyncio.timeout(QUESTION_SECONDS):
            return await connection.still_runs(connection)
    except (TimeoutError, psycopg.Error, OSError):
        return False


async def _ready(loop: asyncio.AbstractEventLoop, descriptor: int, state: int) -> int:
    """Return how the socket is ready, once it is."""
    if state & waiting.Wait.W and (ready := _poll(descriptor, state)):
        # Nearly always writable: a look is cheaper than the loop.
        return ready
    future: asyncio.Future[int] = loop.create_future()
    forks = _Forks.count
    reads, writes = state & waiting.Wait.R, state & waiting.Wait.W
    if reads:
        loop.add_reader(descriptor, _set, future, waiting.Ready.R)
    if writes:
        loop.add_writer(descriptor, _set, future, waiting.Ready.W)
    try:
        return await future
    finally:
        if forks != _Forks.count:
            reads = writes = 0
        if reads:
            loop.remove_reader(descriptor)
        if writes:
            loop.remove_writer(descriptor)


def _poll(descriptor: int, state: int) -> int:
    """Return how the socket is ready now."""
    poll = select.poll()
    wanted = (select.POLLIN if state & waiting.Wait.R else 0) | (
        select.POLLOUT if state & waiting.Wait.W else 0
    )
    poll.register(descriptor, wanted)
    ready = 0
    for _, events in poll.poll(0):
        # A failed socket is ready for whatever is asked: the driver then finds the failure.
        failed = events & ~(select.POLLIN | select.POLLOUT)
        ready |= state if failed else 0
        ready |= waiting.Ready.R if events & select.POLLIN else 0
        ready |= waiting.Ready.W if events & select.POLLOUT else 0
    return ready


def _set(future: asyncio.Future[int], ready: int) -> None:
    if not future.done():
        future.set_result(ready)


async def _cancel(request: Any) -> None:
    """Ask the server to cancel a statement; if it does not hear that, its own limit ends the statement."""
    with contextlib.suppress(psycopg.Error, OSError, TimeoutError):
        async with asyncio.timeout(QUESTION_SECONDS):
            request.start()
            await waiting.wait_conn_async(generators.cancel(request), interval=1.0)
