"""Runs every schedule of a scenario: which actor makes its next step, at each moment when one can.

A step begins the next transaction of an actor and makes its call, or commits it. A call that waits for a
lock takes its actor out of the choice until another one's commit lets it continue. Nothing here waits for
time: after each step every call has returned or Postgres says whom it waits for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import count
from typing import Any, NamedTuple, TypeAlias

import psycopg

from continuum.journal.postgres import PostgresJournal
from tests.interleavings.invariants import Violated, check
from tests.interleavings.world import Done, World, journal_in

Call: TypeAlias = Callable[[World, PostgresJournal], Awaitable[Done]]
"""The statements of one transaction; what it returns counts once the transaction is committed."""

Prefix: TypeAlias = tuple[str, ...]
"""The actors of the first steps of a schedule."""

_worlds = count(1)

# How long a call may run without waiting for anyone before it is asked about again.
_LOOK_AGAIN_S = 0.002


@dataclass(frozen=True)
class Scenario:
    """The transactions of each actor, in order, and how many of the two runs the first worker owns before."""

    name: str
    actors: dict[str, Sequence[Call]]
    owned: int = 1
    prepare: Callable[[World], Awaitable[None]] | None = None


@dataclass
class Actor:
    """One session of Postgres, and how far it is in its transactions."""

    name: str
    calls: Sequence[Call]
    connection: psycopg.AsyncConnection[Any]
    journal: PostgresJournal
    position: int = 0
    calling: asyncio.Task[Done] | None = None
    waiting: bool = False

    @property
    def state(self) -> tuple[bool, bool]:
        """Whether a call is in progress, and whether it waits for another actor."""
        return self.calling is not None and not self.calling.done(), self.waiting

    @property
    def can_step(self) -> bool:
        return not self.waiting and (self.calling is not None or self.position < len(self.calls))


@dataclass
class Explored:
    """How many schedules there were, and the first that broke an invariant."""

    schedules: int = 0
    waits: int = 0
    schedule: list[str] = field(default_factory=list)
    violated: str | None = None


class Choice(NamedTuple):
    """The actor of a step, and all that could have made it."""

    actor: str
    among: Sequence[str]


class Planned:
    """The beginnings of schedules that have not been run, the deepest last.

    The same steps may leave others ready the next time: two calls that waited for one transaction, by
    different locks, race for a third one when it commits. So no schedule is sure to come; none comes twice.
    """

    def __init__(self) -> None:
        self.prefixes: list[Prefix] = [()]
        self._known: set[Prefix] = set()

    def add(self, taken: Sequence[Choice]) -> None:
        """Plan what a schedule that was run could have done instead."""
        actors = tuple(choice.actor for choice in taken)
        self._known.update(actors[: at + 1] for at in range(len(actors)))
        for at, choice in enumerate(taken):
            others = {(*actors[:at], other) for other in choice.among} - self._known
            self._known |= others
            self.prefixes += sorted(others)


class Explorer:
    """Explores scenarios on one schema."""

    def __init__(self, dsn: str, schema: str) -> None:
        self._dsn, self._schema = dsn, schema

    async def explore(self, scenario: Scenario) -> Explored:
        """Run every schedule, until one breaks an invariant."""
        found = Explored()
        async with AsyncExitStack() as stack:
            self._journal = PostgresJournal(self._dsn, schema=self._schema)
            await self._journal.open()
            stack.push_async_callback(self._journal.close)
            self._watcher = await stack.enter_async_context(
                await psycopg.AsyncConnection.connect(self._dsn, autocommit=True)
            )
            actors = []
            for name, calls in scenario.actors.items():
                connection = await stack.enter_async_context(await psycopg.AsyncConnection.connect(self._dsn))
                actors.append(
                    Actor(name, calls, connection, await journal_in(self._dsn, self._schema, connection))
                )
            planned = Planned()
            while planned.prefixes and found.violated is None:
                planned.add(await self._run(scenario, actors, planned.prefixes.pop(), found))
        return found

    async def _run(
        self, scenario: Scenario, actors: list[Actor], prefix: Prefix, found: Explored
    ) -> list[Choice]:
        """Run a schedule that begins with these actors, as far as it can; return every choice of it."""
        world = World(self._journal, next(_worlds))
        await world.begin(owned=scenario.owned)
        if scenario.prepare is not None:
            await scenario.prepare(world)
        for actor in actors:
            actor.position, actor.calling, actor.waiting = 0, None, False
        taken: list[Choice] = []
        schedule: list[str] = []
        try:
            while ready := [actor for actor in actors if actor.can_step]:
                wanted = prefix[len(taken) : len(taken) + 1]
                actor = next((each for each in ready if each.name in wanted), ready[0])
                taken.append(Choice(actor.name, [each.name for each in ready]))
                schedule.append(f"{actor.name} {'commits' if actor.calling else 'calls'}")
                await self._step(world, actor)
                await self._settle(actors, found)
            await check(world)
        except (Violated, psycopg.Error) as error:
            found.violated, found.schedule = f"{type(error).__name__}: {error}", schedule
        finally:
            found.schedules += 1
            for actor in actors:
                if actor.calling is not None and not actor.calling.done():
                    actor.calling.cancel()
                    await asyncio.wait([actor.calling])
                await actor.connection.rollback()
        return taken

    async def _step(self, world: World, actor: Actor) -> None:
        if actor.calling is None:
            call = actor.calls[actor.position]
            actor.calling = asyncio.ensure_future(call(world, actor.journal))
            return
        done = actor.calling.result()
        await actor.connection.commit()
        world.committed.append(done)
        actor.calling = None
        actor.position += 1

    async def _settle(self, actors: Sequence[Actor], found: Explored) -> None:
        """Return when every call has returned or waits for the lock of another."""
        waited = {actor.name for actor in actors if actor.waiting}
        while True:
            before = [actor.state for actor in actors]
            for actor in actors:
                await self._settle_one(actor, actors)
            # What waits for a call in progress, and not for a commit, may continue when that returns.
            if [actor.state for actor in actors] == before:
                break
        found.waits += sum(actor.waiting for actor in actors if actor.name not in waited)

    async def _settle_one(self, actor: Actor, actors: Sequence[Actor]) -> None:
        actor.waiting = False
        while actor.calling is not None and not actor.calling.done():
            await asyncio.wait([actor.calling], timeout=_LOOK_AGAIN_S)
            if not actor.calling.done() and await self._waits(actor, actors):
                actor.waiting = True
                break

    async def _waits(self, actor: Actor, actors: Sequence[Actor]) -> bool:
        others = [each.connection.info.backend_pid for each in actors if each is not actor]
        cursor = await self._watcher.execute(
            "select pg_blocking_pids(%s) && %s::integer[]", (actor.connection.info.backend_pid, others)
        )
        row = await cursor.fetchone()
        return row is not None and bool(row[0])
