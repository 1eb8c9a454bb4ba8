"""The activity dispatcher: has activity tasks claimed and run, and their results posted to the inbox.

Tasks are the activities with a queue and, in an activity host, the isolated ones. The tasks in hand
(`claimed_tasks.py`) outlive the loss of the lease (I7) and this actor: its successor takes them over.
"""

from __future__ import annotations

import asyncio

from continuum.engine.ids import RunId
from continuum.journal.port import ClaimedTask
from continuum_actors.activity.claimed_tasks import ClaimedTasks
from continuum_actors.host.host import Host
from continuum_actors.host.messages import LeaseTaken, LookForWork, ToActivityDispatcher
from continuum_supervision import Actor, Crash, ExitReason, is_abnormal

_LEASE_TAKEN = LeaseTaken()
_LOOK_FOR_WORK = LookForWork()


class ActivityDispatcher(Actor):
    """Runs claimed tasks.

    `isolated` makes it an activity host's: one task at a time, and the process is killed when the
    task is out of time.
    """

    def __init__(self, host: Host, *, isolated: bool = False) -> None:
        self._host = host
        self._isolated = isolated
        self._claimed: ClaimedTasks

    def begin(self) -> ClaimedTasks:
        """Begin without tasks in hand."""
        return ClaimedTasks(self._host, self.clock, isolated=self._isolated)

    def init(self) -> None:
        predecessor, self._host.tasks = self._host.tasks, self
        if isinstance(predecessor, ActivityDispatcher) and not predecessor._claimed.over:
            self._claimed = predecessor._claimed
            self._claimed.take_charge(self.ref)
            # A request to look may have died with the predecessor.
            self._claimed.look()
        else:
            self._claimed = self.begin()
            self._claimed.take_charge(self.ref)
        self._poll()

    def lease_taken(self) -> None:
        """Tasks may be claimed from now on."""
        self.ref.cast(_LEASE_TAKEN)

    def look_for_work(self) -> None:
        """Claim tasks as far as there is capacity; by message, because a dead dispatcher must not claim."""
        self.ref.cast(_LOOK_FOR_WORK)

    def start(self, task: ClaimedTask) -> asyncio.Task[None]:
        """Start a claimed task; return the asyncio task in which it runs."""
        return self._claimed.start(task)

    def known(self) -> list[tuple[RunId, int]]:
        """Return the claimed tasks that are running here or whose results are not stored yet."""
        return self._claimed.known()

    @property
    def busy(self) -> bool:
        """Whether a task is running or its result is not stored yet."""
        return self._claimed.busy

    def handle_cast(self, message: ToActivityDispatcher) -> None:
        """There may be tasks to claim."""
        if isinstance(message, LeaseTaken):
            self._claimed.has_lease = True
        self._claimed.look()

    def handle_info(self, message: BaseException | LookForWork) -> None:
        """The poll is due; or a background task failed, and so does the actor."""
        if isinstance(message, BaseException):
            raise message
        self._claimed.look()
        self._poll()

    def terminate(self, reason: ExitReason) -> None:
        """Cancel what is running when the process stops; after a crash the successor takes it over."""
        if not is_abnormal(reason):
            self._claimed.cancel()
        elif isinstance(reason, Crash):
            self._claimed.lost_track()

    def _poll(self) -> None:
        """Look regularly even without a notification; one may be lost."""
        delay = self._host.settings.poll_seconds * (0.75 + self._host.random_fraction() / 2)
        self.send_after(delay, _LOOK_FOR_WORK)
