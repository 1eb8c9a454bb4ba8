"""Repairs of indexes, while nodes work.

An index that is built beside writers cannot be built in a transaction with a row of the audit. So there
are two rows: ``begun`` before the first statement, and ``done`` or ``failed`` after the last. Where only
the first is there, the process of the repair was killed, and nobody knows what came of it but the index.
"""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
from psycopg.sql import Identifier

import continuum_migrations
from continuum.errors import NotRepairable
from continuum.journal.audit_facts import AuditFacts, ChangeOutcome
from continuum.journal.index_mends import IndexFacts, IndexRepair, IndexStep
from continuum.journal.limits import MIGRATION_SECONDS
from continuum.journal.postgres.changes import stored_facts
from continuum.journal.postgres.driver_errors import PASSING, first_line
from continuum.journal.postgres.schema import schema_connection
from continuum.journal.postgres.statements import Statements, statements_for
from continuum.journal.postgres.watched_connection import WatchedConnection
from continuum_migrations import ExpectedIndex


def index_statement(step: IndexStep, schema: str, name: str, expected: ExpectedIndex) -> str:
    """Return the statement of a step, whose definition is that of this package."""
    index, named = Identifier(schema, name).as_string(None), Identifier(name).as_string(None)
    table = Identifier(schema, expected.table).as_string(None)
    match step:
        case IndexStep.BUILD:
            unique = "UNIQUE " if expected.unique else ""
            return f"CREATE {unique}INDEX CONCURRENTLY {named} ON {table} {expected.definition}"
        case IndexStep.REBUILD:
            return f"REINDEX INDEX CONCURRENTLY {index}"
        case IndexStep.ATTACH:
            return f"ALTER TABLE {table} ADD CONSTRAINT {named} PRIMARY KEY USING INDEX {named}"
        case IndexStep.DROP:
            return f"DROP INDEX CONCURRENTLY {index}"


async def index_facts(dsn: str, schema: str, name: str, expected: ExpectedIndex) -> IndexFacts:
    """Return what is stored about an index at this moment; the schema is that of this code."""
    async with schema_connection(dsn, MIGRATION_SECONDS) as connection:
        await continuum_migrations.check(connection, schema)
        return await _index_facts(connection, statements_for(schema), name, expected)


async def repair_index(
    dsn: str, schema: str, repair: IndexRepair, *, begun: AuditFacts | None, ended: AuditFacts | None
) -> ChangeOutcome:
    """Do what the repair decides, and record that it begins, and how it ends.

    `NotRepairable` if the server refuses a step, or if there is something to do afterwards.
    """
    statements = statements_for(schema)
    async with schema_connection(dsn, MIGRATION_SECONDS) as connection:
        async with connection.transaction():
            decision = repair.decide(await _facts(connection, statements, repair))
            begins = decision.outcome is ChangeOutcome.DONE
            first = ChangeOutcome.BEGUN if begins else decision.outcome
            await _record(connection, statements, begun, first)
        if not begins:
            return decision.outcome
        why = await _carried_out(connection, schema, repair, decision.steps)
        if why is None:
            again = repair.decide(await _facts(connection, statements, repair))
            if again.outcome is not ChangeOutcome.ALREADY:
                why = "somebody else changes it as well; see `continuum doctor`"
        end = ChangeOutcome.DONE if why is None else ChangeOutcome.FAILED
        await _record(connection, statements, ended, end)
    if why is not None:
        raise NotRepairable(repair.code, repair.name, why)
    return end


async def _carried_out(
    connection: WatchedConnection, schema: str, repair: IndexRepair, steps: Sequence[IndexStep]
) -> str | None:
    """Take the steps, and return why the server refused one, None if it did not.

    An error that may pass is raised: the connection that would record it may be lost.
    """
    try:
        for step in steps:
            await connection.execute(index_statement(step, schema, repair.name, repair.expected).encode())
    except psycopg.errors.UniqueViolation as error:
        return (
            f"several rows have the same key ({first_line(error)}); `continuum verify` names runs with "
            "the same idempotency key. What was built stays, invalid, and keeps further ones out"
        )
    except psycopg.errors.DuplicateTable:
        return "somebody else has made it meanwhile; see `continuum doctor`"
    except psycopg.Error as error:
        if error.sqlstate is None or error.sqlstate[:2] in PASSING:
            raise
        return f"Postgres refuses it ({first_line(error)}); see `continuum doctor`"
    return None


async def _facts(connection: WatchedConnection, statements: Statements, repair: IndexRepair) -> IndexFacts:
    return await _index_facts(connection, statements, repair.name, repair.expected)


async def _index_facts(
    connection: WatchedConnection, statements: Statements, name: str, expected: ExpectedIndex
) -> IndexFacts:
    given = {"schema": statements.schema, "table": expected.table, "name": name}
    cursor = await connection.execute(statements["ground_index"], given)
    row = await cursor.fetchone()
    assert row is not None
    return IndexFacts(*row)


async def _record(
    connection: WatchedConnection, statements: Statements, audit: AuditFacts | None, outcome: ChangeOutcome
) -> None:
    if audit is not None:
        await connection.execute(statements["record_repair"], (stored_facts(audit), outcome.value))
