"""`python -m tests.interleavings`: explore every scenario and print how many schedules it has."""

from __future__ import annotations

import asyncio
import time

from tests.interleavings.explorer import Explorer
from tests.interleavings.scenarios import SCENARIOS
from tests.postgres_server import migrated_schema, session_server

with session_server() as dsn, migrated_schema(dsn) as schema:
    total = 0
    for scenario in SCENARIOS:
        begun = time.monotonic()
        explored = asyncio.run(Explorer(dsn, schema).explore(scenario))
        total += explored.schedules
        print(  # noqa: T201
            f"{explored.schedules:5} schedules, {explored.waits} waits for a lock, "
            f"{time.monotonic() - begun:.1f} s: {scenario.name}",
            flush=True,
        )
        if explored.violated is not None:
            print(f"{explored.violated}\n  {explored.schedule}", flush=True)  # noqa: T201
    print(f"{total:5} schedules")  # noqa: T201
