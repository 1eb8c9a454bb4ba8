"""The report on one run: why it cannot continue, and journal and code side by side where they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from continuum.drift.comparison import Row, diff, mismatch_of
from continuum.drift.deploy_check import StoredRuns, inspect_run
from continuum.engine.ids import RunId
from continuum.errors import RunNotFound
from continuum.journal.port import Fault, RunRow
from continuum.versions.loaded_code import load_code


@dataclass(frozen=True, slots=True)
class Problem:
    """Why code cannot continue a run, as a sentence; `rows` are a diff around the mismatch of a drift."""

    reason: str
    rows: Sequence[Row] = ()


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
        return [] if finding is None else [Problem(finding.reason, finding.rows)]
    recorded = [] if row.state.terminal else await _recorded(journal, row)
    mismatches = [None if fault is None else mismatch_of(fault) for _, fault in recorded]
    if not any(mismatches):
        return [Problem(reason) for reason, _ in recorded]
    history = (await journal.load([known]))[known]
    return [
        Problem(reason, () if mismatch is None else diff(history, mismatch))
        for (reason, _), mismatch in zip(recorded, mismatches, strict=True)
    ]


async def _recorded(journal: StoredRuns, row: RunRow) -> list[tuple[str, Fault | None]]:
    """Return what blocks an open run, and what refused versions of its code do not match."""
    found = [] if row.reason is None else [(row.reason, row.fault)]
    return found + [
        (f"version {refusal.version} was refused: {refusal.reason}", refusal.fault)
        for refusal in await journal.refusals(row.id)
    ]
