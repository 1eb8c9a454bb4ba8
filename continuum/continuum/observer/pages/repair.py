"""What a repair of a finding would change, before it is made."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from continuum.observer.page import Page
from continuum.observer.part import Part, part
from continuum.observer.visit import Visit
from continuum.operations.repair import RepairPlan, plan_repair


@dataclass(frozen=True, slots=True)
class PlannedRepair:
    """What is damaged, what would be done, and what is `left` to a person; `digest` names all of it."""

    findings: Sequence[str]
    steps: Sequence[str]
    left: Sequence[str]
    digest: str


@dataclass(frozen=True, slots=True)
class Repair:
    """A repair that is asked for, and its plan."""

    code: str
    subject: str
    plan: Part[PlannedRepair]


async def read(visit: Visit) -> Repair:
    """Plan a repair; nothing is changed."""
    code, subject = visit.asked.get("code", ""), visit.asked.get("subject", "")
    return Repair(code, subject, await part(_planned(visit, code, subject)))


async def _planned(visit: Visit, code: str, subject: str) -> PlannedRepair:
    plan = await plan_repair(visit.journal, code, subject)
    return PlannedRepair(plan.findings, plan.steps, plan.left, digest_of_plan(plan))


def digest_of_plan(plan: RepairPlan) -> str:
    """Return a name for what a person has seen of a plan."""
    seen = "\0".join((plan.code, plan.subject, *plan.findings, *plan.steps, *plan.left))
    return hashlib.sha256(seen.encode()).hexdigest()[:16]


REPAIR = Page(
    "/health/repair", "repair.html", read, Repair, "what a repair would change, before it is made", live=False
)
