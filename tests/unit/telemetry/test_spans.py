"""What a trace shows: attempts, stays and runs, each once; none in a replay, and none left open."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from datetime import timedelta

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased, TraceIdRatioBased

import continuum
from continuum import Retry, RunFailed, RunFields, Signal, activity, workflow
from continuum.telemetry.trace_context import own_context
from continuum.testing import assert_replays, env
from tests.unit.telemetry.spans import Spans, context_of, spans_in_memory

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
SPAN_ID = "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE_ID}-{SPAN_ID}-01"
REPLAYS = 100

go = Signal("go", str)


def shop() -> trace.Tracer:
    """Return the tracer of the user's code."""
    return trace.get_tracer_provider().get_tracer("shop")


@activity(name="spans.charge")
async def charge(order: str) -> str:
    """Make a span of the user's, also in a task."""
    with shop().start_as_current_span("bank"):
        await asyncio.sleep(0)
    await asyncio.create_task(audited())
    return f"paid {order}"


async def audited() -> None:
    """Make a span in a task of the activity."""
    with shop().start_as_current_span("audit"):
        await asyncio.sleep(0)


@activity(name="spans.pack")
def pack(order: str) -> str:
    """Make a span in a thread."""
    with shop().start_as_current_span("box"):
        return f"packed {order}"


@activity(name="spans.ship", queue="mail", retry=Retry(max_attempts=2, base=0.0))
async def ship(order: str) -> str:
    """Fail once."""
    if continuum.activity_context().attempt == 1:
        raise LookupError(order)
    return f"shipped {order}"


@activity(name="spans.slow", timeout=0.01, retry=Retry(max_attempts=1))
async def slow() -> None:
    """Take too long."""
    await asyncio.Event().wait()


@activity(name="spans.logging")
def logging_activity() -> None:
    """Log."""
    logging.getLogger("shop.spans").warning("here")


@workflow(name="spans.child")
async def child(order: str) -> str:
    """Charge."""
    return await charge(order)


@workflow(name="spans.order")
async def order_flow(order: str) -> str:
    """Go through everything that can have a span."""
    await child(order)
    word = await go.wait()
    await continuum.sleep(60)
    await pack(order)
    return f"{word}: {await ship(order)}"


@workflow(name="spans.failing")
async def failing() -> None:
    """Fail with a message that no trace may have."""
    await slow()


@workflow(name="spans.logging")
async def logging_flow() -> None:
    """Log in an activity and outside."""
    continuum.log.warning("here")
    await logging_activity()


@workflow(name="spans.again")
async def again(left: int) -> int:
    """Continue as new."""
    if left:
        continuum.continue_as_new(left - 1)
    return left


@pytest.fixture
def spans() -> Iterator[Spans]:
    with spans_in_memory() as found:
        yield found


def parent_of(span: ReadableSpan) -> tuple[str, str]:
    """Return the ids of the parent of a span."""
    assert span.parent is not None
    return f"{span.parent.trace_id:032x}", f"{span.parent.span_id:016x}"


def ids_of(span: ReadableSpan) -> tuple[str, str]:
    """Return the ids of a span."""
    context = context_of(span)
    return f"{context.trace_id:032x}", f"{context.span_id:016x}"


async def test_a_run_and_all_of_its_attempts_are_spans_once_and_replays_are_none(spans: Spans) -> None:
    async with env(paranoid=True) as environment:
        run = await environment.start(order_flow, "o-1", trace_context=TRACEPARENT)
        await run.signal(go, "yes")
        await environment.advance(timedelta(minutes=2))
        assert await run.result() == "yes: shipped o-1"
        history = await environment.history(run.id)
    for _ in range(REPLAYS):
        assert_replays(order_flow, history)
    assert spans.names() == {
        "run spans.order": 1,
        "run spans.child": 1,
        "stay spans.order": 1,
        "stay spans.child": 1,
        "activity spans.charge": 1,
        "activity spans.pack": 1,
        "activity spans.ship": 2,
        "bank": 1,
        "audit": 1,
        "box": 1,
    }
    for span in spans.ended:
        if span.name.startswith(("run ", "activity ")):
            assert parent_of(span) == (TRACE_ID, SPAN_ID)
        elif not span.name.startswith("stay "):
            above = "activity spans.pack" if span.name == "box" else "activity spans.charge"
            assert parent_of(span) == ids_of(spans.one(above))


async def test_a_span_of_a_run_has_its_true_times(spans: Spans) -> None:
    async with env() as environment:
        run = await environment.start(order_flow, "o-1")
        await environment.advance(timedelta(hours=1))
        await run.signal(go, "yes")
        await environment.advance(timedelta(minutes=2))
        await run.result()
        row = await environment.get_run(run.id)
    span = spans.one("run spans.order", run_id=run.id, outcome="completed")
    assert row.completed_at is not None
    assert span.start_time is not None
    assert span.end_time is not None
    assert span.start_time == round(row.started_at.timestamp() * 1e6) * 1000
    assert span.end_time - span.start_time >= 3660 * 1e9
    assert span.end_time // 1_000_000_000 == int(row.completed_at.timestamp())


async def test_failed_attempts_and_runs_have_the_type_of_the_error_and_nothing_else_of_it(
    spans: Spans,
) -> None:
    async with env() as environment:
        run = await environment.start(failing)
        await environment.advance(1.0)
        with pytest.raises(RunFailed):
            await run.result()
    attempt, whole = spans.one("activity spans.slow"), spans.one("run spans.failing")
    for span, error in ((attempt, "TimeoutError"), (whole, "continuum.ActivityError")):
        assert span.status.status_code is trace.StatusCode.ERROR
        assert span.status.description == error
        assert (span.attributes or {})["error.type"] == error
        assert (span.attributes or {})["continuum.outcome"] == "failed"
        assert span.events == ()


async def test_attempts_of_one_activity_differ_in_number_and_outcome(spans: Spans) -> None:
    async with env() as environment:
        run = await environment.start(order_flow, "o-1")
        await run.signal(go, "yes")
        await environment.advance(timedelta(minutes=2))
        await run.result()
    failed = spans.one(
        "activity spans.ship", attempt=1, outcome="failed", workflow="spans.order", run_id=run.id
    )
    spans.one("activity spans.ship", attempt=2, outcome="completed", activity="spans.ship")
    assert (failed.attributes or {})["error.type"] == "LookupError"


async def test_a_run_without_a_context_is_the_root_of_a_trace_with_its_own_id(spans: Spans) -> None:
    async with env() as environment:
        run = await environment.start(child, "o-1")
        await run.result()
    own = own_context(run.id)
    whole = spans.one("run spans.child")
    assert own.trace_id == run.id.replace("-", "")
    assert whole.parent is None
    assert ids_of(whole) == (own.trace_id, own.span_id)
    assert parent_of(spans.one("activity spans.charge")) == ids_of(whole)


async def test_a_child_without_a_context_is_linked_to_its_parent(spans: Spans) -> None:
    async with env() as environment:
        run = await environment.start(order_flow, "o-1")
        await run.signal(go, "yes")
        await environment.advance(timedelta(minutes=2))
        await run.result()
    whole = spans.one("run spans.child", parent_run_id=run.id)
    (link,) = whole.links
    assert link.context.span_id == context_of(spans.one("run spans.order")).span_id
    assert link.context.trace_id != context_of(whole).trace_id


async def test_spans_of_others_keep_ids_of_their_own(spans: Spans) -> None:
    async with env() as environment:
        run = await environment.start(child, "o-1")
        await run.result()
    with shop().start_as_current_span("later"):
        pass
    assert ids_of(spans.one("later"))[0] != run.id.replace("-", "")


async def test_the_sampler_decides_once_for_a_run_without_a_context() -> None:
    # No id of a trace is below this share.
    with spans_in_memory(ParentBased(TraceIdRatioBased(0.0))) as spans:
        async with env() as environment:
            run = await environment.start(child, "o-1")
            await run.result()
    assert spans.begun == []


async def test_a_context_that_is_not_sampled_has_no_spans(spans: Spans) -> None:
    async with env() as environment:
        run = await environment.start(child, "o-1", trace_context=f"{TRACEPARENT[:-2]}00")
        await run.result()
    # The stay is a trace of its own.
    assert spans.names() == {"stay spans.child": 1}


async def test_a_sampler_that_takes_nothing_costs_no_run() -> None:
    with spans_in_memory(ALWAYS_OFF) as spans:
        async with env() as environment:
            run = await environment.start(child, "o-1")
            assert await run.result() == "paid o-1"
    assert spans.begun == []


async def test_a_stay_is_linked_to_its_run_and_to_the_signals_that_it_took(spans: Spans) -> None:
    async with env() as environment:
        run = await environment.start(order_flow, "o-1", trace_context=TRACEPARENT)
        with shop().start_as_current_span("review"):
            await run.signal(go, "yes")
        await run.signal("other", None)
        await environment.advance(timedelta(minutes=2))
        await run.result()
    links = spans.one("stay spans.order").links
    found = [(f"{link.context.span_id:016x}", (link.attributes or {})["continuum.link"]) for link in links]
    assert found == [(SPAN_ID, "run"), (ids_of(spans.one("review"))[1], "signal")]


async def test_a_start_takes_the_current_context_and_hands_it_to_children(spans: Spans) -> None:
    async with env() as environment:
        with shop().start_as_current_span("request"):
            run = await environment.start(order_flow, "o-1")
            given = await environment.start(child, "o-2", trace_context=TRACEPARENT)
        await run.signal(go, "yes")
        await environment.advance(timedelta(minutes=2))
        await run.result()
        await given.result()
        rows = await environment.query(order_by=("started_at", "asc"))
    request = ids_of(spans.one("request"))
    assert parent_of(spans.one("run spans.order")) == request
    contexts = {row.id: row.trace_context for row in rows.entries}
    assert contexts.pop(given.id) == TRACEPARENT
    assert {context and context[: -len("-01")] for context in contexts.values()} == {
        f"00-{request[0]}-{request[1]}"
    }


async def test_a_start_outside_of_any_span_has_no_context(spans: Spans) -> None:
    async with env() as environment:
        run = await environment.start(child, "o-1")
        await run.result()
        assert (await environment.get_run(run.id)).trace_context is None


async def test_a_started_run_belongs_to_the_attempt_that_started_it(spans: Spans) -> None:
    async with env() as environment:

        @activity(name="spans.starter")
        async def starter() -> str:
            return (await environment.start(child, "o-1")).id

        @workflow(name="spans.starting")
        async def starting() -> str:
            return await starter()

        run = await environment.start(starting)
        started = await run.result()
        await environment.handle(started).result()
    assert parent_of(spans.one("run spans.child")) == ids_of(spans.one("activity spans.starter"))


async def test_each_run_of_a_chain_is_a_span(spans: Spans) -> None:
    async with env() as environment:
        run = await environment.start(again, 2)
        await run.result()
    outcomes = [(span.attributes or {})["continuum.outcome"] for span in spans.named("run spans.again")]
    assert sorted(map(str, outcomes)) == ["completed", "continued", "continued"]


async def test_a_record_has_the_ids_of_the_attempt_or_of_the_users_span(
    spans: Spans, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.handler.addFilter(RunFields())
    async with env() as environment:
        run = await environment.start(logging_flow)
        await run.result()
    workflows, activities = (record.__dict__ for record in caplog.records if record.getMessage() == "here")
    assert workflows["trace_id"] == run.id.replace("-", "")
    assert (activities["trace_id"], activities["span_id"]) == ids_of(spans.one("activity spans.logging"))


class Broken:
    """A provider that fails."""

    def __getattr__(self, name: str) -> object:
        raise RuntimeError("no collector")


async def test_tracing_that_fails_costs_its_spans_and_one_line_of_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(trace, "get_tracer_provider", Broken)
    async with env() as environment:
        run = await environment.start(logging_flow)
        await run.result()
    assert [record.message for record in caplog.records if record.name == "continuum.traces"] == [
        "spans are missing in traces: the tracing of this process fails"
    ]
