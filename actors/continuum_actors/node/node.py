"""A whole node as the list of processes that a launcher starts."""

from __future__ import annotations

import sys

from continuum.settings.settings import Settings
from continuum_actors.node.control_process import control_main
from continuum_actors.node.host_process import (
    CONTROL,
    QUARANTINE_HOST,
    activity_host_main,
    quarantine_host_main,
    run_host_main,
)
from continuum_actors.node.process_config import ProcessConfig
from continuum_supervision.process.spec import ProcessSpec

# After the drain a process still releases its runs and closes its connections.
SHUTDOWN_MARGIN_SECONDS = 5.0
# A host that dies this often in this many seconds dies of something that a restart does not cure.
HOST_MAX_RESTARTS = 100
HOST_MAX_RESTARTS_WITHIN_SECONDS = 60.0
# A control process that hangs is replaced before the leases that it renews run out: a renewal may be a third
# of a lease old, and the new process needs time to start.
SILENCES_PER_LEASE = 4
# Less than this is no sign on a busy machine.
SHORTEST_SILENCE_SECONDS = 1.0
# Suspects are tried so many at a time, each in a process of its own. It sleeps until there are any.
QUARANTINE_HOSTS = 2


def stop_seconds(settings: Settings) -> float:
    """Return how long a node may take to stop."""
    # All hosts drain at the same time, control goes after them; the last margin is the supervisor's own.
    return settings.drain + 3 * SHUTDOWN_MARGIN_SECONDS


def node_processes(config: ProcessConfig) -> list[ProcessSpec]:
    """Return the processes of a node in start order; the hosts drain together, control stops last."""
    budget = config.settings.drain + SHUTDOWN_MARGIN_SECONDS
    watchdog = config.settings.watchdog
    silence = max(config.settings.lease_ttl / SILENCES_PER_LEASE, SHORTEST_SILENCE_SECONDS)
    specs = [
        ProcessSpec(
            CONTROL,
            control_main,
            config,
            role=CONTROL,
            watches_siblings=True,
            max_restarts=HOST_MAX_RESTARTS,
            max_restarts_within=HOST_MAX_RESTARTS_WITHIN_SECONDS,
            shutdown_budget=SHUTDOWN_MARGIN_SECONDS,
            hung_after=min(silence, watchdog),
        )
    ]
    for role, count, main in (
        ("run_host", config.settings.run_hosts, run_host_main),
        ("activity_host", config.settings.activity_hosts, activity_host_main),
        (QUARANTINE_HOST, QUARANTINE_HOSTS if config.settings.run_hosts else 0, quarantine_host_main),
    ):
        specs += [
            ProcessSpec(
                f"{role}-{number}",
                main,
                config,
                role=role,
                drains=True,
                # To die is what a quarantine host is for.
                max_restarts=HOST_MAX_RESTARTS if role != QUARANTINE_HOST else sys.maxsize,
                max_restarts_within=HOST_MAX_RESTARTS_WITHIN_SECONDS,
                shutdown_budget=budget,
                hung_after=watchdog,
            )
            for number in range(1, count + 1)
        ]
    return specs
