"""How often processes gave up the processor: to wait, and because another one needed it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple


class Switches(NamedTuple):
    """Numbers of context switches. Each wait ends with one wake-up, so `waits` is their number, too."""

    waits: int
    preemptions: int

    def since(self, before: Switches) -> Switches:
        """Return how many there were since an earlier reading."""
        return Switches(self.waits - before.waits, self.preemptions - before.preemptions)


def switches(pids: Iterable[int]) -> Switches:
    """Return those of all threads of these processes so far; a thread that has ended counts no more."""
    waits = preemptions = 0
    for pid in pids:
        for status in Path(f"/proc/{pid}/task").glob("*/status"):
            try:
                lines = status.read_text(encoding="ascii", errors="replace").splitlines()
            except (FileNotFoundError, ProcessLookupError):
                continue
            found = dict(line.split(":", 1) for line in lines if "ctxt_switches:" in line)
            waits += int(found.get("voluntary_ctxt_switches", 0))
            preemptions += int(found.get("nonvoluntary_ctxt_switches", 0))
    return Switches(waits, preemptions)
