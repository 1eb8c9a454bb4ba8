"""`continuum runs restart`, `reset` and `fork`."""

from __future__ import annotations

import io

import pytest

from continuum.cli.run_forks import NOT_COUNTED
from continuum.codec.codec import encode
from continuum.codec.codec import encode_arguments as encoded_call
from continuum.engine.events import Event, EventType
from continuum.journal.event_codec import pack_body
from continuum.journal.facts import RunState, Transition
from continuum.journal.postgres import PostgresJournal
from tests.cli.commands import CommandLine
from tests.cli.shop import Shop
from tests.cli.test_audit import Terminal, rows, short
from tests.cli.test_commands import on_journal, started
from tests.unit.client.working import Ending

SITE = ("greeting", "app.py:7")
FAILED = (
    (EventType.ACTIVITY_SCHEDULED, ("greet", *SITE, encoded_call((), {}), None)),
    (EventType.ACTIVITY_COMPLETED, (0, encode("hello"))),
    (EventType.SIGNAL_RECEIVED, ("review", encode("fine"), None)),
    (EventType.ACTIVITY_SCHEDULED, ("pay", *SITE, encoded_call((), {}), None)),
    (EventType.ACTIVITY_FAILED, (3, "OSError", "no bank", "", 1)),
)
UNDONE = (
    *FAILED,
    (EventType.COMPENSATION_SCHEDULED, ("ungreet", *SITE, encoded_call((), {}), None, 0)),
    (EventType.COMPENSATION_COMPLETED, (5, encode(None))),
)


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is at a terminal."""
    monkeypatch.setattr("sys.stdin", io.StringIO(""))


def failed_run(cli: CommandLine, events: tuple[tuple[EventType, tuple[object, ...]], ...] = FAILED) -> str:
    """Start a run and let it fail with these events."""
    run_id = started(cli)
    history = [Event(seq, type, 1_700_000_000_000_000, body) for seq, (type, body) in enumerate(events)]
    error = pack_body(("ActivityError", "pay failed on attempt 1: OSError: no bank", ""))

    async def failing(journal: PostgresJournal) -> None:
        await Ending(journal).write(run_id, Transition(RunState.FAILED, error=error), history)

    on_journal(cli, failing)
    return run_id


def end_with_failure(cli: CommandLine, run_id: str) -> None:
    """Let the activity that a restarted run has pending fail once more."""
    failed = Event(5, EventType.ACTIVITY_FAILED, 1_700_000_000_000_001, FAILED[4][1])
    error = pack_body(("ActivityError", "pay failed on attempt 1: OSError: no bank", ""))
    transition = Transition(RunState.FAILED, error=error)
    on_journal(cli, lambda journal: Ending(journal).write(run_id, transition, [failed]))


def test_a_restart_is_shown_and_prints_the_id_of_the_new_run(cli: CommandLine) -> None:
    run_id = failed_run(cli)
    done = cli("runs", "restart", run_id, "--yes", "--by", "ann", "--reason", "the bank is back")
    assert done.code == 0
    assert done.err.splitlines() == [
        f"run {run_id} of greeting is failed; the new run keeps its first 4 of 5 events",
        "  runs again at once: pay of event 3, failed",
        f"  {NOT_COUNTED}",
    ]
    new = done.out.strip()
    assert cli("runs", "show", run_id, "--json").json["continued_to"] == new
    events = cli("runs", "history", new, "--json").json
    assert [event["type"] for event in events][3:] == ["activity_scheduled", "run_forked"]
    assert events[-1]["payload"] == {"origin": run_id, "how": "restart"}
    assert "run_forked" in cli("runs", "history", new).out
    (recorded,) = [row for row in rows(cli) if row["action"] == "restart"]
    assert (recorded["actor"], recorded["reason"], recorded["subject"]) == ("ann", "the bank is back", run_id)
    assert recorded["arguments"] == {"at": 4, "new_run": new, "signals": "again"}
    assert cli("verify").code == 0
    # The second time there is nothing to restart, and the run that took its place is named.
    again = cli("runs", "restart", run_id, "--yes")
    assert (again.code, again.out) == (1, "")
    assert again.err == (
        f"continuum: run {new} cannot continue from its failure: it is the latest run of {run_id}, which was "
        "restarted or reset already; it is running, and has not failed; "
        f"`continuum runs reset {new} --at SEQ` goes back to any event\n"
    )


def test_the_preview_of_a_second_restart_says_which_run_it_is_of(cli: CommandLine) -> None:
    run_id = failed_run(cli)
    new = cli("runs", "restart", run_id, "--yes").out.strip()
    end_with_failure(cli, new)
    shown = cli("runs", "restart", run_id, "--preview").out.splitlines()
    assert shown[:2] == [
        f"run {run_id} has continued; its latest run is {new}",
        f"run {new} of greeting is failed; the new run keeps its first 5 of 6 events",
    ]
    assert "has continued" not in cli("runs", "restart", new, "--preview").out


def test_a_reset_is_printed_as_json(cli: CommandLine) -> None:
    run_id = failed_run(cli)
    done = cli("runs", "reset", run_id, "--at", "2", "--yes", "--json")
    assert (done.code, done.err) == (0, "")
    assert done.json["cut"]["signals"] == ["review"]
    assert done.json["cut"]["may_run_again"] == [
        {"seq": 3, "name": "pay", "compensation": False, "was": "failed", "at_most_once": False}
    ]
    assert done.json["cut"]["stands"] == []
    new = done.json["run_id"]
    assert cli("runs", "show", new, "--json").json["continued_from"] == run_id
    assert cli("verify").code == 0


def test_calls_that_were_to_run_at_most_once_and_those_that_may_have_a_result_are_marked(
    cli: CommandLine,
) -> None:
    options = {"at_most_once": True}
    call = (EventType.ACTIVITY_SCHEDULED, ("pay", *SITE, encoded_call((), {}), options))
    done = cli("runs", "fork", failed_run(cli, (call,)), "--at", "1", "--yes")
    assert done.err.splitlines()[1:3] == [
        "  runs again at once: pay (at most once) of event 0, pending",
        "  what is pending keeps a result that has arrived, and does not run again then",
    ]


def test_a_fork_leaves_the_run_as_it_is(cli: CommandLine) -> None:
    run_id = failed_run(cli)
    before = cli("runs", "show", run_id, "--json").json
    done = cli("runs", "fork", run_id, "--at", "5", "--signals", "drop", "--yes")
    assert done.code == 0
    assert "no activity runs again" in done.err
    assert "signals that came later are dropped" in done.err
    assert cli("runs", "show", run_id, "--json").json == before
    assert cli("verify").code == 0


@pytest.mark.parametrize(
    "arguments",
    [("restart",), ("reset", "--at", "1"), ("fork", "--at", "1")],
    ids=["restart", "reset", "fork"],
)
def test_a_question_comes_first(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    run_id = failed_run(cli)
    refused = cli("runs", arguments[0], run_id, *arguments[1:])
    assert refused.code == 1
    assert "nobody confirmed it; without a terminal, --yes does it without a question" in refused.err
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    declined = cli("runs", arguments[0], run_id, *arguments[1:])
    assert (declined.code, declined.out) == (1, f"run {run_id}: nothing changed\n")
    assert len(cli("runs", "list", "--json").json["entries"]) == 1
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    assert cli("runs", arguments[0], run_id, *arguments[1:]).code == 0
    assert len(cli("runs", "list", "--json").json["entries"]) == 2


def test_a_restart_after_a_compensation_names_the_last_cut_before_what_was_undone(cli: CommandLine) -> None:
    run_id = failed_run(cli, UNDONE)
    refused = cli("runs", "restart", run_id, "--yes")
    assert (refused.code, refused.out) == (1, "")
    assert refused.err == (
        f"continuum: run {run_id} cannot be cut at event 4: ungreet (event 5) has undone since what the run "
        "did from event 0 on (greet); the last cut before that works is event 0\n"
    )
    assert short(rows(cli)) == [("start", run_id, "done")]
    assert cli("runs", "reset", run_id, "--at", "0", "--yes").code == 0


def test_code_that_does_not_accept_the_events_is_refused(cli: CommandLine, shop: Shop) -> None:
    shop.write(
        "from continuum import activity, workflow\n"
        "@activity(name='greet')\n"
        "async def greet() -> str: ...\n"
        "@activity(name='other')\n"
        "async def other() -> str: ...\n"
        "@workflow\n"
        "async def greeting(name: str = '', loud: bool = False) -> str:\n"
        "    await greet()\n"
        "    return await other()\n"
    )
    run_id = failed_run(cli)
    refused = cli("runs", "restart", run_id, "--yes", "--module", shop.name)
    assert refused.code == 1
    assert "the code does not accept the events before it: at event 2 the journal has" in refused.err
    assert cli("runs", "reset", run_id, "--at", "2", "--yes", "--module", shop.name).code == 0


def test_all_failed_runs_that_a_search_finds_are_restarted_and_others_skipped(cli: CommandLine) -> None:
    failed, undone = {failed_run(cli) for _ in range(2)}, failed_run(cli, UNDONE)
    change = ("runs", "restart", "--find", "state:failed")
    shown = cli(*change, "--preview").out
    assert shown.startswith("2 of 3 runs would be restarted from their failures; this cannot be undone:\n")
    assert "1 of these 3 would be skipped" in shown
    done = cli(*change, "--yes", "--by", "ann")
    assert done.out.endswith("is completed: 2 done, 1 skipped, 0 failed\n")
    (reason,) = done.err.splitlines()
    assert reason.startswith("  1 skipped: run RUN cannot be cut at event 4: ungreet")
    assert reason.endswith(f" ({undone})")
    recorded = [row for row in rows(cli) if row["action"] == "restart"]
    assert {row["subject"] for row in recorded if row["outcome"] == "done"} == failed
    for row in recorded:
        new = cli("runs", "show", row["subject"], "--json").json["continued_to"]
        assert new == row["arguments"].get("new_run")
    assert cli("verify").code == 0
    # The runs that were restarted count no more, and the new ones have not failed.
    noted = cli(*change, "--preview", "--json").json["notes"]
    assert noted[0].startswith("2 runs that the search finds too are left out: each has been restarted")
    again = cli(*change, "--yes", "--json")
    assert (again.json["done"], again.json["skipped"]) == (0, 1)
    assert sum(each["count"] for each in again.json["reasons"]) == 1


def test_a_preview_counts_refusals_of_its_examples_only_if_these_are_all(cli: CommandLine) -> None:
    for _ in range(6):
        failed_run(cli, UNDONE)
    shown = cli("runs", "restart", "--find", "state:failed", "--preview").out
    assert shown.startswith("6 runs would be restarted from their failures; this cannot be undone:\n")
    assert "5 of these 5 would be skipped" in shown


def test_runs_are_reset_and_forked_where_the_command_says(cli: CommandLine) -> None:
    runs = {failed_run(cli) for _ in range(2)}
    forked = cli(
        "runs", "fork", "--find", "state:failed", "--at", "2", "--yes", "--signals", "drop", "--json"
    )
    assert (forked.json["done"], forked.json["arguments"]["at"]) == (2, 2)
    made = [row["arguments"]["new_run"] for row in rows(cli) if row["action"] == "fork"]
    assert len({*made, *runs}) == 4
    for new in made:
        types = [event["type"] for event in cli("runs", "history", new, "--json").json]
        assert types == ["activity_scheduled", "activity_completed", "run_forked"]
    reset = cli("runs", "reset", "--find", "state:failed", "--at", "9", "--yes")
    assert reset.out.endswith("is completed: 0 done, 2 skipped, 0 failed\n")
    refused = cli("runs", "reset", "--find", "state:failed", "--at", "2", "--module", "app")
    assert (refused.code, "--module is for one RUN" in refused.err) == (2, True)
