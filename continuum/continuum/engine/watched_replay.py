"""A dry replay with a watcher: what the code asks for, what reaches it, and where the replay ends.

The watcher sees the code as it is at that moment, and may end the replay with `WatchedExecution.stop`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine
from typing import Any, NoReturn, Protocol

from continuum.engine.call_site import Site, declare_plumbing, user_site
from continuum.engine.control import Halted
from continuum.engine.dry_replay import DryCommandLog, no_random_bytes
from continuum.engine.events import Event, EventType
from continuum.engine.execution import Execution
from continuum.engine.loop.event_loop import WorkflowTask
from continuum.engine.outcome import Blocked, Outcome, Verdict

declare_plumbing(__name__)

STOPPED = Blocked("stopped", "the replay was stopped")
"""The outcome of a replay that its watcher has stopped."""


class ReplayWatcher(Protocol):
    """Called while a replay runs, in its order."""

    def begins(self, execution: WatchedExecution, program: Coroutine[Any, Any, Any]) -> None:
        """The code is about to run its first line."""
        ...

    def asks(self, execution: WatchedExecution, event: Event | None, site: Site) -> None:
        """The code asks for a command; `event` is what the history has there, None after its end.

        They are not compared yet: the code may ask for another command than the history has.
        """
        ...

    def arrives(self, execution: WatchedExecution, event: Event) -> None:
        """An event from outside is about to reach the code, all of which waits."""
        ...

    def takes(self, execution: WatchedExecution, name: str, site: Site) -> None:
        """The code takes the next signal of a name: one that has arrived, or else it waits for it."""
        ...

    def ends(self, execution: WatchedExecution) -> None:
        """The replay ends, and the code is still there; `log.verdict` says why, None if it waits or is done.

        If a command was refused, the code that asked for it is on the stack.
        """
        ...


class WatchedExecution(Execution):
    """An execution that only replays, and reports to a watcher."""

    __slots__ = ("_has_ended", "_watcher")

    def __init__(self, info: Any, watcher: ReplayWatcher, definition: Any, depth: int) -> None:
        super().__init__(info, no_random_bytes, definition, depth, WatchedCommandLog(self, watcher))
        self._watcher = watcher
        self._has_ended = False

    def begin(self, program: Coroutine[Any, Any, Any], *args: Any, **kwargs: Any) -> Outcome | None:
        """Start `program` and replay the history through it, as `Execution.begin` does."""
        self._watcher.begins(self, program)
        return super().begin(program, *args, **kwargs)

    def next_signal(self, name: str, *, timed: bool = False) -> Awaitable[bytes]:
        """Return the next signal of that name to await, as `Execution.next_signal` does."""
        self._watcher.takes(self, name, user_site())
        return super().next_signal(name, timed=timed)

    def stop(self) -> None:
        """End the replay: the code may issue no further command, and nothing more reaches it."""
        self.log.verdict = STOPPED

    def has_returned(self) -> bool:
        """Whether the workflow function has returned or raised."""
        return self._root is not None and self._root.done()

    def error(self) -> BaseException | None:
        """Return what the workflow function has raised, None if it has returned or has not ended."""
        root = self._root
        return None if root is None or not root.done() or root.cancelled() else root.exception()

    def open_tasks(self) -> list[WorkflowTask[Any]]:
        """Return the tasks of the code that are not done, that of the workflow function first."""
        tasks = [] if self._root is None else [self._root, *sorted(self.tasks or (), key=hash)]
        return [task for task in tasks if not task.done()]

    def report_end(self) -> None:
        """Report the end of the replay, once."""
        if not self._has_ended:
            self._has_ended = True
            self._watcher.ends(self)

    def _feed(self, event: Event) -> bool:
        self._watcher.arrives(self, event)
        return self.log.verdict is STOPPED or super()._feed(event)

    def _settle(self) -> Outcome | None:
        self.report_end()
        return super()._settle()


class WatchedCommandLog(DryCommandLog):
    """The command log of a watched execution."""

    __slots__ = ("_execution", "_watcher")

    def __init__(self, execution: WatchedExecution, watcher: ReplayWatcher) -> None:
        super().__init__()
        self._execution = execution
        self._watcher = watcher

    def command(self, type: EventType, target: Any, site: Site, rest: tuple[Any, ...]) -> Event:
        """Report a command, then match it against the history, or stop."""
        if not self.closing and not self.in_side_effect and self.verdict is None:
            self._watcher.asks(self._execution, self.next_recorded(), site)
        return super().command(type, target, site, rest)

    def refuse(self, verdict: Verdict) -> NoReturn:
        """End the run here, and report it while the code is still on the stack."""
        self.verdict = verdict
        self._execution.report_end()
        raise Halted


def watched_execution(
    info: Any, watcher: ReplayWatcher, definition: Any = None, depth: int = 0
) -> tuple[WatchedExecution, DryCommandLog]:
    """Return an execution that only replays and reports to `watcher`, and its log."""
    execution = WatchedExecution(info, watcher, definition, depth)
    log = execution.log
    assert isinstance(log, DryCommandLog)
    return execution, log
