"""The simulated programs: what a client does with a run, and what must have come of it.

A client may die at any moment; another then repeats the program from its beginning, as one that keeps
its idempotency keys does. So `drive` may run several times, and what was acknowledged once stays so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

from continuum.client import Client
from continuum.codec.codec import decode
from continuum.definitions.workflow import Workflow
from continuum.engine.events import EventType
from continuum.engine.ids import RunId
from continuum.errors import RunTerminal
from continuum.journal.facts import RunState
from continuum.journal.memory.tables import StoredRun
from tests.simulation import workflows
from tests.simulation.choices import Stream

if TYPE_CHECKING:
    from tests.simulation.universe import Universe

# After so many deaths without a known cause, what killed others too may have been charged with all of them.
MANY_DEATHS = 3
# Workflows with activities that kill their processes.
DEADLY = (workflows.deadly_flow.name, workflows.isolated_flow.name)


class Program:
    """Starts a run; the outcome is `expected`."""

    flow: ClassVar[Workflow[..., Any]]

    def __init__(self, number: int, chances: Stream) -> None:
        self.name = f"p{number}"
        self.begins = chances.below(1_500_000)
        self.pause = chances.fraction() ** 2 * 2
        self.variant = chances.below(4)
        # What the database has acknowledged.
        self.run_id: RunId | None = None
        # Whether a cancel was requested.
        self.cancelled = False
        self.over = False

    def arguments(self) -> tuple[Any, ...]:
        """Return the input of the run."""
        return (self.name,)

    async def drive(self, client: Client) -> None:
        """Do what the program does; may be repeated from the beginning."""
        handle = await client.start(self.flow, *self.arguments(), idempotency_key=self.name)
        assert self.run_id in (None, handle.id), f"{self.name} has two runs under one key"
        self.run_id = RunId(handle.id)
        await self.after_start(client)

    async def after_start(self, client: Client) -> None:
        """Go on with the run that was started."""

    async def cancel(self, client: Client, *, force: bool = False) -> None:
        """Cancel the run, unless it has ended."""
        assert self.run_id is not None, "it was started"
        # Also when the answer is lost: the request may have arrived.
        self.cancelled = True
        with suppress(RunTerminal):
            await client.cancel(self.run_id, force=force)

    async def signal(self, client: Client, name: str, value: Any, delivery: str) -> None:
        """Send a signal; the run must not have ended without it."""
        assert self.run_id is not None, "it was started"
        await client.signal(self.run_id, name, value, delivery_id=delivery)

    def wrong(self, universe: Universe) -> Iterator[str]:
        """Yield what has not come as it must."""
        run = self.run_of(universe)
        outcome = outcome_of(run)
        if outcome != ("COMPLETED", self.expected(universe)):
            yield f"{self.name} ({self.flow.name}) should have given {self.expected(universe)}, not {outcome}"

    def expected(self, universe: Universe) -> Any:
        """Return the result."""
        raise NotImplementedError

    def run_of(self, universe: Universe) -> StoredRun:
        """Return the latest run of the chain that was started."""
        assert self.run_id is not None, f"{self.name} was never started"
        run = universe.journal._latest(self.run_id)
        assert run is not None, f"{self.name}: the acknowledged run {self.run_id} is lost"
        return run


def outcome_of(run: StoredRun) -> tuple[str, Any]:
    """Return how a run has ended."""
    return run.state.name, None if run.result is None else decode(run.result)


class SagaProgram(Program):
    """Half of them fail, and some are cancelled: then everything is undone."""

    flow = workflows.saga_flow

    def arguments(self) -> tuple[Any, ...]:
        return self.name, self.variant % 2 == 1

    async def after_start(self, client: Client) -> None:
        if self.variant >= 2:
            await asyncio.sleep(self.pause / 4)
            await self.cancel(client)

    def wrong(self, universe: Universe) -> Iterator[str]:
        run, done = self.run_of(universe), universe.ledger.done
        booked = [f"{self.name}/{part}" for part in "ab"]
        undone = [effect for effect in booked if done[f"undo {effect}"]]
        completed = [effect for effect in booked if effect in results_in(run)]
        if run.state is RunState.COMPLETED:
            if self.variant % 2 == 1 or undone or completed != booked or not done[f"{self.name}/c"]:
                yield f"{self.name} completed, and undid {undone} of {completed}"
        elif run.state is RunState.CANCELLED and not self.cancelled:
            yield f"{self.name} is cancelled, and nobody has asked for it"
        elif run.state is RunState.FAILED and self.variant % 2 == 0:
            yield f"{self.name} failed: {run.error!r}"
        elif set(completed) - set(undone):
            yield f"{self.name} is {run.state.name}, did {completed} and undid only {undone}"


def results_in(run: StoredRun) -> list[Any]:
    """Return the results of the activities in a history."""
    return [decode(event.body[1]) for event in run.events if event.type == EventType.ACTIVITY_COMPLETED]


class FamilyProgram(Program):
    """A parent ends or is cancelled; its children end as their policies say."""

    flow = workflows.family_flow

    async def after_start(self, client: Client) -> None:
        if self.variant == 3:
            await asyncio.sleep(self.pause / 4)
            await self.cancel(client)

    def wrong(self, universe: Universe) -> Iterator[str]:
        run = self.run_of(universe)
        outcome = outcome_of(run)
        expected = ("COMPLETED", [f"{self.name}/second", f"{self.name}/first"])
        if outcome != expected and not (self.cancelled and run.state is RunState.CANCELLED):
            yield f"{self.name} (sim.family) gave {outcome}: {run.error!r}"
        children = {
            decode(child.start.input)[0][0].rpartition("/")[2]: child
            for child in universe.journal._runs.values()
            if child.parent == run.start.id
        }
        if "cancel" in children and children["cancel"].state is not RunState.CANCELLED:
            yield f"{self.name}: the child to cancel is {children['cancel'].state.name}"
        if "abandon" in children and children["abandon"].state is not RunState.COMPLETED:
            yield f"{self.name}: the abandoned child is {children['abandon'].state.name}"
        if run.state is RunState.COMPLETED and len(children) != 4:
            yield f"{self.name} has the children {sorted(children)}"


class MailboxProgram(Program):
    """Every acknowledged signal arrives once, in order."""

    flow = workflows.mailbox_flow

    def arguments(self) -> tuple[Any, ...]:
        return (3,)

    async def after_start(self, client: Client) -> None:
        for value in range(3):
            await self.signal(client, "mail", value, f"{self.name}/{value}")
            if self.variant == 1 and value < 2:
                await self.signal(client, "mail", value, f"{self.name}/{value}")
            await asyncio.sleep(self.pause)

    def expected(self, universe: Universe) -> Any:
        return [0, 1, 2]


class RaceProgram(Program):
    """A signal and a time-out have one winner, and a late signal is kept."""

    flow = workflows.race_flow

    def arguments(self) -> tuple[Any, ...]:
        return (self.pause,)

    async def after_start(self, client: Client) -> None:
        await asyncio.sleep(max(0.0, self.pause - 0.02 + 0.02 * self.variant))
        await self.signal(client, "go", "go", self.name)

    def wrong(self, universe: Universe) -> Iterator[str]:
        outcome = outcome_of(self.run_of(universe))
        if outcome not in (("COMPLETED", ["go"]), ("COMPLETED", ["late", "go"])):
            yield f"{self.name} (sim.race) gave {outcome}"


class TimersProgram(Program):
    """Timers fire in their time."""

    flow = workflows.timers_flow

    def expected(self, universe: Universe) -> Any:
        answers = [
            event for event in self.run_of(universe).events if event.type == EventType.ACTIVITY_COMPLETED
        ]
        # While a run is paused its timers wait, but an activity that runs ends: its answer may be first.
        timed_out = len(answers) < 2 or not universe.pauses
        return [f"{self.name}/beside", timed_out, True]


class QueueProgram(Program):
    """Queued activities are done, and those with one key have one answer."""

    flow = workflows.queue_flow

    def arguments(self) -> tuple[Any, ...]:
        return self.name, f"key{self.variant % 2}"

    def expected(self, universe: Universe) -> Any:
        answers = universe.journal._results
        key = f"key{self.variant % 2}"
        answer = decode(answers["sim.keyed", key]) if ("sim.keyed", key) in answers else None
        return [f"{self.name}/1", answer, f"{self.name}/2", f"{self.name}/3"]

    def wrong(self, universe: Universe) -> Iterator[str]:
        yield from super().wrong(universe)
        for part in "123":
            if not universe.ledger.done[f"{self.name}/{part}"]:
                yield f"{self.name}/{part} has a result and was never done"


class RetriesProgram(Program):
    """Activities are tried until they succeed."""

    flow = workflows.retries_flow

    def expected(self, universe: Universe) -> Any:
        return [f"{self.name}/1", f"{self.name}/2"]


class CounterProgram(Program):
    """A chain of runs loses no signal and no published value."""

    flow = workflows.counter_flow

    def arguments(self) -> tuple[Any, ...]:
        return 3, []

    async def after_start(self, client: Client) -> None:
        for value in range(3):
            await self.signal(client, "count", value, f"{self.name}/{value}")
            if self.variant % 2:
                await asyncio.sleep(self.pause / 4)

    def expected(self, universe: Universe) -> Any:
        return [0, 1, 2]

    def wrong(self, universe: Universe) -> Iterator[str]:
        yield from super().wrong(universe)
        run = self.run_of(universe)
        published = universe.journal._published[run.chain].get("count")
        if published is None or decode(published.value) != 3:
            yield f"{self.name} has published {published}"


class PatientProgram(Program):
    """A cancelled run ends as cancelled, after it has tidied up; by force it ends at once."""

    flow = workflows.patient_flow

    async def after_start(self, client: Client) -> None:
        await asyncio.sleep(self.pause)
        await self.cancel(client, force=self.variant == 3)

    def wrong(self, universe: Universe) -> Iterator[str]:
        run = self.run_of(universe)
        if run.state is not RunState.CANCELLED:
            yield f"{self.name} (sim.patient) is {run.state.name}: {run.error!r}"
        began = any(event.type == 1 for event in run.events)
        if self.variant != 3 and began and not universe.ledger.done[f"{self.name}/tidied"]:
            yield f"{self.name} (sim.patient) has not tidied up"


class VersionedProgram(Program):
    """A run takes one of the two ways, whatever code continues it."""

    flow = workflows.versioned_flow

    def wrong(self, universe: Universe) -> Iterator[str]:
        outcome = outcome_of(self.run_of(universe))
        ways = [("COMPLETED", [f"{self.name}/1", way, f"{self.name}/2"]) for way in ("old", "new")]
        if outcome not in ways:
            yield f"{self.name} (sim.versioned) gave {outcome}"


class DeadlyProgram(Program):
    """An activity kills its process, and nothing else pays for it."""

    flow = workflows.deadly_flow

    def arguments(self) -> tuple[Any, ...]:
        return self.name, 1 + self.variant // 2, self.variant % 2 == 1

    def wrong(self, universe: Universe) -> Iterator[str]:
        run = self.run_of(universe)
        if outcome_of(run) != ("COMPLETED", self.name) and universe.journal.unexplained < MANY_DEATHS:
            yield f"{self.name} (sim.deadly) gave {outcome_of(run)}: {run.error!r}"
        if not universe.journal.unexplained:
            yield from charged_without_guilt(universe)


class IsolatedProgram(Program):
    """Activities in activity hosts, one of which kills them."""

    flow = workflows.isolated_flow

    def arguments(self) -> tuple[Any, ...]:
        return self.name, self.variant

    def wrong(self, universe: Universe) -> Iterator[str]:
        run = self.run_of(universe)
        expected = ("COMPLETED", [f"{self.name}/{part}" for part in "123"])
        if outcome_of(run) != expected and universe.journal.unexplained < MANY_DEATHS:
            yield f"{self.name} (sim.isolated) gave {outcome_of(run)}: {run.error!r}"
        if not universe.journal.unexplained:
            yield from charged_without_guilt(universe)


def charged_without_guilt(universe: Universe) -> Iterator[str]:
    """Yield the runs that were charged with a death, when each death had a culprit."""
    for run in universe.journal._runs.values():
        crashes = sum(event.type == EventType.ACTIVITY_CRASHED for event in run.events)
        if crashes and run.start.workflow not in DEADLY:
            yield f"innocent charged: run {run.start.id} of {run.start.workflow} with {crashes} crashes"


PROGRAMS: tuple[type[Program], ...] = (
    *(MailboxProgram, SagaProgram, FamilyProgram, RaceProgram, TimersProgram),
    *(
        QueueProgram,
        RetriesProgram,
        CounterProgram,
        PatientProgram,
        VersionedProgram,
        DeadlyProgram,
        DeadlyProgram,
    ),
)
# Those that need nodes with activity hosts.
ISOLATED_PROGRAMS: tuple[type[Program], ...] = (IsolatedProgram, IsolatedProgram)
