"""Replays a run's history under a debugger, and stops at one moment of it.

The code runs in the thread of the caller, with its own frames and files, so that breakpoints of any debugger
work. Nothing is written and no activity is executed: the code gets what the history has.
"""

from __future__ import annotations

import sys
from bdb import BdbQuit
from collections.abc import Coroutine
from typing import Any, Literal, TypeAlias

from continuum.definitions.workflow import Workflow
from continuum.engine.call_site import Site
from continuum.engine.drift_messages import describe
from continuum.engine.dry_replay import END_OF_HISTORY
from continuum.engine.events import Event
from continuum.engine.outcome import Blocked, Verdict
from continuum.engine.watched_replay import WatchedExecution
from continuum.replays.debugger import WorkflowDebugger, another_is_chosen, serving_breakpoints
from continuum.replays.histories import History
from continuum.replays.replay import Replayed, replay_here
from continuum.replays.workflow_frames import AskingCode, Frames, open_frames

Moment: TypeAlias = int | Literal["start", "end"] | None
"""Where to stop: at the event with this seq, or the first after it; None stops at breakpoints alone."""


def debug(workflow: Workflow[..., Any], history: History, at: Moment) -> Replayed:
    """Replay a history and stop at a moment, in the debugger of the user, or pdb; return how that ended.

    Each stop begins with a line that says why it is there. A replay that ends before its moment stops where
    it ends, if code is left there.
    """
    traveller = _Traveller(at)
    debugger = traveller.debugger
    with serving_breakpoints(debugger):
        replayed = replay_here(workflow, history, watcher=traveller)
        error = replayed.error
        if traveller.has_quit:
            return Replayed("stopped")
        if error is not None and traveller.waits:
            debugger.message(f"the run fails here: {type(error).__name__}: {error}")
            debugger.prompt_after(error)
        return replayed


class _Traveller:
    """Watches a replay and prompts once, at its moment; `waits` until it has.

    `has_quit` says that the person has quit another debugger, which then raises an error in the code.
    """

    def __init__(self, at: Moment) -> None:
        self._at = at
        self._code = AskingCode()
        self._execution: WatchedExecution | None = None
        self._another = another_is_chosen()
        self.waits = at is not None
        self.has_quit = False
        self.debugger = WorkflowDebugger(self._quit)

    def begins(self, execution: WatchedExecution, program: Coroutine[Any, Any, Any]) -> None:
        """Prompt before the first line."""
        self._execution = execution
        frame = getattr(program, "cr_frame", None)
        if self._at == "start" and frame is not None:
            self._prompt("the code begins here", [frame])

    def asks(self, execution: WatchedExecution, event: Event | None, site: Site) -> None:
        """Prompt in the code that asks for the event."""
        if event is None:
            return
        self._code.record(event, site)
        if self._is_reached(event):
            frames = self._code.frames_that_ask(execution, site)
            self._prompt(f"event {event.seq}, {describe(event)}: the code asks here", frames)

    def arrives(self, execution: WatchedExecution, event: Event) -> None:
        """Prompt in the code that waits for the event."""
        if self._is_reached(event):
            frames = self._code.frames_that_wait(execution, event)
            self._prompt(f"event {event.seq}, {describe(event)}: the code waits here", frames)

    def takes(self, execution: WatchedExecution, name: str, site: Site) -> None:
        """Take no notice: the signal has stopped the replay when it came."""

    def ends(self, execution: WatchedExecution) -> None:
        """Prompt where the replay ends, if its moment has not come."""
        self.has_quit = isinstance(execution.error(), BdbQuit)
        if self.waits and not execution.has_returned() and (frames := open_frames(execution)):
            self._prompt(_why(execution.log.verdict), frames)
        # Nothing is left to step through: the code is only closed.
        self.debugger.rest()

    def _is_reached(self, event: Event) -> bool:
        return self.waits and isinstance(self._at, int) and event.seq >= self._at

    def _prompt(self, sentence: str, frames: Frames) -> None:
        self.waits = False
        self.debugger.message(sentence)
        if self._another:
            # It cannot prompt in a suspended coroutine: it does so here, below the code that asks.
            sys.breakpointhook()  # noqa: T100 - the person has asked to stop here
        elif frames:
            self.debugger.prompt_in(frames)

    def _quit(self) -> None:
        self.waits = False
        if self._execution is not None:
            self._execution.stop()


def _why(verdict: Verdict | None) -> str:
    """Return why a replay ends while code is left."""
    if verdict is None:
        return "the history ends, and the code waits here"
    if verdict is END_OF_HISTORY:
        return "the history ends, and the code continues here"
    return verdict.reason if isinstance(verdict, Blocked) else "the run ends here"
