"""Workflows whose activities are stuck until a file is there: in a thread, in the loop, or waiting in it."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

from continuum import activity, workflow


@activity(name="stuck.in_thread")
def stuck_in_thread(directory: str) -> None:
    """Block a thread."""
    sits_in_thread(Path(directory))


def sits_in_thread(directory: Path) -> None:
    """Block whatever calls it."""
    (directory / "in_thread").touch()
    while not (directory / "release").exists():
        threading.Event().wait(0.02)


@activity(name="stuck.in_loop")
async def stuck_in_loop(directory: str) -> None:
    """Block the loop."""
    sits_in_loop(Path(directory))


def sits_in_loop(directory: Path) -> None:
    """Block whatever calls it."""
    (directory / "in_loop").touch()
    while not (directory / "release").exists():
        threading.Event().wait(0.02)


@activity(name="stuck.waiting")
async def stuck_waiting(directory: str) -> None:
    """Wait in the loop, which turns."""
    await lingers(Path(directory))


async def lingers(directory: Path) -> None:
    """Wait."""
    (directory / "waiting").touch()
    released = asyncio.Event()

    def look() -> None:
        if (directory / "release").exists():
            released.set()
        else:
            asyncio.get_running_loop().call_later(0.02, look)

    look()
    await released.wait()


@workflow(name="stuck.flow")
async def flow(directory: str, where: str) -> None:
    """Make one call."""
    calls = {"in_thread": stuck_in_thread, "in_loop": stuck_in_loop, "waiting": stuck_waiting}
    await calls[where](directory)
