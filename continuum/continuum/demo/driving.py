"""The load of the demo: starts, signals, and a kill in the middle.

Every order is one coroutine at a client, as it might be in a web shop; none of them knows about the
kill.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from continuum.client import Client, connect
from continuum.demo.audit import Killing, Seen, verdict_on
from continuum.demo.display import Display
from continuum.demo.interrupts import Interrupts
from continuum.demo.orders import Order, process_order, review
from continuum.errors import ClusterError, ContinuumError
from continuum.node.running_node import RunningNode

ORDERS = 200
# Orders arrive for about seven seconds, so that at any moment some are at every step.
ARRIVAL_SECONDS = 0.035
REVIEW_SECONDS = (0.2, 0.4, 0.6, 0.8, 1.0)
# The kill comes when this many orders have been acknowledged.
KILL_AT = ORDERS // 2
# A lost notification costs a poll, a lost node a lease, each about ten seconds. If no order has moved
# for longer than both, none will.
STUCK_AFTER_SECONDS = 30.0
LOOK_EVERY_SECONDS = 0.1
PAGE = 1_000


@dataclass(slots=True)
class Progress:
    """How far the orders are; `run_ids` has an entry for each acknowledged order."""

    run_ids: dict[int, str] = field(default_factory=dict)
    ended: int = 0
    killing: Killing | None = None


def amounts() -> dict[int, int]:
    """Return the orders: numbers and amounts in cents."""
    return {number: 500 + 37 * number for number in range(ORDERS)}


async def drive(
    node: RunningNode, ledger: str, display: Display, interrupts: Interrupts
) -> tuple[dict[int, Seen], Killing | None]:
    """Run every order, kill two processes meanwhile, and return what the journal has of each order."""
    progress = Progress()
    async with connect(node.dsn, schema=node.schema) as client:
        orders = [
            asyncio.create_task(_one_order(client, Order(number, amount, ledger), progress))
            for number, amount in amounts().items()
        ]
        watcher = asyncio.create_task(_watch(node, progress, display, interrupts))
        try:
            await _all_ended(orders, watcher, display)
        finally:
            for task in (watcher, *orders):
                task.cancel()
            outcomes = await asyncio.gather(*orders, return_exceptions=True)
        for number, outcome in enumerate(outcomes):
            if isinstance(outcome, Exception):
                display.say(f"order {number} was refused: {outcome}")
        display.progress(len(progress.run_ids), progress.ended)
        return await _seen(client, progress.run_ids), progress.killing


async def _all_ended(
    orders: Sequence[asyncio.Task[None]], watcher: asyncio.Task[None], display: Display
) -> None:
    pending = set(orders)
    while pending:
        done, rest = await asyncio.wait(
            {*pending, watcher}, timeout=STUCK_AFTER_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        if watcher in done:
            watcher.result()
        if not done:
            # The audit names every order that has not ended.
            display.say(f"no order has ended for {STUCK_AFTER_SECONDS:.0f} s")
            return
        pending = rest - {watcher}


async def _one_order(client: Client, order: Order, progress: Progress) -> None:
    await asyncio.sleep(order.number * ARRIVAL_SECONDS)
    run = await client.start(process_order, order, idempotency_key=f"order-{order.number}")
    progress.run_ids[order.number] = run.id
    verdict = verdict_on(order.number)
    if verdict is not None:
        await asyncio.sleep(REVIEW_SECONDS[order.number % len(REVIEW_SECONDS)])
        await run.signal(review, verdict)
    try:
        await run.result()
    except ContinuumError:
        # The audit decides whether this end was right.
        pass
    progress.ended += 1


async def _watch(node: RunningNode, progress: Progress, display: Display, interrupts: Interrupts) -> None:
    while True:
        interrupts.check()
        if node.system.ended is not None:
            raise ClusterError(f"the node ended: {node.system.ended.reason or 'nobody stopped it'}")
        if progress.killing is None and len(progress.run_ids) >= KILL_AT:
            progress.killing = _kill(node, display)
        display.progress(len(progress.run_ids), progress.ended)
        await asyncio.sleep(LOOK_EVERY_SECONDS)


def _kill(node: RunningNode, display: Display) -> Killing:
    processes = node.system.processes()
    host = next(process for process in processes if process.role == "run_host")
    activity_host = next(process for process in processes if process.role == "activity_host")
    # The server is on this machine, so its clock is ours.
    at = datetime.now(UTC)
    for process in (host, activity_host):
        os.kill(process.pid, signal.SIGKILL)
    display.say(
        f"kill -9 {host.pid} ({host.id}) and {activity_host.pid} ({activity_host.id}); orders keep coming in"
    )
    return Killing(at, host.pid)


async def _seen(client: Client, run_ids: Mapping[int, str]) -> dict[int, Seen]:
    page = await client.query([("workflow", "eq", process_order.name)], limit=PAGE)
    runs = {run.id: run for run in page.entries}
    known = {number: run_id for number, run_id in run_ids.items() if run_id in runs}
    histories = await asyncio.gather(*(client.history(run_id) for run_id in known.values()))
    return {
        number: Seen(runs[run_id], history)
        for (number, run_id), history in zip(known.items(), histories, strict=True)
    }
