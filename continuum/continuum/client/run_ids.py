"""New run ids: UUIDs of version 7, so that neighbours in time are neighbours in every index."""

from __future__ import annotations

import uuid

from continuum.engine.ids import RunId

RANDOM_BYTES = 10


def new_run_id(microseconds: int, randomness: bytes) -> RunId:
    """Make an id from a time since the epoch and `RANDOM_BYTES` random bytes."""
    assert len(randomness) == RANDOM_BYTES, "version 7 has 74 random bits"
    time_bits = (microseconds // 1000) & ((1 << 48) - 1)
    noise = int.from_bytes(randomness, "big")
    value = time_bits << 80 | 0x7 << 76 | (noise >> 64 & 0xFFF) << 64 | 0b10 << 62 | noise & ((1 << 62) - 1)
    return RunId(str(uuid.UUID(int=value)))
