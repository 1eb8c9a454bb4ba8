"""The hot path: many runs' writes as one statement, one round trip, one commit."""

from __future__ import annotations

import json
from collections.abc import Sequence, Set

from continuum.engine.events import Event
from continuum.engine.ids import RunId
from continuum.journal.announced_run import AnnouncedRun
from continuum.journal.event_rows import rows_of
from continuum.journal.port import (
    Committed,
    LeaseLost,
    NewRun,
    NewTask,
    RunState,
    RunWrite,
    TakenRun,
    Transition,
    Worker,
)
from continuum.journal.postgres import commit_parts, packed_arrays
from continuum.journal.postgres.connections import Database
from continuum.journal.postgres.family_writes import FamilyWrites
from continuum.journal.postgres.packed_arrays import PackedArray, PackedRow
from continuum.journal.postgres.prepared_statements import Parameter
from continuum.journal.repeated_calls import CallsOfRuns
from continuum.journal.resumed_run import ResumedRun
from continuum.journal.wait import waits_as_json

_NO_DEPTHS = packed_arrays.integers([])
_NO_RUNS: Set[bytes] = frozenset()


async def commit(
    database: Database, calls: CallsOfRuns, worker: Worker, batch: int, writes: Sequence[RunWrite]
) -> Committed:
    """Write a batch; see `Journal.commit`."""
    runs: dict[bytes, int] = {}
    # Several writes of one run in a batch are stored as one.
    histories: dict[bytes, Sequence[Event]] = {}
    consumed: list[int] = []
    transitions: dict[bytes, Transition] = {}
    tasks: list[tuple[bytes, NewTask]] = []
    dropped: list[tuple[bytes, int]] = []
    family: FamilyWrites | None = None
    depth = writes[0].depth if writes else 0
    for write in writes:
        key = packed_arrays.uuid_bytes(write.run_id)
        if runs.setdefault(key, write.token) != write.token:
            raise AssertionError(f"run {write.run_id} is written under two tokens in one batch")
        if write.events:
            known = histories.get(key)
            histories[key] = write.events if known is None else [*known, *write.events]
        if write.consumed:
            consumed.extend(write.consumed)
        change = write.transition
        if change is not None:
            # Among several writes of one run in a batch the last transition counts.
            transitions[key] = change
        if write.tasks:
            tasks.extend((key, task) for task in write.tasks)
        for seq in write.dropped_tasks:
            # One batch may queue a task and drop it.
            tasks = [entry for entry in tasks if entry[0] != key or entry[1].seq != seq]
            dropped.append((key, seq))
        if (
            write.depth != depth
            or write.children
            or write.published
            or write.attributes is not None
            or write.version
            or write.cancels
            or write.successor
            or write.refusal
            or (change is not None and write.parent is not None and change.state >= RunState.BLOCKED)
        ):
            family = family or FamilyWrites(depth)
            family.add(key, write)
    if family is None:
        ordered = sorted(runs)  # the lock order of invariant I3, where all runs are of one generation
        tokens = [runs[key] for key in ordered]
        depths = _NO_DEPTHS
    else:
        ordered, tokens, listed = family.to_lock(runs)
        depths = packed_arrays.integers(listed)
    limits = _limits(tasks)
    first = _first_writes(writes)
    name = "commit" if limits is None else "commit_limited"
    # Until it is known that these events are stored, later ones must not refer to them.
    with calls.doubted(worker.id, batch, histories):
        parameters = (
            worker.id,
            batch,
            commit_parts.RUNS.row(
                id=packed_arrays.packed_uuids(ordered), token=packed_arrays.bigints(tokens), depth=depths
            ),
            _events(histories, runs, calls),
            packed_arrays.bigints(consumed),
            _transitions(transitions, _NO_RUNS if family is None else family.continued),
            _tasks(tasks),
            _dropped(dropped),
            None if family is None else family.row(),
            *((limits, *first[1]) if first is not None else () if limits is None else (limits,)),
        )
        rows = await database.fetch_on_lane(name if first is None else first[0], parameters)
        if not rows:
            raise LeaseLost(worker.id)
    at, rejected = rows[0]
    calls.forget(map(packed_arrays.uuid_bytes, rejected))
    database.learn_time(at)
    return Committed(at, frozenset(RunId(run_id) for run_id in rejected))


def _events(
    histories: dict[bytes, Sequence[Event]], tokens: dict[bytes, int], calls: CallsOfRuns
) -> PackedRow | None:
    if not histories:
        return None
    runs: list[bytes] = []
    seqs: list[int] = []
    types: list[int] = []
    times: list[int] = []
    payloads: list[bytes] = []
    for key, events in histories.items():
        for seq, type, at, payload in rows_of(events, calls.of(key, tokens[key])):
            runs.append(key)
            seqs.append(seq)
            types.append(type)
            times.append(at)
            payloads.append(payload)
    return commit_parts.EVENTS.row(
        run=packed_arrays.packed_uuids(runs),
        seq=packed_arrays.integers(seqs),
        type=packed_arrays.smallints(types),
        at=packed_arrays.timestamps(times),
        payload=packed_arrays.byteas(payloads),
    )


def _transitions(transitions: dict[bytes, Transition], continued: Set[bytes]) -> PackedRow | None:
    if not transitions:
        return None
    values = list(transitions.values())
    return commit_parts.TRANSITIONS.row(
        run=packed_arrays.packed_uuids(list(transitions)),
        state=packed_arrays.smallints([value.state for value in values]),
        due=packed_arrays.timestamps([value.due_at for value in values]),
        release=packed_arrays.booleans([value.release for value in values]),
        result=packed_arrays.byteas([value.result for value in values]),
        error=packed_arrays.byteas([value.error for value in values]),
        reason=packed_arrays.texts([value.reason for value in values]),
        fault=packed_arrays.texts([_fault_or_waits(value) for value in values]),
        progress=packed_arrays.booleans([value.progress for value in values]),
        # A run that continued is kept for as long as its successor.
        retention=packed_arrays.doubles(
            [None if run in continued else value.retention for run, value in transitions.items()]
        ),
    )


def _fault_or_waits(change: Transition) -> str | None:
    """Return why the run is blocked; a suspended run has no fault, and in its place what it waits for."""
    if change.fault is not None:
        return change.fault.as_json(change.code)
    return None if change.waits is None else waits_as_json(change.waits)


def _tasks(tasks: Sequence[tuple[bytes, NewTask]]) -> PackedRow | None:
    if not tasks:
        return None
    # A command that is queued twice in a batch is one row: the later dispatch counts.
    latest = {(key, task.seq): (key, task) for key, task in tasks}
    entries = [task for _, task in latest.values()]
    return commit_parts.TASKS.row(
        run=packed_arrays.packed_uuids([key for key, _ in latest.values()]),
        seq=packed_arrays.integers([task.seq for task in entries]),
        dispatch=packed_arrays.integers([task.dispatch for task in entries]),
        attempt=packed_arrays.integers([task.attempt for task in entries]),
        queue=packed_arrays.texts([task.queue for task in entries]),
        priority=packed_arrays.integers([task.priority for task in entries]),
        isolated=packed_arrays.booleans([task.isolated for task in entries]),
        activity=packed_arrays.texts([task.activity for task in entries]),
        arguments=packed_arrays.byteas([task.arguments for task in entries]),
        timeout=packed_arrays.doubles([task.timeout for task in entries]),
        key=packed_arrays.texts([task.key for task in entries]),
        node=packed_arrays.texts([task.node for task in entries]),
    )


def _limits(tasks: Sequence[tuple[bytes, NewTask]]) -> PackedRow | None:
    """Return the limits of the tasks that have some."""
    limited = [(key, task) for key, task in tasks if task.heartbeat_timeout or task.deadline is not None]
    if not limited:
        return None
    return commit_parts.TASK_LIMITS.row(
        run=packed_arrays.packed_uuids([key for key, _ in limited]),
        seq=packed_arrays.integers([task.seq for _, task in limited]),
        dispatch=packed_arrays.integers([task.dispatch for _, task in limited]),
        heartbeat=packed_arrays.doubles([task.heartbeat_timeout for _, task in limited]),
        deadline=packed_arrays.timestamps([task.deadline for _, task in limited]),
    )


def _first_writes(writes: Sequence[RunWrite]) -> tuple[str, Sequence[Parameter]] | None:
    """Return the statement for the runs that these writes take or create, with its arguments; None without.

    A later write of a run takes it no more.
    """
    takes = writes[0].takes if writes else None
    if isinstance(takes, ResumedRun):
        return "commit_resumes", _resumed(writes)
    if takes is not None:
        return "commit_takes", _taken(writes)
    created = _created(writes)
    return None if created is None else ("commit_creates", created)


def _resumed(writes: Sequence[RunWrite]) -> Sequence[PackedArray]:
    taken = [(write, write.takes) for write in writes if isinstance(write.takes, ResumedRun)]
    return (
        packed_arrays.uuids([write.run_id for write, _ in taken]),
        packed_arrays.bigints([write.token for write, _ in taken]),
        packed_arrays.bigints([run.before for _, run in taken]),
        packed_arrays.texts([run.version for _, run in taken]),
    )


def _taken(writes: Sequence[RunWrite]) -> tuple[PackedRow]:
    taken = [
        (write.token, write.takes.version, write.takes.announced)
        for write in writes
        if isinstance(write.takes, TakenRun)
    ]
    return (_begun(taken, [run.started_at for _, _, run in taken]),)


def _created(writes: Sequence[RunWrite]) -> tuple[PackedRow, PackedArray, PackedArray] | None:
    """Return the runs that these writes create, their keys and their attributes; None without any."""
    created = [(write.token, write.creates.version, write.creates.start) for write in writes if write.creates]
    if not created:
        return None
    return (
        _begun(created, [write.creates.started_at for write in writes if write.creates]),
        packed_arrays.texts([run.idempotency_key for _, _, run in created]),
        packed_arrays.texts([stored_attributes(run) for _, _, run in created]),
    )


def _begun(begun: Sequence[tuple[int, str, AnnouncedRun | NewRun]], started: Sequence[int]) -> PackedRow:
    runs = [run for _, _, run in begun]
    return commit_parts.TAKEN.row(
        run=packed_arrays.uuids([run.id for run in runs]),
        token=packed_arrays.bigints([token for token, _, _ in begun]),
        workflow=packed_arrays.texts([run.workflow for run in runs]),
        namespace=packed_arrays.texts([run.namespace for run in runs]),
        input=packed_arrays.byteas([run.input for run in runs]),
        trace=packed_arrays.texts([run.trace_context for run in runs]),
        started=packed_arrays.timestamps(started),
        version=packed_arrays.texts([version for _, version, _ in begun]),
    )


def stored_attributes(run: NewRun) -> str:
    """Return the attributes of a new run as JSON."""
    return json.dumps(dict(run.attributes)) if run.attributes else "{}"


def _dropped(dropped: Sequence[tuple[bytes, int]]) -> PackedRow | None:
    if not dropped:
        return None
    return commit_parts.DROPPED.row(
        run=packed_arrays.packed_uuids([key for key, _ in dropped]),
        seq=packed_arrays.integers([seq for _, seq in dropped]),
    )
