"""The messages between the actors of one process, and the few between processes and nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from continuum.engine.ids import RunId
from continuum.journal.port import ClaimedRun, InboxRow
from continuum_supervision import ActorRef


class Committed(NamedTuple):
    """To a run: its oldest write in flight is durable."""


class Fenced(NamedTuple):
    """To a run: this process no longer owns it; it must vanish without a trace."""


class WriteRefused(NamedTuple):
    """To a run: the journal cannot store one of its writes, and has blocked it for this reason."""

    reason: str


class EndedElsewhere(NamedTuple):
    """To a run: it was ended by force, so its activities are not wanted any more."""


class TimerDue(NamedTuple):
    """To a run: one of its timers or retries is due."""


class Release(NamedTuple):
    """To a run: leave this process as soon as nothing of the run is under way here."""


class ReportState(NamedTuple):
    """To a run: an actor that knew it has a successor; tell that the run's state and when it is due."""


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


class SnapshotMismatch(NamedTuple):
    """To the dispatcher: a run that it started does not match its snapshot; replay its events instead."""

    claim: ClaimedRun


class RunCrashed(NamedTuple):
    """To the dispatcher: a run actor died of a bug; release its run, so that it is claimed again."""

    run_id: RunId


class LostTrack(NamedTuple):
    """To the dispatcher: runs may be owned here that are not live; release those before the next claim."""


class LeaseTaken(NamedTuple):
    """To the activity dispatcher: this process is registered as a worker and may claim tasks."""


class LookForWork(NamedTuple):
    """To the activity dispatcher: there may be tasks to claim."""


@dataclass(frozen=True, slots=True)
class Forwarded:
    """Between processes and nodes: a notification for those who cannot listen; `topic` is a `Topic`."""

    topic: int
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SuspectsWait:
    """From control to the quarantine hosts of its node: runs or tasks wait for a trial."""


@dataclass(frozen=True, slots=True)
class NodeHello:
    """Between nodes: whether this one receives the database's notifications by itself."""

    node: str
    listens: bool
