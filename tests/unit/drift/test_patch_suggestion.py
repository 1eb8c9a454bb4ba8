"""A sketch of a patch says what is known of a change, and leaves the rest to be filled in."""

from __future__ import annotations

import linecache
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from continuum.drift.comparison import sides_of
from continuum.drift.patch_suggestion import Place, suggestion
from continuum.drift.source_location import place_of
from continuum.engine import drift_messages
from continuum.engine.events import Event, EventType

ACTIVITY, TIMER = EventType.ACTIVITY_SCHEDULED, EventType.TIMER_STARTED
HEAD = """\
async def flow(p, order):
    q = await a(p)
"""


class Named:
    """What stands for an activity in a module."""

    def __init__(self, name: str) -> None:
        self.name = name


@pytest.fixture(name="written")
def _written(tmp_path: Path) -> Callable[[str], Callable[..., Any]]:
    """A function that makes a workflow of a body."""

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
    asks: tuple[EventType, object] | None,
    line: int = 3,
) -> str:
    """Return what is suggested when code asks for something else than event 3."""
    event = next(event for event in history if event.seq == 3)
    fault = (
        drift_messages.leftover(event)
        if asks is None
        else drift_messages.drift(event, *asks, "flow", f"flows.py:{line}")
    )
    sides = sides_of(fault)
    assert sides is not None
    return suggestion("flow", history, sides, place_of(fn, sides.where))


Written = Callable[[str], Callable[..., Any]]


def test_an_inserted_call_is_only_for_new_runs(written: Written) -> None:
    fn = written("await c(p)\nq = await b(p)")
    assert patch(fn, [activity(3, "b")], (ACTIVITY, "c")) == (
        'if continuum.patched("flow-3"):\n    await c(p)'
    )


def test_an_inserted_call_whose_value_is_used_asks_for_one_of_old_runs(written: Written) -> None:
    fn = written("r = await c(p)\nreturn await charge(r)")
    assert patch(fn, [activity(3, "shop.charge_card")], (ACTIVITY, "c")) == (
        'if continuum.patched("flow-3"):\n    r = await c(p)\nelse:\n    r = ...  # there was no such call'
    )


def test_a_replaced_call_keeps_what_it_is_assigned_to(written: Written) -> None:
    fn = written("q = await c(\n    p,\n)\nreturn q")
    assert patch(fn, [activity(3, "b")], (ACTIVITY, "c")) == (
        'if continuum.patched("flow-3"):\n    q = await c(\n        p,\n    )\n'
        "else:\n    q = ...  # what stood here before: activity b"
    )


def test_a_removed_call_stays_for_old_runs(written: Written) -> None:
    fn = written("q = await c(p)")
    assert patch(fn, [activity(3, "b"), activity(5, "c")], (ACTIVITY, "c")) == (
        'if not continuum.patched("flow-3"):\n'
        "    ...  # what was taken out, for runs from before the change: activity b"
    )


def test_a_call_removed_from_the_end_stays_for_old_runs(written: Written) -> None:
    assert patch(written("return q"), [activity(3, "b")], None) == (
        'if not continuum.patched("flow-3"):\n'
        "    ...  # what was taken out, for runs from before the change: activity b"
    )


def test_an_early_end_is_not_taken_for_a_removal(written: Written) -> None:
    fn = written("if q > 3:\n    return q\nawait b(p)")
    assert patch(fn, [activity(3, "b")], None) == (
        'if continuum.patched("flow-3"):\n'
        "    ...  # what stands before activity b now, and did not before the change"
    )


def test_an_inserted_sleep_before_a_child_is_only_for_new_runs(written: Written) -> None:
    fn = written("await continuum.sleep(10)\nhandle = await parcel.start_child(order)")
    child = Event(3, EventType.CHILD_STARTED, 0, ("parcel", "flow", "flows.py:1", None, None, None))
    assert patch(fn, [child], (TIMER, 10)) == (
        'if continuum.patched("flow-3"):\n    await continuum.sleep(10)'
    )


def test_a_removed_patch_is_put_back(written: Written) -> None:
    marker = Event(3, EventType.PATCHED, 0, ("tax", "flow", "flows.py:1"))
    fn = written("await b(p)")
    for history in ([marker], [marker, activity(4, "b")]):
        assert patch(fn, history, (ACTIVITY, "b")) == (
            'put continuum.patched("tax") back: runs that are under way have passed it'
        )


def test_calls_in_another_order_are_left_to_the_reader(written: Written) -> None:
    fn = written("await c(p)\nawait b(p)")
    assert patch(fn, [activity(3, "b"), activity(5, "c")], (ACTIVITY, "c")) == (
        'if continuum.patched("flow-3"):\n    await c(p)\n'
        "else:\n    ...  # nothing if this is new, else what stood here before: activity b"
    )


def test_a_condition_is_not_put_into_a_block(written: Written) -> None:
    fn = written("if await c(p):\n    return 1")
    assert "    ...  # what stands here: if await c(p):\n" in patch(fn, [activity(3, "b")], (ACTIVITY, "c"))


def test_where_the_code_is_elsewhere_nothing_is_made_up() -> None:
    sides = sides_of(drift_messages.drift(activity(3, "b"), ACTIVITY, "c", "flow", "other.py:3"))
    assert sides is not None
    told = suggestion("flow", [activity(3, "b")], sides, Place())
    assert "nothing if this is new, else what stood here before: activity b" in told
    assert "await" not in told
