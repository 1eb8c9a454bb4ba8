"""A workflow whose activity blocks its thread until a file is there."""

from __future__ import annotations

import threading
from pathlib import Path

from continuum import activity, workflow


@activity(name="waiting.blocks")
def blocks(directory: str) -> None:
    """Block a thread."""
    while not (Path(directory) / "release").exists():
        threading.Event().wait(0.02)


@workflow(name="waiting.flow")
async def flow(directory: str) -> None:
    """Make one call."""
    await blocks(directory)
