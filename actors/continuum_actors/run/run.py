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

from collections.abc import Sequence

from continuum.definitions.workflow import Workflow
from continuum.engine.events import EventType
from continuum.engine.execution import Execution
from continuum.engine.outcome import Blocked, Cancelled, Continued, Outcome
from continuum.engine.pending import PendingActivity
from continuum.errors import DurableTermError
from continuum.journal.port import (
    ClaimedRun,
    InboxKind,
    InboxRow,
    NewTask,
    Refusal,
    RunState,
    RunWrite,
    StoredHistory,
    Successor,
    Transition,
)
from continuum_actors.activity.attempt import out_of_time
from continuum_actors.host import messages
from continuum_actors.host.host import Host
from continuum_actors.run.consumed_mail import TakenRows
from continuum_actors.run.resume import asked_to_stop_first, is_of_other_code, misfit, version_change
from continuum_actors.run.run_activities import RunActivities
from continuum_actors.run.run_writes import (
    announce,
    before_the_fault,
    dispatch_number,
    final_transition,
    options_of,
    run_info,
)
from continuum_supervision import NORMAL, ExitReason

_CHILD_ENDED: dict[int, EventType] = {
    InboxKind.CHILD_COMPLETED: EventType.CHILD_COMPLETED,
    InboxKind.CHILD_FAILED: EventType.CHILD_FAILED,
    InboxKind.CHILD_CANCELLED: EventType.CHILD_CANCELLED,
}

NO_HISTORY = StoredHistory(None, [])


class Run(RunActivities):
    """One live run."""

    __slots__ = (
        "_armed",
        "_changed_version",
        "_compact_at",
        "_compacted",
        "_history",
        "_in_flight",
        "_leaving",
        "_mail",
        "_taken",
        "_workflow",
        "_written",
        "ended",
    )

    def __init__(
        self,
        host: Host,
        claim: ClaimedRun,
        workflow: Workflow[..., object],
        history: StoredHistory,
        mail: Sequence[InboxRow],
    ) -> None:
        super().__init__(host, claim)
        self._workflow = workflow
        self._history = history
        self._mail: Sequence[InboxRow] = mail
        # Writes handed over and not durable yet: each with what it starts.
        self._in_flight: list[tuple[RunWrite, list[PendingActivity]]] = []
        # The row's state and due time as the last write left them.
        self._written: tuple[RunState, int | None] = (RunState.RUNNING, None)
        self._armed: int | None = None
        self._taken = TakenRows()
        self._leaving = False
        # The version the run goes on under, until a write has said so.
        self._changed_version: str | None = None
        # Where its snapshot ends, and how long the history is when the next one is asked for.
        self._compacted = 0 if history.compact is None else history.compact.end
        self._compact_at = self._compacted + self._snapshot_events
        self.ended = False

    def init(self) -> None:
        claim, host, workflow = self._claim, self._host, self._workflow
        self._execution = Execution(run_info(claim, workflow), host.random_bytes, workflow, claim.depth)
        host.runs.activated(self.ref)
        (compact, history), self._history = self._history, NO_HISTORY
        mail, self._mail = self._mail, ()
        replayed = self._compacted + len(history)
        # Of one that was taken up before and has no history the code may wait inside a `try`.
        stop = asked_to_stop_first(mail) if replayed == 0 and claim.attempt == 1 else None
        if stop is not None:
            self._execution.outcome = Cancelled(by_parent=stop.name == "parent")
            self._write([stop.id])
            return
        if is_of_other_code(claim, workflow):
            now = host.journal.now()
            host.pulse.executing(self._key)
            reason = misfit(claim, workflow, history, now)
            host.pulse.clear()
            if reason is not None:
                self._refuse(reason)
                return
            changed = version_change(claim, workflow, history, now)
            history = [*history, changed]
            replayed += 1
            self._execution.log.write_before_everything(changed)
            self._changed_version = workflow.version_hash
        try:
            args, kwargs = workflow.arguments.decode_call(claim.input)
        except DurableTermError as error:
            # Not a failure of the run: code that reads its input again lets it go on.
            mend = "" if replayed else "; or cancel it and start it again with what the code takes"
            self._execution.outcome = Blocked("drift", f"the code cannot read its input: {error}{mend}")
            self._write()
            return
        host.pulse.executing(self._key)
        self._execution.begin(
            workflow.fn(*args, **kwargs),
            history,
            started_at=claim.started_at,
            now=host.journal.now(),
            compact=compact,
        )
        host.pulse.clear()
        if self._execution.log.snapshot_mismatch:
            self.ended = True
            host.dispatcher.replay_events(claim)
            self.stop(NORMAL)
            return
        for activity in self._execution.take_opened():
            if activity.seq >= replayed:
                self._start(activity)
        consumed = self._take_mail(mail)
        if replayed:
            self._resume(replayed)
        self._write(consumed)

    # What comes in.

    def handle_cast(self, message: object) -> None:
        # The two of every step come first, without the cost of matching.
        kind = type(message)
        if kind is messages.Committed:
            self._committed()
        elif self.ended:
            if kind is messages.Fenced or kind is messages.EndedElsewhere:
                self.stop(NORMAL)
            elif kind is messages.ActivityCompleted and self._written[0] < RunState.COMPLETED:
                # Given up or blocked meanwhile: whoever takes the run up wants it.
                self._host.activities.salvage(self._claim.id, [message])  # type: ignore[list-item]
        elif kind is messages.ActivityCompleted:
            self._completed(*message)  # type: ignore[misc]
            self._write()
        else:
            self._hear(message)

    def _hear(self, message: object) -> None:
        match message:
            case messages.ActivityRaised(seq, type, text, traceback, names):
                self._raised(seq, type, text, traceback, names)
                self._write()
            case messages.TimerDue():
                self._armed = None
                self._due()
                self._write()
            case messages.Mail(fetch, rows):
                self._taken.forget_before(fetch)
                self._write(self._take_mail(rows))
            case messages.Compacted(end):
                self._compacted = end
            case messages.Release():
                self._leaving = True
                self._try_release()
            case messages.EndedElsewhere():
                self._abandon_all()
                self.ended = True
                self.stop(NORMAL)
            case messages.Fenced():
                # Somebody else may have the run now, and wants the answers of what goes on here.
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
                self._apply(EventType.CANCEL_REQUESTED, ("parent",) if row.name == "parent" else ())
            case InboxKind.CHILD_COMPLETED | InboxKind.CHILD_FAILED | InboxKind.CHILD_CANCELLED:
                self._apply(_CHILD_ENDED[row.kind], (int(row.name), *row.body))
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
                    text = out_of_time(options_of(activity).timeout)
                    self._raised(activity.seq, "TimeoutError", text, "", frozenset({"TimeoutError"}))
                else:
                    self._crashed(activity.seq)

    # What goes out.

    def _write(self, consumed: Sequence[int] = ()) -> None:
        """Hand everything new to the writer, as one write."""
        execution = self._execution
        for activity in execution.take_opened():
            self._start(activity)
        dropped = self._drop_abandoned()
        events, outgoing = execution.log.take_events(), execution.outgoing
        if execution.outcome is not None:
            tasks: list[NewTask] = []
            transition: Transition | None = self._ended_as(execution.outcome)
            if type(execution.outcome) is Blocked:
                events, tasks, outgoing = before_the_fault(events, self._tasks, outgoing)
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
        claim = self._claim
        write = RunWrite(claim.id, claim.token, events, consumed, tasks, dropped, transition)
        write.depth, write.parent = claim.depth, claim.parent
        if outgoing is not None:
            execution.outgoing = None
            announce(write, outgoing)
        if self._changed_version is not None:
            write.version, self._changed_version = self._changed_version, None
        if type(execution.outcome) is Continued:
            successor = execution.outcome
            write.successor = Successor(
                successor.run_id, successor.workflow, successor.input, successor.signals
            )
        self._submit(write, starting)

    def _ended_as(self, outcome: Outcome) -> Transition:
        """Note that the run has ended, or cannot go on, and return what its row says of that."""
        host = self._host
        final = final_transition(outcome, self._workflow)
        self._written = (final.state, None)
        self.ended = True
        if final.state.terminal:
            self._abandon_all()
        else:
            host.runs.blocked(self._claim, final.reason)
        host.wheel.arm(self.ref, None)
        return final

    def _refuse(self, reason: str) -> None:
        """Leave the run as it is for code that can go on with it, and note that ours cannot."""
        claim, host = self._claim, self._host
        self.ended = True
        host.runs.refused(claim, reason)
        # Due at once: whoever has its code, or other code than ours, is to look.
        transition = Transition(RunState.SUSPENDED, host.journal.now(), release=True)
        write = RunWrite(claim.id, claim.token, transition=transition)
        write.depth, write.parent = claim.depth, claim.parent
        write.refusal = Refusal(self._workflow.version_hash, reason)
        self._submit(write, [])

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
            (host.runs.activated if self._local else host.runs.suspended)(self.ref)
        return Transition(wanted[0], wanted[1])

    def _committed(self) -> None:
        """The oldest write in flight is durable: start what waited for it."""
        write, starting = self._in_flight.pop(0)
        self._taken.removed(write.consumed, self._host.router.fetch_number)
        if write.events and write.events[-1].seq + 1 >= self._compact_at:
            self._compact(write.events[-1].seq + 1)
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

    @property
    def _snapshot_events(self) -> int:
        return self._workflow.snapshot_threshold or self._host.settings.snapshot_events

    def _compact(self, durable: int) -> None:
        """Have the history compacted: it has grown enough since it was last."""
        self._compact_at = durable + self._snapshot_events
        wanted = messages.TakeSnapshot(self.ref, self._claim.id, self._workflow.version_hash, self._compacted)
        self._host.snapshotter.take(wanted)

    def _try_release(self) -> None:
        """Give the run up if it is parked and everything of it is durable."""
        if self._local or self._in_flight or self.ended:
            return
        self.ended = True
        transition = Transition(RunState.SUSPENDED, self._execution.next_due(), release=True)
        write = RunWrite(self._claim.id, self._claim.token, transition=transition)
        write.depth, write.parent = self._claim.depth, self._claim.parent
        self._submit(write, [])
