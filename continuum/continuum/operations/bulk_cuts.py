"""Operations that restart, reset or fork runs: one transaction for each run, which passes it as well.

So each run is cut once, whatever is killed between. The new run's id is derived from the operation and the
run: a second one could not be created. Runs that began or were cut after the preview are spared.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Protocol

from continuum.engine.events import Forking
from continuum.engine.ids import RunId
from continuum.errors import CutRefused, InvalidOption
from continuum.journal.audit_facts import ChangeOutcome
from continuum.journal.event_codec import CorruptBody
from continuum.journal.operation_facts import Execution, OperationRow, Part
from continuum.journal.operation_port import Operations
from continuum.journal.port import Connection
from continuum.operations.cut_facts import Cut
from continuum.operations.family_walk import CutRuns
from continuum.operations.forks import Plan, plan

# A run that works changes with every step. This often in a row it does so between a look and a change.
LOOKS = 10
# Why a run cannot be cut. An outage of the journal is no such reason.
REFUSALS = (CutRefused, InvalidOption, CorruptBody)


class CutJournal(Operations, CutRuns, Connection, Protocol):
    """Operations, and the runs that they cut with their histories."""


@dataclass(frozen=True, slots=True)
class Cutting:
    """An operation under execution that cuts runs."""

    journal: CutJournal
    execution: Execution
    row: OperationRow
    how: Forking
    ttl: float

    async def part(self, limit: int, look: int) -> Part | None:
        """Cut up to `limit` of the next runs, one by one; see `Operations.execute_part`."""
        chosen = await self.journal.choose(self.execution, limit=limit, look=look)
        if chosen is None:
            return None
        part: Part | None = None
        for run_id, place in chosen.runs:
            part = await self._cut(run_id, place)
            if part is None:
                return None
        if part is None or chosen.reached != chosen.runs[-1][1]:
            part = await self.journal.pass_to(self.execution, chosen.reached, ttl=self.ttl)
        return None if part is None else part._replace(runs=len(chosen.runs))

    async def _cut(self, run_id: RunId, place: RunId) -> Part | None:
        at, drops = self.row.arguments.get("at"), self.row.arguments.get("signals") == "drop"
        execution, journal = self.execution, self.journal
        for _ in range(LOOKS):
            try:
                found = await planned(journal, run_id, self.how, at, execution.until, drops)
            except REFUSALS as error:
                return await self._refuse(place, run_id, ChangeOutcome.REFUSED, str(error))
            now = max(journal.now(), execution.until + 1)
            new = found.new_run(new_run_of(execution.operation, run_id), now)
            part = await journal.fork_found(execution, place, new, ttl=self.ttl)
            if part is None or part.runs:
                return part
        return await self._refuse(
            place, run_id, ChangeOutcome.STALE, f"run {run_id} changes with every look at it"
        )

    async def _refuse(self, place: RunId, run_id: RunId, outcome: ChangeOutcome, why: str) -> Part | None:
        return await self.journal.refuse_found(self.execution, place, run_id, outcome, why, ttl=self.ttl)


def new_run_of(operation: str, run_id: RunId) -> RunId:
    """Return the id of the run that an operation makes from another."""
    return RunId(str(uuid.uuid5(uuid.UUID(operation), f"{run_id}:cut")))


async def expected(
    journal: CutRuns, run_id: RunId, how: Forking, at: int | None, until: int, drop_signals: bool
) -> tuple[str | None, Cut | None]:
    """Return why a run would be skipped, as it is now, or else how it would be cut."""
    try:
        found = await planned(journal, run_id, how, at, until, drop_signals)
    except REFUSALS as error:
        return str(error), None
    return None, found.cut


async def planned(
    journal: CutRuns, run_id: RunId, how: Forking, at: int | None, until: int, drop_signals: bool
) -> Plan:
    """Return how a run is cut; `CutRefused` and `InvalidOption` if it is not."""
    origin = await journal.get_run(run_id)
    if origin is None:
        raise CutRefused(run_id, None, "it has been removed")
    if how is not Forking.FORK and origin.continued_to is not None:
        raise InvalidOption(f"run {run_id} has continued as {origin.continued_to}, which is another run")
    found = await plan(journal, origin, how, at, drop_signals=drop_signals)
    if max(origin.started_at, found.forked_at) > until:
        raise CutRefused(run_id, None, "it began after the preview; preview the change again for such runs")
    return found
