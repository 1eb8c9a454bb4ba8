"""A person who stops a replay anywhere and steps on sees every kind of run end as it did."""

from __future__ import annotations

import io
import signal
import sys
from collections.abc import Iterator

import pytest

from continuum.replays.replay import Replayed
from continuum.replays.time_travel import Moment, debug
from continuum.testing import replay
from tests.golden.programs import PROGRAMS
from tests.golden.replaying import history_of

NAMES = sorted(PROGRAMS)


class Typist(io.StringIO):
    """A person who types the same command for ever; `typed` counts how often."""

    def __init__(self, command: str) -> None:
        super().__init__()
        self._command = command
        self.typed = 0

    def readline(self, *_: object) -> str:  # type: ignore[override]  # as StringIO does
        """Type it."""
        self.typed += 1
        return f"{self._command}\n"


@pytest.fixture(autouse=True)
def _terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take the debugger of pytest away, and the interrupt handler of pdb afterwards."""
    monkeypatch.setattr(sys, "breakpointhook", sys.__breakpointhook__)
    monkeypatch.delenv("PYTHONBREAKPOINT", raising=False)
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


def comparable(replayed: Replayed) -> tuple[object, ...]:
    error = replayed.error
    return (replayed.state, replayed.result, replayed.waits_for, replayed.reason, type(error), str(error))


@pytest.mark.parametrize("command", ["next", "step", "continue", "return"])
@pytest.mark.parametrize("name", NAMES)
def test_a_stop_at_any_moment_changes_nothing(
    name: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, history = PROGRAMS[name], history_of(name)
    expected = comparable(replay(program, history))
    moments: list[Moment] = ["start", *range(0, len(history), 1 + len(history) // 12), "end"]
    stops, tracing = 0, sys.gettrace()
    for moment in moments:
        person = Typist(command)
        monkeypatch.setattr(sys, "stdin", person)
        assert comparable(debug(program, history, moment)) == expected, moment
        stops += person.typed > 0
    # A run that has returned has no code left at its end.
    assert stops >= len(moments) - 1
    assert sys.gettrace() is tracing
