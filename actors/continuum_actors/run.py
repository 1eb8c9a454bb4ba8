"""The run actor: where the replay core and the journal meet.

It owns one run while it is live: applies what comes in (results, signals, due
timers, cancel requests) to the execution, hands what the code asked for to the
writer, and starts activities once the commit that announces them is durable.
The coroutine runs ahead of the commit, which nobody outside can see; whatever
somebody could see waits for it (ARCHITECTURE section 8).

All handlers are plain functions, so the workflow's private loop is stepped from a
callback of the process's loop and never inside a task.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from continuum.engine.events import Event, EventType
from continuum.engine.execution import Execution, PendingActivity
from continuum.engine.outcome import Blocked
from continuum.engine.retry import backoff_delay, wants_retry
from continuum.errors import DurableTermError
from continuum.journal.port import ClaimedRun, InboxKind, InboxRow, NewTask, RunState, RunWrite, Transition
from continuum.workflow import Workflow
from continuum_actors import messages as say
from continuum_actors.host import Host
from continuum_actors.run_writes import (
    before_the_fault,
    dispatch_number,
    final_transition,
    options_of,
    run_info,
    task_for,
)
from continuum_actors.taken_rows import TakenRows
from continuum_supervision import NORMAL, Actor, ExitReason

_COMPLETED: dict[int, EventType] = {
    EventType.ACTIVITY_SCHEDULED: EventType.ACTIVITY_COMPLETED,
    EventType.COMPENSATION_SCHEDULED: EventType.COMPENSATION_COMPLETED,
}
_FAILED: dict[int, EventType] = {
    EventType.ACTIVITY_SCHEDULED: EventType.ACTIVITY_FAILED,
    EventType.COMPENSATION_SCHEDULED: EventType.COMPENSATION_FAILED,
}


class Run(Actor):
    """One live run."""

    __slots__ = (
        "_armed",
        "_claim",
        "_execution",
        "_history",
        "_host",
        "_in_flight",
        "_key",
        "_leaving",
        "_local",
        "_mail",
        "_obsolete",
        "_snapshotted",
        "_starting",
        "_taken",
        "_tasks",
        "_workflow",
        "_written",
        "ended",
    )

    def __init__(
        self,
        host: Host,
        claim: ClaimedRun,
        workflow: Workflow[..., object],
        history: Sequence[Event],
        mail: Sequence[InboxRow],
    ) -> None:
        self._host = host
        self._claim = claim
        self._workflow = workflow
        self._history: Sequence[Event] = history
        self._mail: Sequence[InboxRow] = mail
        self._key = uuid.UUID(claim.id).bytes
        # Activities that run, or are about to run, in this process.
        self._local: set[int] = set()
        # What the next write carries besides events, and starts here once durable.
        self._tasks: list[NewTask] = []
        self._starting: list[PendingActivity] = []
        self._obsolete: list[int] = []
        # Writes handed over and not durable yet: each with what it starts.
        self._in_flight: list[tuple[RunWrite, list[PendingActivity]]] = []
        # The row's state and due time as the last write left them.
        self._written: tuple[RunState, int | None] = (RunState.RUNNING, None)
        self._armed: int | None = None
        self._taken = TakenRows()
        self._leaving = False
        # How long the history was when its snapshot was last asked for.
        self._snapshotted = len(history)
        self.ended = False

    def init(self) -> None:
        claim, host = self._claim, self._host
        self._execution = Execution(run_info(claim), host.draw)
        host.runs.activated(self.ref)
        try:
            args, kwargs = self._workflow.arguments.decode_call(claim.input)
        except DurableTermError as error:
            # Not a failure of the run: code that reads its input again lets it go on.
            self._execution.outcome = Blocked("drift", f"the code cannot read its input: {error}")
            self._write()
            return
        history, self._history = self._history, ()
        mail, self._mail = self._mail, ()
        host.pulse.executing(self._key)
        self._execution.begin(
            self._workflow.fn(*args, **kwargs), history, started_at=claim.started_at, now=host.journal.now()
        )
        host.pulse.clear()
        for activity in self._execution.take_opened():
            if activity.seq >= len(history):
                self._start(activity)
        consumed = self._take_mail(mail)
        if history:
            self._resume(len(history))
        self._write(consumed)

    # What comes in.

    def handle_cast(self, message: object) -> None:
        # The two of every step come first, without the cost of matching.
        kind = type(message)
        if kind is say.Committed:
            self._committed()
        elif self.ended:
            if kind is say.Fenced:
                self.stop(NORMAL)
            elif kind is say.ActivityCompleted and self._written[0] < RunState.COMPLETED:
                # Given up or blocked meanwhile: whoever takes the run up wants it.
                self._host.activities.salvage(self._claim.id, [message])  # type: ignore[list-item]
        elif kind is say.ActivityCompleted:
            self._completed(*message)  # type: ignore[misc]
            self._write()
        else:
            self._hear(message)

    def _hear(self, message: object) -> None:
        match message:
            case say.ActivityRaised(seq, type, text, traceback, names):
                self._raised(seq, type, text, traceback, names)
                self._write()
            case say.TimerDue():
                self._armed = None
                self._due()
                self._write()
            case say.Mail(fetch, rows):
                self._taken.forget_before(fetch)
                self._write(self._take_mail(rows))
            case say.HandOver():
                self._leaving = True
                self._try_release()
            case say.Fenced():
                self.ended = True
                self.stop(NORMAL)
            case _:
                raise AssertionError(f"a run does not understand {message!r}")

    def terminate(self, reason: ExitReason) -> None:
        self._execution.close()
        self._host.wheel.arm(self.ref, None)
        # Whoever owns the run now must not run again what has an answer already (I7).
        answers = [
            event.body
            for write, _ in self._in_flight
            for event in write.events
            if event.type in (EventType.ACTIVITY_COMPLETED, EventType.COMPENSATION_COMPLETED)
        ]
        if answers:
            self._host.activities.salvage(self._claim.id, answers)

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
            delay = backoff_delay(policy, activity.attempt, self._host.fraction())
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

    def _due(self) -> None:
        """Fire the timers that are due, and hand out again the activities whose back-off is over."""
        execution = self._execution
        for seq in execution.take_due(self._host.journal.now()):
            activity = execution.pending.get(seq)
            if activity is None:
                self._apply(EventType.TIMER_FIRED, (seq,))
            else:
                # Journaled, so that a crash from now on is one of the attempt and not of the waiting.
                self._apply(EventType.ACTIVITY_RESTARTED, (seq,))
                self._start(activity)

    def _take_mail(self, rows: Sequence[InboxRow]) -> list[int]:
        """Turn inbox rows into history; return the ids of those that are done with."""
        consumed: list[int] = []
        for row in rows:
            if row.id in self._taken:
                continue
            if self._execution.outcome is not None:
                break
            if row.kind is InboxKind.CORRUPT:
                self._execution.outcome = Blocked("corrupt", f"row {row.id} of its inbox cannot be read")
                break
            self._read(row)
            consumed.append(row.id)
            self._taken.add(row.id)
        return consumed

    def _read(self, row: InboxRow) -> None:
        match row.kind:
            case InboxKind.SIGNAL:
                self._apply(EventType.SIGNAL_RECEIVED, (row.name, row.body[0], row.key))
            case InboxKind.CANCEL:
                self._apply(EventType.CANCEL_REQUESTED, ())
            case InboxKind.ACTIVITY_COMPLETED:
                self._completed(int(row.name), row.body[0])
            case _:
                activity = self._execution.pending.get(int(row.name))
                if activity is None or row.key != str(dispatch_number(activity)):
                    return  # an answer to a dispatch that has been given up
                if row.kind is InboxKind.ACTIVITY_RAISED:
                    type, text, traceback, names = row.body
                    self._raised(activity.seq, type, text, traceback, frozenset(names))
                elif row.kind is InboxKind.ACTIVITY_TIMED_OUT:
                    self._raised(activity.seq, "TimeoutError", "out of time", "", frozenset({"TimeoutError"}))
                else:
                    self._crashed(activity.seq)

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

    # What goes out.

    def _start(self, activity: PendingActivity) -> None:
        """Have the activity run once the next write is durable."""
        options = options_of(activity)
        if not options.dispatched:
            self._local.add(activity.seq)
            self._starting.append(activity)
            return
        host = self._host
        self._tasks.append(task_for(activity, options, host.node if host.settings.activity_hosts else None))

    def _write(self, consumed: Sequence[int] = ()) -> None:
        """Hand everything new to the writer, as one write."""
        execution, host = self._execution, self._host
        for activity in execution.take_opened():
            self._start(activity)
        dropped = self._drop_abandoned()
        events = execution.take_log()
        if execution.outcome is not None:
            final = final_transition(execution.outcome, self._workflow)
            transition: Transition | None = final
            self._written = (final.state, None)
            self.ended = True
            tasks: list[NewTask] = []
            if final.state.terminal:
                for seq in self._local:
                    host.activities.abandon(self._claim.id, seq)
            else:
                events, tasks = before_the_fault(events, self._tasks)
                host.runs.blocked(self._claim, final.reason)
            host.wheel.arm(self.ref, None)
        else:
            tasks = self._tasks
            transition = self._parked_or_not()
            if transition is not None:
                # A crash counted against an activity is no progress: the step after it may be what kills.
                transition.progress = any(event.type != EventType.ACTIVITY_CRASHED for event in events)
        starting = [] if self.ended else self._starting
        self._starting, self._tasks = [], []
        if not (events or consumed or dropped or tasks or transition or starting):
            return
        self._submit(
            RunWrite(self._claim.id, self._claim.token, events, consumed, tasks, dropped, transition),
            starting,
        )

    def _submit(self, write: RunWrite, starting: list[PendingActivity]) -> None:
        self._in_flight.append((write, starting))
        self._host.writer.submit(write, self.ref)

    def _parked_or_not(self) -> Transition | None:
        """Note whether something goes on here and when it is due next; None when nothing changed."""
        host = self._host
        due = self._execution.next_due()
        if due != self._armed:
            host.wheel.arm(self.ref, due)
            self._armed = due
        wanted = (RunState.RUNNING, None) if self._local else (RunState.SUSPENDED, due)
        previous, self._written = self._written, wanted
        if wanted == previous:
            return None
        if wanted[0] is not previous[0]:
            (host.runs.activated if self._local else host.runs.parked)(self.ref)
        return Transition(wanted[0], wanted[1])

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

    def _committed(self) -> None:
        """The oldest write in flight is durable: start what waited for it."""
        write, starting = self._in_flight.pop(0)
        self._taken.removed(write.consumed, self._host.router.fetch_number)
        if write.events:
            durable = write.events[-1].seq + 1
            if durable - self._snapshotted >= self._host.settings.snapshot_events:
                self._snapshotted = durable
                self._host.snapshotter.ref.cast(self._claim.id)
        if self.ended:
            if write.transition is not None and write.transition.release and write.transition.due_at:
                self._host.dispatcher.expect(write.transition.due_at)
            if not self._in_flight:
                self.stop(NORMAL)
            return
        pending = self._execution.pending
        for activity in starting:
            if activity.seq in pending:
                self._host.activities.run(self.ref, self._claim.id, activity, options_of(activity))
        if self._leaving:
            self._try_release()

    def _try_release(self) -> None:
        """Give the run up if it is parked and everything of it is durable."""
        if self._local or self._in_flight or self.ended:
            return
        self.ended = True
        transition = Transition(RunState.SUSPENDED, self._execution.next_due(), release=True)
        self._submit(RunWrite(self._claim.id, self._claim.token, transition=transition), [])
