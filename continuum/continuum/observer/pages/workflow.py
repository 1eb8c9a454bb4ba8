"""One workflow: how its runs come and go, what the open ones do, how others failed, and its versions."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from continuum.client.pause_outcome import Pause
from continuum.journal.limits import MOST_COUNTED
from continuum.journal.workload_port import OpenWork
from continuum.observer.failure_groups import Failures, read_failures
from continuum.observer.limits import FAILURES_OF_A_WORKFLOW
from continuum.observer.page import Page
from continuum.observer.part import Part, part
from continuum.observer.visit import Visit
from continuum.operations.rates import Rates, read_rates
from continuum.operations.version_use import VersionUse, version_uses


@dataclass(frozen=True, slots=True)
class Workflow:
    """A workflow, by parts; its pauses are those of one namespace or of all."""

    name: str
    rates: Part[Rates]
    open: Part[OpenWork]
    failures: Part[Failures]
    versions: Part[Sequence[VersionUse]]
    pauses: Part[Sequence[Pause]]


async def read(visit: Visit) -> Workflow:
    """Read each part by itself."""
    name, journal = visit.parameter("workflow"), visit.journal
    rates, open, failures, versions, nodes, pauses = await asyncio.gather(
        part(read_rates(journal, journal.now(), name)),
        part(journal.open_work(name)),
        part(
            read_failures(journal, workflow=name, messages=visit.sees_payloads, most=FAILURES_OF_A_WORKFLOW)
        ),
        part(journal.versions(MOST_COUNTED)),
        part(visit.reads.nodes()),
        part(visit.reads.pauses()),
    )
    uses: Part[Sequence[VersionUse]] = Part(None, versions.trouble)
    if versions.value is not None:
        rows = [row for row in versions.value if row.workflow == name]
        uses = Part(version_uses(rows, nodes.value or []))
    own: Part[Sequence[Pause]] = Part(None, pauses.trouble)
    if pauses.value is not None:
        own = Part([pause for pause in pauses.value if pause.kind == "workflow" and pause.name == name])
    return Workflow(name, rates, open, failures, uses, own)


WORKFLOW = Page(
    "/workflows/{workflow:path}", "workflow.html", read, Workflow, "one workflow: rates, open runs, failures"
)
