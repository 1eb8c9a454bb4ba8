"""The world outside the journal: one line per effect, written by the activities themselves.

A file opened for appending takes each short line whole, from any process, and keeps it when that
process is killed a moment later. So it records every effect that really happened, however often.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Entry:
    """One effect: its activity, its order and its process."""

    order: int
    activity: str
    pid: int


def record(ledger: str, order: int, activity: str) -> None:
    """Record an effect on the world."""
    line = json.dumps(asdict(Entry(order, activity, os.getpid()))) + "\n"
    descriptor = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


def entries(ledger: Path) -> list[Entry]:
    """Read every effect, oldest first."""
    if not ledger.exists():
        return []
    return [Entry(**json.loads(line)) for line in ledger.read_text(encoding="utf-8").splitlines()]
