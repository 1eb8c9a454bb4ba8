"""The short cut of replaying a snapshot: a call gets its recorded value without being suspended.

It covers the calls that the next step of the compact history is about. Everything else, and every
mismatch, goes through the command log.
"""

from __future__ import annotations

from typing import Any

from continuum.engine.call_site import Site, caller
from continuum.engine.execution import Execution
from continuum.engine.snapshot_history import CompactHistory, Form

NO_VALUE: Any = object()
"""No value: the caller has to issue the command in the ordinary way."""

COMPLETED_CALL, COMMAND = int(Form.COMPLETED_CALL), int(Form.COMMAND)


def next_value(
    execution: Execution, compact: CompactHistory, form: int, type: int, name: str, site: Site
) -> Any:
    """Return the value of the next step if it is this call, else NO_VALUE.

    The value of a COMMAND is what it recorded at once, the rest of its event's body. The value of a
    COMPLETED_CALL is its result. Ask for that only when the loop is quiet: then it makes no difference
    whether the code is suspended for the result.
    """
    place = compact.position
    if place == compact.count or compact.due is not None:
        return NO_VALUE
    step = compact.steps[place]
    its_form, its_type, its_name, author, width = compact.kinds[step]
    if its_form != form or its_type != type or its_name != name:
        return NO_VALUE
    if compact.authors[step] is not site[0]:
        execution.log.check()
        if caller(site) != author:
            return NO_VALUE
        compact.authors[step] = site[0]
    if form == COMPLETED_CALL:
        execution.time = compact.time
    # What `advance` does, without a call.
    compact.seq += width
    compact.position = following = place + 1
    if following == compact.count:
        execution.log.compact = compact.following
    else:
        compact.time += compact.delays[following]
    return compact.values[place]
