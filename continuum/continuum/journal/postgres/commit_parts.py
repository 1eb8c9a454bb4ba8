"""The parts of a batch as the schema defines them: composites of arrays, an element for each run or event.

The schema says what the fields mean (`tables/0001_initial.sql`); a test compares names, types and order.
"""

from __future__ import annotations

from continuum.journal.postgres.packed_arrays import (
    Bigints,
    Booleans,
    Byteas,
    Doubles,
    Integers,
    RowType,
    Smallints,
    Texts,
    Timestamps,
    Uuids,
)

RUNS = RowType("commit_runs", id=Uuids, token=Bigints, depth=Integers)

EVENTS = RowType("commit_events", run=Uuids, seq=Integers, type=Smallints, at=Timestamps, payload=Byteas)

TRANSITIONS = RowType(
    "commit_transitions",
    run=Uuids,
    state=Smallints,
    due=Timestamps,
    release=Booleans,
    result=Byteas,
    error=Byteas,
    reason=Texts,
    fault=Texts,
    progress=Booleans,
    retention=Doubles,
)

TASKS = RowType(
    "commit_tasks",
    run=Uuids,
    seq=Integers,
    dispatch=Integers,
    attempt=Integers,
    queue=Texts,
    priority=Integers,
    isolated=Booleans,
    activity=Texts,
    arguments=Byteas,
    timeout=Doubles,
    key=Texts,
    node=Texts,
)

TASK_LIMITS = RowType(
    "commit_task_limits",
    run=Uuids,
    seq=Integers,
    dispatch=Integers,
    heartbeat=Doubles,
    deadline=Timestamps,
)

DROPPED = RowType("commit_dropped", run=Uuids, seq=Integers)

FAMILY = RowType(
    "commit_family",
    child_parent=Uuids,
    child_seq=Integers,
    child_id=Uuids,
    child_workflow=Texts,
    child_input=Byteas,
    child_policy=Smallints,
    cancel_run=Uuids,
    cancel_child=Uuids,
    next_run=Uuids,
    next_id=Uuids,
    next_workflow=Texts,
    next_input=Byteas,
    signal_run=Uuids,
    signal_name=Texts,
    signal_payload=Byteas,
    published_run=Uuids,
    published_name=Texts,
    published_value=Byteas,
    version_run=Uuids,
    version=Texts,
    refused_run=Uuids,
    refused_version=Texts,
    refused_reason=Texts,
    refused_fault=Texts,
)

TAKEN = RowType(
    "commit_taken",
    run=Uuids,
    token=Bigints,
    workflow=Texts,
    namespace=Texts,
    input=Byteas,
    trace=Texts,
    started=Timestamps,
    version=Texts,
)

PARTS = (RUNS, EVENTS, TRANSITIONS, TASKS, TASK_LIMITS, DROPPED, FAMILY, TAKEN)
