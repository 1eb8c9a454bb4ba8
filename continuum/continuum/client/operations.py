"""`ClientOperations`: one change of all runs that a search finds, and how far such changes are.

It is `client.operations`. The commands `continuum runs ACTION --find SEARCH` and `continuum operations` do
the same with the same records.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, TypedDict, TypeVar, Unpack

from continuum.client.limits import PAGE_ENTRIES
from continuum.client.retrying import retry_write
from continuum.client.run_forks import Signals
from continuum.client.run_lookup import ClientJournal, RunLookup
from continuum.definitions.signal import Signal
from continuum.errors import InvalidOption
from continuum.journal.audit_facts import Action
from continuum.journal.operation_facts import OperationState
from continuum.operations.account import account_name
from continuum.operations.actor import Actor, Recorder, actor_name
from continuum.operations.bulk import BulkChange, OperatedJournal, bulk_change
from continuum.operations.bulk_arguments import check_rate
from continuum.operations.bulk_execution import beginning, check_changed, execute, found, operation_id
from continuum.operations.bulk_preview import preview
from continuum.operations.bulk_records import (
    Operation,
    OperationPage,
    OperationPreview,
    OperationProgress,
    operation_of,
)
from continuum.operations.operation_lists import operation_page

T = TypeVar("T")


class ChangeOptions(TypedDict, total=False):
    """What changes take beside an action and a search.

    `namespace` is the one of the runs, None for all. ``signal`` takes `signal` and `value`, ``attributes``
    takes `attributes`. ``reset`` and ``fork`` take `at`, the seq of an event; with ``restart`` they take
    `signals`, which is ``"again"``, or ``"drop"`` for signals that came after the cut.
    """

    namespace: str | None
    signal: Signal[Any] | str
    value: object
    attributes: Mapping[str, Any]
    at: int
    signals: Signals


class ClientOperations:
    """Changes of all runs that a search finds. `client.operations` is one.

    A change is previewed, and made with the digest of that preview: of what was shown, sparing runs that
    started later. It is an operation, a row in the database, which is executed part after part by the caller
    of `execute` or `resume`. Each run is changed once, whatever is killed. Each change is on record
    (`continuum audit list`), under the name in `by`, of `Client.as_actor`, in CONTINUUM_ACTOR, or user@host.
    """

    def __init__(self, journal: OperatedJournal, lookup: RunLookup, record: Recorder) -> None:
        self._journal = journal
        self._lookup = lookup
        self._record = record

    async def preview(self, action: str, search: str, **options: Unpack[ChangeOptions]) -> OperationPreview:
        """Return how many runs a change would be about, some of them, which it would skip, and its digest.

        Nothing is changed. `action` is ``cancel``, ``signal``, ``pause``, ``resume``, ``restart``, ``reset``,
        ``fork``, ``unblock``, ``attributes`` or ``delete``; `search` is a search as `query(find=…)` takes it
        ("workflow:pay state:open started:>2d"), and not empty. Runs are counted exactly up to 10,000. In a
        chain the latest run counts.

        Raises `InvalidQuery` for a search, `InvalidOption` for an action or an option that is none, and
        `UndeclaredSignal` or `DurableTermError` for a signal that the code of the first runs found does not
        take.
        """
        change = _change(action, search, options)
        return await self._lookup.read(lambda: preview(self._journal, change))

    async def execute(
        self,
        digest: str,
        action: str,
        search: str,
        *,
        rate: float | None = None,
        by: str | None = None,
        reason: str | None = None,
        told: Callable[[OperationProgress], None] | None = None,
        **options: Unpack[ChangeOptions],
    ) -> Operation:
        """Make the change that a preview has shown, here, and return the operation as it is in the end.

        The digest names action, search, options and the time of the preview: with any other of them nothing
        happens, `InvalidOption`. It is the same operation however often this is called, and wherever: a
        second call continues what a killed process has left, once the lease of that is over (15 seconds).

        `rate` is the most runs a second, None for as many as possible; an operation that has begun keeps its
        own. `by` says who does it, and `reason`
        why, for the record. `told` is called after each part of up to 500 runs. The operation returned is
        ``completed``, or as somebody has left it meanwhile: ``paused`` or ``cancelled``. A cancelled task, or
        an error, leaves it ``running`` for the next call.

        Raises `NotReady` if the operation is executed elsewhere, paused, cancelled or completed, and
        `JournalUnavailable` if the database is away for a minute.
        """
        change, actor = _change(action, search, options), self._actor(by, reason)
        operation = change.operation(digest, actor, "", rate)
        if await self._lookup.read(lambda: self._journal.operation(operation.id)) is None:
            shown = await self._lookup.read(lambda: preview(self._journal, change))
            new, audit = (
                operation._replace(expected=shown.text),
                beginning(self._record.by(actor), operation, digest),
            )
            await retry_write(lambda: self._journal.begin_operation(new, audit=audit))
        return await self._executed(operation.id, told)

    async def list(self, *, limit: int = 25, cursor: str | None = None) -> OperationPage:
        """Return a page of operations, the latest first; `cursor` is that of the page before.

        `limit` is 1 to 1,000. Raises `InvalidQuery` for a cursor that is none.
        """
        if not 1 <= limit <= PAGE_ENTRIES:
            raise InvalidOption(f"a page has 1 to {PAGE_ENTRIES:,} operations, not {limit}")
        return await self._lookup.read(lambda: operation_page(self._journal, limit=limit, cursor=cursor))

    async def show(self, operation: str) -> Operation:
        """Return an operation by its id: how far it is, and why runs were skipped; or `OperationNotFound`."""
        known = operation_id(operation)
        return operation_of(await self._lookup.read(lambda: found(self._journal, known)))

    async def pause(self, operation: str, *, by: str | None = None, reason: str | None = None) -> Operation:
        """Pause an operation after the part that is under way, wherever it is executed.

        Raises `NotReady` if it is over, `OperationNotFound` if there is none.
        """
        return await self._changed(
            operation, OperationState.PAUSED, Action.PAUSE_OPERATION, self._actor(by, reason)
        )

    async def resume(
        self,
        operation: str,
        *,
        rate: float | None = None,
        by: str | None = None,
        reason: str | None = None,
        told: Callable[[OperationProgress], None] | None = None,
    ) -> Operation:
        """Continue an operation here: one that is paused, or whose process has died or was interrupted.

        From now on it changes up to `rate` runs a second, None for as many as it was begun with.
        Returns, and raises, as `execute` does; `OperationNotFound` if there is none.
        """
        known = operation_id(operation)
        check_rate(rate)
        row = await self._lookup.read(lambda: found(self._journal, known))
        if rate is not None:
            audit = self._record.by(self._actor(by, reason))(Action.RESUME_OPERATION, known, rate=rate)
            await retry_write(lambda: self._journal.set_operation_rate(known, rate, audit=audit))
        if row.state == OperationState.PAUSED:
            await self._changed(
                known, OperationState.RUNNING, Action.RESUME_OPERATION, self._actor(by, reason)
            )
        return await self._executed(known, told)

    async def cancel(self, operation: str, *, by: str | None = None, reason: str | None = None) -> Operation:
        """End an operation after the part that is under way. What it has changed stays so.

        Raises `NotReady` if it is over, `OperationNotFound` if there is none.
        """
        return await self._changed(
            operation, OperationState.CANCELLED, Action.CANCEL_OPERATION, self._actor(by, reason)
        )

    async def _executed(self, operation: str, told: Callable[[OperationProgress], None] | None) -> Operation:
        def tell(part: Any) -> None:
            if told is not None:
                told(OperationProgress(part.state, part.done, part.skipped, part.failed))

        return operation_of(await execute(self._journal, operation, tell))

    async def _changed(
        self, operation: str, state: OperationState, action: Action, actor: Actor
    ) -> Operation:
        known = operation_id(operation)
        audit = self._record.by(actor)(action, known)
        check_changed(
            known, await retry_write(lambda: self._journal.change_operation(known, state, audit=audit))
        )
        return await self.show(known)

    def _actor(self, by: str | None, reason: str | None) -> Actor:
        known = self._record.actor
        if known is None:
            return Actor(actor_name(by, os.environ, account_name), reason=reason)
        return Actor(by or known.name, known.via, known.reason if reason is None else reason)


class OperationCalls:
    """The part of a client about changes of many runs. `Client` has it."""

    _journal: ClientJournal
    _lookup: RunLookup
    _record: Recorder

    @property
    def operations(self) -> ClientOperations:
        """Changes of all runs that a search finds: see `ClientOperations`."""
        return ClientOperations(self._journal, self._lookup, self._record)


def _change(action: str, search: str, options: ChangeOptions) -> BulkChange:
    others = options.keys() - ChangeOptions.__annotations__.keys()
    if others:
        raise InvalidOption(f"a change of many runs takes no {' and no '.join(sorted(others))}")
    given = dict(options)
    if isinstance(signal := given.get("signal"), Signal):
        given["signal"] = signal.name
    if "at" in given:
        given["event"] = given.pop("at")
    return bulk_change(action, search, **given)  # type: ignore[arg-type]  # checked there
