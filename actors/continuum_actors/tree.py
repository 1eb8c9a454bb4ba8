"""The supervision trees as data: the first file to read.

A run host's children in start order. The strategy is rest-for-one: each child depends on
those before it. The actors that run activities start before the leaseholders, because their
attempts outlive the loss of the lease. The version registry is last: no child depends on it.

The leaseholders are restarted together: each of them has state about the runs that are live
here which its successor would not have (claimed and not started yet, armed in the wheel,
submitted to the writer). Giving the lease back releases every run, and the journal has all
that is needed to start them again.
"""

from __future__ import annotations

from collections.abc import Collection

from continuum_actors.activity.activity_dispatcher import ActivityDispatcher
from continuum_actors.activity.activity_threads import ActivityThreads
from continuum_actors.activity.local_activities import LocalActivities
from continuum_actors.activity.serial_activities import SerialActivities
from continuum_actors.activity.task_listener import TaskListener
from continuum_actors.host.host import Host
from continuum_actors.host.worker_lease import WorkerLease
from continuum_actors.run.dispatcher import Dispatcher
from continuum_actors.run.journal_writer import JournalWriter
from continuum_actors.run.run_supervisor import RunSupervisor
from continuum_actors.run.signal_router import SignalRouter
from continuum_actors.run.snapshotter import Snapshotter
from continuum_actors.run.timer_wheel import TimerWheel
from continuum_actors.run.trials import Trials
from continuum_actors.run.version_registry import VersionRegistry
from continuum_actors.stand_ins import NoActivityDispatcher, NoDispatcher, NoSnapshotter
from continuum_supervision import ChildSpec, Registry, RegistryActor, Shutdown, Strategy, Supervisor

# A process whose actors crash more often than this, in this many seconds, is better replaced whole.
MAX_RESTARTS = 10
MAX_SECONDS = 30.0


def run_host_children(host: Host, without: Collection[str] = ()) -> list[ChildSpec]:
    """Return the children of a process that executes runs; those named in `without` are left out."""
    children = [
        ChildSpec("registry", lambda: RegistryActor(host.registry)),
        ChildSpec("activity_threads", lambda: ActivityThreads(host)),
        ChildSpec(
            "local_activities", lambda: LocalActivities(host) if host.claims else SerialActivities(host)
        ),
        ChildSpec("activity_dispatcher", lambda: ActivityDispatcher(host)),
        ChildSpec("leaseholders", lambda: _leaseholders(host, without), shutdown=Shutdown.INFINITY),
        ChildSpec("version_registry", lambda: VersionRegistry(host)),
    ]
    if "activity_dispatcher" in without:
        host.tasks = NoActivityDispatcher()
    if "dispatcher" in without:
        host.dispatcher = NoDispatcher()
    if "snapshotter" in without:
        host.snapshotter = NoSnapshotter()
    if "version_registry" in without:
        # The pinned code of this node was registered by others, or is not registered on purpose.
        host.code.pinned_are_stored()
    return [spec for spec in children if spec.id not in without]


def _leaseholders(host: Host, without: Collection[str]) -> Supervisor:
    children = [
        ChildSpec("worker_lease", lambda: WorkerLease(host), shutdown=Shutdown.INFINITY),
        ChildSpec("snapshotter", lambda: Snapshotter(host)),
        ChildSpec("journal_writer", lambda: JournalWriter(host)),
        ChildSpec("run_supervisor", lambda: RunSupervisor(host), shutdown=Shutdown.INFINITY),
        ChildSpec("timer_wheel", lambda: TimerWheel(host)),
        ChildSpec("signal_router", lambda: SignalRouter(host)),
        ChildSpec("dispatcher", lambda: Dispatcher(host)),
    ]
    if host.tries_suspects and not {"dispatcher", "activity_dispatcher"} & set(without):
        children.append(ChildSpec("trials", lambda: Trials(host)))
    return Supervisor(
        [spec for spec in children if spec.id not in without],
        strategy=Strategy.ONE_FOR_ALL,
        max_restarts=MAX_RESTARTS,
        max_seconds=MAX_SECONDS,
    )


def activity_host_children(host: Host) -> list[ChildSpec]:
    """Return the children of a process that runs isolated activities."""
    return [
        ChildSpec("activity_threads", lambda: ActivityThreads(host)),
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
