"""What `continuum health` says of one and of two, and the commands that it gives."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from continuum.engine.drift_messages import corrupt_history, unreadable_options
from continuum.engine.events import Event
from continuum.engine.ids import RunId, WorkerId
from continuum.journal.health_port import (
    BlockedRuns,
    ExpiredOwner,
    HealthFacts,
    HealthNode,
    LostWakes,
    OpenRuns,
    OverdueRuns,
    OverdueTasks,
    Quarantined,
    RunsForNothing,
    UnknownOwner,
)
from continuum.journal.node_code import NodeCode
from continuum.journal.port import Loaded
from continuum.operations.findings import Finding
from continuum.operations.health import judge
from continuum.operations.search import search_of

RUN = RunId("00000000-0000-0000-0000-000000000001")
NOTHING = HealthFacts(
    now=9,
    schema="continuum",
    nodes=[],
    overdue=[],
    blocked=[],
    expired=[],
    tasks=[],
    quarantined=[],
    deadly=[],
    unserved=[],
    odd=[],
    reviewed={},
)
CODE = NodeCode("1.0", [Loaded("orders", "v1")], ["send"])
NORTH = HealthNode("north", 1, "up", True, 1, ["orders"], None, 0, CODE)
SERVED = replace(NOTHING, nodes=[NORTH])


def due(number: int, workflow: str = "orders", version: str | None = "v1", **more: Any) -> HealthFacts:
    """Return runs that are due while a node lives."""
    runs = OverdueRuns(workflow, version, "default", (), number, False, 1, RUN)
    return replace(SERVED, overdue=[runs._replace(**more)])


def tasks(number: int, activity: str = "send", facts: HealthFacts = SERVED) -> HealthFacts:
    """Return tasks that are due."""
    return replace(facts, tasks=[OverdueTasks("mail", False, activity, None, "default", number, False, 1)])


def draining(number: int) -> HealthNode:
    """Return a node that is about to stop."""
    return NORTH._replace(node=f"n{number}", state="draining")


def blocked(number: int, kind: str, reason: str = "so") -> HealthFacts:
    """Return runs that are blocked by one cause."""
    return replace(SERVED, blocked=[BlockedRuns("orders", kind, number, False, 1, RUN, reason, 2)])


DEAD = ExpiredOwner(WorkerId(7), "north", "run_host", 1, 5, 5)
BAD_INPUT = (
    "the code cannot read its input at number: it is a text; cancel it and start it again with what the code "
    "takes, or deploy code that can read it"
)
# Facts about so many, and what is said of one and of two: a bar stands between the alternatives.
Said = tuple[Callable[[int], HealthFacts], str]
SAID: dict[str, Said] = {
    "no-nodes": (
        lambda n: replace(due(n), nodes=[]),
        "{1 run is|2 runs are} due, and no node lives; start one",
    ),
    "backlog": (
        due,
        (
            "{1 run is|2 runs are} due of workflow 'orders' in namespace 'default', though north could "
            "execute {it|them}; add run hosts or nodes (--run-hosts)"
        ),
    ),
    "no-code": (
        lambda n: due(n, "pay"),
        (
            "{1 run is|2 runs are} due of workflow 'pay' in namespace 'default', which no node has loaded; "
            "start a node with the module that defines it, which no node has told"
        ),
    ),
    "no-code, but draining": (
        lambda n: replace(due(n), nodes=[draining(each) for each in range(n)]),
        (
            "{1 run is|2 runs are} due of workflow 'orders' in namespace 'default', which no node has loaded "
            "but {n0, which drains|n0, n1, which drain}; start a node with the module that defines it, which "
            "no node has told"
        ),
    ),
    "no-version": (
        lambda n: due(n, version="v0"),
        (
            "{1 run is|2 runs are} due of workflow 'orders' in namespace 'default', of version v0, which no "
            "node has; start a node with that version"
        ),
    ),
    "refused": (
        lambda n: due(n, version="v0", refused=("v1",)),
        (
            "{1 run is|2 runs are} due of workflow 'orders' in namespace 'default', and {its|their} history "
            "differs from the code of every node; start a node with version v0, or mend the code: `continuum "
            "runs show RUN` prints where they differ"
        ),
    ),
    "no-nodes, tasks": (
        lambda n: tasks(n, facts=NOTHING),
        "{1 task|2 tasks} of activity 'send' {waits|wait} in queue 'mail', and no node lives; start one",
    ),
    "queue-unserved": (
        lambda n: tasks(n, "print"),
        (
            "{1 task|2 tasks} of activity 'print' {waits|wait} in queue 'mail', and no node may run "
            "{it|them}; start one that has the activity, for namespace 'default'"
        ),
    ),
    "queue-backlog": (
        tasks,
        (
            "{1 task|2 tasks} of activity 'send' {waits|wait} in queue 'mail', though nodes could run "
            "{it|them}; raise the limit of the queue, or add nodes"
        ),
    ),
    "nodes-absent": (
        lambda n: replace(NOTHING, idle=[OpenRuns("orders", "v1", n, False, RUN)]),
        (
            "{1 open run waits|2 open runs wait}, and no node lives that would continue {it once it is|them "
            "once they are} due; start one"
        ),
    ),
    "lost-wake": (
        lambda n: replace(SERVED, lost_wakes=[LostWakes("orders", 1, [RUN] * n)]),
        (
            "{1 run|2 runs} of workflow 'orders' {has|have} unread mail and no owner, and {is|are} not due: "
            "no node looks for {it|them}; repair {it, it is run RUN|each, one is run RUN, and `continuum "
            "verify` names all}"
        ),
    ),
    "owner-unknown": (
        lambda n: replace(SERVED, unknown_owners=[UnknownOwner(7, False, "orders", n, False, 1, RUN)]),
        (
            "{1 run|2 runs} of workflow 'orders' {belongs|belong} to worker 7, which does not exist: no node "
            "looks for {it|them}; repair {it|each, one is run RUN, and `continuum verify` names all}"
        ),
    ),
    "owner-unknown of tasks": (
        lambda n: replace(SERVED, unknown_owners=[UnknownOwner(7, True, "orders", n, False, 1, RUN)]),
        (
            "{1 task|2 tasks} of workflow 'orders' {belongs|belong} to worker 7, which does not exist: no "
            "node looks for {it|them}; repair {it, it is of run RUN|each, one is of run RUN, and `continuum "
            "verify` names all}"
        ),
    ),
    "no-nodes, dead owners": (
        lambda n: replace(NOTHING, expired=[DEAD._replace(due_runs=n)]),
        "{1 run is|2 runs are} due, which dead processes own, and no node lives; start one",
    ),
    "no-nodes, dead owners of tasks": (
        lambda n: replace(NOTHING, expired=[DEAD._replace(due_tasks=n)]),
        "{1 task is|2 tasks are} due, which dead processes own, and no node lives; start one",
    ),
    "no-nodes, some with dead owners": (
        lambda n: replace(due(1), nodes=[], expired=[DEAD._replace(due_runs=n, due_tasks=n)]),
        (
            "{2 runs and 1 task|3 runs and 2 tasks} are due, of which dead processes own some, and no node "
            "lives; start one"
        ),
    ),
    "blocked": (
        lambda n: blocked(n, "poison"),
        (
            "{1 run|2 runs} of workflow 'orders' {is blocked|are blocked, the latest, run RUN, by this}: so; "
            "mend the code, deploy it, then unblock {it|them}"
        ),
    ),
    "blocked by drift": (
        lambda n: blocked(n, "drift"),
        (
            "{1 run|2 runs} of workflow 'orders' {is blocked|are blocked, the latest, run RUN, by this}: so; "
            "unblock {it|them} once a running node has code that continues {it|them}"
        ),
    ),
    "blocked by damage": (
        lambda n: blocked(n, "corrupt"),
        (
            "{1 run|2 runs} of workflow 'orders' {is blocked|are blocked, the latest, run RUN, by this}: so; "
            "restore what cannot be read, then unblock {it|them}"
        ),
    ),
    "blocked by input": (
        lambda n: blocked(n, "input"),
        (
            "{1 run|2 runs} of workflow 'orders' {is blocked|are blocked, the latest, run RUN, by this}: so; "
            "cancel {it|them} and start {it|each} again with what the code takes, or deploy code that can "
            "read {its|their} input"
        ),
    ),
    "blocked by an input, with advice": (
        lambda n: blocked(n, "input", BAD_INPUT),
        (
            "{1 run|2 runs} of workflow 'orders' {is blocked|are blocked, the latest, run RUN, by this}: the "
            "code cannot read its input at number: it is a text; cancel it and start it again with what the "
            "code takes, or deploy code that can read it{|; do that for each of them}"
        ),
    ),
    "blocked by a broken history": (
        lambda n: blocked(n, "corrupt", corrupt_history(3, Event(-1, 0, 0, ())).reason),
        (
            "{1 run|2 runs} of workflow 'orders' {is blocked|are blocked, the latest, run RUN, by this}: the "
            "history is broken: event 3 is missing or cannot be read; restore it from a backup or cancel the "
            "run; unblock {it|them} once that is done"
        ),
    ),
    "blocked by options": (
        lambda n: blocked(n, "corrupt", unreadable_options(3, "send", "it is new").reason),
        (
            "{1 run|2 runs} of workflow 'orders' {is blocked|are blocked, the latest, run RUN, by this}: "
            "event 3: the options of send are not what this release writes: it is new; update this node to "
            "the release that wrote them, then `continuum runs unblock`, or cancel the run{|; do that for "
            "each of them}"
        ),
    ),
    "nothing": (
        lambda n: replace(SERVED, for_nothing=[RunsForNothing("orders", n, False, 1, RUN, 2)]),
        (
            "{1 run|2 runs} of workflow 'orders' {waits|wait} for an event, a future or a queue of "
            "{its|their} own code, and no signal, time, activity or child is pending that could set it; mend "
            "the code, and cancel {it|them}"
        ),
    ),
    "lease-expired": (
        lambda n: replace(NOTHING, expired=[ExpiredOwner(WorkerId(7), "north", "run_host", 1, n, n)]),
        (
            "the lease of worker 7 of node north ran out, and it still owns {1 run and 1 task|2 runs and 2 "
            "tasks}; start a node: it releases that"
        ),
    ),
    "quarantine": (
        lambda n: replace(SERVED, quarantined=[Quarantined("orders", False, n, 1, RUN)]),
        (
            "{1 run|2 runs} of workflow 'orders' {was|were} there when processes died; wait for {its|their} "
            "trial, or cancel {it: it|them: one} is run RUN"
        ),
    ),
    "quarantine of tasks": (
        lambda n: replace(SERVED, quarantined=[Quarantined("orders", True, n, 1, RUN)]),
        (
            "{1 task|2 tasks} of workflow 'orders' {was|were} there when processes died; wait for "
            "{its|their} trial, or cancel {it: it|them: one} is of run RUN"
        ),
    ),
    "version-missing": (
        lambda n: replace(SERVED, unserved=[OpenRuns("orders", "v0", n, False, RUN)]),
        (
            "{1 open run|2 open runs} of workflow 'orders' {has|have} version v0, which no node may execute; "
            "start a node that has it, or check newer code with `continuum versions check --live MODULE`"
        ),
    ),
}
ALTERNATIVE = re.compile(r"\{([^|}]*)\|([^|}]+)\}")


def only(facts: HealthFacts, code: str) -> Finding:
    """Return the finding with this code, of which there is one."""
    (finding,) = [each for each in judge(facts) if each.code == code]
    return finding


@pytest.mark.parametrize("case", SAID)
@pytest.mark.parametrize("number", [1, 2])
def test_a_sentence_is_right_for_one_and_for_two(case: str, number: int) -> None:
    facts, said = SAID[case]
    code = case.partition(",")[0].partition(" ")[0]
    expected = ALTERNATIVE.sub(lambda found: found[number], said).replace("RUN", RUN)
    assert only(facts(number), code).sentence == expected


@pytest.mark.parametrize(
    "case", ["no-nodes", "no-code", "no-version", "refused", "no-nodes, tasks", "queue-unserved"]
)
def test_a_finding_that_lacks_a_node_names_the_command_that_starts_one(case: str) -> None:
    facts, _ = SAID[case]
    finding = only(facts(1), case.partition(",")[0])
    assert finding.fixes == ("continuum run-node MODULE",), "no node has told which module it is"


def test_a_node_for_tasks_is_started_with_the_module_of_a_run_that_waits_for_them() -> None:
    waiting = OverdueTasks("mail", False, "print", None, "default", 1, False, 1, "shop.orders")
    facts = replace(SERVED, tasks=[waiting])
    assert only(facts, "queue-unserved").fixes == ("continuum run-node shop.orders",)
    assert only(replace(facts, nodes=[]), "no-nodes").fixes == ("continuum run-node shop.orders",)


def test_a_node_for_tasks_of_one_node_alone_gets_its_name() -> None:
    bound = OverdueTasks("mail", True, "print", "gone", "default", 1, False, 1, "shop.orders")
    finding = only(replace(SERVED, tasks=[bound]), "queue-unserved")
    assert finding.fixes == ("continuum run-node shop.orders --name gone --activity-hosts 1",)
    assert finding.sentence.endswith(", with --name gone: they are for that node alone")
    facts = replace(SERVED, tasks=[bound, bound._replace(node=None)])
    assert only(facts, "queue-unserved").fixes == ("continuum run-node shop.orders --activity-hosts 1",)


def test_work_of_dead_processes_is_continued_by_a_node_with_the_modules_of_all_open_runs() -> None:
    open_runs = [OpenRuns("orders", "v1", 1, False, RUN, "shop.orders")]
    facts = replace(NOTHING, idle=open_runs, expired=[DEAD._replace(due_runs=1)])
    assert only(facts, "no-nodes").fixes == ("continuum run-node shop.orders",)
    assert "nodes-absent" not in {each.code for each in judge(facts)}


def test_a_node_is_started_for_the_namespaces_that_lack_it_where_nodes_have_some() -> None:
    runs = OverdueRuns("pay", None, "eu", (), 1, False, 1, RUN, "shop.pay")
    facts = replace(
        SERVED,
        nodes=[NORTH._replace(namespaces=["default"])],
        overdue=[runs, runs._replace(namespace="us")],
    )
    assert only(facts, "no-code").fixes == ("continuum run-node shop.pay --namespace eu --namespace us",)


@pytest.mark.parametrize("name", ["orders", "a b", 'say "hi"', "back\\slash", "a,b*c", "größe", "-dash"])
@pytest.mark.parametrize("kind", ["drift", "input", "nothing"])
def test_the_fix_of_several_runs_names_exactly_those(name: str, kind: str) -> None:
    stuck = BlockedRuns(name, kind, 2, False, 1, RUN, "so", 2)
    facts = replace(SERVED, blocked=[stuck])
    if kind == "nothing":
        facts = replace(SERVED, for_nothing=[RunsForNothing(name, 2, False, 1, RUN, 2)])
    finding = only(facts, "nothing" if kind == "nothing" else "blocked")
    *_, search = shlex.split(finding.fixes[-1])
    (workflow,) = [term for term in search_of(search).terms if term.field == "workflow"]
    assert (workflow.operator, workflow.value) == ("in", [name])


def test_the_fixes_of_several_blocked_runs_are_bulk_commands() -> None:
    assert only(blocked(2, "drift"), "blocked").fixes == (
        "continuum runs unblock --find 'state:blocked workflow:orders fault:drift'",
    )
    assert only(blocked(2, "input"), "blocked").fixes == (
        "continuum runs list --find 'state:blocked workflow:orders fault:input'",
        "continuum runs cancel --find 'state:blocked workflow:orders fault:input'",
    )
    assert only(blocked(1, "drift"), "blocked").fixes == (f"continuum runs unblock {RUN}",)


def test_the_reason_of_a_blocked_run_is_whole_and_on_one_line() -> None:
    reason = "drift at event 3\nthe journal has 'a';\nthe code wants " + "b" * 400
    sentence = only(blocked(1, "drift", reason), "blocked").sentence
    assert "drift at event 3 the journal has 'a'; the code wants " + "b" * 400 in sentence
    assert len(only(blocked(1, "drift", "x y" * 10_000), "blocked").sentence) < 1_300
