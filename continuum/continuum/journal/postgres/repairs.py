"""Repairs: one transaction that locks, looks, mends, looks again, and records."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.errors import SerializationFailure

from continuum.engine.ids import RunId
from continuum.errors import JournalUnavailable
from continuum.journal.audit_facts import AuditFacts, ChangeOutcome
from continuum.journal.limits import POISON_AFTER_DEATHS
from continuum.journal.mend import Mend
from continuum.journal.postgres.changes import stored_facts
from continuum.journal.postgres.connections import Database
from continuum.journal.postgres.stored_facts import PostgresFacts
from continuum.journal.repair_port import Damaged, DamageFacts, Decide, NotMended

# So often a node that works on the run may be faster.
ATTEMPTS = 5


class PostgresRepairs:
    """Repairs of what is stored."""

    _database: Database

    async def damage_facts(self, damaged: Damaged) -> DamageFacts:
        async with self._database.transaction() as connection:
            return await self._facts(connection, damaged)

    async def repair(
        self, damaged: Damaged, decide: Decide, *, audit: AuditFacts | None = None
    ) -> ChangeOutcome:
        for _ in range(ATTEMPTS):
            try:
                async with self._database.transaction() as connection:
                    return await self._repair(connection, damaged, decide, audit)
            except JournalUnavailable as error:
                # What is stored has changed since the transaction began: decide anew.
                if not isinstance(error.__cause__, SerializationFailure):
                    raise
        raise JournalUnavailable(f"what {damaged} stores changes all the time; try the repair again")

    async def _repair(
        self,
        connection: psycopg.AsyncConnection[Any],
        damaged: Damaged,
        decide: Decide,
        audit: AuditFacts | None,
    ) -> ChangeOutcome:
        statements = self._database.statements
        of_run = isinstance(damaged, str)
        await connection.execute(
            statements["repair_lock_run" if of_run else "repair_lock_worker"], (damaged,)
        )
        outcome, mends = decide(await self._facts(connection, damaged))
        for mend in mends:
            await self._mend(connection, damaged, mend)
        if mends and decide(await self._facts(connection, damaged)).outcome is not ChangeOutcome.ALREADY:
            raise NotMended(damaged)
        if audit is not None:
            await connection.execute(statements["record_repair"], (stored_facts(audit), outcome.value))
        return outcome

    async def _mend(self, connection: psycopg.AsyncConnection[Any], damaged: Damaged, mend: Mend) -> None:
        statements = self._database.statements
        if isinstance(damaged, str):
            given: tuple[object, ...] = (damaged, mend.kind.value, mend.seq, mend.number, mend.name)
            await connection.execute(statements["mend_run"], given)
        else:
            given = (damaged, mend.kind.value, POISON_AFTER_DEATHS)
            await connection.execute(statements["mend_worker"], given)

    async def _facts(self, connection: psycopg.AsyncConnection[Any], damaged: Damaged) -> DamageFacts:
        facts = PostgresFacts(connection, self._database.statements)
        cluster = await facts.cluster(whole=False)
        if not isinstance(damaged, str):
            return DamageFacts(cluster, None)
        cluster.duplicate_keys = await facts.duplicate_key_of(RunId(damaged))
        cluster.orphans = await facts.orphans_of(RunId(damaged))
        async for batch in facts.runs(run_ids=[RunId(damaged)]):
            return DamageFacts(cluster, batch[0])
        return DamageFacts(cluster, None)
