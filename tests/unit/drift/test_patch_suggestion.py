"""A patch sketch contains what is known of a change, and leaves the rest for the reader."""

from __future__ import annotations

import linecache
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from continuum.drift.comparison import mismatch_of
from continuum.drift.patch_suggestion import suggest_patch
from continuum.drift.source_location import SourceLocation, locate
from continuum.engine import drift_messages
from continuum.engine.events import Event, EventType

ACTIVITY, TIMER = EventType.ACTIVITY_SCHEDULED, EventType.TIMER_STARTED
HEAD = """\
async def flow(p, order):
    q = await a(p)
"""


class Named:
    """A stand-in for an activity of a module."""

    def __init__(self, name: str) -> None:
        self.name = name


@pytest.fixture(name="written")
def _written(tmp_path: Path) -> Callable[[str], Callable[..., Any]]:
    """Return a function that makes a workflow from the text of its body."""

    def written(body: str) -> Callable[..., Any]:
        path = tmp_path / "flows.py"
        text = HEAD + "".join(f"    {line}\n" for line in body.splitlines())
        path.write_text(text, encoding="utf-8")
        linecache.checkcache(str(path))
        names: dict[str, Any] = {"charge": Named("shop.charge_card")}
        exec(compile(text, str(path), "exec"), names)
        made: Callable[..., Any] = names["flow"]
        return made

    return written


def activity(seq: int, name: str) -> Event:
    return Event(seq, ACTIVITY, 0, (name, "flow", "flows.py:1", b"", None))


def patch(
    fn: Callable[..., Any],
    history: Sequence[Event],
    command: tuple[EventType, object] | None,
    line: int = 3,
) -> str:
    """Return the sketch for code whose next command is not event 3 of the history."""
    event = next(event for event in history if event.seq == 3)
    fault = (
        drift_messages.leftover(event)
        if command is None
        else drift_messages.drift(event, *command, "flow", f"flows.py:{line}")
    )
    mismatch = mismatch_of(fault)
    assert mismatch is not None
    return suggest_patch("flow", history, mismatch, locate(fn, mismatch.where))


Written = Callable[[str], Callable[..., Any]]


def test_a_sketch_runs_an_inserted_call_in_new_runs_only(written: Written) -> None:
    fn = written("await c(p)\nq = await b(p)")
    assert patch(fn, [activity(3, "b")], (ACTIVITY, "c")) == (
        'if continuum.patched("flow-3"):\n    await c(p)'
    )


def test_a_sketch_asks_for_a_value_where_old_runs_have_no_call(written: Written) -> None:
    fn = written("r = await c(p)\nreturn await charge(r)")
    assert patch(fn, [activity(3, "shop.charge_card")], (ACTIVITY, "c")) == (
        'if continuum.patched("flow-3"):\n    r = await c(p)\nelse:\n    r = ...  # there was no such call'
    )


def test_a_sketch_assigns_a_replaced_call_to_the_same_variable(written: Written) -> None:
    fn = written("q = await c(\n    p,\n)\nreturn q")
    assert patch(fn, [activity(3, "b")], (ACTIVITY, "c")) == (
        'if continuum.patched("flow-3"):\n    q = await c(\n        p,\n    )\n'
        "else:\n    q = ...  # the code before the change: activity b"
    )


def test_a_sketch_keeps_a_removed_call_for_old_runs(written: Written) -> None:
    fn = written("q = await c(p)")
    assert patch(fn, [activity(3, "b"), activity(5, "c")], (ACTIVITY, "c")) == (
        'if not continuum.patched("flow-3"):\n'
        "    ...  # the removed code, for runs from before the change: activity b"
    )


def test_a_sketch_keeps_a_call_removed_from_the_end_for_old_runs(written: Written) -> None:
    assert patch(written("return q"), [activity(3, "b")], None) == (
        'if not continuum.patched("flow-3"):\n'
        "    ...  # the removed code, for runs from before the change: activity b"
    )


def test_a_sketch_does_not_take_an_early_end_for_a_removal(written: Written) -> None:
    fn = written("if q > 3:\n    return q\nawait b(p)")
    assert patch(fn, [activity(3, "b")], None) == (
        'if continuum.patched("flow-3"):\n    ...  # the code that the change put before activity b'
    )


def test_a_sketch_runs_an_inserted_sleep_in_new_runs_only(written: Written) -> None:
    fn = written("await continuum.sleep(10)\nhandle = await parcel.start_child(order)")
    child = Event(3, EventType.CHILD_STARTED, 0, ("parcel", "flow", "flows.py:1", "its id", b"digest", 0))
    assert patch(fn, [child], (TIMER, 10)) == (
        'if continuum.patched("flow-3"):\n    await continuum.sleep(10)'
    )


def test_a_sketch_puts_a_removed_patch_back(written: Written) -> None:
    marker = Event(3, EventType.PATCHED, 0, ("tax", "flow", "flows.py:1"))
    fn = written("await b(p)")
    for history in ([marker], [marker, activity(4, "b")]):
        assert patch(fn, history, (ACTIVITY, "b")) == (
            'put continuum.patched("tax") back: runs in progress have already passed it'
        )


def test_a_sketch_leaves_reordered_calls_to_the_reader(written: Written) -> None:
    fn = written("await c(p)\nawait b(p)")
    assert patch(fn, [activity(3, "b"), activity(5, "c")], (ACTIVITY, "c")) == (
        'if continuum.patched("flow-3"):\n    await c(p)\n'
        "else:\n    ...  # nothing if the call is new, else the code before the change: activity b"
    )


def test_a_sketch_puts_no_condition_into_a_block(written: Written) -> None:
    fn = written("if await c(p):\n    return 1")
    sketch = patch(fn, [activity(3, "b")], (ACTIVITY, "c"))
    assert "    ...  # the code of this line: if await c(p):\n" in sketch


def test_a_sketch_invents_nothing_for_code_in_another_file() -> None:
    mismatch = mismatch_of(drift_messages.drift(activity(3, "b"), ACTIVITY, "c", "flow", "other.py:3"))
    assert mismatch is not None
    sketch = suggest_patch("flow", [activity(3, "b")], mismatch, SourceLocation())
    assert "nothing if the call is new, else the code before the change: activity b" in sketch
    assert "await" not in sketch
