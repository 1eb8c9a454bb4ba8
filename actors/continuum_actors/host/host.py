"""What the actors of one process share: the journal, the code, the settings, and each other."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from continuum.engine.ids import NodeId
from continuum.journal.port import Journal, Worker
from continuum.settings import Settings
from continuum.versions.loaded_code import Code
from continuum_supervision import Clock, Registry, SystemClock

if TYPE_CHECKING:
    from continuum_actors.activity.activity_dispatcher import ActivityDispatcher
    from continuum_actors.host.worker_lease import WorkerLease
    from continuum_actors.run.dispatcher import Dispatcher
    from continuum_actors.run.journal_writer import JournalWriter
    from continuum_actors.run.run_supervisor import RunSupervisor
    from continuum_actors.run.signal_router import SignalRouter
    from continuum_actors.run.snapshotter import Snapshotter
    from continuum_actors.run.timer_wheel import TimerWheel
    from continuum_actors.run.version_registry import VersionRegistry


class Pulse(Protocol):
    """Where a process leaves the traces that outlive it."""

    def executing(self, run_id: bytes) -> None:
        """Say whose code runs from now on."""
        ...

    def clear(self) -> None:
        """Say that nobody's code runs."""
        ...

    def set_worker_id(self, worker_id: int) -> None:
        """Say which worker this process is."""
        ...


class NoPulse:
    """For a process that nobody watches from outside."""

    def executing(self, run_id: bytes) -> None:
        """Leave no trace."""

    def clear(self) -> None:
        """Leave no trace."""

    def set_worker_id(self, worker_id: int) -> None:
        """Leave no trace."""


@dataclass(slots=True)
class Host:
    """One process's share of the engine. The actors put themselves here when they start."""

    journal: Journal
    node: NodeId
    code: Code
    role: str = "run_host"
    settings: Settings = field(default_factory=Settings)
    registry: Registry = field(default_factory=Registry)
    clock: Clock = field(default_factory=SystemClock)
    pulse: Pulse = field(default_factory=NoPulse)
    draw: Callable[[int], bytes] = os.urandom
    draining: bool = False
    worker: Worker = field(init=False)
    lease: WorkerLease = field(init=False)
    writer: JournalWriter = field(init=False)
    runs: RunSupervisor = field(init=False)
    wheel: TimerWheel = field(init=False)
    activities: ActivityDispatcher = field(init=False)
    router: SignalRouter = field(init=False)
    dispatcher: Dispatcher = field(init=False)
    snapshotter: Snapshotter = field(init=False)
    version_registry: VersionRegistry = field(init=False)

    def fraction(self) -> float:
        """Draw a number in [0, 1)."""
        return int.from_bytes(self.draw(4), "big") / (1 << 32)
