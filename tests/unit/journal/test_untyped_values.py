"""A value that cannot be read is shown as unreadable, and hides nothing else."""

from __future__ import annotations

import asyncio

import pytest

from continuum.client.histories import history_of
from continuum.client.runs import RunError, error_of
from continuum.codec.codec import encode
from continuum.engine.events import Event, EventType
from continuum.engine.ids import RunId, new_run_id
from continuum.journal.announced_run import NewRun
from continuum.journal.untyped_values import Unreadable, readable_call
from tests.unit.client.working import memory_client


@pytest.mark.parametrize("data", [b"", b"garbage", encode(5), encode([1, 2])])
def test_an_invalid_stored_call_reads_as_unreadable(data: bytes) -> None:
    args, keywords = readable_call(data)
    assert isinstance(args, Unreadable)
    assert keywords == {}


@pytest.mark.parametrize("data", [None, b"", b"\xff", encode([1])])
def test_an_unreadable_stored_error_is_still_an_error(data: bytes | None) -> None:
    error = error_of(data)
    assert isinstance(error, RunError)
    assert error.message.startswith("the stored error cannot be read")


def test_a_corrupt_event_does_not_hide_earlier_events() -> None:
    stored = [
        Event(1, EventType.TIMER_FIRED, 0, (7,)),
        Event(2, EventType.ACTIVITY_SCHEDULED, 0, ("only a name",)),
        Event(-1, EventType.TIMER_STARTED, 0, ()),
    ]
    events = history_of(stored)
    assert [event.type for event in events] == ["timer_fired", "activity_scheduled", "corrupt"]
    assert events[0].payload == {"started": 7}
    assert all(isinstance(event.payload["body"], Unreadable) for event in events[1:])


def test_a_run_with_a_corrupt_input_is_listed_with_the_others() -> None:
    async def main() -> None:
        async with memory_client() as (client, ending):
            await client.start("greeting", "ann")
            await ending.journal.start([NewRun(RunId(new_run_id(0, bytes(10))), "greeting", b"garbage")])
            inputs = [run.input for run in (await client.query()).entries]
            assert ["ann"] in inputs
            assert any(isinstance(entry, Unreadable) for entry in inputs)

    asyncio.run(main())
