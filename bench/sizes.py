"""How much to measure: enough for reliable figures, or just enough to see that everything works."""

from __future__ import annotations

from dataclasses import dataclass, field

from bench.peers.figures import FULL_WORK, TINY_WORK, Work


@dataclass(frozen=True, slots=True)
class Sizes:
    """Numbers of runs and rounds. Both sides of a comparison do the same work."""

    rounds: int = 3
    # Steps of a run, and how many runs begin at once; each row takes about equally long.
    throughput: dict[int, int] = field(default_factory=lambda: {0: 8_000, 1: 6_000, 10: 2_500, 100: 300})
    # Steps of a run, and how many follow one another.
    latency: dict[int, int] = field(default_factory=lambda: {0: 150, 1: 150, 10: 60})
    # Run hosts of the nodes on which single runs are measured, and how many runs on each.
    lone_hosts: tuple[int, ...] = (1, 2, 4, 8)
    lone_runs: int = 200
    signals: int = 150
    # Run hosts of the nodes on which signals to parked runs and families are measured.
    woken_hosts: tuple[int, ...] = (1, 2)
    parents: int = 30
    children: int = 100
    long_runs: dict[int, int] = field(default_factory=lambda: {10: 60, 100: 10, 10_000: 1})
    long_history: int = 50_000
    runs_in_flight: int = 1_000
    slow_steps: int = 20
    suspended: int = 5_000
    kept_live_when_evicting: int = 100
    idle_seconds: float = 30.0
    # A new node first fills caches and sends statistics.
    idle_after_seconds: float = 12.0
    # Parked runs that one client waits for.
    waiters: int = 10_000
    # Parked runs beside which reads are measured.
    growth: tuple[int, ...] = (10_000,)
    # Runs that wait for some signals each.
    updated: tuple[int, ...] = (300, 3_000)
    # Runs that are due at one instant.
    timers: tuple[int, ...] = (1_000, 10_000)
    # Runs that are changed by one operation, and ended runs that are swept.
    bulk: int = 100_000
    # Runs beside which pages of the observer are asked for, and events of the longest of them.
    observed: int = 1_000_000
    observed_events: int = 100_000
    # What the systems of `peers` do in a round, and which of them; none means all.
    peers: Work = FULL_WORK
    systems: tuple[str, ...] = ()


LARGE_GROWTH = (10_000, 100_000, 1_000_000)
FULL = Sizes()
QUICK = Sizes(
    rounds=1,
    throughput={0: 800, 1: 600, 10: 250, 100: 30},
    latency={0: 30, 1: 30, 10: 10},
    lone_hosts=(1, 2),
    lone_runs=40,
    signals=30,
    parents=10,
    long_runs={10: 20, 100: 4, 2_000: 1},
    long_history=10_000,
    runs_in_flight=200,
    slow_steps=20,
    suspended=500,
    kept_live_when_evicting=50,
    timers=(1_000,),
    updated=(300,),
    idle_seconds=5.0,
    idle_after_seconds=3.0,
    waiters=1_000,
    bulk=10_000,
    observed=50_000,
    observed_events=5_000,
)
TINY = Sizes(
    rounds=1,
    throughput={0: 20, 2: 10},
    latency={0: 3, 2: 3},
    lone_hosts=(1,),
    lone_runs=4,
    signals=3,
    woken_hosts=(1,),
    parents=2,
    children=5,
    long_runs={2: 3, 20: 1},
    long_history=400,
    runs_in_flight=20,
    slow_steps=10,
    suspended=40,
    kept_live_when_evicting=10,
    timers=(20,),
    updated=(10,),
    idle_seconds=1.0,
    idle_after_seconds=0.5,
    waiters=30,
    growth=(300,),
    bulk=3_000,
    observed=300,
    observed_events=300,
    peers=TINY_WORK,
)
