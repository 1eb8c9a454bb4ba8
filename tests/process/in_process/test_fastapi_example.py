"""The FastAPI example over real HTTP: orders survive the death of the web server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

import continuum
from continuum_migrations import migrate
from tests.process.in_process.web import web_shop

ORDER = {"id": "o1", "cents": 4200}


@pytest.fixture
def database(dsn: str) -> Iterator[str]:
    """Yield a migrated database of its own: the example uses the default schema."""
    name = f"shop_{uuid4().hex[:12]}"
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(SQL("create database {}").format(Identifier(name)))
        try:
            own = make_conninfo(dsn, dbname=name)
            asyncio.run(migrate(own, "continuum"))
            yield own
        finally:
            connection.execute(SQL("drop database {} with (force)").format(Identifier(name)))


async def test_an_order_survives_the_death_of_the_server_in_the_middle_of_it(
    database: str, unused_port: int
) -> None:
    with web_shop(database, unused_port) as shop:
        await shop.until_serving()
        placed = await shop.answer("POST", "/orders", json=ORDER)
        shown = await shop.until_state("o1", "suspended")
        assert shown["progress"] == "in review"
        shop.kill()
    with web_shop(database, unused_port) as shop:
        await shop.until_serving()
        await shop.answer("POST", "/orders/o1/review", params={"verdict": "approved"})
        shown = await shop.until_state("o1", "completed")
        assert shown["result"] == "parcel-o1"
        assert shown["progress"] == "in the warehouse"
        assert await shop.terminate() in (0, -15)
    async with continuum.connect(database) as client:
        types = [event.type for event in await client.history(placed["run"])]
        assert types.count("activity_completed") == 2, "it was charged once and shipped once"
        assert await client.nodes() == []


async def test_an_acknowledged_review_survives_the_death_of_the_server(
    database: str, unused_port: int
) -> None:
    with web_shop(database, unused_port) as shop:
        await shop.until_serving()
        await shop.answer("POST", "/orders", json=ORDER)
        await shop.answer("POST", "/orders/o1/review", params={"verdict": "rejected"})
        shop.kill()
    with web_shop(database, unused_port) as shop:
        await shop.until_serving()
        shown = await shop.until_state("o1", "completed")
        assert shown["result"] == "refunded payment-o1-4200"


async def test_an_order_placed_twice_is_processed_once(database: str, unused_port: int) -> None:
    with web_shop(database, unused_port) as shop:
        await shop.until_serving()
        first = await shop.answer("POST", "/orders", json=ORDER)
        again = await shop.answer("POST", "/orders", json=ORDER)
        assert (first["existing"], again["existing"]) == (False, True)
        assert first["run"] == again["run"]
        for _ in range(2):
            await shop.answer("POST", "/orders/o1/review", params={"verdict": "approved"})
        assert (await shop.until_state("o1", "completed"))["result"] == "parcel-o1"
        late = await shop.call("POST", "/orders/o1/review", params={"verdict": "rejected"})
        assert late.status_code == 409
        unknown = await shop.call("GET", "/orders/nobody")
        assert unknown.status_code == 404
        assert (await shop.call("POST", "/orders", json={"id": "o2"})).status_code == 422
