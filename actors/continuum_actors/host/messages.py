"""The messages between the actors of one process, and the few between processes and nodes.

The end of the file has the protocol of each named actor: everything that it understands. Senders use
the methods of `host.py`, each of which posts the message of its name. A few are **shortcuts**: they do
at once what the message does later. ARCHITECTURE.md lists them, with what they save.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from continuum.definitions.activity_options import ActivityOptions
from continuum.definitions.effects import RunInfo
from continuum.engine.ids import RunId
from continuum.engine.pending import PendingActivity
from continuum.journal.announced_run import AnnouncedRun, FirstWrite, NewRun
from continuum.journal.port import ClaimedRun, InboxRow, LeaseLost, RunWrite, StoredHistory, Topic
from continuum.telemetry.tallies import Tally
from continuum_supervision import ActorRef, WhereIs
from continuum_supervision.process.events import PeerDown, PeerUp


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


class Paused(NamedTuple):
    """To a run: it is paused. Begin nothing, and leave this process as soon as what runs here has ended."""


class Unpaused(NamedTuple):
    """To a run: it is paused no more, and continues."""


class PutBy(NamedTuple):
    """To a run: the outcome of an attempt that ended while the run was paused is in its inbox."""


class LookForPauses(NamedTuple):
    """To the pauses: something may have been paused, or may continue."""


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


class LookForRuns(NamedTuple):
    """To the dispatcher: there may be a run to claim."""


class ExpectRun(NamedTuple):
    """To the dispatcher: a run that has no owner is due then, in microseconds on the journal's clock."""

    due: int


class BeginRun(NamedTuple):
    """To the dispatcher: a run has been started and announced to this process alone."""

    announced: AnnouncedRun


class StartHere(NamedTuple):
    """To the local starts: a client in this process wants this run started."""

    run: NewRun


class Created(NamedTuple):
    """To the local starts: the first write of a run, which created it, is durable."""

    run_id: RunId


class ResumeRun(NamedTuple):
    """To the dispatcher: a run without an owner has mail, announced to this process alone."""

    run_id: RunId


class HasRoom(NamedTuple):
    """To the dispatcher: a run has stopped being active."""


class Submit(NamedTuple):
    """To the journal writer: make a write durable, then send `Committed` or `Fenced` to its run."""

    write: RunWrite
    run: ActorRef


class Arm(NamedTuple):
    """To the timer wheel: send `TimerDue` to a run at `due`, or never."""

    run: ActorRef
    due: int | None


class StartRun(NamedTuple):
    """To the run supervisor: start the actor of a run that is claimed, or that its first write takes."""

    claim: ClaimedRun
    history: StoredHistory
    mail: Sequence[InboxRow]
    first: FirstWrite | None = None


class Activated(NamedTuple):
    """To the run supervisor: a run has something under way here."""

    run: ActorRef


class Suspended(NamedTuple):
    """To the run supervisor: a run only waits."""

    run: ActorRef


class ReleaseAll(NamedTuple):
    """To the run supervisor: have every run released as soon as it has nothing under way here."""


class LookForMail(NamedTuple):
    """To the signal router: fetch the mail of these runs, or of all."""

    run_ids: tuple[RunId, ...] | None


class Notified(NamedTuple):
    """To the signal router: a notification, from the database or from another node."""

    topic: Topic
    ids: tuple[str, ...]


class RunActivity(NamedTuple):
    """To the local activities: run an attempt, then send its outcome to its run."""

    run: ActorRef
    info: RunInfo
    pending: PendingActivity
    options: ActivityOptions


class Adopt(NamedTuple):
    """A call of the local activities: report an attempt to its run's new actor; replies False without one."""

    run_id: RunId
    seq: int
    dispatch: int
    run: ActorRef


class Abandon(NamedTuple):
    """To the local activities: no run waits for an attempt any more."""

    run_id: RunId
    seq: int


class Salvage(NamedTuple):
    """To the local activities: keep results whose run has left this process before they were durable."""

    run_id: RunId
    results: Sequence[tuple[int, bytes]]


class LeaseIsLost(NamedTuple):
    """To the worker lease: end everything that lives on the lease and register anew."""

    error: LeaseLost


@dataclass(frozen=True, slots=True)
class Forwarded:
    """Between processes and nodes: a notification for those who cannot listen; `topic` is a `Topic`."""

    topic: int
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HasMail:
    """From a host to its node's cluster actor: these runs have mail, and no LISTEN tells their owners."""

    run_ids: tuple[RunId, ...]


@dataclass(frozen=True, slots=True)
class HasCounted:
    """From a host to the control process of its node: what was counted since the last report."""

    counted: tuple[Tally, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run is live: a process of a node, and since when, in microseconds on the journal's clock."""

    node: str
    process_id: str
    pid: int
    since: int


@dataclass(frozen=True, slots=True)
class FindRun:
    """Between processes and nodes, then to the run: tell the cluster actor of `asker` where it is live."""

    run_id: RunId
    asker: str


@dataclass(frozen=True, slots=True)
class RunFound:
    """The answer to `FindRun`; processes in which the run is not live do not answer."""

    run_id: RunId
    asker: str
    place: Place


@dataclass(frozen=True, slots=True)
class SearchOver:
    """From the cluster actor to itself: who has not answered by now does not own the run."""

    run_id: RunId


@dataclass(frozen=True, slots=True)
class SuspectsWait:
    """From control to the quarantine hosts of its node: runs or tasks wait for a trial."""


@dataclass(frozen=True, slots=True)
class LookedAt:
    """To control: somebody begins to look at its node."""


@dataclass(frozen=True, slots=True)
class NodeHello:
    """Between nodes: whether this one receives the database's notifications by itself."""

    node: str
    listens: bool


# What each named actor understands.
ToRun: TypeAlias = (
    Committed
    | Fenced
    | EndedElsewhere
    | TimerDue
    | Release
    | Paused
    | Unpaused
    | PutBy
    | ReportState
    | Mail
    | ActivityCompleted
    | ActivityRaised
    | Compacted
    | FindRun
)
ToRunRegistry: TypeAlias = FindRun
ToWorkerLease: TypeAlias = LeaseIsLost
ToJournalWriter: TypeAlias = Submit
ToSnapshotter: TypeAlias = TakeSnapshot
ToRunSupervisor: TypeAlias = StartRun | Activated | Suspended | ReleaseAll
ToTimerWheel: TypeAlias = Arm
ToPauses: TypeAlias = LookForPauses
ToSignalRouter: TypeAlias = LookForMail | Notified
ToDispatcher: TypeAlias = (
    LookForRuns | ExpectRun | BeginRun | ResumeRun | HasRoom | RunCrashed | SnapshotMismatch | LostTrack
)
ToLocalStarts: TypeAlias = StartHere | Created
ToLocalActivities: TypeAlias = RunActivity | Abandon | Salvage
CallsOfLocalActivities: TypeAlias = Adopt
ToActivityDispatcher: TypeAlias = LeaseTaken | LookForWork
ToCluster: TypeAlias = PeerUp | PeerDown | NodeHello | Forwarded | HasMail | FindRun | RunFound
CallsOfCluster: TypeAlias = WhereIs
