"""What the actors of one process say to each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from continuum.engine.ids import RunId
from continuum.journal.port import ClaimedRun, InboxRow
from continuum_supervision import ActorRef


class Committed(NamedTuple):
    """To a run: its oldest write in flight is durable."""


class Fenced(NamedTuple):
    """To a run: it belongs to somebody else now, or to nobody; it must vanish without a trace."""


class EndedElsewhere(NamedTuple):
    """To a run: somebody has ended it by force; nobody waits for what it has under way."""


class TimerDue(NamedTuple):
    """To a run: a timer or a retry of its is due."""


class HandOver(NamedTuple):
    """To a run: leave this process as soon as nothing of yours goes on here."""


class Mail(NamedTuple):
    """To a run: rows of its inbox, from the fetch with this number."""

    fetch: int
    rows: tuple[InboxRow, ...]


class ActivityCompleted(NamedTuple):
    """To a run: an activity that ran here returned."""

    seq: int
    result: bytes


class ActivityRaised(NamedTuple):
    """To a run: an attempt that ran here failed. `names` are the names of the exception's classes."""

    seq: int
    type: str
    message: str
    traceback: str
    names: frozenset[str]


class Compacted(NamedTuple):
    """To a run: the snapshot of its history ends at this seq."""

    end: int


class TakeSnapshot(NamedTuple):
    """To the snapshotter: compact a run's history from `first` on, for code of this version."""

    run: ActorRef
    run_id: RunId
    version: str
    first: int


class SnapshotMisfit(NamedTuple):
    """To the dispatcher: a run that it took up must be replayed from its events."""

    claim: ClaimedRun


class LookForWork(NamedTuple):
    """To a claimer: there may be something to claim."""


class RunCrashed(NamedTuple):
    """To the dispatcher: a run actor died of a bug; its run must be taken up anew."""

    run_id: RunId


@dataclass(frozen=True, slots=True)
class Forwarded:
    """Between processes and nodes: a hint for those who cannot listen; `topic` is a `Topic`."""

    topic: int
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NodeHello:
    """Between nodes: whether this one hears the database's notifications by itself."""

    node: str
    listens: bool
