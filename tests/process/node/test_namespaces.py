"""Whole nodes that serve different namespaces of one schema."""

from __future__ import annotations

from tests.process.node import flows
from tests.process.node.nodes import DEADLINE_S, site


async def test_nodes_finish_only_runs_of_the_namespaces_that_they_were_started_with(
    dsn: str, schema: str
) -> None:
    async with site(dsn, schema) as at:
        at.node("north", namespaces=("first", "second"), activity_hosts=1)
        at.node("south", namespaces=("third",), activity_hosts=1)
        serves = {"first": "north", "second": "north", "third": "south"}
        runs = {name: await at.client.start(flows.parcel, 4, namespace=name) for name in serves}
        unserved = await at.client.start(flows.parcel, 4, namespace="fourth")
        for name, run in runs.items():
            await at.until_state(run, "suspended")
            owner = (
                "select node from {schema}.workers where id = (select owner from {schema}.runs where id = %s)"
            )
            owners = await at.sql(owner, run.id)
            assert owners == [(serves[name],)]
        await unserved.signal(flows.go, "yes")
        stored = await at.sql("select * from {schema}.runs where id = %s", unserved.id)
        for run in runs.values():
            await run.signal(flows.go, "yes")
            assert await run.result(DEADLINE_S) == flows.delivered(4)

        assert await at.sql("select * from {schema}.runs where id = %s", unserved.id) == stored
        assert {row.node: row.namespaces for row in await at.client.nodes()} == {
            "north": ["first", "second"],
            "south": ["third"],
        }
        at.node("whole", activity_hosts=1)
        assert await unserved.result(DEADLINE_S) == flows.delivered(4)
        assert (await at.row("whole")) is not None
