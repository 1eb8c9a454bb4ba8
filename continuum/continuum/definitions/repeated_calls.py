"""Encodes the arguments of calls that were accepted before.

A later release may refuse values that an earlier one took: the check of values knows more of them. A replay
must accept what the history holds, and a compensation is the undoing of a call that was accepted: refused,
it would never happen.
"""

from __future__ import annotations

from typing import Any

from continuum.codec.arguments import ArgumentsCodec
from continuum.engine.call_site import Site, caller
from continuum.engine.events import EventType
from continuum.engine.execution import Execution

COMPENSATION = EventType.COMPENSATION_SCHEDULED


def encode_repeated(
    execution: Execution,
    type: EventType,
    name: str,
    site: Site,
    codec: ArgumentsCodec,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> bytes:
    """Store the arguments of a compensation, or of a call in a replay; check those that are new.

    The comparison includes the arguments: code that was refused a call must be refused again. A snapshot
    has none of a completed call.
    """
    recorded = execution.log.next_recorded()
    if recorded is None:
        return codec.encode_call(args, kwargs, incomplete=type is COMPENSATION)
    if recorded.type == type and recorded.body[:2] == (name, caller(site)):
        data = codec.encode_call(args, kwargs, incomplete=True)
        if recorded.body[3:4] in ((data,), (b"",), ()):
            return data
    return codec.encode_call(args, kwargs)
