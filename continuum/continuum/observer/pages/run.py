"""One run: why it is where it is and what helps, then what it was given and what it made."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from continuum.client import Run as RunRecord
from continuum.observer.page import Page
from continuum.observer.part import Part, part
from continuum.observer.visit import Visit
from continuum.operations.explanation import Explanation


@dataclass(frozen=True, slots=True)
class Run:
    """A run, and why it is where it is."""

    run: RunRecord
    explanation: Part[Explanation]


async def read(visit: Visit) -> Run:
    """Read a run and its explanation."""
    id = visit.parameter("run")
    run, explanation = await asyncio.gather(visit.reads.get_run(id), part(visit.reads.handle(id).explain()))
    return Run(run, explanation)


RUN = Page("/runs/{run}", "run.html", read, Run, "one run: why it is where it is, and what helps")
