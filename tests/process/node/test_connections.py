"""How many connections a whole node opens, and under which names."""

from __future__ import annotations

import asyncio
from collections import Counter
from uuid import uuid4

from continuum.settings.settings import Settings
from continuum_actors.node.control_process import connections_of
from tests.process.node.nodes import site

ORDERS = 30


async def test_a_node_under_load_opens_no_more_connections_than_its_settings_say(
    dsn: str, schema: str
) -> None:
    name = f"counted-{uuid4().hex[:8]}"
    counts = (
        "select application_name, count(*) from pg_stat_activity where application_name like %s group by 1"
    )
    most: Counter[str] = Counter()
    async with site(dsn, schema) as at:
        at.node(name, run_hosts=2, activity_hosts=1, connections=2)
        work = asyncio.ensure_future(at.orders(ORDERS))
        while True:
            over = work.done()
            for application, count in await at.sql(counts, f"continuum % {name}"):
                most[application] = max(most[application], count)
            if over:
                break
        await at.all_ship(await work)

    assert set(most) == {f"continuum {role} {name}" for role in ("control", "run_host", "activity_host")}
    assert most.total() <= connections_of(Settings(run_hosts=2, activity_hosts=1, connections=2))
