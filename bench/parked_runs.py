"""Many runs made by SQL in the engine's form, to see what reads cost in a database that has grown.

Of every 30 runs 20 are parked, 10 have ended; a third have attributes, a fortieth have mail, half have a
delivery. One in 3,000 has failed, one in 9,000 is blocked, one in 10,000 has a workflow of its own. Histories
have one event. Everything follows from the number of a run.
"""

from __future__ import annotations

import psycopg
from psycopg.sql import SQL, Identifier

from continuum.engine.ids import NodeId, WorkerId
from continuum.journal.port import Worker

_RUNS = """
create function {schema}.run_number(n bigint) returns uuid language sql immutable
    as $$ select (lpad(to_hex(1700000000000 + n), 12, '0') || substr(md5(n::text), 1, 20))::uuid $$;
insert into {schema}.runs (id, workflow, version, namespace, state, due_at, asleep, input, result, error,
                           reason, attributes, started_at, updated_at, completed_at, attempt, fresh)
select {schema}.run_number(n),
       case when n % 10000 = 7 then 'rare' when n % 10 = 0 then 'other' || n % 20 else 'flow' || n % 5 end,
       case when n % 10 = 3 then 'old' || n % 5 else 'v1' end,
       (array['default', 'eu', 'us', 'asia'])[n % 4 + 1],
       case when failed then 5 when blocked then 3 when ended then 4 else 2 end,
       case when not (failed or blocked or ended) and n % 4 = 1
            then now() + interval '1 day' * (1 + n % 30) end,
       not (failed or blocked or ended) and n % 4 = 1,
       '\\x92c4019080'::bytea, case when ended and not failed and not blocked then '\\xc0'::bytea end,
       case when failed then '\\x93a141a142a0'::bytea end, case when blocked then 'odd' end,
       case when n % 3 = 0 then jsonb_build_object('customer', n % 20000, 'vip', n % 2 = 0) else '{{}}' end,
       at, at, case when (failed or ended) and not blocked then now() - interval '2 days' end, 1, false
from generate_series(1, %(runs)s) n,
     lateral (select n % 3 = 2 as ended, n % 3001 = 5 as failed, n % 9001 = 11 as blocked,
                     now() - interval '1 ms' * (%(runs)s - n) as at) facts
"""
_REST = """
insert into {schema}.events (run_id, seq, type, at, payload)
select id, 1, 1, started_at, '\\x90'::bytea from {schema}.runs;
insert into {schema}.inbox (run_id, kind, name, payload)
select {schema}.run_number(n), 1, 'go', '\\x91c400'::bytea from generate_series(1, %(runs)s, 40) n;
insert into {schema}.deliveries (run_id, name, delivery_id)
select {schema}.run_number(n), 'go', 'a' || n from generate_series(1, %(runs)s, 2) n
"""


def park_runs(dsn: str, schema: str, runs: int) -> None:
    """Fill an empty schema with so many runs, and let the planner know them."""
    with psycopg.connect(dsn, autocommit=True) as connection, psycopg.ClientCursor(connection) as cursor:
        for part in (_RUNS, _REST):
            # Percent signs of the text are no placeholders.
            text = part.replace("%", "%%").replace("%%(runs)s", "%(runs)s")
            cursor.execute(SQL(text).format(schema=Identifier(schema)), {"runs": runs})
        for table in ("runs", "events", "inbox", "deliveries"):
            cursor.execute(SQL("vacuum analyze {}").format(Identifier(schema, table)))


def owner_of_some(dsn: str, schema: str, runs: int) -> Worker:
    """Make a worker that owns about two thirds of so many parked runs, those with mail among them."""
    text = SQL("""
        with worker as (
            insert into {schema}.workers (node, role, pid, expires_at)
            values ('north', 'run_host', 1, now() + interval '1 day') returning id
        ), owned as (
            update {schema}.runs set owner = (select id from worker)
            where id = any (array(select {schema}.run_number(n) from generate_series(1, 3 * %s, 3) n))
              and state = 2
        )
        select id from worker
    """).format(schema=Identifier(schema))
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute(text, (runs,)).fetchone()
        connection.execute(SQL("analyze {}").format(Identifier(schema, "runs")))
    assert row is not None
    return Worker(WorkerId(row[0]), NodeId("north"))
