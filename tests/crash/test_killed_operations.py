"""An operation whose process is killed twice is continued by the next one, and changes each run once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg.sql import SQL, Identifier, Literal

from tests.process.node.nodes import eventually

RUNS = 3_000
FILL = """
insert into {schema}.runs (id, workflow, version, namespace, state, input)
select gen_random_uuid(), 'parked', 'v1', 'default', 2, '' from generate_series(1, {runs})
"""
RECORD = """
select count(*), count(distinct subject), count(*) filter (where outcome = 'done' and action = 'cancel')
from {schema}.audit where arguments ? 'operation'
"""
CUT_RUNS = 300
FAILED = """
insert into {schema}.runs (id, workflow, version, namespace, state, input, error, completed_at)
select gen_random_uuid(), 'broken', 'v1', 'default', 5, '', '', now() from generate_series(1, {runs})
"""
CUTS = """
select count(*), count(distinct subject), count(distinct arguments ->> 'new_run')
from {schema}.audit where arguments ? 'operation' and outcome = 'done'
"""
MADE = """
select count(*) from {schema}.runs r join {schema}.events e on e.run_id = r.id
where r.workflow = 'broken' and e.seq = 0
"""
MAIL = "select count(*), count(distinct run_id) from {schema}.inbox where kind = 6"


def command(dsn: str, schema: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a command line in a process of its own."""
    line = [sys.executable, "-m", "continuum.cli", *arguments, "--dsn", dsn, "--schema", schema]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_p22_an_operation_survives_kills_and_changes_each_run_once(dsn: str, schema: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:

        def ask(text: LiteralString, **facts: Any) -> list[tuple[Any, ...]]:
            given = {name: Literal(value) for name, value in facts.items()}
            cursor = connection.execute(SQL(text).format(schema=Identifier(schema), **given))
            return cursor.fetchall() if cursor.description else []

        def done() -> int:
            rows = ask("select done from {schema}.operations")
            return int(rows[0][0]) if rows else 0

        ask(FILL, runs=RUNS)
        arguments: tuple[str, ...] = (
            "runs",
            "cancel",
            "--find",
            "workflow:parked",
            "--yes",
            "--rate",
            "2000",
        )
        for reached in (500, 1_500):
            process = command(dsn, schema, *arguments)
            eventually(lambda: done() >= reached, f"never reached {reached}")  # noqa: B023 - called at once
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
            ((operation, state),) = ask("select id::text, state from {schema}.operations")
            assert (state, done() < RUNS) == ("running", True)
            # The lease of a dead process runs out by itself; not to wait for that, it ends here.
            ask("update {schema}.operations set leased_until = now()")
            arguments = ("operations", "resume", operation)
        out, err = command(dsn, schema, *arguments).communicate()

        assert (out, err) == (
            f"operation {operation} is completed: {RUNS:,} done, 0 skipped, 0 failed\n",
            "",
        )
        assert ask(RECORD) == [(RUNS, RUNS, RUNS)]
        assert ask(MAIL) == [(RUNS, RUNS)]


@pytest.mark.parametrize(
    ("action", "options"), [("restart", ()), ("fork", ("--at", "0"))], ids=["restart", "fork"]
)
def test_p22_an_operation_survives_kills_and_cuts_each_run_once(
    dsn: str, schema: str, action: str, options: tuple[str, ...]
) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:

        def ask(text: LiteralString, **facts: Any) -> list[tuple[Any, ...]]:
            given = {name: Literal(value) for name, value in facts.items()}
            cursor = connection.execute(SQL(text).format(schema=Identifier(schema), **given))
            return cursor.fetchall() if cursor.description else []

        def done() -> int:
            rows = ask("select done from {schema}.operations")
            return int(rows[0][0]) if rows else 0

        ask(FAILED, runs=CUT_RUNS)
        # A run that is made is found by the search as well.
        arguments: tuple[str, ...] = ("runs", action, *options, "--find", "workflow:broken", "--yes")
        for reached in (50, 150):
            process = command(dsn, schema, *arguments)
            eventually(lambda: done() >= reached, f"never reached {reached}")  # noqa: B023 - called at once
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
            ((operation, state),) = ask("select id::text, state from {schema}.operations")
            assert (state, done() < CUT_RUNS) == ("running", True)
            # The lease of a dead process runs out by itself; not to wait for that, it ends here.
            ask("update {schema}.operations set leased_until = now()")
            arguments = ("operations", "resume", operation)
        out, _ = command(dsn, schema, *arguments).communicate()

        assert out.startswith(f"operation {operation} is completed: {CUT_RUNS:,} done, ")
        assert ask(CUTS) == [(CUT_RUNS, CUT_RUNS, CUT_RUNS)]
        assert ask(MADE) == [(CUT_RUNS,)]
        assert ask("select count(*) from {schema}.runs") == [(2 * CUT_RUNS,)]
