"""Stored bodies that no release has written: each is refused as damaged, at the cost of its size."""

from __future__ import annotations

import resource
import zlib

import msgpack
import pytest

from continuum.engine.events import Event, EventType, is_whole
from continuum.engine.ids import RunId
from continuum.journal.event_codec import FORMAT, CorruptBody, pack_body, unpack_body
from continuum.journal.facts import InboxKind
from continuum.journal.postgres.inbox_rows import inbox_row
from continuum.journal.snapshot_codec import SNAPSHOT_CONTENT_BYTES, pack_snapshot, unpack_snapshot

RUN = RunId("00000000-0000-4000-8000-000000000001")


def test_a_body_with_a_map_as_a_key_is_corrupt() -> None:
    with pytest.raises(CorruptBody):
        unpack_body(bytes([FORMAT]) + b"\x91\x81\x80\x00")


@pytest.mark.parametrize(
    ("kind", "name", "body"),
    [
        (InboxKind.SIGNAL, "review", ("text",)),
        (InboxKind.ACTIVITY_COMPLETED, "0", (7,)),
        (InboxKind.ACTIVITY_RAISED, "0", ("Declined", "no", "", 5)),
        (InboxKind.ACTIVITY_RAISED, "0", ("Declined", "no", "", ({},))),
        (InboxKind.CHILD_FAILED, "0", ("Declined", None, "")),
        (InboxKind.CHILD_CANCELLED, "1" * 5000, ()),
        (InboxKind.CHILD_CANCELLED, "٣", ()),
    ],
)
def test_an_inbox_row_with_parts_of_other_types_is_corrupt(
    kind: InboxKind, name: str, body: tuple[object, ...]
) -> None:
    assert inbox_row(1, RUN, kind, name, pack_body(body), None).kind is InboxKind.CORRUPT


def test_a_snapshot_that_grows_without_end_is_not_read() -> None:
    packer = zlib.compressobj(9)
    million = bytes(1_000_000)
    blob = packer.compress(bytes([FORMAT]) + msgpack.packb("x"))
    for _ in range(3 * SNAPSHOT_CONTENT_BYTES // len(million)):
        blob += packer.compress(million)
    blob += packer.flush()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert unpack_snapshot(blob, 0, 1) is None
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert grown < 2 * SNAPSHOT_CONTENT_BYTES


@pytest.mark.parametrize("moment", [2**63 - 1, -(2**63)])
def test_a_reading_of_the_time_that_no_datetime_holds_is_corrupt(moment: int) -> None:
    read = Event(0, EventType.SIDE_EFFECT, 0, ("now", "flow", "file:1", moment))
    assert not is_whole(read)
    good = pack_snapshot(
        [read._replace(body=(*read.body[:3], 0)), read._replace(seq=1, body=(*read.body[:3], 1))]
    )
    assert unpack_snapshot(good, 0, 2) is not None
    skipped, kinds, steps, delays, others, joined = unpack_body(zlib.decompress(good))
    spoilt = pack_body((skipped, kinds, steps, delays, ((moment,), *others[1:]), joined))
    assert unpack_snapshot(zlib.compress(spoilt), 0, 2) is None
