"""What an instance or a node is told, checked before anything starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from continuum.errors import InvalidOption

# A lease outlives two missed renewals and one slow fsync, and still frees a
# dead worker's runs before a person notices.
LEASE_TTL_SECONDS = 10.0
# A loop of a host that has not turned for this long is stuck in user code.
WATCHDOG_SECONDS = 15.0
# Two processes share two cores with the database on the smallest machine we measure on.
DEFAULT_RUN_HOSTS = 2
DEFAULT_ACTIVITY_HOSTS = 1


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """One node: where its database is, what code it runs, and how many processes it has.

    `modules` are import names whose workflows and activities the node serves.
    `live_parked_runs` is how many parked runs a run host keeps in memory, None for the default.
    `queues` bounds how many tasks of a queue run at once on this node. `dsn` None
    starts this user's embedded Postgres. `bind` and `join` are (host, port). A host
    whose loop stands still for `watchdog` seconds is killed.
    """

    modules: Sequence[str] = ()
    dsn: str | None = None
    schema: str = "continuum"
    name: str = ""
    namespace: str | None = None
    run_hosts: int = DEFAULT_RUN_HOSTS
    activity_hosts: int = DEFAULT_ACTIVITY_HOSTS
    queues: Mapping[str, int] = field(default_factory=dict)
    bind: tuple[str, int] | None = None
    join: tuple[str, int] | None = None
    cookie_file: Path | None = None
    listen: bool = True
    lease_ttl: float = LEASE_TTL_SECONDS
    live_parked_runs: int | None = None
    watchdog: float = WATCHDOG_SECONDS

    def __post_init__(self) -> None:
        if self.run_hosts < 1:
            raise InvalidOption(f"a node needs at least one run host, not {self.run_hosts}")
        if self.activity_hosts < 0:
            raise InvalidOption(f"the number of activity hosts cannot be {self.activity_hosts}")
        if not 1 <= self.lease_ttl <= 600:
            raise InvalidOption(f"the lease must last from 1 to 600 seconds, not {self.lease_ttl}")
        for queue, limit in self.queues.items():
            if limit < 1:
                raise InvalidOption(f"the limit of queue {queue!r} must be at least 1, not {limit}")
        if self.join is not None and self.bind is None:
            raise InvalidOption(
                "--join needs --bind: other nodes must be able to answer; give --bind HOST:PORT"
            )
