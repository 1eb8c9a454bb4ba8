"""The versions of code: which open runs need which, who continues them, and what may be removed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from continuum.journal.limits import MOST_COUNTED
from continuum.observer.page import Page
from continuum.observer.part import Part, part
from continuum.observer.visit import Visit
from continuum.operations.version_use import VersionUse, version_uses


@dataclass(frozen=True, slots=True)
class Versions:
    """Every version that a node has registered or that an open run has."""

    versions: Part[Sequence[VersionUse]]


async def read(visit: Visit) -> Versions:
    """Read versions and who has loaded them."""
    versions, nodes = await asyncio.gather(
        part(visit.journal.versions(MOST_COUNTED)), part(visit.reads.nodes())
    )
    if versions.value is None or nodes.value is None:
        return Versions(Part(None, versions.trouble or nodes.trouble))
    return Versions(Part(version_uses(versions.value, nodes.value)))


VERSIONS = Page(
    "/versions", "versions.html", read, Versions, "which open runs need which version of the code"
)
