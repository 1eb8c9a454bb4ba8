"""Changes of many runs: begin one, pause it, continue it, end it."""

from __future__ import annotations

from collections.abc import Mapping

from continuum.client.retrying import retry_write
from continuum.errors import NotReady
from continuum.journal.audit_facts import Action
from continuum.journal.operation_facts import OperationState
from continuum.observer.actions.web_action import Form, Made, WebAction
from continuum.observer.bulk_forms import change_of, rate_of
from continuum.observer.visit import Visit
from continuum.observer.visitor import Role
from continuum.operations.bulk_execution import beginning, check_changed, found, operation_id
from continuum.operations.bulk_preview import preview


async def _begin(visit: Visit, form: Form) -> Made:
    """Begin what a preview has shown; its digest is of nothing else."""
    change = change_of(form.get("action", ""), form.get("q", ""), form)
    actor = visit.actor(form.get("reason", "").strip())
    digest = form.get("digest", "")
    # Checks the digest before anything is read.
    operation = change.operation(digest, actor, "", rate_of(form.get("rate", "")))
    shown = await preview(visit.journal, change)
    operation = operation._replace(expected=shown.text)
    audit = beginning(visit.recorder_of(actor), operation, digest)
    begun = await retry_write(lambda: visit.changes.begin_operation(operation, audit=audit))
    if begun:
        visit.place.executing.begin(operation.id)
    said = "It has begun." if begun else "This was begun before: here is how far it is."
    return Made(said, f"/operations/{operation.id}")


async def _pause(visit: Visit, form: Form) -> str:
    await visit.acting.operations.pause(form.get("operation", ""))
    return "Paused, after the part that is under way."


async def _cancel(visit: Visit, form: Form) -> str:
    await visit.acting.operations.cancel(form.get("operation", ""))
    return "Ended, after the part that is under way. What it has changed stays so."


async def _resume(visit: Visit, form: Form) -> str:
    known, journal = operation_id(form.get("operation", "")), visit.changes
    row = await found(journal, known)
    rate = rate_of(form.get("rate", ""))
    if row.state == OperationState.RUNNING and row.held:
        raise NotReady(f"operation {known} is executed already")
    if rate is not None:
        audit = visit.recorder(Action.RESUME_OPERATION, known, rate=rate)
        check_changed(known, await journal.set_operation_rate(known, rate, audit=audit))
    if row.state != OperationState.RUNNING:
        audit = visit.recorder(Action.RESUME_OPERATION, known)
        change = retry_write(lambda: journal.change_operation(known, OperationState.RUNNING, audit=audit))
        check_changed(known, await change)
    visit.place.executing.begin(known)
    return "It continues here."


def _count(form: Form) -> str:
    return form.get("count") or "the number of runs"


OPERATION_ACTIONS: Mapping[str, WebAction] = {
    "begin_operation": WebAction(Role.ADMIN, _begin, _count),
    "pause_operation": WebAction(Role.OPERATOR, _pause),
    "resume_operation": WebAction(Role.ADMIN, _resume),
    "cancel_operation": WebAction(Role.ADMIN, _cancel),
}
