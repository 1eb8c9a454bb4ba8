"""The part of the port for people who watch: how much there is to do, and what open runs wait for.

No engine uses it. An answer takes as long in a large database as in a small one: what there is much of is
counted up to a limit, and of very many open runs some are looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Backlog:
    """Runs that are due and that no process has claimed; more of them than `runs` if `more`.

    The one that waits longest has been due `since` then. Paused runs and those in quarantine are none.
    """

    runs: int
    more: bool
    since: int | None


@dataclass(frozen=True, slots=True)
class QueueLoad:
    """The activity tasks of a queue.

    `waiting` have not been claimed, of which the oldest has been due `since` then; those of paused runs and
    of paused queues are among them. `claimed` are those that a process works on. There are more if `more`.
    """

    queue: str
    waiting: int
    since: int | None
    claimed: int
    more: bool


@dataclass(frozen=True, slots=True)
class WaitedFor:
    """What `runs` suspended runs wait for, by kind and name as in `Wait`, the first of them `since` then.

    The kind is also ``nothing``: these wait for nothing that could come.
    """

    kind: str
    name: str
    runs: int
    since: int | None


@dataclass(frozen=True, slots=True)
class OpenWork:
    """Open runs by state, in lower-case words, and by what they wait for: what most of them wait for first.

    `looked_at` of them are counted. These are all, unless there are `more`: then as many of each version were
    looked at, and the counts are those of these.
    """

    states: Mapping[str, int]
    waits: Sequence[WaitedFor]
    looked_at: int
    more: bool


class Workload(Protocol):
    """What there is to do."""

    async def backlog(self) -> Backlog:
        """Return how many runs are due and unclaimed, counted up to `MOST_COUNTED`."""
        ...

    async def queue_loads(self) -> list[QueueLoad]:
        """Return the queues that have tasks, by name."""
        ...

    async def open_work(self, workflow: str | None = None) -> OpenWork:
        """Return what open runs do, of one workflow or of all; `OPEN_RUNS_LOOKED_AT` of them at most."""
        ...
