"""The queues of activities: what waits in them, what runs where, and what is paused."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from continuum.client.pause_outcome import Pause
from continuum.journal.facts import NodeRow
from continuum.journal.workload_port import QueueLoad
from continuum.observer.page import Page
from continuum.observer.part import Part, part
from continuum.observer.visit import Visit


@dataclass(frozen=True, slots=True)
class Share:
    """How many activities of a queue a node runs, and how many at most; None if it has not said."""

    node: str
    running: int
    limit: int | None


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue: what it holds, who runs it, and its pause."""

    name: str
    load: QueueLoad
    shares: Sequence[Share]
    pause: Pause | None


@dataclass(frozen=True, slots=True)
class Queues:
    """Every queue that has tasks, a limit or a pause, and the pauses of other things."""

    queues: Part[Sequence[Queue]]
    pauses: Part[Sequence[Pause]]


async def read(visit: Visit) -> Queues:
    """Read queues and pauses."""
    loads, nodes, pauses = await asyncio.gather(
        part(visit.journal.queue_loads()), part(visit.reads.nodes()), part(visit.reads.pauses())
    )
    trouble = loads.trouble or nodes.trouble or pauses.trouble
    if loads.value is None or nodes.value is None or pauses.value is None:
        return Queues(Part(None, trouble), Part(None, pauses.trouble))
    found: Part[Sequence[Queue]] = Part(queues_of(loads.value, nodes.value, pauses.value))
    return Queues(found, Part([pause for pause in pauses.value if pause.kind != "queue"]))


def queues_of(loads: Iterable[QueueLoad], nodes: Sequence[NodeRow], pauses: Iterable[Pause]) -> list[Queue]:
    """Return every queue that has tasks, a limit or a pause, by name."""
    load_of = {load.queue: load for load in loads}
    pause_of = {pause.name: pause for pause in pauses if pause.kind == "queue"}
    limited = {name for node in nodes if node.code is not None for name, _ in node.code.queues}
    names = sorted({*load_of, *pause_of, *limited})
    return [
        Queue(
            name,
            load_of.get(name, QueueLoad(name, 0, None, 0, False)),
            _shares(name, nodes),
            pause_of.get(name),
        )
        for name in names
        if name
    ]


def _shares(queue: str, nodes: Iterable[NodeRow]) -> list[Share]:
    found = []
    for node in nodes:
        running = sum(worker.tasks.get(queue, 0) for worker in node.workers)
        limit = None if node.code is None else node.code.limit_of(queue)
        if running or (limit is not None and node.state == "up"):
            found.append(Share(node.node, running, limit))
    return found


QUEUES = Page("/queues", "queues.html", read, Queues, "what waits in queues, who runs it, and what is paused")
