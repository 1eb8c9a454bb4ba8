"""Summaries in histories: written when a call is made, kept by replays, and never the cause of drift."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import continuum
from continuum import Workflow, activity, workflow
from continuum.definitions.summaries import summary_of
from continuum.engine.events import EventType
from continuum.testing import assert_histories_match, assert_replays, dump_history, env, load_history
from tests.unit.testing.recorded_histories import history_of


@activity(name="summaries_refund", summary="refund {order}")
async def refund(order: str) -> str:
    """Undo."""
    return order


@activity(name="summaries_charge", summary="charge {order[id]} for {amount}")
async def charge(order: dict[str, str], amount: int) -> str:
    """Do."""
    return order["id"]


@activity(name="summaries_plain")
async def plain(order: str) -> str:
    """Say nothing."""
    return order


@workflow(name="summaries_flow")
async def flow(id: str) -> str:
    """Make calls of each kind, and undo one."""
    await charge({"id": id}, 5)
    await charge.options(summary="again {amount}")({"id": id}, 6)
    await plain(id)
    async with continuum.saga() as saga:
        saga.add(refund, id)
        await saga.compensate()
    return id


class Moody:
    """A value that raises when it is looked at."""

    def __getattribute__(self, name: str) -> Any:
        raise SystemExit(name)


@activity(name="summaries_moody", summary="{value.total} of {words[0]}")
async def moody(value: Any, words: list[str]) -> int:
    """Have a summary that has nothing to show."""
    return len(words)


@workflow(name="summaries_moody_flow")
async def moody_flow() -> int:
    """Make such a call."""
    return await moody({"total": 1}, [])


def summaries(run: Workflow[..., Any], *args: Any) -> list[Any]:
    """Return the summaries of a run's calls, None for a call without."""
    history = history_of(run, *args)
    return [event.payload.get("summary") for event in history if event.type.endswith("_scheduled")]


def test_a_call_is_recorded_with_its_summary() -> None:
    assert summaries(flow, "o-1") == ["charge o-1 for 5", "again 6", None, "refund o-1"]


def test_a_summary_that_fails_leaves_its_run_alone() -> None:
    history = history_of(moody_flow)
    assert history[0].payload["summary"] == "? of ?"
    assert history.ending.state == "completed"
    assert summary_of("{value.total}", moody.arguments.signature, (Moody(), []), {}) == "?"


def test_a_call_without_a_summary_is_stored_as_before() -> None:
    stored = [
        event.body for event in history_of(flow, "o-1").stored if event.type == EventType.ACTIVITY_SCHEDULED
    ]
    assert [len(body) for body in stored] == [7, 7, 5]


@pytest.mark.parametrize("template", [None, "quite another thing about {amount}"])
def test_a_changed_summary_is_no_drift(template: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = history_of(flow, "o-1")
    changed = continuum.activity(name="summaries_charge_changed", summary=template)(charge.fn).defaults
    monkeypatch.setattr(charge, "defaults", changed)
    assert_replays(flow, recorded, expected="o-1")
    assert_histories_match(history_of(flow, "o-1"), recorded)


def test_a_history_with_summaries_is_the_same_after_writing_and_reading(tmp_path: Path) -> None:
    history = history_of(flow, "o-1")
    dump_history(history, tmp_path / "run.json")
    loaded = load_history(tmp_path / "run.json")
    assert loaded.stored == history.stored
    assert_replays(flow, loaded)


def test_a_run_with_summaries_replays_after_each_write() -> None:
    async def main() -> None:
        async with env(paranoid=True) as environment:
            run = await environment.start(flow, "o-1")
            await environment.settle()
            assert await run.result() == "o-1"

    asyncio.run(main())
