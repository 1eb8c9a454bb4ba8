"""What `continuum start` says beside the id: a run that waits for a node, a name misspelt, a run found."""

from __future__ import annotations

import pytest

from continuum.engine.ids import NodeId
from continuum.journal.facts import NodeFacts
from continuum.journal.port import VersionRow
from continuum.journal.postgres import PostgresJournal
from tests.cli.commands import CommandLine, place
from tests.cli.test_commands import on_journal
from tests.unit.client.working import Ending


def node(cli: CommandLine, *workflows: str, state: str = "up", namespace: str | None = None) -> None:
    """Have a node that is alive report these workflows."""

    async def living(journal: PostgresJournal) -> None:
        served = None if namespace is None else [namespace]
        worker = await journal.register_worker(NodeId("north"), "run_host", 8, 600.0, namespaces=served)
        facts = NodeFacts(NodeId("north"), 7, "local", state, [], list(workflows))
        await journal.renew([worker.id], 600.0, facts)

    on_journal(cli, living)


def start(cli: CommandLine, workflow: str = "order_flow", *options: str) -> tuple[str, str]:
    """Start a run; return its id, and what is said on stderr with RUN in place of the id."""
    begun = cli("start", workflow, *options)
    assert begun.code == 0
    run = begun.out.strip()
    return run, begun.err.replace(run, "RUN")


def record(cli: CommandLine, workflow: str) -> None:
    """Have a version of a workflow on record, as a node that has loaded it does."""
    row = VersionRow(workflow, "v1", "1", "shop", None, None)
    on_journal(cli, lambda journal: journal.register_versions([row]))


ENDS = "`continuum cancel RUN --force` ends it"


def test_a_start_that_a_node_takes_says_nothing_but_the_id(cli: CommandLine) -> None:
    node(cli, "order_flow")
    assert start(cli)[1] == ""


def test_a_start_without_a_node_says_what_it_waits_for(cli: CommandLine) -> None:
    record(cli, "order_flow")
    waits = "run RUN waits for a node that has loaded order_flow: no node is running"
    assert start(cli)[1] == f"{waits}; {ENDS}\n"
    node(cli, "order_flow", state="draining")
    assert start(cli)[1] == f"{waits}; {ENDS}\n"


def test_a_misspelt_start_without_a_node_is_told_the_nearest_name(cli: CommandLine) -> None:
    record(cli, "order_flow")
    told = start(cli, "oder_flow")[1]
    assert told == (
        "run RUN waits for a node that has loaded 'oder_flow': no node is running, and none has ever loaded "
        f"that name; the nearest name is order_flow; {ENDS}\n"
    )
    assert "nearest" not in start(cli, "payments")[1]


def test_a_misspelt_start_beside_nodes_without_workflows_is_told_too(cli: CommandLine) -> None:
    record(cli, "order_flow")
    node(cli)
    assert "no running node takes it, and none has ever loaded that name" in start(cli, "oder_flow")[1]


def test_a_start_that_is_refused_is_told_the_nearest_name(cli: CommandLine) -> None:
    node(cli, "greeting", "order_flow")
    refused = cli("start", "order_flaw")
    assert (refused.code, refused.out) == (1, "")
    assert refused.err == (
        "continuum: no running node has loaded a workflow named 'order_flaw'; "
        f"the nearest name is order_flow; they have greeting, order_flow; looked in {place(cli)}\n"
    )
    assert cli("runs", "list", "--json").json["entries"] == []


def test_a_start_in_a_namespace_that_no_node_serves_says_so(cli: CommandLine) -> None:
    node(cli, "order_flow", namespace="eu")
    assert start(cli, "order_flow", "--namespace", "eu")[1] == ""
    assert start(cli)[1] == (
        f"run RUN waits for a node that serves namespace 'default': those that run serve others; {ENDS}\n"
    )


@pytest.mark.parametrize("option", ["--key", "--id"])
def test_a_start_that_finds_its_run_says_that_nothing_was_started(cli: CommandLine, option: str) -> None:
    node(cli, "greeting")
    name = "00000000-0000-4000-8000-000000000009"
    run, told = start(cli, "greeting", option, name)
    assert told == ""
    on_journal(cli, lambda journal: Ending(journal).complete(run, 1))
    again = start(cli, "greeting", option, name)
    assert again == (run, "run RUN was there already, and is completed: nothing was started\n")
