"""Gathers what a node reports while somebody looks: asks each process, and says which ones do not answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from continuum.engine.ids import WorkerId
from continuum.journal.node_report_port import GivenReport, WantedReport
from continuum.operations.node_report import NodeReport, ProcessReport, ProcessStacks
from continuum.operations.stored_records import as_json
from continuum_actors.node.host_report import HostReporter, resident_memory
from continuum_actors.node.report_messages import StacksTold, StateTold, TellStacks, TellState, Told


@dataclass(frozen=True, slots=True)
class Leases:
    """The workers whose leases the last renewal extended, and how many seconds ago that was."""

    held: frozenset[WorkerId]
    age: float

    def age_of(self, worker: int | None) -> float | None:
        """Return the age of a worker's lease, None without one."""
        return self.age if worker in self.held else None


@dataclass(frozen=True, slots=True)
class KnownProcess:
    """A process as control knows it without asking: `beat_at` is when its loop turned last."""

    process_id: str
    role: str
    pid: int
    restarts: int
    last_end: str | None
    worker: int | None
    beat_at: float


class Hosts(Protocol):
    """The processes of a node, as those who ask them need it."""

    state: str

    def known_processes(self) -> Sequence[KnownProcess]:
        """Return every process of the node that executes something, beside control."""
        ...

    def known_control(self) -> KnownProcess:
        """Return the control process."""
        ...

    def ask(self, process_id: str, message: TellState | TellStacks) -> None:
        """Send to a process, which may not answer."""
        ...


class Answers:
    """What processes say to one question; those who have not answered in time are absent."""

    def __init__(self, number: int, asked: Sequence[KnownProcess], *, stacks: bool) -> None:
        self.number = number
        self.states: dict[str, ProcessReport] = {}
        self.stacks: dict[str, ProcessStacks] = {}
        self._awaited = len(asked) * (2 if stacks else 1)
        self._all = asyncio.Event()

    def told(self, message: Told) -> None:
        """Take an answer; one to an earlier question is late, and forgotten."""
        if message.number != self.number:
            return
        match message:
            case StateTold(report=report):
                self.states[report.process_id] = report
            case StacksTold(stacks=stacks):
                self.stacks[stacks.process_id] = stacks
        if len(self.states) + len(self.stacks) >= self._awaited:
            self._all.set()

    async def gathered(self, seconds: float) -> None:
        """Wait until all have answered, up to so many seconds."""
        if not self._awaited:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._all.wait()
        except TimeoutError:
            # The report says which ones have not.
            return


class NodeReporter:
    """Reports about a node of several processes; `own` is the one that gathers."""

    def __init__(self, node: str, hosts: Hosts, own: HostReporter) -> None:
        self._node = node
        self._hosts = hosts
        self._own = own
        self._answers = Answers(0, (), stacks=False)

    def told(self, message: Told) -> None:
        """A process answers."""
        self._answers.told(message)

    async def report(self, wanted: WantedReport, leases: Leases, seconds: float) -> GivenReport:
        """Ask every process, wait for their answers up to so many seconds, and return what is known then."""
        hosts = self._hosts.known_processes()
        answers = self._answers = Answers(self._answers.number + 1, hosts, stacks=wanted.stacks > 0)
        for host in hosts:
            self._hosts.ask(host.process_id, TellState(answers.number))
            if wanted.stacks:
                self._hosts.ask(host.process_id, TellStacks(answers.number))
        own = await self._own.report_of_itself()
        await answers.gathered(seconds)
        control = self._hosts.known_control()
        processes = [_with_facts(own, control, leases)]
        now = time.monotonic()
        for host in hosts:
            answer = answers.states.get(host.process_id)
            if answer is None or answer.pid != host.pid:
                answer = ProcessReport(
                    host.process_id, host.role, host.pid, silent_for=max(0.0, now - host.beat_at)
                )
            processes.append(_with_facts(answer, host, leases))
        report = NodeReport(self._node, self._hosts.state, tuple(processes))
        if not wanted.stacks:
            return GivenReport(as_json(report))
        stacks = [self._own.stacks()]
        for host in hosts:
            silent = ProcessStacks(host.process_id, host.role, host.pid, answered=False)
            stacks.append(answers.stacks.get(host.process_id, silent))
        return GivenReport(as_json(report), as_json(tuple(stacks)), wanted.stacks)


def _with_facts(told: ProcessReport, known: KnownProcess, leases: Leases) -> ProcessReport:
    """Add what control knows and the process itself does not."""
    worker = known.worker if told.worker is None else told.worker
    memory = resident_memory(told.pid) if told.memory is None else told.memory
    return replace(
        told,
        restarts=known.restarts,
        last_end=known.last_end,
        worker=worker,
        lease_age=leases.age_of(worker),
        memory=memory,
    )


class SingleReporter:
    """Reports about a node that is one process: the loop of an application."""

    def __init__(self, node: str, own: HostReporter, state: Callable[[], str]) -> None:
        self._node = node
        self._own = own
        self._state = state

    async def report(self, wanted: WantedReport, leases: Leases, seconds: float) -> GivenReport:
        """Return what is known here; nobody is waited for."""
        own = await self._own.report_of_itself()
        own = replace(own, lease_age=leases.age_of(own.worker))
        report = as_json(NodeReport(self._node, self._state(), (own,)))
        if not wanted.stacks:
            return GivenReport(report)
        return GivenReport(report, as_json((self._own.stacks(),)), wanted.stacks)
