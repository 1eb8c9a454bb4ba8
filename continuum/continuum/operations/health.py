"""`judge`: what is unhealthy. Facts in, findings out; `journal/health_port.py` has the facts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from continuum.journal.health_port import (
    HealthFacts,
    HealthNode,
    OverdueRuns,
    OverdueTasks,
)
from continuum.journal.odd_rows import OddRow
from continuum.journal.version_facts import is_importable
from continuum.operations.absent_nodes import owned_and_due, without_nodes
from continuum.operations.commands import command
from continuum.operations.findings import Finding, amount, verb
from continuum.operations.health_codes import HEALTH_CODES, health_finding
from continuum.operations.odd_row_advice import advice_for, mending_sql, repair_of
from continuum.operations.old_pauses import old_pause_finding
from continuum.operations.repair_commands import repair_command
from continuum.operations.stuck_runs import (
    blocked_finding,
    idle_finding,
    lost_wake_finding,
    unknown_owner_finding,
)
from continuum.quoting import listed, one_line, quoted, shortened

# A run that is due is claimed within milliseconds, and after a lost notification within a poll.
DUE_FOR_SECONDS = 60.0
# Longer parts of a version's digest tell nobody more.
_DIGEST = 12


def judge(facts: HealthFacts) -> list[Finding]:
    """Return what is unhealthy, in the order of the codes; also what was reviewed."""
    each = _Judge(facts)
    found = [
        *each.runs(),
        *each.tasks(),
        *(unknown_owner_finding(owner, facts.schema) for owner in facts.unknown_owners),
        *(lost_wake_finding(runs, facts.schema) for runs in facts.lost_wakes),
        *each.blocked(),
        *each.idle_for_ever(),
        *each.expired(),
        *each.quarantined(),
        *each.versions(),
        *each.paused_for_long(),
        *each.interrupted(),
        *each.odd(),
        *each.nodes(),
    ]
    order = list(HEALTH_CODES)
    return sorted(found, key=lambda finding: order.index(finding.code))


def schema_finding(schema: str, problem: str) -> Finding:
    """Return that a schema cannot be used, or has lost something."""
    ways = [name for name in ("migrate", "doctor") if f"continuum {name}" in problem]
    fixes = (f"continuum {name} --schema {schema}" for name in ways)
    return health_finding("schema", schema, problem, *fixes, evidence=(problem,))


class _Judge:
    """The facts, and the nodes by what they can do."""

    def __init__(self, facts: HealthFacts) -> None:
        self._facts = facts
        self._living = [node for node in facts.nodes if node.alive]
        # One that drains takes no work.
        self._working = [node for node in self._living if node.state != "draining"]

    def runs(self) -> Iterator[Finding]:
        """Judge the runs that are due and that nobody has claimed."""
        overdue = self._facts.overdue
        if not self._living:
            yield from without_nodes(self._facts, self._start)
            return
        groups: defaultdict[tuple[str, str, str | None], list[OverdueRuns]] = defaultdict(list)
        for each in overdue:
            code = self._code_of_runs(each)
            apart = {"no-namespace": each.namespace, "no-version": each.version, "refused": each.version}
            groups[code, each.workflow, apart.get(code)].append(each)
        for (code, _, _), runs in groups.items():
            yield self._late(code, runs)

    def _code_of_runs(self, each: OverdueRuns) -> str:
        having = [node for node in self._working if node.may_execute(each.workflow, None)]
        serving = [node for node in having if node.serves(each.namespace)]
        if not serving:
            return "no-namespace" if having else "no-code"
        if any(node.may_execute(each.workflow, each.version, each.refused) for node in serving):
            return "backlog"
        return "refused" if each.refused else "no-version"

    def _late(self, code: str, runs: Sequence[OverdueRuns]) -> Finding:
        """Return the finding about runs of one workflow that nobody takes for the same reason."""
        each, count = min(runs, key=lambda group: group.since), sum(group.number for group in runs)
        more = any(group.more for group in runs)
        spaces = sorted({group.namespace for group in runs})
        where = f"namespace{'s' if len(spaces) > 1 else ''} {listed(map(quoted, spaces))}"
        due = f"{_runs(count, more)} due of workflow {quoted(each.workflow)} in {where}"
        version = (each.version or "none")[:_DIGEST]
        module = (str(each.module),) if is_importable(each.module) else ()
        them = verb(count, "it", "them", more=more)
        their = verb(count, "its", "their", more=more)
        fixes: tuple[str, ...] = ()
        evidence: tuple[str, ...] = ()
        match code:
            case "backlog":
                able = listed(node.node for node in self._working if node.may_execute(each.workflow, None))
                text = f"{due}, though {able} could execute {them}; add run hosts or nodes (--run-hosts)"
            case "refused":
                evidence = (each.version or "", *sorted({name for group in runs for name in group.refused}))
                fixes = tuple(self._start(module, namespaces=spaces))
                text = (
                    f"{due}, and {their} history differs from the code of every node; start a node with "
                    f"version {version}, or mend the code: `continuum runs show {each.example}` prints "
                    "where they differ"
                )
            case "no-version":
                evidence = (each.version or "",)
                fixes = tuple(self._start(module, namespaces=spaces))
                text = f"{due}, of version {version}, which no node has; start a node with that version"
            case "no-namespace":
                fixes = tuple(self._start(module, namespaces=spaces))
                text = f"{due}, which no node with that workflow serves; start one with --namespace"
            case _:
                draining = [node.node for node in self._living if node.may_execute(each.workflow, None)]
                stop = (
                    f" but {listed(draining)}, which {verb(len(draining), 'drains', 'drain')}"
                    if draining
                    else ""
                )
                fixes = tuple(self._start(module, namespaces=spaces))
                where_it_is = "its module" if module else "the module that defines it, which no node has told"
                text = f"{due}, which no node has loaded{stop}; start a node with {where_it_is}"
        if code != "backlog":
            evidence += tuple(spaces)
        return health_finding(
            code, each.workflow, text, *fixes, since=each.since, count=count, more=more, evidence=evidence
        )

    def tasks(self) -> Iterator[Finding]:
        """Judge the activity tasks that are due and that nobody has claimed."""
        if not self._living and (self._facts.overdue or owned_and_due(self._facts)):
            return
        groups: defaultdict[tuple[str, str, str], list[OverdueTasks]] = defaultdict(list)
        for each in self._facts.tasks:
            groups[self._code_of(each), each.queue, each.activity].append(each)
        for (code, queue, activity), tasks in groups.items():
            count, more = sum(each.number for each in tasks), any(each.more for each in tasks)
            where = f"queue {quoted(queue)}" if queue else "no queue"
            waits = verb(count, "waits", "wait", more=more)
            them = verb(count, "it", "them", more=more)
            due = f"{amount(count, 'task', more=more)} of activity {quoted(activity)} {waits} in {where}"
            hosts = ("--activity-hosts", "1") if any(each.isolated for each in tasks) else ()
            only = {each.node for each in tasks}
            named = ("--name", str(*only)) if len(only) == 1 and None not in only else ()
            modules = sorted({str(each.module) for each in tasks if is_importable(each.module)})
            fixes: Iterable[str] = ()
            if code == "queue-unserved":
                host = ", with --activity-hosts 1 or more" if hosts else ""
                host += f", with --name {only.pop()}: they are for that node alone" if named else ""
                spaces = listed(sorted({quoted(each.namespace) for each in tasks}))
                text = (
                    f"{due}, and no node may run {them}; start one that has the activity, for namespace "
                    f"{spaces}{host}"
                )
                fixes = self._start(modules, *named, *hosts, namespaces=[each.namespace for each in tasks])
            elif code == "no-nodes":
                text = f"{due}, and no node lives; start one"
                fixes = self._start(modules, *named, *hosts)
            else:
                text = f"{due}, though nodes could run {them}; raise the limit of the queue, or add nodes"
            yield health_finding(
                code,
                queue or activity,
                text,
                *fixes,
                since=min(each.since for each in tasks),
                count=count,
                more=more,
                evidence=(activity,),
            )

    def _code_of(self, task: OverdueTasks) -> str:
        if not self._living:
            return "no-nodes"
        served = any(
            node.serves(task.namespace)
            and node.may_perform(task.activity, isolated=task.isolated)
            and task.node in (None, node.node)
            for node in self._working
        )
        return "queue-backlog" if served else "queue-unserved"

    def blocked(self) -> Iterator[Finding]:
        """Judge blocked runs."""
        for each in self._facts.blocked:
            yield blocked_finding(each, self._facts.schema)

    def idle_for_ever(self) -> Iterator[Finding]:
        """Judge suspended runs whose code waits for nothing that could come."""
        for each in self._facts.for_nothing:
            yield idle_finding(each, self._facts.schema)

    def paused_for_long(self) -> Iterator[Finding]:
        """Judge pauses that may have been forgotten."""
        for each in self._facts.old_pauses:
            yield old_pause_finding(each, self._facts.schema)

    def interrupted(self) -> Iterator[Finding]:
        """Judge changes of many runs that nobody carries out."""
        for each in self._facts.interrupted:
            resume = command(self._facts.schema, "operations", "resume", each.id)
            cancel = command(self._facts.schema, "operations", "cancel", each.id)
            text = (
                f"operation {each.id} ({each.action} of runs found by {quoted(each.search)}, begun by "
                f"{one_line(each.by)}) is interrupted after {amount(each.done, 'run')}: nobody "
                f"carries it out; continue it, or end it with `{cancel}`"
            )
            yield health_finding("operation-interrupted", each.id, text, resume, since=each.since)

    def expired(self) -> Iterator[Finding]:
        """Judge leases that have run out and still hold something."""
        for each in self._facts.expired:
            if not each.runs and not each.tasks:
                continue
            worker = f"worker {each.worker} of node {shortened(each.node)}"
            owns = f"{amount(each.runs, 'run')} and {amount(each.tasks, 'task')}"
            mend = "restart the other nodes: they release" if self._living else "start a node: it releases"
            text = f"the lease of {worker} ran out, and it still owns {owns}; {mend} that"
            fix = repair_command("lease-expired", str(each.worker), self._facts.schema)
            number = each.runs + each.tasks
            yield health_finding("lease-expired", worker, text, fix, since=each.since, count=number)

    def quarantined(self) -> Iterator[Finding]:
        """Judge what is suspected of killing processes."""
        for each in self._facts.quarantined:
            what = "task" if each.of_tasks else "run"
            there, their, one = (
                ("was", "its", "it: it is") if each.number == 1 else ("were", "their", "them: one is")
            )
            suspects = f"{amount(each.number, what)} of workflow {quoted(each.workflow)}"
            run = f"{'of ' if each.of_tasks else ''}run {each.example}"
            text = (
                f"{suspects} {there} there when processes died; wait for {their} trial, or cancel {one} {run}"
            )
            yield health_finding(
                "quarantine", each.workflow, text, since=each.since, count=each.number, evidence=(what,)
            )
        for workflow in self._facts.deadly:
            text = (
                f"several runs of workflow {quoted(workflow)} have killed processes within a minute; mend "
                "its code: the log of continuum.recovery names what killed"
            )
            yield health_finding("deadly-workflow", workflow, text)

    def versions(self) -> Iterator[Finding]:
        """Judge runs whose version nobody would continue; those that are due are judged by themselves."""
        due = {(each.workflow, each.version) for each in self._facts.overdue}
        for each in self._facts.unserved:
            if (each.workflow, each.version) in due:
                continue
            runs = f"{amount(each.number, 'open run', more=each.more)} of workflow {quoted(each.workflow)}"
            text = (
                f"{runs} {verb(each.number, 'has', 'have', more=each.more)} "
                f"version {each.version[:_DIGEST]}, which no node may execute; start a node that has it, or "
                "check newer code with `continuum versions check --live MODULE`"
            )
            yield health_finding(
                "version-missing",
                each.workflow,
                text,
                count=each.number,
                more=each.more,
                evidence=(each.version,),
            )

    def odd(self) -> Iterator[Finding]:
        """Judge rows with times that no engine writes."""
        for row in self._facts.odd:
            what, effect, mend = advice_for(row)
            text = (
                f"{what} {one_line(row.row)} has the {row.column} {one_line(row.value)} in table "
                f"{row.table}: {effect}; {mend}"
            )
            yield health_finding(
                "odd-row",
                f"{row.table} {one_line(row.row)}",
                text,
                *self._mending(row),
                evidence=(row.column,),
            )

    def _mending(self, row: OddRow) -> Sequence[str]:
        repair = repair_of(row)
        if repair is not None:
            return (repair_command(*repair, self._facts.schema),)
        statement = None if self._facts.schema is None else mending_sql(row, self._facts.schema)
        return () if statement is None else (statement,)

    def nodes(self) -> Iterator[Finding]:
        """Judge nodes that are lost or about to leave."""
        for node in self._facts.nodes:
            name = shortened(node.node)
            if not node.alive:
                seconds = max(0, self._facts.now - node.renewed_at) // 1_000_000
                lost = f"node {name} is lost: nothing from it for {seconds:,} s"
                if self._is_replaced(node):
                    text = f"{lost}; others have its workflows, and it leaves the list within an hour"
                    yield self._node_finding("node-replaced", node, text)
                else:
                    yield self._node_finding("node-lost", node, f"{lost}; start it again, or wait an hour")
            elif node.state == "draining":
                text = f"node {name} drains and takes no work; wait for its end"
                yield self._node_finding("node-draining", node, text)

    def _is_replaced(self, lost: HealthNode) -> bool:
        """Return whether nodes that live execute all that it executed."""
        others = [node for node in self._facts.nodes if node.alive and node.state != "draining"]
        namespaces: Sequence[str | None] = [None] if lost.namespaces is None else lost.namespaces
        return bool(others) and all(
            any(node.may_execute(workflow, None) and node.serves(namespace) for node in others)
            for workflow in lost.workflows
            for namespace in namespaces
        )

    def _node_finding(self, code: str, node: HealthNode, text: str) -> Finding:
        return health_finding(code, node.node, text, since=node.renewed_at, evidence=(str(node.pid),))

    def _start(
        self, modules: Sequence[str], *options: str, namespaces: Iterable[str | None] = ()
    ) -> Iterator[str]:
        """Yield the command that starts a node with these modules; MODULE is one that is not known."""
        divided = any(node.namespaces is not None for node in self._living)
        named = sorted({namespace for namespace in namespaces if namespace is not None}) if divided else ()
        served = [word for namespace in named for word in ("--namespace", namespace)]
        yield self._command("run-node", *(modules or ("MODULE",)), *served, *options)

    def _command(self, *words: str) -> str:
        return command(self._facts.schema, *words)


def _runs(count: int, more: bool) -> str:
    return f"{amount(count, 'run', more=more)} {verb(count, 'is', 'are', more=more)}"
