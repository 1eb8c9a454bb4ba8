"""Searches: a line of text finds the same runs in both journals, and those that it says."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from continuum.errors import ActivityError, ChildFailed, UnindexedQuery
from continuum.journal.event_codec import pack_body
from continuum.journal.facts import RunState, Transition
from continuum.journal.memory.journal import MemoryJournal
from continuum.journal.port import Fault, Journal, Loaded, Query
from continuum.journal.postgres import PostgresJournal
from continuum.journal.wait import Wait
from continuum.operations.search import search_of
from tests.contract.builders import claim, commit, new_run, query, worker_of, write

ERRORS = ("Timeout", "shop.Time_out", "Täuschung%", "a\\b", "", "x" * 40, "y" * 300)
WORKFLOWS = ("pay", "pay_back", "ship", "pay%", "a:b, c")
# What runs fail with because an activity or a child has failed.
FAILED = (
    ActivityError("pay", "ConnectionError", "gone: away", "", 2),
    ChildFailed("7", "continuum.ActivityError", str(ActivityError("pay", "ConnectionError", "gone", "", 1))),
    ChildFailed("7", "a\\b", "it failed: x"),
    ActivityError("täglich failed", "Täuschung%", "", "", 3),
    ChildFailed("7", "x", "y", cancelled=True),
)
VALUES: Sequence[Any] = ("eu", "5", 5, 5.5, True, None, "", ["eu"], {"eu": 1})


def name(number: int) -> str:
    """Return the id of a run, the same in both journals."""
    return str(UUID(int=number + 1))


def changed(number: int) -> Transition | None:
    """Return how a run is left."""
    waits = [
        Wait("signal", -1, ("review", "a*b", "signal")[number % 3], 1),
        *([Wait("activity", 3, "signal", 1)] if number % 2 else []),
        *([Wait("timer", 4, "", 1, 2)] if number % 5 == 0 else []),
    ]
    if number % 7 == 4:
        waits = [Wait("unread", -1, "stop", 1)] if number % 2 else []
    error = pack_body((ERRORS[number % len(ERRORS)], "text failed on attempt 3: Timeout: no", "trace"))
    raised = FAILED[number // 2 % len(FAILED)]
    if number % 16 > 6 and number > 28:
        error = pack_body((f"continuum.{type(raised).__name__}", str(raised), "trace failed: x: y"))
    fault = Fault(("drift", "input", "poison")[number % 3], 1, "a", "b")
    return (
        None,
        Transition(RunState.SUSPENDED, None, True, waits=waits),
        Transition(RunState.SUSPENDED, None, True),
        Transition(RunState.FAILED, error=error),
        Transition(
            RunState.FAILED, error=(b"", b"\x01\x93", b"\x01\x93\xa5ab", b"\xc1\xc1\xc1\xc1\xc1")[number % 4]
        ),
        Transition(RunState.BLOCKED, reason="no", fault=fault),
        Transition(RunState.COMPLETED, result=b"r"),
        Transition(RunState.CANCELLED),
    )[number // 2 % 8]


async def fill(journal: Journal, runs: int) -> None:
    """Create the same runs in a journal, some of which no worker has claimed."""
    attributes = [{}, *({"region": value} for value in VALUES), {"a b": "eu", "n": 7}]
    new = [
        new_run(
            WORKFLOWS[number % len(WORKFLOWS)],
            id=name(number),
            namespace=("default", "eu")[number % 2],
            attributes=attributes[number % len(attributes)],
            idempotency_key=f"k{number}" if number % 3 == 0 else None,
        )
        for number in range(runs)
    ]
    await journal.start(new[: runs * 3 // 4])
    worker = await worker_of(journal)
    code = [Loaded(workflow, "v1") for workflow in WORKFLOWS]
    for run in sorted(await claim(journal, worker, runs, code), key=lambda run: run.id):
        transition = changed(UUID(run.id).int - 1)
        if transition is not None:
            await commit(journal, worker, write(run, transition=transition))
    await journal.start(new[runs * 3 // 4 :])


NAMES = st.one_of(
    st.sampled_from([*ERRORS[:4], *WORKFLOWS, "v1", "eu", "k3", "drift", "input", "default", "nothing"]).map(
        lambda text: '"' + text.replace("\\", "\\\\") + '"'
    ),
    st.sampled_from(["ConnectionError", "*ction*", "ActivityError", "ChildFailed"]),
    st.sampled_from(["pay*", "*pay", "*a*", "*_*", "p*y*", "*\\*", "v*", "k*", "T*t", "*"]),
)
STATES = st.sampled_from([*(state.name.lower() for state in RunState), "open", "ended"])
VALUE = st.sampled_from(["eu", "5", '"5"', "5.0", "true", '""', "7"])
KINDS = st.sampled_from(
    [
        "signal",
        "activity",
        "timer",
        "child",
        "signal:review",
        'signal:"a*b"',
        "signal:*b",
        "activity:signal",
        "nothing",
    ]
)
AGES = st.sampled_from([">1h", "<1h", ">=0s", "<2000-01-01", ">2000-01-01", ">=2000-01-01T00:00:00+02:00"])


def choices(values: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Return values with commas between them."""
    return st.lists(values, min_size=1, max_size=3).map(",".join)


TERMS = st.tuples(
    st.booleans(),
    st.one_of(
        st.tuples(
            st.sampled_from(["workflow", "version", "namespace", "key", "error", "fault"]), choices(NAMES)
        ),
        st.tuples(st.just("state"), choices(STATES)),
        st.tuples(st.sampled_from(["id", "parent"]), choices(st.integers(0, 90).map(name))),
        st.tuples(st.sampled_from(["@region", '@"a b"', "@n"]), choices(VALUE)),
        st.tuples(st.sampled_from(["@region", "@n"]), st.sampled_from([">5", "<=5", '>"4"', "<true"])),
        st.tuples(st.just("waits"), choices(KINDS)),
        st.tuples(st.just("continued"), st.sampled_from(["yes", "no"])),
        st.tuples(st.sampled_from(["started", "updated", "ended"]), AGES),
    ),
).map(lambda term: ("-" if term[0] else "") + ":".join(term[1]))


def test_both_journals_find_the_same_runs(runner: asyncio.Runner, dsn: str, schema: str) -> None:
    memory = MemoryJournal()
    postgres = PostgresJournal(dsn, schema=schema, listen=False)
    runner.run(postgres.open())
    for journal in (memory, postgres):
        runner.run(fill(journal, 120))

    def found(journal: Journal, text: str) -> list[str]:
        where = search_of(text).conditions(journal.now())
        rows = runner.run(journal.query(Query(None, where, ("id", False), 1000, None)))
        return [row.id for row in rows]

    @settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(TERMS, max_size=3).map(" ".join))
    def agree(text: str) -> None:
        assert found(memory, text) == found(postgres, text), text

    try:
        agree()
    finally:
        runner.run(postgres.close())


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("state:failed error:Timeout", {7}),
        ("-error:* state:failed", {8, 9}),
        ("state:blocked -fault:drift,input", {11}),
        ("waits:signal:review", {3}),
        ("waits:signal:signal", {2}),
        ("waits:timer", set()),
        ("waits:nothing", {18}),
        ("key:k1*,k3", {3, 12, 15, 18}),
        ('@"a b":eu', {10, 21}),
        ("@region:5 namespace:eu", {3, 13, 25}),
    ],
)
async def test_a_search_finds_what_it_says(journal: Journal, text: str, numbers: set[int]) -> None:
    await fill(journal, 28)

    found = await journal.query(query(*search_of(text).conditions(journal.now())))

    assert {UUID(row.id).int - 1 for row in found} == numbers


async def test_a_search_finds_failures_by_their_causes(journal: Journal) -> None:
    await journal.start([new_run("pay", id=name(number)) for number in range(len(FAILED))])
    worker = await worker_of(journal)
    runs = sorted(await claim(journal, worker, len(FAILED), [Loaded("pay", "v1")]), key=lambda run: run.id)
    for run, error in zip(runs, FAILED, strict=True):
        stored = pack_body((f"continuum.{type(error).__name__}", str(error), "trace: failed: x: y"))
        await commit(journal, worker, write(run, transition=Transition(RunState.FAILED, error=stored)))

    async def found(text: str) -> set[int]:
        rows = await journal.query(query(*search_of(text).conditions(journal.now())))
        return {UUID(row.id).int - 1 for row in rows}

    assert await found("error:ConnectionError") == {0, 1}
    assert await found("error:*Connection*") == {0, 1}
    assert await found("error:ActivityError") == {0, 3}
    assert await found("error:ActivityError,ConnectionError") == {0, 1, 3}
    assert await found('error:"Täuschung%"') == {3}
    assert await found('error:"a\\\\b"') == {2}
    assert await found("-error:ConnectionError state:failed") == {2, 3, 4}
    assert await found("-error:ActivityError error:ConnectionError") == {1}


async def looked_through(journal: Journal, asked: Query, most: int) -> tuple[list[str], int]:
    """Return what looks find one after the other until the last, and how many there were."""
    found: list[str] = []
    for looks in range(1, 100):
        seen = await journal.look_through(asked, most)
        found += [row.id for row in seen.rows]
        # Where many are in one group, a look may be of more: never of fewer than a page.
        assert seen.looked_at <= max(most, asked.limit * len(WORKFLOWS) * 2)
        if seen.place is None and len(seen.rows) < asked.limit:
            return found, looks
        last = seen.rows[-1] if seen.place is None else None
        field = asked.order_by[0]
        asked = replace(asked, after=seen.place if last is None else (getattr(last, field), last.id))
    raise AssertionError("the looks do not end")


@pytest.mark.parametrize("order", [("started_at", True), ("started_at", False), ("id", True), ("id", False)])
@pytest.mark.parametrize("most", [3, 40, 1000])
async def test_looks_one_after_the_other_find_what_a_query_finds(
    journal: Journal, order: tuple[str, bool], most: int
) -> None:
    await fill(journal, 48)
    for text in ("waits:signal:review", "-state:failed", "workflow:pay* waits:activity", "workflow:nobody"):
        asked = query(*search_of(text).conditions(journal.now()), order_by=order, limit=2)
        whole = [row.id for row in await journal.query(replace(asked, limit=100))]
        found, looks = await looked_through(journal, asked, most)
        assert found == whole
        assert looks == len(whole) // 2 + 1 or most < 48


async def test_a_look_is_refused_in_an_order_that_no_index_has(journal: Journal) -> None:
    await fill(journal, 3)
    with pytest.raises(UnindexedQuery):
        await journal.look_through(query(order_by=("updated_at", True)), 10)


async def test_a_look_has_no_payloads_unless_they_are_asked_for(journal: Journal) -> None:
    await fill(journal, 3)
    for payloads in (True, False):
        seen = await journal.look_through(query(payloads=payloads), 10)
        assert (len(seen.rows), seen.place, seen.looked_at) == (3, None, 3)
        assert {bool(row.input) for row in seen.rows} == {payloads}
