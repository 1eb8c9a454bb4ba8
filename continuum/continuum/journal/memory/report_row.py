"""The row of a node that somebody looks at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class ReportRow:
    """What a node has reported as last, and what is wanted of it."""

    wanted_until: int = 0
    stacks_asked: int = 0
    stacks_told: int = 0
    report: Any = None
    reported_at: int | None = None
    stacks: Any = None
    stacks_at: int | None = None
