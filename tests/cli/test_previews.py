"""At a terminal `attributes`, `runs unblock` and `nodes drain` show what they would change, and ask."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from continuum.engine.events import Event, EventType
from continuum.engine.ids import NodeId
from continuum.journal.facts import NodeFacts, RunState, Transition
from continuum.journal.postgres import PostgresJournal
from tests.cli.commands import CommandLine
from tests.cli.test_audit import Terminal, meanwhile, rows, short
from tests.cli.test_commands import on_journal, started
from tests.unit.client.working import Ending


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is at a terminal."""
    monkeypatch.setattr("sys.stdin", io.StringIO(""))


@pytest.fixture
def types(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put a person at the terminal who types this."""
    return lambda text: monkeypatch.setattr("sys.stdin", Terminal(text))


def blocked(cli: CommandLine, reason: str = "poison: it dies") -> str:
    """Return a blocked run."""
    run = started(cli)
    block(cli, run, reason)
    return run


def begun_and_blocked(cli: CommandLine) -> str:
    """Return a blocked run that has a history."""
    run = started(cli)
    block(cli, run, "poison: it dies", [Event(0, EventType.SIDE_EFFECT, 1, (b"",))])
    return run


def block(cli: CommandLine, run: str, reason: str, events: list[Event] | None = None) -> None:
    """Block a run, as its owner does."""
    transition = Transition(RunState.BLOCKED, reason=reason)
    on_journal(cli, lambda journal: Ending(journal).write(run, transition, events))


def node(cli: CommandLine, name: str, pid: int, *workflows: str) -> None:
    """Have a node that is alive report these workflows."""

    async def living(journal: PostgresJournal) -> None:
        worker = await journal.register_worker(NodeId(name), "run_host", pid, 600.0)
        await journal.renew([worker.id], 600.0, NodeFacts(NodeId(name), pid, "local", "up", [], workflows))

    on_journal(cli, living)


def state(cli: CommandLine, run: str) -> str:
    """Return the state of a run."""
    return str(cli("runs", "show", run, "--json").json["state"])


def test_an_unblock_says_why_the_run_is_blocked_and_asks(
    cli: CommandLine, types: Callable[[str], None]
) -> None:
    run = blocked(cli)
    types("n\n")
    declined = cli("runs", "unblock", run)
    assert (declined.code, declined.out) == (1, f"run {run}: nothing changed\n")
    question = f"Let nodes try run {run} of greeting again, blocked by poison: it dies? [y/N]: "
    assert declined.err.startswith(question)
    assert state(cli, run) == "blocked"
    types("y\n")
    assert cli("runs", "unblock", run).code == 0
    assert state(cli, run) == "running"
    assert short(rows(cli))[1:] == [("unblock", run, "done")]


def test_an_unblock_of_a_run_that_is_blocked_anew_meanwhile_does_nothing(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = blocked(cli)

    def another_block() -> None:
        assert cli("runs", "unblock", run, "--yes").code == 0
        block(cli, run, "input: no text")

    meanwhile(monkeypatch, another_block)
    stale = cli("runs", "unblock", run)
    assert (stale.code, "has changed since it was looked at, and nothing was done" in stale.err) == (1, True)
    assert state(cli, run) == "blocked"


def test_changed_attributes_are_shown_with_their_old_values(
    cli: CommandLine, types: Callable[[str], None]
) -> None:
    run = started(cli, "--attribute", "vip=true", "--attribute", "tier=1")
    given = '{"vip": false, "city": "Rome", "tier": 1}'
    types("n\n")
    declined = cli("attributes", run, given)
    assert (declined.code, declined.out) == (1, f"run {run}: nothing changed\n")
    change = 'vip from true to false, city from nothing to "Rome"'
    assert declined.err.startswith(f"Change of run {run} of greeting (running) {change}? [y/N]: ")
    types("y\n")
    assert cli("attributes", run, given).code == 0
    shown = cli("runs", "show", run, "--json").json["attributes"]
    assert shown == {"vip": False, "city": "Rome", "tier": 1}
    types("")
    assert (cli("attributes", run, given).code, cli("attributes", run, given).err) == (0, "")


def test_attributes_that_change_meanwhile_stay(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    run = started(cli, "--attribute", "vip=true")
    meanwhile(monkeypatch, lambda: cli("attributes", run, '{"vip": null}', "--yes"))
    stale = cli("attributes", run, '{"vip": false}')
    assert (stale.code, "has changed since it was looked at" in stale.err) == (1, True)
    assert cli("runs", "show", run, "--json").json["attributes"] == {"vip": None}


def test_a_drain_says_what_the_node_does_and_which_workflows_nobody_else_has(
    cli: CommandLine, types: Callable[[str], None]
) -> None:
    node(cli, "north", 7, "pay", "ship")
    node(cli, "south", 8, "ship")
    types("n\n")
    declined = cli("nodes", "drain", "north")
    assert (declined.code, declined.out) == (1, "node north: nothing changed\n")
    asked = "Let node north finish or release its 0 runs and 0 tasks and stop"
    assert declined.err.startswith(f"{asked}, and leave no node that has loaded pay? [y/N]: ")
    types("y\n")
    drained = cli("nodes", "drain", "south")
    assert "and leave no node" not in drained.err
    assert drained.out.startswith("node south stops taking work; ")
    assert short(rows(cli)) == [("drain_node", "south", "done")]
    types("")
    assert "no node is named west" in cli("nodes", "drain", "west").err


def test_a_node_that_was_started_anew_meanwhile_is_not_drained(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    node(cli, "north", 7)
    meanwhile(monkeypatch, lambda: node(cli, "north", 9))
    stale = cli("nodes", "drain", "north")
    assert (stale.code, "started anew, and nothing was done" in stale.err) == (1, True)
    assert rows(cli) == []


def test_scripts_are_not_asked_and_neither_is_who_says_yes(
    cli: CommandLine, types: Callable[[str], None]
) -> None:
    node(cli, "north", 7)
    run, other = blocked(cli), blocked(cli)
    assert cli("runs", "unblock", run).code == 0
    assert cli("attributes", run, '{"vip": true}').code == 0
    assert cli("nodes", "drain", "north").code == 0
    types("")
    assert cli("runs", "unblock", other, "--yes").code == 0
    assert cli("attributes", other, '{"vip": true}', "--yes").code == 0
    assert cli("nodes", "drain", "north", "--yes").code == 0
    assert [state(cli, each) for each in (run, other)] == ["running", "running"]


def test_a_blocked_run_keeps_a_cancel_and_the_question_before_its_unblock_says_so(
    cli: CommandLine, types: Callable[[str], None]
) -> None:
    run = begun_and_blocked(cli)
    types("")
    asked = cli("cancel", run)
    assert (asked.code, state(cli, run)) == (0, "blocked")
    assert asked.out == "pending: with nobody, until it is unblocked: poison: it dies\n"
    how = "lets it read the signals that came before, compensate and end"
    assert f"once the cause is mended, `continuum runs unblock {run}` {how}" in asked.err
    assert cli("runs", "cancel", run).out == asked.out
    types("n\n")
    question = "blocked by poison: it dies; it was asked to stop, and compensates then? [y/N]: "
    assert question in cli("runs", "unblock", run).err


def test_only_a_cancel_of_a_blocked_run_by_force_asks(cli: CommandLine, types: Callable[[str], None]) -> None:
    run = begun_and_blocked(cli)
    types("n\n")
    declined = cli("cancel", run, "--force")
    assert (declined.code, declined.out, state(cli, run)) == (1, f"run {run}: nothing changed\n", "blocked")
    assert "(blocked, poison: it dies) at once, without compensation?" in declined.err
    types("y\n")
    assert cli("cancel", run, "--force").out == "cancelled\n"


def test_a_blocked_run_that_has_done_nothing_ends_at_once(cli: CommandLine) -> None:
    assert cli("cancel", blocked(cli)).out == "cancelled\n"


def test_a_cancel_of_many_says_how_many_are_blocked(cli: CommandLine) -> None:
    blocked(cli)
    started(cli)
    said = "1 run of them is blocked: such a run keeps the request until it is unblocked, "
    said += "and compensates then; one that has done nothing yet ends at once"
    shown = cli("runs", "cancel", "--find", "state:open", "--preview")
    assert shown.out.splitlines()[-2].startswith(said)
    (note,) = cli("runs", "cancel", "--find", "state:open", "--preview", "--json").json["notes"]
    assert note.startswith(said)


def test_a_removal_of_many_says_how_many_are_skipped(cli: CommandLine) -> None:
    run = started(cli)
    assert cli("cancel", started(cli), "--force", "--yes").code == 0
    shown = cli("runs", "delete", "--find", f"id:{run}", "--preview")
    assert shown.out.splitlines()[-1] == f"1 of them would be skipped: it is open ({run})"
    assert cli("runs", "delete", "--find", "state:ended", "--preview").err == ""


def test_a_change_that_would_skip_all_runs_is_not_asked_about(
    cli: CommandLine, types: Callable[[str], None]
) -> None:
    run = begun_and_blocked(cli)
    types("")
    asked = cli("runs", "delete", "--find", f"id:{run}")
    assert (asked.code, asked.out) == (0, "nothing was changed\n")
    assert asked.err.splitlines()[0] == "1 run was found, and nothing would be changed:"
