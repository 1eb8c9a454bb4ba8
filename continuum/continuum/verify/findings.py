"""What the checker reports: a rule that does not hold, where, and what to do."""

from __future__ import annotations

from typing import NamedTuple

from continuum.engine.ids import RunId
from continuum.journal.facts import RunState
from continuum.journal.stored_facts import StoredRunFacts


class Finding(NamedTuple):
    """A rule that does not hold for a run; `run_id` is None when it concerns no single run."""

    run_id: RunId | None
    rule: str
    text: str


def way_out(run: StoredRunFacts) -> str:
    """Return what can be done about a run that cannot be mended; nothing cancels one that has ended."""
    if run.state >= RunState.COMPLETED:
        return "leave it: it has ended, and nothing executes it again"
    return "cancel it with --force and start it again"
