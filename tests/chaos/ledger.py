"""The ledger: one line for each effect, in a file that no process of a node owns and no fault touches."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

# The environment variable that names the file.
LEDGER = "CHAOS_LEDGER"


def note(effect: str, number: int) -> None:
    """Append one effect; a single short write to a file opened for appending is never torn."""
    descriptor = os.open(os.environ[LEDGER], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        os.write(descriptor, f"{effect} {number}\n".encode())
    finally:
        os.close(descriptor)


def noted(path: Path | None = None) -> Counter[tuple[str, int]]:
    """Count the effects by their name and the number of their run."""
    file = path or Path(os.environ[LEDGER])
    if not file.exists():
        return Counter()
    lines = (line.rsplit(" ", 1) for line in file.read_text().splitlines())
    return Counter((effect, int(number)) for effect, number in lines)
