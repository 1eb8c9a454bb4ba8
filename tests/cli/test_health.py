"""`continuum health`: each thing that is unhealthy is named, and its fix mends it."""

from __future__ import annotations

import asyncio
import os
import shlex
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

import continuum
from continuum.engine.ids import NodeId, RunId
from continuum.journal.node_code import NodeCode
from continuum.journal.port import Fault, Journal, Loaded, NodeFacts, RunState, Transition
from continuum.journal.postgres import PostgresJournal
from continuum.journal.suspect_port import Death, Executed
from continuum.journal.version_facts import Refusal
from continuum.journal.wait import Wait
from continuum.node.config import NodeConfig
from continuum.operations.findings import Severity
from continuum.operations.health_codes import HEALTH_CODES
from continuum.settings.settings import Settings
from tests.cli.changeable_server import run_fixes
from tests.cli.commands import CommandLine, place
from tests.contract.builders import (
    begin,
    claim,
    commit,
    new_task,
    owned_run,
    queue_tasks,
    retire,
    signal,
    sleep_until,
    worker_of,
    write,
)
from tests.process.node import flows
from tests.process.node.nodes import await_ready, eventually, launch

T = TypeVar("T")
NOW = ("--due-for", "0")
CODE = NodeCode("1.0", [Loaded("orders", "v1")], ["send"])
FACTS = NodeFacts(NodeId("north"), 4711, "loopback:1", "up", [("run_host", 8)], ["orders"], code=CODE)
DEADLINE_S = 60.0


def found_by(cli: CommandLine, *options: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the findings that nobody has reviewed, by code and subject."""
    outcome = cli("health", "--json", *(options or NOW))
    assert outcome.err == ""
    fresh = [each for each in outcome.json if not each["reviewed"]]
    assert outcome.code == (1 if any(each["severity"] != "note" for each in fresh) else 0)
    assert all(";" in each["sentence"] for each in fresh), "each ends in what to do"
    return {(each["code"], each["subject"]): each for each in fresh}


def on_journal(cli: CommandLine, work: Callable[[Journal], Awaitable[T]]) -> T:
    """Do something on the journal of the command line."""
    _, dsn, _, schema = cli.options

    async def main() -> T:
        journal = PostgresJournal(dsn, schema=schema, listen=False)
        await journal.open()
        try:
            return await work(journal)
        finally:
            await journal.close()

    return asyncio.run(main())


def change(cli: CommandLine, statement: str) -> None:
    """Change rows behind the engine's back."""
    _, dsn, _, schema = cli.options
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(SQL(statement).format(s=Identifier(schema)))


@contextmanager
def node_of(cli: CommandLine, name: str = "north", **settings: Any) -> Iterator[None]:
    """Run a node with the workflows of the tests."""
    _, dsn, _, schema = cli.options
    config = NodeConfig(
        modules=(flows.__name__,), dsn=dsn, schema=schema, name=name, settings=Settings(**settings)
    )
    node = launch(config)
    try:
        await_ready(node)
        yield
        assert node.terminate() == 0
    finally:
        node.end()


@contextmanager
def running(cli: CommandLine, command: str) -> Iterator[None]:
    """Run a command that ends when it is stopped, as a person does in a shell."""
    program, *words = shlex.split(command)
    assert program == "continuum"
    here = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "CONTINUUM_DSN": cli.options[1]}
    process = subprocess.Popen(
        [sys.executable, "-m", "continuum.cli", *words], env=here, stdout=subprocess.PIPE
    )
    try:
        yield
    finally:
        process.terminate()
        process.communicate(timeout=DEADLINE_S)


def start(cli: CommandLine, number: int, namespace: str = "default") -> str:
    """Start an order, which waits for a signal after its first activity."""
    _, dsn, _, schema = cli.options

    async def main() -> str:
        async with continuum.connect(dsn, schema=schema) as client:
            return (await client.start(flows.order, number, namespace=namespace)).id

    return asyncio.run(main())


def until_gone(cli: CommandLine, code: str) -> None:
    """Return once no finding has this code."""
    eventually(lambda: code not in {each for each, _ in found_by(cli)}, f"{code} is still there")


async def lives(journal: Journal, facts: NodeFacts = FACTS, namespace: str | None = None) -> None:
    """Have a node that lives report these facts."""
    namespaces = None if namespace is None else [namespace]
    worker = await journal.register_worker(facts.node, "run_host", 8, 600.0, namespaces=namespaces)
    await journal.renew([worker.id], 600.0, facts)


def test_all_is_well_where_a_node_works(cli: CommandLine) -> None:
    with node_of(cli):
        run = start(cli, 1)
        eventually(lambda: cli("runs", "show", run, "--json").json["state"] == "suspended", "it runs on")
        assert found_by(cli) == {}
        assert cli("health").out == f"all is well in {place(cli)}\n"
    finding = found_by(cli)["nodes-absent", "nodes"]
    assert (finding["count"], finding["severity"]) == (1, "warning")
    assert finding["fixes"] == [f"continuum run-node {flows.__name__} --schema {cli.options[3]}"]
    with running(cli, finding["fixes"][0]):
        until_gone(cli, "nodes-absent")
    assert cli("cancel", run, "--force", "--yes").code == 0
    assert found_by(cli) == {}, "without open runs a node that has stopped is missed by nobody"


def test_runs_without_a_node_are_continued_by_the_fix(cli: CommandLine) -> None:
    with node_of(cli):
        pass
    start(cli, 1)
    start(cli, 2)
    assert found_by(cli, "--due-for", "3600") == {}
    found = found_by(cli)
    assert found.keys() == {("no-nodes", "nodes")}
    finding = found["no-nodes", "nodes"]
    assert (finding["count"], finding["more"], finding["since"] is not None) == (2, False, True)
    assert finding["fixes"] == [f"continuum run-node {flows.__name__} --schema {cli.options[3]}"]
    with running(cli, finding["fixes"][0]):
        until_gone(cli, "no-nodes")


def test_a_namespace_that_no_node_serves_gets_one_by_the_fix(cli: CommandLine) -> None:
    with node_of(cli, namespaces=("eu",)):
        start(cli, 1, "us")
        found = found_by(cli)
        assert found.keys() == {("no-namespace", "nodes.order")}
        with running(cli, found["no-namespace", "nodes.order"]["fixes"][0]):
            until_gone(cli, "no-namespace")


def test_a_blocked_run_continues_after_the_fix(cli: CommandLine) -> None:
    run = start(cli, 1)
    reason = "poison: its process died"
    fault = '{{"kind": "poison"}}'
    change(cli, f"update {{s}}.runs set state = 3, due_at = null, reason = '{reason}', fault = '{fault}'")
    with node_of(cli):
        found = found_by(cli)
        assert found.keys() == {("blocked", "nodes.order")}
        finding = found["blocked", "nodes.order"]
        assert (finding["count"], reason in finding["sentence"]) == (1, True)
        run_fixes(cli, cli.options[1], finding["fixes"])
        eventually(lambda: cli("runs", "show", run, "--json").json["state"] == "suspended", "it is blocked")
        assert found_by(cli) == {}


def test_runs_that_one_cause_blocks_are_unblocked_by_one_command(cli: CommandLine) -> None:
    """One of another cause, and one of another workflow, stay blocked."""
    runs = []
    kinds = (
        ("nodes.order", "drift"),
        ("nodes.order", "drift"),
        ("nodes.order", "corrupt"),
        ("a b,c*", "drift"),
    )
    for workflow, kind in kinds:
        runs.append(start(cli, 1))
        fault = f'{{{{"kind": "{kind}"}}}}'
        change(
            cli,
            f"update {{s}}.runs set state = 3, due_at = null, reason = 'the journal has ''a'';\nthe code b', "
            f"fault = '{fault}', workflow = '{workflow}' where id = '{runs[-1]}'",
        )
    findings = [each for each in cli("health", "--json", *NOW).json if each["subject"] == "nodes.order"]
    (finding,) = [each for each in findings if each["count"] == 2]
    assert "the code b; unblock them once a running node" in finding["sentence"]
    assert finding["fixes"] == [
        (
            "continuum runs unblock --find 'state:blocked workflow:nodes.order fault:drift' --schema "
            f"{cli.options[3]}"
        )
    ]

    run_fixes(cli, cli.options[1], finding["fixes"])

    states = [cli("runs", "show", run, "--json").json["state"] for run in runs]
    assert states == ["running", "running", "blocked", "blocked"]


@pytest.mark.parametrize("number", [1, 2])
def test_runs_that_wait_for_nothing_are_stopped_by_the_fix(cli: CommandLine, number: int) -> None:
    async def parked(journal: Journal) -> None:
        worker = await worker_of(journal)
        await journal.renew([worker.id], 600.0, FACTS)
        for waits in ([], [Wait("signal", -1, "go", 1)], [Wait("unread", -1, "stop", 1)])[: number + 1]:
            run = await owned_run(journal, worker)
            transition = Transition(RunState.SUSPENDED, release=True, waits=waits)
            await commit(journal, worker, write(run, transition=transition))

    on_journal(cli, parked)
    found = found_by(cli)
    assert found.keys() == {("nothing", "orders")}
    finding = found["nothing", "orders"]
    assert (finding["count"], len(finding["fixes"])) == (number, 1)

    run_fixes(cli, cli.options[1], finding["fixes"])

    found = found_by(cli)
    assert found.keys() == {("backlog", "orders")}, "they have been asked to stop"
    assert found["backlog", "orders"]["count"] == number


@contextmanager
def node_that_is_killed(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have node north, which is killed at the end; health sees at once that its lease has run out."""
    monkeypatch.setattr("continuum.journal.postgres.health.EXPIRED_FOR_SECONDS", 0.0)
    _, dsn, _, schema = cli.options
    config = NodeConfig(
        modules=(flows.__name__,), dsn=dsn, schema=schema, name="north", settings=Settings(lease_ttl=1.0)
    )
    node = launch(config)
    try:
        await_ready(node)
        yield
    finally:
        node.end()
    eventually(lambda: ("node-lost", "north") in found_by(cli), "it is not lost")


def test_a_node_that_was_killed_is_lost_with_what_it_owned(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with node_that_is_killed(cli, monkeypatch):
        start(cli, 1)
        eventually(lambda: found_by(cli) == {}, "nobody takes it")
    codes = {code for code, _ in found_by(cli)}
    assert codes == {"node-lost", "lease-expired", "nodes-absent"}, "it waits for a signal"
    fixes = [each["fixes"] for (code, _), each in found_by(cli).items() if code == "lease-expired"]
    run_fixes(cli, cli.options[1], fixes[0])
    assert len(fixes) > len([code for code, _ in found_by(cli) if code == "lease-expired"])
    with node_of(cli, lease_ttl=1.0, name="south"):
        eventually(lambda: ("node-replaced", "north") in found_by(cli), "it is not replaced")
    with node_of(cli, lease_ttl=1.0):
        until_gone(cli, "lease-expired")
        until_gone(cli, "node-lost")


def test_work_of_a_killed_node_is_due_and_continued_by_the_fix(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with node_that_is_killed(cli, monkeypatch):
        run = start(cli, 1)
        eventually(lambda: cli("runs", "show", run, "--json").json["state"] == "suspended", "it runs")
    assert "no-nodes" not in {code for code, _ in found_by(cli)}
    # The signal comes while its dead owner has the run.
    assert cli("signal", run, "go", '"yes"').code == 0
    finding = found_by(cli)["no-nodes", "nodes"]
    assert finding["sentence"] == "1 run is due, which dead processes own, and no node lives; start one"
    assert "nodes-absent" not in {code for code, _ in found_by(cli)}
    assert finding["fixes"] == [f"continuum run-node {flows.__name__} --schema {cli.options[3]}"]
    with running(cli, finding["fixes"][0]):
        assert cli("result", run).code == 0


def test_code_that_no_node_has_is_named(cli: CommandLine) -> None:
    on_journal(cli, lives)
    on_journal(cli, lambda journal: begin(journal, workflow="payments"))
    assert found_by(cli).keys() == {("no-code", "payments")}
    draining = replace(FACTS, node=NodeId("south"), state="draining", workflows=["payments"])
    draining = replace(draining, code=CODE._replace(loaded=[Loaded("payments", "v1")]))
    on_journal(cli, lambda journal: lives(journal, draining))
    found = found_by(cli)
    assert found.keys() == {("no-code", "payments"), ("node-draining", "south")}
    assert "but south, which drain" in found["no-code", "payments"]["sentence"]


async def _released(journal: Journal, refusal: Refusal | None = None) -> RunId:
    """Have a run of version v1 that is due and owned by nobody."""
    worker = await worker_of(journal, node="earlier")
    run = await owned_run(journal, worker)
    releasing = write(run, transition=Transition(RunState.RUNNING, journal.now(), release=True))
    releasing.refusal = refusal
    await commit(journal, worker, releasing)
    await retire(journal, worker)
    return run.id


def with_code(*loaded: Loaded) -> NodeFacts:
    """Return the facts of a node with this code."""
    return replace(FACTS, code=CODE._replace(loaded=loaded))


def test_a_version_that_no_node_has_is_named_until_one_has_it(cli: CommandLine) -> None:
    on_journal(cli, _released)
    on_journal(cli, lambda journal: lives(journal, with_code(Loaded("orders", "v2"))))
    assert found_by(cli).keys() == {("no-version", "orders")}
    on_journal(cli, lambda journal: lives(journal, with_code(Loaded("orders", "v2", takes_others=True))))
    assert found_by(cli).keys() == {("backlog", "orders")}
    on_journal(cli, lambda journal: lives(journal, with_code(Loaded("orders", "v1"))))
    assert found_by(cli).keys() == {("backlog", "orders")}


def test_runs_that_the_code_refused_are_named_with_where_to_look(cli: CommandLine) -> None:
    run = on_journal(cli, lambda journal: _released(journal, Refusal("v2", "drift: at 3", Fault("drift", 3))))
    on_journal(cli, lambda journal: lives(journal, with_code(Loaded("orders", "v2", takes_others=True))))
    found = found_by(cli)
    assert found.keys() == {("refused", "orders")}
    assert f"`continuum runs show {run}`" in found["refused", "orders"]["sentence"]
    on_journal(cli, lambda journal: lives(journal, with_code(Loaded("orders", "v1"))))
    assert found_by(cli).keys() == {("backlog", "orders")}


def test_runs_that_wait_in_a_version_that_no_node_has_are_counted(cli: CommandLine) -> None:
    async def parked(journal: Journal) -> None:
        worker = await worker_of(journal, node="earlier")
        run = await owned_run(journal, worker)
        await commit(journal, worker, write(run, transition=sleep_until(None)))
        await retire(journal, worker)

    on_journal(cli, parked)
    assert found_by(cli).keys() == {("nodes-absent", "nodes")}
    on_journal(cli, lambda journal: lives(journal, with_code(Loaded("orders", "v2"))))
    found = found_by(cli)
    assert found.keys() == {("version-missing", "orders")}
    assert found["version-missing", "orders"]["count"] == 1
    on_journal(cli, lambda journal: lives(journal, FACTS))
    assert found_by(cli) == {}


@pytest.mark.parametrize(
    ("task", "code", "said"),
    [
        (new_task(), "queue-backlog", "though nodes could run it"),
        (new_task(activity="print"), "queue-unserved", "no node may run it"),
        (new_task(isolated=True), "queue-unserved", "--activity-hosts"),
        (new_task(node=NodeId("gone")), "queue-unserved", "no node may run it"),
    ],
    ids=["served", "unknown", "isolated", "bound"],
)
def test_tasks_that_wait_are_named_with_what_they_lack(
    cli: CommandLine, task: Any, code: str, said: str
) -> None:
    async def queued(journal: Journal) -> None:
        worker = await worker_of(journal)
        await journal.renew([worker.id], 600.0, FACTS)
        await queue_tasks(journal, worker, await owned_run(journal, worker), task)

    on_journal(cli, queued)
    found = found_by(cli)
    assert found.keys() == {(code, "mail")}
    assert said in found[code, "mail"]["sentence"]


def test_tasks_without_any_node_are_named(cli: CommandLine) -> None:
    async def queued(journal: Journal) -> None:
        worker = await worker_of(journal)
        await queue_tasks(journal, worker, await owned_run(journal, worker), new_task())

    on_journal(cli, queued)
    assert found_by(cli).keys() == {("no-nodes", "mail")}


def test_a_run_whose_input_cannot_be_read_is_ended_by_the_fix(cli: CommandLine) -> None:
    """To try it again would change nothing: no code that is loaded reads the input."""
    run = start(cli, 1)
    reason = "input: the code cannot read its input"
    fault = '{{"kind": "input"}}'
    change(cli, f"update {{s}}.runs set state = 3, due_at = null, reason = '{reason}', fault = '{fault}'")
    explained = cli("explain", run, "--json").json["causes"][0]
    assert explained["fixes"][0]["command"].startswith(f"continuum cancel {run}")
    finding = found_by(cli)["blocked", "nodes.order"]
    assert "cancel it and start it again" in finding["sentence"]
    run_fixes(cli, cli.options[1], finding["fixes"])
    assert cli("runs", "show", run, "--json").json["state"] == "cancelled"
    assert found_by(cli) == {}


def test_suspects_and_deadly_workflows_are_named(cli: CommandLine) -> None:
    async def killed(journal: Journal) -> None:
        for _ in range(3):
            worker = await worker_of(journal)
            run = await owned_run(journal, worker)
            await journal.blame(worker.id, Death(culprit=Executed(run.id)))
            await journal.retire_worker(worker.id, executing=run.id, poison_after=1)
        worker = await worker_of(journal)
        await begin(journal, workflow="calm")
        (run,) = await claim(journal, worker, code=[Loaded("calm", "v1")])
        await journal.blame(worker.id, Death(named=(Executed(run.id),)))
        await retire(journal, worker)

    on_journal(cli, killed)
    assert found_by(cli).keys() == {
        ("blocked", "orders"),
        ("deadly-workflow", "orders"),
        ("quarantine", "calm"),
        ("nodes-absent", "nodes"),
    }


@pytest.mark.parametrize(
    ("broken", "subject"),
    [
        ("update {s}.runs set due_at = 'infinity', owner = null", "runs"),
        ("update {s}.tasks set due_at = 'infinity'", "tasks"),
        (
            "insert into {s}.workers (node, role, pid, expires_at) values ('odd', 'run_host', 1, 'infinity')",
            "workers",
        ),
        (
            "insert into {s}.suspects select id, -1, 0, 1, 'infinity' from {s}.runs",
            "suspects",
        ),
    ],
)
def test_odd_rows_are_mended_by_the_fix(cli: CommandLine, broken: str, subject: str) -> None:
    async def made(journal: Journal) -> None:
        worker = await worker_of(journal)
        await journal.renew([worker.id], 600.0, FACTS)
        await queue_tasks(journal, worker, await owned_run(journal, worker), new_task())

    on_journal(cli, made)
    change(cli, broken)
    found = {key: each for key, each in found_by(cli).items() if key[0] == "odd-row"}
    ((key, finding),) = found.items()
    assert key[1].startswith(f"{subject} ")
    run_fixes(cli, cli.options[1], finding["fixes"])
    assert "odd-row" not in {code for code, _ in found_by(cli)}


def test_a_schema_that_is_behind_is_the_only_finding(cli: CommandLine, dsn: str, empty_name: str) -> None:
    here = ("--json", "--dsn", dsn, "--schema", empty_name)
    outcome = cli.bare("health", *here)
    (finding,) = outcome.json
    assert (outcome.code, finding["code"]) == (1, "schema")
    run_fixes(cli, dsn, finding["fixes"])
    assert cli.bare("health", *here).json == []


async def unread_mail(journal: Journal) -> RunId:
    """Have a run that nobody owns and that has an unread signal."""
    worker = await worker_of(journal)
    await journal.renew([worker.id], 600.0, FACTS)
    run = await owned_run(journal, worker)
    await commit(journal, worker, write(run, transition=sleep_until(None)))
    await journal.post([signal(run.id)])
    return run.id


def test_a_run_that_nobody_wakes_is_woken_by_the_fix(cli: CommandLine) -> None:
    run = on_journal(cli, unread_mail)
    change(cli, "update {s}.runs set due_at = null")
    found = found_by(cli)
    assert found.keys() == {("lost-wake", "orders")}
    finding = found["lost-wake", "orders"]
    assert finding["fixes"] == [f"continuum repair lost-wake {run} --schema {cli.options[3]}"]
    run_fixes(cli, cli.options[1], finding["fixes"])
    assert found_by(cli).keys() == {("backlog", "orders")}


def test_more_than_are_counted_are_said_to_be_more(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("continuum.journal.postgres.health.MOST_COUNTED", 3)
    on_journal(cli, lives)

    async def many(journal: Journal) -> None:
        for _ in range(5):
            await begin(journal, workflow="payments")

    on_journal(cli, many)
    finding = found_by(cli)["no-code", "payments"]
    assert (finding["count"], finding["more"]) == (3, True)
    assert "more than 3 runs are due" in finding["sentence"]


def test_a_note_alone_is_no_failure(cli: CommandLine) -> None:
    on_journal(cli, lambda journal: lives(journal, replace(FACTS, state="draining")))
    assert found_by(cli).keys() == {("node-draining", "north")}
    assert HEALTH_CODES["node-draining"].severity is Severity.NOTE


@pytest.mark.parametrize(
    "words",
    [("--workflow", "orders", "--namespace", "default"), ("--queue", "mail room"), ("--namespace", "eu")],
    ids=["workflow", "queue", "namespace"],
)
def test_a_pause_that_somebody_forgot_is_ended_by_the_fix(cli: CommandLine, words: tuple[str, ...]) -> None:
    assert cli("pause", *words, "--reason", "audit", "--yes", "--by", "ann").code == 0
    assert found_by(cli) == {}
    change(cli, "update {s}.pauses set since = since - interval '2 days'")
    ((_, found),) = found_by(cli).items()
    assert (found["code"], found["severity"]) == ("paused-long", "warning")
    assert " by ann: audit; this holds 0 " in found["sentence"]

    run_fixes(cli, cli.options[1], found["fixes"])

    assert found_by(cli) == {}


@pytest.mark.parametrize("number", [1, 2])
def test_runs_that_somebody_forgot_are_resumed_by_the_fix(cli: CommandLine, number: int) -> None:
    on_journal(cli, lives)
    runs = [on_journal(cli, begin) for _ in range(number + 1)]
    for run in runs:
        assert cli("runs", "pause", run, "--yes", "--by", "ann").code == 0
    change(cli, f"update {{s}}.runs set paused_at = paused_at - interval '2 days' where id <> '{runs[-1]}'")
    ((_, found),) = found_by(cli).items()
    assert (found["code"], found["count"]) == ("paused-long", number)

    run_fixes(cli, cli.options[1], found["fixes"])

    assert ("paused-long", "runs of orders") not in found_by(cli)
    left = cli("runs", "list", "--paused", "--json").json["entries"]
    assert [each["id"] for each in left] == [runs[-1]]
