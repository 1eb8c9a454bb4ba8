"""Queries of runs: one row, pages of rows by condition, attributes.

A condition is (field, operator, value) with one of `OPERATORS`. A field is one of
id, workflow, version, namespace, state (a `RunState`), idempotency_key, started_at,
updated_at and completed_at (microseconds), parent, root, or ("attributes", name), with
further names for a value inside maps: ("attributes", "customer", "city"). A field
without a value satisfies only `eq None`.

Three fields are for names that a run has in some states only: failure, the type of the error of a failed
run, and that of what its activity or child had failed with; fault, the kind of the fault of a blocked one;
and waits, what a suspended run waits for, compared with pairs of a kind and a pattern of names. They know
`in`, and all text knows `like`, with patterns of `name_pattern`. An operator behind "not " holds where it
does not hold by itself, also without a value.

Attributes are compared as JSON values: 1, "1" and true differ, 1 and 1.0 do not. `eq`
is equality, but a map may have more entries than the one given. `ne` is its opposite, so a
missing attribute differs from everything. The order operators hold only between two
numbers, strings or booleans.

Rows are ordered by a field that every run has, and then by id, both in one direction.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from continuum.engine.ids import RunId
from continuum.errors import UnindexedQuery
from continuum.journal.audit_facts import AuditFacts, ChangeOutcome
from continuum.journal.ended_run import EndedRun
from continuum.journal.event_codec import CorruptBody, unpack_body
from continuum.journal.failure_causes import failure_cause
from continuum.journal.limits import FAILURE_TYPE_BYTES
from continuum.journal.looked_through import LookedThrough
from continuum.journal.memory.tables import MemoryTables, StoredRun, json_copy
from continuum.journal.name_pattern import matches
from continuum.journal.port import Query, RunRow, RunState
from continuum.journal.wait import NOTHING, Wait, could_end

OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "in": lambda value, choices: value in choices,
}


# The orders in which an index has all runs.
WALKED = ("id", "started_at")

_ABSENT: Any = object()


class MemoryQueries(MemoryTables):
    """Rows of runs, readable by any process."""

    async def get_run(self, run_id: RunId) -> RunRow | None:
        """Return a run's row."""
        run = self._runs.get(run_id)
        return None if run is None else self._row(run)

    async def ended(self, run_ids: Sequence[RunId]) -> list[EndedRun]:
        """Return those of these runs that have ended."""
        found = [run for run_id in run_ids if (run := self._runs.get(run_id)) is not None]
        return [
            EndedRun(run.start.id, run.state, run.result, run.error, run.reason, run.chain, run.continued_to)
            for run in found
            if run.state.terminal
        ]

    async def missing(self, run_ids: Sequence[RunId]) -> list[RunId]:
        """Return those of these ids that no run has."""
        return [run_id for run_id in run_ids if run_id not in self._runs]

    async def query(self, query: Query) -> list[RunRow]:
        """Return up to `query.limit` rows in order."""
        field, descending = query.order_by

        def place(row: RunRow) -> tuple[Any, str]:
            return getattr(row, field), row.id

        rows = [
            self._row(run) for run in self._runs.values() if query.namespace in (None, run.start.namespace)
        ]
        rows = [row for row in rows if all(holds(row, *condition) for condition in query.where)]
        if query.after is not None:
            after, beyond = query.after, operator.lt if descending else operator.gt
            rows = [row for row in rows if beyond(place(row), after)]
        rows.sort(key=place, reverse=descending)
        page = rows[: query.limit]
        return page if query.payloads else [replace(row, input=b"", result=None) for row in page]

    async def look_through(self, query: Query, most: int) -> LookedThrough:
        """Return what a query finds among the next runs of its order."""
        if query.order_by[0] not in WALKED:
            raise UnindexedQuery(None, 0)
        runs = await self.query(replace(query, where=(), limit=most + 1))
        found, looked_at = [], 0
        for row in runs[:most]:
            looked_at += 1
            if all(holds(row, *each) for each in query.where):
                found.append(row)
                if len(found) == query.limit:
                    return LookedThrough(found, None, looked_at)
        last = runs[most - 1] if len(runs) > most else None
        place = None if last is None else (getattr(last, query.order_by[0]), last.id)
        return LookedThrough(found, place, looked_at)

    async def open_runs(self, after: RunId | None, limit: int) -> list[RunRow]:
        """Return the next open runs by id."""
        found = [run for run_id, run in self._runs.items() if after is None or run_id > after]
        found = [run for run in found if not run.state.terminal]
        found.sort(key=lambda run: run.start.id)
        return [self._row(run) for run in found[:limit]]

    async def set_attributes(
        self, run_id: RunId, attributes: Mapping[str, Any], *, audit: AuditFacts | None = None
    ) -> bool:
        """Merge attributes; False when there is no such run."""
        run = self._latest(run_id)
        self._record(audit, ChangeOutcome.NOT_FOUND if run is None else ChangeOutcome.DONE)
        if run is None:
            return False
        self._merge(run, attributes)
        return True

    def _merge(self, run: StoredRun, attributes: Mapping[str, Any]) -> None:
        # A new dict, so that rows returned before do not change.
        run.attributes = run.attributes | json_copy(attributes)
        run.updated_at = self.now()

    def _row(self, run: StoredRun) -> RunRow:
        worker = None if run.owner is None else self._workers.get(run.owner)
        return RunRow(
            id=run.start.id,
            workflow=run.start.workflow,
            version=run.version,
            namespace=run.start.namespace,
            state=run.state,
            input=run.start.input,
            result=run.result,
            error=run.error,
            reason=run.reason,
            attributes=run.attributes,
            idempotency_key=run.start.idempotency_key,
            trace_context=run.start.trace_context,
            owner=run.owner,
            started_at=run.started_at,
            updated_at=run.updated_at,
            completed_at=run.completed_at,
            due_at=run.due_at,
            parent=run.parent,
            parent_seq=run.parent_seq,
            root=run.chain,
            continued_from=run.continued_from,
            continued_to=run.continued_to,
            fault=run.fault,
            owner_node=None if worker is None else worker.worker.node,
            owner_pid=None if worker is None else worker.pid,
            claimed_at=None if worker is None else run.claimed_at,
            waits=run.waits if run.state is RunState.SUSPENDED else None,
            pause=self._pause_of(run),
            refused=list(run.refused),
        )


def holds(row: RunRow, field: str | tuple[str, ...], name: str, wanted: Any) -> bool:
    """Return whether a condition holds for a run."""
    if name.startswith("not "):
        return not holds(row, field, name.removeprefix("not "), wanted)
    if field == "waits":
        return row.waits is not None and any(_awaits(row.waits, *each) for each in wanted)
    if not isinstance(field, str):
        return _attribute_holds(_at(row.attributes, field[1:]), name, wanted)
    if field == "failure":
        return any(_value_holds(value, name, wanted) for value in _failures(row))
    return _value_holds(_NAMES[field](row) if field in _NAMES else getattr(row, field), name, wanted)


def _value_holds(value: Any, name: str, wanted: Any) -> bool:
    if name == "like":
        return value is not None and any(matches(pattern, value) for pattern in wanted)
    if wanted is None:
        return (value is None) == (name == "eq")
    return value is not None and OPERATORS[name](value, wanted)


def _awaits(waits: Sequence[Wait], kind: str, pattern: Sequence[str]) -> bool:
    if kind == NOTHING:
        return not could_end(waits)
    return any(wait.kind == kind and matches(pattern, wait.name) for wait in waits)


def _failures(row: RunRow) -> Iterator[str]:
    """Yield the types of a failed run's error and of its cause, if they can be read, as indexes have them."""
    if row.state is not RunState.FAILED or not row.error:
        return
    try:
        yield str(unpack_body(row.error)[0]).encode()[:FAILURE_TYPE_BYTES].decode(errors="ignore")
    except (CorruptBody, IndexError):
        pass
    cause = failure_cause(row.error)
    if cause is not None:
        yield cause


def _fault(row: RunRow) -> str | None:
    return None if row.state is not RunState.BLOCKED or row.fault is None else row.fault.kind


def _paused_at(row: RunRow) -> int | None:
    """Return since when a run is paused by itself."""
    return None if row.pause is None or row.pause.scope is not None else row.pause.since


_NAMES: Mapping[str, Callable[[RunRow], Any]] = {
    "fault": _fault,
    "paused_at": _paused_at,
}


def _at(attributes: Any, path: Sequence[str]) -> Any:
    """Return the value at a path through maps, `_ABSENT` where there is none."""
    value = attributes
    for name in path:
        value = value.get(name, _ABSENT) if isinstance(value, Mapping) else _ABSENT
    return value


def _attribute_holds(value: Any, name: str, wanted: Any) -> bool:
    match name:
        case "eq":
            return _matches(value, wanted)
        case "ne":
            return not _matches(value, wanted)
        case "in":
            return any(_matches(value, choice) for choice in wanted)
    kind = _order_kind(value)
    return kind is not None and kind is _order_kind(wanted) and OPERATORS[name](value, wanted)


def _matches(value: Any, wanted: Any) -> bool:
    """Whether a value equals the wanted one, where maps may have more entries."""
    if isinstance(wanted, Mapping):
        return isinstance(value, Mapping) and all(
            name in value and _matches(value[name], item) for name, item in wanted.items()
        )
    return _same(value, wanted)


def _same(value: Any, wanted: Any) -> bool:
    """Whether two JSON values are equal. True == 1 in Python, but not in JSON."""
    if isinstance(wanted, Mapping):
        return (
            isinstance(value, Mapping)
            and value.keys() == wanted.keys()
            and all(_same(value[name], item) for name, item in wanted.items())
        )
    if isinstance(wanted, list | tuple):
        return isinstance(value, list) and len(value) == len(wanted) and all(map(_same, value, wanted))
    return isinstance(value, bool) == isinstance(wanted, bool) and bool(value == wanted)


def _order_kind(value: Any) -> type | None:
    """Return the type that `value` can be ordered within; None for values without an order."""
    if isinstance(value, bool | str):
        return type(value)
    return float if isinstance(value, int | float) else None
