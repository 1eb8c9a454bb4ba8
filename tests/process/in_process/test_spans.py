"""Trace contexts of every client: async, blocking, and in the process of its node."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from opentelemetry import trace

import continuum
from continuum import ActivityCall, Signal, activity, workflow
from continuum_supervision import Supervisor
from tests.process.in_process.hosts import DEADLINE_S
from tests.unit.telemetry.spans import Spans, context_of, spans_in_memory

go = Signal("go", str)


@workflow(name="spans.asking")
async def asking() -> str | None:
    """Wait for a signal, and return the context of the start."""
    await go.wait()
    return continuum.info().trace_context


@activity(name="spans.elsewhere")
def elsewhere() -> None:
    """Make a span of the user's."""
    with trace.get_tracer_provider().get_tracer("shop").start_as_current_span("inside"):
        pass


@workflow(name="spans.executed")
async def executed() -> None:
    """Have the application's executor make a call."""
    await elsewhere()


class Pool:
    """Makes calls in threads of the application."""

    def submit(self, call: ActivityCall) -> Awaitable[Any]:
        """Make a call."""
        return asyncio.get_running_loop().run_in_executor(None, call.run)

    def cancel(self, call: ActivityCall) -> None:
        """Leave it."""

    async def drain(self) -> None:
        """Nothing runs any more."""


@pytest.fixture
def spans() -> Iterator[Spans]:
    with spans_in_memory() as found:
        yield found


async def by_async_client(place: dict[str, Any]) -> str | None:
    async with continuum.connect(place["dsn"], schema=place["schema"]) as client:
        run = await client.start(asking)
        await run.signal(go, "yes")
        return await run.result(DEADLINE_S)


async def by_blocking_client(place: dict[str, Any]) -> str | None:
    def use() -> str | None:
        with continuum.connect_sync(place["dsn"], schema=place["schema"]) as client:
            run = client.start(asking)
            client.signal(run.id, go, "yes")
            return run.result(DEADLINE_S)

    return await asyncio.to_thread(use)


async def by_client_of_the_node(place: dict[str, Any]) -> str | None:
    async with continuum.connect(name=place["name"]) as client:
        run = await client.start(asking)
        await client.signal(run.id, "go", "yes")
        return await run.result(DEADLINE_S)


@pytest.mark.parametrize("use", [by_async_client, by_blocking_client, by_client_of_the_node])
async def test_starts_and_signals_take_the_current_context(
    use: Callable[[dict[str, Any]], Awaitable[str | None]], spans: Spans, dsn: str, schema: str
) -> None:
    place: dict[str, Any] = {"name": "spans", "dsn": dsn, "schema": schema}
    async with Supervisor(continuum.children(**place, workflows=[asking])):
        with spans.provider.get_tracer("shop").start_as_current_span("request") as span:
            context = span.get_span_context()
            text = await use(place)
    assert text is not None
    assert text.startswith(f"00-{context.trace_id:032x}-{context.span_id:016x}-")
    whole, (stay, *_) = spans.one("run spans.asking"), spans.named("stay spans.asking")
    assert (whole.parent and whole.parent.span_id) == context.span_id
    # The request is none of the node's, though the node was started in the same task.
    assert stay.parent is None
    linked = [link.context.span_id for each in spans.named("stay spans.asking") for link in each.links]
    # Each stay to the start, and one to the signal.
    assert linked == [context.span_id] * (len(spans.named("stay spans.asking")) + 1)
    assert context_of(whole).trace_id == context.trace_id
    assert trace.get_current_span().get_span_context().is_valid is False


async def test_a_call_of_the_applications_executor_is_in_the_span_of_its_attempt(spans: Spans) -> None:
    node = continuum.children(name="pooled", journal="memory", workflows=[executed], activity_executor=Pool())
    async with Supervisor(node), continuum.connect(name="pooled") as client:
        run = await client.start(executed)
        await run.result(DEADLINE_S)
    inside, attempt = spans.one("inside"), spans.one("activity spans.elsewhere")
    assert (inside.parent and inside.parent.span_id) == context_of(attempt).span_id
