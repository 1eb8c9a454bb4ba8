"""Run hosts and activity hosts: the processes that execute user code."""

from __future__ import annotations

import asyncio
import warnings
from dataclasses import dataclass, replace
from typing import Any

from continuum.journal.limits import ACTIVITY_HOST_CONNECTIONS
from continuum.journal.port import Topic
from continuum.journal.postgres import PostgresJournal
from continuum.journal.resilient import ResilientJournal
from continuum.scanner.findings import DeterminismWarning
from continuum.versions.loaded_code import load_code
from continuum_actors.activity.watched_steps import watch_tasks
from continuum_actors.host import limits
from continuum_actors.host.host import Host
from continuum_actors.host.messages import (
    FindRun,
    Forwarded,
    HasCounted,
    HasMail,
    LookedAt,
    RunFound,
    SuspectsWait,
)
from continuum_actors.node.draining import drain, leave
from continuum_actors.node.fatal_calls import watch_fatal_calls
from continuum_actors.node.garbage_collection import tune_for_good
from continuum_actors.node.host_report import HostReporter
from continuum_actors.node.measure_reporter import MeasureReporter
from continuum_actors.node.process_config import ProcessConfig
from continuum_actors.tree import activity_host_children, host_supervisor, run_host_children
from continuum_supervision import ActorRef, ChildSpec
from continuum_supervision.process.context import ProcessContext
from continuum_supervision.process.events import Incoming
from continuum_supervision.process.log import log_to_stderr

# The role of a process that tries suspects.
QUARANTINE_HOST = "quarantine_host"
CONTROL = "control"


@dataclass(frozen=True, slots=True)
class ControlLink:
    """The way from a host to the control process of its node."""

    context: ProcessContext
    process_id: str

    def send(self, message: HasMail | RunFound | HasCounted) -> None:
        self.context.send(CONTROL, message)


async def run_host_main(context: ProcessContext) -> None:
    """Run a run host until the node stops."""
    tune_for_good()
    reporter = _reporter(context, "run_host")
    host = _host(context, "run_host")
    if await connected(host.journal, context.drain_requested):
        await serve(context, host, run_host_children(host), reporter)


async def quarantine_host_main(context: ProcessContext) -> None:
    """Run a quarantine host: once there are suspects it is a run host that claims nothing else."""
    needed = asyncio.Event()
    reporter = _reporter(context, QUARANTINE_HOST)
    context.on_message(lambda incoming: _needed(needed, reporter, incoming))
    context.ready()
    if not await _first(needed, context.drain_requested):
        return
    host = _host(context, "run_host")
    host.claims, host.tries_suspects = False, True
    # The first one is kept free for suspects, so that these never wait for what runs long.
    host.takes_deadly = not context.process_id.endswith("-1")
    # One thread, and nothing stays in memory that waits: who is on trial is alone.
    host.settings = replace(host.settings, live_suspended_runs=0)
    if await connected(host.journal, context.drain_requested):
        await serve(context, host, run_host_children(host), reporter)


def _reporter(context: ProcessContext, role: str) -> HostReporter:
    """Answer those who ask where this process is, from now on."""
    reporter = HostReporter(context.process_id, role, lambda told: context.send(CONTROL, told))
    context.on_urgent(lambda incoming: reporter.received_urgently(incoming.message))
    return reporter


def _needed(needed: asyncio.Event, reporter: HostReporter, incoming: Incoming) -> None:
    reporter.received(incoming.message)
    if isinstance(incoming.message, SuspectsWait):
        needed.set()


async def _first(wanted: asyncio.Event, other: asyncio.Event) -> bool:
    """Wait for one of two events; return whether the wanted one is set."""
    waiting = [asyncio.create_task(event.wait()) for event in (wanted, other)]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for wait in waiting:
        wait.cancel()
    return wanted.is_set() and not other.is_set()


async def activity_host_main(context: ProcessContext) -> None:
    """Run an activity host until the node stops."""
    reporter = _reporter(context, "activity_host")
    host = _host(context, "activity_host")
    if await connected(host.journal, context.drain_requested):
        await serve(context, host, activity_host_children(host), reporter)


def set_up_logging(config: ProcessConfig, process: str) -> None:
    """Log to standard error as the launcher does, without the warnings that it has given about the code."""
    log_to_stderr(config.log, process)
    warnings.simplefilter("ignore", DeterminismWarning)


def _host(context: ProcessContext, role: str) -> Host:
    config: ProcessConfig = context.args
    set_up_logging(config, context.process_id)
    watch_fatal_calls(context)
    journal = PostgresJournal(
        config.dsn,
        schema=config.schema,
        listen=config.settings.listen,
        connections=ACTIVITY_HOST_CONNECTIONS if role == "activity_host" else config.settings.connections,
        application=f"continuum {role} {config.node}",
    )
    return Host(
        journal,
        config.node,
        load_code(config.modules),
        role,
        config.settings,
        pulse=context.own_liveness,
        looked_at=lambda: context.send(CONTROL, LookedAt()),
        control=ControlLink(context, context.process_id),
    )


async def serve(
    context: ProcessContext, host: Host, children: list[ChildSpec], reporter: HostReporter
) -> None:
    """Run a process's actors until the node stops, there is a reason to replace it, or they give up.

    All hosts of a node drain at the same time, and each leaves once it has drained: none claims what
    another released. A process whose supervisor gave up must end, so that the node starts another: as
    long as it lives its lease is renewed, and no other worker claims its runs.
    """
    host.leftovers.remedy = "this process is drained and replaced"
    if host.role == "activity_host":
        # It runs one activity at a time, and is there to be replaced.
        host.leftovers.limit = 0
    try:
        watch_tasks(asyncio.get_running_loop(), host.pulse)
        counts = ChildSpec("measure_reporter", lambda: MeasureReporter(host))
        # The first one stops last, and reports what the others have counted until then.
        async with host_supervisor([counts, *children]) as supervisor:
            context.own_liveness.backlog = host.threads.waiting
            reporter.host, reporter.describe = host, supervisor.describe
            context.on_message(lambda incoming: _received(host, reporter, incoming))
            context.ready()
            await until_set(context.drain_requested, supervisor.ref, host.leftovers.too_many, host.crowded)
            if supervisor.ref.alive:
                await drain(host)
            # Otherwise the end of the block raises the reason why the supervisor gave up.
        await leave(host)
        host.pulse.set_worker_id(0)
    finally:
        await let_tasks_end()
        if host.tracer.active:
            # The process ends without Python's own clean-up, in which the SDK would do it.
            await asyncio.to_thread(host.tracer.flush)
        await host.journal.close()


async def connected(journal: ResilientJournal, given_up: asyncio.Event) -> bool:
    """Open the journal, however long that takes; if that is given up first, close it and return False."""
    opening = asyncio.create_task(journal.open())
    asked = asyncio.create_task(given_up.wait())
    try:
        await asyncio.wait([opening, asked], return_when=asyncio.FIRST_COMPLETED)
    finally:
        asked.cancel()
    if opening.done():
        opening.result()
        return True
    opening.cancel()
    await let_tasks_end()
    await journal.close()
    return False


async def until_set(requested: asyncio.Event, supervisor: ActorRef, *reasons: asyncio.Event) -> None:
    """Wait until the node requests something, the supervisor ends, or there is another reason to end."""
    waiting = [asyncio.create_task(event.wait()) for event in (requested, *reasons)]
    ended = asyncio.create_task(supervisor.wait())
    try:
        await asyncio.wait([*waiting, ended], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (*waiting, ended):
            task.cancel()


async def let_tasks_end() -> None:
    """Wait for cancelled tasks: a query logs an error if the loop closes while it is being cancelled."""
    ending = [task for task in asyncio.all_tasks() if task.cancelling()]
    if ending:
        await asyncio.wait(ending, timeout=limits.TASKS_END_SECONDS)


def _received(host: Host, reporter: HostReporter, incoming: Incoming) -> None:
    message: Any = incoming.message
    reporter.received(message)
    if isinstance(message, FindRun) and host.role == "run_host":
        host.locator.find(message)
    if isinstance(message, SuspectsWait):
        host.suspects_wait.set()
    if not isinstance(message, Forwarded):
        return
    if host.role == "run_host":
        host.router.notified(Topic(message.topic), message.ids)
    elif message.topic == Topic.TASKS:
        host.tasks.look_for_work()
