"""The run actor: where the replay core and the journal meet.

It owns one run while that is live. It applies what comes in (results, signals, due timers,
cancel requests) to the execution, submits what the code asked for to the journal writer, and
starts activities once the commit that schedules them is durable. The coroutine runs ahead of
the commit, which is invisible from outside; whatever is visible waits for the commit
(ARCHITECTURE, "One step").

All handlers are plain functions, so that the workflow's private loop is stepped from a callback of
the process's loop and never inside a task.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from continuum.definitions.workflow import Workflow
from continuum.engine.events import EventType
from continuum.engine.execution import Execution
from continuum.engine.outcome import Blocked, Cancelled, Continued, Failed, Outcome
from continuum.engine.pending import PendingActivity
from continuum.engine.signal_buffer import Awaited
from continuum.engine.snapshot_history import CompactHistory
from continuum.failures.forgotten_frames import forget_frames
from continuum.journal.announced_run import FirstWrite
from continuum.journal.port import (
    ClaimedRun,
    Fault,
    InboxKind,
    InboxRow,
    NewTask,
    Refusal,
    RunState,
    RunWrite,
    StoredHistory,
    Transition,
)
from continuum.journal.resumed_run import ResumedRun
from continuum.journal.wait import MOST_WAITS
from continuum_actors.activity.stand_ins import NoActivities
from continuum_actors.host import messages
from continuum_actors.host.host import Host
from continuum_actors.run import failure_log
from continuum_actors.run.applied_mail import apply_row
from continuum_actors.run.consumed_mail import ConsumedMail, answers_first
from continuum_actors.run.failure_log import FailedAttempt
from continuum_actors.run.own_activities import OwnActivities
from continuum_actors.run.resume import (
    Begin,
    CannotReadInput,
    Corrupt,
    EndStopped,
    Refuse,
    decide,
    unreadable_call,
)
from continuum_actors.run.run_spans import tell_end, trace_stay
from continuum_actors.run.run_writes import (
    add_outgoing,
    begin_with,
    final_transition,
    options_of,
    run_info,
    successor_of,
    without_last_commands,
)
from continuum_actors.run.waits import waits_of
from continuum_actors.run.watched_execution import WatchedExecution
from continuum_supervision import NORMAL, Actor, ExitReason

_RUNNING: tuple[RunState, int | None, Sequence[Awaited]] = (RunState.RUNNING, None, ())
_RESULTS = (EventType.ACTIVITY_COMPLETED, EventType.COMPENSATION_COMPLETED)


class Run(Actor):
    """One live run. Its supervisor calls `resume` in place of `init`."""

    __slots__ = (
        "_activities",
        "_armed",
        "_changed_version",
        "_claim",
        "_compact_at",
        "_compacted",
        "_consumed",
        "_execution",
        "_first",
        "_host",
        "_in_flight",
        "_is_first",
        "_leaving",
        "_paused",
        "_since",
        "_watched",
        "_workflow",
        "_written",
        "ended",
    )

    def __init__(
        self,
        host: Host,
        claim: ClaimedRun,
        workflow: Workflow[..., object],
        first: FirstWrite | None = None,
    ) -> None:
        self._host = host
        self._claim = claim
        self._workflow = workflow
        self._execution = Execution(run_info(claim, workflow), host.random_bytes, workflow, claim.depth)
        self._watched = WatchedExecution(host, claim.id, self._execution)
        self._activities = OwnActivities(host, claim, self._watched)
        # Writes that are submitted and not durable yet, each with what it starts and what failed.
        self._in_flight: list[tuple[RunWrite, list[PendingActivity], Sequence[FailedAttempt]]] = []
        # The row's state and due time after the last write, and the signals that it says the run waits for.
        self._written = _RUNNING
        self._armed: int | None = None
        self._consumed = ConsumedMail()
        self._leaving = self._paused = False
        # Until the first step of a new run is durable.
        self._is_first = False
        # The version under which the run continues, until a write has recorded it.
        self._changed_version: str | None = None
        # Where the run's snapshot ends, and how long its history is when the next one is due.
        self._compacted = self._compact_at = 0
        # The run has no owner until its first write has taken or created it; None once that is submitted.
        self._first = first
        self._since = host.journal.now()
        self.ended = False

    def resume(self, stored: StoredHistory, mail: Sequence[InboxRow]) -> None:
        """Begin the run, or continue it from its history."""
        self._compacted = 0 if stored.compact is None else stored.compact.end
        self._compact_at = self._compacted + self._snapshot_events
        self._host.runs.activated(self.ref)
        # Deciding may replay the history through the code.
        self._watched.enter()
        decision = decide(self._claim, self._workflow, stored, mail, self._host.journal.now())
        self._watched.leave()
        match decision:
            case Begin():
                self._begin(decision, stored.compact, mail)
            case EndStopped(request):
                self._execution.outcome = Cancelled(by_parent=request.name == "parent")
                self._write([request.id])
            case Corrupt(reason):
                self._execution.outcome = Blocked("corrupt", reason)
                self._write()
            case CannotReadInput(reason, mismatch):
                self._execution.outcome = Blocked("input", reason, actual=mismatch)
                self._write()
            case Refuse(reason, fault):
                self._refuse(reason, fault)

    def _begin(self, begin: Begin, compact: CompactHistory | None, mail: Sequence[InboxRow]) -> None:
        """Replay the history, start what the code asks for beyond it, and deliver the mail."""
        execution, activities = self._execution, self._activities
        if begin.changed is not None:
            execution.log.write_before_everything(begin.changed)
            self._changed_version = self._workflow.version_hash
        self._is_first = begin.length == 0 and self._claim.attempt == 1
        code = self._workflow.fn(*begin.args, **begin.kwargs)
        self._watched.replay(code, StoredHistory(compact, begin.history), self._claim.started_at)
        if execution.log.snapshot_mismatch:
            self.ended = True
            self._host.dispatcher.replay_events(self._claim)
            self.stop(NORMAL)
            return
        if type(self._first) is ResumedRun and activities.has_local(begin.length):
            # An attempt may run here still, and only an owner may adopt it.
            self.ended = True
            self._host.dispatcher.look()
            self.stop(NORMAL)
            return
        if execution.outcome is None:
            execution.outcome = unreadable_call(execution.pending.values())
        for activity in execution.take_opened():
            if activity.seq >= begin.length:
                activities.start(activity)
        consumed = self._apply_mail(mail)
        if begin.length:
            activities.resume(begin.length, self.ref)
        self._write(consumed)

    # What comes in.

    def handle_cast(self, message: object) -> None:
        # The two messages of every step come first, without the cost of matching.
        kind = type(message)
        if kind is messages.Committed:
            self._committed()
        elif self.ended:
            if kind is messages.WriteRefused:
                failure_log.log_blocked(self._claim, message.reason)  # type: ignore[attr-defined]
                self.stop(NORMAL)
            elif kind is messages.Fenced:
                self._fenced()
            elif self._written[0] < RunState.COMPLETED:
                # Released or blocked meanwhile: the run's next owner needs the result.
                if kind is messages.ActivityCompleted:
                    self._host.activities.salvage(self._claim.id, [message])  # type: ignore[list-item]
                elif kind is messages.ActivityRaised:
                    self._activities.keep_failure(message)  # type: ignore[arg-type]
                    self._activities.salvage_failures()
        elif self._paused:
            self._while_paused(message)
        elif kind is messages.ActivityCompleted:
            self._activities.completed(*message)  # type: ignore[misc]
            self._write()
        elif kind is messages.FindRun:
            self._host.tell_place(message, self._since)  # type: ignore[arg-type]
        else:
            self._handle_rare(message)

    def _handle_rare(self, message: object) -> None:
        match message:
            case messages.ActivityRaised():
                if not self._in_flight:
                    self._activities.unsaved.clear()
                self._activities.keep_failure(message)
                self._activities.raised(*message)
                self._write()
            case messages.TimerDue():
                self._armed = None
                self._apply_due()
                self._write()
            case messages.Mail(fetch, rows):
                self._consumed.forget_before(fetch)
                self._write(self._apply_mail(rows))
            case messages.Compacted(end):
                self._compacted = end
            case messages.ReportState():
                active = self._written[0] is RunState.RUNNING
                (self._host.runs.activated if active else self._host.runs.suspended)(self.ref)
                self._host.wheel.arm(self.ref, self._armed)
            case messages.Release():
                self._leaving = True
                self._try_release()
            case messages.Paused() | messages.Unpaused() | messages.PutBy():
                self._heard_of_pause(message)
            case messages.EndedElsewhere():
                self._activities.abandon_all()
                self.ended = True
                self.stop(NORMAL)
            case messages.WriteRefused(reason):
                failure_log.log_blocked(self._claim, reason)
                self.ended = True
                self.stop(NORMAL)
            case messages.Fenced():
                # The run may have another owner now, who needs the results of the attempts here.
                self.ended = True
                self._fenced()
            case _:
                raise AssertionError(f"a run does not understand {message!r}")

    def _while_paused(self, message: object) -> None:
        """Begin nothing: what ends is put by for the inbox, and the run leaves once nothing runs here."""
        match message:
            case messages.ActivityCompleted() | messages.ActivityRaised():
                self._activities.put_by(message, self.ref)
            case messages.TimerDue():
                self._armed = self._activities.end_overdue()
                self._host.wheel.arm(self.ref, self._armed)
            case messages.Mail():
                return  # it stays in the inbox
            case messages.FindRun():
                return self._host.tell_place(message, self._since)
            case _:
                self._handle_rare(message)
        if self._paused:
            self._try_release()

    def _heard_of_pause(self, message: messages.Paused | messages.Unpaused | messages.PutBy) -> None:
        match message:
            case messages.Paused():
                self._paused = True
                self._try_release()
            case messages.PutBy():
                self._activities.putting_by -= 1
            case messages.Unpaused() if self._paused:
                self._paused = False
                self._apply_due()
                self._write()
                self._host.router.look([self._claim.id])

    def _fenced(self) -> None:
        if any(write.takes is not None for write, *_ in self._in_flight):
            # The run was announced to this process alone: claim it, if its mail was in the way.
            self._host.dispatcher.look()
        self.stop(NORMAL)

    def terminate(self, reason: ExitReason) -> None:
        if self._host.draining and not self.ended:
            # Before the execution closes, which forgets them.
            self._host.interrupted += self._activities.under_way()
        self._execution.close()
        self._host.wheel.arm(self.ref, None)
        # The run's next owner must not run an activity again that has a result already (I7).
        results = [
            event.body for write, *_ in self._in_flight for event in write.events if event.type in _RESULTS
        ]
        if results:
            self._host.activities.salvage(self._claim.id, results)
        if self._in_flight:
            self._activities.salvage_failures()
        unowned = any(write.takes is not None or write.creates is not None for write, *_ in self._in_flight)
        if self._host.tracer.active and self._first is None and not unowned:
            signals = self._watched.signalled_in
            trace_stay(self._host, self._claim, self._execution, self._since, signals)

    def _apply_due(self) -> None:
        """Fire timers, restart activities whose back-off is over, and end those whose time is over."""
        execution = self._execution
        for seq in execution.take_due(self._host.journal.now()):
            activity = execution.pending.get(seq)
            if activity is None:
                self._watched.apply(EventType.TIMER_FIRED, (seq,))
            elif activity.deadline is not None and activity.deadline <= self._host.journal.now():
                self._activities.out_of_time(activity)
            else:
                self._activities.restart(activity)

    def _apply_mail(self, rows: Sequence[InboxRow]) -> list[int]:
        """Turn inbox rows into history; return the ids of those that the next write removes."""
        consumed: list[int] = []
        for row in answers_first(rows):
            if row.id in self._consumed:
                continue
            if self._execution.outcome is not None:
                break
            if row.kind is InboxKind.CORRUPT:
                self._execution.outcome = Blocked("corrupt", f"row {row.id} of its inbox cannot be read")
                break
            apply_row(row, self._watched, self._activities)
            consumed.append(row.id)
            self._consumed.add(row.id)
        return consumed

    # What goes out.

    def _write(self, consumed: Sequence[int] = ()) -> None:
        """Submit everything new to the writer, as one write."""
        execution, activities = self._execution, self._activities
        for activity in execution.take_opened():
            activities.start(activity)
        dropped = activities.take_dropped()
        events, outgoing = execution.log.take_events(), execution.outgoing
        if execution.outcome is not None:
            tasks: list[NewTask] = []
            transition: Transition | None = self._end(execution.outcome)
            if type(execution.outcome) is Blocked:
                events, tasks, outgoing = without_last_commands(events, activities.tasks, outgoing)
        else:
            tasks = activities.tasks
            transition = self._new_state()
            if transition is not None:
                # A crash counted against an activity is no progress: the step after it may be what kills.
                transition.progress = any(event.type != EventType.ACTIVITY_CRASHED for event in events)
        starting = [] if self.ended else activities.starting
        failed = activities.failed
        activities.starting, activities.tasks, activities.failed = [], [], ()
        if not (events or consumed or dropped or tasks or transition or starting or self._first):
            return
        claim = self._claim
        write = RunWrite(claim.id, claim.token, events, consumed, tasks, dropped, transition)
        write.depth, write.parent = claim.depth, claim.parent
        if self._first is not None:
            begin_with(write, self._first)
            self._first = None
        if outgoing is not None:
            execution.outgoing = None
            add_outgoing(write, outgoing)
        if self._changed_version is not None:
            write.version, self._changed_version = self._changed_version, None
        if type(execution.outcome) is Continued:
            write.successor = successor_of(execution.outcome)
        self._submit(write, starting, failed)

    def _end(self, outcome: Outcome) -> Transition:
        """The run has ended or is blocked: stop its attempts and alarm, return its row's last transition."""
        host = self._host
        final = final_transition(outcome, self._workflow)
        if type(outcome) is Failed:
            forget_frames(outcome.error)
        self._written = (final.state, None, ())
        self.ended = True
        if final.state.terminal:
            self._activities.abandon_all()
        else:
            final.code = host.code.digest
        host.wheel.arm(self.ref, None)
        return final

    def _refuse(self, reason: str, fault: Fault) -> None:
        """Release the run, unchanged, for code that can continue it, and record that ours cannot."""
        claim, host = self._claim, self._host
        self.ended = True
        # Due at once: a node that has the run's code, or other code than ours, is to look.
        transition = Transition(RunState.SUSPENDED, host.journal.now(), release=True, code=host.code.digest)
        write = RunWrite(claim.id, claim.token, transition=transition)
        write.depth, write.parent = claim.depth, claim.parent
        write.refusal = Refusal(self._workflow.version_hash, reason, fault)
        self._submit(write, [])

    def _submit(
        self, write: RunWrite, starting: list[PendingActivity], failed: Sequence[FailedAttempt] = ()
    ) -> None:
        self._in_flight.append((write, starting, failed))
        self._host.writer.submit(write, self.ref)

    def _new_state(self) -> Transition | None:
        """Return the transition if state, due time or awaited signals have changed; report and arm both.

        What else the run waits for is written along, and is no reason to write: the history has it too.
        """
        host = self._host
        due = self._execution.next_due()
        if due != self._armed:
            host.wheel.arm(self.ref, due)
            self._armed = due
        active = bool(self._activities.local)
        # Those that the row names: code may wait for thousands, and each step passes here.
        awaited = islice(self._execution.signals_awaited(), MOST_WAITS)
        state = _RUNNING if active else (RunState.SUSPENDED, due, [each for each, _ in awaited])
        previous, self._written = self._written, state
        if state == previous:
            return None
        if state[0] is not previous[0]:
            (host.runs.activated if active else host.runs.suspended)(self.ref)
        return Transition(state[0], state[1], waits=None if active else waits_of(self._execution))

    def _committed(self) -> None:
        """The oldest write in flight is durable: start what waited for it."""
        write, starting, failed = self._in_flight.pop(0)
        if write.consumed:
            self._consumed.removed(write.consumed, self._host.router.fetch_number)
        if write.events and write.events[-1].seq + 1 >= self._compact_at:
            self._take_snapshot(write.events[-1].seq + 1)
        if failed:
            failure_log.log_attempts(self._claim, failed)
        if write.creates is not None or write.takes is not None:
            self._begun(write)
        if self._is_first:
            self._is_first = False
            self._host.measures.run_started(self._claim.workflow)
        if self.ended:
            tell_end(self._host, self._claim, self._execution, write)
            if write.transition is not None and write.transition.release and write.transition.due_at:
                self._host.dispatcher.expect(write.transition.due_at)
            if not self._in_flight:
                self.stop(NORMAL)
            return
        pending = self._execution.pending
        for activity in starting:
            if activity.seq in pending:
                self._host.activities.run(self.ref, self._execution.info, activity, options_of(activity))
        if self._leaving or self._paused:
            self._try_release()

    def _begun(self, write: RunWrite) -> None:
        """The write that has created or taken the run is durable."""
        if write.creates is not None:
            self._host.local_starts.created(self._claim.id)
        elif type(write.takes) is ResumedRun and not self.ended:
            # Mail that came after the run was read had no owner to wake.
            self._host.router.look([self._claim.id])

    @property
    def _snapshot_events(self) -> int:
        return self._workflow.snapshot_threshold or self._host.settings.snapshot_events

    def _take_snapshot(self, durable: int) -> None:
        """Have the history compacted: it has grown enough since the last snapshot."""
        self._compact_at = durable + self._snapshot_events
        self._host.snapshotter.take(
            messages.TakeSnapshot(self.ref, self._claim.id, self._workflow.version_hash, self._compacted)
        )

    def _try_release(self) -> None:
        """Release the run if it is suspended and everything of it is durable."""
        host, waiting = self._host, self._activities.local
        # Without activities here those that wait do not end here either.
        here = waiting and not isinstance(host.activities, NoActivities)
        if here or self._in_flight or self.ended or self._activities.putting_by:
            return
        self.ended = True
        # What waits for a node that runs its activities is due at once.
        due = host.journal.now() if waiting else self._execution.next_due()
        transition = Transition(RunState.SUSPENDED, due, release=True, waits=waits_of(self._execution))
        write = RunWrite(self._claim.id, self._claim.token, transition=transition)
        write.depth, write.parent = self._claim.depth, self._claim.parent
        self._submit(write, [])
