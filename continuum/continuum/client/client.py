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

from continuum.client.argument_checks import checked_attributes, run_id_of
from continuum.client.completions import Completions
from continuum.client.group_commit import GroupCommit, in_order
from continuum.client.handles import RunHandle
from continuum.client.histories import Event, history_of
from continuum.client.namespaces import ANY_NAMESPACE, InNamespace, checked_namespace
from continuum.client.posting import Mail
from continuum.client.published_values import Cells
from continuum.client.queries import Condition, question_of
from continuum.client.reading_published import Publications
from continuum.client.retrying import once_more
from continuum.client.run_ids import RANDOM_BYTES, new_run_id
from continuum.client.run_lookup import Looking
from continuum.client.runs import Page, Run, not_ended, outcome_of, run_of
from continuum.client.start_options import (
    Startable,
    StartableWithNone,
    StartableWithOne,
    StartableWithTwo,
    StartOptions,
    new_run,
    split,
)
from continuum.codec.codec import decode
from continuum.definitions.signal import Signal
from continuum.definitions.workflow import Workflow
from continuum.engine.ids import NodeId, RunId
from continuum.engine.retry import seconds
from continuum.errors import AlreadyStarted, NodeNotFound, RunNotFound
from continuum.journal.facts import NewRun, NodeRow, RunRow, Started
from continuum.journal.port import Journal

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")
Ts = TypeVarTuple("Ts")


class Client(Publications):
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
        self._looking = Looking(journal)
        self._mail = Mail(journal, self._looking, randomness)
        self._cells = Cells(journal, self._looking)
        self._completions = Completions(journal)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Finish the writes under way, and tell those who wait for runs that nobody waits any more."""
        await self._starts.close()
        await self._mail.close()
        await self._cells.close()
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
        self,
        run_id: str,
        signal: Signal[T],
        value: T,
        *,
        delivery_id: str | None = None,
        workflow: Workflow[..., Any] | None = None,
        namespace: InNamespace = ANY_NAMESPACE,
    ) -> None: ...
    @overload
    async def signal(
        self,
        run_id: str,
        signal: str,
        value: object = None,
        *,
        delivery_id: str | None = None,
        workflow: Workflow[..., Any] | None = None,
        namespace: InNamespace = ANY_NAMESPACE,
    ) -> None: ...
    async def signal(
        self,
        run_id: str,
        signal: Signal[Any] | str,
        value: Any = None,
        *,
        delivery_id: str | None = None,
        workflow: Workflow[..., Any] | None = None,
        namespace: InNamespace = ANY_NAMESPACE,
    ) -> None:
        """Send a signal to a run, durable on return; a `delivery_id` seen before is a no-op.

        Where the run's code declares its signals, `UndeclaredSignal` is raised for any other, and
        `DurableTermError` for a value that does not fit; `workflow` saves asking for what it declares.
        """
        known = await self._looking.known(run_id, namespace)
        await self._mail.signal(known, workflow, signal, value, delivery_id)

    async def cancel(
        self, run_id: str, *, force: bool = False, namespace: InNamespace = ANY_NAMESPACE
    ) -> None:
        """Ask a run to stop (it may compensate first), or with `force` end it at once."""
        await self._mail.cancel(await self._looking.known(run_id, namespace), force=force)

    async def await_run(
        self,
        run_id: str,
        timeout: float | timedelta | None = None,
        *,
        workflow: Workflow[..., Any] | None = None,
        namespace: InNamespace = ANY_NAMESPACE,
    ) -> Any:
        """Return a run's result once it has ended, decoded by `workflow` if that is given.

        Of a run that continued as new it is the result of the last run of the chain.
        Raises `RunFailed`, `RunCancelled`, or `TimeoutError` after `timeout`; 0 only looks.
        """
        row = await self._looking.row(run_id_of(run_id), checked_namespace(namespace))
        tip = await self._looking.tip(row)
        return await self._outcome(tip.id, timeout, workflow, tip if tip.state.terminal else None)

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
                row = await self._looking.latest(run_id)
                if row is None or not row.state.terminal:
                    raise TimeoutError(not_ended(run_id, seconds(timeout), row)) from None
        return outcome_of(row, decode if workflow is None else workflow.decode_result)

    async def get_run(self, run_id: str, *, namespace: InNamespace = ANY_NAMESPACE) -> Run:
        """Return this very run as it is now; `RunNotFound` when there is none."""
        return run_of(await self._looking.row(run_id_of(run_id), checked_namespace(namespace)))

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
        rows = await self._looking.ask(lambda: self._journal.query(question.one_more()))
        more = question.cursor_after(rows[limit - 1]) if len(rows) > limit else None
        return Page([run_of(row) for row in rows[:limit]], more)

    async def set_attributes(
        self, run_id: str, attributes: Mapping[str, Any], *, namespace: InNamespace = ANY_NAMESPACE
    ) -> None:
        """Merge attributes into a run's, atomically."""
        checked = checked_attributes(attributes)
        known = await self._looking.known(run_id, namespace)
        if not await once_more(lambda: self._journal.set_attributes(known, checked)):
            raise RunNotFound(known)

    async def history(self, run_id: str, *, namespace: InNamespace = ANY_NAMESPACE) -> list[Event]:
        """Return what this very run has journaled, oldest first."""
        known = await self._looking.known(run_id, namespace)
        stored = (await self._looking.ask(lambda: self._journal.load([known])))[known]
        if not stored:
            await self._looking.row(known)
        return history_of(stored)

    async def drain_node(self, name: str) -> None:
        """Ask a node to stop in order; it begins within a third of its lease."""
        if not await once_more(lambda: self._journal.drain_node(NodeId(name))):
            raise NodeNotFound(name)

    async def nodes(self) -> list[NodeRow]:
        """Return every node that has not been stopped for good."""
        return await self._looking.ask(self._journal.nodes)

    def _fresh_id(self) -> RunId:
        return new_run_id(self._journal.now(), self._randomness(RANDOM_BYTES))

    async def _start_all(self, runs: Sequence[NewRun]) -> Sequence[Started]:
        # In the order of their keys: two clients that insert the same keys in two orders would deadlock.
        return await in_order(runs, lambda run: run.idempotency_key or "", self._journal.start)
