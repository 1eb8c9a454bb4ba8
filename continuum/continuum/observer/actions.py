"""The changes that forms of the observer make: each with the role that it needs, and what confirms it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from continuum.observer.visit import Visit
from continuum.observer.visitor import Role

Form = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class WebAction:
    """A change: `make` makes it and returns a sentence about what came of it.

    `confirmed_by` returns what the visitor has to type before something dangerous happens: an id or a count.
    """

    role: Role
    make: Callable[[Visit, Form], Awaitable[str]]
    confirmed_by: Callable[[Form], str] | None = None


async def _cancel(visit: Visit, form: Form) -> str:
    outcome = await visit.acting.cancel(form["run"])
    return str(outcome)


ACTIONS: Mapping[str, WebAction] = {
    "cancel": WebAction(Role.OPERATOR, _cancel),
}
