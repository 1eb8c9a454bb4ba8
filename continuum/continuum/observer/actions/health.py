"""What people do about findings: review them."""

from __future__ import annotations

from collections.abc import Mapping

from continuum.observer.actions.web_action import Form, WebAction
from continuum.observer.visit import Visit
from continuum.observer.visitor import Role
from continuum.operations.health_check import review_finding


async def _review(visit: Visit, form: Form) -> str:
    finding, silenced = await review_finding(
        visit.changes, form.get("fingerprint", ""), record=visit.recorder
    )
    now = "is silent until it changes" if silenced else "was silent already"
    return f"{finding.code} of {finding.subject} {now}."


HEALTH_ACTIONS: Mapping[str, WebAction] = {
    "review_finding": WebAction(Role.OPERATOR, _review),
}
