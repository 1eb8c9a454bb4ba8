"""One simulation: database, nodes, clients, programs and faults, from one seed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass

from continuum.engine.ids import NodeId, RunId, WorkerId
from continuum.errors import JournalUnavailable
from continuum.journal.port import InboxKind, Journal, Topic
from continuum.journal.suspect_port import Death
from continuum.testing.virtual_clock import BEGINNING
from continuum.versions.loaded_code import Code
from continuum_actors.host import limits
from continuum_actors.node.in_process_node import InProcessEngine, NodeParts
from tests.simulation import workflows
from tests.simulation.choices import Choices, Key
from tests.simulation.faults import Fault, planned
from tests.simulation.ledger import Current, Ledger
from tests.simulation.machine import ClientProcess, NodeProcess, Process
from tests.simulation.model_journal import ModelJournal
from tests.simulation.monitor import Monitor, Wrong
from tests.simulation.pauses import planned_pauses
from tests.simulation.programs import ISOLATED_PROGRAMS, PROGRAMS, Program
from tests.simulation.split_node import PartProcess, SplitNode
from tests.simulation.stand_ins import standing_in
from tests.simulation.virtual_time import Clocks, Timeline, end_loops, forget_tasks

_BEGINNING = int(BEGINNING.timestamp()) * 1_000_000
SECOND = 1_000_000
# All faults lie before this; afterwards everything is up and every request is fine.
CALM = 25 * SECOND
# Longer than every lease, poll, retry, time-out and trial of the programs together.
DEADLINE = CALM + 300 * SECOND
# What is still under way when all runs have ended happens by then.
AFTERMATH = 16 * SECOND

# A machine runs for so long before, and its wall clock is off by so much.
LONGEST_UPTIME = 100_000 * SECOND
LARGEST_SKEW = 3_600 * SECOND
# Kinds of simulations.
MIXED, SPLIT = 1, 2

MakeEngine = Callable[[NodeParts, Journal, Callable[[], None]], InProcessEngine]


@dataclass(frozen=True, slots=True)
class Parts:
    """What a broken engine replaces."""

    make_engine: MakeEngine = InProcessEngine
    make_journal: Callable[..., ModelJournal] = ModelJournal


class Universe:
    """Everything of one simulation."""

    def __init__(
        self,
        seed: int,
        only: Collection[Key] | None = None,
        *,
        tracing: bool = False,
        parts: Parts = Parts(),
    ) -> None:
        self.choices = Choices(seed, only)
        self.timeline = Timeline()
        self.tracing = tracing
        self.traced: list[str] = []
        self.make_engine = parts.make_engine
        self.ledger = Ledger()
        self.journal = parts.make_journal(self.database_time, self._hint)
        self.monitor = Monitor(self.journal)
        self.graveyard: list[Process] = []
        # All processes of all nodes.
        self.nodes: list[NodeProcess | PartProcess] = []
        self.split_nodes: list[SplitNode] = []
        self._clocks: dict[str, Clocks] = {}
        self.clients: list[ClientProcess] = []
        # The nodes in whose process programs are driven at first, by the number of the program.
        self._homes: dict[int, NodeProcess] = {}
        self.calm = False
        self.faults = 0
        # How many requests the database has received.
        self.requests = 0
        # Whether nodes can listen, where that is not left to chance.
        self.listening: bool | None = None
        self._pids = 0
        self._names = 0
        plan = self.choices.stream("plan")
        self.code: Code = workflows.CHANGED if plan.below(3) == 1 else workflows.FIRST
        size = 1 + plan.below(5)
        # Whether nodes are one process each, of either kind, or several processes each.
        self.kind = plan.below(3)
        programs = PROGRAMS + ISOLATED_PROGRAMS if self.kind == SPLIT else PROGRAMS
        self.programs: list[Program] = []
        for number in range(size):
            chances = self.choices.stream(f"program/{number}")
            if number == 0 or chances.fraction() > 0:  # 0 when a shrinker leaves it out
                self.programs.append(programs[chances.below(len(programs))](number, chances))
        self.node_count = 2 + plan.below(2)
        self.plan = planned(self.choices)
        self.pauses = planned_pauses(self.choices, CALM)

    # A seed.

    def run(self) -> None:
        """Run the simulation; `Wrong` when something does not hold."""
        with standing_in(self):
            try:
                self._run()
            finally:
                self.end_all()

    def begin(self) -> None:
        """Start the nodes, the clients and the programs."""
        Current.ledger, Current.end_process = self.ledger, self.end_process
        for _ in range(self.node_count):
            self.start_node()
        self.clients = [ClientProcess(self, f"client{number}") for number in range(2)]
        for number, program in enumerate(self.programs):
            self.timeline.at(program.begins, self.drive, program, number)

    def _run(self) -> None:
        self.begin()
        for fault in self.plan:
            self.timeline.at(fault.at, self._strike, fault)
        for pause in self.pauses:
            self.timeline.at(pause.at, pause.begin, self)
        self.timeline.at(CALM, self.calm_down)
        if not self.timeline.run_until(self.finished, DEADLINE):
            raise Wrong(f"not finished: {'; '.join(self._unfinished())}")
        self.calm_down()
        self.timeline.run_until(lambda: False, self.timeline.now + AFTERMATH)
        self._sweep()
        self.monitor.check_everything()
        for program in self.programs:
            for wrong in program.wrong(self):
                raise Wrong(wrong)

    def _sweep(self) -> None:
        """Let a sweep come when nothing is to be left."""
        self.timeline.now += 400 * SECOND
        for worker in self.journal._workers.values():
            worker.expires_at = max(worker.expires_at, self.journal.now() + SECOND)
        try:
            self.journal.sweep().send(None)
        except StopIteration:
            return

    def finished(self) -> bool:
        """Return whether all programs and runs have ended."""
        if not self.monitor.changed:
            return False
        self.monitor.changed = False
        return all(program.over for program in self.programs) and all(
            run.state.terminal for run in self.journal._runs.values()
        )

    def _unfinished(self) -> list[str]:
        drivers = [f"{program.name} goes on" for program in self.programs if not program.over]
        runs = [
            f"run {run.start.id} of {run.start.workflow} is {run.state.name}, owner {run.owner}, "
            f"due {run.due_at}, inbox {len(run.inbox)}, {run.reason}"
            for run in self.journal._runs.values()
            if not run.state.terminal
        ]
        return drivers + runs

    # Machines and processes.

    def database_time(self) -> int:
        """Return the time of the database, in microseconds."""
        return _BEGINNING + self.timeline.now

    def clocks_of(self, machine: str) -> Clocks:
        """Return the clocks of a machine: the wall clocks of two in three are wrong by up to an hour."""
        clocks = self._clocks.get(machine)
        if clocks is None:
            chances = self.choices.stream(f"clock/{machine}")
            booted = int(chances.fraction() * LONGEST_UPTIME)
            skew = (0, 1, -1)[chances.below(3)] * int(chances.fraction() * LARGEST_SKEW)
            clocks = self._clocks[machine] = Clocks(booted, skew)
        return clocks

    def next_pid(self) -> int:
        """Return the number of a new process."""
        self._pids += 1
        return self._pids

    def is_alive(self, pid: int) -> bool:
        """Return whether a process of this universe exists."""
        return any(process.pid == pid and process.alive for process in self.nodes)

    def can_listen(self, name: str) -> bool:
        """Return whether a node hears hints: one in four is behind a pooler."""
        chance = self.choices.stream(f"listens/{name}").below(4) != 3
        return chance if self.listening is None else self.listening

    def start_node(self, node: NodeId | None = None) -> None:
        """Start a new node, or one that has lived before."""
        self._names += 1
        name = NodeId(f"node{self._names}") if node is None else node
        if self.kind == SPLIT or (self.kind == MIXED and self._names % 2):
            SplitNode(self, name, self.code)
            return
        process = NodeProcess(self, f"{name}.{self._names}", name, self.code)
        self.nodes.append(process)
        if self.tracing:
            self.trace(process.name, "starts", "")

    def kill(self, process: NodeProcess | PartProcess, *, reported: bool, returns_after: int) -> None:
        """Kill a process; with `reported` its node or its successor notices at once."""
        if not process.alive:
            return
        if self.tracing:
            self.trace(process.name, "dies", "reported" if reported else "silently")
        process.killed(reported=reported, returns_after=returns_after)

    def end_process(self) -> None:
        """End the process whose code calls this."""
        loop = asyncio.get_running_loop()
        process = next(node for node in self.nodes if node.loop is loop)
        process.loop.dead = process.link.dead = process.board.ended = True
        self.timeline.after(0, self._ended, process)

    def _ended(self, process: NodeProcess | PartProcess) -> None:
        if process in self.nodes:
            process.loop.dead = False
            self.kill(process, reported=True, returns_after=50_000)

    def bury(self, worker: WorkerId, death: Death) -> None:
        """Do what a node does about the death of one of its processes."""
        before = self._charged()
        try:
            self.journal.blame(worker, death).send(None)
        except StopIteration as blamed:
            if self.tracing:
                self.trace("root", "blames", str(death))
            self.retire(worker, blamed.value)
        if death.culprit is not None:
            guilty = (death.culprit.run_id, str(death.culprit.seq))
            innocent = self._charged() - before - {guilty}
            if innocent:
                raise Wrong(f"innocent charged: {sorted(innocent)}, and {guilty} killed the process")

    def _charged(self) -> set[tuple[RunId, str]]:
        """Return the activities whose run has a crash in its inbox."""
        return {
            (run.start.id, row.name)
            for run in self.journal._runs.values()
            for row in run.inbox.values()
            if row.kind == InboxKind.ACTIVITY_CRASHED
        }

    def retire(self, worker: WorkerId, executing: RunId | None = None) -> None:
        """End a worker's lease from outside, whether it lives or not."""
        try:
            self.journal.retire_worker(
                worker, executing=executing, poison_after=limits.POISON_AFTER_DEATHS
            ).send(None)
        except StopIteration:
            if self.tracing:
                self.trace("root", "retires", str(worker))
            self.monitor.after_write("retire_worker", ())

    def node_stopped(self, process: NodeProcess) -> None:
        """A node has stopped in order: another comes."""
        if process in self.nodes:
            self.nodes.remove(process)
        self.timeline.after(0, process.die)
        self.timeline.after(0, self.left, process)
        self.timeline.after(50_000, self.start_node)

    def crashed(self, process: Process, error: BaseException) -> None:
        """A process has given up, which no fault here explains."""
        raise Wrong(f"{process.name} crashed: {error!r}") from error

    def drive(self, program: Program, number: int) -> None:
        """Let a client run a program."""
        process = self._home_of(number) or self.clients[number % len(self.clients)]
        process.begin(self._drive(program, process))

    def _home_of(self, number: int) -> NodeProcess | None:
        """Return the node beside whose run host a program is driven; None for a client of its own."""
        nodes = [node for node in self.nodes if isinstance(node, NodeProcess) and not node.stopping]
        chances = self.choices.stream(f"home/{number}")
        if number in self._homes or not nodes or chances.below(3) != 1:
            return None
        home = self._homes[number] = nodes[chances.below(len(nodes))]
        return home

    def left(self, home: NodeProcess) -> None:
        """A process is gone: other clients repeat the programs that were driven there."""
        for number, process in self._homes.items():
            if process is home:
                self._repeat(number)

    async def _drive(self, program: Program, process: ClientProcess | NodeProcess) -> None:
        while True:
            try:
                await program.drive(process.client)
            except JournalUnavailable:
                await asyncio.sleep(1.0)
            else:
                program.over = self.monitor.changed = True
                return

    def restart_client(self, number: int) -> None:
        """Kill a client and let another repeat its programs."""
        self.clients[number].die()
        self._names += 1
        self.clients[number] = ClientProcess(self, f"client{number}.{self._names}")
        for position in range(number, len(self.programs), len(self.clients)):
            if position not in self._homes or not self._homes[position].alive:
                self._repeat(position)

    def _repeat(self, number: int) -> None:
        program = self.programs[number]
        if not program.over:
            self.timeline.at(max(program.begins, self.timeline.now + 10_000), self._again, program, number)

    def _again(self, program: Program, number: int) -> None:
        if not program.over:
            self.drive(program, number)

    # Faults.

    def _strike(self, fault: Fault) -> None:
        if self.calm:
            return
        self.faults += 1
        if self.tracing:
            self.trace("fault", fault.kind, str(fault.numbers))
        fault.strike(self)

    def calm_down(self) -> None:
        """From now on nothing goes wrong, and everything is up."""
        self.calm = True
        for process in [*self.nodes, *self.clients]:
            process.link.cut_until = process.link.deaf_until = 0
            process.link.fuse = None
            if process.loop.paused:
                process.loop.resume()

    def failed(self, text: str) -> None:
        """Something does not hold."""
        raise Wrong(text)

    def trace(self, who: str, what: str, how: str) -> None:
        """Note an event."""
        self.traced.append(f"{self.timeline.now / 1e6:10.6f} {who:14} {what:18} {how}")

    def _hint(self, topic: Topic, ids: tuple[str, ...], channel: str | None = None) -> None:
        for process in [*self.nodes, *self.clients]:
            process.link.hint(topic, ids, channel)

    def end_all(self) -> None:
        """End every process."""
        processes = [*self.nodes, *self.clients]
        for process in processes:
            process.link.dead = True
        # All at once is cheaper.
        end_loops([process.loop for process in processes])
        for process in processes:
            process.die()
        forget_tasks()
