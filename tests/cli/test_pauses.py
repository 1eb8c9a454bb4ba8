"""`continuum pause`, `resume` and `pauses`, `runs pause` and `runs resume`."""

from __future__ import annotations

import io

import pytest

from continuum.engine.ids import NodeId
from continuum.journal.facts import NodeFacts
from continuum.journal.node_code import NodeCode
from continuum.journal.postgres import PostgresJournal
from tests.cli.commands import CommandLine
from tests.cli.test_audit import Terminal, meanwhile, rows, short
from tests.cli.test_commands import on_journal, started

UNKNOWN = "warning: no node has a limit for queue 'mail', and nothing waits in it\n"


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """No actor is set, and nobody is at a terminal."""
    monkeypatch.delenv("CONTINUUM_ACTOR", raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))


def test_a_run_is_paused_and_resumed_with_its_reason_on_record(cli: CommandLine) -> None:
    run_id = started(cli, "--by", "eve")
    paused = cli("runs", "pause", run_id, "--yes", "--by", "ann", "--reason", "the bank asks")
    assert (paused.code, paused.err) == (0, "")
    assert paused.out.startswith(f"run {run_id} is paused since ")
    assert paused.out.endswith(" by ann: the bank asks\n")
    assert cli("runs", "pause", run_id, "--yes", "--by", "bob").out == paused.out.replace(
        "is paused", "is already paused"
    )
    said = paused.out.split(" ", 2)[2].strip()
    assert said in cli("runs", "show", run_id).out
    assert said in cli("runs", "list").out
    assert cli("runs", "show", run_id, "--json").json["pause"]["by"] == "ann"
    assert f"paused: it {said}" in cli("explain", run_id).out

    assert cli("runs", "resume", run_id, "--yes", "--by", "ann").out == f"run {run_id} continues\n"
    again = cli("runs", "resume", run_id, "--yes", "--by", "ann")
    assert (again.code, again.out) == (0, f"run {run_id} was not paused\n")
    assert short(rows(cli))[1:] == [
        ("pause", run_id, "done"),
        ("pause", run_id, "already"),
        ("resume", run_id, "done"),
        ("resume", run_id, "already"),
    ]
    assert rows(cli)[1]["reason"] == "the bank asks"


def test_the_list_finds_the_runs_that_are_paused_by_themselves(cli: CommandLine) -> None:
    run_id, other = started(cli), started(cli)
    assert cli("runs", "list", "--paused", "--json").json["entries"] == []
    assert cli("runs", "pause", run_id, "--yes").code == 0
    assert cli("pause", "--workflow", "greeting", "--yes").code == 0
    found = cli("runs", "list", "--paused", "--json").json["entries"]
    assert [run["id"] for run in found] == [run_id]
    assert cli("runs", "list", "--state", "running").out.count(" paused since ") == 2
    assert cli("cancel", other, "--force", "--yes").code == 0
    assert cli("runs", "list", "--paused", "--json").json["entries"] == found


def test_all_runs_that_a_search_finds_are_paused_and_resumed(cli: CommandLine) -> None:
    runs, other = {started(cli), started(cli)}, started(cli)
    assert cli("runs", "attributes", other, '{"keep": true}', "--yes").code == 0
    change = ("runs", "pause", "--find", "workflow:greeting -@keep:true")
    assert "2 runs would be paused:" in cli(*change, "--preview").out
    refused = cli(*change)
    assert (refused.code, refused.out) == (1, "")
    assert "2 runs not changed: nobody confirmed it" in refused.err
    done = cli(*change, "--yes", "--by", "ann", "--reason", "the bank asks")
    assert done.out.endswith("is completed: 2 done, 0 skipped, 0 failed\n")
    paused = cli("runs", "list", "--paused", "--json").json["entries"]
    assert {run["id"] for run in paused} == runs
    assert [(run["pause"]["by"], run["pause"]["reason"]) for run in paused] == [("ann", "the bank asks")] * 2
    resumed = cli("runs", "resume", "--find", "paused:<1d", "--yes", "--json")
    assert (resumed.json["action"], resumed.json["done"]) == ("resume", 2)
    assert cli("runs", "list", "--paused", "--json").json["entries"] == []
    assert {row[:2] for row in short(rows(cli)) if row[0] in ("pause", "resume")} == {
        (action, run) for action in ("pause", "resume") for run in runs
    }


@pytest.mark.parametrize(
    ("options", "subject", "held"),
    [
        (("--workflow", "greeting"), "workflow greeting", "2 open runs, 0 waiting activities"),
        (
            ("--workflow", "greeting", "--namespace", "eu"),
            "workflow greeting in namespace eu",
            "1 open run, 0 waiting activities",
        ),
        (("--namespace", "eu"), "namespace eu", "1 open run, 0 waiting activities"),
        (("--queue", "mail"), "queue mail", "0 waiting activities"),
    ],
)
def test_a_wide_pause_shows_what_it_holds_and_asks(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], subject: str, held: str
) -> None:
    started(cli)
    started(cli, "--namespace", "eu")
    refused = cli("pause", *options)
    assert (refused.code, refused.out) == (1, "")
    assert refused.err.removeprefix(UNKNOWN) == (
        f"continuum: {subject} was not paused: nobody confirmed it; "
        "without a terminal, --yes does it without a question\n"
    )
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    declined = cli("pause", *options)
    assert (declined.code, declined.out) == (1, f"{subject}: nothing changed\n")
    assert f"Pause {subject}: {held}?" in declined.err
    assert cli("pauses", "--json").json == []

    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    done = cli("pause", *options, "--by", "ann", "--reason", "audit")
    assert done.out.startswith(f"{subject} is paused since ")
    assert done.out.endswith(f" by ann: audit; it holds {held}\n")
    again = cli("pause", *options, "--json").json
    assert (again["already"], again["pause"]["by"], again["pause"]["reason"]) == (True, "ann", "audit")
    (listed,) = cli("pauses", "--json").json
    assert listed == again["pause"]
    assert "ann" in cli("pauses").out

    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    declined = cli("resume", *options)
    assert (declined.code, declined.out) == (1, f"{subject}: nothing changed\n")
    assert cli("resume", *options, "--yes").out == f"{subject} continues: {held}\n"
    assert cli("resume", *options, "--yes").out == f"{subject} was not paused\n"
    assert cli("pauses", "--json").json == []
    changes = [row for row in rows(cli) if row["action"] in ("pause", "resume")]
    assert short(changes) == [
        ("pause", subject, "done"),
        ("pause", subject, "already"),
        ("resume", subject, "done"),
        ("resume", subject, "already"),
    ]


@pytest.mark.parametrize("command", ["pause", "resume"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "say what: --workflow, --queue or --namespace"),
        (("--queue", "q", "--workflow", "w"), "--queue is for all workflows and namespaces; give it alone"),
        (("--queue", "q", "--namespace", "n"), "--queue is for all workflows and namespaces; give it alone"),
    ],
)
def test_nothing_and_two_things_are_wrong_use(
    cli: CommandLine, command: str, options: tuple[str, ...], message: str
) -> None:
    refused = cli(command, *options, "--yes")
    assert (refused.code, refused.out) == (2, "")
    assert message in refused.err


def test_a_bad_name_is_refused_before_anything_is_written(cli: CommandLine) -> None:
    refused = cli("pause", "--queue", "", "--yes")
    assert (refused.code, refused.err) == (1, "continuum: queue must have 1 to 255 bytes, not 0\n")
    assert rows(cli) == []


def test_an_ended_run_is_refused_and_one_that_has_moved_is_left(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = started(cli)
    cli("runs", "pause", run_id, "--yes")
    cli("runs", "resume", run_id, "--yes")
    assert cli("cancel", run_id, "--force", "--yes").code == 0
    refused = cli("runs", "pause", run_id, "--yes")
    assert (refused.code, refused.out) == (1, "")
    assert refused.err == f"continuum: run {run_id} is already cancelled and takes nothing more\n"

    moving = started(cli)
    meanwhile(monkeypatch, lambda: cli("cancel", moving, "--force", "--yes"))
    assert cli("runs", "pause", moving).code == 1
    assert short(rows(cli))[-1] == ("pause", moving, "refused")


def test_a_run_that_is_paused_with_others_says_how_that_ends(cli: CommandLine) -> None:
    run_id = started(cli)
    assert cli("pause", "--workflow", "greeting", "--yes").code == 0
    still = cli("runs", "resume", run_id, "--yes")
    assert (still.code, still.out) == (1, "")
    assert still.err == (
        f"continuum: run {run_id} is still paused, with workflow greeting; "
        "`continuum resume --workflow greeting` ends that\n"
    )
    assert cli("resume", "--workflow", "greeting", "--yes").code == 0
    assert "paused" not in cli("runs", "show", run_id).out


def test_a_pause_of_what_nobody_knows_says_so_with_the_nearest_name(cli: CommandLine) -> None:
    async def loading(journal: PostgresJournal) -> None:
        worker = await journal.register_worker(NodeId("n1"), "run_host", 1, 600.0)
        await journal.renew([worker.id], 600.0, NodeFacts(NodeId("n1"), 1, "local", "up", [], ["loose"]))

    on_journal(cli, loading)
    assert cli("pause", "--workflow", "loose", "--yes").err == ""
    assert cli("pause", "--workflow", "lose", "--yes").err == (
        "warning: no node has ever loaded a workflow named 'lose', and no run of it is open; "
        "the nearest name is loose\n"
    )
    assert "no node has a limit for queue 'mail'" in cli("pause", "--queue", "mail", "--yes").err
    assert cli("resume", "--queue", "ma", "--yes").out.endswith("was not paused; the nearest name is mail\n")


@pytest.mark.parametrize(("unlisted", "served"), [(8, True), (0, False)])
def test_a_pause_of_a_queue_that_nodes_serve_asks_only_for_its_name(
    cli: CommandLine, unlisted: int, served: bool
) -> None:
    code = NodeCode("1.0", [], ["send"], [("letters", 2)], unlisted)
    facts = NodeFacts(NodeId("n1"), 1, "local", "up", [], [], code=code)

    async def loading(journal: PostgresJournal) -> None:
        worker = await journal.register_worker(NodeId("n1"), "run_host", 1, 600.0)
        await journal.renew([worker.id], 600.0, facts)

    on_journal(cli, loading)
    assert cli("pause", "--queue", "letters", "--yes").err == ""
    known = UNKNOWN.replace("\n", "; if the name is right, its next activities wait\n")
    assert cli("pause", "--queue", "mail", "--yes").err == (known if served else UNKNOWN)


def test_a_new_run_of_what_is_paused_says_what_it_waits_for(cli: CommandLine) -> None:
    assert cli("pause", "--workflow", "greeting", "--yes", "--by", "ann", "--reason", "audit").code == 0
    begun = cli("start", "greeting")
    run = begun.out.strip()
    said, *_ = begun.err.splitlines()
    assert said.startswith(f"run {run} waits: workflow greeting is paused since ")
    assert said.endswith(" by ann: audit; `continuum resume --workflow greeting` ends that")
    assert cli("resume", "--workflow", "greeting", "--yes").code == 0
    assert "paused" not in cli("start", "greeting").err


def test_runs_that_are_paused_by_themselves_are_counted_beside_the_pauses(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli("pauses").err == ""
    monkeypatch.setattr("continuum.cli.pauses.RUNS_COUNTED", 2)
    for said in (
        "1 run is paused by itself",
        "2 runs are paused by themselves",
        "more than 2 runs are paused",
    ):
        assert cli("runs", "pause", started(cli), "--yes").code == 0
        assert cli("pauses").err.startswith(said)
    assert cli("pauses").err.endswith(" by themselves: `continuum runs list --paused`\n")


def test_runs_in_several_states_are_listed_by_one_word(cli: CommandLine) -> None:
    ended, run = started(cli), started(cli)
    assert cli("cancel", ended, "--force", "--yes").code == 0

    def listed(*states: str) -> set[str]:
        options = [word for state in states for word in ("--state", state)]
        return {each["id"] for each in cli("runs", "list", *options, "--json").json["entries"]}

    assert (listed("open"), listed("ended"), listed("open", "cancelled")) == ({run}, {ended}, {run, ended})
