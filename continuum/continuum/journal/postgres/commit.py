"""The hot path: many runs' writes as one statement, one round trip, one commit."""

from __future__ import annotations

from collections.abc import Sequence

from continuum.engine.ids import RunId
from continuum.journal.event_codec import pack_body
from continuum.journal.port import Committed, LeaseLost, NewTask, RunWrite, Transition, Worker
from continuum.journal.postgres import packed_arrays
from continuum.journal.postgres.connections import Database
from continuum.journal.postgres.family_writes import Composition

_NO_UUIDS = packed_arrays.packed_uuids([])
_NO_INTEGERS = packed_arrays.integers([])
_NO_SMALLINTS = packed_arrays.smallints([])
_NO_BOOLEANS = packed_arrays.booleans([])
_NO_TIMESTAMPS = packed_arrays.timestamps([])
_NO_BYTEAS = packed_arrays.byteas([])
_NO_TEXTS = packed_arrays.texts([])
_NO_DOUBLES = packed_arrays.doubles([])
_NO_TASKS = (
    _NO_UUIDS,
    _NO_INTEGERS,
    _NO_INTEGERS,
    _NO_INTEGERS,
    _NO_TEXTS,
    _NO_INTEGERS,
    _NO_BOOLEANS,
    _NO_TEXTS,
    _NO_BYTEAS,
    _NO_DOUBLES,
    _NO_TEXTS,
    _NO_TEXTS,
)
_NO_TRANSITIONS = (
    _NO_UUIDS,
    _NO_SMALLINTS,
    _NO_TIMESTAMPS,
    _NO_BOOLEANS,
    _NO_BYTEAS,
    _NO_BYTEAS,
    _NO_TEXTS,
    _NO_TEXTS,
    _NO_BOOLEANS,
)

Transitions = dict[bytes, Transition]


async def commit(database: Database, worker: Worker, batch: int, writes: Sequence[RunWrite]) -> Committed:
    """Write a batch; see `Journal.commit`."""
    runs: dict[bytes, int] = {}
    event_runs: list[bytes] = []
    seqs: list[int] = []
    types: list[int] = []
    times: list[int] = []
    payloads: list[bytes] = []
    consumed: list[int] = []
    transitions: Transitions = {}
    tasks: list[tuple[bytes, NewTask]] = []
    dropped: list[tuple[bytes, int]] = []
    more: Composition | None = None
    depth = writes[0].depth if writes else 0
    for write in writes:
        key = packed_arrays.uuid_bytes(write.run_id)
        if runs.setdefault(key, write.token) != write.token:
            raise AssertionError(f"run {write.run_id} is written under two tokens in one batch")
        for seq, type, at, body in write.events:
            event_runs.append(key)
            seqs.append(seq)
            types.append(type)
            times.append(at)
            payloads.append(pack_body(body))
        if write.consumed:
            consumed.extend(write.consumed)
        change = write.transition
        if change is not None:
            # Of several writes of one run in a batch the last word counts.
            transitions[key] = change
        if write.tasks:
            tasks.extend((key, task) for task in write.tasks)
        for seq in write.dropped_tasks:
            # In one batch a task may be handed out and taken back.
            tasks = [entry for entry in tasks if entry[0] != key or entry[1].seq != seq]
            dropped.append((key, seq))
        if (
            write.depth != depth
            or write.children
            or write.published
            or write.version
            or write.cancels
            or write.successor
            or write.refusal
            or (
                change is not None
                and (change.retention is not None or (write.parent is not None and change.state.terminal))
            )
        ):
            more = more or Composition(depth)
            more.add(key, write)
    topics = database.statements
    if more is None:
        ordered = sorted(runs)  # the lock order of invariant I3, where all runs are of one generation
        tokens = [runs[key] for key in ordered]
        composition = None
    else:
        ordered, tokens, depths = more.to_lock(runs)
        composition = more.packed(depths, topics.topic("published"), transitions)
    rows = await database.fetch_on_lane(
        "commit",
        (
            worker.id,
            batch,
            packed_arrays.packed_uuids(ordered),
            packed_arrays.bigints(tokens),
            packed_arrays.packed_uuids(event_runs),
            packed_arrays.integers(seqs),
            packed_arrays.smallints(types),
            packed_arrays.timestamps(times),
            packed_arrays.byteas(payloads),
            packed_arrays.bigints(consumed),
            *_pack_transitions(transitions),
            *_pack_tasks(tasks),
            packed_arrays.packed_uuids([key for key, _ in dropped]),
            packed_arrays.integers([seq for _, seq in dropped]),
            topics.topic("done"),
            topics.topic("tasks"),
            topics.topic("work"),
            topics.topic("wake"),
            composition,
        ),
    )
    if not rows:
        raise LeaseLost(worker.id)
    at, rejected = rows[0]
    database.heard_time(at)
    return Committed(at, frozenset(RunId(run_id) for run_id in rejected))


def _pack_transitions(transitions: Transitions) -> tuple[packed_arrays.PackedArray, ...]:
    if not transitions:
        return _NO_TRANSITIONS
    values = list(transitions.values())
    return (
        packed_arrays.packed_uuids(list(transitions)),
        packed_arrays.smallints([value.state for value in values]),
        packed_arrays.timestamps([value.due_at for value in values]),
        packed_arrays.booleans([value.release for value in values]),
        packed_arrays.byteas([value.result for value in values]),
        packed_arrays.byteas([value.error for value in values]),
        packed_arrays.texts([value.reason for value in values]),
        packed_arrays.texts([None if value.fault is None else value.fault.as_json() for value in values]),
        packed_arrays.booleans([value.progress for value in values]),
    )


def _pack_tasks(tasks: Sequence[tuple[bytes, NewTask]]) -> tuple[packed_arrays.PackedArray, ...]:
    if not tasks:
        return _NO_TASKS
    # Handing one command out twice in a batch is one row: the later dispatch counts.
    latest = {(key, task.seq): (key, task) for key, task in tasks}
    keys = [key for key, _ in latest.values()]
    entries = [task for _, task in latest.values()]
    return (
        packed_arrays.packed_uuids(keys),
        packed_arrays.integers([task.seq for task in entries]),
        packed_arrays.integers([task.dispatch for task in entries]),
        packed_arrays.integers([task.attempt for task in entries]),
        packed_arrays.texts([task.queue for task in entries]),
        packed_arrays.integers([task.priority for task in entries]),
        packed_arrays.booleans([task.isolated for task in entries]),
        packed_arrays.texts([task.activity for task in entries]),
        packed_arrays.byteas([task.arguments for task in entries]),
        packed_arrays.doubles([task.timeout for task in entries]),
        packed_arrays.texts([task.key for task in entries]),
        packed_arrays.texts([task.node for task in entries]),
    )
