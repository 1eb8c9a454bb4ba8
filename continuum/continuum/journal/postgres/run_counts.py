"""Counts of runs: exact up to a number, and looking at a bounded number of runs."""

from __future__ import annotations

import json

from continuum.engine.ids import RunId
from continuum.journal.facts import Query, RunState
from continuum.journal.limits import LOOKED_AT_TO_COUNT
from continuum.journal.operation_facts import EXAMPLES, CountedChange, RunCount
from continuum.journal.operation_reasons import reasons_of
from continuum.journal.postgres.conditions import Condition, condition_of
from continuum.journal.postgres.connections import Database
from continuum.journal.postgres.queries import SELDOM
from continuum.journal.postgres.run_scans import Scan

_OPEN = frozenset({RunState.RUNNING, RunState.SUSPENDED, RunState.BLOCKED})


async def count_runs(
    database: Database, query: Query, most: int, change: CountedChange | None = None
) -> RunCount:
    """Return how many runs meet the conditions of a query, up to `most`, and some of them.

    What an index leads to is looked at alone; of a source that has many runs, the first ones.
    """
    conditions = [condition_of(*condition) for condition in query.where]
    if query.namespace is not None:
        conditions.append(condition_of("namespace", "eq", query.namespace))
    by = [_seldom(each) for each in conditions if _leads_to_few(each)]
    states = next(
        (each.value for each in conditions if each.field == "state" and each.operator == "in"), RunState
    )
    is_open = not by and set(states) <= _OPEN
    scan = Scan(f'"{database.statements.schema}"', "", "id", descending=False, limit=most)
    source = f"({database.statements['open_runs' if is_open else 'all_runs'].decode()})"
    rest = [each for each in conditions if not _leads_to_few(each)]
    skipped = "NULL::jsonb"
    if change is not None:
        action, arguments = scan.bind(change.action), scan.bind(json.dumps(change.arguments))
        whys = f"{scan.schema}.why_unchanged({action}, {arguments}::jsonb, c.ids)"
        skipped = f"""(
            SELECT {scan.schema}.with_reasons(
                '[]', s.ids, array_fill('skipped'::text, ARRAY[cardinality(s.ids)]), s.whys)
            FROM (
                SELECT array_agg(w.id ORDER BY w.id) AS ids, array_agg(w.why ORDER BY w.id) AS whys
                FROM unnest(c.ids, {whys}) AS w (id, why)
                WHERE w.why IS NOT NULL
            ) s WHERE s.ids IS NOT NULL)"""
    looked = f"{source} r WHERE {scan.all_of(by)} LIMIT {LOOKED_AT_TO_COUNT}"
    text = f"""
        WITH found AS MATERIALIZED (
            SELECT l.id FROM (SELECT r.id, ({scan.all_of(rest)}) AS meets FROM {looked}) l
            WHERE l.meets LIMIT {most + 1}
        )
        SELECT (extract(epoch FROM statement_timestamp()) * 1000000)::bigint, (SELECT count(*) FROM found),
               ARRAY(SELECT f.id::text FROM found f ORDER BY f.id LIMIT {EXAMPLES}),
               (SELECT count(*) FROM found) <= {most}
               AND (SELECT count(*) FROM (SELECT FROM {looked}) l) = {LOOKED_AT_TO_COUNT}, {skipped}
        FROM (SELECT ARRAY(SELECT f.id FROM found f ORDER BY f.id LIMIT {most}) AS ids) c"""
    ((at, number, first, unfinished, reasons),) = await database.fetch_text(text.encode(), scan.parameters)
    return RunCount(
        at,
        min(number, most),
        number > most or unfinished,
        LOOKED_AT_TO_COUNT if unfinished else None,
        tuple(map(RunId, first)),
        reasons_of(reasons),
    )


def _leads_to_few(condition: Condition) -> bool:
    """Whether an index leads to the runs that meet the condition, mostly few."""
    if condition.operator not in ("eq", "in") or condition.value is None:
        return False
    if condition.field in ("id", "parent", "root", "failure"):
        return True
    if condition.field == "state":
        return set(condition.values() or ()) <= set(SELDOM)
    return condition.by_attribute


def _seldom(condition: Condition) -> Condition:
    """Return a condition on states as the index of those spells it that runs enter once."""
    if condition.field != "state":
        return condition
    states = [int(state) for state in condition.values() or ()]
    return Condition("state", "in", states, "r.seldom = ANY (%s)", [states])
