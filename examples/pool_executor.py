"""Activities in a thread pool of the application: an `activity_executor` for `continuum.children`.

    python examples/pool_executor.py

Another job queue is the same: `submit` puts a job with `call.id`, `call.activity` and the arguments there and
returns a future that the answer completes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import continuum
from continuum import ActivityCall
from continuum_supervision import Supervisor


class PoolExecutor:
    """Runs every activity of the node in the threads of a pool."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="activities")
        self._calls: dict[str, Future[Any]] = {}

    def submit(self, call: ActivityCall) -> Awaitable[Any]:
        """Have a thread make the call; async activities run there in a loop of their own."""
        future = self._calls[call.id] = self._pool.submit(call.run)
        future.add_done_callback(lambda _: self._calls.pop(call.id, None))
        return asyncio.wrap_future(future)

    def cancel(self, call: ActivityCall) -> None:
        """Forget the call if no thread has begun it; a thread cannot be stopped."""
        future = self._calls.get(call.id)
        if future is not None:
            future.cancel()

    async def drain(self) -> None:
        """Wait until no thread is busy."""
        await asyncio.to_thread(self._pool.shutdown)


@continuum.activity
def render(page: str) -> str:
    """Render a page."""
    return f"<h1>{page}</h1>"


@continuum.workflow
async def publish_pages(pages: list[str]) -> list[str]:
    """Render pages side by side."""
    return list(await asyncio.gather(*(render(page) for page in pages)))


async def main() -> list[str]:
    """Run one node with the executor, and one run on it."""
    node = continuum.children(
        name="pages", journal="memory", workflows=[publish_pages], activity_executor=PoolExecutor(4)
    )
    async with Supervisor(node), continuum.connect(name="pages") as client:
        run = await client.start(publish_pages, ["home", "about"])
        return await run.result(timeout=30)


if __name__ == "__main__":
    print(asyncio.run(main()))
