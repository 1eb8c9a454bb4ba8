"""What the checker reports: a rule that does not hold, where, and what mends it."""

from __future__ import annotations

from typing import NamedTuple

from continuum.engine.ids import RunId, WorkerId
from continuum.journal.facts import RunState
from continuum.journal.mend import Mend
from continuum.journal.stored_facts import StoredRunFacts


class Finding(NamedTuple):
    """A rule that does not hold for a run, or for a worker; both are None when it concerns neither.

    The `mends` end it, as `continuum repair` makes them. Without any only a person can decide: then the
    text says why, and what helps.
    """

    run_id: RunId | None
    rule: str
    text: str
    mends: tuple[Mend, ...] = ()
    worker: WorkerId | None = None

    @property
    def subject(self) -> str:
        """What `continuum repair` is given behind the rule: the run or the worker."""
        return self.run_id or str(self.worker)


def way_out(run: StoredRunFacts) -> str:
    """Return what can be done about a run that cannot be mended; nothing cancels one that has ended."""
    if run.state >= RunState.COMPLETED:
        return "leave it: it has ended, and nothing executes it again"
    return f"end it with `continuum cancel {run.id} --force` and start it again"
