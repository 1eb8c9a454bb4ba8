"""The report on one run: why it cannot continue, and journal and code side by side where they differ."""

from __future__ import annotations

from collections.abc import Sequence

from continuum.drift.comparison import Row, diff, mismatch_in
from continuum.drift.deploy_check import StoredRuns, inspect_run
from continuum.engine.ids import RunId
from continuum.errors import RunNotFound
from continuum.versions.loaded_code import load_code


async def drift_of(
    journal: StoredRuns, run_id: str, modules: Sequence[str]
) -> list[tuple[str, Sequence[Row]]]:
    """Return why a run cannot continue: sentences, each with its diff, which is empty if it is not a drift.

    With modules the run is replayed against their code; without, the report is what nodes have recorded.
    """
    known = RunId(run_id)
    row = await journal.get_run(known)
    if row is None:
        raise RunNotFound(run_id)
    if modules:
        history = (await journal.load([known]))[known]
        finding = await inspect_run(journal, load_code(modules), row, history)
        return [] if finding is None else [(finding.reason, finding.rows)]
    if row.state.terminal:
        return []
    reasons = [] if row.reason is None else [row.reason]
    reasons += [f"version {one.version} was refused: {one.reason}" for one in await journal.refusals(known)]
    mismatches = [mismatch_in(reason) for reason in reasons]
    if not any(mismatches):
        return [(reason, ()) for reason in reasons]
    history = (await journal.load([known]))[known]
    return [
        (reason, () if mismatch is None else diff(history, mismatch))
        for reason, mismatch in zip(reasons, mismatches, strict=True)
    ]
