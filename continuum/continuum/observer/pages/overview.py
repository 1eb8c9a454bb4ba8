"""The overview: what is wrong first, then how much there is to do."""

from __future__ import annotations

from dataclasses import dataclass

from continuum.observer.page import Page
from continuum.observer.part import Part, part
from continuum.observer.visit import Visit
from continuum.operations.health_check import HealthReport, check_health


@dataclass(frozen=True, slots=True)
class Overview:
    """What is unhealthy."""

    health: Part[HealthReport]


async def read(visit: Visit) -> Overview:
    """Read the findings."""
    return Overview(await part(check_health(visit.journal)))


OVERVIEW = Page("/", "overview.html", read, Overview, "what is wrong, and how much there is to do")
