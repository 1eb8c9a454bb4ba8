"""Changes of one run."""

from __future__ import annotations

from collections.abc import Mapping

from continuum.observer.actions.web_action import Form, WebAction
from continuum.observer.visit import Visit
from continuum.observer.visitor import Role


async def _cancel(visit: Visit, form: Form) -> str:
    outcome = await visit.acting.cancel(form["run"])
    return str(outcome)


RUN_ACTIONS: Mapping[str, WebAction] = {
    "cancel": WebAction(Role.OPERATOR, _cancel),
}
