"""Execution of operations: part after part, under a lease, in the process that began or resumed one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from uuid import UUID

from continuum.errors import JournalUnavailable, NotReady, OperationNotFound
from continuum.journal.audit_facts import Action, AuditFacts, ChangeOutcome
from continuum.journal.operation_facts import Execution, NewOperation, OperationRow, OperationState, Part
from continuum.operations.actor import Recorder
from continuum.operations.bulk import OperatedJournal, conditions
from continuum.operations.bulk_action import BULK_ACTIONS
from continuum.operations.bulk_cuts import Cutting
from continuum.quoting import quoted

# A part changes so many runs: some tenths of a second, for which it locks them.
RUNS_PER_PART = 500
# Each of these is read and cut by itself: so many are some tenths of a second too.
CUTS_PER_PART = 50
# A part looks at so many runs at first, and at up to so many while few of them are meant.
LEAST_LOOK, MOST_LOOK = 1_000, 20_000
# A lease outlives a slow part. After the death of who executes an operation others wait as long.
LEASE_SECONDS = 15.0
# With a rate nothing sleeps longer than this: a request to pause is noticed, and the lease is kept.
LONGEST_SLEEP_SECONDS = 1.0
# A database that restarts is back by then; until it is, the part is tried again, which is safe.
OUTAGE_SECONDS = 60.0
RETRY_SECONDS = 0.5

Told = Callable[[Part], None]
Sleep = Callable[[float], Awaitable[None]]


async def execute(
    journal: OperatedJournal,
    operation: str,
    told: Told,
    *,
    sleep: Sleep = asyncio.sleep,
) -> OperationRow:
    """Execute an operation until it is over or somebody pauses it; return how it is then.

    `told` is called after each part. `NotReady` if it is not running, or if another process executes it.
    """
    row = await found(journal, operation)
    token = await journal.lease_operation(operation, LEASE_SECONDS)
    if token is None:
        raise NotReady(_why_not(await found(journal, operation)))
    execution = Execution(operation, token, conditions(row.search, row.namespace, row.until), row.until)
    try:
        await _parts(journal, execution, row, told, sleep)
    finally:
        # The next one, after a pause too, need not wait for the end of the lease. If this fails it waits.
        try:
            await journal.renew_operation(execution, 0.0)
        except JournalUnavailable:
            pass
    return await found(journal, operation)


def beginning(record: Recorder, operation: NewOperation, digest: str) -> AuditFacts | None:
    """Return what is recorded of the beginning of an operation."""
    return record(
        Action.BEGIN_OPERATION,
        operation.id,
        change=operation.action,
        search=operation.search,
        namespace=operation.namespace,
        digest=digest,
    )


def check_changed(operation: str, outcome: ChangeOutcome) -> None:
    """Raise if an operation was not paused, continued or cancelled: there is none, or it is over."""
    match outcome:
        case ChangeOutcome.NOT_FOUND:
            raise OperationNotFound(operation)
        case ChangeOutcome.REFUSED:
            raise NotReady(
                f"operation {operation} is over, and nothing was changed; "
                f"`continuum operations show {operation}` shows what it has done"
            )


def operation_id(given: str) -> str:
    """Return the id of an operation in canonical form; `OperationNotFound` for what is none."""
    try:
        return str(UUID(given))
    except (ValueError, AttributeError, TypeError):
        raise OperationNotFound(quoted(given)) from None


async def found(journal: OperatedJournal, operation: str) -> OperationRow:
    """Return an operation, or raise `OperationNotFound`."""
    row = await journal.operation(operation)
    if row is None:
        raise OperationNotFound(operation)
    return row


async def _parts(
    journal: OperatedJournal,
    execution: Execution,
    row: OperationRow,
    told: Told,
    sleep: Sleep,
) -> None:
    action, rate = BULK_ACTIONS.get(row.action), row.rate
    how = None if action is None else action.cuts
    cutting = None if how is None else Cutting(journal, execution, row, how, LEASE_SECONDS)
    most = RUNS_PER_PART if cutting is None else CUTS_PER_PART
    limit = most if rate is None else max(1, min(most, int(rate)))

    def execute_part(look: int) -> Awaitable[Part | None]:
        if cutting is not None:
            return cutting.part(limit, look)
        return journal.execute_part(execution, limit=limit, look=look, ttl=LEASE_SECONDS)

    look = LEAST_LOOK
    while True:
        part = await _part(partial(execute_part, look), sleep)
        if part is None:
            return
        told(part)
        if part.state != OperationState.RUNNING:
            return
        look = min(2 * look, MOST_LOOK) if part.runs < limit else max(look // 2, LEAST_LOOK)
        rest = 0.0 if rate is None else part.runs / rate
        while rest > 0:
            await sleep(min(rest, LONGEST_SLEEP_SECONDS))
            rest -= LONGEST_SLEEP_SECONDS
            if rest > 0 and await journal.renew_operation(execution, LEASE_SECONDS) != OperationState.RUNNING:
                return


async def _part(execute_part: Callable[[], Awaitable[Part | None]], sleep: Sleep) -> Part | None:
    """Execute a part, again while the database is away: after one that was made, that is the next one."""
    waited = 0.0
    while True:
        try:
            return await execute_part()
        except JournalUnavailable:
            if waited >= OUTAGE_SECONDS:
                raise
            await sleep(RETRY_SECONDS)
            waited += RETRY_SECONDS


def _why_not(row: OperationRow) -> str:
    match row.state:
        case OperationState.RUNNING:
            return (
                f"operation {row.id} is executed by another process; if that has died, "
                f"`continuum operations resume {row.id}` continues it {LEASE_SECONDS:g} seconds later"
            )
        case OperationState.PAUSED:
            return f"operation {row.id} is paused; `continuum operations resume {row.id}` continues it"
        case state:
            return f"operation {row.id} is {state}; preview the change again for what is left"
