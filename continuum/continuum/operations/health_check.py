"""`check_health` asks a journal whether all is well; `review_finding` silences a finding until it changes."""

from __future__ import annotations

from dataclasses import dataclass

from continuum.errors import InvalidOption
from continuum.journal.audit_facts import Action
from continuum.journal.health_port import Health, Review
from continuum.operations.actor import Recorder
from continuum.operations.findings import Finding
from continuum.operations.health import DUE_FOR_SECONDS, judge
from continuum.quoting import quoted


@dataclass(frozen=True, slots=True)
class HealthReport:
    """What is unhealthy, and what of that a person has looked at: see `review_finding`."""

    findings: list[Finding]
    reviewed: list[Finding]


async def check_health(journal: Health, *, due_for: float = DUE_FOR_SECONDS) -> HealthReport:
    """Return what is unhealthy. Work is late when it has been due for `due_for` seconds."""
    facts = await journal.health_facts(due_for=due_for)
    found = judge(facts)
    return HealthReport(
        [finding for finding in found if not finding.is_covered(facts.reviewed)],
        [finding for finding in found if finding.is_covered(facts.reviewed)],
    )


async def review_finding(
    journal: Health, fingerprint: str, *, record: Recorder, due_for: float = DUE_FOR_SECONDS
) -> tuple[Finding, bool]:
    """Silence the finding with this fingerprint, and return it; False if it was silent already.

    `record` says who does so.

    `InvalidOption` if there is none now. What has changed since its review is not silent any more.
    """
    facts = await journal.health_facts(due_for=due_for)
    found = {finding.fingerprint: finding for finding in judge(facts)}
    finding = found.get(fingerprint)
    if finding is None:
        raise InvalidOption(
            f"no finding has the fingerprint {quoted(fingerprint)} now: it is gone or has changed; "
            "`continuum health` shows what there is"
        )
    reviewer = "" if record.actor is None else record.actor.name
    parts = finding.fingerprints_of_parts
    review = Review(fingerprint, finding.code, finding.subject, reviewer, parts)
    audit = record(Action.REVIEW_FINDING, fingerprint, code=finding.code, about=finding.subject)
    covered = [each.fingerprint for each in found.values() if each.is_covered(facts.reviewed)]
    return finding, await journal.review_finding(review, covered, audit=audit)
