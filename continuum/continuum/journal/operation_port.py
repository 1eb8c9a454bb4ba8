"""The part of the port about changes of many runs, and about how many a search finds."""

from __future__ import annotations

from typing import Protocol

from continuum.engine.ids import RunId
from continuum.journal.audit_facts import AuditFacts, ChangeOutcome
from continuum.journal.facts import Query
from continuum.journal.forked_run import ForkedRun
from continuum.journal.operation_facts import (
    Chosen,
    CountedChange,
    Execution,
    NewOperation,
    OperationRow,
    OperationState,
    Part,
    RunCount,
)


class Operations(Protocol):
    """Operations: changes of many runs, executed part after part under the lease of each.

    Each run is changed once, however often the process that executes an operation dies: see P22 in `port.py`.
    """

    async def begin_operation(self, operation: NewOperation, *, audit: AuditFacts | None = None) -> bool:
        """Write an operation down; False if one with its id exists, which stays as it is."""
        ...

    async def lease_operation(self, operation: str, ttl: float) -> int | None:
        """Take the lease of an operation for `ttl` seconds, and return its token.

        None if it is not running, or if somebody else has the lease.
        """
        ...

    async def renew_operation(self, execution: Execution, ttl: float) -> str | None:
        """Keep the lease for `ttl` seconds more, 0 to give it up; return the state, None if it is lost."""
        ...

    async def execute_part(self, execution: Execution, *, limit: int, look: int, ttl: float) -> Part | None:
        """Change up to `limit` of the next runs, looking at up to `look` of them, and keep the lease (P22).

        The operation is completed by the part that finds no run behind those. None if the lease has been lost
        or the operation is not running.
        """
        ...

    async def choose(self, execution: Execution, *, limit: int, look: int) -> Chosen | None:
        """Return up to `limit` of the next runs, looking at up to `look`, for calls that pass one by one.

        None if the lease has been lost or the operation is not running.
        """
        ...

    async def fork_found(
        self, execution: Execution, place: RunId, run: ForkedRun, *, ttl: float
    ) -> Part | None:
        """Create a run from the events of the next one, and pass that, in one transaction (P22).

        A part without runs if it is no longer as it was read. None if the lease has been lost, the operation
        is not running, or has passed the run.
        """
        ...

    async def refuse_found(
        self,
        execution: Execution,
        place: RunId,
        run_id: RunId,
        outcome: ChangeOutcome,
        why: str,
        *,
        ttl: float,
    ) -> Part | None:
        """Pass the next run, to which nothing is done, and record why. None as in `fork_found`."""
        ...

    async def pass_to(self, execution: Execution, reached: RunId | None, *, ttl: float) -> Part | None:
        """Pass what was looked at up to a place, with None everything. None as in `choose`."""
        ...

    async def change_operation(
        self, operation: str, state: OperationState, *, audit: AuditFacts | None = None
    ) -> ChangeOutcome:
        """Pause, continue or cancel an operation, once its part under way is over.

        REFUSED if it has been cancelled or completed.
        """
        ...

    async def set_operation_rate(
        self, operation: str, rate: float, *, audit: AuditFacts | None = None
    ) -> ChangeOutcome:
        """Give an operation that nobody executes another rate, in runs a second.

        REFUSED if it has been cancelled or completed, or if somebody executes it with the rate it had.
        """
        ...

    async def operation(self, operation: str) -> OperationRow | None:
        """Return an operation."""
        ...

    async def operations(self, limit: int, before: tuple[int, str] | None = None) -> list[OperationRow]:
        """Return up to `limit` operations, the latest first, those before a time and an id."""
        ...

    async def count(self, query: Query, most: int, change: CountedChange | None = None) -> RunCount:
        """Return how many runs meet the conditions of a query, up to `most`; its order and limit are ignored.

        It looks at a bounded number of runs. With `change` it says which of them that would leave as they
        are, as far as this does not take their histories.
        """
        ...
