"""A watched replay reports what the code asks for and what reaches it, and its watcher may end it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from continuum import Signal
from continuum.engine.call_site import Site, caller
from continuum.engine.dry_replay import END_OF_HISTORY
from continuum.engine.events import Event, event_name
from continuum.engine.outcome import Blocked, Completed, Outcome
from continuum.engine.watched_replay import STOPPED, WatchedExecution, watched_execution
from tests.unit.engine.activities import echo
from tests.unit.engine.driver import STARTED_AT, Driver, Program
from tests.unit.engine.families import double

note = Signal("note", str)
passed: list[str] = []


async def order_flow() -> int:
    first = await echo(1)
    passed.append("the first call")
    return first + await echo(2)


class Watcher:
    """Notes every call; `stop_at` ends the replay at that one."""

    def __init__(self, stop_at: str = "") -> None:
        self.seen: list[str] = []
        self.functions_at_the_end: list[str] = []
        self.stop_at = stop_at

    def begins(self, execution: WatchedExecution, program: Coroutine[Any, Any, Any]) -> None:
        self._note(execution, "begins")

    def asks(self, execution: WatchedExecution, event: Event | None, site: Site) -> None:
        what = "beyond" if event is None else str(event.seq)
        self._note(execution, f"{caller(site)} asks {what}")

    def arrives(self, execution: WatchedExecution, event: Event) -> None:
        self._note(execution, f"{event.seq} {event_name(event.type)} arrives")

    def takes(self, execution: WatchedExecution, name: str, site: Site) -> None:
        self._note(execution, f"{caller(site)} takes {name}")

    def ends(self, execution: WatchedExecution) -> None:
        frame = sys._getframe(1)
        while frame is not None:
            self.functions_at_the_end.append(frame.f_code.co_name)
            frame = frame.f_back  # type: ignore[assignment]
        self._note(execution, "ends")

    def _note(self, execution: WatchedExecution, what: str) -> None:
        self.seen.append(what)
        if what == self.stop_at:
            execution.stop()


def history_of(program: Callable[[], Coroutine[Any, Any, Any]]) -> list[Event]:
    driver = Driver(program)
    driver.run()
    return driver.history


def watch(program: Program, history: Sequence[Event], watcher: Watcher) -> Outcome | None:
    passed.clear()
    execution, _ = watched_execution(None, watcher)
    outcome = execution.begin(program(), history, started_at=STARTED_AT, now=STARTED_AT)
    execution.close()
    return outcome


def test_a_watcher_sees_every_command_and_event_in_order() -> None:
    watcher = Watcher()
    assert isinstance(watch(order_flow, history_of(order_flow), watcher), Completed)
    assert watcher.seen == [
        "begins",
        "order_flow asks 0",
        "1 activity_completed arrives",
        "order_flow asks 2",
        "3 activity_completed arrives",
        "ends",
    ]


def test_a_signal_that_the_code_takes_is_reported_when_it_asks() -> None:
    async def program() -> str:
        return await note.wait()

    driver = Driver(program, signals=[("note", "now")])
    driver.run()
    watcher = Watcher()
    assert isinstance(watch(program, driver.history, watcher), Completed)
    assert watcher.seen[1].endswith("program takes note")


def test_a_command_beyond_the_history_is_reported_and_ends_the_replay_in_the_code() -> None:
    watcher = Watcher()
    assert watch(order_flow, history_of(order_flow)[:2], watcher) is END_OF_HISTORY
    assert watcher.seen[-2:] == ["order_flow asks beyond", "ends"]
    assert "order_flow" in watcher.functions_at_the_end


def test_a_drift_ends_the_replay_while_the_code_that_asks_is_on_the_stack() -> None:
    async def program() -> int:
        return await double(1)

    watcher = Watcher()
    outcome = watch(program, history_of(order_flow), watcher)
    assert isinstance(outcome, Blocked)
    assert outcome.kind == "drift"
    assert watcher.seen[1].endswith("program asks 0")
    assert "program" in watcher.functions_at_the_end


@pytest.mark.parametrize(
    ("moment", "lines"),
    [("begins", 0), ("order_flow asks 0", 0), ("1 activity_completed arrives", 0), ("order_flow asks 2", 1)],
)
def test_a_stopped_replay_runs_no_code_after_that_moment(moment: str, lines: int) -> None:
    watcher = Watcher(stop_at=moment)
    assert watch(order_flow, history_of(order_flow), watcher) is STOPPED
    assert watcher.seen[-2:] == [moment, "ends"]
    assert len(passed) == lines
