"""The part of the port for people who ask whether all is well: what is rare, counted up to a limit.

No engine uses it. An answer takes as long in a large database as in a small one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from continuum.engine.ids import RunId, WorkerId
from continuum.journal.audit_facts import AuditFacts
from continuum.journal.node_code import NodeCode
from continuum.journal.odd_rows import OddRow, OddRows
from continuum.journal.pause_facts import StoredPause

# The role of the processes that run isolated activities.
ACTIVITY_HOST = "activity_host"


class HealthNode(NamedTuple):
    """A node. `code` is None if it does not report what it has loaded, `namespaces` None if it serves all.

    `clock_ahead` is how many seconds its clock was ahead of the journal's when it reported last.
    """

    node: str
    pid: int
    state: str
    alive: bool
    renewed_at: int
    workflows: Sequence[str]
    namespaces: Sequence[str] | None
    activity_hosts: int = 0
    code: NodeCode | None = None
    clock_ahead: float | None = None

    def serves(self, namespace: str | None) -> bool:
        """Return whether it claims from a namespace; None is one that is not known."""
        return self.namespaces is None or namespace is None or namespace in self.namespaces

    def may_execute(self, workflow: str, version: str | None, refused: Sequence[str] = ()) -> bool:
        """Return whether it may execute runs that these versions refused, as far as is known."""
        if self.code is None:
            return workflow in self.workflows
        return self.code.may_execute(workflow, version, refused)

    def may_perform(self, activity: str, *, isolated: bool = False) -> bool:
        """Return whether it may run this activity, as far as is known; one that is isolated in a host."""
        has_process = bool(self.activity_hosts) or not isolated
        return has_process and (self.code is None or activity in self.code.activities)


class OverdueRuns(NamedTuple):
    """Runs of one group that are due and have no owner. `module` has their workflow, as far as is known."""

    workflow: str
    version: str | None
    namespace: str
    refused: Sequence[str]
    number: int
    more: bool
    since: int
    example: RunId
    module: str | None = None


class BlockedRuns(NamedTuple):
    """Blocked runs of one workflow, by the kind of their fault.

    `example` is the one that was blocked last, at `latest`, for this `reason`.
    """

    workflow: str
    kind: str
    number: int
    more: bool
    since: int
    example: RunId
    reason: str
    latest: int


class ExpiredOwner(NamedTuple):
    """A worker whose lease has run out, and what it still owns.

    If no worker lives, some of that may be due: `due_runs`, more if `more_due`, and `due_tasks`.
    """

    worker: WorkerId
    node: str
    role: str
    since: int
    runs: int
    tasks: int
    due_runs: int = 0
    due_tasks: int = 0
    more_due: bool = False


class UnknownOwner(NamedTuple):
    """A worker that does not exist and that owns runs or tasks of a workflow, so that no node looks for them.

    `example` is a run, that of one of the tasks.
    """

    worker: int
    of_tasks: bool
    workflow: str
    number: int
    more: bool
    since: int
    example: RunId


class OverdueTasks(NamedTuple):
    """Activity tasks that are due and have no owner; with `node`, only that one may claim them.

    `module` has the workflow of a run that waits for one of them, as far as is known.
    """

    queue: str
    isolated: bool
    activity: str
    node: str | None
    namespace: str | None
    number: int
    more: bool
    since: int
    module: str | None = None


class Quarantined(NamedTuple):
    """Runs or activity tasks of one workflow that are tried apart."""

    workflow: str
    of_tasks: bool
    number: int
    since: int
    example: RunId


class OpenRuns(NamedTuple):
    """Open runs of one version. `module` has their workflow, as far as is known."""

    workflow: str
    version: str
    number: int
    more: bool
    example: RunId
    module: str | None = None


class LostWakes(NamedTuple):
    """Runs of one workflow that nobody owns, that have mail, and that are not due; the oldest first."""

    workflow: str
    since: int
    runs: Sequence[RunId]


class RunsForNothing(NamedTuple):
    """Suspended runs of one workflow that wait for nothing that could come.

    `example` is the one that waits so since `latest`, later than all others.
    """

    workflow: str
    number: int
    more: bool
    since: int
    example: RunId
    latest: int


class OldPause(NamedTuple):
    """A pause that stands for long, and the open runs and waiting tasks that it holds.

    Without a scope it is of `runs` of one workflow, each paused by itself: the first of them is `example`.
    """

    pause: StoredPause
    runs: int
    more: bool
    tasks: int = 0
    more_tasks: bool = False
    workflow: str | None = None
    example: RunId | None = None
    latest: int | None = None


class InterruptedOperation(NamedTuple):
    """A change of many runs that is not over and that nobody executes, `since` when; `by` began it."""

    id: str
    action: str
    search: str
    by: str
    done: int
    expected: str
    since: int


class Review(NamedTuple):
    """A finding that a person has looked at, with all of its parts, which have fingerprints as well."""

    fingerprint: str
    code: str
    subject: str
    reviewer: str
    parts: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class HealthFacts:
    """What is rare at this moment; `schema` is None for a journal without one.

    `idle` has the open runs if no node lives. `reviewed` has when each finding and each of
    its parts was looked at, by their fingerprints.
    """

    now: int
    schema: str | None
    nodes: Sequence[HealthNode]
    overdue: Sequence[OverdueRuns]
    blocked: Sequence[BlockedRuns]
    expired: Sequence[ExpiredOwner]
    tasks: Sequence[OverdueTasks]
    quarantined: Sequence[Quarantined]
    deadly: Sequence[str]
    unserved: Sequence[OpenRuns]
    odd: Sequence[OddRow]
    reviewed: Mapping[str, int]
    lost_wakes: Sequence[LostWakes] = ()
    idle: Sequence[OpenRuns] = ()
    for_nothing: Sequence[RunsForNothing] = ()
    old_pauses: Sequence[OldPause] = ()
    interrupted: Sequence[InterruptedOperation] = ()
    unknown_owners: Sequence[UnknownOwner] = ()


def unserved(nodes: Sequence[HealthNode], versions: Sequence[OpenRuns]) -> list[OpenRuns]:
    """Return the versions that none of the nodes that live may execute; nothing without any node."""
    living = [node for node in nodes if node.alive]
    if not living:
        # Nobody executes anything: see `idle`.
        return []
    return [
        each for each in versions if not any(node.may_execute(each.workflow, each.version) for node in living)
    ]


def idle(nodes: Sequence[HealthNode], versions: Sequence[OpenRuns]) -> Sequence[OpenRuns]:
    """Return the open runs if no node lives, else nothing."""
    return [] if any(node.alive for node in nodes) else versions


class Health(OddRows, Protocol):
    """What is unhealthy, and what a person has looked at."""

    async def health_facts(self, *, due_for: float) -> HealthFacts:
        """Return what is rare, and what has been due for `due_for` seconds."""
        ...

    async def review_finding(
        self, review: Review, current: Sequence[str], *, audit: AuditFacts | None = None
    ) -> bool:
        """Silence a finding; False if it was. Forget reviews of findings that are not among the `current`."""
        ...
