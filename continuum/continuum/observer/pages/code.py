"""Journal and code side by side where they part, as far as nodes have recorded it.

An observer has no code of the user's. One that is started with modules could replay the run against them:
`drift_of` takes modules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from continuum.drift.comparison import Row
from continuum.drift.run_report import Refused, drift_of
from continuum.observer.page import Page
from continuum.observer.pages.history import Head, head_of
from continuum.observer.part import Part, part
from continuum.observer.visit import Visit


@dataclass(frozen=True, slots=True)
class Parting:
    """Why code cannot continue the run: event `position` is `expected`, and the code wants `actual`.

    `refused` says that a node has recorded it of a version that the run does not have. `rows` are journal and
    code around the place, and `patch` is a sketch of what lets both kinds of runs continue.
    """

    reason: str
    refused: bool
    version: str | None
    kind: str | None
    position: int | None
    expected: str | None
    actual: str | None
    where: str | None
    rows: Sequence[Row]
    patch: str | None


@dataclass(frozen=True, slots=True)
class Code:
    """Where the journal of a run and the code of nodes part."""

    run: Head
    partings: Part[tuple[Parting, ...]]


async def read(visit: Visit) -> Code:
    """Read what nodes have recorded."""
    head = await head_of(visit)
    return Code(head, await part(_partings(visit, head)))


async def _partings(visit: Visit, run: Head) -> tuple[Parting, ...]:
    found = []
    for problem in await drift_of(visit.journal, run.id, ()):
        fault = problem.fault
        parting = Parting(
            problem.reason,
            isinstance(problem, Refused),
            problem.version,
            None if fault is None else fault.kind,
            None if fault is None else fault.position,
            None if fault is None else fault.expected,
            None if fault is None else fault.actual,
            None if fault is None else fault.where,
            problem.rows,
            None,
        )
        if parting.kind == "drift" and parting.position is not None:
            parting = replace(parting, patch=patch_of(run.workflow, parting))
        found.append(parting)
    return tuple(found)


def patch_of(workflow: str, parting: Parting) -> str:
    """Return a sketch of code that continues old runs and new ones; only its author knows the rest."""
    new = parting.actual or "what the code does now"
    old = parting.expected or "what the code did before"
    patched = f'continuum.patched("{workflow}-{parting.position}")'
    return f"if {patched}:\n    ...  # new: {new}\nelse:\n    ...  # as before: {old}"


CODE = Page("/runs/{run}/code", "code.html", read, Code, "where the journal and the code of a run part")
