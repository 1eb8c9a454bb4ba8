"""What every process of a node receives when it starts; sent over a pipe, never in argv."""

from __future__ import annotations

from dataclasses import dataclass

from continuum.engine.ids import NodeId
from continuum.settings.settings import Settings
from continuum_supervision.process.log import LogOutput


@dataclass(frozen=True, slots=True)
class ProcessConfig:
    """Where the node of a process is, what it runs, and how it behaves."""

    dsn: str
    schema: str
    node: NodeId
    modules: tuple[str, ...]
    address: str
    launcher_pid: int
    log: LogOutput
    settings: Settings
    # Whether the launcher wants to know of renewals and of what is counted.
    reports: bool = False
