"""The supervision trees as data: the first file to read.

A run host's children in start order. The strategy is rest-for-one: what stands below
lives on what stands above. The activity dispatcher stands above the leaseholders
because what runs there outlives the loss of the lease. The version registry stands last:
nobody lives on it.

The leaseholders live and die together: each of them knows something of the runs that
are live here which a successor would not (claimed and not yet live, armed in the wheel,
handed to the writer). Giving the lease back frees every run, and the journal knows it all.
"""

from __future__ import annotations

from collections.abc import Collection

from continuum_actors.activity.activity_dispatcher import ActivityDispatcher
from continuum_actors.activity.task_listener import TaskListener
from continuum_actors.host.host import Host
from continuum_actors.host.worker_lease import WorkerLease
from continuum_actors.run.dispatcher import Dispatcher
from continuum_actors.run.journal_writer import JournalWriter
from continuum_actors.run.run_supervisor import RunSupervisor
from continuum_actors.run.signal_router import SignalRouter
from continuum_actors.run.snapshotter import Snapshotter
from continuum_actors.run.timer_wheel import TimerWheel
from continuum_actors.run.version_registry import VersionRegistry
from continuum_actors.stand_ins import NoDispatcher, NoSnapshotter, OwnActivities
from continuum_supervision import ChildSpec, Registry, RegistryActor, Shutdown, Strategy, Supervisor

# A process whose actors crash this often in this many seconds is better replaced whole.
MAX_RESTARTS = 10
MAX_SECONDS = 30.0


def run_host_children(host: Host, without: Collection[str] = ()) -> list[ChildSpec]:
    """Return what a process that executes runs consists of, but for the children named in `without`."""
    activities = OwnActivities if "activity_dispatcher" in without else ActivityDispatcher
    children = [
        ChildSpec("registry", lambda: RegistryActor(host.registry)),
        ChildSpec("activity_dispatcher", lambda: activities(host)),
        ChildSpec("leaseholders", lambda: _leaseholders(host, without), shutdown=Shutdown.INFINITY),
    ]
    if "version_registry" in without:
        host.code.pinned_are_stored()  # by others, or by nobody: that is what was asked for
    else:
        children.append(ChildSpec("version_registry", lambda: VersionRegistry(host)))
    return children


def _leaseholders(host: Host, without: Collection[str]) -> Supervisor:
    snapshotter = NoSnapshotter if "snapshotter" in without else Snapshotter
    dispatcher = NoDispatcher if "dispatcher" in without else Dispatcher
    children = [
        ChildSpec("worker_lease", lambda: WorkerLease(host), shutdown=Shutdown.INFINITY),
        ChildSpec("snapshotter", lambda: snapshotter(host)),
        ChildSpec("journal_writer", lambda: JournalWriter(host)),
        ChildSpec("run_supervisor", lambda: RunSupervisor(host), shutdown=Shutdown.INFINITY),
        ChildSpec("timer_wheel", lambda: TimerWheel(host)),
        ChildSpec("signal_router", lambda: SignalRouter(host)),
        ChildSpec("dispatcher", lambda: dispatcher(host)),
    ]
    return Supervisor(
        children, strategy=Strategy.ONE_FOR_ALL, max_restarts=MAX_RESTARTS, max_seconds=MAX_SECONDS
    )


def activity_host_children(host: Host) -> list[ChildSpec]:
    """Return what a process that runs isolated activities consists of."""
    return [
        ChildSpec("activity_dispatcher", lambda: ActivityDispatcher(host, isolated=True)),
        ChildSpec("worker_lease", lambda: WorkerLease(host), shutdown=Shutdown.INFINITY),
        ChildSpec("task_listener", lambda: TaskListener(host)),
    ]


def host_supervisor(children: list[ChildSpec], registry: Registry | None = None) -> Supervisor:
    """Return the supervisor of one process's children."""
    return Supervisor(
        children,
        strategy=Strategy.REST_FOR_ONE,
        max_restarts=MAX_RESTARTS,
        max_seconds=MAX_SECONDS,
        registry=registry,
    )
