"""Ids, as distinct types so that one cannot be passed for another, and how the ids of runs are made."""

from __future__ import annotations

import functools
import re
import uuid
from hashlib import sha256
from typing import NewType

RunId = NewType("RunId", str)
"""A run, in the canonical 36-character form of a UUID."""

WorkerId = NewType("WorkerId", int)
"""A process that may own runs; it gets a new id each time it registers."""

NodeId = NewType("NodeId", str)
"""A node: one launcher and every process under it."""

RUN_ID_RANDOM_BYTES = 10
"""How many random bytes `new_run_id` takes."""

_CANONICAL = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def parse_run_id(text: str) -> RunId:
    """Return `text` in canonical form; `ValueError` when it is no UUID."""
    return RunId(str(uuid.UUID(text)))


def is_run_id(text: str) -> bool:
    """Return whether `text` is a run id in canonical form; in any other a run would have two names."""
    return _CANONICAL.fullmatch(text) is not None


def new_run_id(microseconds: int, randomness: bytes) -> RunId:
    """Make an id from a time since the epoch and `RUN_ID_RANDOM_BYTES` random bytes.

    It is a UUID of version 7, so runs that are neighbours in time are neighbours in every index.
    """
    assert len(randomness) == RUN_ID_RANDOM_BYTES, "version 7 has 74 random bits"
    time_bits = (microseconds // 1000) & ((1 << 48) - 1)
    noise = int.from_bytes(randomness, "big")
    value = time_bits << 80 | 0x7 << 76 | (noise >> 64 & 0xFFF) << 64 | 0b10 << 62 | noise & ((1 << 62) - 1)
    return RunId(str(uuid.UUID(int=value)))


def child_run_id(parent: RunId, seq: int, id: str | None) -> RunId:
    """Return the id of the child that the parent's command `seq` starts."""
    return RunId(str(uuid.uuid5(uuid.UUID(parent), f"{seq}:{id or ''}")))


def successor_run_id(run: RunId, seq: int) -> RunId:
    """Return the id of the successor of `run`, which its command `seq` continues as new."""
    return RunId(str(uuid.uuid5(uuid.UUID(run), f"{seq}:next")))


# More than the runs that a process usually has live: each step asks twice for the bytes of its run.
@functools.lru_cache(4096)
def run_id_bytes(run_id: str) -> bytes:
    """Return the 16 bytes of a run id; `ValueError` when it is no UUID."""
    # `uuid.UUID` takes five times as long.
    return bytes.fromhex(run_id.replace("-", ""))


def digest_of(input: bytes) -> bytes:
    """Return the digest by which a history distinguishes inputs."""
    return sha256(input).digest()[:16]
