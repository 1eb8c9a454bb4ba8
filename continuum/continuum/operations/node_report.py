"""What a node reports of itself while somebody looks: its processes, their load, and their trees of actors.

Frozen records, JSON in the database (`stored_records.py`). Words such as `kind` and `doing` are texts, not
enumerations: a node of another release may report words that this one does not know.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ActorReport:
    """An actor as its supervisor sees it.

    `kind` is worker, supervisor or dynamic_supervisor; `doing` is busy, idle, ending or down. `restarts` is
    how often it was started again, the last time after it had ended `ended_ago` seconds before the report,
    for the reason `why`. `unlisted` counts children beside the listed ones, of which `children` has those
    with the most messages waiting. `crashes` counts children of a dynamic supervisor that crashed and may be
    gone, with the last one in `crashed_ago` and `crash`.
    """

    id: str
    kind: str
    doing: str
    mailbox: int = 0
    actor: str | None = None
    restarts: int = 0
    ended_ago: float | None = None
    why: str | None = None
    strategy: str | None = None
    children: tuple[ActorReport, ...] = ()
    unlisted: int = 0
    crashes: int = 0
    crashed_ago: float | None = None
    crash: str | None = None


@dataclass(frozen=True, slots=True)
class Load:
    """What a host executes, each with its limit: runs in memory, and attempts of activities.

    `live_runs` are active or suspended: those have something under way here, these only wait. Attempts of
    activities without a queue are `local`, those that were claimed from queues are `tasks`. Attempts of `def`
    activities occupy `busy_threads`, or wait for one.
    """

    live_runs: int = 0
    active_runs: int = 0
    active_limit: int = 0
    suspended_runs: int = 0
    suspended_limit: int = 0
    local: int = 0
    tasks: int = 0
    task_limit: int = 0
    busy_threads: int = 0
    thread_limit: int = 0
    waiting_for_a_thread: int = 0


@dataclass(frozen=True, slots=True)
class ProcessReport:
    """A process of a node. With `silent_for` it does not answer, and most fields are not known.

    `silent_for` is how many seconds ago its loop turned last. `restarts` is how often it was started again,
    the last time after it had ended as `last_end` says. `lease_age` is since its lease was renewed last, None
    if it has none; `loop_lag` is how late its loop called back, `up_for` since it has started, in seconds;
    `memory` in bytes; `connections` is how many it has open to the database.
    """

    process_id: str
    role: str
    pid: int
    restarts: int = 0
    last_end: str | None = None
    silent_for: float | None = None
    up_for: float | None = None
    worker: int | None = None
    lease_age: float | None = None
    loop_lag: float | None = None
    memory: int | None = None
    connections: int | None = None
    draining: bool = False
    load: Load | None = None
    tree: ActorReport | None = None


@dataclass(frozen=True, slots=True)
class NodeReport:
    """A node as it sees itself; `state` is up or draining."""

    node: str
    state: str
    processes: tuple[ProcessReport, ...] = ()


@dataclass(frozen=True, slots=True)
class Stack:
    """Where `number` threads or tasks are: `frames` are "file:line function", the innermost last.

    `kind` is thread or task; `name` is that of the thread, or of the coroutine function of the task.
    """

    kind: str
    name: str
    frames: tuple[str, ...] = ()
    number: int = 1


@dataclass(frozen=True, slots=True)
class ProcessStacks:
    """The stacks of a process, without values. Those that did not fit are counted in `omitted`.

    One that has not answered, not even from its main thread, has `answered` False.
    """

    process_id: str
    role: str
    pid: int
    stacks: tuple[Stack, ...] = ()
    omitted: int = 0
    answered: bool = True
