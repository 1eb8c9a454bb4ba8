"""What a process that executes something reports of itself while somebody looks at its node."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable

from continuum.operations.node_report import ActorReport, Load, ProcessReport, ProcessStacks
from continuum_actors.activity.activity_dispatcher import ActivityDispatcher
from continuum_actors.activity.local_activities import LocalActivities
from continuum_actors.host import limits
from continuum_actors.host.host import Host
from continuum_actors.host.thread_pool import ThreadPool
from continuum_actors.node.report_messages import StacksTold, StateTold, TellStacks, TellState, Told
from continuum_actors.node.stacks import stacks_of
from continuum_actors.run.run_supervisor import RunSupervisor
from continuum_supervision import Description


def _to_nobody(told: Told) -> None:
    """Say nothing: nobody asks this process from elsewhere."""


class HostReporter:
    """Answers control for one process; `host` and `describe` are set once it executes something."""

    def __init__(self, process_id: str, role: str, tell: Callable[[Told], None] = _to_nobody) -> None:
        self._process_id = process_id
        self._role = role
        self._tell = tell
        self._started = time.monotonic()
        self._loop = asyncio.get_running_loop()
        self.host: Host | None = None
        self.describe: Callable[[str], Description] | None = None

    def received(self, message: object) -> None:
        """Answer in a moment, which shows how late the loop is; called in the loop."""
        if isinstance(message, TellState):
            due = self._loop.time() + limits.LAG_SAMPLE_SECONDS
            self._loop.call_at(due, self._answer, message.number, due)

    def received_urgently(self, message: object) -> None:
        """Answer at once, in any thread."""
        if isinstance(message, TellStacks):
            self._tell(StacksTold(message.number, self.stacks()))

    def stacks(self) -> ProcessStacks:
        """Return where the threads and tasks of this process are; in any thread."""
        return stacks_of(self._process_id, self._role, os.getpid(), self._loop)

    def _answer(self, number: int, due: float) -> None:
        self._tell(StateTold(number, self.report(self._loop.time() - due)))

    async def report_of_itself(self) -> ProcessReport:
        """Return how this process is, for those who need not ask it from elsewhere."""
        due = self._loop.time() + limits.LAG_SAMPLE_SECONDS
        await asyncio.sleep(limits.LAG_SAMPLE_SECONDS)
        return self.report(self._loop.time() - due)

    def report(self, lag: float) -> ProcessReport:
        """Return how this process is; its loop called back so late, in seconds."""
        host, describe = self.host, self.describe
        return ProcessReport(
            self._process_id,
            self._role,
            os.getpid(),
            up_for=time.monotonic() - self._started,
            worker=None if host is None or host.worker is None else host.worker.id,
            loop_lag=max(0.0, lag),
            memory=resident_memory(os.getpid()),
            connections=None if host is None else host.journal.once.open_connections(),
            draining=host is not None and host.draining,
            load=None if host is None else load_of(host),
            tree=None if describe is None else actor_report(describe(self._process_id), self._loop.time()),
        )


def load_of(host: Host) -> Load:
    """Return what a host executes; what was left out, or has not started, executes nothing."""
    settings = host.settings
    runs = host.runs if isinstance(host.runs, RunSupervisor) else None
    live = 0 if runs is None else runs.count_children()
    active = 0 if runs is None else settings.active_runs - runs.room()
    threads = host.threads if isinstance(host.threads, ThreadPool) else None
    alone = host.role == "activity_host"
    return Load(
        live_runs=live,
        active_runs=active,
        active_limit=0 if alone else settings.active_runs,
        suspended_runs=max(0, live - active),
        suspended_limit=0 if alone else settings.live_suspended_runs,
        local=host.activities.running if isinstance(host.activities, LocalActivities) else 0,
        tasks=len(host.tasks.known()) if isinstance(host.tasks, ActivityDispatcher) else 0,
        task_limit=1 if alone else settings.claimed_tasks,
        busy_threads=0 if threads is None else threads.busy(),
        thread_limit=settings.activity_threads,
        waiting_for_a_thread=0 if threads is None else threads.waiting(),
    )


def actor_report(seen: Description, now: float) -> ActorReport:
    """Return a description as a record of a report, with ages in place of times."""
    return ActorReport(
        seen.id,
        seen.kind.value,
        seen.doing.value,
        seen.mailbox,
        seen.actor,
        seen.restarts.number,
        None if seen.restarts.last_at is None else now - seen.restarts.last_at,
        seen.restarts.why,
        None if seen.strategy is None else seen.strategy.value,
        tuple(actor_report(child, now) for child in seen.children),
        seen.unlisted,
        seen.crashes.number,
        None if seen.crashes.last_at is None else now - seen.crashes.last_at,
        seen.crashes.why,
    )


def resident_memory(pid: int) -> int | None:
    """Return how many bytes of memory a process has, None where the system does not say so in /proc."""
    try:
        with open(f"/proc/{pid}/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")
    except (OSError, ValueError, IndexError):
        return None
