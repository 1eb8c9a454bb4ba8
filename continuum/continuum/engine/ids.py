"""Identifiers, as distinct types so that one cannot be passed for another; those of runs that runs make."""

from __future__ import annotations

import uuid
from hashlib import sha256
from typing import NewType

RunId = NewType("RunId", str)
"""A run, in the canonical 36-character form of a UUID."""

WorkerId = NewType("WorkerId", int)
"""A process that may own runs; a fresh one each time it registers."""

NodeId = NewType("NodeId", str)
"""A node: one launcher and every process under it."""


def parse_run_id(text: str) -> RunId:
    """Return `text` in canonical form; `ValueError` when it is no UUID."""
    return RunId(str(uuid.UUID(text)))


def child_run_id(parent: RunId, seq: int, id: str | None) -> RunId:
    """Return the id of the child that the parent's command `seq` starts."""
    return RunId(str(uuid.uuid5(uuid.UUID(parent), f"{seq}:{id or ''}")))


def successor_run_id(run: RunId, seq: int) -> RunId:
    """Return the id of the run that goes on where the command `seq` ended another."""
    return RunId(str(uuid.uuid5(uuid.UUID(run), f"{seq}:next")))


def digest_of(input: bytes) -> bytes:
    """Return what tells one input from another in a history."""
    return sha256(input).digest()[:16]
