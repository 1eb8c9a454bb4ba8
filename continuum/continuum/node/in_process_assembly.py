"""From checked options to child specs: puts an in-process node together.

Opens the instance's journal, waiting while the database is down, and keeps the instance registered
for as long as the journal is open.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from continuum.client.connecting import database, default_dsn, prepare_schema
from continuum.client.in_process_port import InProcessPort
from continuum.client.instances import Instance, MemoryPlace, Place, registered
from continuum.engine.ids import NodeId
from continuum.journal.memory.journal import MemoryJournal
from continuum.journal.outages import outage_in
from continuum.journal.port import Journal
from continuum.journal.postgres import PostgresJournal
from continuum.journal.postgres.connector import checked_dsn
from continuum.journal.postgres.statements import statements_for
from continuum.journal.resilient import HOST_RETRIES
from continuum.journal.retry import LoopClock, Retry
from continuum.node.in_process_options import Checked
from continuum.versions.loaded_code import Code
from continuum.versions.referenced_workflows import with_referenced
from continuum.versions.used_queues import unused_queues
from continuum_actors.node.in_process_node import InProcessNode, Leftovers, NodeParts, connections_of
from continuum_actors.node.journal_keeper import JournalOpening
from continuum_supervision import ChildSpec, Restart, Shutdown

log = logging.getLogger("continuum.node")


def instance_children(options: Checked) -> list[ChildSpec]:
    """Return the one child of an instance: restarted after a crash, ended for good by an operator's drain."""
    code = Code(with_referenced(options.workflows), options.activities)
    _warn_if_idle(options)
    for unused in unused_queues(code, options.settings.queues):
        log.warning("instance %s: %s", options.name, unused)
    port = InProcessPort()
    if options.journal is not None:
        opening = _on_object(options.name, options.journal, port)
    elif options.memory:
        opening = _in_memory(options.name, MemoryJournal(), port)
        _warn_of_isolated(options.name, code)
    else:
        statements_for(options.schema)
        opening = _in_postgres(options, port)

    leftovers = Leftovers()

    def node() -> InProcessNode:
        # The name is made at the start: a server may fork its workers after the options were read.
        machine = f"{options.name}@{socket.gethostname()}-"
        return InProcessNode(
            NodeParts(
                NodeId(f"{machine}{os.getpid()}"),
                _is_life_of(machine),
                code,
                options.settings,
                opening,
                options.without,
                leftovers,
                options.executor,
                options.tune_garbage_collector,
                port,
            )
        )

    return [
        ChildSpec(f"continuum.{options.name}", node, restart=Restart.TRANSIENT, shutdown=Shutdown.INFINITY)
    ]


def _is_life_of(machine: str) -> Callable[[str], bool]:
    """Return a function that recognises names of nodes of this instance on this machine."""
    return lambda node: node.startswith(machine) and node.removeprefix(machine).isdigit()


def _warn_if_idle(options: Checked) -> None:
    """Warn that no run would ever be claimed here, unless the instance is meant for queues or clients."""
    intended = options.settings.queues or options.activities or "dispatcher" in options.without
    if not options.workflows and not intended:
        log.warning(
            "instance %s serves no workflow: name some, e.g. children(workflows=[order])", options.name
        )


def _warn_of_isolated(name: str, code: Code) -> None:
    """Warn of activities that would wait for ever: no other node sees a journal in memory."""
    isolated = sorted(
        activity.name for activity in code.activities.values() if activity.defaults.executor == "process"
    )
    if isolated:
        log.warning(
            "instance %s keeps its journal in memory and has no activity hosts; "
            "activities with executor='process' never run: %s",
            name,
            ", ".join(isolated),
        )


def _in_memory(name: str, journal: MemoryJournal, port: InProcessPort) -> JournalOpening:
    @asynccontextmanager
    async def opened() -> AsyncIterator[Journal]:
        with registered(Instance(name, MemoryPlace(journal, asyncio.get_running_loop()), port)):
            await journal.open()
            try:
                yield journal
            finally:
                await journal.close()

    return opened


def _on_object(name: str, journal: Journal, port: InProcessPort) -> JournalOpening:
    """Return what opens the application's own journal; the application closes it."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Journal]:
        with registered(Instance(name, MemoryPlace(journal, asyncio.get_running_loop()), port)):
            opening = Retry(HOST_RETRIES, LoopClock(), _fraction, outage_in(journal))
            await opening("open", f"opening the journal of {name}", journal.open)
            yield journal

    return opened


def _in_postgres(options: Checked, port: InProcessPort) -> JournalOpening:
    # The environment is read once: a restart must find the same journal.
    dsn = options.dsn or default_dsn()
    place = Place(dsn, options.name, options.schema, options.settings.listen)
    if dsn is not None:
        checked_dsn(dsn)

    @asynccontextmanager
    async def opened() -> AsyncIterator[Journal]:
        with registered(Instance(options.name, place, port)):
            async with database(dsn) as address:
                journal = PostgresJournal(
                    address,
                    schema=options.schema,
                    listen=options.settings.listen,
                    connections=connections_of(options.settings),
                    application=f"continuum node {options.name}",
                )

                opening = Retry(HOST_RETRIES, LoopClock(), _fraction, journal.outage)

                async def open_journal() -> None:
                    await prepare_schema(dsn, address, options.schema)
                    await journal.open()

                try:
                    await opening("open", f"opening the journal of {options.name}", open_journal)
                    yield journal
                finally:
                    await journal.close()

    return opened


def _fraction() -> float:
    return int.from_bytes(os.urandom(4), "big") / (1 << 32)
