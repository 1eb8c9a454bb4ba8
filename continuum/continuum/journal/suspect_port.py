"""What the engine asks of a journal about deaths: whom to blame, and who is tried apart from others.

Nobody is counted a crash for having been in a process that died. What is known to have killed it is; what
may have is suspected. A suspect that is suspected again is in quarantine: no ordinary claim takes it, and
it is tried in company that is halved with each death, at last alone. A suspect that dies alone is what killed
its process.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from continuum.engine.ids import RunId, WorkerId
from continuum.journal.claimed_task import ClaimedTask
from continuum.journal.facts import ClaimedRun, Namespaces, Worker
from continuum.journal.version_facts import Loaded


class Executed(NamedTuple):
    """What a process executed: an attempt of an activity, or the code of a run, which has no `seq`."""

    run_id: RunId
    seq: int | None = None
    dispatch: int = 0


class Death(NamedTuple):
    """What is known about the end of a worker's process.

    Without a culprit `named` is suspected, and without those everything that ran there.
    """

    culprit: Executed | None = None
    named: tuple[Executed, ...] = ()


class EarlierDeaths(NamedTuple):
    """How long a suspect had been with its owner when that died as last, in seconds.

    And how often an owner has died after the suspect had been acquitted.
    """

    lived: float
    after_acquittal: int


# What is suspected: a task by its seq, or a run.
Place = tuple[RunId, int | None]
UNEXPLAINED = Death()


class Suspects(Protocol):
    """Blame for deaths, and quarantine."""

    async def blame(self, worker: WorkerId, death: Death, *, only_expired: bool = False) -> RunId | None:
        """Blame what killed a worker's process, before the worker is retired; a second call changes nothing.

        An attempt is blamed by mail (CRASHED), what else is suspected is remembered. Returns the run whose
        death is to be counted with the retirement. With `only_expired` nothing happens while the lease is
        valid.
        """
        ...

    async def claim_suspects(
        self, worker: Worker, code: Sequence[Loaded], *, namespaces: Namespaces = None
    ) -> list[ClaimedRun]:
        """Claim suspected runs to be tried together, as `claim` does: a few, or one alone."""
        ...

    async def claim_deadly(
        self, worker: Worker, code: Sequence[Loaded], limit: int, *, namespaces: Namespaces = None
    ) -> list[ClaimedRun]:
        """Claim runs of the workflows that are kept apart, as `claim` does; no suspects.

        A workflow is kept apart while several of its runs have killed processes within a minute.
        """
        ...

    async def claim_suspected_tasks(
        self, worker: Worker, activities: Sequence[str], *, namespaces: Namespaces = None
    ) -> list[ClaimedTask]:
        """Claim suspected tasks that are not isolated, as `claim_tasks` does: a few, or one alone."""
        ...

    async def acquit(self, suspects: Sequence[Place]) -> None:
        """Suspect these runs and tasks no more; when their processes died before is remembered."""
        ...

    async def earlier_deaths(self, suspects: Sequence[Place]) -> EarlierDeaths:
        """Return what is known for a trial of these: the most of each."""
        ...

    async def lone_suspects_lived(self) -> float | None:
        """Return how long those that are tried alone had lived at most at a death; None without any."""
        ...

    async def suspects_wait(self) -> bool:
        """Whether any run or task in quarantine is due and has no owner, or a workflow is kept apart."""
        ...
