"""Files with the histories of several runs, a line for each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from continuum.engine.events import Event
from continuum.replays.history_files import UnreadableHistory, history_line
from continuum.testing import History, assert_replays, dump_history, load_histories, load_history
from tests.unit.testing import flows
from tests.unit.testing.recorded_histories import history_of, with_events


def file_of(histories: Sequence[History], path: Path) -> Path:
    path.write_text("".join(history_line(each) + "\n" for each in histories), encoding="utf-8")
    return path


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, History, History]:
    first, second = history_of(flows.order_flow, "o1"), history_of(flows.countdown, 1)
    second.beginning = replace(second.beginning, run_id="01900000-0000-7000-8000-000000000002")
    return file_of([first, second], tmp_path / "runs.ndjson"), first, second


def test_a_run_is_chosen_from_a_file_by_its_id(two: tuple[Path, History, History]) -> None:
    path, first, second = two
    for history in (first, second):
        loaded = load_history(path, history.beginning.run_id)
        assert loaded.stored == history.stored
        assert (loaded.beginning, loaded.ending) == (history.beginning, history.ending)
    assert_replays(flows.order_flow, load_history(path, first.beginning.run_id))


def test_a_file_of_several_runs_needs_the_id_of_one(two: tuple[Path, History, History]) -> None:
    path, first, second = two
    with pytest.raises(UnreadableHistory, match="has the histories of 2 runs") as refused:
        load_history(path)
    assert first.beginning.run_id in str(refused.value)
    assert second.beginning.run_id in str(refused.value)


def test_an_id_that_is_not_in_the_file_is_refused_with_those_that_are(
    two: tuple[Path, History, History],
) -> None:
    path, first, _ = two
    with pytest.raises(UnreadableHistory, match="no history of run 'unknown'") as refused:
        load_history(path, "unknown")
    assert first.beginning.run_id in str(refused.value)


def test_histories_are_read_one_after_the_other(two: tuple[Path, History, History]) -> None:
    """The second line is damaged, and the first one is there before anyone reads it."""
    path, first, _ = two
    line = history_line(first)
    path.write_text(f"{line}\n{{}}\n", encoding="utf-8")
    found = load_histories(path)
    assert next(found).stored == first.stored
    with pytest.raises(UnreadableHistory, match="holds no history"):
        next(found)


def test_a_file_of_one_run_needs_no_id_in_either_layout(tmp_path: Path) -> None:
    history = history_of(flows.order_flow, "o1")
    line = file_of([history], tmp_path / "one.ndjson")
    dump_history(history, tmp_path / "one.json")
    assert load_history(line).stored == load_history(tmp_path / "one.json").stored == history.stored
    assert [each.stored for each in load_histories(tmp_path / "one.json")] == [history.stored]


def test_an_empty_file_holds_no_history(tmp_path: Path) -> None:
    path = tmp_path / "empty.ndjson"
    path.touch()
    with pytest.raises(UnreadableHistory, match="holds no history"):
        load_history(path)


def test_an_event_that_this_version_does_not_know_is_kept(tmp_path: Path) -> None:
    history = history_of(flows.order_flow, "o1")
    broken = with_events(history, *history.stored[:1], Event(-1, 99, 0, ()))
    path = file_of([broken], tmp_path / "broken.ndjson")
    assert json.loads(path.read_text())["events"][1]["type"] == "type_99"
    assert load_history(path).stored == broken.stored


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"\xff\xfe\x00", "is damaged, or no history"),
        (b"[" * 100_000, "holds no history"),
        (b'{"format": 1, "run": ' + b"[" * 100_000, "holds no history"),
    ],
    ids=["no text", "too deep", "a run too deep"],
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, text: bytes, said: str) -> None:
    path = tmp_path / "other.ndjson"
    path.write_bytes(text)
    with pytest.raises(UnreadableHistory, match=said):
        load_history(path)


@pytest.mark.parametrize("change", [{"body": 5}, {"body": {"base64": "AA=="}}, {"seq": "0"}, {"seq": None}])
def test_an_event_of_another_form_is_refused_with_its_line(
    two: tuple[Path, History, History], change: dict[str, object]
) -> None:
    path, _, second = two
    lines = path.read_text().splitlines()
    damaged = json.loads(lines[1])
    damaged["events"][0] |= change
    path.write_text(f"{lines[0]}\n{json.dumps(damaged)}\n")
    with pytest.raises(UnreadableHistory, match=r"^line 2 of .* is damaged"):
        load_history(path, second.beginning.run_id)
