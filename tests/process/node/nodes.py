"""Starts whole nodes as processes, as in production, and inspects and kills them."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import psutil
import psycopg
from psycopg.sql import SQL, Identifier

from continuum import Client, RunHandle
from continuum.journal.port import NodeRow
from continuum.journal.postgres import PostgresJournal
from continuum.node.config import NodeConfig
from continuum.settings.settings import Settings
from tests.process.node import flows

DEADLINE_S = 60.0
# So long that no takeover in a test can be the end of a lease.
LONG_LEASE_S = 600.0

LAUNCH = """
import sys
from continuum.node.launcher import run_node
from continuum.node.config import NodeConfig
from continuum.settings.settings import Settings
sys.exit(run_node(eval(sys.argv[1])))
"""


@dataclass
class Node:
    """A node's launcher, and the processes that it has started."""

    name: str
    launcher: subprocess.Popen[str]
    seen: dict[int, psutil.Process] = field(default_factory=dict)

    def note_processes(self) -> None:
        """Add the processes that the node has now to `seen`."""
        try:
            for process in psutil.Process(self.launcher.pid).children(recursive=True):
                self.seen.setdefault(process.pid, process)
        except psutil.NoSuchProcess:
            return

    def left(self) -> list[psutil.Process]:
        """Return the processes of the node that still run."""
        return [process for process in self.seen.values() if not is_over(process)]

    def terminate(self) -> int:
        """Stop the node as an operator does, and return its exit code."""
        self.launcher.send_signal(signal.SIGTERM)
        return self.launcher.wait(DEADLINE_S)

    def kill_whole(self) -> None:
        """Kill every process of the node at once."""
        self.note_processes()
        for process in (psutil.Process(self.launcher.pid), *self.left()):
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        self.launcher.wait(DEADLINE_S)

    def end(self) -> None:
        """Kill every process that the test has left."""
        if self.launcher.poll() is None:
            self.kill_whole()
        for process in self.left():
            process.kill()
        if self.launcher.stdout is not None:
            self.launcher.stdout.close()


def is_over(process: psutil.Process) -> bool:
    """Return whether a process has ended; a zombie has."""
    try:
        return not process.is_running() or bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def launch(config: NodeConfig, *, script: str = LAUNCH, environment: dict[str, str] | None = None) -> Node:
    """Start a node's launcher and return at once."""
    launcher = subprocess.Popen(
        [sys.executable, "-c", script, repr(config)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **(environment or {})},
    )
    return Node(config.name, launcher)


def await_ready(node: Node) -> None:
    """Wait until the node reports that it accepts work."""
    assert node.launcher.stdout is not None
    readable, _, _ = select.select([node.launcher.stdout], [], [], DEADLINE_S)
    assert readable, f"node {node.name} writes nothing"
    line = node.launcher.stdout.readline()
    assert line.startswith("ready "), f"node {node.name} did not become ready: {line!r}"
    node.note_processes()


@dataclass
class Site:
    """A schema, a client, and the nodes of one test."""

    dsn: str
    schema: str
    client: Client
    journal: PostgresJournal
    exits: AsyncExitStack

    def launch(self, name: str, **options: Any) -> Node:
        """Start a node; wait for it with `await_ready`."""
        environment = options.pop("environment", None)
        script = options.pop("script", LAUNCH)
        chosen = {key: options.pop(key) for key in Settings.__dataclass_fields__ if key in options}
        settings = Settings(**{"lease_ttl": LONG_LEASE_S, **chosen})
        place = {"modules": [flows.__name__], "dsn": self.dsn, "schema": self.schema, **options}
        config = NodeConfig(name=name, settings=settings, **place)
        node = launch(config, environment=environment, script=script)
        self.exits.callback(node.end)
        return node

    def node(self, name: str, **options: Any) -> Node:
        """Start a node and wait until it accepts work."""
        node = self.launch(name, **options)
        await_ready(node)
        return node

    async def row(self, node: str) -> NodeRow | None:
        """Return the row of a node."""
        return next((row for row in await self.journal.nodes() if row.node == node), None)

    async def pids(self, node: str, role: str) -> list[int]:
        """Return the pids that a node reports for its processes of this role."""
        row = await self.row(node)
        return [] if row is None else [pid for known, pid in row.processes if known == role]

    async def pid(self, node: str, role: str) -> int:
        """Wait for the one process of this role."""
        await self.until(lambda: self._has(node, role), f"{node} reports no {role}")
        return (await self.pids(node, role))[0]

    async def control_pid(self, node: str) -> int:
        """Find the control process: the supervisor's only child that the node does not report."""
        supervisor = psutil.Process(await self.pid(node, "node_supervisor"))

        async def unreported() -> list[int]:
            row = await self.row(node)
            reported = [] if row is None else [pid for _, pid in row.processes]
            return [child.pid for child in supervisor.children() if child.pid not in reported]

        async def one() -> bool:
            return len(await unreported()) == 1

        await self.until(one, f"{node} has no control process")
        return (await unreported())[0]

    async def _has(self, node: str, role: str) -> bool:
        return bool(await self.pids(node, role))

    async def orders(self, number: int) -> list[RunHandle[str]]:
        """Start orders and wait until all of them wait for their signal."""
        runs = [await self.client.start(flows.order, each) for each in range(number)]
        for run in runs:
            await self.until_state(run, "suspended")
        return runs

    async def all_ship(self, runs: Sequence[RunHandle[str]]) -> None:
        """Signal every order, and check its result."""
        await asyncio.gather(*(run.signal(flows.go, "yes") for run in runs))
        results = await asyncio.gather(*(run.result(DEADLINE_S) for run in runs))
        assert results == [flows.shipped(number) for number in range(len(runs))]

    async def until_state(self, run: RunHandle[Any], state: str) -> None:
        """Return once the run is in this state."""

        async def is_there() -> bool:
            return await run.state() == state

        await self.until(is_there, f"run {run.id} is not {state}")

    async def until(
        self, claim: Callable[[], Awaitable[bool]], otherwise: str, *, every: float = 0.01
    ) -> None:
        """Return once the claim holds; it is tried after so many seconds."""
        deadline = time.monotonic() + DEADLINE_S
        while not await claim():
            assert time.monotonic() < deadline, otherwise
            await asyncio.sleep(every)

    async def sql(self, statement: Any, *parameters: object) -> list[tuple[Any, ...]]:
        """Run a statement on the schema and return its rows."""
        async with await psycopg.AsyncConnection.connect(self.dsn, autocommit=True) as connection:
            cursor = await connection.execute(
                SQL(statement).format(schema=Identifier(self.schema)), parameters
            )
            return await cursor.fetchall() if cursor.description else []


@asynccontextmanager
async def site(dsn: str, schema: str) -> AsyncIterator[Site]:
    """Yield a site without nodes; all its nodes are gone at the end."""
    async with AsyncExitStack() as exits:
        journal = PostgresJournal(dsn, schema=schema)
        await journal.open()
        exits.push_async_callback(journal.close)
        client = await exits.enter_async_context(Client(journal))
        yield Site(dsn, schema, client, journal, exits)


def eventually(claim: Callable[[], bool], otherwise: str) -> None:
    """Return once the claim holds."""
    deadline = time.monotonic() + DEADLINE_S
    while not claim():
        assert time.monotonic() < deadline, otherwise
        threading.Event().wait(0.01)
