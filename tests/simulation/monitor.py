"""Checks the database after each write: the checker's rules, and what only an observer of each write sees."""

from __future__ import annotations

from collections.abc import Iterable

from continuum.engine.events import Event
from continuum.engine.ids import RunId
from continuum.journal.memory.stored_facts import MemoryFacts
from continuum.verify.cluster_rules import cluster_findings
from continuum.verify.findings import Finding
from continuum.verify.verify import run_findings
from tests.simulation.model_journal import ModelJournal
from tests.simulation.pauses import begun_while_paused


class Wrong(AssertionError):
    """A simulation has found a fault."""


class Monitor:
    """Remembers each run as it was."""

    def __init__(self, journal: ModelJournal) -> None:
        self._journal = journal
        self._facts = MemoryFacts(journal)
        self._tokens: dict[RunId, int] = {}
        self._histories: dict[RunId, list[Event]] = {}
        self._ended: dict[RunId, tuple[object, int, bytes | None]] = {}
        self._lasted = 0
        self.writes = 0
        # Whether something may have ended since this was last set to False.
        self.changed = True

    def after_write(self, name: str, touched: Iterable[RunId]) -> None:
        """Check the runs that a write has named, and now and then all."""
        self.writes += 1
        self.changed = True
        if name in ("renew", "heartbeat", "register_versions", "sweep"):
            return
        for wrong in begun_while_paused(self._journal):
            raise Wrong(wrong)
        run_ids = list(dict.fromkeys(touched))
        if name in ("retire_worker", "claim", "force_cancel", "release_other_runs") or self.writes % 32 == 0:
            # Whether an ended run has changed is checked at the end of the simulation.
            run_ids = [id for id in self._journal._runs if id not in self._ended]
        if run_ids:
            self._check(run_ids, snapshots=name == "take_snapshot")

    def check_everything(self) -> None:
        """Check all runs, and what belongs to none."""
        self._report(cluster_findings(self._facts.cluster_now()))
        self._check(list(self._journal._runs), snapshots=True)

    def _check(self, run_ids: list[RunId], *, snapshots: bool) -> None:
        for run_id in run_ids:
            self._check_growth(run_id)
        cluster = self._facts.cluster_now()
        workers = {worker.id for worker in cluster.workers}
        for run in self._facts.runs_now(run_ids):
            if not snapshots:
                run.snapshots = []
            self._report(run_findings(run, cluster, workers))

    def _check_growth(self, run_id: RunId) -> None:
        run = self._journal._runs.get(run_id)
        if run is None:
            if run_id in self._tokens:
                raise Wrong(f"run {run_id} has vanished")
            return
        if run.token < self._tokens.get(run_id, 0):
            raise Wrong(f"the token of run {run_id} went back to {run.token}")
        self._tokens[run_id] = run.token
        known = self._histories.setdefault(run_id, [])
        for position in range(max(0, len(known) - 1), len(known)):
            if position >= len(run.events) or run.events[position] is not known[position]:
                raise Wrong(f"event {position} of run {run_id} has changed")
        known.extend(run.events[len(known) :])
        if run_id in self._ended:
            if (run.state, len(run.events), run.result) != self._ended[run_id]:
                raise Wrong(f"run {run_id} changed after its end: {self._ended[run_id][0]} to {run.state}")
        elif run.state.terminal:
            self._ended[run_id] = (run.state, len(run.events), run.result)

    def _report(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            raise Wrong(f"{finding.rule}: run {finding.run_id}: {finding.text}")
