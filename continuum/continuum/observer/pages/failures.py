"""Failed runs in groups: which workflow, which error, and where."""

from __future__ import annotations

from dataclasses import dataclass

from continuum.observer.failure_groups import Failures, read_failures
from continuum.observer.page import Page
from continuum.observer.part import Part, part
from continuum.observer.visit import Visit


@dataclass(frozen=True, slots=True)
class FailedRuns:
    """The failed runs that started latest, in groups."""

    failures: Part[Failures]


async def read(visit: Visit) -> FailedRuns:
    """Read the latest failed runs."""
    return FailedRuns(await part(read_failures(visit.journal, messages=visit.sees_payloads)))


FAILURES = Page(
    "/failures", "failures.html", read, FailedRuns, "failed runs by workflow, type of error and place"
)
