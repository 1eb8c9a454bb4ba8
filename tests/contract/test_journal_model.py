"""Random interleavings of workers against a small model of what the journal promises.

The model knows who owns each run, with which token, and what its history and its
inbox hold. Every result of the journal must match the model.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from continuum.engine.ids import RunId
from continuum.journal.memory.journal import MemoryJournal
from continuum.journal.port import ClaimedRun, Journal, LeaseLost, Posted, RunState, Worker
from continuum.journal.postgres import PostgresJournal
from tests.contract import builders
from tests.postgres_server import migrated_schema

POISON_AFTER = 2


@dataclass
class ModelRun:
    """The expected state of one run."""

    key: str | None
    state: RunState = RunState.RUNNING
    owner: Worker | None = None
    tokens: list[int] = field(default_factory=list)
    due: bool = True
    deaths: int = 0
    history: list[int] = field(default_factory=list)
    inbox: list[bytes] = field(default_factory=list)
    delivered: set[str] = field(default_factory=set)

    @property
    def claimable(self) -> bool:
        return self.owner is None and self.state <= RunState.SUSPENDED and (self.due or bool(self.inbox))

    def died(self) -> None:
        """Count a death."""
        self.deaths += 1
        if self.deaths >= POISON_AFTER:
            self.state, self.due = RunState.BLOCKED, False


Claim = tuple[Worker, ClaimedRun]
Make = Callable[[], AbstractContextManager[Journal]]


class JournalMachine(RuleBasedStateMachine):
    """The rules are actions of processes; `make` returns an empty journal."""

    make: Make

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.made = ExitStack()
        self.journal = self.made.enter_context(type(self).make())
        self.runner.run(self.journal.open())
        self.model: dict[RunId, ModelRun] = {}
        self.alive: set[Worker] = set()

    def teardown(self) -> None:
        self.runner.run(self.journal.close())
        self.runner.close()
        self.made.close()

    runs = Bundle("runs")
    workers = Bundle("workers")
    claims = Bundle("claims")

    @rule(target=workers)
    def register(self) -> Worker:
        worker = self.runner.run(builders.worker_of(self.journal))
        self.alive.add(worker)
        return worker

    @rule(target=runs, key=st.sampled_from([None, "a", "b"]))
    def start(self, key: str | None) -> RunId:
        new = builders.new_run(idempotency_key=key)
        taken = [id for id, run in self.model.items() if key is not None and run.key == key]
        (started,) = self.runner.run(self.journal.start([new]))
        assert started == (taken[0] if taken else new.id, bool(taken))
        if not taken:
            self.model[new.id] = ModelRun(key)
        return started.run_id

    @rule(target=claims, worker=workers, limit=st.integers(1, 3))
    def claim(self, worker: Worker, limit: int) -> Any:
        try:
            claimed = self.runner.run(builders.claim(self.journal, worker, limit))
        except LeaseLost:
            assert worker not in self.alive
            return multiple()
        assert worker in self.alive
        claimable = {id for id, run in self.model.items() if run.claimable}
        assert {run.id for run in claimed} <= claimable
        assert len(claimed) == min(limit, len(claimable))
        for run in claimed:
            known = self.model[run.id]
            assert run.token > max(known.tokens, default=0)
            assert run.attempt == len(known.tokens) + 1
            known.tokens.append(run.token)
            known.owner, known.state, known.due = worker, RunState.RUNNING, False
        return multiple(*((worker, run) for run in claimed))

    @rule(
        claimed=claims,
        events=st.integers(0, 3),
        change=st.sampled_from([None, "sleep", "wake soon", "give up", "block", "complete"]),
        consume=st.booleans(),
    )
    def commit(self, claimed: Claim, events: int, change: str | None, consume: bool) -> None:
        worker, run = claimed
        known = self.model[run.id]
        mail = self.runner.run(self.journal.inbox(worker, [run.id])) if consume else []
        first = len(known.history) + 1
        added = list(range(first, first + events))
        past, state = self.journal.now() - 1_000_000, RunState
        transition = {
            None: None,
            "sleep": builders.sleep_until(None, release=False),
            "wake soon": builders.sleep_until(past, release=False),
            "give up": builders.sleep_until(past),
            "block": builders.end(state.BLOCKED),
            "complete": builders.end(state.COMPLETED),
        }[change]
        written = [builders.event(seq) for seq in added]
        consumed = [row.id for row in mail]
        write = builders.write(run, *written, consumed=consumed, transition=transition)
        try:
            committed = self.runner.run(builders.commit(self.journal, worker, write))
        except LeaseLost:
            assert worker not in self.alive
            return
        assert worker in self.alive
        if known.owner != worker or known.tokens[-1] != run.token:
            assert committed.rejected == {run.id}
            return
        assert committed.rejected == frozenset()
        known.history += added
        if consume:
            assert [row.body[0] for row in mail] == known.inbox
            known.inbox = []
        if transition is not None:
            known.state, known.due = transition.state, transition.due_at is not None
            if transition.release or transition.state >= RunState.BLOCKED:
                known.owner = None

    @rule(run_id=runs, key=st.sampled_from([None, "x", "y"]))
    def post(self, run_id: RunId, key: str | None) -> None:
        known, value = self.model[run_id], uuid4().bytes
        (posted,) = self.runner.run(self.journal.post([builders.signal(run_id, value, key)]))
        if key in known.delivered:
            assert posted is Posted.DUPLICATE
        elif known.state.terminal:
            assert posted is Posted.TERMINAL
        else:
            assert posted is Posted.ACCEPTED
            known.inbox.append(value)
            if key is not None:
                known.delivered.add(key)

    @rule(worker=consumes(workers), executing=st.none() | runs)
    def retire(self, worker: Worker, executing: RunId | None) -> None:
        self.runner.run(builders.retire(self.journal, worker, executing, POISON_AFTER))
        self.alive.discard(worker)
        for id, run in self.model.items():
            if run.owner == worker:
                run.owner, run.due = None, run.due or run.state == RunState.RUNNING
                if id == executing:
                    run.died()

    @rule(claimed=claims, crashed=st.booleans())
    def release(self, claimed: Claim, crashed: bool) -> None:
        worker, run = claimed
        known = self.model[run.id]
        releasing = self.journal.release(worker, [run.id], crashed=crashed, poison_after=POISON_AFTER)
        self.runner.run(releasing)
        if known.owner == worker:
            known.owner, known.due = None, True
            if crashed:
                known.died()

    @rule(run_id=runs)
    def force_cancel(self, run_id: RunId) -> None:
        known = self.model[run_id]
        expected = Posted.TERMINAL if known.state.terminal else Posted.ACCEPTED
        assert self.runner.run(self.journal.force_cancel(run_id)) is expected
        if not known.state.terminal:
            known.state, known.owner, known.due = RunState.CANCELLED, None, False

    @rule()
    def unblock(self) -> None:
        blocked = [run for run in self.model.values() if run.state is RunState.BLOCKED]
        assert self.runner.run(self.journal.unblock(["orders"])) == len(blocked)
        for run in blocked:
            run.state, run.due, run.deaths = RunState.RUNNING, True, 0

    @invariant()
    def the_journal_matches_the_model(self) -> None:
        histories = self.runner.run(self.journal.load(list(self.model)))
        for id, run in self.model.items():
            stored = self.runner.run(builders.row(self.journal, id))
            assert (stored.state, stored.owner) == (run.state, run.owner and run.owner.id)
            assert [entry.seq for entry in histories[id]] == run.history


def check(make: Make, examples: int, steps: int) -> None:
    """Run the machine on journals made by `make`."""
    machine = type("Machine", (JournalMachine,), {"make": staticmethod(make)})
    budget = settings(
        max_examples=examples,
        stateful_step_count=steps,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=budget)


def test_the_memory_journal_matches_the_model() -> None:
    @contextmanager
    def make() -> Iterator[Journal]:
        yield MemoryJournal()

    check(make, examples=150, steps=40)


def test_the_postgres_journal_matches_the_model(dsn: str) -> None:
    @contextmanager
    def make() -> Iterator[Journal]:
        with migrated_schema(dsn) as schema:
            yield PostgresJournal(dsn, schema=schema)

    check(make, examples=12, steps=25)
