"""Rules of one run's row: its state and what belongs to it, its owner, its wake."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from continuum.engine.events import FIRST_MOMENT, LAST_MOMENT
from continuum.engine.ids import WorkerId
from continuum.journal.event_codec import CorruptBody, unpack_body
from continuum.journal.facts import InboxKind, RunState
from continuum.journal.lost_wake import lost_wake
from continuum.journal.mend import Mend, MendKind
from continuum.journal.stored_facts import StoredCluster, StoredRunFacts
from continuum.verify.findings import Finding, way_out
from continuum.verify.open_effects import OpenEffects

# A sweep removes what ended runs leave behind, once a minute; five may have failed.
LEFTOVER_SECONDS = 300


def row_findings(
    run: StoredRunFacts, effects: OpenEffects, cluster: StoredCluster, workers: Collection[WorkerId]
) -> Iterator[Finding]:
    """Check a run's row; `workers` are those that exist."""
    times = (run.started_at, run.updated_at, run.updated_at if run.due_at is None else run.due_at)
    if any(not FIRST_MOMENT <= at <= LAST_MOMENT for at in times):
        text = "its start, update or due time is infinite, or none that a clock shows"
        yield Finding(run.id, "odd-time", text, (Mend(MendKind.SET_TIMES),))
    yield from _ownership(run, effects, cluster, workers)
    if run.state >= RunState.COMPLETED:
        yield from _ended(run)
        yield from _leftovers(run, cluster)
    else:
        yield from _open(run)
        yield from _wake(run, cluster)
    for row in run.inbox:
        if row.body is None:
            text = (
                f"row {row.id} of its inbox cannot be read, and nothing else has what it says; update the "
                f"nodes if a newer release has written it; otherwise {way_out(run)}"
            )
            yield Finding(run.id, "inbox-unreadable", text)


def _ownership(
    run: StoredRunFacts, effects: OpenEffects, cluster: StoredCluster, workers: Collection[WorkerId]
) -> Iterator[Finding]:
    if run.owner is not None and run.owner not in workers:
        text = f"its owner, worker {run.owner}, does not exist"
        yield Finding(run.id, "owner-unknown", text, (Mend(MendKind.FREE),))
    for task in run.tasks:
        if task.owner is not None and task.owner not in workers:
            text = f"worker {task.owner}, which owns task {task.seq}, does not exist"
            yield Finding(run.id, "owner-unknown", text, (effects.requeued(task.seq),))
    if run.token > cluster.last_token:
        text = f"its token {run.token} is larger than the last one given, {cluster.last_token}"
        yield Finding(run.id, "token", text, (Mend(MendKind.RAISE_TOKENS),))
    elif run.attempt > 0 and run.token <= 0:
        text = f"it was claimed {run.attempt} times and has no token"
        yield Finding(run.id, "token", text, (Mend(MendKind.GIVE_TOKEN),))


def _ended(run: StoredRunFacts) -> Iterator[Finding]:
    state = RunState(run.state)
    missing, lost = [], []
    if run.completed_at is None:
        missing.append("no time of its end")
    if run.owner is not None:
        missing.append(f"an owner ({run.owner})")
    if run.due_at is not None:
        missing.append("a due time")
    if state is RunState.COMPLETED and not run.has_result and run.continued_to is None:
        lost.append("no result")
    if state is RunState.FAILED and not _is_error(run.error):
        lost.append("no readable error")
    said = f"it is {state.name.lower()} and has"
    if missing:
        text = f"{said} {', '.join(missing)}"
        yield Finding(run.id, "end-incomplete", text, (Mend(MendKind.COMPLETE_END),))
    if lost:
        text = f"{said} {', '.join(lost)}, which nothing else has"
        restore = f"restore its row from a backup, or {way_out(run)}"
        yield Finding(run.id, "end-incomplete", f"{text}; {restore}")


def _is_error(stored: bytes | None) -> bool:
    try:
        return stored is not None and len(unpack_body(stored)) >= 3
    except CorruptBody:
        return False


def _leftovers(run: StoredRunFacts, cluster: StoredCluster) -> Iterator[Finding]:
    if run.tasks:
        text = f"it has ended and has {len(run.tasks)} tasks, which the next sweep of a node removes as well"
        mends = tuple(Mend(MendKind.DROP_TASK, task.seq) for task in run.tasks)
        yield Finding(run.id, "leftovers", text, mends)
    old = run.completed_at is not None and run.completed_at < cluster.now - LEFTOVER_SECONDS * 1_000_000
    if run.inbox and old:
        text = f"it ended long ago and has {len(run.inbox)} inbox rows, which a node that runs sweeps as well"
        yield Finding(run.id, "leftovers", text, (Mend(MendKind.DROP_MAIL),))


def _open(run: StoredRunFacts) -> Iterator[Finding]:
    has = [
        name
        for name, there in (
            ("a result", run.has_result),
            ("an error", run.error is not None),
            ("a time of its end", run.completed_at is not None),
        )
        if there
    ]
    if has:
        text = f"it has not ended and has {', '.join(has)}, which its end will write again"
        yield Finding(run.id, "not-ended", text, (Mend(MendKind.CLEAR_END),))
    if run.continued_to is not None:
        text = (
            f"it has not ended and names the successor {run.continued_to}: which of the two continues is for "
            "you to say; restore its row from a backup, or end one of them with `continuum cancel --force`"
        )
        yield Finding(run.id, "not-ended", text)
    blocked = run.state == RunState.BLOCKED
    unblock = (Mend(MendKind.UNBLOCK),)
    if blocked and not (run.reason and run.has_fault):
        text = "it is blocked and does not say why; a node that tries it again finds the reason"
        yield Finding(run.id, "blocked-without-fault", text, unblock)
    elif blocked and run.owner is not None:
        yield Finding(run.id, "blocked-without-fault", f"it is blocked and owned by {run.owner}", unblock)
    if blocked and not run.events and any(row.kind == InboxKind.CANCEL for row in run.inbox):
        text = "it is blocked and was asked to stop, and has no history, so that nothing keeps it from ending"
        yield Finding(run.id, "blocked-and-asked-to-stop", text, (Mend(MendKind.END_STOPPED),))


def _wake(run: StoredRunFacts, cluster: StoredCluster) -> Iterator[Finding]:
    """A run without owner that has something to do must be due then: nobody would look otherwise."""
    if run.owner is not None:
        return
    why = lost_wake(
        run.state,
        due_at=run.due_at,
        mail=len(run.inbox),
        attempt=run.attempt,
        waits=run.waits,
        now=cluster.now,
    )
    if why is not None:
        text = f"it has {why}, no owner, and is not due"
        yield Finding(run.id, "lost-wake", text, (Mend(MendKind.WAKE),))
