"""What the actors of one process share: the journal, the code, the settings, and each other.

Each named actor has a protocol of messages (`messages.py`). The protocols below are what the others call:
a method posts the message of its name to the actor's own mailbox, so that a dead actor does nothing.
Methods marked "shortcut" do at once what their message does later, because every step of a run needs them
or because the caller needs the answer in the same turn of the loop. ARCHITECTURE.md lists them.

Run actors come and go, and one may have ended when there is something to report to it. They receive
messages only.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import InitVar, dataclass, field
from typing import Any, Protocol

from continuum.client.in_process_port import InProcessPort
from continuum.definitions.activity_executor import ActivityExecutor
from continuum.definitions.activity_options import ActivityOptions
from continuum.definitions.effects import RunInfo
from continuum.engine.ids import NodeId, RunId
from continuum.engine.pending import PendingActivity
from continuum.journal.announced_run import AnnouncedRun, FirstWrite
from continuum.journal.port import (
    ClaimedRun,
    ClaimedTask,
    InboxRow,
    Journal,
    LeaseLost,
    RunWrite,
    StoredHistory,
    Topic,
    Worker,
)
from continuum.journal.resilient import ResilientJournal
from continuum.settings.settings import Settings
from continuum.telemetry.current_trace import tracer_here
from continuum.telemetry.measures import Measures
from continuum.telemetry.tracing import Tracer
from continuum.versions.loaded_code import Code
from continuum_actors.host import limits
from continuum_actors.host.leftovers import Leftovers
from continuum_actors.host.messages import (
    ActivityCompleted,
    ActivityRaised,
    FindRun,
    HasCounted,
    HasMail,
    Place,
    RunFound,
    TakeSnapshot,
)
from continuum_actors.host.pulse import NoPulse, Pulse
from continuum_actors.host.thread_pool import ThreadPool
from continuum_supervision import ActorRef, Clock, Registry, SystemClock


class Lease(Protocol):
    """The worker lease of this process. Called by all that writes in its name."""

    batch: int
    """Numbers this worker's commits; survives a restart of the writer."""

    def lost(self, error: LeaseLost) -> None:
        """End everything that lives on the lease and register anew."""
        ...


class Writer(Protocol):
    """Group commit. Called by runs."""

    def submit(self, write: RunWrite, run: ActorRef) -> None:
        """Make `write` durable, then send `Committed` or `Fenced` to `run`. Shortcut of `Submit`."""
        ...

    async def caught_up(self) -> None:
        """Return once few writes wait, so that mail may wake more runs."""
        ...


class Wheel(Protocol):
    """Alarms. Called by runs."""

    def arm(self, run: ActorRef, due: int | None) -> None:
        """Send `TimerDue` to `run` at `due`, on the journal's clock, or never. Shortcut of `Arm`."""
        ...


class Runs(Protocol):
    """The live runs. Called by the dispatcher, by runs, and by a drain."""

    def start_run(
        self,
        claim: ClaimedRun,
        history: StoredHistory,
        mail: Sequence[InboxRow],
        first: FirstWrite | None = None,
    ) -> None:
        """Start the actor of a run; it has made its first step then. Shortcut of `StartRun`."""
        ...

    def whereis(self, run_id: str) -> ActorRef | None:
        """Return the live actor of a run."""
        ...

    def which_children(self) -> Sequence[ActorRef]:
        """Return every run actor."""
        ...

    def live_run_ids(self) -> list[RunId]:
        """Return the ids of the runs that are live here."""
        ...

    def room(self) -> int:
        """Return how many more runs may be active here."""
        ...

    def activated(self, run: ActorRef) -> None:
        """The run has something under way here. Shortcut of `Activated`."""
        ...

    def suspended(self, run: ActorRef) -> None:
        """The run only waits. Shortcut of `Suspended`."""
        ...

    def release_all(self) -> None:
        """Have every run released as soon as it has nothing under way here."""
        ...


class Activities(Protocol):
    """The activities of the runs that are live here. Called by runs, and by a drain."""

    def run(self, run: ActorRef, info: RunInfo, pending: PendingActivity, options: ActivityOptions) -> None:
        """Run an attempt, then send its outcome to `run`. Shortcut of `RunActivity`."""
        ...

    def adopt(self, run_id: RunId, seq: int, dispatch: int, run: ActorRef) -> bool:
        """Report an earlier owner's attempt to `run`; False if none is known. Shortcut of `Adopt`."""
        ...

    def abandon(self, run_id: RunId, seq: int) -> None:
        """Set the attempt's `cancelled`: no run waits for it any more."""
        ...

    def give_up(self, run_id: RunId, seq: int, message: str) -> None:
        """End the attempt with `TimeoutError`: its activity has been answered."""
        ...

    def put_by(
        self, run: ActorRef, run_id: RunId, dispatch: int, outcome: ActivityCompleted | ActivityRaised
    ) -> None:
        """Post the outcome of an attempt whose run is paused, then send `PutBy` to `run`."""
        ...

    def salvage(self, run_id: RunId, results: Sequence[tuple[int, bytes]]) -> None:
        """Keep results whose run left before they were durable (I7). Shortcut of `Salvage`."""
        ...

    def salvage_failure(self, run_id: RunId, dispatch: int, failure: ActivityRaised) -> None:
        """Keep how an attempt failed whose run has left this process before that was durable (I7)."""
        ...

    @property
    def busy(self) -> bool:
        """Whether an attempt is running or its result is not delivered yet."""
        ...


class Tasks(Protocol):
    """Activity tasks that are claimed from the database. Called by all that learn of new tasks."""

    def lease_taken(self) -> None:
        """Tasks may be claimed from now on: this process is registered as a worker."""
        ...

    def look_for_work(self) -> None:
        """Claim tasks as far as there is capacity."""
        ...

    def known(self) -> Sequence[tuple[RunId, int]]:
        """Return run and seq of the claimed tasks that run here or whose results are not stored yet."""
        ...

    def start(self, task: ClaimedTask) -> asyncio.Task[None]:
        """Start a claimed task; return the asyncio task in which it runs."""
        ...

    @property
    def busy(self) -> bool:
        """Whether a task is running or its result is not stored yet."""
        ...


class Router(Protocol):
    """Notifications and mail. Called by the dispatcher, by runs, and by the node's other processes."""

    fetch_number: int
    """The number of the latest fetch that has begun; runs use it to know which rows are new."""

    def look(self, run_ids: Sequence[RunId] | None) -> None:
        """Fetch the mail of these runs, or of all."""
        ...

    def notified(self, topic: Topic, ids: Sequence[str]) -> None:
        """Act on a notification, from the database or from another node."""
        ...


class Claims(Protocol):
    """The dispatcher. Called by all that makes a run claimable, or room for one."""

    def look(self) -> None:
        """There may be a run to claim."""
        ...

    def begin(self, announced: AnnouncedRun) -> None:
        """A run has been started and announced to this process alone."""
        ...

    def resume(self, run_id: RunId) -> None:
        """A run without an owner has mail, announced to this process alone."""
        ...

    def expect(self, due: int) -> None:
        """A run that has no owner is due then (microseconds on the journal's clock)."""
        ...

    def has_room(self) -> None:
        """A run has stopped being active. Shortcut of `HasRoom`."""
        ...

    async def start_all(self, claims: Sequence[ClaimedRun]) -> None:
        """Start claimed runs."""
        ...

    def run_crashed(self, run_id: RunId) -> None:
        """Release a run whose actor died of a bug."""
        ...

    def lost_track(self) -> None:
        """Runs may be owned here that are not live: release them before the next claim."""
        ...

    def replay_events(self, claim: ClaimedRun) -> None:
        """Start a claimed run again without its snapshot, which its code does not match."""
        ...


class LocalStarts(Protocol):
    """Starts of clients in this process. Called by runs."""

    def created(self, run_id: RunId) -> None:
        """The first write of a run, which created it, is durable. Shortcut of `Created`."""
        ...


class Locator(Protocol):
    """The registry of the live runs, as an actor. Called by the node's other processes."""

    def find(self, wanted: FindRun) -> None:
        """Have the run tell where it is, if it is live here."""
        ...


class Control(Protocol):
    """The control process of this node, which reaches all processes of the cluster."""

    @property
    def process_id(self) -> str:
        """The name that this process has there."""
        ...

    def send(self, message: HasMail | RunFound | HasCounted) -> None:
        """Send to the control process; the message may be lost."""
        ...


class Pauses(Protocol):
    """What is paused. Called by all that learn of it, and by those who begin runs that nobody owns."""

    def look(self) -> None:
        """Something may have been paused, or may continue."""
        ...

    def holds(self, workflow: str, namespace: str) -> bool:
        """Whether runs of this workflow and namespace are paused together, as far as is known."""
        ...


class Snapshots(Protocol):
    """Compaction of histories. Called by runs."""

    def take(self, wanted: TakeSnapshot) -> None:
        """Compact a run's history, then send `Compacted` to its actor."""
        ...


class Versions(Protocol):
    """What this process has registered in the journal. Called by those who watch it."""

    state: str
    registered: int
    ready: asyncio.Event
    described: asyncio.Event


class NotStarted:
    """The value of a field of the host until the actor that sets it has started.

    It is not `None`: the tree starts an actor after those that it calls, so that a check at
    each of forty calls would only cost time.
    """

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"{name}: the actor that has it has not started in this process")


_NOT_STARTED: Any = NotStarted()


def _nobody_asks() -> None:
    """Do nothing: this process alone is no node."""


@dataclass(slots=True)
class Host:
    """One process's share of the engine. Each actor puts itself into its field when it starts.

    `stored` is the journal that `journal` calls until it answers.
    """

    stored: InitVar[Journal]
    node: NodeId
    code: Code
    role: str = "run_host"
    settings: Settings = field(default_factory=Settings)
    registry: Registry = field(default_factory=Registry)
    clock: Clock = field(default_factory=SystemClock)
    pulse: Pulse = field(default_factory=NoPulse)
    # Made after the code is loaded: that may have set up OpenTelemetry.
    tracer: Tracer = field(default_factory=tracer_here)
    measures: Measures = field(default_factory=Measures)
    random_bytes: Callable[[int], bytes] = os.urandom
    # The application's own way to run activities; None for this process's loop and threads.
    executor: ActivityExecutor | None = None
    draining: bool = False
    # A quarantine host claims suspects only. An actor of its own tries them.
    claims: bool = True
    tries_suspects: bool = False
    # Whether it claims the runs of workflows that are kept apart.
    takes_deadly: bool = False
    # Whether one suspect is on trial alone, so that its activities must be, too.
    one_on_trial: bool = False
    trial_seconds: float = limits.TRIAL_SECONDS
    suspects_wait: asyncio.Event = field(default_factory=asyncio.Event)
    # Set when what it has acquitted still runs here and others wait to be tried apart from that.
    crowded: asyncio.Event = field(default_factory=asyncio.Event)
    # The local activities (run, seq, dispatch number) that an orderly stop of this process has interrupted.
    interrupted: list[tuple[RunId, int, int]] = field(default_factory=list)
    # Activities whose attempt is over and whose code still runs here.
    leftovers: Leftovers = field(default_factory=Leftovers)
    # The worker that this process has registered as last; None before the first time.
    worker: Worker | None = None
    lease: Lease = _NOT_STARTED
    writer: Writer = _NOT_STARTED
    runs: Runs = _NOT_STARTED
    wheel: Wheel = _NOT_STARTED
    threads: ThreadPool = _NOT_STARTED
    activities: Activities = _NOT_STARTED
    tasks: Tasks = _NOT_STARTED
    router: Router = _NOT_STARTED
    dispatcher: Claims = _NOT_STARTED
    snapshotter: Snapshots = _NOT_STARTED
    pauses: Pauses = _NOT_STARTED
    version_registry: Versions = _NOT_STARTED
    locator: Locator = _NOT_STARTED
    # Where starts are announced to this process alone; None if it begins no runs, or does not listen.
    channel: str | None = None
    # Called when somebody begins to look at this node.
    looked_at: Callable[[], object] = _nobody_asks
    # None in an application, whose node is one process.
    control: Control | None = None
    # To the clients in an application's loop; None in a process of its own.
    port: InProcessPort | None = None
    local_starts: LocalStarts = _NOT_STARTED
    journal: ResilientJournal = field(init=False)

    def __post_init__(self, stored: Journal) -> None:
        self.journal = ResilientJournal(
            stored, self.clock, self.random_fraction, lease_ttl=self.settings.lease_ttl
        )

    def takes_announced_runs(self) -> bool:
        """Whether this process begins or resumes a run that is announced to it alone.

        Such a run does not wait behind a backlog that fills this host.
        """
        beyond = self.settings.active_runs // limits.ROOM_FOR_ANNOUNCED
        return self.claims and not self.draining and self.runs.room() > -beyond

    def serves(self, namespace: str) -> bool:
        """Whether this node executes runs of a namespace."""
        served = self.settings.namespaces
        return served is None or namespace in served

    @property
    def hints(self) -> bool:
        """Whether this process notifies owners elsewhere: without LISTEN the database does not."""
        return self.control is not None and not self.settings.listen

    def hint(self, run_ids: Iterable[RunId]) -> None:
        """Tell the owners of these runs that there is mail, if `hints`."""
        elsewhere = tuple({run_id for run_id in run_ids if self.registry.whereis(run_id) is None})
        if self.control is not None and elsewhere:
            self.control.send(HasMail(elsewhere))

    def tell_place(self, wanted: FindRun, since: int) -> None:
        """Answer a search: the run has been live here since then, on the journal's clock."""
        if self.control is not None:
            place = Place(self.node, self.control.process_id, os.getpid(), since)
            self.control.send(RunFound(wanted.run_id, wanted.asker, place))

    def live_runs(self) -> list[ActorRef]:
        """Return the actors of the runs that are live here, with or without a supervisor."""
        found = (self.registry.whereis(name) for name in self.registry.names())
        return [run for run in found if run is not None]

    def random_fraction(self) -> float:
        """Return a random number in [0, 1)."""
        return int.from_bytes(self.random_bytes(4), "big") / (1 << 32)

    def registered_worker(self) -> Worker:
        """Return this process's worker, for what starts after the worker lease."""
        assert self.worker is not None, "nothing writes before the worker lease has started"
        return self.worker
