"""The overview: what is wrong first, then how runs come and go, and what there is to do."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from continuum.journal.workload_port import Backlog, OpenWork, QueueLoad
from continuum.observer.findings import ShownFindings, read_findings
from continuum.observer.page import Page
from continuum.observer.part import Part, part
from continuum.observer.visit import Visit
from continuum.operations.rates import Rates, read_rates


@dataclass(frozen=True, slots=True)
class Overview:
    """What is unhealthy, how many runs start and end, what is due, and what open runs wait for."""

    health: Part[ShownFindings]
    rates: Part[Rates]
    backlog: Part[Backlog]
    queues: Part[list[QueueLoad]]
    open: Part[OpenWork]


async def read(visit: Visit) -> Overview:
    """Read each part by itself."""
    journal = visit.journal
    health, rates, backlog, queues, open = await asyncio.gather(
        part(read_findings(journal)),
        part(read_rates(journal, journal.now())),
        part(journal.backlog()),
        part(journal.queue_loads()),
        part(journal.open_work()),
    )
    return Overview(health, rates, backlog, queues, open)


OVERVIEW = Page("/", "overview.html", read, Overview, "what is wrong, and how much there is to do")
