"""What is recorded of the changes that people make: who, through what, what, why, and what came of it.

A change carries `AuditFacts` into the journal, which writes their row in the transaction of the change (P20).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from continuum.engine.ids import RunId


class Action(StrEnum):
    """What a person changes, by the name of the call."""

    START = "start"
    SIGNAL = "signal"
    CANCEL = "cancel"
    FORCE_CANCEL = "force_cancel"
    UNBLOCK = "unblock"
    RESTART = "restart"
    RESET = "reset"
    FORK = "fork"
    SET_ATTRIBUTES = "set_attributes"
    DRAIN_NODE = "drain_node"
    DELETE_VERSION = "delete_version"
    MIGRATE = "migrate"
    REVIEW_FINDING = "review_finding"
    REPAIR = "repair"
    DELETE_RUN = "delete_run"
    BEGIN_OPERATION = "begin_operation"
    PAUSE_OPERATION = "pause_operation"
    RESUME_OPERATION = "resume_operation"
    CANCEL_OPERATION = "cancel_operation"
    PAUSE = "pause"
    RESUME = "resume"


class ChangeOutcome(StrEnum):
    """What came of a change.

    ``already``: it was so before. ``stale``: it was no longer as the person saw it. ``refused``: the run had
    ended. ``not_found``: there is no such run, node or version. ``failed``: the database refused this run of
    an operation, or what had begun. ``begun``: it takes more than one transaction, and another row says how
    it ended, unless its process was killed. Only ``done`` has changed anything for good.
    """

    DONE = "done"
    ALREADY = "already"
    STALE = "stale"
    REFUSED = "refused"
    NOT_FOUND = "not_found"
    FAILED = "failed"
    BEGUN = "begun"


class AuditFacts(NamedTuple):
    """A person's change as it is recorded. `arguments` hold names and sizes, and no values.

    `id`, a UUID, stays the same when the call is repeated: the first outcome is recorded.
    """

    id: str
    actor: str
    via: str
    action: Action
    subject: str
    arguments: Mapping[str, Any]
    reason: str | None = None


class AuditRow(NamedTuple):
    """A change as it was recorded; `at` is on the journal's clock. Newer code may have other actions."""

    id: str
    at: int
    actor: str
    via: str
    action: str
    subject: str
    arguments: Mapping[str, Any]
    reason: str | None
    outcome: str


class AuditQuery(NamedTuple):
    """Which rows to return, the latest first: up to `limit` of those before `before`, a time and an id."""

    limit: int
    before: tuple[int, str] | None = None
    actor: str | None = None
    action: str | None = None
    subject: str | None = None
    since: int | None = None


class SeenRun(NamedTuple):
    """The latest run of a chain, as a person saw it before a change.

    `updated_at` is None for a run that was running: it changes with every step.
    """

    run_id: RunId
    updated_at: int | None = None
