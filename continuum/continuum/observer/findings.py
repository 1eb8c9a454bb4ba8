"""`ShownFinding`: a finding of the health check with where to look at what it is about."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from urllib.parse import quote

from continuum.journal.health_port import Health
from continuum.journal.untyped_values import at
from continuum.operations.findings import Finding
from continuum.operations.health_check import check_health
from continuum.operations.search import searched

# The runs that a finding is about, if its subject is their workflow.
_SEARCHES: Mapping[str, str] = {
    "blocked": "state:blocked workflow:{}",
    "nothing": "waits:nothing workflow:{}",
    **dict.fromkeys(
        (
            "backlog",
            "deadly-workflow",
            "lost-wake",
            "no-code",
            "no-namespace",
            "no-version",
            "owner-unknown",
            "quarantine",
            "refused",
            "version-missing",
        ),
        "state:open workflow:{}",
    ),
    "nodes-absent": "state:open",
    "no-nodes": "state:open",
}
_PATHS: Mapping[str, str] = {
    "node-lost": "/nodes/{}",
    "node-replaced": "/nodes/{}",
    "node-draining": "/nodes/{}",
    "operation-interrupted": "/operations/{}",
    "queue-backlog": "/queues",
    "queue-unserved": "/queues",
    "paused-long": "/queues",
}


class Repairable(NamedTuple):
    """What `continuum repair` mends: a code, and the run or worker that is damaged."""

    code: str
    subject: str


@dataclass(frozen=True, slots=True)
class ShownFinding:
    """A finding: how bad it is, what it is about, what mends it, and since when it is there.

    `search` finds the runs that it is about; `path` is the page of what else it is about; `repair` is what
    can be mended on the page of repairs.
    """

    code: str
    severity: str
    subject: str
    sentence: str
    fixes: Sequence[str]
    since: datetime | None
    count: int | None
    more: bool
    fingerprint: str
    search: str | None
    path: str | None
    repair: Repairable | None


@dataclass(frozen=True, slots=True)
class ShownFindings:
    """What is unhealthy now, and what of that somebody has reviewed."""

    now: Sequence[ShownFinding]
    reviewed: Sequence[ShownFinding]


async def read_findings(journal: Health) -> ShownFindings:
    """Return what is unhealthy."""
    report = await check_health(journal)
    return ShownFindings(
        [shown_finding(each) for each in report.findings], [shown_finding(each) for each in report.reviewed]
    )


def shown_finding(finding: Finding) -> ShownFinding:
    """Return a finding with where to look."""
    search, path = _SEARCHES.get(finding.code), _PATHS.get(finding.code)
    return ShownFinding(
        finding.code,
        str(finding.severity),
        finding.subject,
        finding.sentence,
        finding.fixes,
        None if finding.since is None else at(finding.since),
        finding.count,
        finding.more,
        finding.fingerprint,
        None if search is None else search.format(searched(finding.subject)),
        None if path is None else path.format(quote(finding.subject, safe="")),
        next((found for fix in finding.fixes if (found := repairable(fix)) is not None), None),
    )


def repairable(fix: str) -> Repairable | None:
    """Return what a command repairs; None if it is another one, or SQL."""
    try:
        match shlex.split(fix):
            case ["continuum", "repair", code, subject, *_]:
                return Repairable(code, subject)
    except ValueError:
        pass  # SQL with a quotation mark of its own is no command.
    return None
