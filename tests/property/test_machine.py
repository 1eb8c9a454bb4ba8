"""State machines over a live system whose runs use every effect together, on both journals.

Runs of generated works are started, signalled, stopped, released and read; run hosts die at
any moment and are replaced. `world_laws.py` checks what must hold after every step, `model.py`
predicts the outcome.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Coroutine
from typing import Any, ClassVar, cast

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from psycopg.sql import SQL, Identifier

from continuum.engine.ids import RunId
from continuum.errors import RunTerminal
from continuum.journal.facts import RunRow
from continuum.journal.memory.journal import MemoryJournal
from continuum.journal.memory.stored_facts import MemoryFacts
from continuum.journal.postgres import PostgresJournal
from continuum.journal.postgres.stored_facts import stored_facts
from continuum.verify.findings import Finding
from continuum.verify.verify import verify
from tests.property.composed_programs import work_flow
from tests.property.composed_works import Work, shifted, works
from tests.property.live_world import CHANGED, World, firsts, latest_of, parent_of, waits_for_its_parent
from tests.property.world_laws import check_end, check_now, check_undone

chances = st.integers(0, 2**16).map(random.Random)
# A task that crashes this often is rightly given up.
MOST_DEATHS = 4
MOST_ROUNDS = 40
NUMBERS_A_RUN = 1_000


class Composed(RuleBasedStateMachine):
    """Runs in virtual time on the memory journal."""

    unit: ClassVar[float] = 1.0
    most_runs: ClassVar[int] = 4
    virtual: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.world: World | None = None
        self.runs: list[RunId] = []
        self.stopped: dict[RunId, bool] = {}
        self.forced = False
        self.broken = False
        # Count requests, not deaths: the next generated value must not depend on how fast time passes.
        self.deaths = 0

    def make_world(self, seed: int) -> World:
        return World.in_memory(seed)

    def do(self, what: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine in the world's loop; an exception ends the example."""
        try:
            return self.runner.run(what)
        except BaseException:
            self.broken = True
            raise

    @property
    def now(self) -> World:
        assert self.world is not None
        return self.world

    @initialize(seed=st.integers(0, 2**16), work=works, soon=st.booleans())
    def begin(self, seed: int, work: Work, soon: bool) -> None:
        world = self.make_world(seed)
        self.do(world.open())
        self.world = world
        self.start(work, soon)

    @precondition(lambda self: len(self.runs) < self.most_runs)
    @rule(work=works, soon=st.booleans())
    def start_another(self, work: Work, soon: bool) -> None:
        self.start(work, soon)

    def start(self, work: Work, soon: bool) -> None:
        own = shifted(work, NUMBERS_A_RUN * (len(self.runs) + 1), self.unit)
        self.runs.append(self.do(self.now.client.start(work_flow, own, [])).id)
        self.settle(soon)

    @rule(chance=chances, times=st.integers(1, 3), soon=st.booleans())
    def signal(self, chance: random.Random, times: int, soon: bool) -> None:
        """Send a run a signal that it waits for or will wait for, by the id of any run of its chain."""
        rows = self.do(self.now.rows())
        unsent = [(row, one) for row in firsts(rows) for one in self.now.unsent(row)]
        if unsent:
            row, (name, value) = chance.choice(unsent)
            value = min(other for each, (same, other) in unsent if each is row and same == name)
            to = chance.choice([row.id, latest_of(row, rows).id])
            self.do(self.now.send(row.id, to, name, value, times=times))
        self.settle(soon)

    @rule(chance=chances)
    def signal_again(self, chance: random.Random) -> None:
        self.do(self.now.send_again(chance))

    @rule(chance=chances)
    def signal_unasked(self, chance: random.Random) -> None:
        self.unless_ended(self.now.client.signal(chance.choice(self.runs), "noise", 1))

    @rule(seconds=st.integers(1, 20))
    def wait(self, seconds: int) -> None:
        self.do(self.now.advance(seconds))

    @precondition(lambda self: self.deaths < MOST_DEATHS)
    @rule(turns=st.integers(0, 30))
    def kill(self, turns: int) -> None:
        self.deaths += 1

        async def amid() -> None:
            for _ in range(turns):
                await asyncio.sleep(0)
            await self.now.kill()

        self.do(amid())

    @precondition(lambda self: self.deaths < MOST_DEATHS)
    @rule(moments=st.integers(1, 8))
    def arm_the_fuse(self, moments: int) -> None:
        self.deaths += 1
        self.now.fuse = moments

    @precondition(lambda self: self.deaths < MOST_DEATHS)
    @rule()
    def lose_the_lease(self) -> None:
        self.deaths += 1
        self.do(self.now.lose_the_lease())

    @rule()
    def release_suspended(self) -> None:
        self.do(self.now.release_suspended())

    @rule(chance=chances)
    def take_a_snapshot(self, chance: random.Random) -> None:
        row: RunRow = chance.choice(self.do(self.now.rows()))
        if row.version is not None:
            self.do(self.now.stored.take_snapshot(row.id, row.version, 0))

    @rule(chance=chances, force=st.booleans(), at_rest=st.booleans())
    def cancel(self, chance: random.Random, force: bool, at_rest: bool) -> None:
        run = chance.choice(self.runs)
        self.settle(not at_rest)
        self.forced = self.forced or force
        idle = at_rest and self.has_nothing_to_do(run)
        received = self.unless_ended(self.now.client.cancel(run, force=force))
        # In real time a timer may end the run before it receives the request.
        self.stopped[run] = self.stopped.get(run, False) or (received and idle and self.virtual)

    @rule(chance=chances)
    def look(self, chance: random.Random) -> None:
        run = chance.choice(self.runs)
        client = self.now.client
        self.settle()
        found = self.do(client.query(where=[("id", "eq", run)]))
        assert found.entries == [self.do(client.get_run(run))]
        assert self.do(client.read(run, "nothing", default="?")) == "?"

    @rule()
    def restart_the_client(self) -> None:
        self.do(self.now.restart_client())

    @rule(changed=st.booleans())
    def deploy(self, changed: bool) -> None:
        self.do(self.now.deploy(CHANGED if changed and self.virtual else self.now.code))

    @invariant()
    def check_the_laws(self) -> None:
        if self.world is not None and not self.broken:
            self.do(check_now(self.world, exact=self.virtual))

    @invariant()
    def what_is_stored_is_whole(self) -> None:
        if self.world is not None and not self.broken:
            assert self.do(self.findings(self.world)) == []

    async def findings(self, world: World) -> list[Finding]:
        # Runs alone: the lease of a world lasts for ever.
        facts = MemoryFacts(cast("MemoryJournal", world.stored))
        return [finding async for finding in verify(facts, namespace="default")]

    def settle(self, soon: bool = False) -> None:
        if not soon:
            self.do(self.now.settle())

    def has_nothing_to_do(self, run: RunId) -> bool:
        """Return whether no signal waits for code that can continue the run, and comes first."""
        rows = self.do(self.now.rows())
        row = latest_of(next(each for each in rows if each.id == run), rows)
        return row.owner is not None or row.due_at is None or row.due_at > self.now.stored.now()

    def unless_ended(self, what: Coroutine[Any, Any, Any]) -> bool:
        """Await the call; False when the run has ended."""
        try:
            self.runner.run(what)
        except RunTerminal:
            return False
        return True

    def teardown(self) -> None:
        try:
            if self.world is not None and not self.broken:
                self.do(self.come_to_an_end(self.world))
        finally:
            if self.world is not None:
                self.runner.run(self.world.close())
            self.runner.close()

    async def come_to_an_end(self, world: World) -> None:
        """Send all signals that runs wait for until none waits, and compare with the model."""
        for _ in range(MOST_ROUNDS):
            await world.advance(20)
            rows = await world.rows()
            going_on = [row for row in firsts(rows) if not latest_of(row, rows).state.terminal]
            if not going_on:
                break
            for row in going_on:
                for name, value in world.unsent(row):
                    await world.send(row.id, row.id, name, value)
                if waits_for_its_parent(row) and parent_of(row, rows).state.terminal:
                    # The task that should stop it ended with its run first.
                    with contextlib.suppress(RunTerminal):  # the run ended after its row was read
                        await world.client.cancel(row.id)
        assert not going_on, f"do not end: {going_on}"
        await world.written.written()
        await check_now(world, exact=True)
        check_end(rows, world.written, self.stopped)
        if not self.forced:
            check_undone(rows, world.written.of)


@pytest.fixture(autouse=True)
def _snapshots_without_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the pause between snapshots, which every kill here would wait for."""
    monkeypatch.setattr("continuum_actors.run.snapshotter.PAUSE_SECONDS", 0.0)


def test_runs_end_as_the_model_says_whatever_happens() -> None:
    run_state_machine_as_test(
        Composed,
        settings=settings(max_examples=150, stateful_step_count=30, suppress_health_check=list(HealthCheck)),
    )


class ComposedOnPostgres(Composed):
    """Runs in real time on Postgres; ticks are short, and code does not change (that waits a second)."""

    unit = 0.002
    most_runs = 2
    virtual = False
    dsn: ClassVar[str]
    schema: ClassVar[str]

    def make_world(self, seed: int) -> World:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            tables = connection.execute(
                "select tablename from pg_tables where schemaname = %s and tablename <> 'migrations'",
                [self.schema],
            ).fetchall()
            names = [Identifier(self.schema, name) for (name,) in tables]
            connection.execute(SQL("truncate {}").format(SQL(", ").join(names)))
        return World(PostgresJournal(self.dsn, schema=self.schema), None, seed)

    async def findings(self, world: World) -> list[Finding]:
        async with stored_facts(self.dsn, self.schema) as facts:
            return [finding async for finding in verify(facts, namespace="default")]


@pytest.mark.slow
def test_runs_end_as_the_model_says_whatever_happens_on_postgres(
    dsn: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ComposedOnPostgres, "dsn", dsn, raising=False)
    monkeypatch.setattr(ComposedOnPostgres, "schema", schema, raising=False)
    run_state_machine_as_test(
        ComposedOnPostgres,
        settings=settings(
            max_examples=25,
            stateful_step_count=15,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.reuse, Phase.generate],
        ),
    )
