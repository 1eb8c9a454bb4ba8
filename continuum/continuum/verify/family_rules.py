"""Rules between runs: parents and children agree, and so do the runs of a chain."""

from __future__ import annotations

from collections.abc import Iterator

from continuum.engine.children import ClosePolicy
from continuum.engine.events import EventType
from continuum.journal.facts import InboxKind, RunState
from continuum.journal.mend import Mend, MendKind
from continuum.journal.stored_facts import Relative, StoredRunFacts
from continuum.verify.findings import Finding, way_out
from continuum.verify.open_effects import OpenEffects
from continuum.verify.tail_rules import next_seq

_ODD = "and only you can say which is right; restore the rows of both from a backup, and report it"
_CHILD_ENDED = (InboxKind.CHILD_COMPLETED, InboxKind.CHILD_FAILED, InboxKind.CHILD_CANCELLED)


def family_findings(run: StoredRunFacts, effects: OpenEffects) -> Iterator[Finding]:
    """Check a run against its children, its parent, and its neighbours in the chain."""
    if run.state < RunState.COMPLETED:
        yield from _children(run, effects)
    yield from _started_by(run, effects)
    yield from _asked_to_stop(run, effects)
    yield from _chain(run, effects)


def _children(run: StoredRunFacts, effects: OpenEffects) -> Iterator[Finding]:
    by_command = {child.parent_seq: child for child in run.children if child.continued_to is None}
    reported = {row.name for row in run.inbox if row.kind in _CHILD_ENDED}
    for seq, child_id in effects.children.items():
        # Code that has stopped a child may have stopped waiting for it: its end leaves no event then.
        child = by_command.get(seq)
        if seq < effects.forked_at:
            # A child of the run whose events these are. It had ended when this run began.
            if str(seq) not in reported and child_id not in effects.asked_to_stop:
                text = f"child {child_id} had ended before this run began, and neither inbox nor history has"
                yield Finding(run.id, "child-end-lost", f"{text} its end; {way_out(run)}")
        elif child is None:
            text = f"child {child_id}, which event {seq} started, does not exist, and nothing else has it"
            yield Finding(run.id, "child-missing", f"{text}; {way_out(run)}")
        elif (child.depth, child.namespace) != (run.depth + 1, run.namespace):
            text = f"child {child.id} has depth {child.depth} and namespace {child.namespace!r}, {_ODD}"
            yield Finding(run.id, "child-missing", text)
        elif (
            child.state >= RunState.COMPLETED
            and str(seq) not in reported
            and child_id not in effects.asked_to_stop
        ):
            text = f"child {child.id} has ended, and neither inbox nor history has its end"
            yield Finding(run.id, "child-end-lost", text, (Mend(MendKind.REPORT_CHILD, name=child.id),))


def _started_by(run: StoredRunFacts, effects: OpenEffects) -> Iterator[Finding]:
    known, end = {*effects.children, *effects.ended_children}, next_seq(run)
    for child in run.children:
        if child.parent_seq is not None and child.parent_seq < end and child.parent_seq not in known:
            text = f"child {child.id} says that command {child.parent_seq} started it, and no event does so"
            ended = child.state >= RunState.COMPLETED
            remedy = f"nobody waits for it{'' if ended else f'; end it with `continuum cancel {child.id}`'}"
            yield Finding(run.id, "child-unknown", f"{text}; {remedy}")


def _asked_to_stop(run: StoredRunFacts, effects: OpenEffects) -> Iterator[Finding]:
    """Check an open run whose parent has ended."""
    parent = None if run.parent is None else run.relatives.get(run.parent)
    if parent is None or parent.state < RunState.COMPLETED or run.state >= RunState.COMPLETED:
        return
    stops = run.close_policy == ClosePolicy.CANCEL or (
        run.close_policy == ClosePolicy.CASCADE and parent.state == RunState.CANCELLED
    )
    asked = effects.cancels > 0 or any(row.kind == InboxKind.CANCEL for row in run.inbox)
    if parent.state == RunState.CONTINUED:
        text = f"its parent {parent.id} continued as {parent.continued_to}, and it was left behind"
        what = f"whether it is still wanted is for you to say; end it with `continuum cancel {run.id}` if not"
        yield Finding(run.id, "child-not-asked", f"{text}; {what}")
    elif stops and not asked:
        text = f"its parent {parent.id} has ended, and it was not asked to stop"
        yield Finding(run.id, "child-not-asked", text, (Mend(MendKind.ASK_TO_STOP),))


def _chain(run: StoredRunFacts, effects: OpenEffects) -> Iterator[Finding]:
    last = run.events[-1] if run.events else None
    continued = last is not None and last.type == EventType.RUN_CONTINUED_AS_NEW
    names = None if last is None or last.body is None or not continued else last.body[3]
    # A blocked run does not keep the command with which it could not continue. A run that was reset ended in
    # another way, and its successor has the event that says so.
    if names != run.continued_to and (continued or run.state == RunState.CONTINUED):
        text = f"its history continues as {names}, and its row as {run.continued_to}, {_ODD}"
        yield Finding(run.id, "chain-broken", text)
    if run.continued_to is not None:
        successor = run.relatives.get(run.continued_to)
        if successor is None or not _follows(successor, run):
            text = f"its successor {run.continued_to} does not exist or does not follow it, {_ODD}"
            yield Finding(run.id, "chain-broken", text)
    ended = run.state >= RunState.COMPLETED
    if (run.continued_to is not None and not ended) or (
        run.continued_to is None and run.state == RunState.CONTINUED
    ):
        text = f"it is {RunState(run.state).name.lower()} and continues as {run.continued_to}, {_ODD}"
        yield Finding(run.id, "chain-broken", text)
    if run.continued_from is not None:
        predecessor = run.relatives.get(run.continued_from)
        if predecessor is None or predecessor.continued_to != run.id:
            text = f"its predecessor {run.continued_from} does not exist or continues elsewhere, {_ODD}"
            yield Finding(run.id, "chain-broken", text)
        elif predecessor.state != RunState.CONTINUED and effects.forked_from != predecessor.id:
            text = f"it follows {predecessor.id}, whose events it does not begin with, {_ODD}"
            yield Finding(run.id, "chain-broken", text)
    elif run.root is not None:
        yield Finding(
            run.id, "chain-broken", f"it follows no run, and its chain begins with {run.root}, {_ODD}"
        )


def _follows(successor: Relative, run: StoredRunFacts) -> bool:
    return successor.continued_from == run.id and successor.root == run.chain
