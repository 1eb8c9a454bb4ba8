"""Starts that are announced to one worker: it may begin the run before it owns it.

The announcement carries everything that the first step needs. It proves nothing: the first write
(`RunWrite.takes`) takes the run only if the row in the database is the same and has no owner.
"""

from __future__ import annotations

import binascii
from typing import NamedTuple

from continuum.engine.ids import RunId
from continuum.journal.event_codec import CorruptBody, pack_body, unpack_body
from continuum.journal.limits import ANNOUNCED_CHARACTERS

_TYPES = (str, str, str, bytes)


class AnnouncedRun(NamedTuple):
    """A run that has just been started by itself. `started_at` is on the journal's clock."""

    id: RunId
    workflow: str
    namespace: str
    input: bytes
    trace_context: str | None
    started_at: int


class TakenRun(NamedTuple):
    """A run that its first write takes, under the version that has executed its first step."""

    announced: AnnouncedRun
    version: str


def announcement(
    run_id: RunId, workflow: str, namespace: str, input: bytes, trace_context: str | None
) -> str | None:
    """Return what announces a start, for the database to complete; None if that is too long."""
    packed = pack_body((run_id, workflow, namespace, input, trace_context))
    text = binascii.b2a_base64(packed, newline=False).decode("ascii")
    return text if len(text) <= ANNOUNCED_CHARACTERS else None


def completed(announcement: str, started_at: int) -> str:
    """Return the text of the notification, as the database makes it from an announcement."""
    return f"{started_at} {announcement}"


def read_announcement(text: str) -> AnnouncedRun | None:
    """Return the announced run; None if the text is anything else."""
    started_at, _, packed = text.partition(" ")
    try:
        body = unpack_body(binascii.a2b_base64(packed, strict_mode=True))
        at = int(started_at)
    except (CorruptBody, ValueError):
        return None
    if tuple(map(type, body[:4])) != _TYPES or len(body) != len(_TYPES) + 1 or at < 0:
        return None
    run_id, workflow, namespace, input, trace_context = body
    if trace_context is not None and type(trace_context) is not str:
        return None
    return AnnouncedRun(RunId(run_id), workflow, namespace, input, trace_context, at)
