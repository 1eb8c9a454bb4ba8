"""Inbox rows as they are stored; one that cannot be read blocks its run and no other."""

from __future__ import annotations

from typing import Any

from continuum.engine.ids import RunId
from continuum.journal.event_codec import CorruptBody, pack_body, unpack_body
from continuum.journal.facts import InboxKind, InboxRow

# The types of the parts that the body of an inbox row has at least; the kinds that are not named by a seq.
_PARTS: dict[InboxKind, tuple[type, ...]] = {
    InboxKind.SIGNAL: (bytes,),
    InboxKind.ACTIVITY_COMPLETED: (bytes,),
    InboxKind.ACTIVITY_RAISED: (str, str, str, tuple),
    InboxKind.CHILD_COMPLETED: (bytes,),
    InboxKind.CHILD_FAILED: (str, str, str),
}
_SEQ_DIGITS = 10
_NAMED_BY_TEXT = frozenset({InboxKind.SIGNAL, InboxKind.CANCEL, InboxKind.CORRUPT})


def _is_whole(kind: InboxKind, name: str, body: tuple[Any, ...]) -> bool:
    """Whether an inbox row has everything that a run reads from it, as it reads it."""
    parts = _PARTS.get(kind, ())
    if tuple(map(type, body[: len(parts)])) != parts:
        return False
    if kind == InboxKind.ACTIVITY_RAISED and set(map(type, body[3])) - {str}:
        return False
    return kind in _NAMED_BY_TEXT or (name.isascii() and name.isdecimal() and len(name) <= _SEQ_DIGITS)


def stored_body(kind: InboxKind, body: tuple[Any, ...]) -> bytes:
    """Return the payload of an inbox row, as `inbox_row` reads it."""
    if kind is InboxKind.CHILD_COMPLETED:
        result: bytes = body[0]
        return result
    return pack_body(body)


def inbox_row(row_id: int, run_id: RunId, kind: int, name: str, payload: bytes, key: str | None) -> InboxRow:
    """Return an inbox row; what cannot be read is CORRUPT."""
    try:
        # A child's result is the bytes that its own row has; everything else was packed for the inbox.
        body = (payload,) if kind == InboxKind.CHILD_COMPLETED else unpack_body(payload)
        known = InboxKind(kind)
        if not _is_whole(known, name, body):
            known, body = InboxKind.CORRUPT, ()
        return InboxRow(row_id, run_id, known, name, body, key)
    except (CorruptBody, ValueError):
        return InboxRow(row_id, run_id, InboxKind.CORRUPT, name, (), key)
