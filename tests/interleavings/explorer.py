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
from typing import Any, TypeAlias

import psycopg

from continuum.journal.postgres import PostgresJournal
from tests.interleavings.invariants import Violated, check
from tests.interleavings.world import Done, World, journal_in

Call: TypeAlias = Callable[[World, PostgresJournal], Awaitable[Done]]
"""The statements of one transaction; what it returns counts once the transaction is committed."""

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
    def can_step(self) -> bool:
        return not self.waiting and (self.calling is not None or self.position < len(self.calls))


@dataclass
class Explored:
    """How many schedules there were, and the first that broke an invariant."""

    schedules: int = 0
    waits: int = 0
    schedule: list[str] = field(default_factory=list)
    violated: str | None = None


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
            choices: list[int] | None = []
            while choices is not None and found.violated is None:
                choices = await self._run(scenario, actors, choices, found)
        return found

    async def _run(
        self, scenario: Scenario, actors: list[Actor], prefix: list[int], found: Explored
    ) -> list[int] | None:
        """Run the schedule that begins with these choices; return those of the next, None after the last."""
        world = World(self._journal, next(_worlds))
        await world.begin(owned=scenario.owned)
        if scenario.prepare is not None:
            await scenario.prepare(world)
        for actor in actors:
            actor.position, actor.calling, actor.waiting = 0, None, False
        taken: list[tuple[int, int]] = []
        schedule: list[str] = []
        try:
            while ready := [actor for actor in actors if actor.can_step]:
                choice = prefix[len(taken)] if len(taken) < len(prefix) else 0
                taken.append((choice, len(ready)))
                actor = ready[choice]
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
        return _next(taken)

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
        for actor in actors:
            waited = actor.waiting
            actor.waiting = False
            while actor.calling is not None and not actor.calling.done():
                await asyncio.wait([actor.calling], timeout=_LOOK_AGAIN_S)
                if not actor.calling.done() and await self._waits(actor):
                    actor.waiting = True
                    found.waits += not waited
                    break

    async def _waits(self, actor: Actor) -> bool:
        cursor = await self._watcher.execute(
            "select cardinality(pg_blocking_pids(%s)) > 0", (actor.connection.info.backend_pid,)
        )
        row = await cursor.fetchone()
        return row is not None and bool(row[0])


def _next(taken: list[tuple[int, int]]) -> list[int] | None:
    """Return the choices of the next schedule in depth-first order."""
    while taken:
        choice, among = taken.pop()
        if choice + 1 < among:
            return [*(earlier for earlier, _ in taken), choice + 1]
    return None
