"""The second release: it counts too, but only in runs that have not passed that place."""

from __future__ import annotations

import continuum
from continuum import workflow
from tests.chaos.programs import charge, count, reserve


@workflow(name="chaos.deployed")
async def deployed(number: int) -> str:
    """Charge, sleep, count, reserve."""
    payment = await charge(number)
    await continuum.sleep(1.0)
    if continuum.patched("count"):
        await count(number)
    return f"{payment}, {await reserve(number)}"
