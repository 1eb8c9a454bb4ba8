"""The rule that a history has not lost its end: what else knows of events that are not there.

Events that are deleted from the end leave no gap. What is written with an event still tells of it: the
waits in the row, tasks, children and snapshots.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from continuum.engine.events import FIRST_MOMENT, SCHEDULES, EventType
from continuum.journal.event_rows import length_of
from continuum.journal.facts import RunState
from continuum.journal.mend import MendKind
from continuum.journal.stored_facts import INFINITE, StoredRunFacts
from continuum.journal.wait import Wait
from continuum.verify.findings import Finding, way_out

SHORT = "history-short"
# By the kind of a wait: the types of the event that began it.
_BEGINNINGS: Mapping[str, frozenset[int]] = {
    "activity": frozenset(SCHEDULES),
    "timer": frozenset({EventType.TIMER_STARTED}),
    "child": frozenset({EventType.CHILD_STARTED}),
}
# What these remove is all that is left of the lost events, or is right and only looks wrong without them. And
# a run that has lost its whole history may have something to compensate.
_BY_THE_HISTORY = frozenset(
    {
        MendKind.REQUEUE,
        MendKind.DROP_TASK,
        MendKind.DROP_SNAPSHOTS,
        MendKind.DROP_PUBLISHED,
        MendKind.END_STOPPED,
    }
)


def next_seq(run: StoredRunFacts) -> int:
    """Return the number of the event that would follow the history."""
    return max((event.seq + length_of(event.type) for event in run.events), default=0)


def tail_findings(run: StoredRunFacts) -> Iterator[Finding]:
    """Check that nothing knows of events that are not in the history."""
    known = list(_known_of_more(run))
    if not known:
        return
    end = next_seq(run)
    has = f"its history ends with event {end - 1}" if end else "its history has no event"
    kept = any(each.part.first + each.part.events > end for each in run.snapshots)
    copy = (
        "; a snapshot still has some of it, and nodes of the same version continue from there: keep it"
        if kept
        else ""
    )
    again = "" if run.state >= RunState.COMPLETED or kept else "; a node would do again what was lost"
    text = (
        f"{has}, and {', and '.join(known)}: its end is lost{copy}{again}; only a backup has what was there; "
        f"restore the run's events from it, or {way_out(run)}"
    )
    yield Finding(run.id, SHORT, text)


def without_history(finding: Finding) -> Finding:
    """Return a finding about a run whose history has lost its end: no repair may trust that history."""
    if not any(mend.kind in _BY_THE_HISTORY for mend in finding.mends):
        return finding
    text = f"{finding.text}; the run has lost events, so what is right is for you to say: see {SHORT}"
    return finding._replace(text=text, mends=())


def _known_of_more(run: StoredRunFacts) -> Iterator[str]:
    end = next_seq(run)
    if run.state == RunState.SUSPENDED:
        yield from _awaited(run, run.waits or (), end)
    for task in run.tasks:
        # An ended run has none of its own: what lies there is left over.
        if task.seq >= end and run.state < RunState.COMPLETED:
            yield f"task {task.seq} is for a later one"
    for child in run.children:
        if child.parent_seq is not None and child.parent_seq >= end:
            yield f"child {child.id} was started by event {child.parent_seq}"
    for snapshot in run.snapshots:
        part = snapshot.part
        if part.first + part.events > end:
            yield f"a snapshot has the events up to {part.first + part.events - 1}"


def _awaited(run: StoredRunFacts, waits: Sequence[Wait], end: int) -> Iterator[str]:
    types = {event.seq: event.type for event in run.events}
    for wait in waits:
        begun = _BEGINNINGS.get(wait.kind)
        # An event within a row that cannot be read is not known by its seq.
        missing = wait.seq >= end or (
            wait.seq in types and begun is not None and types[wait.seq] not in begun
        )
        if begun is not None and missing:
            yield f"the run waits for {wait.kind} {wait.seq}"
    times = [event.at for event in run.events if abs(event.at) < INFINITE]
    last = max([run.started_at, *times])
    later = [wait for wait in waits if wait.since > last]
    if later and run.started_at >= FIRST_MOMENT:
        yield f"the run waits for {_named(later[0])} since an event that came later"


def _named(wait: Wait) -> str:
    return f"{wait.kind} {wait.name}" if wait.name else wait.kind
