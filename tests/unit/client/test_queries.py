"""Queries: how they are checked, and how pages follow one another."""

from __future__ import annotations

import asyncio
import base64
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from continuum import Client, InvalidQuery, Page
from tests.unit.client.working import memory_client


async def started(client: Client, *regions: str) -> list[str]:
    """Start one run for each region."""
    return [(await client.start("greeting", r, attributes={"region": r})).id for r in regions]


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ({"where": [("owner", "eq", 1)]}, "the field is one of id, workflow"),
        ({"where": [("state", "like", "x")]}, "the operator is one of eq, ne"),
        ({"where": [("state", "eq")]}, r"a condition is \(field, operator, value\)"),
        ({"where": [("state", "eq", "sleeping")]}, "state is one of running, suspended"),
        ({"where": [("state", "lt", "running")]}, "states have no order"),
        ({"where": [("id", "eq", "x")]}, "id: a run's id is a UUID"),
        ({"where": [("started_at", "lt", datetime(2025, 1, 1))]}, "aware datetime"),  # noqa: DTZ001
        ({"where": [("started_at", "lt", "tomorrow")]}, "a time is written like"),
        ({"where": [("workflow", "eq", None)]}, "workflow is never compared with None"),
        ({"where": [("workflow", "eq", 7)]}, "workflow: the value must be text"),
        ({"where": [("workflow", "in", "abc")]}, "in is followed by a list"),
        ({"where": [(("attributes", "x"), "lt", [1])]}, "lt compares an attribute with a number"),
        ({"where": [(("attributes", "x"), "eq", object())]}, "the value has no form in JSON"),
        ({"where": [(("attributes", ""), "eq", 1)]}, "an attribute's name must have 1 to 255 bytes"),
        ({"where": "state"}, "where is a list of conditions"),
        ({"order_by": ("completed_at", "asc")}, "order_by is a pair"),
        ({"order_by": ("started_at", "down")}, "order_by is a pair"),
        ({"limit": 0}, "limit is a whole number from 1 to 1000"),
        ({"limit": True}, "limit is a whole number"),
        ({"namespace": ""}, "namespace must have 1 to 255 bytes"),
        ({"cursor": "garbage"}, "the cursor is not one that a page gave"),
        ({"cursor": "é"}, "the cursor is not one that a page gave"),
    ],
)
def test_an_invalid_query_is_refused_in_one_line(question: dict[str, Any], message: str) -> None:
    async def main() -> None:
        async with memory_client() as (client, _):
            with pytest.raises(InvalidQuery, match=message) as caught:
                await client.query(**question)
            assert "\n" not in str(caught.value)

    asyncio.run(main())


@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize("field", ["started_at", "id", "workflow", "state", "updated_at", "namespace"])
def test_pages_show_every_run_once(field: str, direction: str) -> None:
    async def main() -> None:
        async with memory_client() as (client, _):
            ids = await started(client, *("eu" for _ in range(10)))
            pages: list[Page] = []
            cursor = None
            while not pages or cursor is not None:
                pages.append(await client.query(order_by=(field, direction), limit=4, cursor=cursor))
                cursor = pages[-1].next_cursor
            assert [len(page.entries) for page in pages] == [4, 4, 2]
            assert sorted(run.id for page in pages for run in page.entries) == sorted(ids)

    asyncio.run(main())


def test_a_full_last_page_has_no_cursor() -> None:
    async def main() -> None:
        async with memory_client() as (client, _):
            await started(client, "eu", "eu")
            assert (await client.query(limit=2)).next_cursor is None

    asyncio.run(main())


def test_a_cursor_belongs_to_its_query() -> None:
    async def main() -> None:
        async with memory_client() as (client, _):
            await started(client, "eu", "us", "eu")
            cursor = (await client.query(limit=1)).next_cursor
            with pytest.raises(InvalidQuery, match="the cursor is of another query"):
                await client.query(where=[("state", "eq", "running")], limit=1, cursor=cursor)
            assert (await client.query(limit=2, cursor=cursor)).entries

    asyncio.run(main())


@pytest.mark.parametrize("place", [["1", "x"], [None, None], [True, 5], ["0'; drop table runs", 1]])
def test_a_forged_cursor_is_refused(place: list[Any]) -> None:
    async def main() -> None:
        async with memory_client() as (client, _):
            await started(client, "eu", "us")
            real = (await client.query(limit=1)).next_cursor
            assert real is not None
            form, digest, _, _ = json.loads(base64.urlsafe_b64decode(real + "=" * (-len(real) % 4)))
            forged = base64.urlsafe_b64encode(json.dumps([form, digest, *place]).encode()).decode()
            with pytest.raises(InvalidQuery, match="the cursor is not one"):
                await client.query(limit=1, cursor=forged)

    asyncio.run(main())


def test_queries_return_the_runs_that_match_every_condition() -> None:
    async def main() -> None:
        async with memory_client() as (client, _):
            eu, us = await started(client, "eu", "us")
            for where, expected in (
                ([(("attributes", "region"), "eq", "eu")], [eu]),
                ([(("attributes", "region"), "ne", "eu")], [us]),
                ([(("attributes", "region"), "in", ["eu", "us"])], [eu, us]),
                ([("id", "eq", us.upper())], [us]),
                ([("state", "in", ("running", "suspended"))], [eu, us]),
                ([("completed_at", "eq", None)], [eu, us]),
                ([("started_at", "lt", "2000-01-01T00:00:00Z")], []),
            ):
                page = await client.query(where, order_by="started_at")
                assert [run.id for run in page.entries] == expected, where

    asyncio.run(main())


class Tier(Enum):
    GOLD = "gold"


def test_attributes_take_the_values_that_programs_have() -> None:
    summer = datetime(2026, 7, 1, 9, tzinfo=ZoneInfo("Europe/Berlin"))

    async def main() -> None:
        async with memory_client() as (client, _):
            given = {
                "tier": Tier.GOLD,
                "tiers": [Tier.GOLD],
                "price": Decimal("12.50"),
                "units": Decimal(12345678901234567890),
                "due": summer,
                "day": date(2026, 7, 1),
                "order": UUID(int=1),
            }
            run = await client.start("greeting", "ann", attributes=given)
            await run.set_attributes({"later": summer + timedelta(microseconds=1)})
            assert (await client.get_run(run.id)).attributes == {
                "tier": "gold",
                "tiers": ["gold"],
                "price": 12.5,
                "units": 12345678901234567890,
                "due": "2026-07-01T07:00:00.000000+00:00",
                "later": "2026-07-01T07:00:00.000001+00:00",
                "day": "2026-07-01",
                "order": "00000000-0000-0000-0000-000000000001",
            }
            for name, operator, value in (
                ("tier", "eq", Tier.GOLD),
                ("tier", "in", [Tier.GOLD]),
                ("price", "gt", Decimal("12.49")),
                ("price", "eq", Decimal("12.5")),
                ("due", "eq", summer.astimezone(UTC)),
                ("due", "le", summer),
                ("later", "gt", summer),
                ("day", "lt", date(2026, 7, 2)),
                ("order", "eq", UUID(int=1)),
            ):
                page = await client.query([(("attributes", name), operator, value)])
                assert [entry.id for entry in page.entries] == [run.id], (name, operator)

    asyncio.run(main())


def test_a_path_leads_into_attributes_that_are_maps() -> None:
    async def main() -> None:
        async with memory_client() as (client, _):
            customer = {"city": "Oslo", "since": date(2026, 7, 1)}
            run = await client.start("greeting", "ann", attributes={"customer": customer})
            for condition in (
                (("attributes", "customer", "city"), "eq", "Oslo"),
                (("attributes", "customer", "since"), "lt", date(2026, 7, 2)),
            ):
                page = await client.query([condition])
                assert [entry.id for entry in page.entries] == [run.id], condition
            for name in ("", 5):
                with pytest.raises(InvalidQuery, match="an attribute's name must"):
                    await client.query([(("attributes", "customer", name), "eq", "Oslo")])  # type: ignore[list-item]

    asyncio.run(main())


def test_attributes_are_merged() -> None:
    async def main() -> None:
        async with memory_client() as (client, _):
            (run_id,) = await started(client, "eu")
            await client.set_attributes(run_id, {"vip": True})
            assert (await client.get_run(run_id)).attributes == {"region": "eu", "vip": True}

    asyncio.run(main())
