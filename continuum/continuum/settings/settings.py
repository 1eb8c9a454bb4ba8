"""How a node behaves: every setting with its unit, its default and the values a user may choose.

One record travels from the command line or `continuum.children` to every process of a node. A new
setting is a field here, an option of `run-node` or `children`, and the line that reads it. Where a
node is (database, name, addresses, cookie) is not a setting; see `node/config.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from continuum.errors import InvalidOption
from continuum.settings.rules import (
    NAMESPACE_RULE,
    TRUE_OR_FALSE,
    Rule,
    at_least,
    seconds,
    whole_number,
    wrong_namespaces,
    wrong_queue,
)

# Notifications can be lost; the poll bounds how long. A lost connection is noticed by itself and
# followed by a look, so only a notification dropped on a healthy connection waits this long.
POLL_SECONDS = 10.0
# Without LISTEN one actor of a node looks for all its processes, this seldom while nothing happens: a person
# hardly notices the delay, and the server does not notice the look.
LOOK_SECONDS = 1.0
# It tells them what it sees, again and again, so that they look by themselves even more seldom.
POLL_WITHOUT_LISTEN_SECONDS = 120.0


def _setting(default: Any, rule: Rule) -> Any:
    return field(default=default, metadata={"rule": rule})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a node and each of its processes behave; times in seconds.

    The defaults are those of one process by itself; `NODE_SETTINGS` are those of `run-node`. A value
    that no user may choose is not refused before `check`: on the clock of a test, a lease lasts for ever.
    """

    run_hosts: int = _setting(1, at_least(1, "a node needs at least one run host, not {value}"))
    activity_hosts: int = _setting(0, at_least(0, "the number of activity hosts cannot be {value}"))
    # How many tasks of a queue run at once on this node.
    queues: Mapping[str, int] = field(default_factory=dict)
    # Runs, activity tasks and timers of these namespaces only are claimed; None claims from all.
    namespaces: tuple[str, ...] | None = None
    # False does without LISTEN, which poolers lack.
    listen: bool = _setting(True, TRUE_OR_FALSE)
    # Connections of a run host, or of an application, to Postgres: one for commits and notifications, the
    # rest for all else. The server has 100 by default, for the processes of all nodes.
    connections: int = _setting(3, whole_number(2, 100))
    # The longest pause between two looks that no notification caused; None depends on `listen`.
    poll: float | None = _setting(None, seconds(0.05, 3600))
    # A lease outlives two missed renewals and one slow fsync, and still releases a dead worker's runs
    # before a person notices.
    lease_ttl: float = _setting(10.0, seconds(1, 600, "the lease must last {allowed}, not {value}"))
    # A process whose loop has not turned for this long is stuck in user code, and is killed.
    watchdog: float = _setting(15.0, seconds(0.1, 3600))
    # A drain lets running activities end for this long, then releases their runs.
    drain: float = _setting(10.0, seconds(0, 3600))
    # Enough runs in motion to fill a group commit, few enough that each one is served soon.
    active_runs: int = _setting(1_000, whole_number(1, 100_000))
    # A suspended run costs at most 12 KB: about 200 MB a host, then the longest suspended are evicted.
    live_suspended_runs: int = _setting(16_000, whole_number(1, 10_000_000))
    # A history with this many events more than its snapshot gets a new one.
    snapshot_events: int = _setting(1_000, whole_number(1, 1_000_000_000))
    # Threads for `def` activities; they mostly wait for the network.
    activity_threads: int = _setting(32, whole_number(1, 1024))
    # Tasks of queues that one process runs at once.
    claimed_tasks: int = _setting(64, whole_number(1, 100_000))
    # The timer wheel looks again at least this often: the journal's clock and ours may drift apart.
    longest_nap: float = _setting(10.0, seconds(0.05, 3600))

    @property
    def poll_seconds(self) -> float:
        """Return how many seconds lie between two looks of a process that nobody caused."""
        if not self.listen:
            return POLL_WITHOUT_LISTEN_SECONDS
        return POLL_SECONDS if self.poll is None else self.poll

    @property
    def look_seconds(self) -> float:
        """Return how many seconds lie between two looks of a node without LISTEN while nothing happens."""
        return LOOK_SECONDS if self.poll is None else self.poll

    def check(self) -> None:
        """Raise `InvalidOption` if a setting has a value that no user may choose."""
        if (wrong := wrong_queue(self.queues)) is not None:
            raise InvalidOption("the limit of queue {!r} must be at least 1, not {}".format(*wrong))
        if self.namespaces is not None:
            if not isinstance(self.namespaces, tuple):
                # Each letter of a text would be taken for a name.
                raise InvalidOption(f"namespaces must be a tuple of names, not {self.namespaces!r:.100}")
            for namespace in wrong_namespaces(self.namespaces):
                raise InvalidOption(f"a namespace has {NAMESPACE_RULE}, not {namespace!r:.100}")
            if not self.namespaces:
                raise InvalidOption("a node without a namespace would claim nothing; None claims from all")
        for name, rule in RULES.items():
            value = getattr(self, name)
            if not rule.accepts(value) and not (value is None and name in OPTIONAL):
                raise InvalidOption(rule.refusal.format(name=name, allowed=rule.allowed, value=value))


# The rule of each setting by its name.
RULES: Mapping[str, Rule] = {
    setting.name: setting.metadata["rule"] for setting in fields(Settings) if setting.metadata
}

# The settings that may be None.
OPTIONAL = frozenset(setting.name for setting in fields(Settings) if setting.default is None)

# Two run hosts share two cores with the database on the smallest machine we measure on. Another process
# renews the lease of a run host, so that a slow statement here delays none.
NODE_SETTINGS = Settings(run_hosts=2, activity_hosts=1, connections=2)
