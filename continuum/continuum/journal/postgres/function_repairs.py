"""Creates functions of the schema again, in one transaction with the row of the audit.

All functions are created: one that is missing may be called by another, whose text the server checks. The
ledger of the migrations stays as it is, because it tells older text from newer.
"""

from __future__ import annotations

from collections.abc import Callable

import continuum_migrations
from continuum.journal.audit_facts import AuditFacts, ChangeOutcome
from continuum.journal.limits import MIGRATION_SECONDS
from continuum.journal.postgres.changes import stored_facts
from continuum.journal.postgres.schema import schema_connection
from continuum.journal.postgres.statements import Statements, statements_for
from continuum.journal.postgres.watched_connection import WatchedConnection


async def present_functions(dsn: str, schema: str) -> frozenset[str]:
    """Return the names of the functions of a schema, which is that of this code."""
    async with schema_connection(dsn, MIGRATION_SECONDS) as connection:
        await continuum_migrations.check(connection, schema)
        return await _present(connection, statements_for(schema))


async def restore_functions(
    dsn: str,
    schema: str,
    decide: Callable[[frozenset[str]], ChangeOutcome],
    *,
    audit: AuditFacts | None,
) -> ChangeOutcome:
    """Create the functions again, if `decide` says ``done`` of those there are, and record what it says."""
    statements = statements_for(schema)
    async with schema_connection(dsn, MIGRATION_SECONDS) as connection:
        await continuum_migrations.check(connection, schema)
        async with connection.transaction():
            await continuum_migrations.lock_schema(connection, schema)
            outcome = decide(await _present(connection, statements))
            if outcome is ChangeOutcome.DONE:
                for file in continuum_migrations.read_files().functions:
                    await connection.execute(file.sql_for(schema).encode())
            if audit is not None:
                await connection.execute(statements["record_repair"], (stored_facts(audit), outcome.value))
    return outcome


async def _present(connection: WatchedConnection, statements: Statements) -> frozenset[str]:
    cursor = await connection.execute(statements["ground_functions"], {"schema": statements.schema})
    return frozenset(name for (name,) in await cursor.fetchall())
