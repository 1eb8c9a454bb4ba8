"""An operation whose process is killed twice is continued by the next one, and changes each run once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, LiteralString, NamedTuple

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


class Killed(NamedTuple):
    """An operation that was killed, and what its last process printed; `ask` asks the database."""

    operation: str
    out: str
    err: str
    ask: Callable[..., list[tuple[Any, ...]]]


@contextmanager
def killed_twice(
    dsn: str, schema: str, fill: LiteralString, runs: int, arguments: Sequence[str], kills: Sequence[int]
) -> Iterator[Killed]:
    """Execute an operation on so many runs, killing its process once each of `kills` is done."""
    with psycopg.connect(dsn, autocommit=True) as connection:

        def ask(text: LiteralString, **facts: Any) -> list[tuple[Any, ...]]:
            given = {name: Literal(value) for name, value in facts.items()}
            cursor = connection.execute(SQL(text).format(schema=Identifier(schema), **given))
            return cursor.fetchall() if cursor.description else []

        def done() -> int:
            rows = ask("select done from {schema}.operations")
            return int(rows[0][0]) if rows else 0

        ask(fill, runs=runs)
        for reached in kills:
            process = command(dsn, schema, *arguments)
            eventually(lambda: done() >= reached, f"never reached {reached}")  # noqa: B023 - called at once
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
            ((operation, state),) = ask("select id::text, state from {schema}.operations")
            assert (state, done() < runs) == ("running", True)
            # The lease of a dead process runs out by itself; not to wait for that, it ends here. The server
            # may have a last statement of the process still, which the token keeps from renewing the lease.
            ask("update {schema}.operations set leased_until = now(), token = token + 1")
            arguments = ("operations", "resume", operation)
        out, err = command(dsn, schema, *arguments).communicate()
        yield Killed(operation, out, err, ask)


def test_p22_an_operation_survives_kills_and_changes_each_run_once(dsn: str, schema: str) -> None:
    # So slow that its process is killed before it has done all, on a busy machine too.
    cancel = ("runs", "cancel", "--find", "workflow:parked", "--yes", "--rate", "1000")
    with killed_twice(dsn, schema, FILL, RUNS, cancel, (500, 1_000)) as killed:
        assert (killed.out, killed.err) == (
            f"operation {killed.operation} is completed: {RUNS:,} done, 0 skipped, 0 failed\n",
            "",
        )
        assert killed.ask(RECORD) == [(RUNS, RUNS, RUNS)]
        assert killed.ask(MAIL) == [(RUNS, RUNS)]


@pytest.mark.parametrize(
    ("action", "options"), [("restart", ()), ("fork", ("--at", "0"))], ids=["restart", "fork"]
)
def test_p22_an_operation_survives_kills_and_cuts_each_run_once(
    dsn: str, schema: str, action: str, options: tuple[str, ...]
) -> None:
    # A run that is made is found by the search as well.
    cut = ("runs", action, *options, "--find", "workflow:broken", "--yes", "--rate", "150")
    with killed_twice(dsn, schema, FAILED, CUT_RUNS, cut, (50, 100)) as killed:
        assert killed.out.startswith(f"operation {killed.operation} is completed: {CUT_RUNS:,} done, ")
        assert killed.ask(CUTS) == [(CUT_RUNS, CUT_RUNS, CUT_RUNS)]
        assert killed.ask(MADE) == [(CUT_RUNS,)]
        assert killed.ask("select count(*) from {schema}.runs") == [(2 * CUT_RUNS,)]
