"""As it was deployed later: what a run of the earlier code has done does not match."""

from __future__ import annotations

from continuum import Signal, activity, workflow

go = Signal("go", str)


@activity(name="deployed.ship")
async def ship() -> str:
    """Ship."""
    return "shipped"


@workflow(name="deployed.changing")
async def changing() -> str:
    """Ship, and wait."""
    said = await ship()
    return f"{said}: {await go.wait()}"


@workflow(name="deployed.drifting")
async def drifting() -> str:
    """Ship, and wait."""
    said = await ship()
    return f"{said}: {await go.wait()}"


@workflow(name="deployed.undoing")
async def undoing() -> None:
    """Ship, and wait."""
    await ship()
    await go.wait()


drifting.version_hash = undoing.version_hash = "the same"


@workflow(name="deployed.reading")
async def reading(number: int, other: int) -> int:
    """Read two numbers."""
    return number + other


@workflow(name="deployed.deadly")
async def deadly() -> str:
    """Harm nobody."""
    return "mended"


@workflow(name="deployed.strict", on_change="wait")
async def strict() -> str:
    """Wait, and continue only with the code that began it."""
    said = await go.wait()
    return f"{said} after"
