"""The part of the port that mends what is damaged. No engine uses it.

A repair decides under the locks of what it changes, from what is stored then: nothing that was seen
before is trusted. The caller's `decide` says what to do, and is asked again afterwards: unless it finds
nothing any more, the journal changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, TypeAlias

from continuum.engine.ids import RunId, WorkerId
from continuum.journal.audit_facts import AuditFacts, ChangeOutcome
from continuum.journal.mend import Mend
from continuum.journal.stored_facts import StoredCluster, StoredRunFacts

Damaged: TypeAlias = RunId | WorkerId
"""What is to be repaired: a run, or rows of one that does not exist; or a worker."""


class DamageFacts(NamedTuple):
    """What is stored about something damaged. `run` is None for a worker, and without such a run."""

    cluster: StoredCluster
    run: StoredRunFacts | None


class Decision(NamedTuple):
    """What a repair does: with `ChangeOutcome.DONE` these mends, else nothing."""

    outcome: ChangeOutcome
    mends: Sequence[Mend] = ()


Decide: TypeAlias = Callable[[DamageFacts], Decision]


class NotMended(Exception):
    """The mends left something of what they were to mend, so nothing was changed."""


class Repairs(Protocol):
    """Repairs of what is stored."""

    async def damage_facts(self, damaged: Damaged) -> DamageFacts:
        """Return what is stored at this moment."""
        ...

    async def repair(
        self, damaged: Damaged, decide: Decide, *, audit: AuditFacts | None = None
    ) -> ChangeOutcome:
        """Do what `decide` says, and record its outcome in the same transaction (P20).

        `decide` may be called several times. `NotMended` if it finds something to do afterwards.
        """
        ...
