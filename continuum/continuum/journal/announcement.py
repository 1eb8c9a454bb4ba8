"""The text that announces a start: everything that the first step needs, for one notification."""

from __future__ import annotations

import binascii
from sys import intern

from continuum.engine.ids import RunId, is_run_id
from continuum.journal.announced_run import AnnouncedRun, NewRun
from continuum.journal.event_codec import CorruptBody, pack_body, unpack_body
from continuum.journal.limits import ANNOUNCED_CHARACTERS

_TYPES = (str, str, str, bytes)


def announcement(run: NewRun) -> str | None:
    """Return what announces a start, for the database to complete; None if that is too long."""
    packed = pack_body((run.id, run.workflow, run.namespace, run.input, run.trace_context))
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
    if not is_run_id(run_id) or (trace_context is not None and type(trace_context) is not str):
        return None
    # All runs that wait share the names that they have in common.
    return AnnouncedRun(RunId(run_id), intern(workflow), intern(namespace), input, trace_context, at)
