"""The execution of one run, with a trace of whose code runs that outlives the process."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from continuum.engine.events import EventType
from continuum.engine.execution import Execution
from continuum.engine.ids import RunId
from continuum.journal.port import StoredHistory
from continuum_actors.host.host import Host
from continuum_actors.host.traces import trace_of_code


class WatchedExecution:
    """Records in the process's pulse when the run's code begins and ends to run.

    A process that dies in between was killed by this run: recovery counts the death against it.
    """

    __slots__ = ("_host", "_key", "execution", "signalled_in")

    def __init__(self, host: Host, run_id: RunId, execution: Execution) -> None:
        self._host = host
        self._key = trace_of_code(run_id)
        self.execution = execution
        # The trace contexts of the signals that it has taken here.
        self.signalled_in: tuple[str, ...] = ()

    def enter(self) -> None:
        """Code of the run is about to run."""
        self._host.pulse.executing(self._key)

    def leave(self) -> None:
        """The code has returned to us."""
        self._host.pulse.clear()

    def replay(self, coroutine: Coroutine[Any, Any, object], stored: StoredHistory, started_at: int) -> None:
        """Begin the execution: the code runs through its history, and beyond."""
        host, clock = self._host, self._host.clock
        began = clock.monotonic()
        self.enter()
        self.execution.begin(
            coroutine, stored.events, started_at=started_at, now=host.journal.now(), compact=stored.compact
        )
        self.leave()
        if stored.events or stored.compact is not None:
            host.measures.replayed(clock.monotonic() - began)

    def apply(self, type: EventType, body: tuple[object, ...]) -> bool:
        """Apply an event to the execution, at the journal's time; False if the run does not wait for it."""
        host = self._host
        host.pulse.executing(self._key)
        applied = self.execution.apply(type, body, at=host.journal.now())
        host.pulse.clear()
        return applied
