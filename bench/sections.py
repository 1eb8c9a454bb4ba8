"""The sections of the measurement, by name and in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench import (
    bulk,
    growth,
    hops,
    idle,
    latency,
    lone,
    long_runs,
    memory,
    model,
    observed,
    pauses,
    recovery,
    startup,
    sweeping,
    throughput,
    timers,
    updates,
    waiters,
    woken,
)
from bench.database import Server
from bench.peers import section
from bench.sizes import Sizes

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Section:
    """One kind of measurement."""

    title: str
    measure: Callable[[Server, Sizes, Tell], dict[str, Any]]
    # Measured only if it is named: it needs what is not installed with the project, or takes long.
    on_request: bool = False


SECTIONS: dict[str, Section] = {
    "throughput": Section("Throughput, host and client in one process", throughput.one_process),
    "node": Section("Throughput, node of two run hosts and a client", throughput.two_processes),
    "latency": Section("Latency of a single run, one process", latency.single_runs),
    "signals": Section("Signal round trip, one process", latency.signal_round_trips),
    "lone": Section("A run by itself, by number of run hosts", lone.runs_by_number_of_hosts),
    "hops": Section("The hops of a run by itself", hops.of_a_lone_run),
    "parked": Section("Signal to a parked run, node", woken.signals_by_number_of_hosts),
    "children": Section("A parent and its children, node", woken.families_by_number_of_hosts),
    "steps": Section("Cost of a step by length of the run, one process", long_runs.cost_of_a_step),
    "model": Section("The programming model, one process", model.of_a_workflow),
    "recovery": Section("kill -9 of a run host, node of two", recovery.after_a_kill),
    "memory": Section("Memory of a suspended run, node of one run host", memory.of_suspended_runs),
    "idle": Section("An idle node", idle.of_an_idle_node),
    "waiters": Section("Many waits in one client", waiters.of_one_client),
    "startup": Section("Time to start", startup.of_imports_and_nodes),
    "timers": Section("Timers due at once, node of two run hosts", timers.due_at_once),
    "updates": Section("Updates of parked runs, node of two run hosts", updates.of_parked_runs),
    "bulk": Section("Cancel of many parked runs, with two kills", bulk.of_parked_runs, on_request=True),
    "stopped": Section(
        "Cancel of many runs that undo a step, with two kills", bulk.of_runs_that_compensate, on_request=True
    ),
    "sweep": Section("Removal of ended runs", sweeping.of_ended_runs, on_request=True),
    "pauses": Section("Claims beside many tasks of paused runs", pauses.of_many_tasks, on_request=True),
    "observer": Section(
        "Pages of the observer beside many runs", observed.pages_beside_many_runs, on_request=True
    ),
    "growth": Section("What reads and work cost as there is more", growth.of_reads),
    "peers": Section("Beside other engines", section.beside_other_engines, on_request=True),
}
