"""A long history as one blob.

A snapshot is a copy of a history's beginning, packed and compressed: loading a
run reads one row instead of thousands. It adds nothing and replaces nothing, so
whatever is wrong with it (format, size, contents) is answered by reading the events.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from continuum.engine.events import Event
from continuum.journal.event_codec import CorruptBody, pack_body, unpack_body

# Stored beside every snapshot; one of another format is not read.
SNAPSHOT_FORMAT = 1
# A blob beyond this costs more to write than it saves to read.
SNAPSHOT_BYTES = 16 * 1024 * 1024
# Histories repeat themselves; the fastest level already finds that.
_LEVEL = 1


def pack_snapshot(events: Sequence[Event]) -> bytes | None:
    """Return the blob, or None when it would be too large."""
    packed = zlib.compress(pack_body(tuple((event.type, event.at, event.body) for event in events)), _LEVEL)
    return packed if len(packed) <= SNAPSHOT_BYTES else None


def unpack_snapshot(data: bytes, count: int) -> list[Event] | None:
    """Return the first `count` events, or None when the blob is not that."""
    try:
        rows = unpack_body(zlib.decompress(data))
        if len(rows) != count:
            return None
        return [Event(seq, type, at, body) for seq, (type, at, body) in enumerate(rows)]
    except (zlib.error, CorruptBody, TypeError, ValueError):
        return None
