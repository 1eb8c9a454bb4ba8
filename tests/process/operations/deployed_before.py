"""As it was deployed first."""

from __future__ import annotations

from continuum import Signal, activity, saga, workflow
from tests.process.node.deadly_flows import hidden

go = Signal("go", str)


@activity(name="deployed.charge")
async def charge() -> str:
    """Charge."""
    return "charged"


@workflow(name="deployed.changing")
async def changing() -> str:
    """Charge, and wait."""
    said = await charge()
    return f"{said}: {await go.wait()}"


@workflow(name="deployed.drifting")
async def drifting() -> str:
    """Charge, and wait."""
    said = await charge()
    return f"{said}: {await go.wait()}"


@activity(name="deployed.refund")
async def refund(charged: str) -> None:
    """Undo a charge."""


@workflow(name="deployed.undoing")
async def undoing() -> None:
    """Charge, wait, and refund if that fails."""
    async with saga() as undo:
        undo.add(refund, await charge())
        await go.wait()
        await charge()


# As if something had changed that the hash does not cover.
drifting.version_hash = undoing.version_hash = "the same"


@workflow(name="deployed.reading")
async def reading(number: int) -> int:
    """Read one number."""
    return number


@workflow(name="deployed.deadly")
async def deadly() -> str:
    """Kill the process that executes it."""
    hidden[0].die("exit")  # type: ignore[operator]
    return "unreachable"


@workflow(name="deployed.strict", on_change="wait")
async def strict() -> str:
    """Wait, and continue only with the code that began it."""
    said = await go.wait()
    return f"{said} before"
