"""The record of changes: who made each, and what came of it, the latest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from continuum.errors import InvalidOption
from continuum.journal.audit_facts import Action
from continuum.observer.limits import CHANGES_PER_PAGE
from continuum.observer.page import Page
from continuum.observer.part import Part, part
from continuum.observer.visit import Visit
from continuum.operations.audit import AuditPage, audit_page
from continuum.operations.moments import time_since

FILTERS = ("actor", "action", "subject", "since")


@dataclass(frozen=True, slots=True)
class Audit:
    """A page of changes, the filters that chose them, and the actions that there are to choose from."""

    asked: Mapping[str, str]
    actions: Sequence[str]
    # What is wrong with the filters.
    wrong: str | None
    changes: Part[AuditPage] | None


async def read(visit: Visit) -> Audit:
    """Read a page of changes."""
    asked = {name: visit.asked.get(name, "").strip() for name in FILTERS}
    since, wrong = None, None
    if asked["since"]:
        try:
            since = time_since(asked["since"], visit.now())
        except InvalidOption as error:
            wrong = str(error)
    changes = None
    if wrong is None:
        changes = await part(
            audit_page(
                visit.journal,
                actor=asked["actor"] or None,
                action=asked["action"] or None,
                subject=asked["subject"] or None,
                since=since,
                limit=CHANGES_PER_PAGE,
                cursor=visit.asked.get("cursor"),
            )
        )
    return Audit(asked, tuple(each.value for each in Action), wrong, changes)


AUDIT = Page("/audit", "audit.html", read, Audit, "who changed what, through what, and what came of it")
