"""Workflows that the tests start as children or continue as new."""

from __future__ import annotations

import continuum
from continuum import Signal, workflow
from tests.unit.engine.activities import echo

go = Signal("go", int)


@workflow(name="families.double")
async def double(value: int) -> int:
    """Return twice the value."""
    return await echo(value * 2)


@workflow(name="families.named_like_options")
async def named_like_options(number: int, *, id: str = "", parent_close_policy: str = "") -> str:
    """Take arguments that are called like the options of a child."""
    return f"{number} {id} {parent_close_policy}"


@workflow(name="families.failing")
async def failing(text: str) -> int:
    """Fail."""
    raise ValueError(text)


@workflow(name="families.waiting")
async def waiting() -> int:
    """Wait for a signal."""
    return await go.wait()


@workflow(name="families.counting")
async def counting(left: int, total: int = 0) -> int:
    """Count down, with a new run for each number."""
    if left:
        counting.continue_as_new(left - 1, total + await echo(left))
    return total


@workflow(name="families.counting_by_name")
async def counting_by_name(left: int) -> str:
    """Continue as new with the module function, which continues the running workflow."""
    if left:
        continuum.continue_as_new(left - 1)
    return "done"
