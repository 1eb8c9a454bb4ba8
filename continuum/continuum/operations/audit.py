"""The record of who changed what, in pages, the latest change first."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from continuum.definitions.name_rules import short_text
from continuum.engine.events import FIRST_MOMENT, LAST_MOMENT
from continuum.errors import InvalidQuery
from continuum.journal.audit_facts import AuditQuery, AuditRow
from continuum.journal.operator_port import Audits
from continuum.operations.actor import SUBJECT_BYTES
from continuum.quoting import quoted

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """A change that a person has made or tried; `outcome` as in `ChangeOutcome`. Its time is in UTC."""

    at: datetime
    actor: str
    via: str
    action: str
    subject: str
    outcome: str
    reason: str | None
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Some changes, and the cursor of the next page; `next_cursor` is None on the last page."""

    entries: list[AuditEntry]
    next_cursor: str | None


async def audit_page(
    journal: Audits,
    *,
    actor: str | None = None,
    action: str | None = None,
    subject: str | None = None,
    since: datetime | None = None,
    limit: int = 25,
    cursor: str | None = None,
) -> AuditPage:
    """Return a page of the changes that match all that is given; `InvalidQuery` for a cursor that is none."""
    query = AuditQuery(
        limit + 1,
        before=None if cursor is None else _place(cursor),
        actor=None if actor is None else short_text(actor, "an actor"),
        action=None if action is None else short_text(action, "an action"),
        subject=None if subject is None else short_text(subject, "a subject", most=SUBJECT_BYTES),
        since=None if since is None else (since - _EPOCH) // timedelta(microseconds=1),
    )
    rows = await journal.audited(query)
    more = f"{rows[limit - 1].at}.{rows[limit - 1].id}" if len(rows) > limit else None
    return AuditPage([_entry(row) for row in rows[:limit]], more)


def _entry(row: AuditRow) -> AuditEntry:
    at = _EPOCH + timedelta(microseconds=row.at)
    return AuditEntry(at, row.actor, row.via, row.action, row.subject, row.outcome, row.reason, row.arguments)


def _place(cursor: str) -> tuple[int, str]:
    at, _, id = cursor.partition(".")
    try:
        place = int(at), str(uuid.UUID(id))
    except ValueError:
        raise _wrong(cursor) from None
    if not FIRST_MOMENT <= place[0] <= LAST_MOMENT:
        raise _wrong(cursor)
    return place


def _wrong(cursor: str) -> InvalidQuery:
    return InvalidQuery(f"{quoted(cursor)} is not a cursor of this list; begin without one")
