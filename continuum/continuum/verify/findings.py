"""What the checker reports: a rule that does not hold, where, and what to do."""

from __future__ import annotations

from typing import NamedTuple

from continuum.engine.ids import RunId


class Finding(NamedTuple):
    """A rule that does not hold for a run; `run_id` is None when it concerns no single run."""

    run_id: RunId | None
    rule: str
    text: str
