"""What a journal has stored, as it is: rows and histories for a check of the whole.

`StoredFacts` is read-only and shows one moment, also beside nodes that work. Both adapters give it:
`memory/stored_facts.py` and `postgres/stored_facts.py`. Nothing here is corrected or left out on
the way: a check has to see what a node would refuse. Data only.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from continuum.engine.ids import RunId, WorkerId
from continuum.journal.snapshot_codec import Part
from continuum.journal.wait import Wait

# Replaces an infinite time; no clock shows it.
INFINITE = 1 << 62


class StoredEvent(NamedTuple):
    """An event; its body is None when it cannot be decoded.

    One with a negative type stands for a row of so many events that cannot be decoded.
    """

    seq: int
    type: int
    at: int
    body: tuple[Any, ...] | None


class StoredMail(NamedTuple):
    """An inbox row; its body is None when it cannot be decoded."""

    id: int
    kind: int
    name: str
    key: str | None
    body: tuple[Any, ...] | None


class StoredTaskRow(NamedTuple):
    """An activity task."""

    seq: int
    dispatch: int
    attempt: int
    activity: str
    owner: WorkerId | None


class StoredSnapshot(NamedTuple):
    """One part of a snapshot, the format it is in and the version of the code that it is for."""

    part: Part
    format: int
    version: str


class Relative(NamedTuple):
    """What a check of one run needs of a parent, a child, or a neighbour in its chain."""

    id: RunId
    state: int
    depth: int
    namespace: str
    parent: RunId | None
    parent_seq: int | None
    root: RunId | None
    continued_from: RunId | None
    continued_to: RunId | None


@dataclass(slots=True)
class StoredRunFacts:
    """One run's row with everything that belongs to it. `root` is None for the first run of a chain."""

    id: RunId
    workflow: str
    version: str | None
    namespace: str
    state: int
    owner: WorkerId | None
    token: int
    due_at: int | None
    attempt: int
    deaths: int
    input: bytes
    result: bytes | None
    error: bytes | None
    reason: str | None
    has_fault: bool
    started_at: int
    updated_at: int
    completed_at: int | None
    parent: RunId | None
    parent_seq: int | None
    close_policy: int | None
    depth: int
    root: RunId | None
    continued_from: RunId | None
    continued_to: RunId | None
    # What it waits for as its owner wrote it when it parked the run; None if that is not known.
    waits: Sequence[Wait] | None = None
    events: list[StoredEvent] = field(default_factory=list)
    inbox: list[StoredMail] = field(default_factory=list)
    tasks: list[StoredTaskRow] = field(default_factory=list)
    snapshots: list[StoredSnapshot] = field(default_factory=list)
    children: list[Relative] = field(default_factory=list)
    # The latest values that its chain has published.
    published: dict[str, bytes] = field(default_factory=dict)
    # The parent and the neighbours in the chain that exist, by id.
    relatives: dict[RunId, Relative] = field(default_factory=dict)

    @property
    def has_result(self) -> bool:
        """Whether a result is stored."""
        return self.result is not None

    @property
    def chain(self) -> RunId:
        """The first run of its chain, possibly this run."""
        return self.root or self.id


class StoredWorkerRow(NamedTuple):
    """A worker, and how many runs and tasks it owns."""

    id: WorkerId
    node: str
    expires_at: int
    owns: int


class DuplicateKey(NamedTuple):
    """An idempotency key that several runs have."""

    namespace: str
    workflow: str
    key: str
    runs: Sequence[RunId]


@dataclass(slots=True)
class StoredCluster:
    """What belongs to no single run. `orphans` are (table, run id) of rows whose run does not exist."""

    now: int
    last_token: int
    workers: list[StoredWorkerRow]
    duplicate_keys: list[DuplicateKey] = field(default_factory=list)
    orphans: list[tuple[str, RunId]] = field(default_factory=list)


class StoredFacts(Protocol):
    """One moment of a journal."""

    async def cluster(self, *, whole: bool = True) -> StoredCluster:
        """Return what belongs to no single run; if not `whole`, without what needs a look at all rows."""
        ...

    def runs(
        self,
        *,
        namespace: str | None = None,
        run_ids: Sequence[RunId] | None = None,
        since: int | None = None,
    ) -> AsyncIterator[list[StoredRunFacts]]:
        """Yield runs in batches, ordered by id: of one namespace, these alone, those changed since a time."""
        ...

    async def sample(self, size: int) -> list[RunId]:
        """Return up to `size` runs from all over the journal, which takes as long however many there are."""
        ...
