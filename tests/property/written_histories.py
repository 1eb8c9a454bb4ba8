"""A journal in front of another one that checks every write.

It records what is wrong as sentences, and refuses nothing. It knows what a history and its
rows may look like, but not what the workflow code should do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from continuum.engine.drift_messages import describe
from continuum.engine.events import Event, EventType
from continuum.engine.ids import RunId
from continuum.journal.facts import Committed, RunWrite, Worker
from continuum.journal.port import Journal
from tests.property.ledger import ledger
from tests.unit.engine.driver import call_of

SCHEDULED = (EventType.ACTIVITY_SCHEDULED, EventType.COMPENSATION_SCHEDULED)
ACTIVITY_ENDS = (EventType.ACTIVITY_COMPLETED, EventType.ACTIVITY_FAILED)
COMPENSATION_ENDS = (EventType.COMPENSATION_COMPLETED, EventType.COMPENSATION_FAILED)
CHILD_ENDS = (EventType.CHILD_COMPLETED, EventType.CHILD_FAILED, EventType.CHILD_CANCELLED)
# The command of each end; a pending effect has one winner.
BEGINNING = {
    **dict.fromkeys(ACTIVITY_ENDS, EventType.ACTIVITY_SCHEDULED),
    **dict.fromkeys(COMPENSATION_ENDS, EventType.COMPENSATION_SCHEDULED),
    **dict.fromkeys(CHILD_ENDS, EventType.CHILD_STARTED),
    EventType.TIMER_FIRED: EventType.TIMER_STARTED,
}


class WrittenHistories:
    """A `Journal`; methods that it does not define are those of the stored journal."""

    def __init__(self, stored: Journal) -> None:
        self.stored = stored
        self.of: dict[RunId, list[Event]] = {}
        # The published values of chains, by their first runs.
        self.published: dict[RunId, dict[str, bytes]] = {}
        self.wrong: list[str] = []
        self._ended: set[RunId] = set()
        self._roots: dict[RunId, RunId] = {}
        self._writing: set[asyncio.Task[Committed]] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stored, name)

    async def commit(self, worker: Worker, batch: int, writes: Sequence[RunWrite]) -> Committed:
        """Make writes durable; a commit that has begun ends even if its caller is cancelled."""
        writing = asyncio.get_running_loop().create_task(self._commit(worker, batch, writes))
        self._writing.add(writing)
        writing.add_done_callback(self._writing.discard)
        return await asyncio.shield(writing)

    async def written(self) -> None:
        """Wait until no write is running."""
        await asyncio.gather(*self._writing, return_exceptions=True)

    async def _commit(self, worker: Worker, batch: int, writes: Sequence[RunWrite]) -> Committed:
        for write in writes:
            tasks = {task.seq for task in write.tasks}
            ledger.claimable.update(
                called(event) for event in write.events if event.type in SCHEDULED and event.seq in tasks
            )
        committed = await self.stored.commit(worker, batch, writes)
        for write in writes:
            if write.run_id not in committed.rejected:
                self._check(write)
        return committed

    def _check(self, write: RunWrite) -> None:
        history = self.of.setdefault(write.run_id, [])
        if write.run_id in self._ended and write.events:
            self._report(write.run_id, f"was written after its end: {describe(write.events[0])}")
        for event in write.events:
            if event.seq != len(history):
                self._report(write.run_id, f"has {event.seq} at {len(history)}")
            self._check_event(write.run_id, history, event)
            history.append(event)
        if write.transition is not None and write.transition.state.terminal:
            self._ended.add(write.run_id)
        self._check_rows(write)

    def _check_event(self, run_id: RunId, history: list[Event], event: Event) -> None:
        begun = BEGINNING.get(EventType(event.type))
        if begun is not None:
            seq = event.body[0]
            if seq >= len(history) or history[seq].type != begun:
                self._report(run_id, f"ends what never began: {event}")
                return
            if any(BEGINNING.get(EventType(e.type)) == begun and e.body[0] == seq for e in history):
                self._report(run_id, f"ends twice what began at {seq}: {event}")
            if event.type in (*ACTIVITY_ENDS, *COMPENSATION_ENDS):
                ledger.answered.add(called(history[seq]))
        elif event.type in SCHEDULED:
            ledger.asked[called(event)] += 1
        elif event.type == EventType.SIGNAL_RECEIVED and event.body[2] is not None:
            same = [e for e in history if e.type == event.type and e.body[::2] == event.body[::2]]
            if same:
                self._report(run_id, f"received a delivery twice: {event}")

    def _check_rows(self, write: RunWrite) -> None:
        """Compare the rows of a write with its events."""
        commands = {event.body[3] for event in write.events if event.type == EventType.CHILD_STARTED}
        if {child.id for child in write.children} != commands or len(write.children) != len(commands):
            self._report(write.run_id, f"starts {write.children} and says {commands}")
        next_runs = [e.body[3] for e in write.events if e.type == EventType.RUN_CONTINUED_AS_NEW]
        if next_runs != ([] if write.successor is None else [write.successor.id]):
            self._report(write.run_id, f"continues as {write.successor} and says {next_runs}")
        shown = [event.body[0] for event in write.events if event.type == EventType.STATE_PUBLISHED]
        if list(dict(write.published)) != list(dict.fromkeys(shown)):
            self._report(write.run_id, f"shows {write.published} and says {shown}")
        root = self._roots.get(write.run_id, write.run_id)
        if write.successor is not None:
            self._roots[write.successor.id] = root
        self.published.setdefault(root, {}).update(write.published)

    def _report(self, run_id: RunId, problem: str) -> None:
        self.wrong.append(f"run {run_id} {problem}")


def called(scheduled: Event) -> tuple[str, int]:
    """Return the activity and the number of a journaled call."""
    name, (number, *_) = call_of(scheduled)
    return name, int(str(number))
