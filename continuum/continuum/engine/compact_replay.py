"""Replaying the compact part of a history.

Nothing is explained here: whatever does not fit ends the attempt as a `misfit`, and
whoever began it begins anew with the events, which will say what is wrong, if anything is.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from continuum.engine.call_site import Site, caller
from continuum.engine.compact import CompactHistory, Form
from continuum.engine.control import Halted
from continuum.engine.events import Event
from continuum.engine.outcome import Blocked

if TYPE_CHECKING:
    from continuum.engine.command_log import CommandLog
    from continuum.engine.execution import Execution

AHEAD: Any = object()
"""What stands for no value: the call has to be asked for in the ordinary way."""

_ANSWERED = int(Form.ANSWERED)
_COMMAND = int(Form.COMMAND)


def result_ahead(execution: Execution, type: int, name: str, site: Site) -> Any:
    """Return the result of a call that was answered before anything else happened, or AHEAD.

    Only while nothing else is ready to run: then parking the code for the result would
    make no difference to anything.
    """
    return _value_ahead(execution, _ANSWERED, type, name, site) if execution.loop.quiet else AHEAD


def recorded_ahead(execution: Execution, type: int, name: str, site: Site) -> Any:
    """Return what a command recorded at once, the rest of its event's body, or AHEAD."""
    return _value_ahead(execution, _COMMAND, type, name, site)


def _value_ahead(execution: Execution, form: int, type: int, name: str, site: Site) -> Any:
    compact = execution.compact
    if compact is None or compact.due is not None:
        return AHEAD
    place = compact.position
    if place == compact.count:
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
    compact.position = place + 1
    compact.seq += width
    if form == _ANSWERED:
        execution.time = compact.times[place]
    if place + 1 == compact.count:
        execution.compact = compact.following
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
