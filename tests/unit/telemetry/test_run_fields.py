"""The run and the attempt whose code logs a record: in workflows, activities and threads, not in others."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import continuum
from continuum import RunFields, activity, workflow

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE_ID}-b7ad6b7169203331-01"

log = logging.getLogger("shop.fields")
both = threading.Barrier(2)


@activity(name="fields.meets")
async def meets(name: str) -> None:
    """Log before and after others have run."""
    log.warning("%s", name)
    await asyncio.sleep(0)
    await asyncio.create_task(tells(name))


async def tells(name: str) -> None:
    """Log in a task of the activity."""
    log.warning("%s", name)


@activity(name="fields.threaded")
def threaded(name: str) -> None:
    """Log in a thread while another run's activity is in the other."""
    both.wait(10)
    log.warning("%s", name)


@activity(name="fields.unsure", retry=continuum.Retry(max_attempts=2, base=0.0))
async def unsure(name: str) -> None:
    """Log each attempt; the first fails."""
    log.warning("%s", name)
    if continuum.activity_context().attempt == 1:
        raise ValueError(name)


@workflow(name="fields.logging")
async def logging_flow(name: str) -> None:
    """Log in the workflow and in activities of each kind."""
    continuum.log.warning("%s", name)
    await meets(name)
    await threaded(name)
    await unsure(name)
    continuum.log.warning("%s", name)


class Kept(logging.Handler):
    """Keeps the records that a handler with the filter would write."""

    def __init__(self) -> None:
        super().__init__()
        self.addFilter(RunFields())
        self.records: list[logging.LogRecord] = []

    def emit(self, made: logging.LogRecord) -> None:
        self.records.append(made)

    def fields(self, name: str) -> list[dict[str, Any]]:
        """Return what the filter has added to the records of this text."""
        names = ("run_id", "workflow", "activity", "attempt", "trace_id")
        own = [made.__dict__ for made in self.records if made.getMessage() == name]
        return [{field: each[field] for field in names if field in each} for each in own]


@pytest.fixture
def kept() -> Iterator[Kept]:
    handler = Kept()
    loggers = log, logging.getLogger("continuum.workflow"), logging.getLogger("continuum.activities")
    for each in loggers:
        each.addHandler(handler)
    yield handler
    for each in loggers:
        each.removeHandler(handler)


async def test_a_record_names_the_run_and_the_attempt_whose_code_logs_it(kept: Kept) -> None:
    async with continuum.testing.env() as env:
        runs = {
            "ann": await env.start(logging_flow, "ann", trace_context=TRACEPARENT),
            "bob": await env.start(logging_flow, "bob"),
        }
        for run in runs.values():
            await run.result()
    for name, run in runs.items():
        own: dict[str, Any] = {"run_id": run.id, "workflow": "fields.logging"}
        if name == "ann":
            own["trace_id"] = TRACE_ID
        assert kept.fields(name) == [
            own,
            own | {"activity": "fields.meets", "attempt": 1},
            own | {"activity": "fields.meets", "attempt": 1},
            own | {"activity": "fields.threaded", "attempt": 1},
            own | {"activity": "fields.unsure", "attempt": 1},
            own | {"activity": "fields.unsure", "attempt": 2},
            own,
        ]


async def test_our_own_line_about_an_attempt_names_it_too(kept: Kept) -> None:
    async with continuum.testing.env() as env:
        run = await env.start(logging_flow, "ann")
        other = await env.start(logging_flow, "bob")
        await run.result()
        await other.result()
    lines = [made.__dict__ for made in kept.records if made.name == "continuum.activities"]
    # The two raced.
    assert sorted((own["run_id"], own["activity"], own["attempt"]) for own in lines) == [
        (each.id, "fields.unsure", 1) for each in sorted((run, other), key=lambda each: each.id)
    ]


def test_a_record_from_elsewhere_gets_no_fields(kept: Kept) -> None:
    log.warning("outside")
    assert kept.fields("outside") == [{}]


def test_a_field_that_a_record_has_already_stays(kept: Kept) -> None:
    log.warning("outside", extra={"run_id": "mine"})
    assert kept.fields("outside") == [{"run_id": "mine"}]
