"""Leaving in order: nothing new is claimed, what rests goes to others, what runs may end."""

from __future__ import annotations

import asyncio
import logging

from continuum_actors.host.host import Host
from continuum_supervision import ActorRef

log = logging.getLogger("continuum.node")

# How often what still runs is looked at.
LOOK_SECONDS = 0.02


async def drain(host: Host) -> None:
    """Claim nothing more, hand over what rests, and let what runs end for a while."""
    host.draining = True
    deadline = asyncio.get_running_loop().time() + host.settings.drain
    asked: set[ActorRef] = set()
    while asyncio.get_running_loop().time() < deadline:
        live = host.runs.which_children() if host.role == "run_host" else []
        # Again when a claim that was under way has brought new ones.
        if not asked.issuperset(live):
            host.runs.hand_over()
            asked.update(live)
        if not live and not host.activities.busy:
            return
        await asyncio.sleep(LOOK_SECONDS)
    log.warning("drain: out of time; what still runs here is handed over and runs again elsewhere")
