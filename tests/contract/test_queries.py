"""Queries of runs: conditions, attributes, order and pages."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from continuum.engine.ids import RunId
from continuum.journal.port import Journal, Query, RunState
from tests.contract.builders import (
    begin,
    commit,
    end,
    new_run,
    owned_run,
    owned_runs,
    query,
    row,
    worker_of,
    write,
)

Field = str | tuple[str, ...]


async def ids(journal: Journal, asked: Query) -> list[RunId]:
    """Return the ids a query finds."""
    return [found.id for found in await journal.query(asked)]


async def names(journal: Journal, field: Field, operator: str, value: Any) -> set[str | None]:
    """Return the idempotency keys of the runs that meet a condition."""
    return {found.idempotency_key for found in await journal.query(query((field, operator, value)))}


async def test_a_query_without_conditions_finds_every_run_of_its_namespace(journal: Journal) -> None:
    first, second = await begin(journal), await begin(journal, namespace="shop")

    assert await ids(journal, query()) == [first, second]
    assert await ids(journal, query(namespace="shop")) == [second]
    assert await ids(journal, query(namespace="nowhere")) == []


async def test_a_query_shows_what_the_run_itself_shows(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker, attributes={"a": 1}, idempotency_key="k", trace_context="t")
    await commit(journal, worker, write(run, transition=end(result=b"r")))

    assert await journal.query(query()) == [await row(journal, run.id)]


async def test_a_query_without_payloads_reads_no_inputs_and_results(journal: Journal) -> None:
    worker = await worker_of(journal)
    run = await owned_run(journal, worker, attributes={"a": 1})
    await commit(journal, worker, write(run, transition=end(result=b"r")))

    whole = await row(journal, run.id)
    assert await journal.query(replace(query(), payloads=False)) == [replace(whole, input=b"", result=None)]


async def test_open_runs_come_page_after_page_and_each_once(journal: Journal) -> None:
    worker = await worker_of(journal)
    going, done = await owned_runs(journal, worker, 2)
    free = [await begin(journal, namespace="shop") for _ in range(3)]
    await commit(journal, worker, write(done, transition=end()))

    pages: list[RunId] = []
    after: RunId | None = None
    while page := await journal.open_runs(after, 2):
        pages += [found.id for found in page]
        after = page[-1].id

    assert pages == sorted([going.id, *free])


@pytest.mark.parametrize(
    ("field", "operator", "value", "found"),
    [
        ("workflow", "eq", "orders", {"done", "going"}),
        ("workflow", "ne", "orders", {"refund"}),
        ("workflow", "in", ["orders", "refunds"], {"done", "going", "refund"}),
        ("workflow", "in", [], set()),
        ("state", "eq", RunState.COMPLETED, {"done"}),
        ("state", "lt", RunState.COMPLETED, {"going", "refund"}),
        ("state", "in", [RunState.COMPLETED, RunState.FAILED], {"done"}),
        ("version", "eq", "v1", {"done", "going"}),
        ("version", "eq", None, {"refund"}),
        ("version", "ne", None, {"done", "going"}),
        ("version", "ne", "v1", set()),
        ("completed_at", "eq", None, {"going", "refund"}),
        ("completed_at", "gt", 0, {"done"}),
        ("idempotency_key", "ge", "going", {"going", "refund"}),
        ("idempotency_key", "gt", "going", {"refund"}),
        ("namespace", "eq", "default", {"done", "going", "refund"}),
    ],
)
async def test_a_condition_selects_the_right_runs(
    journal: Journal, field: str, operator: str, value: Any, found: set[str]
) -> None:
    worker = await worker_of(journal)
    done = await owned_run(journal, worker, idempotency_key="done")
    await owned_run(journal, worker, idempotency_key="going")
    await begin(journal, workflow="refunds", idempotency_key="refund")
    await commit(journal, worker, write(done, transition=end()))

    assert await names(journal, field, operator, value) == found


async def test_every_condition_must_hold(journal: Journal) -> None:
    run_id = await begin(journal, attributes={"region": "eu"})
    await begin(journal, attributes={"region": "us"})
    await begin(journal, workflow="refunds", attributes={"region": "eu"})

    conditions = (("workflow", "eq", "orders"), (("attributes", "region"), "eq", "eu"))
    assert await ids(journal, query(*conditions)) == [run_id]


async def test_a_run_is_found_by_its_id_and_by_its_times(journal: Journal) -> None:
    first, second = await begin(journal), await begin(journal)
    started = (await row(journal, second)).started_at

    assert await ids(journal, query(("id", "eq", first))) == [first]
    assert await ids(journal, query(("id", "in", [second]))) == [second]
    assert await ids(journal, query(("started_at", "ge", started))) == [second]
    assert await ids(journal, query(("started_at", "lt", started))) == [first]
    assert await ids(journal, query(("started_at", "eq", started))) == [second]


@pytest.mark.parametrize(
    ("operator", "value", "found"),
    [
        ("eq", 1, {"one"}),
        ("eq", 1.0, {"one"}),
        ("eq", "1", {"text"}),
        ("eq", True, {"true"}),
        ("eq", None, {"null"}),
        ("in", [1, "1"], {"one", "text"}),
        ("in", [True, 2.5], {"true", "more"}),
        ("in", [], set()),
        ("ne", 1, {"text", "true", "null", "more", "without"}),
        ("lt", 2, {"one"}),
        ("le", 1, {"one"}),
        ("gt", 1, {"more"}),
        ("ge", 1, {"one", "more"}),
        ("ge", "0", {"text"}),
        ("ge", False, {"true"}),
    ],
)
async def test_attributes_are_compared_with_their_types(
    journal: Journal, operator: str, value: Any, found: set[str]
) -> None:
    values: dict[str, Any] = {"one": 1, "text": "1", "true": True, "null": None, "more": 2.5}
    for name, attribute in values.items():
        await begin(journal, idempotency_key=name, attributes={"a": attribute, "b": 99})
    await begin(journal, idempotency_key="without", attributes={"b": 1})

    assert await names(journal, ("attributes", "a"), operator, value) == found


@pytest.mark.parametrize(
    ("value", "holds"),
    [
        (["a", "b"], True),
        (["a"], False),
        (["b", "a"], False),
        (["a", "b", "b"], False),
        ([], False),
        ("a", False),
        ({}, False),
    ],
)
async def test_a_list_attribute_equals_the_same_list_only(journal: Journal, value: Any, holds: bool) -> None:
    await begin(journal, idempotency_key="k", attributes={"tags": ["a", "b"]})
    await begin(journal, idempotency_key="absent")

    assert await names(journal, ("attributes", "tags"), "eq", value) == ({"k"} if holds else set())
    assert await names(journal, ("attributes", "tags"), "in", [value]) == ({"k"} if holds else set())
    assert await names(journal, ("attributes", "tags"), "ne", value) == {"absent"} | (
        set() if holds else {"k"}
    )


async def test_lists_inside_of_others_and_of_maps_are_compared_whole(journal: Journal) -> None:
    stored = {"rows": [[1, 2], [{"x": 1, "y": [3]}]], "one": 1.0}
    await begin(journal, idempotency_key="k", attributes={"deep": stored})

    async def equal(value: Any) -> bool:
        return await names(journal, ("attributes", "deep"), "eq", value) == {"k"}

    assert await equal({"rows": [[1, 2.0], [{"x": 1, "y": [3]}]]})
    assert await equal({"one": 1})
    assert not await equal({"rows": [[1, 2]]})
    assert not await equal({"rows": [[2, 1], [{"x": 1, "y": [3]}]]})
    assert not await equal({"rows": [[1, 2], [{"x": 1}]]})
    assert not await equal({"rows": [[True, 2], [{"x": 1, "y": [3]}]]})


@pytest.mark.parametrize(
    ("path", "operator", "value", "found"),
    [
        (("customer", "city"), "eq", "Oslo", {"oslo"}),
        (("customer", "city"), "in", ["Oslo", "Rome"], {"oslo", "rome"}),
        (("customer", "city"), "ne", "Oslo", {"rome", "flat", "list", "without"}),
        (("customer", "age"), "ge", 40, {"rome"}),
        (("customer", "age"), "lt", 40, {"oslo"}),
        (("customer", "tags"), "eq", ["a", "b"], {"oslo"}),
        (("customer", "tags"), "eq", ["a"], set()),
        (("customer", "home", "lat"), "gt", 59.0, {"oslo"}),
        (("customer", "home"), "eq", {"lat": 59.9}, {"oslo"}),
        (("customer", "0"), "eq", "x", set()),
        (("customer", "0"), "ge", "a", set()),
        (("customer.city",), "eq", "Oslo", {"flat"}),
    ],
)
async def test_a_path_leads_into_attributes_that_are_maps(
    journal: Journal, path: tuple[str, ...], operator: str, value: Any, found: set[str]
) -> None:
    oslo = {"city": "Oslo", "age": 30, "tags": ["a", "b"], "home": {"lat": 59.9, "lon": 10.7}}
    for name, attributes in {
        "oslo": {"customer": oslo},
        "rome": {"customer": {"city": "Rome", "age": 41}},
        "flat": {"customer": "Oslo", "customer.city": "Oslo"},
        "list": {"customer": ["x", "y"]},
        "without": {},
    }.items():
        await begin(journal, idempotency_key=name, attributes=attributes)

    assert await names(journal, ("attributes", *path), operator, value) == found


async def test_an_attribute_of_maps_may_have_more_entries(journal: Journal) -> None:
    await begin(journal, idempotency_key="k", attributes={"customer": {"name": "Ada", "vip": True}})
    field = ("attributes", "customer")

    assert await names(journal, field, "eq", {"vip": True}) == {"k"}
    assert await names(journal, field, "eq", {}) == {"k"}
    assert await names(journal, field, "eq", {"vip": 1}) == set()
    assert await names(journal, field, "eq", {"age": None}) == set()


async def test_odd_attribute_names_and_values_are_plain_data(journal: Journal) -> None:
    name = 'it\'s "a" %s; drop table runs --'
    run_id = await begin(journal, attributes={name: name})

    assert await ids(journal, query((("attributes", name), "eq", name))) == [run_id]
    assert await ids(journal, query((("attributes", name), "ge", name))) == [run_id]
    assert await ids(journal, query(("workflow", "eq", name))) == []


async def test_a_row_says_where_its_owner_runs(journal: Journal) -> None:
    worker = await worker_of(journal, "north")
    owned = await owned_run(journal, worker)
    free = await begin(journal)

    async def owners() -> list[tuple[str | None, int | None]]:
        rows = await journal.query(query())
        assert rows == [await row(journal, found.id) for found in rows]
        return [(found.owner_node, found.owner_pid) for found in rows]

    assert [found.id for found in await journal.query(query())] == [owned.id, free]
    assert await owners() == [("north", 4711), (None, None)]
    await commit(journal, worker, write(owned, transition=end()))
    assert await owners() == [(None, None), (None, None)]


async def test_a_row_says_since_when_its_owner_has_it(journal: Journal) -> None:
    worker = await worker_of(journal, "north")
    owned = await owned_run(journal, worker)
    claimed = (await row(journal, owned.id)).claimed_at
    free = await begin(journal)

    assert (await row(journal, free)).claimed_at is None
    assert claimed is not None
    assert claimed >= owned.started_at
    await commit(journal, worker, write(owned, transition=end()))
    assert (await row(journal, owned.id)).claimed_at is None


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("field", ["started_at", "updated_at", "id", "workflow", "state"])
async def test_pages_have_every_run_once_and_in_order(journal: Journal, field: str, descending: bool) -> None:
    await journal.start([new_run(("orders", "refunds")[n % 2]) for n in range(7)])
    everything = await ids(journal, query(order_by=(field, descending)))
    assert len(everything) == 7

    after, seen, ordered = None, [], []
    while page := await journal.query(query(order_by=(field, descending), limit=3, after=after)):
        seen += [found.id for found in page]
        ordered += [(getattr(found, field), found.id) for found in page]
        after = ordered[-1]

    assert seen == everything
    assert ordered == sorted(ordered, reverse=descending)


async def test_a_run_that_starts_between_two_pages_changes_neither(journal: Journal) -> None:
    first, second = await begin(journal), await begin(journal)
    page = await journal.query(query(order_by=("started_at", True), limit=1))
    await begin(journal)

    rest = query(order_by=("started_at", True), after=(page[0].started_at, page[0].id))

    assert [found.id for found in page] == [second]
    assert await ids(journal, rest) == [first]


async def test_set_attributes_keeps_the_others(journal: Journal) -> None:
    run_id = await begin(journal, attributes={"a": 1, "b": {"x": 1}})

    assert await journal.set_attributes(run_id, {"b": {"y": 2}, "c": None})

    assert (await row(journal, run_id)).attributes == {"a": 1, "b": {"y": 2}, "c": None}


async def test_concurrent_set_attributes_lose_nothing(journal: Journal) -> None:
    """B71"""
    run_id = await begin(journal)

    await asyncio.gather(*(journal.set_attributes(run_id, {f"k{number}": number}) for number in range(8)))

    assert (await row(journal, run_id)).attributes == {f"k{number}": number for number in range(8)}


async def test_attributes_can_be_set_on_ended_runs_but_not_on_unknown_ones(journal: Journal) -> None:
    worker = await worker_of(journal)
    (run,) = await owned_runs(journal, worker, 1)
    await commit(journal, worker, write(run, transition=end()))

    assert await journal.set_attributes(run.id, {"a": 1})
    assert (await row(journal, run.id)).attributes == {"a": 1}
    assert not await journal.set_attributes(new_run().id, {"a": 1})


async def test_attributes_are_read_as_json_stores_them(journal: Journal) -> None:
    given = {"text": "ü", "number": 2**40, "real": 0.5, "yes": True, "none": None, "list": [1, "2", [3]]}

    run_id = await begin(journal, attributes=given)

    assert (await row(journal, run_id)).attributes == given


async def test_the_journal_copies_the_attributes_it_receives(journal: Journal) -> None:
    given = {"list": [1]}
    run_id = await begin(journal, attributes=given)
    given["list"].append(2)

    assert (await row(journal, run_id)).attributes == {"list": [1]}
