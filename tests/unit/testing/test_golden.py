"""Golden files: stored histories that later runs and code must match."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import continuum
from continuum import Workflow, workflow
from continuum.engine.events import Event, EventType
from continuum.replays.history_files import UnreadableHistory
from continuum.testing import (
    GoldenHistory,
    History,
    assert_histories_match,
    assert_replays,
    dump_history,
    load_history,
)
from tests.unit.testing import flows
from tests.unit.testing.recorded_histories import history_of, with_event, with_events

RUNS: list[tuple[Workflow[..., Any], tuple[Any, ...]]] = [
    (flows.order_flow, ("o1",)),
    (flows.values, ()),
    (flows.parent, ("o1",)),
    (flows.countdown, (1,)),
]


@pytest.mark.parametrize(("workflow", "args"), RUNS, ids=lambda value: getattr(value, "name", ""))
def test_a_history_is_the_same_after_writing_and_reading(
    workflow: Workflow[..., Any], args: tuple[Any, ...], tmp_path: Path
) -> None:
    """THP2: byte for byte."""
    history = history_of(workflow, *args)
    dump_history(history, tmp_path / "deep" / "run.json")
    loaded = load_history(tmp_path / "deep" / "run.json")
    assert loaded.stored == history.stored
    assert (loaded.beginning, loaded.ending) == (history.beginning, history.ending)
    assert list(loaded) == list(history)
    assert_replays(workflow, loaded)


def test_a_file_can_be_read_by_people(tmp_path: Path) -> None:
    dump_history(history_of(flows.order_flow, "o1"), tmp_path / "run.json")
    text = (tmp_path / "run.json").read_text(encoding="utf-8")
    written = json.loads(text)
    assert written["format"] == 1
    assert written["run"]["input"]["means"] == [["o1"], {}]
    assert written["events"][0]["type"] == "activity_scheduled"
    assert written["events"][0]["at"] == "2026-01-01T00:00:00.000000+00:00"
    assert written["ending"]["result"]["means"] == "track-o1 2"


def test_a_later_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text('{"format": 2}', encoding="utf-8")
    with pytest.raises(UnreadableHistory, match=r"written in format 2, and this version .* reads format 1"):
        load_history(path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1}', '{"format": 1, "run": {"id": 1}}'])
def test_a_file_that_holds_no_history_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UnreadableHistory, match=r"run\.json"):
        load_history(path)


def test_histories_of_two_runs_of_one_workflow_match() -> None:
    """PAR4: ids, times and random values are ignored."""
    assert_histories_match(history_of(flows.values), history_of(flows.values))


def test_histories_match_at_shifted_positions() -> None:
    """PAR5."""
    history = history_of(flows.order_flow, "o1", days=0)
    first, second, third = history.stored
    moved = with_events(
        history,
        first._replace(seq=10),
        second._replace(seq=11, body=(10, second.body[1])),
        third._replace(seq=12, at=5),
    )
    assert_histories_match(history, moved)


def test_histories_with_another_command_do_not_match() -> None:
    """PAR6."""
    history = history_of(flows.order_flow, "o1")
    name, *rest = history.stored[0].body
    other = with_event(history, 0, body=(name + "2", *rest))
    with pytest.raises(AssertionError, match="differ at event 0"):
        assert_histories_match(history, other)


def test_histories_of_different_length_do_not_match() -> None:
    history = history_of(flows.order_flow, "o1")
    longer = with_events(history, *history.stored, Event(len(history), EventType.CANCEL_REQUESTED, 1, ()))
    with pytest.raises(AssertionError, match="differ in length"):
        assert_histories_match(history, longer)


def golden(tmp_path: Path, *, update: bool = False) -> GoldenHistory:
    return GoldenHistory(tmp_path, "test_it", update=update)


def kept(tmp_path: Path) -> History:
    history = history_of(flows.order_flow, "o1")
    golden(tmp_path, update=True)(flows.order_flow, history)
    return history


def test_a_golden_history_is_written_on_request_and_then_compared(tmp_path: Path) -> None:
    history = kept(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["test_it.json"]
    golden(tmp_path)(flows.order_flow, history)


def test_a_missing_golden_history_reports_how_to_write_it(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"no golden history test_it-x\.json yet; .* --update-golden"):
        golden(tmp_path)(flows.order_flow, history_of(flows.order_flow, "o1"), "x")


def test_another_run_does_not_match_the_golden_history(tmp_path: Path) -> None:
    kept(tmp_path)
    with pytest.raises(AssertionError, match=r"differ at event 0: .*o1.*o2.*--update-golden"):
        golden(tmp_path)(flows.order_flow, history_of(flows.order_flow, "o2"))


def test_code_that_does_not_replay_the_golden_history_fails(tmp_path: Path) -> None:
    history = kept(tmp_path)
    with pytest.raises(AssertionError, match=r"does not replay .*test_it\.json.* --update-golden"):
        golden(tmp_path)(flows.stuck_flow, history)


@workflow(name="testing_order", label=2)
async def patched_order(order: str) -> str:
    if continuum.patched("with-a-gift"):
        await flows.charge("gift", 1)
    return await flows.order_flow.fn(order)


@workflow(name="testing_order", label=3)
async def unguarded_order(order: str) -> str:
    await flows.charge("gift", 1)
    return await flows.order_flow.fn(order)


def test_a_golden_history_accepts_a_patched_change(tmp_path: Path) -> None:
    kept(tmp_path)
    changed = history_of(patched_order, "o1")
    assert any(event.type == EventType.PATCHED for event in changed.stored)
    golden(tmp_path)(patched_order, changed)


def test_a_golden_history_refuses_the_same_change_without_a_patch(tmp_path: Path) -> None:
    kept(tmp_path)
    with pytest.raises(AssertionError, match=r"does not replay .* --update-golden"):
        golden(tmp_path)(unguarded_order, history_of(unguarded_order, "o1"))


def test_a_patch_excuses_no_difference_before_it(tmp_path: Path) -> None:
    history = kept(tmp_path)
    patch = Event(len(history), EventType.PATCHED, 1, ("late", "testing_order"))
    other = history_of(flows.order_flow, "o2")
    with pytest.raises(AssertionError, match="differ at event 0"):
        golden(tmp_path)(flows.order_flow, with_events(other, *other.stored, patch))
