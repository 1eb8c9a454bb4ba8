"""What `continuum health` asks of the journal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from continuum.journal.audit_facts import AuditFacts
from continuum.journal.health_port import (
    ACTIVITY_HOST,
    BlockedRuns,
    ExpiredOwner,
    HealthFacts,
    HealthNode,
    InterruptedOperation,
    LostWakes,
    OldPause,
    OpenRuns,
    OverdueRuns,
    OverdueTasks,
    Quarantined,
    Review,
    RunsForNothing,
    UnknownOwner,
    idle,
    unserved,
)
from continuum.journal.limits import (
    COUNTED_OF_A_PAUSE,
    COUNTED_ROWS,
    EXPIRED_FOR_SECONDS,
    HEALTH_GROUPS,
    MOST_COUNTED,
    OLD_PAUSES,
    OPERATIONS_LOOKED_AT,
    PAUSED_FOR_SECONDS,
    WAKES_LOOKED_AT,
)
from continuum.journal.node_code import NodeCode
from continuum.journal.postgres.changes import stored_facts
from continuum.journal.postgres.connections import Database
from continuum.journal.postgres.odd_rows import PostgresOddRows
from continuum.journal.postgres.pauses import stored_pause


class PostgresHealth(PostgresOddRows):
    """The health of the journal."""

    _database: Database
    schema: str

    async def health_facts(self, *, due_for: float) -> HealthFacts:
        fetch = self._database.fetch
        limits = {
            "due_for": due_for,
            "expired_for": EXPIRED_FOR_SECONDS,
            "groups": HEALTH_GROUPS,
            "most": MOST_COUNTED,
            "rows": COUNTED_ROWS,
        }
        limits["wakes"] = WAKES_LOOKED_AT
        limits |= {
            "paused_for": PAUSED_FOR_SECONDS,
            "pauses": OLD_PAUSES,
            "of_a_pause": COUNTED_OF_A_PAUSE,
            "operations": OPERATIONS_LOOKED_AT,
        }
        ((now,),) = await fetch("time")
        nodes = [health_node(*row) for row in await fetch("health_nodes")]
        versions = [OpenRuns(*row) for row in await fetch("health_open_versions", limits)]
        return HealthFacts(
            now=now,
            schema=self.schema,
            nodes=nodes,
            overdue=[OverdueRuns(*row) for row in await fetch("health_overdue_runs", limits)],
            blocked=[BlockedRuns(*row) for row in await fetch("health_blocked_runs", limits)],
            expired=[ExpiredOwner(*row) for row in await fetch("health_expired_owners", limits)],
            tasks=[OverdueTasks(*row) for row in await fetch("health_overdue_tasks", limits)],
            quarantined=[Quarantined(*row) for row in await fetch("health_quarantine", limits)],
            deadly=[workflow for (workflow,) in await fetch("health_deadly")],
            unserved=unserved(nodes, versions),
            odd=await self.odd_rows(),
            reviewed=dict(await fetch("health_reviews")),
            lost_wakes=[LostWakes(*row) for row in await fetch("health_lost_wakes", limits)],
            idle=idle(nodes, versions),
            for_nothing=[RunsForNothing(*row) for row in await fetch("health_for_nothing", limits)],
            old_pauses=[
                OldPause(stored, *row[6:])
                for row in await fetch("health_old_pauses", limits)
                if (stored := stored_pause(row[:6])) is not None
                and (stored.scope is not None or row[0] == "run")
            ],
            interrupted=[
                InterruptedOperation(*row) for row in await fetch("health_interrupted_operations", limits)
            ],
            unknown_owners=[UnknownOwner(*row) for row in await fetch("health_unknown_owners", limits)],
        )

    async def review_finding(
        self, review: Review, current: Sequence[str], *, audit: AuditFacts | None = None
    ) -> bool:
        given = {
            **review._asdict(),
            "parts": list(review.parts),
            "current": list(current),
            "audit": stored_facts(audit),
        }
        ((silenced,),) = await self._database.fetch("review_finding", given)
        return bool(silenced)


def health_node(node: str, pid: int, state: str, alive: bool, renewed_at: int, *served: Any) -> HealthNode:
    """Return a node from its row."""
    workflows, processes, namespaces, about = served
    ahead = about.get("clock_ahead") if isinstance(about, dict) else None
    return HealthNode(
        node,
        pid,
        state,
        alive,
        renewed_at,
        workflows,
        namespaces,
        _activity_hosts(processes),
        NodeCode.from_json(about),
        float(ahead) if isinstance(ahead, int | float) else None,
    )


def _activity_hosts(processes: Any) -> int:
    """Return how many activity hosts a node lists; none if something else is stored."""
    if not isinstance(processes, list):
        return 0
    return sum(isinstance(each, list) and each[:1] == [ACTIVITY_HOST] for each in processes)
