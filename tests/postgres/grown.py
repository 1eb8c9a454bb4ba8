"""A database that has grown, and the plans of the statements that a journal runs in it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from continuum.journal.postgres import PostgresJournal

EXPLAIN = b"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) "


@dataclass(frozen=True, slots=True)
class Reads:
    """What the statements of one call read: pages, and through which indexes."""

    pages: int
    indexes: frozenset[str]


def reads_of(dsn: str, schema: str, call: Callable[[PostgresJournal], Awaitable[object]]) -> Reads:
    """Make a call twice, so that caches are full, and return what the second one reads."""
    plans: list[Mapping[str, Any]] = []

    async def main() -> None:
        journal = PostgresJournal(dsn, schema=schema, listen=False)
        await journal.open()
        database = journal._database
        fetch = database.fetch_text

        async def explained(text: bytes, parameters: Any = (), **options: Any) -> Any:
            ((plan,),) = await fetch(EXPLAIN + text, parameters)
            plans.append(plan[0]["Plan"])
            return await fetch(text, parameters, **options)

        database.fetch_text = explained  # type: ignore[method-assign]  # the real statements are explained
        try:
            await call(journal)
            plans.clear()
            await call(journal)
        finally:
            await journal.close()

    asyncio.run(main())
    nodes = [node for plan in plans for node in _nodes(plan)]
    pages = sum(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] for plan in plans)
    return Reads(pages, frozenset(node["Index Name"] for node in nodes if "Index Name" in node))


def _nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    children: Sequence[Mapping[str, Any]] = plan.get("Plans", ())
    for child in children:
        yield from _nodes(child)
