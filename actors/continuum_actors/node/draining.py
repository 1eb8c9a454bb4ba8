"""The drain of a process: it claims nothing more, releases idle runs, and lets running activities end."""

from __future__ import annotations

import asyncio
import logging
import math

from continuum_actors.host import limits
from continuum_actors.host.host import Host
from continuum_supervision import ActorRef

log = logging.getLogger("continuum.node")

# Between two looks at what still runs.
LOOK_SECONDS = 0.02


async def drain(host: Host) -> None:
    """Claim nothing more, release idle runs, and wait up to `settings.drain` for the rest to end."""
    host.draining = True
    deadline = asyncio.get_running_loop().time() + host.settings.drain
    asked: set[ActorRef] = set()
    while asyncio.get_running_loop().time() < deadline:
        live = host.runs.which_children() if host.role == "run_host" else []
        # A claim that was under way may have brought new runs; release those too.
        if not asked.issuperset(live):
            host.runs.release_all()
            asked.update(live)
        if not live and not is_busy(host):
            return
        await asyncio.sleep(LOOK_SECONDS)
    log.warning("drain: out of time; what still runs here is released and runs again elsewhere")


async def leave(host: Host) -> None:
    """Release what this process still owns now, not when the lease runs out.

    After a drain its activities are reported as interrupted first: an orderly stop counts no crash.
    """
    worker, journal = host.registered_worker().id, host.journal.once
    if host.draining:
        await journal.interrupt_activities(worker, host.interrupted)
    await journal.retire_worker(
        worker, executing=None, poison_after=limits.POISON_AFTER_DEATHS, dead_for=math.inf
    )


def is_busy(host: Host) -> bool:
    """Whether activities run in this process; an activity host has no runs, and no activities of theirs."""
    return host.tasks.busy or (host.role == "run_host" and host.activities.busy)
