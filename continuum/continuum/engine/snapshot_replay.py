"""Replaying the compact part of a history.

Nothing is explained here: whatever does not fit ends the attempt as a `misfit`, and
whoever began it begins anew with the events, which will say what is wrong, if anything is.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from continuum.engine.call_site import Site, caller
from continuum.engine.control import Halted
from continuum.engine.events import Event
from continuum.engine.outcome import Blocked
from continuum.engine.snapshot_history import CompactHistory, Form

if TYPE_CHECKING:
    from continuum.engine.command_log import CommandLog
    from continuum.engine.execution import Execution

AHEAD: Any = object()
"""What stands for no value: the call has to be asked for in the ordinary way."""

ANSWERED, COMMAND = int(Form.ANSWERED), int(Form.COMMAND)


def value_ahead(
    execution: Execution, compact: CompactHistory, form: int, type: int, name: str, site: Site
) -> Any:
    """Return the value of the next step if this call is it, or AHEAD.

    Of a COMMAND that is what it recorded at once, the rest of its event's body. Of an ANSWERED
    call it is the result, which only a caller who finds the loop quiet may ask for: then parking
    the code for the result would make no difference to anything.
    """
    place = compact.position
    if place == compact.count or compact.due is not None:
        return AHEAD
    step = compact.steps[place]
    its_form, its_type, its_name, author, width = compact.kinds[step]
    if its_form != form or its_type != type or its_name != name:
        return AHEAD
    if compact.authors[step] is not site[0]:
        execution.check()
        if caller(site) != author:
            return AHEAD
        compact.authors[step] = site[0]
    if form == ANSWERED:
        execution.time = compact.time
    # As `advance` does, without a call.
    compact.seq += width
    compact.position = following = place + 1
    if following == compact.count:
        execution.compact = compact.following
    else:
        compact.time += compact.delays[following]
    return compact.values[place]


def command_ahead(log: CommandLog, compact: CompactHistory, type: int, target: Any, site: Site) -> Event:
    """Match a command against the compact history."""
    event = compact.take_command(type, target, caller(site))
    if event is None:
        refuse_compact(log)
        raise Halted
    if compact.ended:
        log.compact = compact.following
    return event


def refuse_compact(log: CommandLog) -> None:
    """Give up."""
    log.compact = None
    log.misfit = True
    log.verdict = Blocked("drift", "a snapshot of its history does not fit its code")


def replay_compact(execution: Execution, root: asyncio.Task[Any]) -> None:
    """Feed the answers of the compact history until it has ended."""
    while (compact := execution.compact) is not None:
        ended = root.done() or execution.outcome is not None or execution.verdict is not None
        answer = None if ended else compact.take_answer()
        if answer is None:
            execution.outcome = None
            refuse_compact(execution)
            return
        if compact.ended:
            execution.compact = compact.following
        execution.time = answer.at
        if not execution.feed(answer):
            refuse_compact(execution)
