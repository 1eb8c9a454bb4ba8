"""`BulkAction`: what can be done to all runs that a search finds. What they do to a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from continuum.engine.events import Forking
from continuum.journal.audit_facts import Action


@dataclass(frozen=True, slots=True)
class BulkAction:
    """An action on many runs. `verb` is what becomes of a run, and `recorded_as` what is recorded of it.

    With `irreversible` nothing brings back what it has done. `cuts` makes runs from the events of others, one
    after the other; the journal has functions for the other actions.
    """

    name: str
    verb: str
    recorded_as: Action
    irreversible: bool = False
    cuts: Forking | None = None


_ACTIONS = (
    BulkAction("cancel", "asked to stop", Action.CANCEL, irreversible=True),
    BulkAction("signal", "sent the signal", Action.SIGNAL),
    BulkAction("pause", "paused", Action.PAUSE),
    BulkAction("resume", "resumed if paused by themselves", Action.RESUME),
    BulkAction("restart", "restarted from their failures", Action.RESTART, True, Forking.RESTART),
    BulkAction("reset", "continued from before the event", Action.RESET, True, Forking.RESET),
    BulkAction("fork", "forked", Action.FORK, True, Forking.FORK),
    BulkAction("unblock", "tried again by nodes", Action.UNBLOCK),
    BulkAction("attributes", "given the attributes", Action.SET_ATTRIBUTES),
    BulkAction(
        "delete",
        "removed with all history and the earlier runs of their chains",
        Action.DELETE_RUN,
        irreversible=True,
    ),
)
BULK_ACTIONS: Mapping[str, BulkAction] = {each.name: each for each in _ACTIONS}


def shown_arguments(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the arguments of an operation as a person reads them."""
    return {name: value for name, value in arguments.items() if name != "recorded_as"}
