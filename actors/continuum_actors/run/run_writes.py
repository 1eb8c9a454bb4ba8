"""The content of a run's writes: pure functions from the terms of the replay core to those of the journal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, assert_never

from continuum.definitions.activity import Activity
from continuum.definitions.activity_options import ActivityOptions
from continuum.definitions.effects import RunInfo
from continuum.definitions.workflow import Workflow
from continuum.engine.events import COMMANDS, Event
from continuum.engine.ids import NodeId
from continuum.engine.outcome import Blocked, Cancelled, Completed, Continued, Failed, Outcome
from continuum.engine.outgoing import Outgoing
from continuum.engine.pending import PendingActivity
from continuum.failures.exception_text import printable
from continuum.journal.announced_run import FirstWrite
from continuum.journal.ended_run import EndedRun
from continuum.journal.event_codec import pack_body
from continuum.journal.port import (
    ClaimedRun,
    ClosePolicy,
    CreatedRun,
    Fault,
    NewChild,
    NewTask,
    RunState,
    RunWrite,
    Successor,
    TakenRun,
    Transition,
)
from continuum.journal.resumed_run import ResumedRun
from continuum_actors.host.failures import describe_error


def run_info(claim: ClaimedRun, workflow: Workflow[..., Any]) -> RunInfo:
    """Return what a claimed run may know about itself."""
    return RunInfo(
        claim.id,
        claim.workflow,
        workflow.label,
        claim.namespace,
        claim.attempt,
        claim.parent,
        claim.trace_context,
    )


def final_transition(outcome: Outcome, workflow: Workflow[..., Any]) -> Transition:
    """Return the transition that ends or blocks a run."""
    keep = workflow.retention
    match outcome:
        case Completed(value):
            try:
                return Transition(RunState.COMPLETED, result=workflow.encode_result(value), retention=keep)
            except BaseException as error:  # noqa: BLE001 - a result that cannot be written ends the run too
                return final_transition(Failed(error), workflow)
        case Failed(error):
            kind, text, traceback, _ = describe_error(error)
            return Transition(RunState.FAILED, error=pack_body((kind, text, traceback)), retention=keep)
        case Cancelled(by_parent):
            reason = "parent_cancelled" if by_parent else None
            return Transition(RunState.CANCELLED, reason=reason, retention=keep)
        case Continued():
            return Transition(RunState.CONTINUED, retention=keep)
        case Blocked():
            reason, fault = describe_blocked(outcome)
            return Transition(RunState.BLOCKED, reason=reason, fault=fault)
        case never:
            assert_never(never)


def describe_blocked(blocked: Blocked) -> tuple[str, Fault]:
    """Return why code cannot run a history, as a sentence and as facts; both can be stored."""
    texts = [
        None if text is None else printable(text)
        for text in (blocked.expected, blocked.actual, blocked.where)
    ]
    return printable(f"{blocked.kind}: {blocked.reason}"), Fault(blocked.kind, blocked.position, *texts)


def without_last_commands(
    events: Sequence[Event], tasks: Sequence[NewTask], outgoing: Outgoing | None
) -> tuple[list[Event], list[NewTask], Outgoing | None]:
    """Leave out what the failed step asked for: those commands must not bind the code that fixes it."""
    kept = list(events)
    dropped: set[int] = set()
    while kept and kept[-1].type in COMMANDS:
        dropped.add(kept.pop().seq)
    remaining = [task for task in tasks if task.seq not in dropped]
    return kept, remaining, outgoing.without(dropped) if outgoing is not None else None


def begin_with(write: RunWrite, first: FirstWrite) -> None:
    """Let the first write of a run take or create it."""
    match first:
        case TakenRun() | ResumedRun():
            write.takes = first
        case CreatedRun():
            write.creates = first
        case never:
            assert_never(never)


def ended_run(claim: ClaimedRun, write: RunWrite) -> EndedRun | None:
    """Return how a run has ended, once this write is durable; None if it has not."""
    end = write.transition
    if end is None or not end.state.terminal:
        return None
    later = None if write.successor is None else write.successor.id
    return EndedRun(claim.id, end.state, end.result, end.error, end.reason, claim.root or claim.id, later)


def successor_of(outcome: Continued) -> Successor:
    """Return the run that continues as new."""
    return Successor(outcome.run_id, outcome.workflow, outcome.input, outcome.signals)


def add_outgoing(write: RunWrite, outgoing: Outgoing) -> None:
    """Let a write carry what the run does to others: children, cancels, published values, attributes."""
    write.children = [
        NewChild(child.seq, child.run_id, child.workflow, child.input, ClosePolicy(child.close_policy))
        for child in outgoing.children
    ]
    write.cancels = [run_id for _, run_id in outgoing.cancels]
    # The last value published under a name replaces the earlier ones.
    write.published = list({name: value for _, name, value in outgoing.published}.items())
    for _, attributes in outgoing.attributes:
        write.attributes = {**(write.attributes or {}), **attributes}


def options_of(activity: PendingActivity) -> ActivityOptions:
    """Return the options of a journaled call."""
    definition: Activity[..., object] = activity.definition
    # Asked for twice in each step, and few calls change an option.
    return definition.defaults if activity.options is None else definition.effective_options(activity.options)


def dispatch_number(activity: PendingActivity) -> int:
    """Return how often the activity has been dispatched; it grows with every retry and crash."""
    return activity.attempt + activity.crashes


def task_for(activity: PendingActivity, options: ActivityOptions, isolated_on: NodeId | None) -> NewTask:
    """Return the task of a call that is claimed from the database.

    A call without a queue runs on the node of its run, `isolated_on`, or anywhere if that is None.
    """
    return NewTask(
        activity.seq,
        dispatch_number(activity),
        activity.attempt,
        options.queue or "",
        options.priority,
        options.executor == "process",
        activity.name,
        activity.arguments,
        options.timeout or 0.0,
        activity.options.get("key") if activity.options else None,
        isolated_on if options.queue is None else None,
        options.heartbeat_timeout or 0.0,
        activity.deadline,
    )
