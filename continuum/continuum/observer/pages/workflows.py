"""The workflows: how their runs come and go, and which are paused; and the activities of all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from continuum.client.pause_outcome import Pause
from continuum.journal.facts import NodeRow
from continuum.journal.limits import MOST_COUNTED
from continuum.journal.port import VersionRow
from continuum.observer.page import Page
from continuum.observer.part import Part, part
from continuum.observer.visit import Visit
from continuum.operations.rates import Attempts, Totals, read_attempts, read_totals


@dataclass(frozen=True, slots=True)
class WorkflowSummary:
    """A workflow: its open runs as far as they were counted, the last hour, its nodes and its pauses.

    Without `hour` nobody has counted anything of it in the last hour. `nodes` are those that have loaded it.
    """

    name: str
    open_runs: int
    more_open_runs: bool
    versions: int
    hour: Totals | None
    nodes: Sequence[str]
    pauses: Sequence[Pause]


@dataclass(frozen=True, slots=True)
class Workflows:
    """Every workflow that a node has loaded, that has open runs or that ran lately; and activities."""

    workflows: Part[Sequence[WorkflowSummary]]
    activities: Part[list[Attempts]]


async def read(visit: Visit) -> Workflows:
    """Read what is known of workflows."""
    journal = visit.journal
    versions, totals, nodes, pauses, activities = await asyncio.gather(
        part(journal.versions(MOST_COUNTED)),
        part(read_totals(journal, journal.now())),
        part(visit.reads.nodes()),
        part(visit.reads.pauses()),
        part(read_attempts(journal, journal.now())),
    )
    if versions.value is None or nodes.value is None:
        return Workflows(Part(None, versions.trouble or nodes.trouble), activities)
    found: Part[Sequence[WorkflowSummary]] = Part(
        summaries_of(versions.value, totals.value or {}, nodes.value, pauses.value or [])
    )
    return Workflows(found, activities)


def summaries_of(
    versions: Iterable[VersionRow],
    totals: Mapping[str, Totals],
    nodes: Sequence[NodeRow],
    pauses: Sequence[Pause],
) -> list[WorkflowSummary]:
    """Return what a list shows of each workflow, by name."""
    rows: dict[str, list[VersionRow]] = {}
    for row in versions:
        rows.setdefault(row.workflow, []).append(row)
    names = sorted({*rows, *totals, *(name for node in nodes for name in node.workflows)})
    return [
        WorkflowSummary(
            name,
            sum(row.open_runs for row in rows.get(name, ())),
            any(row.more_open_runs for row in rows.get(name, ())),
            len(rows.get(name, ())),
            totals.get(name),
            [node.node for node in nodes if node.state == "up" and name in node.workflows],
            [pause for pause in pauses if pause.kind == "workflow" and pause.name == name],
        )
        for name in names
    ]


WORKFLOWS = Page("/workflows", "workflows.html", read, Workflows, "how runs of each workflow come and go")
