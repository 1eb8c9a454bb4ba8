"""What a run's writes say: pure functions from the replay core's words to the journal's."""

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
from continuum.errors import DurableTermError
from continuum.journal.event_codec import pack_body
from continuum.journal.port import (
    ClaimedRun,
    ClosePolicy,
    NewChild,
    NewTask,
    RunState,
    RunWrite,
    Transition,
)
from continuum_actors.host.failures import describe_error, printable


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
    """Return the transition that ends a run, or parks it as blocked."""
    keep = workflow.retention
    match outcome:
        case Completed(value):
            try:
                return Transition(RunState.COMPLETED, result=workflow.encode_result(value), retention=keep)
            except DurableTermError as error:
                return final_transition(Failed(error), workflow)
        case Failed(error):
            kind, text, traceback, _ = describe_error(error)
            return Transition(RunState.FAILED, error=pack_body((kind, text, traceback)), retention=keep)
        case Cancelled(by_parent):
            reason = "parent_cancelled" if by_parent else None
            return Transition(RunState.CANCELLED, reason=reason, retention=keep)
        case Continued():
            return Transition(RunState.COMPLETED, retention=keep)
        case Blocked(kind, reason):
            return Transition(RunState.BLOCKED, reason=printable(f"{kind}: {reason}"))
        case never:
            assert_never(never)


def before_the_fault(
    events: Sequence[Event], tasks: Sequence[NewTask], outgoing: Outgoing | None
) -> tuple[list[Event], list[NewTask], Outgoing | None]:
    """Leave out what the step that went wrong asked for: it must not bind the code that mends it."""
    kept = list(events)
    dropped: set[int] = set()
    while kept and kept[-1].type in COMMANDS:
        dropped.add(kept.pop().seq)
    remaining = [task for task in tasks if task.seq not in dropped]
    return kept, remaining, outgoing.without(dropped) if outgoing is not None else None


def announce(write: RunWrite, outgoing: Outgoing) -> None:
    """Let a write carry what the run tells others."""
    write.children = [
        NewChild(child.seq, child.run_id, child.workflow, child.input, ClosePolicy(child.close_policy))
        for child in outgoing.children
    ]
    write.cancels = [run_id for _, run_id in outgoing.cancels]
    # Of two values under one name the later is the one to see.
    write.published = list({name: value for _, name, value in outgoing.published}.items())


def options_of(activity: PendingActivity) -> ActivityOptions:
    """Return how a journaled call is to be run."""
    definition: Activity[..., object] = activity.definition
    return definition.effective_options(activity.options)


def dispatch_number(activity: PendingActivity) -> int:
    """Return how often the command has been handed out; it grows with every retry and crash."""
    return activity.attempt + activity.crashes


def task_for(activity: PendingActivity, options: ActivityOptions, isolated_on: NodeId | None) -> NewTask:
    """Return the task of a call that goes through the task table.

    Without a queue it belongs beside its run: on `isolated_on`, or anywhere when that is None.
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
    )
