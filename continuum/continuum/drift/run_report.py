"""The report on one run: why it cannot continue, and journal and code side by side where they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from continuum.drift.comparison import Row, diff, mismatch_of
from continuum.drift.deploy_check import StoredRuns, inspect_run
from continuum.engine.ids import RunId
from continuum.errors import RunNotFound
from continuum.journal.port import Fault, RunRow
from continuum.versions.loaded_code import load_code


@dataclass(frozen=True, slots=True)
class Problem:
    """Why code cannot continue a run; `rows` are a diff around the mismatch of a drift.

    `version` is that of the code: of a refused version, or of the code that was replayed. It is None if the
    run itself is blocked, and if the code has no such workflow.
    """

    reason: str
    rows: Sequence[Row] = ()
    version: str | None = None
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class Refused(Problem):
    """What a node has recorded about a version that cannot continue the run, which waits for other code."""


async def drift_of(journal: StoredRuns, run_id: str, modules: Sequence[str]) -> list[Problem]:
    """Return why a run cannot continue.

    With modules the run is replayed against their code; without, the report is what nodes have recorded.
    """
    known = RunId(run_id)
    row = await journal.get_run(known)
    if row is None:
        raise RunNotFound(run_id)
    if modules:
        history = (await journal.load([known]))[known]
        finding = await inspect_run(journal, load_code(modules), row, history)
        if finding is None:
            return []
        return [Problem(finding.reason, finding.rows, finding.replayed_version, finding.fault)]
    recorded = [] if row.state.terminal else await _recorded(journal, row)
    mismatches = [None if one.fault is None else mismatch_of(one.fault) for one in recorded]
    if not any(mismatches):
        return recorded
    history = (await journal.load([known]))[known]
    return [
        one if mismatch is None else replace(one, rows=diff(history, mismatch))
        for one, mismatch in zip(recorded, mismatches, strict=True)
    ]


async def _recorded(journal: StoredRuns, row: RunRow) -> list[Problem]:
    """Return what blocks an open run, and what refused versions of its code do not match."""
    found = [] if row.reason is None else [Problem(row.reason, fault=row.fault)]
    return found + [
        Refused(refusal.reason, (), refusal.version, refusal.fault)
        for refusal in await journal.refusals(row.id)
    ]
