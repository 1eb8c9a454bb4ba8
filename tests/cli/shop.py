"""A module of workflows on disk that a test deploys several times, and runs of it that wait."""

from __future__ import annotations

import asyncio
import importlib
import sys
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import ModuleType

from tests.cli.commands import CommandLine
from tests.process.actors.hosting import stage

numbers = count()


@dataclass
class Shop:
    """A module on disk that a test deploys several times."""

    folder: Path
    name: str
    cli: CommandLine

    @property
    def flow(self) -> str:
        """The name of its workflow."""
        return f"{self.name}.order"

    @property
    def path(self) -> Path:
        """Its file."""
        return self.folder / f"{self.name}.py"

    def write(self, text: str) -> None:
        """Write the module, in which `{name}` is its name."""
        self.path.write_text(text.replace("{name}", self.name), encoding="utf-8")

    def deploy(self, text: str) -> ModuleType:
        """Write the module and import it again."""
        self.write(text)
        sys.modules.pop(self.name, None)
        importlib.invalidate_caches()
        return importlib.import_module(self.name)

    def park(self, module: ModuleType) -> str:
        """Start a run, and stop its node once the run waits for its signal."""

        async def parking() -> str:
            async with (
                stage(self.cli.options[1], self.cli.options[3]) as on,
                on.alone(module.order) as tree,
            ):
                await tree.host.version_registry.ready.wait()
                run = await on.client.start(module.order, 1)

                async def waits() -> bool:
                    types = [event.type for event in await on.client.history(run.id)]
                    return types[-1:] == ["activity_completed"]

                await on.until(waits, "its activity has not completed")
                await on.until_state(run, "suspended")
                return run.id

        return asyncio.run(parking())

    def fail(self, module: ModuleType) -> str:
        """Start a run, and stop its node once the run has failed."""

        async def failing() -> str:
            async with (
                stage(self.cli.options[1], self.cli.options[3]) as on,
                on.alone(module.order) as tree,
            ):
                await tree.host.version_registry.ready.wait()
                run = await on.client.start(module.order, 1)
                await on.until_state(run, "failed")
                return run.id

        return asyncio.run(failing())
