"""A run's side of its activities: what their answers do to it, and what it has to have started.

`Run` adds everything else: mail, timers, and the writes that carry all this.
"""

from __future__ import annotations

import uuid

from continuum.engine.events import EventType
from continuum.engine.execution import Execution
from continuum.engine.pending import PendingActivity
from continuum.engine.retry import backoff_delay, wants_retry
from continuum.journal.port import ClaimedRun, NewTask
from continuum_actors.host.host import Host
from continuum_actors.run.run_writes import dispatch_number, options_of, task_for
from continuum_supervision import Actor

_COMPLETED: dict[int, EventType] = {
    EventType.ACTIVITY_SCHEDULED: EventType.ACTIVITY_COMPLETED,
    EventType.COMPENSATION_SCHEDULED: EventType.COMPENSATION_COMPLETED,
}
_FAILED: dict[int, EventType] = {
    EventType.ACTIVITY_SCHEDULED: EventType.ACTIVITY_FAILED,
    EventType.COMPENSATION_SCHEDULED: EventType.COMPENSATION_FAILED,
}


class RunActivities(Actor):
    """One live run, as far as its activities go."""

    __slots__ = (
        "_claim",
        "_execution",
        "_host",
        "_key",
        "_local",
        "_obsolete",
        "_starting",
        "_tasks",
    )

    _execution: Execution

    def __init__(self, host: Host, claim: ClaimedRun) -> None:
        self._host = host
        self._claim = claim
        self._key = uuid.UUID(claim.id).bytes
        # Activities that run, or are about to run, in this process.
        self._local: set[int] = set()
        # What the next write carries besides events, and starts here once durable.
        self._tasks: list[NewTask] = []
        self._starting: list[PendingActivity] = []
        self._obsolete: list[int] = []

    def _apply(self, type: EventType, body: tuple[object, ...]) -> bool:
        host = self._host
        host.pulse.executing(self._key)
        applied = self._execution.apply(type, body, at=host.journal.now())
        host.pulse.clear()
        return applied

    def _completed(self, seq: int, result: bytes) -> None:
        self._local.discard(seq)
        activity = self._execution.pending.get(seq)
        if activity is not None:
            if dispatch_number(activity) > 1 and options_of(activity).dispatched:
                # An earlier dispatch may have answered: the later one must not run any more.
                self._obsolete.append(seq)
            self._apply(_COMPLETED[activity.type], (seq, result))

    def _raised(self, seq: int, type: str, text: str, traceback: str, names: frozenset[str]) -> None:
        """An attempt failed: try again after a while, or tell the code."""
        self._local.discard(seq)
        activity = self._execution.pending.get(seq)
        if activity is None:
            return
        policy = options_of(activity).retry
        if wants_retry(policy, failed_attempt=activity.attempt, error_names=names):
            delay = backoff_delay(policy, activity.attempt, self._host.random_fraction())
            due = self._host.journal.now() + round(delay * 1e6)
            self._apply(EventType.ACTIVITY_RETRIED, (seq, type, text, activity.attempt, due))
        else:
            self._fail(activity, type, text, traceback)

    def _crashed(self, seq: int) -> None:
        """The process that ran the activity died: run it again, within the limit."""
        self._local.discard(seq)
        activity = self._execution.pending.get(seq)
        if activity is None:
            return
        crashes = activity.crashes + 1
        options = options_of(activity)
        if crashes > options.max_crashes:
            limit = "at_most_once is set" if options.at_most_once else f"the limit is {options.max_crashes}"
            self._fail(
                activity, "ProcessCrashed", f"its process died {crashes} times while it ran; {limit}", ""
            )
            return
        self._apply(EventType.ACTIVITY_CRASHED, (seq, crashes))
        self._start(activity)

    def _fail(self, activity: PendingActivity, type: str, text: str, traceback: str) -> None:
        body = (activity.seq, type, text, traceback, activity.attempt)
        self._apply(_FAILED[activity.type], body)

    def _resume(self, replayed: int) -> None:
        """After a replay: what ran beside the run when its process died has crashed with it."""
        execution = self._execution
        for seq in list(execution.pending):
            activity = execution.pending.get(seq)
            if activity is None or seq >= replayed or execution.outcome is not None:
                continue
            if activity.retry_due is not None or options_of(activity).dispatched:
                continue
            if self._host.activities.adopt(self._claim.id, seq, dispatch_number(activity), self.ref):
                self._local.add(seq)
            else:
                self._crashed(seq)

    def _start(self, activity: PendingActivity) -> None:
        """Have the activity run once the next write is durable."""
        options = options_of(activity)
        if not options.dispatched:
            self._local.add(activity.seq)
            self._starting.append(activity)
            return
        host = self._host
        self._tasks.append(task_for(activity, options, host.node if host.settings.activity_hosts else None))

    def _abandon_all(self) -> None:
        """The run is over: tell what runs here that nobody waits for it."""
        for seq in self._local:
            self._host.activities.abandon(self._claim.id, seq)

    def _drop_abandoned(self) -> list[int]:
        dropped, self._obsolete = self._obsolete, []
        while self._execution.abandoned:
            seq = self._execution.abandoned.pop()
            if seq in self._local:
                self._local.discard(seq)
                self._host.activities.abandon(self._claim.id, seq)
            else:
                dropped.append(seq)
        return dropped
