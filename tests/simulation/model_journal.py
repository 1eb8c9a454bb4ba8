"""The database: the memory journal, with locks that transactions hold, and hints that go their own way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from continuum.engine.ids import RunId, WorkerId
from continuum.journal.memory.journal import MemoryJournal
from continuum.journal.port import ClaimedRun, Loaded, Topic, Worker
from continuum.journal.suspect_port import Death


class Hint(Protocol):
    """Sends a hint to those who listen, or to the listener of one channel."""

    def __call__(self, topic: Topic, ids: tuple[str, ...], channel: str | None = None) -> None: ...


class Hints:
    """Passes every notification to the network."""

    def __init__(self, send: Hint) -> None:
        self._send = send

    def send(self, topic: Topic, ids: Iterable[str] = ()) -> None:
        """Send a hint to every listener."""
        self._send(topic, tuple(ids))

    def announce(self, channel: str, announcement: str) -> None:
        """Send the announcement of a start to the listener of a channel."""
        self._send(Topic.STARTED, (announcement,), channel)

    def close(self) -> None:
        """Nothing to close."""


class ModelJournal(MemoryJournal):
    """The one database of a simulation."""

    def __init__(self, clock: Callable[[], int], send: Hint) -> None:
        super().__init__(clock)
        self._notifications = Hints(send)  # type: ignore[assignment]
        # Runs and workers that an open transaction has locked, and until when.
        self.locked: dict[object, int] = {}
        # How many processes have died without a known cause.
        self.unexplained = 0

    def locked_until(self, wanted: Iterable[object]) -> int | None:
        """Return when the last of these locks is released, None when none is held."""
        if not self.locked:
            return None
        now = self.now()
        self.locked = {key: until for key, until in self.locked.items() if until > now}
        return max((self.locked[key] for key in wanted if key in self.locked), default=None)

    async def blame(self, worker: WorkerId, death: Death, *, only_expired: bool = False) -> RunId | None:
        """Blame as always, and count what has no known cause."""
        if worker in self._workers and death.culprit is None:
            self.unexplained += 1
        return await super().blame(worker, death, only_expired=only_expired)

    async def claim(
        self,
        worker: Worker,
        code: Sequence[Loaded],
        limit: int,
        *,
        namespaces: Sequence[str] | None = None,
    ) -> list[ClaimedRun]:
        """Claim as always, and pass over runs that are locked."""
        if not self.locked:
            return await super().claim(worker, code, limit, namespaces=namespaces)
        held = [run for id in self.locked if (run := self._runs.get(id)) is not None and run.claimable]  # type: ignore[call-overload]
        for run in held:
            run.owner = worker.id
        try:
            return await super().claim(worker, code, limit, namespaces=namespaces)
        finally:
            for run in held:
                run.owner = None
                self._make_claimable(run)


def touched(name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> list[RunId]:
    """Return the runs that a call names."""
    match name:
        case "commit":
            return [write.run_id for write in args[2]]
        case "start":
            return [run.id for run in args[0]]
        case "post":
            return [post.run_id for post in args[0]]
        case "force_cancel" | "set_attributes" | "take_snapshot":
            return [args[0]]
        case "release":
            return list(args[1])
        case "complete_tasks":
            return [result.task.run_id for result in args[1]]
    return []
