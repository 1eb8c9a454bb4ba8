"""Pausing and resuming workflows, queues and namespaces."""

from __future__ import annotations

from collections.abc import Mapping

from continuum.client.pauses import pause_scope
from continuum.errors import InvalidOption
from continuum.observer.actions.web_action import Form, WebAction
from continuum.observer.visit import Visit
from continuum.observer.visitor import Role
from continuum.operations.pause_words import scope_words


async def _pause(visit: Visit, form: Form) -> str:
    names = _names(form)
    reason = form.get("reason", "").strip() or None
    outcome = await visit.acting.pause(**names, reason=reason)
    return f"{_words(names)} is {outcome}."


async def _resume(visit: Visit, form: Form) -> str:
    names = _names(form)
    ended = await visit.acting.resume(**names)
    return f"{_words(names)} {'continues' if ended else 'was not paused'}."


def _names(form: Form) -> dict[str, str | None]:
    """Return what a form names, as the client takes it."""
    kind, name, namespace = form.get("kind"), form.get("name", ""), form.get("namespace") or None
    match kind:
        case "workflow":
            return {"workflow": name, "namespace": namespace}
        case "queue" | "namespace":
            return {kind: name}
        case _:
            raise InvalidOption("what is paused is a workflow, a queue or a namespace")


def _words(names: Mapping[str, str | None]) -> str:
    scope = pause_scope(names.get("workflow"), names.get("queue"), names.get("namespace"))
    return scope_words(scope)


PAUSE_ACTIONS: Mapping[str, WebAction] = {
    "pause_together": WebAction(Role.OPERATOR, _pause),
    "resume_together": WebAction(Role.OPERATOR, _resume),
}
