"""Applications as processes of their own: they run a node and obey lines on standard input."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from continuum import Client, RunHandle, Workflow
from tests.process.in_process import flows

DEADLINE_S = 60.0
# No lease of this length expires during a test.
LONG_LEASE_S = 600.0

WORKFLOWS: Sequence[Workflow[..., Any]] = (
    flows.order,
    flows.packing,
    flows.patient,
    flows.resting,
)

HOST = """
import asyncio, sys, threading
import continuum
from continuum_supervision import Supervisor
from tests.process.in_process import flows

async def main():
    node = continuum.children(**eval(sys.argv[1]), workflows=[flows.order, flows.packing])
    async with Supervisor(node):
        print("ready", flush=True)
        while (line := await asyncio.to_thread(sys.stdin.readline)).strip():
            # The application's mistake: it blocks its loop.
            threading.Event().wait(float(line))
            print("awake", flush=True)

asyncio.run(main())
"""


class HostProcess:
    """An application with a node."""

    def __init__(self, **options: Any) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOST, repr(options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )

    def expect(self, word: str) -> None:
        """Wait for the next line of its output, which must be `word`."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.strip() == word, f"the application wrote {line!r}"

    def write(self, line: str) -> None:
        """Write a line to its input; an empty one ends it in order."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.wait(DEADLINE_S)

    def end(self) -> None:
        """Kill it and close its pipes."""
        self.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


@contextmanager
def host_process(**options: Any) -> Iterator[HostProcess]:
    """Start an application and wait until its node works; kill it at the end."""
    host = HostProcess(**options)
    try:
        host.expect("ready")
        yield host
    finally:
        host.end()


async def until(claim: Callable[[], Awaitable[bool]], otherwise: str) -> None:
    """Return once the claim holds."""
    deadline = asyncio.get_running_loop().time() + DEADLINE_S
    while not await claim():
        assert asyncio.get_running_loop().time() < deadline, otherwise
        await asyncio.sleep(0.01)


async def until_suspended(run: RunHandle[Any]) -> None:
    """Return once the run is suspended."""

    async def is_suspended() -> bool:
        return await run.state() == "suspended"

    await until(is_suspended, f"run {run.id} is not suspended")


async def until_owned(client: Client, instance: str) -> None:
    """Return once a node of this instance owns a run."""

    async def owns() -> bool:
        return any(row.node.startswith(f"{instance}@") and row.live_runs for row in await client.nodes())

    await until(owns, f"{instance} owns no run")
