"""What every process of a node is told when it starts; sent over a pipe, never in argv."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from continuum.engine.ids import NodeId


@dataclass(frozen=True, slots=True)
class ProcessConfig:
    """One process's share of the node's configuration. Times in seconds."""

    dsn: str
    schema: str
    listen: bool
    node: NodeId
    modules: tuple[str, ...]
    queues: Mapping[str, int]
    lease_ttl: float
    watchdog: float
    run_hosts: int
    activity_hosts: int
    address: str
    launcher_pid: int
    active_runs: int
    live_parked_runs: int
    log_level: int
