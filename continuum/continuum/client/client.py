"""`Client`: start, signal, cancel, await and inspect runs, on any journal.

A write is durable when its call returns. While the journal is unavailable a write is retried
for some seconds, which is safe because it takes effect once: a start by its id, a signal by
its delivery id. Starts and posts of many callers share commits.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import aclosing
from copy import copy
from datetime import timedelta
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar, TypeVarTuple, Unpack, overload

from continuum.client.argument_checks import RunOrId, published_name, run_id_of
from continuum.client.cancel_outcome import CancelOutcome
from continuum.client.completions import Completions
from continuum.client.configured_start import ConfiguredStart
from continuum.client.fork_calls import ForkCalls
from continuum.client.forks import Lost, lose_in_children
from continuum.client.histories import Event, history_of
from continuum.client.in_process_port import InProcessPort
from continuum.client.namespaces import ANY_NAMESPACE, AnyNamespace, InNamespace, checked_namespace
from continuum.client.operations import OperationCalls
from continuum.client.pages import page_of
from continuum.client.pauses import PauseCalls
from continuum.client.posting import Posting
from continuum.client.published_values import PublishedValues
from continuum.client.queries import Condition, question_of
from continuum.client.run_changes import RunChanges
from continuum.client.run_forks import RunForks
from continuum.client.run_handle import RunHandle
from continuum.client.run_lookup import ClientJournal, RunLookup
from continuum.client.run_owner import Owner, owner_of
from continuum.client.runs import Page, Run, not_ended, outcome_of, run_of
from continuum.client.start_options import (
    Startable,
    StartableWithNone,
    StartableWithOne,
    StartableWithTwo,
    StartOptions,
    checked_names,
    new_run,
    split,
)
from continuum.client.starting import Starting
from continuum.client.state_changes import StateChange, StateChangeFeed
from continuum.codec.codec import decode, decoder_for
from continuum.definitions.name_rules import short_text
from continuum.definitions.signal import MISSING, Signal
from continuum.definitions.workflow import Workflow
from continuum.engine.ids import RUN_ID_RANDOM_BYTES, RunId, new_run_id
from continuum.engine.retry import seconds
from continuum.errors import AlreadyStarted, NotPublished, RunNotFound
from continuum.journal.ended_run import EndedRun
from continuum.journal.facts import NodeRow, RunRow
from continuum.operations.actor import Actor, Recorder
from continuum.operations.explain import explain
from continuum.operations.explanation import Explanation

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
D = TypeVar("D")
A = TypeVar("A")
B = TypeVar("B")
Ts = TypeVarTuple("Ts")


# What a forked child must not use.
_PARTS = (
    *("_journal", "_port", "_starts", "_lookup", "_posting", "_published", "_pauses"),
    *("_completions", "_changes", "_run_changes", "_forks"),
)


class Client(ForkCalls, PauseCalls, OperationCalls):
    """Starts, signals, cancels and inspects runs. Made by `connect`, or directly on an open journal.

    It belongs to one asyncio loop. Closing it leaves the journal open.

    Every call that names a run by its id takes `namespace`: with it, a run of any other namespace
    raises `RunNotFound`. Without it the id alone is enough.
    """

    def __init__(
        self,
        journal: ClientJournal,
        *,
        name: str = "default",
        randomness: Callable[[int], bytes] = os.urandom,
        port: InProcessPort | None = None,
    ) -> None:
        self.name = name
        self._journal = journal
        self._randomness = randomness
        self._port = port
        self._starts = Starting(journal.start, port)
        self._lookup, self._pauses = RunLookup(journal), journal
        self._posting = Posting(journal, self._lookup, randomness)
        self._run_changes = RunChanges(journal, self._lookup, self._posting)
        self._forks = RunForks(journal, self._lookup, self._fresh_id)
        self._record = Recorder(None, self._fresh_id)
        self._published = PublishedValues(journal, self._lookup)
        self._completions = Completions(journal, port=port)
        if port is not None:
            port.listen(self._completions.ended, self._completions.forget_ends)
        lose_in_children(self, _PARTS)
        self._changes = StateChangeFeed(journal)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Finish the writes that are under way, then raise `NotReady` in every caller that still waits.

        In a forked child it does nothing.
        """
        if isinstance(self._starts, Lost):
            return
        if self._port is not None:
            self._port.forget(self._completions.ended)
        await self._starts.close()
        await self._posting.close()
        await self._published.close()
        await self._completions.close()
        await self._changes.close()

    def as_actor(self, name: str, *, reason: str | None = None, via: str = "python") -> Self:
        """Return this client in the hands of a person: who, why and through what each change is recorded.

        `continuum audit list` shows the record. Starts, signals, cancels and the other changes through what
        is returned, and through handles that it returns, write a row of it in their own transaction.
        It shares the connections of this client, and is closed with it.
        """
        acting = copy(self)
        acting._record = self._record.by(Actor(name, via, reason))
        lose_in_children(acting, _PARTS)
        return acting

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

        `workflow` is a workflow, or the name of one with any arguments that can be encoded. The
        keywords of `StartOptions` are options; all others go to the workflow. A keyword that could be
        either is refused: write `client.options(...).start(...)`.
        """
        options, keywords = split(workflow, args, given)
        return await self._start(workflow, args, keywords, options)

    def options(self, **options: Unpack[StartOptions]) -> ConfiguredStart:
        """Return an object whose `start` has these options, and passes every argument to the workflow.

        Use it where a parameter of the workflow has the name of an option.
        """
        return ConfiguredStart(self._start, checked_names(options))

    async def _start(
        self, workflow: Any, args: tuple[Any, ...], keywords: dict[str, Any], options: StartOptions
    ) -> RunHandle[Any]:
        run = new_run(workflow, args, keywords, options, self._fresh_id)
        started = await self._starts.add(self._record.started(run))
        # A start whose result was lost is retried, and then finds the run that it has created itself.
        existing = started.existing and (started.run_id != run.id or options.get("id") is not None)
        if existing and options.get("on_conflict") == "raise":
            raise AlreadyStarted(started.run_id)
        known = workflow if isinstance(workflow, Workflow) else None
        # The run that already has the chosen id may belong to another namespace.
        namespace = options.get("namespace", ANY_NAMESPACE) if existing else ANY_NAMESPACE
        at = None if existing else asyncio.get_running_loop().time()
        return RunHandle(self, started.run_id, known, started=at, namespace=namespace)

    @overload
    def handle(self, run_id: RunOrId, *, namespace: InNamespace = ANY_NAMESPACE) -> RunHandle[Any]: ...
    @overload
    def handle(
        self, run_id: RunOrId, workflow: Workflow[..., R], *, namespace: InNamespace = ANY_NAMESPACE
    ) -> RunHandle[R]: ...
    def handle(
        self,
        run_id: RunOrId,
        workflow: Workflow[..., Any] | None = None,
        *,
        namespace: InNamespace = ANY_NAMESPACE,
    ) -> RunHandle[Any]:
        """Return a handle for the run with this id, without reading the journal.

        With `namespace` every call of the handle raises `RunNotFound` for a run of any other.
        """
        known = checked_namespace(namespace)
        return RunHandle(self, run_id_of(run_id), workflow, started=None, namespace=known)

    @overload
    async def signal(
        self,
        run_id: RunOrId,
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
        run_id: RunOrId,
        signal: str,
        value: object = None,
        *,
        delivery_id: str | None = None,
        workflow: Workflow[..., Any] | None = None,
        namespace: InNamespace = ANY_NAMESPACE,
    ) -> None: ...
    async def signal(
        self,
        run_id: RunOrId,
        signal: Signal[Any] | str,
        value: Any = None,
        *,
        delivery_id: str | None = None,
        workflow: Workflow[..., Any] | None = None,
        namespace: InNamespace = ANY_NAMESPACE,
    ) -> None:
        """Send a signal to a run, durable on return; a repeated `delivery_id` has no effect.

        If the run's code declares its signals, any other signal raises `UndeclaredSignal`, and a
        value that does not match raises `DurableTermError`. With `workflow` the client takes the
        declarations from there instead of reading them from the journal.
        """
        found = await self._lookup.resolve(run_id, namespace)
        await self._posting.post_signal(found, workflow, signal, value, delivery_id, self._record)

    async def cancel(
        self,
        run_id: RunOrId,
        *,
        force: bool = False,
        seen: Run | None = None,
        namespace: InNamespace = ANY_NAMESPACE,
    ) -> CancelOutcome:
        """Request that a run stops (it may compensate first); with `force` end it at once.

        Return whether the run has ended by that, or with whom the request is. The request is durable in
        any case. With `force` and `seen`, the latest run of the chain as it was looked at, nothing happens if
        that has changed since: `RunChanged`. A run that was seen running may run on meanwhile.
        """
        return await self._run_changes.cancel(run_id, namespace, self._record, force=force, seen=seen)

    async def unblock(self, run_id: RunOrId, *, namespace: InNamespace = ANY_NAMESPACE) -> bool:
        """Let nodes try a blocked run again, the latest of its chain; False if it is not blocked.

        Its deaths are forgotten. If the cause is still there, the run is blocked again.
        """
        return await self._run_changes.unblock(run_id, namespace, self._record)

    async def await_run(
        self,
        run_id: RunOrId,
        timeout: float | timedelta | None = None,
        *,
        workflow: Workflow[..., Any] | None = None,
        namespace: InNamespace = ANY_NAMESPACE,
    ) -> Any:
        """Return a run's result once it has ended, decoded by `workflow` if that is given.

        For a run that continued as new this is the result of the latest run of its chain.
        Raises `RunFailed`, `RunCancelled`, or `TimeoutError` after `timeout`; 0 does not wait.
        """
        limit = None if timeout is None else seconds(timeout)
        began = asyncio.get_running_loop().time()
        known = checked_namespace(namespace)
        latest = await self._lookup.latest_within(run_id_of(run_id), known, limit)
        ended = latest if latest.state.terminal else None
        return await self._outcome(latest.id, limit, workflow, ended, began=began)

    async def await_started(self, run_id: RunId, workflow: Workflow[..., Any] | None, started: float) -> Any:
        """Return the result of a run that this client has started, however long that takes.

        `started` is when, in the loop's time. The run is known to exist, so this skips the read with which
        `await_run` begins.
        """
        ended = await self._completions.wait(run_id, started)
        return outcome_of(ended, decode if workflow is None else workflow.decode_result)

    async def _outcome(
        self,
        run_id: RunId,
        timeout: float | None,
        workflow: Workflow[..., Any] | None,
        row: RunRow | None,
        *,
        began: float,
    ) -> Any:
        ended: RunRow | EndedRun | None = row
        if ended is None:
            deadline = None if timeout is None else began + timeout
            try:
                async with asyncio.timeout_at(deadline):
                    ended = await self._completions.wait(run_id)
            except TimeoutError:
                assert timeout is not None, "without a timeout nothing times out"
                row, present = await self._lookup.latest_for_message(run_id)
                if row is None or not row.state.terminal:
                    raise TimeoutError(not_ended(run_id, timeout, row, present)) from None
                ended = row
        return outcome_of(ended, decode if workflow is None else workflow.decode_result)

    async def get_run(self, run_id: RunOrId, *, namespace: InNamespace = ANY_NAMESPACE) -> Run:
        """Return the run with exactly this id as it is now; `RunNotFound` if there is none."""
        row = await self._lookup.row(run_id_of(run_id), checked_namespace(namespace))
        return run_of(row, await self._lookup.present([row]))

    async def owner(self, run_id: RunOrId, *, namespace: InNamespace = ANY_NAMESPACE) -> Owner | None:
        """Return the process that owns the latest run of this run's chain; None while none does."""
        row = await self._lookup.row(run_id_of(run_id), checked_namespace(namespace))
        return owner_of(await self._lookup.latest_run(row))

    async def explain(self, run_id: RunOrId, *, namespace: InNamespace = ANY_NAMESPACE) -> Explanation:
        """Return why the latest run of its chain is where it is, who wakes it and when, and what helps."""
        row = await self._lookup.row(run_id_of(run_id), checked_namespace(namespace))
        latest = await self._lookup.latest_run(row)
        found = await self._lookup.read(lambda: explain(self._journal, latest.id))
        if found is None:
            raise RunNotFound(latest.id)
        return found

    async def query(
        self,
        where: Iterable[Condition] = (),
        *,
        order_by: tuple[str, str] | str = ("started_at", "desc"),
        limit: int = 25,
        cursor: str | None = None,
        namespace: str | None = "default",
        payloads: bool = True,
        find: str | None = None,
        look_at: int | None = None,
    ) -> Page:
        """Return a page of the runs that match every condition; `namespace` None means all namespaces.

        Without `payloads` inputs and results are None. `UnindexedQuery` refuses what no index serves; with
        `look_at` the page is of the next so many runs in the order then, of `started_at` or `id`.

        A condition is (field, operator, value), the field a column or ("attributes", name); further names
        lead into a map. `find` is a search as the command line takes it ("state:failed started:<2d").
        """
        question = question_of(where, order_by, limit, cursor, namespace, find, self._journal.now())
        return await page_of(self._journal, self._lookup, question, payloads=payloads, look_at=look_at)

    async def set_attributes(
        self, run_id: RunOrId, attributes: Mapping[str, Any], *, namespace: InNamespace = ANY_NAMESPACE
    ) -> None:
        """Merge attributes into a run's, atomically."""
        await self._run_changes.set_attributes(run_id, attributes, namespace, self._record)

    async def history(self, run_id: RunOrId, *, namespace: InNamespace = ANY_NAMESPACE) -> list[Event]:
        """Return the journaled events of the run with exactly this id, oldest first."""
        found = await self._lookup.resolve(run_id, namespace)
        stored = (await self._lookup.read(lambda: self._journal.load([found])))[found]
        if not stored:
            await self._lookup.row(found)
        return history_of(stored)

    @overload
    async def read(self, run_id: RunOrId, name: str, *, namespace: InNamespace = ANY_NAMESPACE) -> Any: ...
    @overload
    async def read(
        self, run_id: RunOrId, name: str, type: type[T], *, namespace: InNamespace = ANY_NAMESPACE
    ) -> T: ...
    @overload
    async def read(
        self,
        run_id: RunOrId,
        name: str,
        type: type[T],
        *,
        default: D,
        namespace: InNamespace = ANY_NAMESPACE,
    ) -> T | D: ...
    @overload
    async def read(
        self, run_id: RunOrId, name: str, *, default: object, namespace: InNamespace = ANY_NAMESPACE
    ) -> Any: ...
    async def read(
        self,
        run_id: RunOrId,
        name: str,
        type: Any = Any,
        *,
        default: Any = MISSING,
        namespace: InNamespace = ANY_NAMESPACE,
    ) -> Any:
        """Return the latest value that a run published under a name; this works without a live node.

        It is decoded as `type`, or as a plain value without one. If nothing has been published yet,
        return `default`, or raise `NotPublished` without one.
        """
        decode_value = decoder_for(type, path=f"published {published_name(name)}")
        found = await self._lookup.resolve(run_id, namespace)
        value = await self._published.read(found, name)
        if value is not None:
            return decode_value(value)
        await self._lookup.row(found)
        if default is MISSING:
            raise NotPublished(found, name)
        return default

    @overload
    def watch(
        self, run_id: RunOrId, name: str, *, namespace: InNamespace = ANY_NAMESPACE
    ) -> AsyncGenerator[Any, None]: ...
    @overload
    def watch(
        self, run_id: RunOrId, name: str, type: type[T], *, namespace: InNamespace = ANY_NAMESPACE
    ) -> AsyncGenerator[T, None]: ...
    async def watch(
        self, run_id: RunOrId, name: str, type: Any = Any, *, namespace: InNamespace = ANY_NAMESPACE
    ) -> AsyncGenerator[Any, None]:
        """Yield the value published under a name, and each change of it, until the run has ended.

        A slow reader gets the latest value next, not every one in between.
        """
        decode_value = decoder_for(type, path=f"published {published_name(name)}")
        found = await self._lookup.resolve(run_id, namespace)
        async with aclosing(self._published.watch(found, name)) as values:
            async for value in values:
                yield decode_value(value)

    async def events(
        self,
        *,
        cursor: str | None = None,
        workflow: Workflow[..., Any] | str | None = None,
        namespace: InNamespace = ANY_NAMESPACE,
    ) -> AsyncGenerator[StateChange, None]:
        """Yield every change of the states of runs after `cursor`, for ever; then wait for the next one.

        Without a cursor it begins with the oldest change that is kept; with ``"now"`` it yields later ones
        only. A reader that continues with the cursor of the last change it has dealt with misses none and
        gets none twice. Changes are kept for seven days, and as long as their run; `CursorExpired` says
        that some after the cursor are gone.
        """
        wanted = workflow.name if isinstance(workflow, Workflow) else workflow
        if wanted is not None:
            short_text(wanted, "workflow")
        space = checked_namespace(namespace)
        within = None if isinstance(space, AnyNamespace) else space
        async with aclosing(self._changes.follow(cursor, namespace=within, workflow=wanted)) as changes:
            async for change in changes:
                yield change

    async def drain_node(self, name: str) -> None:
        """Ask a node to shut down in order; it begins within a third of its lease."""
        await self._run_changes.drain_node(name, self._record)

    async def nodes(self) -> list[NodeRow]:
        """Return every node that has not been stopped for good."""
        return await self._lookup.read(self._journal.nodes)

    def _fresh_id(self) -> RunId:
        return new_run_id(self._journal.now(), self._randomness(RUN_ID_RANDOM_BYTES))
