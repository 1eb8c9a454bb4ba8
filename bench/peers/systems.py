"""The systems that are compared: where each runs, with which settings, and what it cannot do.

Settings are what a system's documentation advises for latency and throughput on one machine, and are printed
with the results. No workload and no figure was chosen or changed for what a system does with it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.peers.restate_server import binary
from bench.processes import ROOT

INSTALLED = ROOT / "build" / "peers"
NOT_INSTALLED = "not installed; run: make peers"
_NO_FLOOR = "the floor has none"
_FLOORS_CANNOT = {
    "children": _NO_FLOOR,
    "timers": _NO_FLOOR,
    "killed": "the floor recovers nothing",
    "memory": "the floor suspends nothing",
}


@dataclass(frozen=True, slots=True)
class System:
    """One column.

    `place` is where its data lives: "our schema", "own database" or "restate". `hosts` is how many processes
    execute runs beside the caller. `environment` names its directory under `build/peers`; without one it
    runs in this project's own. `cannot` says for a measure why there is none.
    """

    name: str
    title: str
    program: str
    place: str = "our schema"
    hosts: int = 0
    environment: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    cannot: Mapping[str, str] = field(default_factory=dict)
    durability: str = "Postgres"
    ours: bool = False

    @property
    def installed(self) -> Path:
        """Where its packages are."""
        return INSTALLED / (self.environment or "")

    @property
    def python(self) -> Path:
        """The interpreter that its programs run in."""
        return Path(sys.executable) if self.environment is None else self.installed / "bin" / "python"

    def missing(self) -> str | None:
        """Say how to install it, if it is not."""
        if not self.python.exists():
            return NOT_INSTALLED
        if self.place == "restate" and binary(self.installed) is None:
            return f"its server is {NOT_INSTALLED} (needs npm)"
        return None


SYSTEMS = (
    System("floor", "floor", "floor_alone", cannot=_FLOORS_CANNOT),
    System("floor_client", "floor with a client", "client_floor", hosts=1, cannot=_FLOORS_CANNOT),
    System(
        "dbos",
        "DBOS 3.4, in process",
        "dbos_program",
        place="own database",
        environment="dbos",
        settings={"use_listen_notify": True, "sys_db_pool_size": 20, "log_level": "WARNING"},
    ),
    System(
        "absurd",
        "Absurd 0.5, 2 workers",
        "absurd_program",
        place="own database",
        hosts=2,
        environment="absurd",
        settings={"concurrency": 100, "poll_interval": 0.005, "claim_timeout": 10},
        cannot={"memory": "a task that waits leaves its worker: nothing of it is live"},
    ),
    System(
        "restate",
        "Restate 1.7",
        "restate_program",
        place="restate",
        hosts=1,
        environment="restate",
        durability="its own log, one copy, with fsync (its default)",
    ),
    System("embedded", "ours, in process", "ours", settings={"embedded": True}, ours=True),
    System("one_host", "ours, 1 host", "ours", hosts=1, settings={"name": "bench"}, ours=True),
    System("two_hosts", "ours, 2 hosts", "ours", hosts=2, settings={"name": "bench"}, ours=True),
)
