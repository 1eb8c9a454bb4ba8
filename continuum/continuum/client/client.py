"""`Client`: everything the outside may ask of runs, on any journal.

What is written is durable when the call returns, and is repeated for a while when
the journal is unavailable, because each write takes effect once: a start by its id,
a signal by its delivery id. Starts and posts of many callers share commits.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar, TypeVarTuple, Unpack, overload

from continuum.client.checking import checked_attributes, run_id_of, short_text, signal_name
from continuum.client.group_commit import GroupCommit
from continuum.client.handles import RunHandle
from continuum.client.histories import INTERNAL_DELIVERY, Event, history_of
from continuum.client.limits import READS_AT_ONCE
from continuum.client.patience import once_more
from continuum.client.querying import Condition, question_of
from continuum.client.run_ids import RANDOM_BYTES, new_run_id
from continuum.client.runs import Page, Run, outcome_of, run_of
from continuum.client.start_options import (
    Startable,
    StartableWithNone,
    StartableWithOne,
    StartableWithTwo,
    StartOptions,
    new_run,
    split,
)
from continuum.client.waiting import Completions
from continuum.engine.ids import NodeId, RunId
from continuum.engine.retry import seconds
from continuum.errors import AlreadyStarted, NodeNotFound, RunNotFound, RunTerminal
from continuum.journal.codec import decode, encode
from continuum.journal.facts import InboxKind, NewRun, NodeRow, Post, Posted, RunRow, Started
from continuum.journal.port import Journal
from continuum.signals import Signal
from continuum.workflow import Workflow

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")
Ts = TypeVarTuple("Ts")


class Client:
    """Starts, signals, cancels and looks at runs. Made by `connect`, or here on an open journal.

    It belongs to one asyncio loop; closing it leaves the journal open.
    """

    def __init__(
        self, journal: Journal, *, name: str = "default", randomness: Callable[[int], bytes] = os.urandom
    ) -> None:
        self.name = name
        self._journal = journal
        self._randomness = randomness
        self._starts = GroupCommit(self._start_all)
        self._posts = GroupCommit(self._post_all)
        self._completions = Completions(journal)
        self._reads = asyncio.Semaphore(READS_AT_ONCE)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Finish the writes under way, and tell those who wait for runs that nobody waits any more."""
        await self._starts.close()
        await self._posts.close()
        await self._completions.close()

    @overload
    async def start(self, workflow: Workflow[P, R], /, *args: P.args, **kwargs: P.kwargs) -> RunHandle[R]: ...
    @overload
    async def start(
        self, workflow: StartableWithNone[R], /, **options: Unpack[StartOptions]
    ) -> RunHandle[R]: ...
    @overload
    async def start(
        self, workflow: Startable[*Ts, R], /, *args: *Ts, **options: Unpack[StartOptions]
    ) -> RunHandle[R]: ...
    @overload
    async def start(
        self, workflow: StartableWithOne[A, R], argument: A, /, **options: Unpack[StartOptions]
    ) -> RunHandle[R]: ...
    @overload
    async def start(
        self, workflow: StartableWithTwo[A, B, R], first: A, second: B, /, **options: Unpack[StartOptions]
    ) -> RunHandle[R]: ...
    @overload
    async def start(self, workflow: str, /, *args: object, **given: Any) -> RunHandle[Any]: ...
    async def start(self, workflow: Any, /, *args: Any, **given: Any) -> RunHandle[Any]:  # type: ignore[misc]  # mypy cannot match TypeVarTuple with Any
        """Start a run and return its handle once the start is durable.

        `workflow` is a workflow or, with any encodable arguments, the name of one. The
        keywords of `StartOptions` are options; all others go to the workflow.
        """
        options, keywords = split(given)
        run = new_run(workflow, args, keywords, options, self._fresh_id)
        started = await self._starts.add(run)
        # A start may be repeated after its answer was lost: then it meets itself.
        existing = started.existing and (started.run_id != run.id or options.get("id") is not None)
        if existing and options.get("on_conflict") == "raise":
            raise AlreadyStarted(started.run_id)
        known = workflow if isinstance(workflow, Workflow) else None
        return RunHandle(self, started.run_id, known, existing=existing)

    @overload
    def handle(self, run_id: str) -> RunHandle[Any]: ...
    @overload
    def handle(self, run_id: str, workflow: Workflow[..., R]) -> RunHandle[R]: ...
    def handle(self, run_id: str, workflow: Workflow[..., Any] | None = None) -> RunHandle[Any]:
        """Return the handle of a run by its id, without asking the journal."""
        return RunHandle(self, run_id_of(run_id), workflow, existing=True)

    @overload
    async def signal(
        self, run_id: str, signal: Signal[T], value: T, *, delivery_id: str | None = None
    ) -> None: ...
    @overload
    async def signal(
        self, run_id: str, signal: str, value: object = None, *, delivery_id: str | None = None
    ) -> None: ...
    async def signal(
        self, run_id: str, signal: Signal[Any] | str, value: Any = None, *, delivery_id: str | None = None
    ) -> None:
        """Send a signal to a run, durable on return; a `delivery_id` seen before is a no-op."""
        if isinstance(signal, Signal):
            name, data = signal.name, signal.encode(value)
        else:
            name = signal_name(signal)
            data = encode(value, path=f"signal {name}")
        if delivery_id is None:
            # With a key of its own, a post whose answer was lost can be repeated.
            key = INTERNAL_DELIVERY + self._randomness(16).hex()
        else:
            key = short_text(delivery_id, "delivery_id")
        await self._post(Post(run_id_of(run_id), InboxKind.SIGNAL, name, (data,), key))

    async def cancel(self, run_id: str, *, force: bool = False) -> None:
        """Ask a run to stop (it may compensate first), or with `force` end it at once."""
        known = run_id_of(run_id)
        if not force:
            await self._post(Post(known, InboxKind.CANCEL, "cancel", (), "cancel"))
            return
        await self._check_posted(known, await self._journal.force_cancel(known))

    async def await_run(
        self,
        run_id: str,
        timeout: float | timedelta | None = None,
        *,
        workflow: Workflow[..., Any] | None = None,
    ) -> Any:
        """Return a run's result once it has ended, decoded by `workflow` if that is given.

        Raises `RunFailed`, `RunCancelled`, or `TimeoutError` after `timeout`; 0 only looks.
        """
        known = run_id_of(run_id)
        row = await self._row(known)
        return await self._outcome(known, timeout, workflow, row if row.state.terminal else None)

    async def await_started(self, run_id: RunId, workflow: Workflow[..., Any] | None) -> Any:
        """Return the result of a run that this client has started, however long it takes.

        It is there for sure, so nobody asks for it one by one.
        """
        return await self._outcome(run_id, None, workflow, None)

    async def _outcome(
        self,
        run_id: RunId,
        timeout: float | timedelta | None,
        workflow: Workflow[..., Any] | None,
        row: RunRow | None,
    ) -> Any:
        if row is None:
            loop = asyncio.get_running_loop()
            deadline = None if timeout is None else loop.time() + seconds(timeout)
            try:
                async with asyncio.timeout_at(deadline):
                    row = await self._completions.wait(run_id)
            except TimeoutError:
                assert timeout is not None, "without a timeout nothing times out"
                raise TimeoutError(
                    f"run {run_id} has not ended within {seconds(timeout):g} s; it goes on, ask again later"
                ) from None
        return outcome_of(row, decode if workflow is None else workflow.decode_result)

    async def get_run(self, run_id: str) -> Run:
        """Return a run as it is now; `RunNotFound` when there is none."""
        return run_of(await self._row(run_id_of(run_id)))

    async def query(
        self,
        where: Iterable[Condition] = (),
        *,
        order_by: tuple[str, str] | str = ("started_at", "desc"),
        limit: int = 25,
        cursor: str | None = None,
        namespace: str | None = "default",
    ) -> Page:
        """Return a page of the runs for which every condition holds; `namespace` None means all.

        A condition is (field, operator, value), the field a column or ("attributes", name).
        """
        question = question_of(where, order_by, limit, cursor, namespace)
        async with self._reads:
            rows = await once_more(lambda: self._journal.query(question.one_more()))
        more = question.cursor_after(rows[limit - 1]) if len(rows) > limit else None
        return Page([run_of(row) for row in rows[:limit]], more)

    async def set_attributes(self, run_id: str, attributes: Mapping[str, Any]) -> None:
        """Merge attributes into a run's, atomically."""
        known, checked = run_id_of(run_id), checked_attributes(attributes)
        if not await once_more(lambda: self._journal.set_attributes(known, checked)):
            raise RunNotFound(known)

    async def history(self, run_id: str) -> list[Event]:
        """Return what a run has journaled, oldest first."""
        known = run_id_of(run_id)
        async with self._reads:
            stored = (await once_more(lambda: self._journal.load([known])))[known]
        if not stored:
            await self._row(known)
        return history_of(stored)

    async def drain_node(self, name: str) -> None:
        """Ask a node to stop in order; it begins within a third of its lease."""
        if not await once_more(lambda: self._journal.drain_node(NodeId(name))):
            raise NodeNotFound(name)

    async def nodes(self) -> list[NodeRow]:
        """Return every node that has not been stopped for good."""
        async with self._reads:
            return await once_more(self._journal.nodes)

    def _fresh_id(self) -> RunId:
        return new_run_id(self._journal.now(), self._randomness(RANDOM_BYTES))

    async def _row(self, run_id: RunId) -> RunRow:
        async with self._reads:
            row = await once_more(lambda: self._journal.get_run(run_id))
        if row is None:
            raise RunNotFound(run_id)
        return row

    async def _post(self, post: Post) -> None:
        await self._check_posted(post.run_id, await self._posts.add(post))

    async def _check_posted(self, run_id: RunId, posted: Posted) -> None:
        match posted:
            case Posted.NOT_FOUND:
                raise RunNotFound(run_id)
            case Posted.TERMINAL:
                row = await self._row(run_id)
                raise RunTerminal(run_id, row.state.name.lower())

    async def _start_all(self, runs: Sequence[NewRun]) -> Sequence[Started]:
        # In the order of their keys: two clients that insert the same keys in two orders would deadlock.
        return await _in_order(runs, lambda run: run.idempotency_key or "", self._journal.start)

    async def _post_all(self, posts: Sequence[Post]) -> Sequence[Posted]:
        # In the order of the runs, as everyone locks them (I3); each run's own posts stay in line.
        return await _in_order(posts, lambda post: post.run_id, self._journal.post)


async def _in_order(
    items: Sequence[T], key: Callable[[T], str], write: Callable[[Sequence[T]], Any]
) -> list[Any]:
    """Write items ordered by `key` and return the answers in the order of the items."""
    order = sorted(range(len(items)), key=lambda index: key(items[index]))
    answers = await write([items[index] for index in order])
    return [answer for _, answer in sorted(zip(order, answers, strict=True), key=lambda pair: pair[0])]
