"""What `continuum health` costs in a large database: no function of it reads a whole table."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

QUESTIONS = (
    "overdue_runs(now(), 100, 10000, 50000)",
    "blocked_groups(10000)",
    "lost_wakes(200)",
    "runs_for_nothing(now(), 10000)",
    "expired_owners(now(), 100, 10000)",
    "overdue_tasks(now(), 100, 10000)",
    "quarantined(10000)",
    "old_pauses(now(), 20, 1000)",
    "queue_loads(100, 10000)",
    "open_work(NULL, 1000, 50)",
    "open_work('flow1', 1000, 50)",
)


# The table of runs has ten times as many.
FEW_PAGES = 1_000


def asked(dsn: str, schema: str, question: str) -> tuple[list[tuple[Any, ...]], int, int]:
    """Return the rows of a question, how often it has read all of a table, and how many pages it reads."""
    text = SQL("select * from {}." + question).format(Identifier(schema))
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(text).fetchall()
        (scans,) = connection.execute(
            "select coalesce(sum(seq_scan), 0)::int from pg_stat_xact_all_tables "
            "where schemaname = %s and relname in ('runs', 'tasks', 'events', 'inbox')",
            (schema,),
        ).fetchall()
        ((plan,),) = connection.execute(
            SQL("explain (analyze, buffers, format json) {}").format(text)
        ).fetchall()
        read = plan[0]["Plan"]
        return rows, scans[0], read["Shared Hit Blocks"] + read["Shared Read Blocks"]


@pytest.mark.parametrize("question", QUESTIONS)
def test_no_question_reads_a_whole_table(session_dsn: str, grown: str, question: str) -> None:
    _, scans, pages = asked(session_dsn, grown, question)
    assert scans == 0
    assert pages < FEW_PAGES


def test_counts_end_at_their_limit(session_dsn: str, grown: str) -> None:
    rows, _, _ = asked(session_dsn, grown, "blocked_groups(5)")
    assert {more for _, _, _, more, *_ in rows} == {True}
