"""The actors of a run host in the loop of a test, on a real Postgres, with a client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg.sql import SQL, Identifier

from continuum import Client, RunHandle, Workflow
from continuum.engine.ids import NodeId
from continuum.journal.port import NodeFacts
from continuum.journal.postgres import PostgresJournal
from continuum.journal.resilient import ResilientJournal
from continuum.settings.settings import Settings
from continuum.versions.loaded_code import Code
from continuum_actors.host.host import Host
from continuum_actors.run.timer_wheel import TimerWheel
from continuum_actors.tree import activity_host_children, host_supervisor, run_host_children
from continuum_supervision import ActorRef, Supervisor

# Far longer than anything here takes, so that no test fails on a slow machine.
DEADLINE_S = 60.0
# No lease expires by itself in a test that does not want that.
LONG_LEASE_S = 600.0


def replace_call(host: Host, name: str, call: Callable[..., Awaitable[object]]) -> None:
    """Replace a method of the journal, below the retries of its host."""
    setattr(host.journal.once, name, call)
    host.journal = ResilientJournal(host.journal.once, host.clock, host.random_fraction)


@dataclass
class Tree:
    """One process's actors, running."""

    host: Host
    supervisor: Supervisor

    def actor(self, name: str) -> ActorRef | None:
        """Return the latest actor of this name: a child of the tree's top, or as the host knows it."""
        for child in self.supervisor.which_children():
            if child.id == name:
                return child.ref
        ref: ActorRef = getattr(self.host, name).ref
        return ref

    async def kill(self, name: str) -> None:
        """Kill an actor and wait for its successor."""
        victim = self.actor(name)
        assert victim is not None
        victim.kill()
        await eventually(lambda: self.actor(name) not in (None, victim), f"there is no other {name}")

    async def lose_activities(self) -> None:
        """Lose the running activities and every live run, as the death of the process would."""
        victim = self.actor("activities")
        assert victim is not None
        # In order: a killed actor's successor would take over what is running.
        await victim.stop()
        await eventually(lambda: self.actor("activities") is not victim, "there are no other activities")
        await self.kill("lease")


@dataclass
class Stage:
    """A schema with a client, on which trees start and stop."""

    dsn: str
    schema: str
    client: Client
    journal: PostgresJournal
    exits: AsyncExitStack

    async def tree(
        self,
        *workflows: Workflow[..., Any],
        node: str = "north",
        settings: Settings | None = None,
        isolated: bool = False,
        listen: bool = True,
    ) -> Tree:
        """Start a run host's actors, or an activity host's; they stop at the end of the test."""
        journal = PostgresJournal(self.dsn, schema=self.schema, listen=listen)
        await journal.open()
        self.exits.push_async_callback(journal.close)
        return await self.tree_on(journal, *workflows, node=node, settings=settings, isolated=isolated)

    async def tree_on(
        self,
        journal: PostgresJournal,
        *workflows: Workflow[..., Any],
        node: str = "north",
        settings: Settings | None = None,
        isolated: bool = False,
    ) -> Tree:
        """Start actors as `tree` does, on a journal that is open."""
        role = "activity_host" if isolated else "run_host"
        host = Host(
            journal, NodeId(node), Code(workflows), role, settings or Settings(lease_ttl=LONG_LEASE_S)
        )
        children = activity_host_children(host) if isolated else run_host_children(host)
        return Tree(host, await self.exits.enter_async_context(host_supervisor(children)))

    async def sql(self, statement: LiteralString, *parameters: object) -> list[tuple[Any, ...]]:
        """Read or damage what is stored."""
        async with await psycopg.AsyncConnection.connect(self.dsn, autocommit=True) as connection:
            cursor = await connection.execute(
                SQL(statement).format(schema=Identifier(self.schema)), parameters
            )
            return await cursor.fetchall() if cursor.description else []

    @asynccontextmanager
    async def alone(self, *workflows: Workflow[..., Any]) -> AsyncIterator[Tree]:
        """Run a tree for a block; at the end it releases its runs, as a node that stops does."""
        exits, self.exits = self.exits, AsyncExitStack()
        async with self.exits:
            tree = await self.tree(*workflows)
            try:
                yield tree
            finally:
                self.exits, own = exits, self.exits
                await own.aclose()
                # Only after it has stopped: a live tree would register again and claim its runs back.
                await self.journal.retire_worker(
                    tree.host.registered_worker().id, executing=None, poison_after=3
                )

    async def state_of(self, run: RunHandle[Any]) -> str:
        """Return the run's state."""
        return (await run.get()).state

    async def until_state(self, run: RunHandle[Any], state: str) -> None:
        """Return once the run is in this state."""
        await self.until(lambda: self._is(run, state), f"run {run.id} is not {state}")

    async def _is(self, run: RunHandle[Any], state: str) -> bool:
        return await self.state_of(run) == state

    async def until(self, claim: Callable[[], Awaitable[bool]], otherwise: str) -> None:
        """Return once the claim holds."""
        deadline = asyncio.get_running_loop().time() + DEADLINE_S
        while not await claim():
            assert asyncio.get_running_loop().time() < deadline, otherwise
            await asyncio.sleep(0.005)

    async def holds(self, statement: LiteralString, *parameters: object) -> bool:
        """Return whether a query returns true."""
        return bool((await self.sql(statement, *parameters))[0][0])

    async def count(self, statement: LiteralString, *parameters: object) -> int:
        """Return the one number that a query returns."""
        return int((await self.sql(statement, *parameters))[0][0])


@asynccontextmanager
async def stage(dsn: str, schema: str) -> AsyncIterator[Stage]:
    """Yield an empty stage; at the end everything started there stops, last first."""
    async with AsyncExitStack() as exits:
        journal = PostgresJournal(dsn, schema=schema)
        await journal.open()
        exits.push_async_callback(journal.close)
        client = await exits.enter_async_context(Client(journal))
        yield Stage(dsn, schema, client, journal, exits)


def armed_timers(tree: Tree) -> Mapping[ActorRef, int]:
    """Return when the tree's runs are to be woken."""
    wheel = tree.host.wheel
    assert isinstance(wheel, TimerWheel)
    return wheel._due


async def eventually(claim: Callable[[], bool], otherwise: str) -> None:
    """Return once the claim holds; fail when it does not within the deadline."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + DEADLINE_S
    while not claim():
        assert loop.time() < deadline, otherwise
        await asyncio.sleep(0.005)


async def results(runs: Iterable[RunHandle[Any]]) -> Sequence[Any]:
    """Wait for all of these runs."""
    return await asyncio.gather(*(run.result(DEADLINE_S) for run in runs))


async def known(on: Stage, tree: Tree) -> None:
    """Report the tree's node, as its heartbeater does, and wait until the tree listens and can take runs."""
    host = tree.host
    facts = NodeFacts(host.node, 4711, "", "up", workflows=list(host.code.workflows))
    await on.journal.renew([host.registered_worker().id], LONG_LEASE_S, facts)
    drawn: Any = host.dispatcher
    await eventually(lambda: bool(drawn._tokens), "the dispatcher has no tokens")
    lane: Any = host.journal.once
    lane = lane._database._lane
    await eventually(
        lambda: any(channel.endswith(f".{host.channel}") for channel in lane._channels),
        "the host does not listen",
    )


def hold_claims(tree: Tree) -> asyncio.Event:
    """Let claims of this host wait for the event."""
    return hold_calls(tree, "claim")


def hold_calls(tree: Tree, name: str) -> asyncio.Event:
    """Let calls of this method of the host's journal wait for the event."""
    event, call = asyncio.Event(), getattr(tree.host.journal.once, name)

    async def held(*args: Any, **options: Any) -> object:
        await event.wait()
        return await call(*args, **options)

    replace_call(tree.host, name, held)
    return event
