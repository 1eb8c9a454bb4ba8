"""The lines of code behind a history: for each event the line that asked for it, found by a replay."""

from __future__ import annotations

import linecache
from collections import defaultdict, deque
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from continuum.definitions.workflow import Workflow
from continuum.engine.call_site import Site, place
from continuum.engine.events import Event, EventType
from continuum.engine.outcome import Blocked
from continuum.engine.watched_replay import WatchedExecution
from continuum.replays.histories import History
from continuum.replays.replay import Replayed, replay_here
from continuum.replays.workflow_frames import AskingCode, command_of, waiting_for_signal


@dataclass(frozen=True, slots=True)
class AskedLine:
    """A line of code: its file, its number, and its text without indentation."""

    path: str
    line: int
    text: str


def replay_with_lines(
    workflow: Workflow[..., Any], history: History
) -> tuple[Replayed, dict[int, AskedLine]]:
    """Replay a history in this thread; return how that ended, and the line that asked for each event, by seq.

    The line of a result is that of its command, the line of a signal is where code takes it. An event that no
    code has asked for has none: a signal that no code has taken, and all after the end of the replay.
    """
    watcher = _LineWatcher()
    replayed = replay_here(workflow, history, watcher=watcher)
    lines = {
        seq: AskedLine(path, line, linecache.getline(path, line).strip())
        for seq, (path, line) in watcher.places.items()
    }
    return replayed, lines


class _LineWatcher:
    """Notes lines while a replay runs."""

    def __init__(self) -> None:
        self.places: dict[int, tuple[str, int]] = {}
        self._code = AskingCode()
        # The signals that no code has taken yet, by name.
        self._early: defaultdict[str, deque[Event]] = defaultdict(deque)

    def begins(self, execution: WatchedExecution, program: Coroutine[Any, Any, Any]) -> None:
        """Nothing has been asked for yet."""

    def asks(self, execution: WatchedExecution, event: Event | None, site: Site) -> None:
        """Note the line of a command."""
        if event is not None:
            self._code.record(event, site)
            self._note(event, site)

    def arrives(self, execution: WatchedExecution, event: Event) -> None:
        """Note the line that waits for an event from outside."""
        if event.type == EventType.SIGNAL_RECEIVED:
            waiting = waiting_for_signal(execution, event.body[0])
            site = (waiting[-1].f_code, waiting[-1].f_lasti) if waiting else None
            if site is None:
                self._early[event.body[0]].append(event)
        else:
            seq = command_of(event)
            site = None if seq is None else self._code.site_of(seq)
        if site is not None:
            self._note(event, site)

    def takes(self, execution: WatchedExecution, name: str, site: Site) -> None:
        """Note the line that takes a signal which came before."""
        if self._early[name]:
            self._note(self._early[name].popleft(), site)

    def ends(self, execution: WatchedExecution) -> None:
        """Remove the line of the command that the code asked for instead of what the history has."""
        verdict = execution.log.verdict
        if isinstance(verdict, Blocked) and verdict.position is not None:
            self.places.pop(verdict.position, None)

    def _note(self, event: Event, site: Site) -> None:
        path, line = place(site)
        if line:
            self.places[event.seq] = path, line
