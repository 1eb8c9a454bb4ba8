"""An environment on Postgres, in real time."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from continuum.errors import ContinuumError, NotReady
from continuum.testing import PostgresEnvironment, assert_replays, postgres_env
from tests.unit.testing import flows


def schemas(dsn: str) -> set[str]:
    with psycopg.connect(dsn) as connection:
        found = connection.execute("select nspname from pg_namespace where nspname like 'continuum_test_%'")
        return {name for (name,) in found}


def test_a_run_ends_and_replays_and_its_schema_is_dropped(dsn: str) -> None:
    async def main() -> None:
        async with postgres_env(dsn) as environment:
            assert len(schemas(dsn) - before) == 1
            with environment.mock_activity(flows.ship, lambda order: "mocked") as shipped:
                run = await environment.start(flows.order_flow, "o1")
                await environment.settle()
                assert await run.state() == "suspended"
                await run.signal(flows.review, "fine")
                assert await run.result() == "mocked 2"
                assert len(shipped.calls) == 1
            assert_replays(flows.order_flow, await environment.history(run.id), expected="mocked 2")

    before = schemas(dsn)
    asyncio.run(main())
    assert schemas(dsn) == before


def test_settle_waits_until_the_inbox_is_read(dsn: str) -> None:
    async def main() -> None:
        async with postgres_env(dsn) as environment:
            run = await environment.start(flows.order_flow, "o1")
            await environment.settle()
            await run.signal(flows.review, "rejected")
            await environment.settle()
            assert await run.state() == "completed"

    asyncio.run(main())


def test_time_on_postgres_cannot_be_moved(dsn: str) -> None:
    async def main() -> None:
        async with postgres_env(dsn) as environment:
            with pytest.raises(ContinuumError, match="cannot be moved"):
                await environment.advance(1)

    asyncio.run(main())


def test_a_postgres_environment_must_be_opened() -> None:
    async def main() -> None:
        environment: PostgresEnvironment = postgres_env("postgresql://nobody")
        with pytest.raises(NotReady, match="async with"):
            await environment.start(flows.order_flow, "o1")

    asyncio.run(main())
