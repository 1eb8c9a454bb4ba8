"""What is decided about a claimed run before its code runs: pure functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from continuum.definitions.workflow import Workflow
from continuum.engine.dry_replay import dry_pass
from continuum.engine.events import Event, EventType
from continuum.errors import DurableTermError
from continuum.journal.port import ClaimedRun, InboxKind, InboxRow
from continuum_actors.host.failures import printable
from continuum_actors.run.run_writes import run_info


def asked_to_stop_first(mail: Sequence[InboxRow]) -> InboxRow | None:
    """Return the request to stop of a run that has not begun: there is nothing in it to be cancelled."""
    return next((row for row in mail if row.kind is InboxKind.CANCEL), None)


def is_of_other_code(claim: ClaimedRun, workflow: Workflow[..., Any]) -> bool:
    """Whether the run has been executed by other code than this."""
    return bool(claim.version) and claim.version != workflow.version_hash


def version_change(
    claim: ClaimedRun, workflow: Workflow[..., Any], history: Sequence[Event], now: int
) -> Event:
    """Return the event that says whose commands the history has from here on."""
    at = max(now, history[-1].at if history else claim.started_at)
    return Event(len(history), EventType.VERSION_CHANGED, at, (claim.version, workflow.version_hash))


def misfit(claim: ClaimedRun, workflow: Workflow[..., Any], history: Sequence[Event], now: int) -> str | None:
    """Return why the code cannot go on with a run of other code, None when it can."""
    try:
        # Read for this pass alone: the code may change what it is given.
        args, kwargs = workflow.arguments.decode_call(claim.input)
    except DurableTermError as error:
        return printable(f"drift: the code cannot read its input: {error}")
    drift = dry_pass(
        workflow.fn(*args, **kwargs),
        history,
        run_info(claim, workflow),
        started_at=claim.started_at,
        now=now,
        definition=workflow,
        depth=claim.depth,
    )
    return printable(f"{drift.kind}: {drift.reason}") if drift is not None else None
