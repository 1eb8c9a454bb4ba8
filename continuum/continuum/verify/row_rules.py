"""Rules of one run's row: its state and what belongs to it, its owner, its wake."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from continuum.engine.ids import WorkerId
from continuum.journal.event_codec import CorruptBody, unpack_body
from continuum.journal.facts import InboxKind, RunState
from continuum.journal.stored_facts import INFINITE, StoredCluster, StoredRunFacts
from continuum.verify.findings import Finding, way_out

# A sweep removes what ended runs leave behind, once a minute; five may have failed.
LEFTOVER_SECONDS = 300
_REPORT = "report it"


def row_findings(
    run: StoredRunFacts, cluster: StoredCluster, workers: Collection[WorkerId]
) -> Iterator[Finding]:
    """Check a run's row; `workers` are those that exist."""
    if any(abs(at) >= INFINITE for at in (run.started_at, run.updated_at, run.due_at or 0)):
        text = "its start, update or due time is infinite; set it to the time of its last event"
        yield Finding(run.id, "odd-time", text)
    yield from _ownership(run, cluster, workers)
    if run.state >= RunState.COMPLETED:
        yield from _ended(run)
        yield from _leftovers(run, cluster)
    else:
        yield from _open(run)
        yield from _wake(run, cluster)
    for row in run.inbox:
        if row.body is None:
            text = f"row {row.id} of its inbox cannot be read; delete the row, or {way_out(run)}"
            yield Finding(run.id, "inbox-unreadable", text)


def _ownership(
    run: StoredRunFacts, cluster: StoredCluster, workers: Collection[WorkerId]
) -> Iterator[Finding]:
    if run.owner is not None and run.owner not in workers:
        wake = " and its due_at to now()" if run.state < RunState.COMPLETED else ""
        text = f"its owner, worker {run.owner}, does not exist; set its owner to NULL{wake}"
        yield Finding(run.id, "owner-unknown", text)
    for task in run.tasks:
        if task.owner is not None and task.owner not in workers:
            text = f"worker {task.owner}, which owns task {task.seq}, does not exist; set its owner to NULL"
            yield Finding(run.id, "owner-unknown", text)
    if run.token > cluster.last_token:
        text = f"its token {run.token} is larger than the last one given, {cluster.last_token}"
        yield Finding(run.id, "token", f"{text}; set the sequence fencing_token to at least that")
    elif run.attempt > 0 and run.token <= 0:
        text = f"it was claimed {run.attempt} times and has no token; {_REPORT}; {way_out(run)}"
        yield Finding(run.id, "token", text)


def _ended(run: StoredRunFacts) -> Iterator[Finding]:
    state = RunState(run.state)
    missing = []
    if run.completed_at is None:
        missing.append("no time of its end")
    if run.owner is not None:
        missing.append(f"an owner ({run.owner})")
    if run.due_at is not None:
        missing.append("a due time")
    if state is RunState.COMPLETED and not run.has_result and run.continued_to is None:
        missing.append("no result")
    if state is RunState.FAILED and not _is_error(run.error):
        missing.append("no readable error")
    if missing:
        text = f"it is {state.name.lower()} and has {', '.join(missing)}; restore its row from a backup"
        yield Finding(run.id, "end-incomplete", text)


def _is_error(stored: bytes | None) -> bool:
    try:
        return stored is not None and len(unpack_body(stored)) >= 3
    except CorruptBody:
        return False


def _leftovers(run: StoredRunFacts, cluster: StoredCluster) -> Iterator[Finding]:
    if run.tasks:
        text = f"it has ended and has {len(run.tasks)} tasks; the next sweep of a node removes them"
        yield Finding(run.id, "leftovers", text)
    old = run.completed_at is not None and run.completed_at < cluster.now - LEFTOVER_SECONDS * 1_000_000
    if run.inbox and old:
        text = f"it ended long ago and has {len(run.inbox)} inbox rows; start a node, which sweeps them"
        yield Finding(run.id, "leftovers", text)


def _open(run: StoredRunFacts) -> Iterator[Finding]:
    has = [
        name
        for name, there in (
            ("a result", run.has_result),
            ("an error", run.error is not None),
            ("a time of its end", run.completed_at is not None),
            ("a successor", run.continued_to is not None),
        )
        if there
    ]
    if has:
        text = f"it has not ended and has {', '.join(has)}; restore its row from a backup, and {_REPORT}"
        yield Finding(run.id, "not-ended", text)
    blocked = run.state == RunState.BLOCKED
    if blocked and not (run.reason and run.has_fault):
        text = "it is blocked and does not say why; unblock it, so that a node tries it and finds the reason"
        yield Finding(run.id, "blocked-without-fault", text)
    elif blocked and run.owner is not None:
        yield Finding(run.id, "blocked-without-fault", f"it is blocked and owned by {run.owner}; unblock it")
    if blocked and any(row.kind == InboxKind.CANCEL for row in run.inbox):
        text = f"it is blocked and has a request to stop; end it with `continuum cancel {run.id}`"
        yield Finding(run.id, "blocked-and-asked-to-stop", text)


def _wake(run: StoredRunFacts, cluster: StoredCluster) -> Iterator[Finding]:
    """A run without owner, mail in its inbox or nothing begun must be due: nobody would look otherwise."""
    if run.owner is not None or run.state == RunState.BLOCKED:
        return
    why = None
    if run.inbox and (run.due_at is None or run.due_at > cluster.now):
        why = f"{len(run.inbox)} unread inbox rows"
    elif run.due_at is None and run.state == RunState.RUNNING:
        why = "work under way when its owner left"
    elif run.due_at is None and run.attempt == 0:
        why = "never been claimed"
    if why is not None:
        text = f"it has {why}, no owner, and is not due; set its due_at to now(), and {_REPORT}"
        yield Finding(run.id, "lost-wake", text)
