"""`PostgresJournal`: the journal's interface on Postgres 14 or later.

Everything but LISTEN works behind a transaction-mode pooler: no session state is
kept between statements. Each method is one statement unless it says otherwise.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from math import inf
from time import time as machine_time
from typing import Any

from psycopg.errors import SerializationFailure

from continuum.engine.events import Event
from continuum.engine.ids import NodeId, RunId, WorkerId
from continuum.errors import JournalUnavailable
from continuum.journal.announcement import announcement
from continuum.journal.connection_room import ConnectionRoom
from continuum.journal.ended_run import EndedRun
from continuum.journal.event_codec import pack_body
from continuum.journal.limits import (
    CONNECTIONS,
    FOREIGN_GRACE_SECONDS,
    REMOVALS_PER_SWEEP,
    REMOVED_AT_ONCE,
    STATE_CHANGES_KEPT_SECONDS,
    STATE_CHANGES_PER_SWEEP,
    STATEMENT_SECONDS,
)
from continuum.journal.looked_through import LookedThrough
from continuum.journal.node_code import NodeCode
from continuum.journal.node_report_port import GivenReport
from continuum.journal.outages import outage_of
from continuum.journal.parked_run import ParkedRun
from continuum.journal.port import (
    ClaimedRun,
    Committed,
    InboxRow,
    Loaded,
    NewRun,
    NodeFacts,
    NodeRow,
    NodeWorker,
    Notification,
    Post,
    Posted,
    Query,
    Released,
    Renewal,
    RunRow,
    RunWrite,
    Started,
    StoredHistory,
    Topic,
    Worker,
)
from continuum.journal.postgres import packed_arrays
from continuum.journal.postgres.changes import PostgresChanges, stored_facts_of_each
from continuum.journal.postgres.claimed_rows import claimed_run
from continuum.journal.postgres.commit import commit, stored_attributes
from continuum.journal.postgres.connections import Database, Parameters
from continuum.journal.postgres.health import PostgresHealth
from continuum.journal.postgres.history_parts import PostgresHistoryParts
from continuum.journal.postgres.inbox_rows import inbox_row
from continuum.journal.postgres.looks import PostgresLooks
from continuum.journal.postgres.node_reports import PostgresNodeReports, report_parameters, wanted_report
from continuum.journal.postgres.notifications import listen
from continuum.journal.postgres.operations import PostgresOperations
from continuum.journal.postgres.packed_code import optional_texts, packed_code
from continuum.journal.postgres.parked_runs import parked_runs
from continuum.journal.postgres.pauses import PostgresPauses
from continuum.journal.postgres.queries import (
    ended_runs,
    look_through,
    missing_runs,
    open_runs,
    query_rows,
    run_row,
)
from continuum.journal.postgres.repairs import PostgresRepairs
from continuum.journal.postgres.secrets import PostgresSecrets
from continuum.journal.postgres.situations import PostgresSituations
from continuum.journal.postgres.snapshots import load, load_compact, take_snapshot
from continuum.journal.postgres.state_changes import PostgresStateChanges
from continuum.journal.postgres.statements import statements_for
from continuum.journal.postgres.stats import PostgresStatistics, renew
from continuum.journal.postgres.stored_nodes import stored_about, stored_processes
from continuum.journal.postgres.suspects import PostgresSuspects
from continuum.journal.postgres.sweeps import Sweeps
from continuum.journal.postgres.tasks import PostgresTasks, held
from continuum.journal.postgres.versions import PostgresVersions
from continuum.journal.postgres.views import PostgresViews
from continuum.journal.postgres.workload import PostgresWorkload
from continuum.journal.repeated_calls import CallsOfRuns
from continuum.journal.silence import silences_from_json
from continuum.telemetry.tallies import Tally

log = logging.getLogger("continuum.journal")

# Only a chain that continues as new this often while one post waits makes the caller retry, as in an outage.
POST_AGAIN = 3


class PostgresJournal(
    PostgresChanges,
    PostgresTasks,
    PostgresSituations,
    PostgresSuspects,
    PostgresVersions,
    PostgresStateChanges,
    PostgresHealth,
    PostgresLooks,
    PostgresRepairs,
    PostgresOperations,
    PostgresPauses,
    PostgresNodeReports,
    PostgresStatistics,
    PostgresSecrets,
    PostgresViews,
    PostgresHistoryParts,
    PostgresWorkload,
):
    """A journal in one schema of one database.

    `listen=False` does without LISTEN and prepared statements, which transaction-mode poolers lack. It has
    `connections` at most, of which one is for commits and listens; a single one is for everything.
    `application` names this process in pg_stat_activity.
    With `read_only`, and `listen=False`, the server refuses every write. It ends a statement after
    `statement_seconds`.
    """

    def __init__(
        self,
        dsn: str,
        *,
        schema: str = "continuum",
        listen: bool = True,
        connections: int = CONNECTIONS,
        application: str = "continuum client",
        read_only: bool = False,
        statement_seconds: float = STATEMENT_SECONDS,
    ) -> None:
        self.dsn = dsn
        self.schema = schema
        self.listens = listen
        self._statements = statements_for(schema)
        # Each of these nodes is logged once.
        self._unreadable_nodes: set[str] = set()
        self._database = Database(
            dsn,
            self._statements,
            sessions=listen,
            pool_size=connections - 1,
            application=application,
            read_only=read_only,
            statement_seconds=statement_seconds,
        )
        self._sweeps = Sweeps()
        # With more groups of runs than a claim has places, the next claim continues where it ended.
        self._claimed_up_to: list[str] | None = None
        self._calls = CallsOfRuns()
        self.outage = outage_of(dsn)

    def now(self) -> int:
        return self._database.now()

    async def open(self) -> None:
        await self._database.open()
        rows = await self._database.fetch("time")
        self._database.learn_time(rows[0][0])

    async def close(self) -> None:
        await self._database.close()

    async def connection_room(self) -> ConnectionRoom | None:
        return ConnectionRoom(*(await self._database.fetch("connection_room"))[0])

    # Workers and nodes.

    async def register_worker(
        self,
        node: NodeId,
        role: str,
        pid: int,
        ttl: float,
        *,
        namespaces: Sequence[str] | None = None,
        channel: str | None = None,
    ) -> Worker:
        # Without LISTEN nothing that is announced would arrive.
        heard = None if channel is None or not self.listens else self._statements.channel(channel)
        rows = await self._database.fetch(
            "register_worker", (node, role, pid, optional_texts(namespaces), heard, ttl)
        )
        return Worker(WorkerId(rows[0][0]), node)

    async def renew(
        self,
        workers: Sequence[WorkerId],
        ttl: float,
        facts: NodeFacts | None,
        report: GivenReport | None = None,
        counted: Sequence[Tally] = (),
    ) -> Renewal:
        given = {
            "workers": packed_arrays.bigints(workers),
            "ttl": ttl,
            "node": facts.node if facts else None,
            "pid": facts.pid if facts else None,
            "address": facts.address if facts else None,
            "state": facts.state if facts else None,
            "processes": stored_processes(facts) if facts else None,
            "workflows": list(facts.workflows) if facts else None,
            "about": stored_about(facts) if facts else None,
            "clock": machine_time(),
            **report_parameters(report),
        }
        rows = await renew(self._database, given, ttl, counted)
        held, others, at, drain, wanted = rows[0]
        self._database.learn_time(at)
        return Renewal(frozenset(held), others, drain, wanted_report(wanted))

    async def expired_workers(self) -> list[WorkerId]:
        return [row[0] for row in await self._database.fetch("expired_workers")]

    async def node_workers(self, node: NodeId) -> list[tuple[WorkerId, int]]:
        return [(row[0], row[1]) for row in await self._database.fetch("node_workers", (node,))]

    async def retire_worker(
        self,
        worker: WorkerId,
        *,
        executing: RunId | None,
        poison_after: int,
        only_expired: bool = False,
        dead_for: float = 0.0,
        manner: str | None = None,
    ) -> Released:
        known = None if only_expired or dead_for == inf else dead_for
        rows = await self._database.fetch(
            "retire_worker", (worker, executing, poison_after, only_expired, known, manner)
        )
        return Released(*rows[0])

    async def interrupt_activities(self, worker: WorkerId, local: Sequence[tuple[RunId, int, int]]) -> None:
        await self._database.fetch(
            "interrupt_activities",
            (
                worker,
                packed_arrays.uuids([run_id for run_id, _, _ in local]),
                packed_arrays.integers([seq for _, seq, _ in local]),
                packed_arrays.integers([dispatch for _, _, dispatch in local]),
            ),
        )

    async def retire_node(self, node: NodeId) -> None:
        await self._database.fetch("retire_node", {"node": node})

    async def nodes(self) -> list[NodeRow]:
        return [
            NodeRow(
                node,
                pid,
                address,
                state,
                live,
                age,
                [(role, pid) for role, pid, _ in listed],
                workflows,
                namespaces,
                [NodeWorker(*worker) for worker in workers],
                {pid: waiting for _, pid, waiting in listed if waiting},
                NodeCode.from_json(about),
                silences_from_json(about),
            )
            for node, pid, address, state, live, age, processes, workflows, namespaces, workers, about in (
                await self._database.fetch("nodes")
            )
            for listed in [self._processes(node, processes)]
        ]

    def _processes(self, node: str, stored: Any) -> list[tuple[str, int, int]]:
        """Return role, pid and waiting attempts of a node's processes; none if something else is stored."""
        try:
            return [(str(role), int(pid), sum(map(int, rest[:1]))) for role, pid, *rest in stored]
        except (TypeError, ValueError):
            if node not in self._unreadable_nodes:
                self._unreadable_nodes.add(node)
                log.warning("the processes of node %s cannot be read; it is listed without them", node)
            return []

    # Runs, as their owner sees them.

    async def start(self, runs: Sequence[NewRun]) -> list[Started]:
        """One statement, and one more for each run whose id or key is taken."""
        new: dict[str, Any] = {
            "id": packed_arrays.uuids([run.id for run in runs]),
            "workflow": packed_arrays.texts([run.workflow for run in runs]),
            "namespace": packed_arrays.texts([run.namespace for run in runs]),
            "input": packed_arrays.byteas([run.input for run in runs]),
            "key": packed_arrays.texts([run.idempotency_key for run in runs]),
            "attributes": packed_arrays.texts([stored_attributes(run) for run in runs]),
            "trace": packed_arrays.texts([run.trace_context for run in runs]),
        }
        audits = [run.audit for run in runs]
        if any(audits):
            facts = stored_facts_of_each(audits)
            rows = await self._database.fetch("start_recorded", new | {"audit": facts})
        else:
            announced = announcement(runs[0]) if len(runs) == 1 else None
            rows = await self._database.fetch("start", new | {"announcement": announced})
        created = {row[0] for row in rows}
        started: list[Started] = []
        for run in runs:
            if run.id in created:
                # An id given twice in one call is created once.
                created.discard(run.id)
                started.append(Started(run.id, False))
            else:
                started.append(Started(await self._existing(run), True))
        return started

    async def announce_work(self) -> None:
        await self._database.fetch("announce_work")

    async def draw_tokens(self, count: int) -> list[int]:
        return [row[0] for row in await self._database.fetch("draw_tokens", (count,))]

    async def _existing(self, run: NewRun) -> RunId:
        rows = await self._database.fetch(
            "existing_run", (run.id, run.namespace, run.workflow, run.idempotency_key)
        )
        if not rows:
            raise JournalUnavailable(
                f"run {run.id} was refused, but what holds its key is gone; start it again"
            )
        return RunId(rows[0][0])

    async def claim(
        self,
        worker: Worker,
        code: Sequence[Loaded],
        limit: int,
        *,
        namespaces: Sequence[str] | None = None,
    ) -> list[ClaimedRun]:
        rows = await self._database.fetch(
            "claim",
            (
                worker.id,
                *packed_code(code),
                limit,
                FOREIGN_GRACE_SECONDS,
                optional_texts(namespaces),
                optional_texts(self._claimed_up_to),
            ),
        )
        claimed = held(rows, worker)
        self._claimed_up_to = claimed[0][-2] if claimed else None
        return [claimed_run(row) for row in claimed if row[0] is not None]

    async def next_due(
        self, code: Sequence[Loaded], *, namespaces: Sequence[str] | None = None
    ) -> int | None:
        rows = await self._database.fetch(
            "next_due", (*packed_code(code), FOREIGN_GRACE_SECONDS, optional_texts(namespaces))
        )
        due, at = rows[0]
        # Called before every sleep of the dispatcher: a host that commits nothing keeps the time too.
        self._database.learn_time(at)
        return None if due is None else int(due)

    async def load(self, run_ids: Sequence[RunId]) -> dict[RunId, list[Event]]:
        return await load(self._database, dict.fromkeys(run_ids, 0))

    async def load_compact(self, runs: Sequence[tuple[RunId, str]]) -> dict[RunId, StoredHistory]:
        return await load_compact(self._database, runs)

    async def take_snapshot(self, run_id: RunId, version: str, first: int) -> int:
        return await take_snapshot(self._database, self._calls, run_id, version, first)

    async def parked(self, run_ids: Sequence[RunId]) -> list[ParkedRun]:
        return await parked_runs(self._database, run_ids)

    async def commit(self, worker: Worker, batch: int, writes: Sequence[RunWrite]) -> Committed:
        return await commit(self._database, self._calls, worker, batch, writes)

    async def inbox(self, worker: Worker, run_ids: Sequence[RunId] | None) -> list[InboxRow]:
        if run_ids is None:
            rows = await self._database.fetch("inbox", (worker.id,))
        else:
            named = packed_arrays.uuids(list(dict.fromkeys(run_ids)))
            rows = await self._database.fetch("inbox_of_runs", (named, worker.id))
        return [inbox_row(*row) for row in rows]

    async def release(
        self, worker: Worker, run_ids: Sequence[RunId], *, crashed: bool, poison_after: int
    ) -> None:
        await self._database.fetch(
            "release",
            {
                "runs": packed_arrays.uuids(run_ids),
                "worker": worker.id,
                "crashed": int(crashed),
                "poison": poison_after,
            },
        )

    async def release_other_runs(self, worker: Worker, keep: Sequence[RunId]) -> int:
        rows = await self._database.fetch(
            "release_other_runs",
            {"worker": worker.id, "keep": packed_arrays.uuids(keep)},
        )
        return int(rows[0][0])

    async def sweep(self) -> int:
        """Three statements, the first two for as often as they find much, up to a limit.

        They remove what ended runs left behind, then runs and changes that need not be kept.
        """
        swept = await self._sweeps.sweep(self._database)
        removed = 0
        for _ in range(REMOVALS_PER_SWEEP):
            ((gone,),) = await self._database.fetch("remove_retained", (REMOVED_AT_ONCE,))
            removed += int(gone)
            if gone < REMOVED_AT_ONCE:
                break
        (old,) = await self._database.fetch(
            "remove_state_changes", (STATE_CHANGES_KEPT_SECONDS, STATE_CHANGES_PER_SWEEP)
        )
        return swept + removed + int(old[0])

    # The inbox, as any process sees it.

    async def post(self, posts: Sequence[Post]) -> list[Posted]:
        """One statement, repeated when a run continued as new while the statement waited for its lock."""
        statement = "post"
        parameters: Parameters = (
            packed_arrays.uuids([post.run_id for post in posts]),
            packed_arrays.smallints([post.kind for post in posts]),
            packed_arrays.texts([post.name for post in posts]),
            packed_arrays.texts([post.key for post in posts]),
            packed_arrays.byteas([pack_body(post.body) for post in posts]),
            packed_arrays.smallints([post.attempt for post in posts]),
        )
        audits = [post.audit for post in posts]
        if any(audits):
            statement, parameters = "post_recorded", (*parameters, stored_facts_of_each(audits))
        for _ in range(POST_AGAIN):
            try:
                return await self._post(statement, parameters)
            except JournalUnavailable as error:
                if not isinstance(error.__cause__, SerializationFailure):
                    raise
        return await self._post(statement, parameters)

    async def _post(self, statement: str, parameters: Parameters) -> list[Posted]:
        rows = await self._database.fetch(statement, parameters)
        return [Posted(result) for result in rows[0][0]]

    # Queries.

    async def get_run(self, run_id: RunId) -> RunRow | None:
        rows = await self._database.fetch_text(
            self._statements["run_columns"] + b" WHERE r.id = %s", (run_id,)
        )
        return run_row(rows[0]) if rows else None

    async def ended(self, run_ids: Sequence[RunId]) -> list[EndedRun]:
        return await ended_runs(self._database, run_ids)

    async def missing(self, run_ids: Sequence[RunId]) -> list[RunId]:
        return await missing_runs(self._database, run_ids)

    async def query(self, query: Query) -> list[RunRow]:
        return await query_rows(self._database, query)

    async def look_through(self, query: Query, most: int) -> LookedThrough:
        return await look_through(self._database, query, most)

    async def open_runs(self, after: RunId | None, limit: int) -> list[RunRow]:
        return await open_runs(self._database, after, limit)

    # Notifications.

    def notifications(
        self, topics: Sequence[Topic], *, channel: str | None = None
    ) -> AsyncIterator[Notification]:
        channels: dict[str, Topic] = {
            self._statements.channel(topic.name.lower()): topic
            for topic in topics
            if topic is not Topic.STARTED
        }
        if channel is not None and Topic.STARTED in topics:
            channels[self._statements.channel(channel)] = Topic.STARTED
        return listen(self._database, channels, enabled=self.listens, outage=self.outage)
