"""What the commands say of nodes that are lost, stop, or lack the code of a run."""

from __future__ import annotations

from continuum.engine.ids import NodeId, WorkerId
from continuum.journal.facts import NodeFacts, RunState, Transition
from tests.cli.commands import CommandLine, place
from tests.cli.test_commands import on_journal, started
from tests.unit.client.working import Ending


def test_show_says_that_no_node_could_continue_a_run_that_waits(cli: CommandLine) -> None:
    run_id = started(cli)
    asleep = Transition(RunState.SUSPENDED, release=True)
    on_journal(cli, lambda journal: Ending(journal).write(run_id, asleep))
    missing = "\nno running node of its namespace has loaded greeting: nothing continues this run\n"
    assert missing in cli("runs", "show", run_id).out
    facts = NodeFacts(NodeId("north"), 7, "local", "up", [], ["greeting"])
    on_journal(cli, lambda journal: journal.renew([], 10.0, facts))
    assert missing not in cli("runs", "show", run_id).out


def test_show_says_that_the_node_of_the_owner_is_lost(cli: CommandLine) -> None:
    run_id = started(cli)
    on_journal(cli, lambda journal: Ending(journal).claim())
    facts = NodeFacts(NodeId("north"), 1, "local", "up", [], ["greeting"])
    on_journal(cli, lambda journal: journal.renew([], 10.0, facts))
    assert "is lost" not in cli("runs", "show", run_id).out
    on_journal(cli, lambda journal: journal.renew([WorkerId(1)], 0.0, facts))
    assert "\nnode north is lost, and no running node" in cli("runs", "show", run_id).out


def test_nodes_drain_asks_a_node_to_stop(cli: CommandLine) -> None:
    facts = NodeFacts(NodeId("north"), 7, "local", "up", [])
    on_journal(cli, lambda journal: journal.renew([], 10.0, facts))
    on_journal(cli, lambda journal: journal.register_worker(NodeId("north"), "run_host", 8, 60.0))
    outcome = cli("nodes", "drain", "north")
    asked = "node north stops taking work; `continuum nodes list` shows when it has left\n"
    assert (outcome.code, outcome.out) == (0, asked)
    assert (
        cli("nodes", "drain", "south")
        .err.strip()
        .endswith(
            f"no node is named south; `continuum nodes list` shows those there are; looked in {place(cli)}"
        )
    )


def test_nodes_drain_of_a_lost_node_says_that_it_is_lost(cli: CommandLine) -> None:
    facts = NodeFacts(NodeId("north"), 7, "local", "up", [])
    on_journal(cli, lambda journal: journal.renew([], 10.0, facts))
    assert cli("nodes", "drain", "north").out.startswith("node north is lost: ")
