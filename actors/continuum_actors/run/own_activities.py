"""A run's own activities: what their results do to the run, and which of them are to start.

An activity without a queue runs in this process (`LocalActivities`); one with a queue becomes a
task. Either starts only when the write that schedules it is durable.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import cast

from continuum.definitions.activity_options import ActivityOptions
from continuum.engine.events import EventType
from continuum.engine.ids import RunId
from continuum.engine.pending import PendingActivity
from continuum.engine.retry import backoff_delay, wants_retry
from continuum.journal.port import ClaimedRun, NewTask
from continuum_actors.activity.deadline import no_time_for_another, out_of_total_time
from continuum_actors.host import limits
from continuum_actors.host.host import Host
from continuum_actors.host.messages import ActivityCompleted, ActivityRaised
from continuum_actors.run.failure_log import FailedAttempt
from continuum_actors.run.run_writes import dispatch_number, options_of, task_for
from continuum_actors.run.watched_execution import WatchedExecution
from continuum_supervision import ActorRef

_NONE: AbstractSet[int] = frozenset()
_COMPLETED: dict[int, EventType] = {
    EventType.ACTIVITY_SCHEDULED: EventType.ACTIVITY_COMPLETED,
    EventType.COMPENSATION_SCHEDULED: EventType.COMPENSATION_COMPLETED,
}
_FAILED: dict[int, EventType] = {
    EventType.ACTIVITY_SCHEDULED: EventType.ACTIVITY_FAILED,
    EventType.COMPENSATION_SCHEDULED: EventType.COMPENSATION_FAILED,
}


class OwnActivities:
    """The activities of one live run."""

    __slots__ = (
        "_claim",
        "_host",
        "_obsolete",
        "_watched",
        "failed",
        "local",
        "putting_by",
        "starting",
        "tasks",
        "unsaved",
    )

    def __init__(self, host: Host, claim: ClaimedRun, watched: WatchedExecution) -> None:
        self._host = host
        self._claim = claim
        self._watched = watched
        # The seqs of those that run, or are about to run, in this process.
        self.local: AbstractSet[int] = _NONE
        # For the next write: its tasks, what starts here and what is logged once it is durable.
        self.tasks: list[NewTask] = []
        self.starting: list[PendingActivity] = []
        self.failed: tuple[FailedAttempt, ...] = ()
        self._obsolete: list[int] = []
        # How many outcomes of attempts are on their way to the inbox, because the run is paused.
        self.putting_by = 0
        # Failures of attempts that ran here and may not be durable yet: the dispatch number of each, by seq.
        self.unsaved: dict[int, tuple[int, ActivityRaised]] = {}

    def start(self, activity: PendingActivity) -> None:
        """Have the activity start once the next write is durable."""
        options = options_of(activity)
        if options.total_timeout is not None:
            deadline = self._deadline(activity, options)
            if deadline is not None and deadline <= self._host.journal.now():
                return  # its deadline is due
        if not options.dispatched:
            self._add_local(activity.seq)
            self.starting.append(activity)
            return
        host = self._host
        self.tasks.append(task_for(activity, options, host.node if host.settings.activity_hosts else None))

    def completed(self, seq: int, result: bytes) -> None:
        """An activity returned: give the code its result."""
        here = seq in self.local
        self._remove_local(seq)
        activity = self._watched.execution.pending.get(seq)
        if activity is not None:
            if not here:
                # However often it was started: an uncounted start is in no history.
                self._withdraw(activity)
            self._watched.apply(_COMPLETED[activity.type], (seq, result))

    def raised(self, seq: int, type: str, text: str, traceback: str, names: frozenset[str]) -> None:
        """An attempt failed: retry after a while, or give the code the failure."""
        self._remove_local(seq)
        activity = self._watched.execution.pending.get(seq)
        if activity is None:
            return
        if activity.restarts:
            self._withdraw(activity)
        options = options_of(activity)
        policy = options.retry
        if not wants_retry(policy, failed_attempt=activity.attempt, error_names=names):
            self._fail(activity, type, text, traceback)
            return
        delay = backoff_delay(policy, activity.attempt, self._host.random_fraction())
        due = self._host.journal.now() + round(delay * 1e6)
        deadline = self._deadline(activity, options)
        if deadline is None or due < deadline:
            self._note(activity, type, text, delay)
            self._watched.apply(EventType.ACTIVITY_RETRIED, (seq, type, text, activity.attempt, due))
        else:
            last = (
                f"{no_time_for_another(options.total_timeout)}; the last attempt failed with {type}: {text}"
            )
            self._fail(activity, "TimeoutError", last[: limits.ERROR_TEXT_CHARACTERS], traceback)

    def _add_local(self, seq: int) -> None:
        # A run that waits has none, and an empty set of its own would weigh as much as its actor.
        if self.local:
            cast("set[int]", self.local).add(seq)
        else:
            self.local = {seq}

    def _remove_local(self, seq: int) -> None:
        if seq in self.local:
            if len(self.local) == 1:
                self.local = _NONE
            else:
                cast("set[int]", self.local).remove(seq)

    def _withdraw(self, activity: PendingActivity) -> None:
        """Remove its task: the answer may be that of an earlier one, and the later must not run any more."""
        if options_of(activity).dispatched:
            self.tasks = [task for task in self.tasks if task.seq != activity.seq]
            self._obsolete.append(activity.seq)

    def out_of_time(self, activity: PendingActivity) -> None:
        """The total time of the activity is over: end its attempt, and give the code the failure."""
        options, seq = options_of(activity), activity.seq
        text = out_of_total_time(options.total_timeout)
        if seq in self.local:
            self._remove_local(seq)
            self._host.activities.give_up(self._claim.id, seq, text)
        elif options.dispatched:
            self._obsolete.append(seq)
        self._fail(activity, "TimeoutError", text, "")

    def keep_failure(self, failure: ActivityRaised) -> None:
        """Keep the failure of an attempt that ran here until it is durable."""
        activity = self._watched.execution.pending.get(failure.seq)
        if activity is not None:
            self.unsaved[failure.seq] = (dispatch_number(activity), failure)

    def salvage_failures(self) -> None:
        """Have the failures posted that are kept: the run's next owner needs them (I7)."""
        for dispatch, failure in self.unsaved.values():
            self._host.activities.salvage_failure(self._claim.id, dispatch, failure)
        self.unsaved.clear()

    def put_by(self, outcome: ActivityCompleted | ActivityRaised, run: ActorRef) -> None:
        """The run is paused: have the outcome of an attempt posted to its inbox, then `PutBy` sent to it."""
        self._remove_local(outcome.seq)
        activity = self._watched.execution.pending.get(outcome.seq)
        if activity is not None:
            self.putting_by += 1
            self._host.activities.put_by(run, self._claim.id, dispatch_number(activity), outcome)

    def end_overdue(self) -> int | None:
        """The run is paused: end the attempts here whose total time is over; the next owner fails them.

        Return when that of another one here is over.
        """
        pending, now = self._watched.execution.pending, self._host.journal.now()
        later: list[int] = []
        for seq in tuple(self.local):
            activity = pending.get(seq)
            if activity is None or activity.deadline is None:
                continue
            if activity.deadline <= now:
                self._remove_local(seq)
                text = out_of_total_time(options_of(activity).total_timeout)
                self._host.activities.give_up(self._claim.id, seq, text)
            else:
                later.append(activity.deadline)
        return min(later, default=None)

    def answered(self, seq: int) -> None:
        """Another process has answered: an attempt that runs here is not needed any more."""
        if seq in self.local:
            self._host.activities.abandon(self._claim.id, seq)

    def crashed(self, seq: int) -> None:
        """The process that ran the activity died: run it again, within the limit."""
        self._remove_local(seq)
        activity = self._watched.execution.pending.get(seq)
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
        self._note(activity, "ProcessCrashed", "the process that ran it died", 0.0)
        self._watched.apply(EventType.ACTIVITY_CRASHED, (seq, crashes))
        self.start(activity)

    def interrupted(self, seq: int) -> None:
        """The process that ran the activity was stopped in order: run it again, which counts no crash."""
        self._restart_uncounted(seq, "its process was stopped while it ran; at_most_once is set")

    def lost(self, seq: int) -> None:
        """The process that ran the activity died of something else: run it again, which counts no crash."""
        self._restart_uncounted(seq, "its process died while it ran; at_most_once is set")

    def _restart_uncounted(self, seq: int, refusal: str) -> None:
        activity = self._watched.execution.pending.get(seq)
        if activity is None or seq in self.local:
            return
        if options_of(activity).at_most_once:
            self._fail(activity, "ProcessCrashed", refusal, "")
        else:
            activity.restarts += 1
            self.start(activity)

    def under_way(self) -> list[tuple[RunId, int, int]]:
        """Return run, seq and dispatch number of those that run, or are about to run, in this process."""
        pending = self._watched.execution.pending
        return [
            (self._claim.id, seq, dispatch_number(pending[seq]))
            for seq in sorted(self.local)
            if seq in pending
        ]

    def restart(self, activity: PendingActivity) -> None:
        """The back-off of a failed attempt is over: run the next one."""
        # Journaled, so that a crash from now on counts against the attempt and not against the wait.
        self._watched.apply(EventType.ACTIVITY_RESTARTED, (activity.seq,))
        self.start(activity)

    def has_local(self, replayed: int) -> bool:
        """Whether an attempt of the history was to run in the process of its owner."""
        return any(
            activity.seq < replayed and activity.retry_due is None and not options_of(activity).dispatched
            for activity in self._watched.execution.pending.values()
        )

    def resume(self, replayed: int, run: ActorRef) -> None:
        """After a replay: adopt the attempts that run here; the process of the others is gone."""
        execution = self._watched.execution
        for seq in list(execution.pending):
            activity = execution.pending.get(seq)
            if activity is None or seq >= replayed or execution.outcome is not None:
                continue
            self._deadline(activity, options_of(activity))
            if seq in self.local:
                continue  # its mail has started it again
            if activity.retry_due is not None or options_of(activity).dispatched:
                continue
            if self._host.activities.adopt(self._claim.id, seq, dispatch_number(activity), run):
                self._add_local(seq)
            else:
                self.lost(seq)

    def abandon_all(self) -> None:
        """The run is over: set `cancelled` of all its attempts that run here."""
        for seq in self.local:
            self._host.activities.abandon(self._claim.id, seq)

    def take_dropped(self) -> list[int]:
        """Return the tasks that the next write removes; abandon the attempts that no code waits for."""
        abandoned = self._watched.execution.abandoned
        if not self._obsolete and not abandoned:
            return []
        dropped, self._obsolete = self._obsolete, []
        while abandoned:
            seq = abandoned.pop()
            if seq in self.local:
                self._remove_local(seq)
                self._host.activities.abandon(self._claim.id, seq)
            else:
                dropped.append(seq)
        if dropped and self.tasks:
            # What the same mail has started again: the journal drops tasks before it adds some.
            self.tasks = [task for task in self.tasks if task.seq not in dropped]
        return dropped

    def _deadline(self, activity: PendingActivity, options: ActivityOptions) -> int | None:
        """Return when the activity must be over, on the journal's clock; None without a limit."""
        if options.total_timeout is None:
            return None
        if activity.deadline is None:
            due = activity.at + round(options.total_timeout * 1e6)
            self._watched.execution.set_deadline(activity, due)
        return activity.deadline

    def _fail(self, activity: PendingActivity, type: str, text: str, traceback: str) -> None:
        self._note(activity, type, text, None)
        body = (activity.seq, type, text, traceback, activity.attempt)
        self._watched.apply(_FAILED[activity.type], body)

    def _note(self, activity: PendingActivity, type: str, text: str, retry_after: float | None) -> None:
        """Have a failed attempt logged once the next write is durable."""
        failure = FailedAttempt(activity.name, activity.attempt, type, text, retry_after)
        self.failed = (*self.failed, failure)
