"""Runs that begin before anybody owns them: their first write takes them, or creates them.

A start that is announced to one worker carries everything that the first step needs. It proves nothing: the
first write (`RunWrite.takes`) takes the run only if the row in the database is the same and has no owner.

A start of a client in the process of the worker is not written before: the first write (`RunWrite.creates`)
creates the run with its owner, unless its id or key is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from continuum.engine.ids import RunId
from continuum.journal.audit_facts import AuditFacts
from continuum.journal.resumed_run import ResumedRun


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run to start, at once. With `audit` the start is recorded (P20)."""

    id: RunId
    workflow: str
    input: bytes
    namespace: str = "default"
    idempotency_key: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    trace_context: str | None = None
    audit: AuditFacts | None = None


class AnnouncedRun(NamedTuple):
    """A run that has just been started by itself. `started_at` is on the journal's clock."""

    id: RunId
    workflow: str
    namespace: str
    input: bytes
    trace_context: str | None
    started_at: int


class TakenRun(NamedTuple):
    """A run that its first write takes, under the version that has executed its first step."""

    announced: AnnouncedRun
    version: str


class CreatedRun(NamedTuple):
    """A run that its first write creates. `started_at` is the worker's estimate of the journal's clock."""

    start: NewRun
    version: str
    started_at: int


FirstWrite: TypeAlias = TakenRun | ResumedRun | CreatedRun
"""How the first write of a run makes its worker the owner: it takes the run, or it creates it."""
