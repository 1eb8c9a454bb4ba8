"""Identifiers, as distinct types so that one cannot be passed for another."""

from __future__ import annotations

import uuid
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
