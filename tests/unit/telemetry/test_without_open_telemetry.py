"""A process without OpenTelemetry: nothing of it is missed, and nothing of it is loaded."""

from __future__ import annotations

from collections.abc import Callable

import pytest

RUN = """
import asyncio, sys
{before}
import continuum
from continuum.testing import env

@continuum.activity(name="without.step")
def step():
    return continuum.activity_context().attempt

@continuum.workflow(name="without.flow")
async def flow():
    return await step(), continuum.info().trace_context

async def main():
    async with env() as environment:
        run = await environment.start(flow)
        print(await run.result())

asyncio.run(main())
print("opentelemetry.trace" in sys.modules)
"""


@pytest.mark.parametrize("before", ["sys.modules['opentelemetry'] = None", ""])
def test_runs_need_no_open_telemetry_and_load_none(before: str, fresh_python: Callable[[str], str]) -> None:
    assert fresh_python(RUN.format(before=before)).splitlines() == ["(1, None)", "False"]
