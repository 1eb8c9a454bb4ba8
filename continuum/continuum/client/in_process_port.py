"""`InProcessPort`: the short way between the run host of an instance and the clients in the same loop.

It only saves time. A start that the host does not create, for whatever reason, is written by the client; an
end that the host does not tell is found in the journal. The host tells nothing before it is durable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from continuum.engine.ids import RunId
from continuum.journal.announced_run import NewRun
from continuum.journal.ended_run import EndedRun

EndListener = Callable[[EndedRun], None]
LossListener = Callable[[Sequence[str]], None]


class RunStarter(Protocol):
    """The part of a run host that begins new runs."""

    def try_start(self, run: NewRun) -> asyncio.Future[bool] | None:
        """Begin a run here; None if that must be left to others.

        The result says whether the run is durable now. False says nothing: the client starts the run itself,
        which changes nothing if it exists.
        """
        ...

    def is_live(self, run_id: RunId) -> bool:
        """Whether the host has this run in memory, so that it will tell when the run ends."""
        ...


class InProcessPort:
    """Belongs to one instance. Used in the loop of its host only; from any other it finds nobody."""

    def __init__(self) -> None:
        self._starter: RunStarter | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        # With the loop of each. Loops of several threads change this, each for its own listeners.
        self._listeners: dict[EndListener, tuple[asyncio.AbstractEventLoop, LossListener | None]] = {}

    # The side of the host.

    def open(self, starter: RunStarter) -> None:
        """Let `starter` begin runs from now on."""
        self._starter, self._loop = starter, asyncio.get_running_loop()

    def close(self, starter: RunStarter) -> None:
        """Let `starter` begin no more runs; its successor may have opened the port already."""
        if self._starter is starter:
            self._starter = None

    def ended(self, run: EndedRun) -> None:
        """Tell the clients in this loop that a run has ended, which is durable.

        A client in another thread learns it from the journal: its futures must not be touched from here.
        """
        for listener, _ in self._listeners_here():
            listener(run)

    def lost(self, run_ids: Sequence[str]) -> None:
        """Tell them that these runs, or without ids any, may continue in others though they have ended."""
        for _, listener in self._listeners_here():
            if listener is not None:
                listener(run_ids)

    # The side of the clients.

    def try_start(self, run: NewRun) -> asyncio.Future[bool] | None:
        """Begin a run in the host; None if there is none in this loop, or it leaves the run to others."""
        starter = self._starter_here()
        return None if starter is None else starter.try_start(run)

    def is_live(self, run_id: RunId) -> bool:
        """Whether a host in this loop will tell when this run ends, as far as is known now."""
        starter = self._starter_here()
        return starter is not None and starter.is_live(run_id)

    def listen(self, listener: EndListener, on_loss: LossListener | None = None) -> None:
        """Call `listener` for every run that ends in the host, if that is in the loop that runs now.

        `on_loss` is called with runs whose ends may not count any more.
        """
        self._listeners[listener] = asyncio.get_running_loop(), on_loss

    def forget(self, listener: EndListener) -> None:
        """Call `listener` no more."""
        self._listeners.pop(listener, None)

    def _listeners_here(self) -> Iterator[tuple[EndListener, LossListener | None]]:
        here = asyncio.get_running_loop()
        for listener, (loop, on_loss) in tuple(self._listeners.items()):
            if loop is here:
                yield listener, on_loss

    def _starter_here(self) -> RunStarter | None:
        return self._starter if self._loop is asyncio.get_running_loop() else None
