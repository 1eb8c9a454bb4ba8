"""What is unhealthy, each finding with what mends it, and what somebody has reviewed."""

from __future__ import annotations

from dataclasses import dataclass

from continuum.observer.findings import ShownFindings, read_findings
from continuum.observer.page import Page
from continuum.observer.part import Part, part
from continuum.observer.visit import Visit


@dataclass(frozen=True, slots=True)
class Health:
    """The findings."""

    findings: Part[ShownFindings]


async def read(visit: Visit) -> Health:
    """Read the findings."""
    return Health(await part(read_findings(visit.journal)))


HEALTH = Page("/health", "health.html", read, Health, "what is wrong, what mends it, and what was reviewed")
