"""Previews of restart, reset, fork and cancel of one run: which effects stay, and which children start."""

from __future__ import annotations

import shlex

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from continuum.codec.codec import encode
from continuum.engine.events import Event, EventType
from continuum.journal.event_codec import pack_body
from continuum.journal.facts import RunState, Transition
from continuum.journal.postgres import PostgresJournal
from continuum.operations.cut_words import TRIED_AGAIN
from tests.cli.commands import CommandLine
from tests.cli.test_audit import rows, short
from tests.cli.test_commands import on_journal, started
from tests.cli.test_run_forks import FAILED, SITE, failed_run
from tests.unit.client.working import Ending

NOBODY = "01900000-0000-7000-8000-0000000000aa"
BAD = (
    *FAILED,
    (EventType.COMPENSATION_SCHEDULED, ("ungreet", *SITE, b"", None, 0)),
    (EventType.COMPENSATION_FAILED, (5, "OSError", "no bank", "", 1)),
)
CHILD = (EventType.CHILD_STARTED, ("pack", *SITE, NOBODY, b"", 1))
PACKED = (EventType.CHILD_COMPLETED, (0, encode(None)))
STANDS = "  greet (event 0) stays done: it is not undone, and is done again"


def previewed(cli: CommandLine, *arguments: str) -> list[str]:
    """Return what a preview prints, which changes nothing."""
    before = rows(cli)
    shown = cli("runs", *arguments, "--preview")
    assert (shown.code, shown.err) == (0, "")
    assert rows(cli) == before
    return shown.out.splitlines()


def open_run(cli: CommandLine, *events: tuple[EventType, tuple[object, ...]]) -> str:
    """Return a run that has these events and waits."""
    run_id = started(cli)
    history = [Event(seq, type, 1_700_000_000_000_000, body) for seq, (type, body) in enumerate(events)]

    async def writing(journal: PostgresJournal) -> None:
        await Ending(journal).write(run_id, Transition(RunState.SUSPENDED), history)

    on_journal(cli, writing)
    return run_id


def test_a_compensation_that_failed_has_undone_nothing_for_sure(cli: CommandLine) -> None:
    run_id = failed_run(cli, BAD)
    refused = cli("runs", "restart", run_id, "--yes")
    why = (
        "ungreet (event 5) failed, so it may or may not have undone what the run did from event 0 on (greet)"
    )
    assert (refused.code, why in refused.err) == (1, True)
    shown = previewed(cli, "reset", run_id, "--at", "0")
    assert (
        "  greet (event 0) may stay done, for ungreet (event 5) did not complete: it is done again" in shown
    )


def test_a_preview_says_that_a_compensation_is_tried_again(cli: CommandLine) -> None:
    error = pack_body(("ActivityError", "ungreet failed on attempt 1: OSError: no bank", ""))
    run_id = started(cli)
    history = [Event(seq, type, 1_700_000_000_000_000, body) for seq, (type, body) in enumerate(BAD)]

    async def failing(journal: PostgresJournal) -> None:
        await Ending(journal).write(run_id, Transition(RunState.FAILED, error=error), history)

    on_journal(cli, failing)
    shown = previewed(cli, "restart", run_id)
    assert "  runs again at once: ungreet (a compensation) of event 5, failed" in shown
    assert shown[-1] != "  no activity runs again"
    assert f"  {TRIED_AGAIN}" in shown
    # So does the preview of many runs, of those that it shows.
    failed_run(cli)
    many = cli("runs", "restart", "--find", "state:failed", "--preview")
    (line,) = [line for line in many.out.splitlines() if line.startswith(f"  {run_id}  ")]
    assert line.endswith("  tries again: ungreet")
    assert f"in 1 of these 2 {TRIED_AGAIN}" in many.out.splitlines()
    examples = cli("runs", "restart", "--find", "state:failed", "--preview", "--json").json["examples"]
    assert [each["tries_again"] for each in examples if each["id"] == run_id] == [["ungreet"]]
    explained = cli("explain", run_id).out
    assert f"continuum runs restart {run_id}" in explained
    assert "once ungreet can succeed" in explained


@pytest.mark.parametrize("how", ["reset", "fork"])
def test_a_preview_of_many_says_what_is_done_again(cli: CommandLine, how: str) -> None:
    run_id = failed_run(cli, BAD)
    unharmed = failed_run(cli, (PACKED,))
    shown = previewed(cli, how, "--at", "0", "--signals", "drop", "--find", "state:failed")
    place = shown.index(
        f"in 1 of the 2 looked at what was done stays done, or may, and is done again; run {run_id} is one:"
    )
    stands = "greet (event 0) may stay done, for ungreet (event 5) did not complete: it is done again"
    assert shown[place + 1] == f"  {stands}"
    line = shown[place + 2]
    assert f"runs {how} {run_id} --at 0 --signals drop --preview" in line
    own = line.partition("`continuum ")[2].partition("`")[0]
    assert f"  {stands}" in cli(*shlex.split(own)).out.splitlines()
    found = cli("runs", how, "--at", "0", "--find", "state:failed", "--preview", "--json").json["examples"]
    assert {each["id"]: each["stands"] for each in found} == {run_id: [stands], unharmed: []}


def test_a_charge_that_nothing_undid_stays_done(cli: CommandLine) -> None:
    run_id = failed_run(cli)
    for how in ("reset", "fork"):
        shown = previewed(cli, how, run_id, "--at", "0")
        assert STANDS in shown
        assert "ends as cancelled" not in "".join(shown)
    assert STANDS not in previewed(cli, "restart", run_id)


def test_a_reset_of_an_open_run_compensates_nothing(cli: CommandLine) -> None:
    run_id = open_run(cli, *FAILED[:3])
    shown = previewed(cli, "reset", run_id, "--at", "0")
    assert STANDS in shown
    assert f"  run {run_id} ends as cancelled with that, and compensates nothing" in shown
    assert f"  `continuum cancel {run_id}` first lets it compensate; reset it then" in shown
    assert "compensates nothing" not in "".join(previewed(cli, "reset", run_id, "--at", "3"))
    assert "compensates nothing" not in "".join(previewed(cli, "fork", run_id, "--at", "0"))


def test_children_that_start_anew_run_their_activities_again(cli: CommandLine) -> None:
    run_id = failed_run(cli, (CHILD, PACKED, CHILD))
    shown = previewed(cli, "reset", run_id, "--at", "0")
    assert "  children start anew: 2 of pack, and all their activities run again" in shown
    assert "  no activity runs again" not in shown
    assert "  no activity runs again" in previewed(cli, "reset", failed_run(cli, (PACKED,)), "--at", "0")


def test_a_preview_says_what_may_be_missing_behind_a_hole(cli: CommandLine, dsn: str, schema: str) -> None:
    run_id = failed_run(cli)
    with psycopg.connect(dsn, autocommit=True) as connection:
        damage = SQL("update {}.events set payload = '\\xc1' where run_id = %s")
        connection.execute(damage.format(Identifier(schema)), (run_id,))
    shown = previewed(cli, "reset", run_id, "--at", "0")
    known = "events 0 to 4: what was done there is not known, and is done again, too, if the code asks for it"
    assert f"  {known}" in shown
    assert "  no activity runs again" not in shown


def test_a_preview_of_one_run_is_json_for_programs(cli: CommandLine) -> None:
    run_id = failed_run(cli)
    shown = cli("runs", "reset", run_id, "--at", "0", "--preview", "--json")
    assert (shown.code, shown.err) == (0, "")
    (stands,) = shown.json["cut"]["stands"]
    assert (stands["seq"], stands["name"], stands["undoing"]) == (0, "greet", None)
    assert "run_id" not in shown.json
    assert short(rows(cli)) == [("start", run_id, "done")]


def test_a_preview_of_a_cancel_says_who_ends_and_how(cli: CommandLine) -> None:
    run_id = open_run(cli)
    (line,) = previewed(cli, "cancel", run_id)
    then = "after the signals that came before, it compensates and ends"
    assert line == f"would ask run {run_id} of greeting (suspended) to stop: {then}"
    (line,) = previewed(cli, "cancel", run_id, "--force")
    assert line.startswith(f"would end run {run_id} of greeting (suspended")
    assert line.endswith("at once, without compensation")
    failed = failed_run(cli)
    assert previewed(cli, "cancel", failed) == [
        f"run {failed} of greeting is failed: nothing would be changed"
    ]
    assert cli("runs", "cancel", NOBODY, "--preview").code == 1


@pytest.mark.parametrize("command", ["restart", "cancel", "delete"])
def test_a_run_that_is_not_there_has_no_preview(cli: CommandLine, command: str) -> None:
    shown = cli("runs", command, NOBODY, "--preview")
    assert (shown.code, shown.out) == (1, "")
