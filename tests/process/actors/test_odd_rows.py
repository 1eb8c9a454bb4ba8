"""I11: an odd value in any row lets other runs continue, and the tools show the rest.

Every column of every table gets odd values, one after the other, in rows of one run, of a lost worker or of a
lost node. The columns and their types are read from the database, so a new column is in the test at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from typing import NamedTuple

import psycopg
import pytest
from psycopg.sql import SQL, Identifier, Literal

import continuum
from continuum import RunHandle, Signal, activity, workflow
from continuum.engine.events import EventType
from continuum.engine.ids import RunId
from continuum.journal.port import Journal
from continuum.journal.stat_port import StatsWanted
from continuum.operations.audit import audit_page
from continuum.operations.json_text import to_json
from continuum.operations.operation_lists import operation_page
from continuum.settings.settings import Settings
from tests.process.actors.controlling import control_on
from tests.process.actors.hosting import DEADLINE_S, LONG_LEASE_S, Stage, stage

go = Signal("go", str)

TIMES = ("'infinity'", "'-infinity'", "'290000-01-01'", "'4000-01-01 BC'")
JSON = ("'null'", "'7'", "'[1]'", "'{{\"a\": 1}}'", '\'[["run_host", "x"]]\'')
BYTES = ("''", "'\\xc1'", "'\\x0193'", "'\\xffffffffffffffff'")
ODD: dict[str, Sequence[str]] = {
    "timestamp with time zone": TIMES,
    "smallint": ("32767", "-32768", "0"),
    "integer": ("2147483647", "-2147483648"),
    "bigint": ("9223372036854775807", "-9223372036854775808"),
    "double precision": ("'Infinity'", "'-Infinity'", "'NaN'", "1e12"),
    "jsonb": JSON,
    "json": JSON,
    "bytea": BYTES,
    "text": ("''", "'99999999999999999999'", "repeat('x', 100000)"),
    "ARRAY": ("'{{}}'", "'{{NULL}}'"),
    "boolean": ("true", "false"),
    "uuid": ("'00000000-0000-0000-0000-000000000000'",),
}
# How the rows of the odd run, worker or node are found.
ROWS = {
    "runs": "id = {run}",
    "workers": "node = 'ghost'",
    "nodes": "node = 'ghost'",
    "versions": "workflow = 'odd.other'",
    "activity_results": "run_id = {run}",
    "published_values": "root = {run}",
    "state_change_log": "true",
    "audit": "subject = {run}",
    "health_reviews": "fingerprint = {run}",
    "operations": "namespace = {run}",
    "pauses": "name = {run}",
    "forks": "family = {run}",
    "node_reports": "node = 'north'",
    "secrets": "name = 'observer'",
    "views": "name = 'failed'",
    "stats": "subject = {run}",
}
# The engine reads none of it.
NOT_OURS = ("migrations",)
# Another value is another run or no run at all, or the case sets it so that the run is claimed.
IDENTITIES = {("runs", "id"), ("runs", "workflow"), ("runs", "namespace"), ("runs", "owner")}


@activity(name="odd.near")
async def near(number: int) -> int:
    """Run in the host."""
    return number


@activity(name="odd.far", queue="far")
async def far(number: int) -> int:
    """Run as a task."""
    return number


@workflow(name="odd.child")
async def child() -> str:
    """Wait for a signal."""
    return await go.wait()


@workflow(name="odd.parent")
async def parent(number: int) -> int:
    """Have an event, a row or a value of every kind."""
    continuum.publish("stage", "begun")
    started = await child.start_child()
    total = (
        await near(number) + await near.options(idempotency_key=f"key {number}")(number) + await far(number)
    )
    await continuum.sleep(0.001)
    await go.wait()
    del started
    return total


@workflow(name="odd.sound")
async def sound(number: int) -> int:
    """Use everything that an odd run may disturb."""
    await continuum.sleep(0.001)
    continuum.publish("stage", "begun")
    return await near(number) + await far(number)


class Case(NamedTuple):
    """An odd value for a column, and how the run is meanwhile."""

    table: str
    column: str
    value: str
    mode: str


# Without an owner and due; owned by a worker that has died; ended.
PARKED = "update {schema}.runs set owner = null, state = 2, due_at = null where id = {run};"
ORPHANED = """
update {schema}.runs set owner = (select max(id) from {schema}.workers where node = 'ghost') where id = {run};
update {schema}.tasks set claimed_at = now(),
    owner = (select max(id) from {schema}.workers where node = 'ghost') where run_id = {run};
"""
ENDED = """
update {schema}.runs set owner = null, state = 4, due_at = null, completed_at = now(), retain_until = now()
    where id = {run};
"""
MODES = {"parked": PARKED, "orphaned": ORPHANED, "ended": ENDED}
# The tables whose rows have to do with the owner of a run.
OWNED = ("runs", "tasks")
# The tables with one row for all cases.
SHARED = ("workers", "nodes", "node_reports", "secrets", "views", "versions", "state_change_log")
BATCH = 10
PLACE = """
insert into {schema}.workers (node, role, pid, expires_at)
    values ('ghost', 'run_host', 1, now() - interval '1 s');
insert into {schema}.nodes (node, pid, address, state)
    values ('ghost', 1, 'local', 'up') on conflict do nothing;
insert into {schema}.node_reports
    values ('north', now() + interval '1 minute', 1, 0, '{{}}', now(), '[]', now());
insert into {schema}.secrets values ('observer', 'secret') on conflict do nothing;
insert into {schema}.views values ('failed', 'q=state%3Afailed', 'ann') on conflict do nothing;
insert into {schema}.versions (workflow, version, label, module, registered_at)
    values ('odd.other', 'v', '1', 'nowhere', now()) on conflict do nothing;
insert into {schema}.inbox (run_id, kind, name, payload)
    values ({run}, 1, 'other', ''), ({run}, 4, '2', ''), ({run}, 8, '1', '\\x0193a0a0a0');
insert into {schema}.tasks
    (run_id, seq, dispatch, attempt, queue, priority, isolated, activity, arguments, timeout)
    values ({run}, 99, 1, 1, 'far', 0, false, 'odd.far', '', 1);
insert into {schema}.heartbeats values ({run}, 2, '');
insert into {schema}.deliveries values ({run}, 'go', 'delivery');
insert into {schema}.refusals (run_id, version, reason, fault)
    values ({run}, 'v', 'drift', '{{"kind": "drift"}}');
insert into {schema}.state_changes (run_id, state, at) values ({run}, 2, now());
insert into {schema}.audit (id, at, actor, via, action, subject, arguments, outcome)
    values (gen_random_uuid(), now(), 'ann', 'cli', 'signal', {run}, '{{}}', 'done');
insert into {schema}.operations (id, action, arguments, search, namespace, until, expected, actor, via)
    values (gen_random_uuid(), 'cancel', '{{}}', 'state:open', {run}, now(), '1 run', 'ann', 'cli');
insert into {schema}.pauses (kind, name, namespace) values ('workflow', {run}, '');
insert into {schema}.forks (fork, family, origin, root, events)
    values (gen_random_uuid(), {run}, {run}, {run}, 1);
insert into {schema}.stats (period, since, metric, subject, outcome, number, total, buckets)
    select p, case p when 0 then 'epoch' else date_bin(p * interval '1 s', now(), 'epoch') end,
           'queue.wait', {run}, '', 1, 1, '{{1}}'
    from unnest(array[0, 60, 3600]) p;
insert into {schema}.health_reviews (fingerprint, code, subject, reviewer)
    values ({run}, 'blocked', 'odd', 'ann');
insert into {schema}.snapshots (run_id, first_seq, events, format, version, payload)
    select id, 0, 1, 2, version, '\\x93' from {schema}.runs where id = {run};
"""
RELEASE = """
update {schema}.runs set due_at = now() where id = {run} and owner is null and state = 2 and due_at is null;
notify {channel};
"""
CLEAR = """
delete from {schema}.workers where node = 'ghost';
delete from {schema}.nodes where node = 'ghost';
delete from {schema}.node_reports;
delete from {schema}.secrets;
delete from {schema}.views;
delete from {schema}.versions where workflow = 'odd.other';
delete from {schema}.state_changes;
delete from {schema}.audit;
delete from {schema}.operations;
delete from {schema}.pauses;
delete from {schema}.forks;
delete from {schema}.stats;
update {schema}.state_change_log set read_at = now(), removed = 0;
"""


async def cases_of(on: Stage) -> list[Case]:
    """Return every odd value for every column of the schema."""
    rows = await on.sql(
        "select c.table_name, c.column_name, c.data_type from information_schema.columns c"
        " join information_schema.tables t using (table_schema, table_name)"
        " where c.table_schema = %s and t.table_type = 'BASE TABLE' and c.is_identity = 'NO'"
        " and c.is_generated = 'NEVER'"
        " order by c.table_name, c.ordinal_position",
        on.schema,
    )
    return [
        Case(table, column, value, mode)
        for table, column, kind in rows
        if table not in NOT_OURS and (table, column) not in IDENTITIES
        for value in ODD[kind]
        for mode in (MODES if table in OWNED else ("parked",))
    ]


def batches_of(cases: Sequence[Case]) -> Iterator[list[tuple[int, Case]]]:
    """Yield cases, with their numbers, that do not meet in one row: those of runs together."""
    batch: list[tuple[int, Case]] = []
    for number, case in enumerate(cases):
        if batch and (len(batch) == BATCH or case.table in SHARED or batch[-1][1].table in SHARED):
            yield batch
            batch = []
        batch.append((number, case))
    yield batch


async def at_their_last_step(on: Stage, number: int) -> list[RunHandle[int]]:
    """Return runs that have done everything but the end."""
    runs = [await on.client.start(parent, each) for each in range(number)]

    async def all_wait() -> bool:
        histories = await on.journal.load([RunId(run.id) for run in runs])
        return all(EventType.TIMER_FIRED in {event.type for event in events} for events in histories.values())

    await on.until(all_wait, "not all timers have fired")
    return runs


async def execute(on: Stage, run: str, *texts: str) -> bool:
    """Execute SQL about a run in one transaction; False if a constraint refuses the odd value."""
    try:
        async with await psycopg.AsyncConnection.connect(on.dsn) as connection:
            for text in texts:
                statement = SQL(text).format(
                    schema=Identifier(on.schema), run=Literal(run), channel=Identifier(f"{on.schema}.work")
                )
                await connection.execute(statement)
    except (psycopg.errors.IntegrityError, psycopg.errors.ProgramLimitExceeded):
        return False
    return True


async def make_odd(on: Stage, case: Case, run: str) -> bool:
    """Write an odd value into the rows of a run, and let nodes see them; False if the database refuses it."""
    change = f"update {{schema}}.{case.table} set {case.column} = {case.value}"
    where = ROWS.get(case.table, "run_id = {run}")
    return await execute(on, run, PLACE, MODES[case.mode], f"{change} where {where}", RELEASE)


async def recover(on: Stage) -> None:
    """Retire workers as a node does whose recovery finds their leases expired."""
    for worker in await on.journal.expired_workers():
        await on.journal.retire_worker(worker, executing=None, poison_after=3, only_expired=True)


async def first_change(client: continuum.Client) -> None:
    """Read the feed up to a change of a run that is sound."""
    async with asyncio.timeout(DEADLINE_S), aclosing(client.events()) as changes:
        async for change in changes:
            if (change.workflow, change.state) == (sound.name, "completed"):
                return


async def all_changes(journal: Journal) -> None:
    """Read the record of changes page by page, as the command line prints it."""
    cursor: str | None = None
    while True:
        page = await audit_page(journal, limit=3, cursor=cursor)
        to_json(page)
        cursor = page.next_cursor
        if cursor is None:
            return


async def all_operations(journal: Journal) -> None:
    """Read all operations, page after page, as the command line shows them."""
    cursor: str | None = None
    while True:
        page = await operation_page(journal, limit=3, cursor=cursor)
        to_json(page)
        cursor = page.next_cursor
        if cursor is None:
            return


async def all_statistics(journal: Journal) -> None:
    """Add to every series that there is, as a node does, and read them all."""
    known = await journal.stat_totals()
    await journal.renew([], 1.0, None, counted=[tally._replace(number=1, buckets=(1, 2)) for tally in known])
    since = journal.now() - 3600 * 1_000_000
    for step in (None, 60):
        await journal.stats(StatsWanted(since, since + 2 * 3600 * 1_000_000, ["queue.wait"], step=step))


async def faults_of_tools(on: Stage) -> AsyncIterator[str]:
    """Yield what fails of the tools that read more than one row."""
    client, journal = on.client, on.journal
    for call in (
        client.query(),
        client.query(where=[("state", "eq", "blocked")], limit=100),
        client.nodes(),
        client.pauses(),
        first_change(client),
        journal.versions(),
        recover(on),
        journal.renew([], 1.0, None),
        all_statistics(journal),
        journal.sweep(),
        journal.odd_rows(),
        all_changes(journal),
        all_operations(journal),
        on.sql("select id::text from {schema}.runs_readable"),
    ):
        try:
            await call
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a fault
            yield f"{error!r:.200}"


async def faults_of_run(on: Stage, run: RunHandle[int]) -> AsyncIterator[str]:
    """Yield what fails of the tools for one run; an error of ours is an answer."""
    client, journal = on.client, on.journal
    for call in (
        client.query(where=[("parent_run_id", "eq", run.id)]),
        client.get_run(run.id),
        client.history(run.id),
        client.cut(run.id, "fork", at=1),
        client.read(run.id, "stage"),
        journal.refusals(RunId(run.id)),
        run.signal(go, "yes"),
        run.result(0.001),
        client.unblock(run.id),
        journal.delete_versions([("odd.other", "v")]),
    ):
        try:
            await call
        except (continuum.ContinuumError, TimeoutError):
            continue
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a fault
            yield f"{error!r:.200}"


def faults_in(records: Sequence[logging.LogRecord]) -> Iterator[str]:
    """Yield the records that are more than one line about a run."""
    for record in records:
        if record.exc_info or (record.levelno >= logging.ERROR and record.name != "continuum.runs"):
            yield f"the log: {record.getMessage():.200} {record.exc_info and record.exc_info[1]!r:.200}"


@pytest.mark.slow
async def test_i11_an_odd_value_in_any_column_stops_no_other_run_and_no_tool(
    dsn: str, schema: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with stage(dsn, schema) as on:
        tree = await on.tree(parent, child, sound, settings=Settings(lease_ttl=LONG_LEASE_S, poll=0.1))
        control = await control_on(on, ttl=LONG_LEASE_S)
        heartbeater = control.registry.whereis("heartbeater")
        assert heartbeater is not None
        supervised = [*tree.supervisor.which_children(), *control.supervisor.which_children()]
        wrong: list[str] = []
        cases = await cases_of(on)
        runs = await at_their_last_step(on, len(cases))
        for batch in batches_of(cases):
            caplog.clear()
            odd = [(case, runs[each]) for each, case in batch if await make_odd(on, case, runs[each].id)]
            heartbeater.cast(None)
            number = batch[0][0]
            other = await on.client.start(sound, number)
            assert await other.result(DEADLINE_S) == 2 * number, odd
            for case, run in odd:
                wrong += [f"{case}: {fault}" async for fault in faults_of_run(on, run)]
            wrong += [f"{odd}: {fault}" async for fault in faults_of_tools(on)]
            wrong += [f"{odd}: {fault}" for fault in faults_in(caplog.records)]
            assert await execute(on, runs[number].id, CLEAR)
        assert wrong == []
        assert [*tree.supervisor.which_children(), *control.supervisor.which_children()] == supervised
