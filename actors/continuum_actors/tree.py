"""The supervision trees as data: the first file to read.

Every actor of a host restarts alone, because its successor can rebuild what it knew: the timer wheel
and the run supervisor ask the live runs, the router reads the inbox, the dispatcher releases what the
database says is owned here and is not live, and those that run activities take over what is running.
So a live run notices nothing.

The leaseholders are the exception: without the lease nothing here may write, and without the writer
it is not known what is durable. Losing either gives the lease back, which releases every run, and the
journal has all that is needed to start them again.

Children start in this order and stop in reverse: the writer and the lease stop after those that write.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from continuum_actors.activity.activity_dispatcher import ActivityDispatcher
from continuum_actors.activity.activity_threads import ActivityThreads
from continuum_actors.activity.local_activities import LocalActivities
from continuum_actors.activity.serial_activities import SerialActivities
from continuum_actors.activity.stand_ins import NoActivities
from continuum_actors.activity.task_listener import TaskListener
from continuum_actors.host.host import Host
from continuum_actors.host.worker_lease import WorkerLease
from continuum_actors.run.dispatcher import Dispatcher
from continuum_actors.run.journal_writer import JournalWriter
from continuum_actors.run.local_starts import LocalStarts
from continuum_actors.run.pauses import Pauses
from continuum_actors.run.run_registry import RunRegistry
from continuum_actors.run.run_supervisor import RunSupervisor
from continuum_actors.run.signal_router import SignalRouter
from continuum_actors.run.snapshotter import Snapshotter
from continuum_actors.run.stand_ins import NoRouter, NoRuns, NoWheel
from continuum_actors.run.timer_wheel import TimerWheel
from continuum_actors.run.trials import Trials
from continuum_actors.run.version_registry import VersionRegistry
from continuum_actors.stand_ins import NoActivityDispatcher, NoDispatcher, NoSnapshotter
from continuum_supervision import ChildSpec, Registry, Shutdown, Strategy, Supervisor

# A process whose actors crash more often than this, in this many seconds, is better replaced whole.
MAX_RESTARTS = 10
MAX_SECONDS = 30.0


# What takes the place of a child that is left out: an attribute of the host, and its stand-in.
STAND_INS: Mapping[str, tuple[str, Callable[[], object]]] = {
    "activity_supervisor": ("activities", NoActivities),
    "run_supervisor": ("runs", NoRuns),
    "timer_wheel": ("wheel", NoWheel),
    "signal_router": ("router", NoRouter),
    "activity_dispatcher": ("tasks", NoActivityDispatcher),
    "dispatcher": ("dispatcher", NoDispatcher),
    "snapshotter": ("snapshotter", NoSnapshotter),
}


def run_host_children(host: Host, without: Collection[str] = ()) -> list[ChildSpec]:
    """Return the children of a process that executes runs; those named in `without` are left out."""
    without = with_dependents(without)
    children = [
        ChildSpec("registry", lambda: RunRegistry(host)),
        ChildSpec("activity_threads", lambda: ActivityThreads(host)),
        ChildSpec(
            "local_activities", lambda: LocalActivities(host) if host.claims else SerialActivities(host)
        ),
        ChildSpec("activity_dispatcher", lambda: ActivityDispatcher(host)),
        ChildSpec("leaseholders", lambda: _leaseholders(host, without), shutdown=Shutdown.INFINITY),
        ChildSpec("version_registry", lambda: VersionRegistry(host)),
    ]
    for child in STAND_INS.keys() & without:
        attribute, stand_in = STAND_INS[child]
        setattr(host, attribute, stand_in())
    if host.claims and not {"dispatcher", "signal_router"} & without:
        host.channel = f"h{host.random_bytes(4).hex()}"
    if "version_registry" in without:
        # The pinned code of this node was registered by others, or is not registered on purpose.
        host.code.pinned_are_stored()
    return [spec for spec in children if spec.id not in without]


def with_dependents(without: Collection[str]) -> frozenset[str]:
    """Return what is left out together with what is of no use without it."""
    found = frozenset(without)
    if "activity_supervisor" in found:
        found |= {"activity_threads", "local_activities", "activity_dispatcher"}
    if "run_supervisor" in found:
        found |= {"dispatcher"}
    return found


def _leaseholders(host: Host, without: Collection[str]) -> Supervisor:
    return Supervisor(
        [
            ChildSpec("worker_lease", lambda: WorkerLease(host), shutdown=Shutdown.INFINITY),
            ChildSpec("journal_writer", lambda: JournalWriter(host)),
            ChildSpec("run_actors", lambda: _run_actors(host, without), shutdown=Shutdown.INFINITY),
        ],
        strategy=Strategy.ONE_FOR_ALL,
        max_restarts=MAX_RESTARTS,
        max_seconds=MAX_SECONDS,
    )


def _run_actors(host: Host, without: Collection[str]) -> Supervisor:
    children = [
        ChildSpec("snapshotter", lambda: Snapshotter(host)),
        ChildSpec("run_supervisor", lambda: RunSupervisor(host), shutdown=Shutdown.INFINITY),
        ChildSpec("timer_wheel", lambda: TimerWheel(host)),
        ChildSpec("pauses", lambda: Pauses(host)),
        ChildSpec("signal_router", lambda: SignalRouter(host)),
        ChildSpec("dispatcher", lambda: Dispatcher(host)),
    ]
    if host.port is not None:
        port = host.port
        children.append(ChildSpec("local_starts", lambda: LocalStarts(host, port)))
    if host.tries_suspects and not {"dispatcher", "activity_dispatcher"} & set(without):
        children.append(ChildSpec("trials", lambda: Trials(host)))
    if "dispatcher" in without:
        # Runs that nobody claims here begin here neither.
        without = {*without, "local_starts"}
    return host_supervisor([spec for spec in children if spec.id not in without])


def activity_host_children(host: Host) -> list[ChildSpec]:
    """Return the children of a process that runs isolated activities."""
    return [
        ChildSpec("activity_threads", lambda: ActivityThreads(host)),
        ChildSpec("activity_dispatcher", lambda: ActivityDispatcher(host, isolated=True)),
        ChildSpec("worker_lease", lambda: WorkerLease(host), shutdown=Shutdown.INFINITY),
        ChildSpec("task_listener", lambda: TaskListener(host)),
    ]


def host_supervisor(children: list[ChildSpec], registry: Registry | None = None) -> Supervisor:
    """Return a supervisor of children each of which restarts alone."""
    return Supervisor(
        children,
        strategy=Strategy.ONE_FOR_ONE,
        max_restarts=MAX_RESTARTS,
        max_seconds=MAX_SECONDS,
        registry=registry,
    )
