"""`CancelOutcome`: what became of a request that a run stops."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from continuum.client.wait_reasons import Present, reason_of
from continuum.engine.ids import RunId
from continuum.journal.facts import RunRow, RunState

UNTIL_UNBLOCKED = "until it is unblocked"
"""The start of the reason of a request that a blocked run keeps."""


@dataclass(frozen=True, slots=True)
class CancelOutcome:
    """What became of a request that a run stops, as the call returned.

    `state` is ``cancelled`` if the run has ended so, ``pending`` if the request waits for the run's code,
    and ``ended`` if the run ended in another way meanwhile. `run_id` is the latest run of its chain. A
    pending request is with the process `pid` of `node`, which owns the run. Without a node nobody owns
    it; a node claims it for the request, and `reason` says what the run waits for until then. A blocked run
    keeps the request until it is unblocked; one without a history has nothing to compensate and ends.
    """

    state: Literal["cancelled", "pending", "ended"]
    run_id: str
    node: str | None = None
    pid: int | None = None
    reason: str | None = None

    def __str__(self) -> str:
        if self.state != "pending":
            return self.state
        if self.node is not None:
            return f"pending: with process {self.pid} of node {self.node}"
        return f"pending: with nobody, {self.reason or 'until a node claims the run'}"


def cancel_outcome(row: RunRow, present: Present) -> CancelOutcome:
    """Return the outcome of a request by the row of the run afterwards."""
    if row.state is RunState.CANCELLED:
        return CancelOutcome("cancelled", row.id)
    if row.state.terminal:
        return CancelOutcome("ended", row.id)
    if row.owner_node is not None:
        return CancelOutcome("pending", row.id, row.owner_node, row.owner_pid)
    reason = reason_of(row, present)
    if row.state is RunState.BLOCKED:
        reason = UNTIL_UNBLOCKED if reason is None else f"{UNTIL_UNBLOCKED}: {reason}"
    return CancelOutcome("pending", row.id, reason=reason)


def unread_outcome(run_id: RunId, *, force: bool) -> CancelOutcome:
    """Return the outcome of a durable request after which the journal could not be read."""
    if force:
        return CancelOutcome("cancelled", run_id)
    return CancelOutcome("pending", run_id, reason="the journal did not say with whom")
