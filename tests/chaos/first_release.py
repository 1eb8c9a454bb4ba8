"""The first release of the one workflow that is deployed while its runs are open."""

from __future__ import annotations

import continuum
from continuum import workflow
from tests.chaos.programs import charge, reserve


@workflow(name="chaos.deployed")
async def deployed(number: int) -> str:
    """Charge, sleep, reserve."""
    payment = await charge(number)
    await continuum.sleep(1.0)
    return f"{payment}, {await reserve(number)}"
