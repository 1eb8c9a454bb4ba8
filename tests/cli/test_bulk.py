"""`runs cancel|signal|unblock|attributes|delete` of one run or of all that are found, and `operations`."""

from __future__ import annotations

import io
from typing import Any

import pytest

from continuum.journal.facts import Transition
from continuum.journal.operation_facts import OperationState
from continuum.journal.port import Journal, RunState, VersionRow
from continuum.journal.postgres import PostgresJournal, run_counts
from continuum.operations import bulk_execution
from tests.cli.commands import CommandLine
from tests.cli.test_audit import Terminal, rows, short
from tests.cli.test_commands import on_journal, started
from tests.unit.client.working import Ending

NOBODY = "00000000-0000-4000-8000-000000000007"


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is at a terminal."""
    monkeypatch.setattr("sys.stdin", io.StringIO(""))


def state(cli: CommandLine, run_id: str) -> str:
    """Return the state of a run."""
    shown: str = cli("runs", "show", run_id, "--json").json["state"]
    return shown


def previewed(cli: CommandLine, *arguments: str) -> Any:
    """Return the preview of a change."""
    shown = cli("runs", *arguments, "--preview", "--json")
    assert (shown.code, shown.err) == (0, "")
    return shown.json


def test_a_preview_shows_a_count_five_examples_and_a_digest_and_changes_nothing(cli: CommandLine) -> None:
    runs = [started(cli) for _ in range(7)]
    shown = previewed(cli, "cancel", "--find", "workflow:greet*")
    assert (shown["count"], shown["text"], len(shown["examples"])) == (7, "7 runs", 5)
    assert {each["id"] for each in shown["examples"]} < set(runs)
    text = cli("runs", "cancel", "--find", "workflow:greet*", "--preview").out.splitlines()
    assert text[0] == "7 runs would be asked to stop; this cannot be undone:"
    assert text[-2] == "  …"
    assert text[-1].startswith("--digest ")
    assert {row["action"] for row in rows(cli)} == {"start"}


def test_a_digest_is_executed_once_and_spares_runs_that_started_later(cli: CommandLine) -> None:
    runs = [started(cli) for _ in range(3)]
    change = ("cancel", "--find", "workflow:greeting")
    digest = previewed(cli, *change)["digest"]
    late = started(cli)

    done = cli("runs", *change, "--digest", digest, "--json", "--by", "ann", "--reason", "ticket 7")
    assert done.code == 0
    assert (done.json["state"], done.json["done"], done.json["actor"]) == ("completed", 3, "ann")
    again = cli("runs", *change, "--digest", digest)
    assert (again.code, again.out) == (1, "")
    assert "is completed; preview the change again for what is left" in again.err

    operation = done.json["id"]
    found = [row for row in rows(cli, "--actor", "ann") if row["action"] != "start"]
    assert sorted(short(found)) == sorted(
        [("begin_operation", operation, "done"), *(("cancel", run, "done") for run in runs)]
    )
    assert {row["reason"] for row in found} == {"ticket 7"}
    assert late not in {row["subject"] for row in found}


def test_a_digest_of_another_change_is_refused(cli: CommandLine) -> None:
    started(cli)
    digest = previewed(cli, "cancel", "--find", "workflow:greeting")["digest"]
    for other in (
        ("cancel", "--find", "workflow:greet*", "--digest", digest),
        ("cancel", "--find", "workflow:greeting", "--namespace", "default", "--digest", digest),
        ("unblock", "--find", "workflow:greeting", "--digest", digest),
        ("cancel", "--find", "workflow:greeting", "--digest", "x"),
    ):
        refused = cli("runs", *other)
        assert (refused.code, refused.out) == (1, "")
        assert "is not the digest of a preview of this change, and nothing was changed" in refused.err
    assert {row["action"] for row in rows(cli)} == {"start"}


def test_nothing_is_changed_without_an_answer(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    run = started(cli)
    change = ("runs", "attributes", '{"a": 1}', "--find", "workflow:greeting")
    refused = cli(*change)
    assert (refused.code, refused.out) == (1, "")
    assert "1 run would be given the attributes:" in refused.err
    assert "continuum: 1 run not changed: nobody confirmed it" in refused.err
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    declined = cli(*change)
    assert (declined.code, declined.out) == (1, "nothing was changed\n")
    assert cli("runs", "show", run, "--json").json["attributes"] == {}
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    assert cli(*change).out.endswith("is completed: 1 done, 0 skipped, 0 failed\n")
    assert cli("runs", "show", run, "--json").json["attributes"] == {"a": 1}
    empty = cli("runs", "attributes", '{"a": 1}', "--find", "workflow:none")
    assert (empty.code, empty.out) == (0, "no run was found, and nothing was changed\n")


def test_a_preview_that_finds_nothing_says_so_with_a_hint_and_without_a_digest(cli: CommandLine) -> None:
    started(cli)
    shown = cli("runs", "restart", "--find", "error:ConnectionError", "--preview")
    first, hint = shown.out.splitlines()
    assert (shown.code, first) == (0, "no run was found, and nothing would be changed")
    assert hint.endswith("error:*CarrierDown finds one of any module")
    assert previewed(cli, "restart", "--find", "error:ConnectionError")["notes"] == [hint]
    made = cli("runs", "restart", "--find", "error:ConnectionError")
    assert (made.code, made.err) == (0, f"{hint}\n")
    other = cli("runs", "cancel", "--find", "workflow:none", "--preview")
    assert other.out == "no run was found, and nothing would be changed\n"


def test_runs_behind_those_that_a_count_looks_at_are_changed_too(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_counts, "LOOKED_AT_TO_COUNT", 2)
    runs = [started(cli) for _ in range(3)]
    cli("runs", "attributes", runs[2], '{"n": 1}')
    search = "-@n:0 @n:>0"
    shown = previewed(cli, "cancel", "--find", search)
    assert (shown["exact"], shown["text"]) == (False, "at least 0 runs, of the first 2 that were looked at")
    done = cli("runs", "cancel", "--find", search, "--yes")
    assert done.out.endswith("is completed: 1 done, 0 skipped, 0 failed\n")


def test_each_change_of_one_run_is_made_by_its_name(cli: CommandLine) -> None:
    first, second = started(cli), started(cli)
    assert cli("runs", "attributes", first, '{"a": 1}').code == 0
    assert cli("runs", "signal", first, "review", "1").code == 0
    assert "not blocked" in cli("runs", "unblock", first).err
    assert cli("runs", "cancel", first).code == 0
    assert cli("runs", "cancel", second, "--force", "--yes").out == "cancelled\n"
    assert cli("runs", "delete", second, "--yes").code == 0
    assert "not found" in cli("runs", "show", second).err or cli("runs", "show", second).code == 1
    changed = [row for row in short(rows(cli)) if row[0] != "start"]
    assert [(action, outcome) for action, _, outcome in changed if action != "begin_operation"] == [
        ("set_attributes", "done"),
        ("signal", "done"),
        ("unblock", "already"),
        ("cancel", "done"),
        ("force_cancel", "done"),
        ("delete_run", "done"),
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("cancel",), "name a run, or search for runs with --find"),
        (("cancel", NOBODY, "--find", "state:open"), "name a run, or search for runs with --find"),
        (("cancel", "--find", "state:open", "--force"), "--force is for one RUN"),
        (("cancel", NOBODY, "--digest", "abc"), "--digest and --rate are for --find"),
        (("unblock", NOBODY, "--preview"), "this command has a --preview with --find only"),
        (("signal", "review", "--find", "state:open"), "3 words are wanted, or 2 with --find, not 1"),
        (("signal", "review", "1"), "name a run, or search for runs with --find"),
        (("attributes", "[1]", "--find", "state:open"), "attributes are a JSON map"),
    ],
)
def test_wrong_use_is_refused(cli: CommandLine, arguments: tuple[str, ...], message: str) -> None:
    refused = cli("runs", *arguments)
    assert (refused.code, refused.out, len(refused.err.splitlines())) == (2, "", 1)
    assert message in refused.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("cancel", "--find", ""), "an empty search finds every run"),
        (("cancel", "--find", "sate:open"), "there is no field 'sate'; did you mean state?"),
        (("cancel", "--find", "state:open", "--rate", "0", "--yes"), "a rate is more than 0"),
        (("delete", NOBODY), f"no run has the id {NOBODY}"),
        (("signal", "other", "1", "--find", "state:open", "--yes"), "other"),
        (("signal", "review", "1", "--find", "state:open", "--yes"), "review"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(
    cli: CommandLine, arguments: tuple[str, ...], message: str
) -> None:
    started(cli)

    async def declare(journal: Journal) -> None:
        signals = {"review": "str"}
        await journal.register_versions([VersionRow("greeting", "v1", "1", "shop", signals, None)])

    on_journal(cli, declare)
    refused = cli("runs", *arguments)
    assert (refused.code, refused.out, len(refused.err.splitlines())) == (1, "", 1)
    assert message in refused.err
    assert cli("operations", "list", "--json").json["entries"] == []


def test_a_run_is_deleted_once_it_has_ended(cli: CommandLine) -> None:
    run = started(cli)

    async def suspend(journal: PostgresJournal) -> None:
        await Ending(journal).write(run, Transition(RunState.SUSPENDED, None, True))

    on_journal(cli, suspend)
    refused = cli("runs", "delete", run, "--yes")
    assert (refused.code, refused.out) == (1, "")
    assert refused.err == (
        f"continuum: run {run} was not removed: it is suspended; end it first with `continuum cancel {run}`, "
        "or wait for its end\n"
    )
    cli("cancel", run, "--force", "--yes")
    assert "1 run not changed: nobody confirmed it" in cli("runs", "delete", run).err
    assert cli("runs", "delete", run, "--yes").out.endswith("is completed: 1 done, 0 skipped, 0 failed\n")
    assert cli("runs", "list", "--json").json["entries"] == []


def test_an_operation_is_listed_shown_paused_resumed_and_cancelled(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [started(cli) for _ in range(3)]
    monkeypatch.setattr(bulk_execution, "RUNS_PER_PART", 1)
    told: list[str] = []

    async def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    change = ("runs", "cancel", "--find", "workflow:greeting", "--yes")
    monkeypatch.setattr(bulk_execution.execute, "__kwdefaults__", {"sleep": interrupted})
    stopped = cli(*change, "--rate", "1")
    assert stopped.code == 130
    (listed,) = cli("operations", "list", "--json").json["entries"]
    operation = listed["id"]
    resume = f"continuum operations resume {operation} --schema {cli.options[3]}"
    assert f"`{resume}` continues it" in stopped.err
    assert (listed["state"], listed["done"], listed["held"]) == ("running", 1, False)

    assert cli("operations", "pause", operation, "--by", "bob").code == 0
    shown = dict(line.split("\t") for line in cli("operations", "show", operation).out.splitlines()[1:])
    assert (shown["state"], shown["done"], shown["search"]) == ("paused", "1", "workflow:greeting")

    async def at_once(seconds: float) -> None:
        told.append("slept")

    monkeypatch.setattr(bulk_execution.execute, "__kwdefaults__", {"sleep": at_once})
    resumed = cli("operations", "resume", operation, "--by", "bob")
    assert (resumed.code, resumed.out) == (
        0,
        f"operation {operation} is completed: 3 done, 0 skipped, 0 failed\n",
    )
    assert told
    over = cli("operations", "cancel", operation)
    assert (over.code, over.out) == (1, "")
    assert "is over, and nothing was changed" in over.err
    assert sorted(short(rows(cli, "--action", "cancel"))) == sorted(("cancel", run, "done") for run in runs)
    assert short(rows(cli, "--actor", "bob")) == [
        ("pause_operation", operation, "done"),
        ("resume_operation", operation, "done"),
    ]
    assert rows(cli, "--action", "cancel_operation")[0]["outcome"] == "refused"


@pytest.mark.parametrize("state", [OperationState.PAUSED, OperationState.CANCELLED])
def test_a_change_that_is_not_completed_is_no_success(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch, state: OperationState
) -> None:
    for _ in range(2):
        started(cli)
    monkeypatch.setattr(bulk_execution, "RUNS_PER_PART", 1)

    async def meanwhile(seconds: float) -> None:
        journal = PostgresJournal(cli.options[1], schema=cli.options[3], listen=False)
        await journal.open()
        try:
            (row,) = await journal.operations(1)
            await journal.change_operation(row.id, state)
        finally:
            await journal.close()

    monkeypatch.setattr(bulk_execution.execute, "__kwdefaults__", {"sleep": meanwhile})
    left = cli("runs", "cancel", "--find", "workflow:greeting", "--yes", "--rate", "0.5")
    assert (left.code, f" is {state.value}: 1 done" in left.out) == (1, True), left


def test_skipped_runs_are_counted_before_and_their_reasons_are_kept(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = sorted(started(cli) for _ in range(7))
    for run in runs[:6]:
        cli("cancel", run, "--force", "--yes")
    monkeypatch.setattr(bulk_execution, "RUNS_PER_PART", 1)
    change = ("runs", "cancel", "--find", "workflow:greeting")
    shown = cli(*change, "--preview").out.splitlines()
    line = f"it has ended ({', '.join(runs[:5])}, …)"
    assert (shown[0], shown[-2]) == (
        "1 of 7 runs would be asked to stop; this cannot be undone:",
        f"6 of them would be skipped: {line}",
    )
    assert sum("would be skipped: it has ended" in each for each in shown[1:6]) == 5

    async def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    # What the process before an interrupt has skipped is known to the next one.
    monkeypatch.setattr(bulk_execution.execute, "__kwdefaults__", {"sleep": interrupted})
    assert cli(*change, "--yes", "--rate", "1").code == 130
    (listed,) = cli("operations", "list", "--json").json["entries"]
    monkeypatch.setattr(bulk_execution.execute, "__kwdefaults__", {"sleep": at_once})
    resumed = cli("operations", "resume", listed["id"])
    assert resumed.out.endswith("is completed: 1 done, 6 skipped, 0 failed\n")
    assert resumed.err == f"  6 skipped: {line}\n"
    assert f"why\t6 skipped: {line}" in cli("operations", "show", listed["id"]).out.splitlines()
    assert cli("operations", "show", listed["id"], "--json").json["reasons"] == [
        {"why": "it has ended", "count": 6, "runs": runs[:5], "outcome": "skipped"}
    ]


async def at_once(seconds: float) -> None:
    """Do not sleep."""


def test_an_unknown_operation_is_one_line(cli: CommandLine) -> None:
    for command in ("show", "pause", "resume", "cancel"):
        refused = cli("operations", command, NOBODY)
        assert (refused.code, refused.out) == (1, "")
        assert refused.err == (
            f"continuum: there is no operation {NOBODY}; `continuum operations list` lists the latest\n"
        )
        assert cli("operations", command, "7").code == 2
    assert cli("operations", "list", "--cursor", "x").code == 1
