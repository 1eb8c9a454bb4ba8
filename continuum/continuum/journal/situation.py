"""A run's situation: what a journal knows, at one moment, that may explain why the run does not continue.

`Situations` is the part of the port for people who ask about a run; no engine uses it. It reads a
bounded number of rows, however many there are. Data only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, Self

from continuum.engine.events import Event
from continuum.engine.ids import RunId
from continuum.journal.facts import InboxRow, RunRow, RunState
from continuum.journal.pause_facts import StoredPause
from continuum.journal.version_facts import Refusal


class Lease(NamedTuple):
    """When the lease of a run's owner ends, and when it was renewed last, in microseconds."""

    expires_at: int
    renewed_at: int


class TaskPlace(NamedTuple):
    """An activity task and its place: with its owner, or in its queue.

    If it is `lost`, its owner does not exist. `ahead` tasks of the queue are claimed before it, and `busy`
    ones run, each counted up to `SITUATION_COUNT`. Times are in microseconds, timeouts in seconds, 0 is none.
    """

    seq: int
    dispatch: int
    attempt: int
    activity: str
    queue: str
    isolated: bool
    node: str | None  # only this one may claim it
    owner_node: str | None
    owner_pid: int | None
    claimed_at: int | None
    queued_at: int | None
    timeout: float = 0.0
    heartbeat_timeout: float = 0.0
    deadline: int | None = None
    ahead: int = 0
    busy: int = 0
    lost: bool = False


class OpenChild(NamedTuple):
    """A child that has not ended; `seq` is the command of its parent that waits for it."""

    id: RunId
    seq: int
    workflow: str
    state: RunState


class Suspicion(NamedTuple):
    """That a run or one of its tasks was there when processes died, the last time `since` then.

    It is in quarantine: tried together with so many others at most, itself counted (1 is alone).
    """

    since: int
    together: int


class KnownVersion(NamedTuple):
    """Code of the run's workflow that nodes have registered, the latest first."""

    version: str
    label: str
    module: str


@dataclass(slots=True)
class Situation:
    """`events` are the last ones of the history, from seq `first` on.

    `lease` is that of the owner, None if the run has no owner or its owner is not registered. `mail`
    counts the unread inbox entries by kind and name, the oldest ten times `SITUATION_COUNT` of them;
    `heartbeats` has the latest details by seq. `suspicions` has those of tasks by seq, and under -1 that of
    the run; with `deadly` its workflow is kept apart. `active` is how many runs the processes of each
    node execute, up to ten times `SITUATION_COUNT` for each process; empty unless the run is due and
    nobody owns it.
    """

    now: int
    run: RunRow
    attempt: int
    deaths: int
    lease: Lease | None
    events: Sequence[Event]
    first: int
    tasks: Sequence[TaskPlace] = ()
    mail: Mapping[tuple[int, str], int] = field(default_factory=dict)
    children: Sequence[OpenChild] = ()
    heartbeats: Mapping[int, bytes] = field(default_factory=dict)
    refusals: Sequence[Refusal] = ()
    versions: Sequence[KnownVersion] = ()
    suspicions: Mapping[int, Suspicion] = field(default_factory=dict)
    deadly: bool = False
    active: Mapping[str, int] = field(default_factory=dict)
    # The pauses of queues in which it has tasks, by name.
    paused_queues: Mapping[str, StoredPause] = field(default_factory=dict)
    never_due: bool = False  # somebody set its due time to infinity
    schema: str | None = None  # None for a journal without one


class Situations(Protocol):
    """Situations of runs."""

    def one_moment(self) -> AbstractAsyncContextManager[Self]:
        """Return a context with a journal that reads what is stored at one moment, and changes nothing."""
        ...

    async def situation(self, run_id: RunId) -> Situation | None:
        """Return the situation of the run with this id; None without such a run."""
        ...

    async def unread(self, run_ids: Sequence[RunId], most: int) -> list[InboxRow]:
        """Return the oldest inbox rows of these runs, up to `most` of each, with any owner."""
        ...
