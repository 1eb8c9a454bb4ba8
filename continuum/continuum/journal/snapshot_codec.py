"""Snapshots: a part of a long history as one blob, compact and ready for replay.

Loading one reads one row instead of thousands, and decodes all results at once.
A snapshot replaces no event: if anything is wrong with it (format, size, contents, the
version of the code), the events are read instead.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgpack

from continuum.codec.reading import unpack
from continuum.codec.wire_format import HEADER
from continuum.codec.writing import pack
from continuum.engine.events import Event, is_whole
from continuum.engine.snapshot_history import (
    CompactHistory,
    Form,
    Kind,
    can_be_compacted,
    compact,
    is_readable,
)
from continuum.journal.event_codec import pack_body, unpack_body

# Stored beside every snapshot; one of another format is not read.
SNAPSHOT_FORMAT = 2
# A blob beyond this costs more to write than it saves to read.
SNAPSHOT_BYTES = 16 * 1024 * 1024
# What it may grow to when it is read: a damaged blob of a few kilobytes could announce gigabytes.
SNAPSHOT_CONTENT_BYTES = 256 * 1024 * 1024
# Histories are repetitive; the fastest level already finds that.
_LEVEL = 1


class Part(NamedTuple):
    """One stored snapshot of `events` events from seq `first` on."""

    first: int
    events: int
    blob: bytes


class Uncompactable(Exception):
    """These events cannot be compacted: a snapshot could not hold them, or would be too large."""


def pack_snapshot(events: Sequence[Event]) -> bytes:
    """Return the blob of consecutive events; raises `Uncompactable`."""
    if not all(map(is_whole, events)):
        raise Uncompactable("an event is not what this version writes")
    if not can_be_compacted(events):
        raise Uncompactable("a call is pending from before the history was cut")
    found = compact(events)
    results: list[Any] = []
    others: list[Any] = []
    for step, value in zip(found.steps, found.values, strict=True):
        (results if found.kinds[step].form == Form.COMPLETED_CALL else others).append(value)
    delays = [at - before for at, before in zip(found.times, [0, *found.times], strict=False)]
    steps = (tuple(map(tuple, found.kinds)), tuple(found.steps), tuple(delays), tuple(others))
    content = pack_body((found.skipped, *steps, _joined(results)))
    blob = zlib.compress(content, _LEVEL)
    if len(blob) > SNAPSHOT_BYTES or len(content) > SNAPSHOT_CONTENT_BYTES:
        raise Uncompactable(f"a snapshot of {len(events)} events would have {len(blob)} bytes")
    return blob


def unpack_snapshot(blob: bytes, first: int, count: int) -> CompactHistory | None:
    """Return the `count` events from seq `first` that the blob holds, or None when it does not."""
    try:
        skipped, rows, steps, delays, others, joined = unpack_body(_decompressed(blob))
        kinds = [Kind(*row) for row in rows]
        values = _merged(kinds, steps, unpack(joined), others)
        widths = [kind.width for kind in kinds]
        if (
            type(skipped) is int
            and skipped >= 0
            and len(delays) == len(steps)
            and skipped + sum(map(widths.__getitem__, steps)) == count
            and is_readable(kinds, steps, values, delays)
        ):
            return CompactHistory(kinds, steps, values, delays, first + skipped, count - skipped, pack)
    except Exception:  # noqa: BLE001 - any: its results are values of users, which a damaged one may not even be
        # A damaged snapshot: the caller reads the events instead.
        return None
    return None


def _decompressed(blob: bytes) -> bytes:
    reader = zlib.decompressobj()
    content = reader.decompress(blob, SNAPSHOT_CONTENT_BYTES)
    if not reader.eof:
        raise ValueError("it is cut, or larger than any snapshot")
    return content


def _merged(
    kinds: Sequence[Kind], steps: Sequence[int], results: Sequence[Any], others: Sequence[Any]
) -> Sequence[Any]:
    """Return a value for each step."""
    answered = [kind.form == Form.COMPLETED_CALL for kind in kinds]
    if all(answered) and len(results) == len(steps):
        return results
    if not any(answered) and len(others) == len(steps):
        return others
    of_results, of_others = iter(results), iter(others)
    return [next(of_results if answered[step] else of_others) for step in steps]


def unpack_parts(parts: Iterable[Part]) -> CompactHistory | None:
    """Return the beginning of a history from its parts in order, up to the first gap or damaged part."""
    beginning: CompactHistory | None = None
    last: CompactHistory | None = None
    end = 0
    for part in parts:
        compact = unpack_snapshot(part.blob, part.first, part.events) if part.first == end else None
        if compact is None:
            break
        if last is None:
            beginning = compact
        else:
            last.following = compact
        last, end = compact, compact.end
    return beginning


def _joined(payloads: Sequence[bytes]) -> bytes:
    """Return one payload that is the list of these, without decoding them."""
    if not all(payload[:1] == HEADER for payload in payloads):
        raise Uncompactable("a result has another format than this version writes")
    header: bytes = msgpack.Packer().pack_array_header(len(payloads))
    return HEADER + header + b"".join([payload[1:] for payload in payloads])
