"""Histories of earlier code must replay for ever: runs live longer than deploys.

A file is one history as JSON, named after its workflow. Never regenerate one: a change
that breaks it strands open runs.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from continuum.engine.outcome import Completed
from tests.crash.order import calls
from tests.crash.replaying import PROGRAMS, load
from tests.unit.engine.driver import resume_exactly

HISTORIES = Path(__file__).parent / "histories"
RESULTS = {"order_flow": "track-o1", "crowd": [0, 0, 3, 6, 1, 4, 99, 0, 1, 3, 3, 4, 5, 0, 1, 2, 100]}


@pytest.mark.parametrize("path", sorted(HISTORIES.glob("*.json")), ids=lambda path: path.stem)
def test_a_history_of_earlier_code_replays(path: Path) -> None:
    calls.clear()
    history = load(path.read_text(encoding="utf-8"))
    outcome, again = resume_exactly(PROGRAMS[path.stem], history, len(history))
    assert outcome == Completed(RESULTS[path.stem])
    assert again == history


@pytest.mark.parametrize("path", sorted(HISTORIES.glob("*.json")), ids=lambda path: path.stem)
def test_the_same_results_still_cause_the_same_commands(path: Path) -> None:
    history = load(path.read_text(encoding="utf-8"))
    _, again = resume_exactly(PROGRAMS[path.stem], history, 0)
    commands = [(event.seq, event.type, event.body[:2]) for event in again]
    assert commands == [(event.seq, event.type, event.body[:2]) for event in history]


def test_there_are_histories() -> None:
    assert {path.stem for path in HISTORIES.glob("*.json")} == set(PROGRAMS)
