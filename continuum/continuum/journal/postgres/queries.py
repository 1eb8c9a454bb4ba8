"""Single runs, ended runs and keyset pages.

No query looks at more than a bounded number of runs, however many there are: see `run_scans.py`. One scan
after another is tried, the likely ones first; if each ends before it has found the page, no index serves the
query, and it is refused with the index that would.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from continuum.engine.ids import RunId
from continuum.errors import UnindexedQuery
from continuum.journal.ended_run import EndedRun
from continuum.journal.limits import FIRST_SCAN_RUNS, SCAN_RUNS
from continuum.journal.looked_through import LookedThrough
from continuum.journal.port import Fault, Query, RunRow, RunState
from continuum.journal.postgres import packed_arrays
from continuum.journal.postgres.conditions import FIELDS, NAMED_STATES, Condition, condition_of
from continuum.journal.postgres.connections import Database
from continuum.journal.postgres.pauses import stored_pause
from continuum.journal.postgres.run_scans import Index, Scan
from continuum.journal.postgres.statements import Statements
from continuum.journal.wait import waits_from_json

# The states of which an index has all runs. A run enters them once, if at all, so no step pays for that.
SELDOM = (RunState.BLOCKED, RunState.FAILED, RunState.CANCELLED, RunState.CONTINUED)
_OPEN = frozenset({RunState.RUNNING, RunState.SUSPENDED, RunState.BLOCKED})
LISTING = Index(("namespace", "workflow"), "started_at")
LISTING_OF_SELDOM = Index(("seldom", "namespace", "workflow"), "started_at", "seldom")
BY_ID = Index((), "id")
# Fields of which a condition leads to few runs, mostly.
_NARROW = ("id", "root", "parent")

_BEFORE_ALL = "00000000-0000-0000-0000-000000000000"
# The places of these among the columns of `run_columns`.
_FAULT, _WAITS, _PAUSE = map(list(RunRow.__dataclass_fields__).index, ("fault", "waits", "pause"))


def run_row(row: Sequence[Any]) -> RunRow:
    """Turn the columns of `run_columns` into a row."""
    values = list(row)
    values[0] = RunId(values[0])
    values[4] = RunState(values[4])
    values[_FAULT] = Fault.from_json(values[_FAULT])
    values[_WAITS] = waits_from_json(values[_WAITS])
    values[_PAUSE] = stored_pause(values[_PAUSE])
    return RunRow(*values)


async def ended_runs(database: Database, run_ids: Sequence[RunId]) -> list[EndedRun]:
    """Return those of these runs that have ended."""
    rows = await database.fetch("ended", (packed_arrays.uuids(run_ids),))
    return [EndedRun(row[0], RunState(row[1]), *row[2:]) for row in rows]


async def missing_runs(database: Database, run_ids: Sequence[RunId]) -> list[RunId]:
    """Return those of these ids that no run has."""
    return [RunId(row[0]) for row in await database.fetch("missing", (packed_arrays.uuids(run_ids),))]


async def open_runs(database: Database, after: RunId | None, limit: int) -> list[RunRow]:
    """Return the next open runs by id, each from where the page before has ended."""
    text = database.statements["run_columns"] + b"\n" + database.statements["next_open_runs"]
    return [run_row(row) for row in await database.fetch_text(text, (after or _BEFORE_ALL, limit))]


async def query_rows(database: Database, query: Query) -> list[RunRow]:
    """Return one page; `UnindexedQuery` if no index leads to it."""
    asked = _Asked.of(query)
    schema, columns = _schema_and_columns(database, payloads=query.payloads)
    for reading in asked.readings():
        rows, unfinished = await _read(database, query, reading, schema, columns)
        if not unfinished or (reading.ordered and len(rows) == query.limit):
            return rows
    indexes = [tuple(names) for (names,) in await database.fetch("indexes_of_runs", (f"{schema}.runs",))]
    for reading in asked.readings_by(indexes):
        rows, unfinished = await _read(database, query, reading, schema, columns)
        if not unfinished or (reading.ordered and len(rows) == query.limit):
            return rows
    raise UnindexedQuery(asked.missing_index(schema), SCAN_RUNS)


async def look_through(database: Database, query: Query, most: int) -> LookedThrough:
    """Return what a query finds among the next runs of its order, with one statement."""
    asked = _Asked.of(query)
    schema, columns = _schema_and_columns(database, payloads=query.payloads)
    reading = asked.walk(most)
    if reading is None or reading.index is None:
        raise UnindexedQuery(asked.missing_index(schema), 0)
    field, descending = query.order_by
    scan = Scan(schema, columns, field, descending, query.limit)
    text = scan.walked(reading.index, reading.values, reading.by, reading.others, most)
    rows = await database.fetch_text(text.encode(), scan.parameters)
    too_many_groups, looked_at = rows[0][:2]
    if too_many_groups:
        raise UnindexedQuery(asked.missing_index(schema), looked_at)
    found = [run_row(row[3:]) for row in rows if row[2]]
    if len(found) == query.limit:
        return LookedThrough(found, None, looked_at)
    ends = (run_row(row[3:]) for row in rows if row[2] is False)
    place = next(((getattr(end, field), end.id) for end in ends), None)
    return LookedThrough(found, place, looked_at)


@dataclass(frozen=True, slots=True)
class _Reading:
    """One scan to try. Without an index the candidates are those of a `source`: see `statements.sql`."""

    others: Sequence[Condition]
    ordered: bool = False
    index: Index | None = None
    by: Sequence[Condition] = ()
    source: str = "all"
    values: dict[str, Sequence[Any]] = field(default_factory=dict)
    rows: int = SCAN_RUNS

    def text(self, scan: Scan, statements: Statements) -> str:
        """Return the text of the scan."""
        if self.index is None:
            source = f"({statements[f'{self.source}_runs'].decode()})"
            return scan.chosen(source, self.by, self.others, self.rows)
        if self.ordered:
            return scan.grouped(self.index, self.values, self.by, self.others, self.rows)
        return scan.chosen_in_groups(self.index, self.values, self.by, self.others, self.rows)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A query in parts: its conditions, the values that columns may have, and the order."""

    conditions: Sequence[Condition]
    values: dict[str, Sequence[Any]]
    order: str

    @classmethod
    def of(cls, query: Query) -> _Asked:
        conditions = [condition_of(*condition) for condition in query.where]
        if query.namespace is not None:
            conditions.append(condition_of("namespace", "eq", query.namespace))
        values: dict[str, Sequence[Any]] = {}
        for condition in conditions:
            chosen = condition.values()
            if chosen is not None and isinstance(condition.field, str):
                column = FIELDS[condition.field][0].removeprefix("r.")
                # If a column has two such conditions, one leads to the runs and the other is checked.
                values.setdefault(column, chosen)
        for condition in conditions:
            if condition.field in NAMED_STATES and not condition.negated:
                values.setdefault("state", [NAMED_STATES[condition.field]])
        states = values.get("state")
        if states is not None and set(states) <= set(SELDOM):
            values["seldom"] = states
        order, descending = query.order_by
        if query.after is not None:
            column, placeholder = FIELDS[order]
            text = f"({column}, r.id) {'<' if descending else '>'} ({placeholder}, %s::uuid)"
            conditions.append(Condition(order, "lt", query.after, text, query.after))
        return cls(conditions, values, order)

    def readings(self) -> Iterator[_Reading]:
        """Yield the scans of our own indexes, the likely ones first."""
        states = frozenset(self.values.get("state", RunState))
        for name in _NARROW:
            by = [each for each in self.conditions if each.field == name and each.values() is not None]
            if by:
                yield _Reading(self._without(by), by=by)
        if any(
            each.field == "paused_at"
            and (each.operator, each.value) != ("eq", None)
            and not each.operator.startswith("not ")
            for each in self.conditions
        ):
            yield _Reading(self.conditions, source="paused")
        if any(each.for_nothing for each in self.conditions):
            yield _Reading(self.conditions, source="idle")
        keys = [
            each for each in self.conditions if each.field == "idempotency_key" and each.values() is not None
        ]
        if keys:
            yield _Reading(
                self._without(keys), index=LISTING, by=keys, values=self._values_of(LISTING.groups)
            )
        failures = [each for each in self.conditions if each.field == "failure" and each.operator == "in"]
        if failures:
            yield _Reading(self._without(failures), by=failures)
        if states <= frozenset(SELDOM):
            yield from self._listed(LISTING_OF_SELDOM, SCAN_RUNS)
        elif self.order == "id":
            yield from self._listed(BY_ID, FIRST_SCAN_RUNS)
        else:
            yield from self._listed(LISTING, FIRST_SCAN_RUNS)
        attributes = [each for each in self.conditions if each.by_attribute]
        if attributes:
            yield _Reading(self._without(attributes), by=attributes)
        if states <= _OPEN:
            yield _Reading(self.conditions, source="running" if states == {RunState.RUNNING} else "open")
        yield from self._listed(BY_ID if self.order == "id" else LISTING, SCAN_RUNS)
        # Groups may differ much in size: if there are few runs in all, look at each of them.
        yield self._candidates(LISTING)

    def walk(self, rows: int) -> _Reading | None:
        """Return the scan of the next runs in the order, whatever is asked; None if no index has it."""
        index = BY_ID if self.order == "id" else LISTING
        return next((each for each in self._listed(index, rows) if each.ordered), None)

    def _listed(self, index: Index, rows: int) -> Iterator[_Reading]:
        """Yield the scan of an index: in its order if that is wanted, otherwise of all runs of its groups."""
        if index.order == self.order:
            values = self._values_of(index.groups)
            by = [each for each in self.conditions if each.field == index.order and each.bounds()]
            served = [*by, *(each for each in self.conditions if self._leads(each, values))]
            yield _Reading(self._without(served), True, index, by, values=values, rows=rows)
        elif index is not LISTING:
            yield self._candidates(index)

    def _candidates(self, index: Index) -> _Reading:
        """Return the scan of all runs in the groups of an index."""
        values = self._values_of(index.groups)
        served = [each for each in self.conditions if self._leads(each, values)]
        return _Reading(self._without(served), index=index, values=values)

    def _leads(self, condition: Condition, values: dict[str, Sequence[Any]]) -> bool:
        """Return whether groups of these values have only runs that meet the condition."""
        if not isinstance(condition.field, str) or condition.field not in FIELDS:
            return False
        column, chosen = FIELDS[condition.field][0].removeprefix("r."), condition.values()
        columns = ("state", "seldom") if column == "state" else (column,)
        return chosen is not None and any(chosen == values.get(each) for each in columns)

    def _without(self, served: Sequence[Condition]) -> list[Condition]:
        return [each for each in self.conditions if not any(each is one for one in served)]

    def readings_by(self, indexes: Sequence[tuple[str, ...]]) -> Iterator[_Reading]:
        """Yield the scans by indexes that the operator has made."""
        for names in indexes:
            if names in (("id",), ("namespace", "workflow", "started_at", "id")):
                continue
            leading = 0
            while leading < len(names) and names[leading] in self.values:
                leading += 1
            order = FIELDS[self.order][0].removeprefix("r.")
            if leading < len(names) and names[leading] == order:
                yield from self._listed(Index(names[:leading], order), SCAN_RUNS)
            elif leading:
                by = [each for each in self.conditions if self._leads(each, self._values_of(names[:leading]))]
                by += self._bounds_of(names[leading : leading + 1])
                yield _Reading(self._without(by), by=by)
            elif bounds := self._bounds_of(names[:1]):
                yield _Reading(self._without(bounds), by=bounds)

    def _values_of(self, columns: Sequence[str]) -> dict[str, Sequence[Any]]:
        return {name: self.values[name] for name in columns if name in self.values}

    def _bounds_of(self, columns: Sequence[str]) -> list[Condition]:
        return [
            each
            for each in self.conditions
            if isinstance(each.field, str)
            and each.bounds()
            and FIELDS[each.field][0].removeprefix("r.") in columns
        ]

    def missing_index(self, schema: str) -> str | None:
        """Return the statement that makes the index which this query lacks; None if none would serve it."""
        equal = [name for name in self.values if name not in ("id", "seldom", "coalesce(r.root, r.id)")]
        order = FIELDS[self.order][0].removeprefix("r.")
        ranges = [
            FIELDS[each.field][0].removeprefix("r.")
            for each in self.conditions
            if isinstance(each.field, str)
            and each.bounds()
            and each.operator != "eq"
            and each.field != self.order
        ]
        columns = [*equal, *(ranges[:1] or [name for name in (order, "id") if name not in equal])]
        if not ranges and (
            order == "id" or (set(equal) <= {"namespace", "workflow"} and order == "started_at")
        ):
            return None
        return f"CREATE INDEX CONCURRENTLY ON {schema}.runs ({', '.join(columns)})"


def _schema_and_columns(database: Database, *, payloads: bool) -> tuple[str, str]:
    text = database.statements["run_columns"].decode()
    columns, _, rest = text.removeprefix("SELECT ").rpartition("\nFROM ")
    if not payloads:
        columns = columns.replace("r.input, r.result,", "''::bytea, NULL::bytea,")
    return rest.removesuffix(".runs r"), columns


async def _read(
    database: Database, query: Query, reading: _Reading, schema: str, columns: str
) -> tuple[list[RunRow], bool]:
    """Return the rows that a scan has found, and whether it ended early."""
    order, descending = query.order_by
    scan = Scan(schema, columns, order, descending, query.limit)
    text = reading.text(scan, database.statements)
    rows = await database.fetch_text(text.encode(), scan.parameters)
    return [run_row(row[2:]) for row in rows if row[1]], bool(rows[0][0])
