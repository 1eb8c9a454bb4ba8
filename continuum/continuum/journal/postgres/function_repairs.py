"""Creates functions of the schema again, in one transaction with the row of the audit.

The ledger of the migrations stays as it is, because it tells older text from newer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import continuum_migrations
from continuum.journal.audit_facts import AuditFacts, ChangeOutcome
from continuum.journal.limits import MIGRATION_SECONDS
from continuum.journal.postgres.changes import stored_facts
from continuum.journal.postgres.schema import schema_connection
from continuum.journal.postgres.statements import statements_for


async def lost_functions(dsn: str, schema: str) -> Mapping[str, str]:
    """Return the functions that a schema, which is that of this code, lacks, each with its file."""
    async with schema_connection(dsn, MIGRATION_SECONDS) as connection:
        await continuum_migrations.check(connection, schema)
        return await continuum_migrations.lost_functions(connection, schema)


async def restore_functions(
    dsn: str,
    schema: str,
    decide: Callable[[Mapping[str, str]], ChangeOutcome],
    *,
    audit: AuditFacts | None,
) -> ChangeOutcome:
    """Create the functions again, if `decide` says ``done`` of the lost ones, and record what it says."""
    statements = statements_for(schema)
    async with schema_connection(dsn, MIGRATION_SECONDS) as connection:
        await continuum_migrations.check(connection, schema)
        async with connection.transaction():
            await continuum_migrations.lock_schema(connection, schema)
            outcome = decide(await continuum_migrations.lost_functions(connection, schema))
            if outcome is ChangeOutcome.DONE:
                await continuum_migrations.create_functions(connection, schema)
            if audit is not None:
                await connection.execute(statements["record_repair"], (stored_facts(audit), outcome.value))
    return outcome
