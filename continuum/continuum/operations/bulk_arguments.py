"""What a change of many runs is given: its action, what that takes, and how fast; checked before a look."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from continuum.engine.events import Forking
from continuum.errors import InvalidOption
from continuum.operations.bulk_action import BULK_ACTIONS, BulkAction
from continuum.quoting import quoted

# Nobody waits for a rate beyond what a server does.
MOST_RATE = 1_000_000


def action_named(name: str) -> BulkAction:
    """Return an action by its name."""
    action = BULK_ACTIONS.get(name) if isinstance(name, str) else None
    if action is None:
        raise InvalidOption(f"there is no action {quoted(name)}; the actions are {', '.join(BULK_ACTIONS)}")
    return action


def check_taken(action: BulkAction, given: Mapping[str, object]) -> None:
    """Refuse what an action does not take: a caller who gives it means another action."""
    takes = {"signal": ("signal", "value"), "attributes": ("attributes",)}.get(action.name, ())
    if action.cuts is not None:
        takes = ("at", "signals")
    others = [name for name, value in given.items() if value is not None and name not in takes]
    if others:
        raise InvalidOption(f"{action.name} takes no {' and no '.join(others)}")
    if action.name == "attributes" and not given["attributes"]:
        raise InvalidOption("attributes needs the attributes to merge into those of the runs")


def cut_arguments(how: Forking, event: int | None, signals: str) -> dict[str, Any]:
    """Return the arguments of an action that cuts runs."""
    if signals not in ("again", "drop"):
        raise InvalidOption(f"signals is 'again' or 'drop', not {quoted(signals)}")
    if (event is None) != (how is Forking.RESTART):
        takes = "finds the place of the failure itself; leave out" if event is not None else "needs"
        raise InvalidOption(f"{how.value} {takes} the seq of an event")
    if event is not None and (type(event) is not int or event < 0):
        raise InvalidOption(f"the seq of an event is a whole number from 0 on, not {quoted(event)}")
    return {"at": event, "signals": signals}


def check_rate(rate: object) -> None:
    """Refuse what is no number of runs a second; None is as many as possible."""
    if rate is None:
        return
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate <= MOST_RATE:
        raise InvalidOption(
            f"a rate is more than 0 and at most {MOST_RATE:,} runs a second, not {quoted(rate)}"
        )
