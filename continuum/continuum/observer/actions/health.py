"""What people do about findings: review them, and repair what is damaged."""

from __future__ import annotations

from collections.abc import Mapping

from continuum.journal.audit_facts import ChangeOutcome
from continuum.observer.actions.web_action import Form, Made, WebAction
from continuum.observer.pages.repair import digest_of_plan
from continuum.observer.visit import Visit
from continuum.observer.visitor import Role
from continuum.operations.health_check import review_finding
from continuum.operations.repair import plan_repair, repair

_SAID: Mapping[ChangeOutcome, str] = {
    ChangeOutcome.DONE: "Done: {code} of {subject} is mended.",
    ChangeOutcome.ALREADY: "{subject} has no {code} that a repair mends; nothing was changed.",
    ChangeOutcome.STALE: "{subject} has changed since the preview, and nothing was done; look again.",
    ChangeOutcome.NOT_FOUND: "Run {subject} does not exist; nothing was changed.",
    ChangeOutcome.REFUSED: (
        "A process that lives owns run {subject} and would not notice; drain its node, then repair it again."
    ),
}


async def _review(visit: Visit, form: Form) -> str:
    finding, silenced = await review_finding(
        visit.changes, form.get("fingerprint", ""), record=visit.recorder
    )
    now = "is silent until it changes" if silenced else "was silent already"
    return f"{finding.code} of {finding.subject} {now}."


async def _repair(visit: Visit, form: Form) -> str | Made:
    """Repair what a page has shown, if it would still do the same."""
    code, subject = form.get("code", ""), form.get("subject", "")
    plan = await plan_repair(visit.changes, code, subject)
    outcome = ChangeOutcome.STALE
    if digest_of_plan(plan) == form.get("digest"):
        record = visit.recorder_of(visit.actor(form.get("reason", "").strip()))
        outcome = await repair(visit.changes, plan, record=record)
    said = _SAID[outcome].format(code=plan.code, subject=plan.subject)
    return Made(said, "/health") if outcome is ChangeOutcome.DONE else said


def _subject(form: Form) -> str:
    return form.get("subject") or "what is damaged"


HEALTH_ACTIONS: Mapping[str, WebAction] = {
    "review_finding": WebAction(Role.OPERATOR, _review),
    "repair": WebAction(Role.ADMIN, _repair, _subject),
}
