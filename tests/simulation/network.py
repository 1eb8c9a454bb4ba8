"""The way between a process and the database: delays, lost connections, lost and repeated hints.

A request is executed at one moment, as a transaction is, and its answer arrives later. The fate of a
request is chosen when it is made: all goes well; the connection is lost before, after, or while the
database executes it (then it takes effect although the caller has seen an error); or its
transaction stays open for a while with its locks.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from continuum.errors import JournalUnavailable
from continuum.journal.announcement import announcement, completed
from continuum.journal.memory.journal import MemoryJournal
from continuum.journal.memory.notifications import Listener
from continuum.journal.port import Notification, Topic
from continuum.journal.resumed_run import woken
from tests.simulation.choices import Stream
from tests.simulation.model_journal import touched

if TYPE_CHECKING:
    from tests.simulation.universe import Universe

# In microseconds. Most answers are quick; some take longer than a retry, a few longer than a lease.
QUICK, SLOW, VERY_SLOW = 2_000, 400_000, 14_000_000
HELD = 3_000_000
# What a caller waits for a server that does not answer.
CONNECT_TIMEOUT = 500_000

# The parts of [0, 1) that are no fault, per request and per hint.
FINE, HINT_FINE = 0.94, 0.85

_READS = frozenset(
    {
        *("inbox", "load", "load_compact", "next_due", "look", "expired_workers", "node_workers", "nodes"),
        *(
            "get_run",
            "query",
            "look_through",
            "open_runs",
            "read_published",
            "versions",
            "version_source",
            "refusals",
            "find_result",
        ),
        *(
            "ended",
            "missing",
            "declared_signals",
            "last_heartbeats",
            "suspects_wait",
            "acquittals",
            "odd_rows",
        ),
    }
)


@cache
def _is_request(name: str) -> bool:
    return inspect.iscoroutinefunction(getattr(MemoryJournal, name, None))


class Link:
    """A `Journal` as one process has it."""

    def __init__(self, universe: Universe, name: str, loop: asyncio.AbstractEventLoop, pid: int) -> None:
        self._universe = universe
        self._journal = universe.journal
        self._loop = loop
        self._fates = universe.choices.stream(f"requests/{name}")
        self._hints = universe.choices.stream(f"hints/{name}")
        self._listeners: list[Listener] = []
        self.name = name
        self.pid = pid
        self.cut_until = 0
        self.deaf_until = 0
        # Whether it hears hints; a pooler passes none on.
        self.listens = True
        self.dead = False
        # Called before the nth request that writes is executed or after it, to die there.
        self.fuse: Callable[[str], bool] | None = None

    def now(self) -> int:
        """Return the database's time."""
        return self._journal.now()

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._journal, name)
        if not _is_request(name):
            return found

        def call(*args: Any, **kwargs: Any) -> asyncio.Future[Any]:
            return self._request(name, args, kwargs)

        async def calling(*args: Any, **kwargs: Any) -> Any:
            return await call(*args, **kwargs)

        setattr(self, name, calling)
        return calling

    def register_worker(self, node: Any, role: str, pid: int, ttl: float, **options: Any) -> Any:
        """Register under the process's own number: all of them share one real pid."""
        return self._request("register_worker", (node, role, self.pid, ttl), options)

    def notifications(
        self, topics: Sequence[Topic], *, channel: str | None = None
    ) -> AsyncIterator[Notification]:
        """Yield the hints that arrive."""
        listener = Listener(topics, channel)
        self._listeners.append(listener)
        return listener

    def hint(self, topic: Topic, ids: tuple[str, ...], channel: str | None = None) -> None:
        """Carry a hint to this process, unless it is lost; perhaps twice, late, or with a forged one."""
        heard = self.listens and any(channel in (None, each.channel) for each in self._listeners)
        if self.dead or not heard:
            return
        timeline = self._universe.timeline
        if timeline.now < self.deaf_until or timeline.now < self.cut_until:
            return
        chance = self._hints.fraction(bends=HINT_FINE)
        if chance < HINT_FINE:
            timeline.after(int(chance * QUICK), self._receive, topic, ids)
        elif chance < 0.93:
            return
        elif chance < 0.97:
            timeline.after(SLOW, self._receive, topic, ids)
        else:
            timeline.after(QUICK, self._receive, topic, ids)
            again = (topic, ids) if chance < 0.985 else self._forged(chance)
            timeline.after(SLOW, self._receive, *again)

    def _forged(self, chance: float) -> tuple[Topic, tuple[str, ...]]:
        """Return a hint that nobody has sent, about a run that exists."""
        topics, runs = list(Topic), list(self._journal._runs.values())
        topic = topics[int(chance * 104_729 % 1 * len(topics))]
        if not runs:
            return topic, ()
        run = runs[int(chance * 7919 % 1 * len(runs))]
        if topic is not Topic.STARTED:
            return topic, (run.start.id,)
        text = announcement(run.start) if chance * 1009 % 1 < 0.5 else None
        return topic, (woken(run.start.id) if text is None else completed(text, run.started_at + 1),)

    def _receive(self, topic: Topic, ids: tuple[str, ...]) -> None:
        if not self.dead:
            for listener in self._listeners:
                listener.receive(topic, ids)

    def _request(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> asyncio.Future[Any]:
        answer: asyncio.Future[Any] = self._loop.create_future()
        if self.dead:
            return answer
        timeline = self._universe.timeline
        if timeline.now < self.cut_until:
            timeline.after(CONNECT_TIMEOUT, self._fail, answer)
            return answer
        chance = self._fates.fraction(bends=FINE)
        go, back = int(chance * QUICK), int(chance * 7919 % 1 * QUICK)
        request = (name, args, kwargs)
        if chance < FINE:
            timeline.after(go, self._execute, request, answer, back)
        elif chance < 0.950:  # Lost before it was executed.
            timeline.after(back, self._fail, answer)
        elif chance < 0.965:  # Executed, and the answer lost.
            timeline.after(go, self._execute, request, None, 0)
            timeline.after(go + back, self._fail, answer)
        elif chance < 0.972:  # Given up by the caller, and executed later.
            timeline.after(back, self._fail, answer)
            timeline.after(int(chance * 7919 % 1 * SLOW), self._execute, request, None, 0)
        elif chance < 0.982:  # Late at the server.
            timeline.after(SLOW, self._execute, request, answer, back)
        elif chance < 0.990:  # Late on the way back.
            timeline.after(go, self._execute, request, answer, SLOW)
        elif chance < 0.992:
            timeline.after(go, self._execute, request, answer, VERY_SLOW)
        elif chance < 0.994:
            timeline.after(VERY_SLOW, self._execute, request, answer, back)
        else:  # A transaction that stays open.
            timeline.after(go, self._hold, request, answer, back)
        return answer

    def _hold(self, request: tuple[str, Any, Any], answer: asyncio.Future[Any] | None, back: int) -> None:
        name, args, kwargs = request
        if name in _READS or name == "claim":
            self._execute(request, answer, back)
            return
        timeline, journal = self._universe.timeline, self._journal
        keys = [*touched(name, args, kwargs), *_worker_in(name, args)]
        if journal.locked_until(keys) is None:
            journal.locked.update(dict.fromkeys(keys, journal.now() + HELD))
        timeline.after(HELD, self._execute, request, answer, back)

    def _execute(self, request: tuple[str, Any, Any], answer: asyncio.Future[Any] | None, back: int) -> None:
        name, args, kwargs = request
        universe, journal = self._universe, self._journal
        universe.requests += 1
        if name not in _READS and journal.locked:
            until = journal.locked_until([*touched(name, args, kwargs), *_worker_in(name, args)])
            if until is not None:
                universe.timeline.after(until - journal.now() + 1, self._execute, request, answer, back)
                return
        if not self.dead and self.fuse is not None and name not in _READS and self.fuse(f"before {name}"):
            return
        try:
            getattr(journal, name)(*args, **kwargs).send(None)
        except StopIteration as stop:
            result, error = stop.value, None
        except Exception as raised:  # noqa: BLE001 - the caller receives it
            result, error = None, raised
        else:
            raise AssertionError(f"{name} of the memory journal waits")
        if universe.tracing:
            universe.trace(self.name, name, _summary(name, args, result, error))
        if name not in _READS:
            universe.monitor.after_write(name, touched(name, args, kwargs))
            if not self.dead and self.fuse is not None and self.fuse(f"after {name}"):
                return
        if answer is not None:
            universe.timeline.after(back, self._answer, answer, result, error)

    def _answer(self, answer: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
        if self.dead or answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(result)

    def _fail(self, answer: asyncio.Future[Any]) -> None:
        if not self.dead and not answer.done():
            answer.set_exception(JournalUnavailable("the connection was lost; try again"))


def _worker_in(name: str, args: Sequence[Any]) -> list[object]:
    """Return the worker whose row a call locks."""
    match name:
        case "commit":
            return [("worker", args[0].id)]
        case "retire_worker" | "interrupt_activities":
            return [("worker", args[0])]
    return []


def _summary(name: str, args: Sequence[Any], result: Any, error: Exception | None) -> str:
    """Describe a call for the trace, the same in every process."""
    if error is not None:
        return f"{type(error).__name__}: {error}"
    match name:
        case "commit":
            parts = []
            for write in args[2]:
                seqs = [event.seq for event in write.events]
                kinds = [int(event.type) for event in write.events]
                state = write.transition.state.name if write.transition is not None else "-"
                released = write.transition is not None and write.transition.release
                parts.append(
                    f"{write.run_id[:8]} {list(zip(seqs, kinds, strict=True))} {state}"
                    f"{' released' if released else ''} consumed {list(write.consumed)}"
                )
            return (
                f"worker {args[0].id} batch {args[1]}: {'; '.join(parts)} rejected {sorted(result.rejected)}"
            )
        case "claim":
            return f"worker {args[0].id}: {[(run.id[:8], run.token) for run in result]}"
        case "claim_tasks":
            return f"worker {args[0].id}: {[(task.run_id[:8], task.seq, task.dispatch) for task in result]}"
        case "post":
            return f"{[(post.run_id[:8], post.kind.name, post.name) for post in args[0]]}: {result}"
        case "inbox":
            return f"{[(row.id, row.run_id[:8], row.kind.name, row.name) for row in result]}"
        case "complete_tasks":
            return f"{[(each.task.run_id[:8], each.task.seq, each.kind.name) for each in args[1]]}"
        case "register_worker":
            return f"worker {result.id} of {args[0]}"
        case "retire_worker" | "release" | "release_other_runs":
            return f"{args[0]}: {result}"
        case "start":
            return f"{[(one.run_id[:8], one.existing) for one in result]}"
    return ""


__all__ = ["Link", "Stream"]
