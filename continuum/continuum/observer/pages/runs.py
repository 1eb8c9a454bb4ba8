"""The list of runs that a search finds, a page of it."""

from __future__ import annotations

from dataclasses import dataclass

from continuum.client.runs import Page as RunsFound
from continuum.observer.limits import LOOKED_AT, RUNS_PER_PAGE
from continuum.observer.page import Page
from continuum.observer.part import Part, part
from continuum.observer.visit import Visit


@dataclass(frozen=True, slots=True)
class Runs:
    """Runs, the latest first."""

    search: str
    found: Part[RunsFound]


async def read(visit: Visit) -> Runs:
    """Read a page of runs."""
    search = visit.asked.get("q", "").strip()
    query = visit.reads.query(
        limit=RUNS_PER_PAGE,
        cursor=visit.asked.get("cursor"),
        namespace=None,
        payloads=False,
        find=search or None,
        look_at=LOOKED_AT,
    )
    return Runs(search, await part(query))


RUNS = Page("/runs", "runs.html", read, Runs, "the runs that a search finds, the latest first")
