"""Golden histories: histories of earlier code, kept in files so that later code can replay them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from continuum.definitions.workflow import Workflow
from continuum.engine.events import EventType, event_name
from continuum.replays.histories import History
from continuum.replays.history_files import dump_history, load_history
from continuum.testing.comparable_history import comparable_history
from continuum.testing.public import public
from continuum.testing.replays import assert_replays


@public
def assert_histories_match(one: History, other: History) -> None:
    """Fail unless two runs have done the same, apart from places, times, ids and random values."""
    first, second = comparable_history(one.stored), comparable_history(other.stored)
    for number, (left, right) in enumerate(zip(first, second, strict=False)):
        if left != right:
            raise AssertionError(f"the histories differ at event {number}: {left} there, {right} here")
    if len(first) != len(second):
        longer, place = (first, "there") if len(first) > len(second) else (second, "here")
        extra = longer[min(len(first), len(second))]
        raise AssertionError(f"the histories differ in length: {extra} is only {place}")
    if one.ending.state != other.ending.state:
        raise AssertionError(f"one run is {one.ending.state}, the other is {other.ending.state}")


@public
class GoldenHistory:
    """Keeps the histories of one test in `directory`. Made by the fixture `golden_history`."""

    def __init__(self, directory: Path, name: str, *, update: bool) -> None:
        self._directory = directory
        self._name = name
        self._update = update

    def __call__(self, workflow: Workflow[..., Any], history: History, name: str = "") -> None:
        """Fail unless `workflow` replays the history kept under `name`, and `history` matches it.

        From the first `continuum.patched()` that the kept history does not have, `history` may differ: new
        runs take another way there, and old ones replay.

        With ``--update-golden`` write `history` to the file instead.
        """
        path = self._directory / f"{self._name}{f'-{name}' if name else ''}.json"
        if self._update:
            dump_history(history, path)
            return
        if not path.exists():
            raise AssertionError(f"there is no golden history {path.name} yet; write it with --update-golden")
        kept = load_history(path)
        hint = f"if no open run has a history like {path.name}, write it again with --update-golden"
        try:
            assert_replays(workflow, kept)
            if _is_patched_since(kept, history):
                assert_replays(workflow, history)
            else:
                assert_histories_match(kept, history)
        except AssertionError as error:
            raise AssertionError(f"{error}; {hint}") from None


def _is_patched_since(kept: History, history: History) -> bool:
    """Whether both do the same up to a patch that only the later one has."""
    before, now = comparable_history(kept.stored), comparable_history(history.stored)
    patch = event_name(EventType.PATCHED)
    known = {event[1] for event in before if event[0] == patch}
    first = next((i for i, event in enumerate(now) if event[0] == patch and event[1] not in known), None)
    return first is not None and before[:first] == now[:first]
