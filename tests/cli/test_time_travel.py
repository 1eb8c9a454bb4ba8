"""Debugging and replaying runs of the database: what the commands print, and that they write nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from tests.cli.shop import Shop
from tests.unit.docs.blocks import ROOMS, ROOT

# Far longer than a session takes, so that no test fails on a slow machine.
DEADLINE_S = 60

SHOP = """
from pathlib import Path

from continuum import Signal, activity, workflow

go = Signal("go", str)


@activity(name="{name}.charge")
async def charge(amount: int) -> int:
    with Path(__file__).with_suffix(".calls").open("a") as calls:
        calls.write("charge")
    return amount * 2


@activity(name="{name}.ship")
async def ship(amount: int) -> int:
    return amount


@workflow(name="{name}.order")
async def order(amount: int) -> str:
    paid = await charge(amount)
    word = await go.wait()
    return f"{word} {paid}"
"""
FAILS = SHOP.replace("    word =", "    raise ValueError('no money')\n    word =")
FAILS_ELSE = FAILS.replace("ValueError", "KeyError")
SHIPS = SHOP.replace("await charge(amount)", "await ship(amount)")
LATER = SHOP.replace("    word =", "    paid += 1\n    word =")


@pytest.fixture
def run_id(shop: Shop) -> str:
    """A run that waits for its signal, after its activity."""
    run = shop.park(shop.deploy(SHOP))
    shop.path.with_suffix(".calls").unlink()
    return run


def debug(shop: Shop, *options: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "continuum.cli", "debug", *options, *shop.cli.options],
        input="".join(f"{word.strip()}\n" for word in typed.split(";")),
        cwd=shop.folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(str(ROOT / room) for room in ROOMS)},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


def rows(shop: Shop) -> dict[str, list[tuple[object, ...]]]:
    """Return every row of every table, with the transaction that wrote it."""
    dsn, schema = shop.cli.options[1], shop.cli.options[3]
    with psycopg.connect(dsn) as connection:
        tables = connection.execute(
            "select table_name from information_schema.tables "
            "where table_schema = %s and table_type = 'BASE TABLE' order by 1",
            (schema,),
        ).fetchall()
        return {
            name: connection.execute(
                SQL("select xmin::text, t::text from {} t order by 1, 2").format(Identifier(schema, name))
            ).fetchall()
            for (name,) in tables
        }


def test_a_run_is_debugged_from_the_database_by_the_code_that_its_node_had(shop: Shop, run_id: str) -> None:
    session = debug(shop, run_id, "--at", "0", typed="n; p paid; c")
    assert "-> paid = await charge(amount)\n" in session.stdout
    assert "-> word = await go.wait()\n(Pdb) 2\n" in session.stdout
    assert session.stdout.endswith("the code waits for signal 'go'\n")
    assert (session.returncode, session.stderr) == (0, "")


def test_a_session_writes_nothing_and_executes_no_activity(shop: Shop, run_id: str) -> None:
    before = rows(shop)
    assert len(before["events"]) > 0
    for at in ("start", "0", "1", "end"):
        session = debug(shop, run_id, "--at", at, typed="n; n; n; c")
        assert session.returncode == 0, session.stderr
    assert rows(shop) == before
    assert not shop.path.with_suffix(".calls").exists()


def test_the_code_on_disk_is_debugged_and_its_version_named(shop: Shop, run_id: str) -> None:
    shop.write(LATER)
    session = debug(shop, run_id, "--at", "end", typed="p paid; c")
    assert "-> word = await go.wait()\n(Pdb) 3\n" in session.stdout
    assert re.search(r"the run began with version \w+ of its code, and this is \w+\n", session.stderr)


def test_a_replay_accepts_the_code_that_wrote_the_history(shop: Shop, run_id: str) -> None:
    outcome = shop.cli("replay", run_id)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == "the code accepts 2 events, and waits for signal 'go'\n"


def test_a_replay_shows_each_event_beside_the_line_that_asked_for_it(shop: Shop, run_id: str) -> None:
    outcome = shop.cli("replay", run_id, "--verbose", "--module", shop.name)
    header, scheduled, completed, end = outcome.out.splitlines()
    assert header.split("\t") == ["event", "at", "type", "name", "value", "where", "code"]
    line = SHOP.splitlines().index("    paid = await charge(amount)") + 1
    place = [f"{shop.path}:{line}", "paid = await charge(amount)"]
    activity = f"{shop.name}.charge"
    seq, _, *rest = scheduled.split("\t")
    assert [seq, *rest] == ["0", "activity_scheduled", activity, "(1)", *place]
    seq, at, *rest = completed.split("\t")
    assert [seq, *rest] == ["1", "activity_completed", activity, "2", *place]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", at)
    assert end == "the code accepts 2 events, and waits for signal 'go'"


def test_a_replay_of_a_failed_run_is_right_if_the_code_fails_as_it_did(shop: Shop) -> None:
    run = shop.fail(shop.deploy(FAILS))
    outcome = shop.cli("replay", run)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == "the code accepts 2 events, and fails: ValueError: no money, as the run did\n"

    shop.deploy(FAILS_ELSE)
    other = shop.cli("replay", run)
    assert (other.code, other.out) == (1, "")
    said = "the run failed with ValueError, and the code fails: KeyError: 'no money'"
    assert other.err.splitlines()[-1] == f"continuum: run {run} does not replay: {said}"

    shop.deploy(SHOP)
    mended = shop.cli("replay", run)
    assert (mended.code, "the run has failed, and the code waits" in mended.err) == (1, True)


def test_a_replay_of_an_open_run_refuses_code_that_fails_after_its_history(shop: Shop, run_id: str) -> None:
    shop.deploy(FAILS)
    outcome = shop.cli("replay", run_id)
    assert (outcome.code, outcome.out) == (1, "")
    said = "the run is suspended, and after its history the code fails: ValueError: no money"
    assert outcome.err.splitlines()[-1] == f"continuum: run {run_id} does not replay: {said}"
    assert shop.cli("replay", run_id, "--json").json["problem"] == said


def test_a_replay_refuses_code_that_drifts_after_the_events(shop: Shop, run_id: str) -> None:
    shop.deploy(SHIPS)
    outcome = shop.cli("replay", run_id, "-v")
    assert outcome.code == 1
    assert outcome.out.splitlines()[1].split("\t")[-2:] == ["", ""]
    assert outcome.err.splitlines()[-1].startswith(
        f"continuum: run {run_id} does not replay: at event 0 the journal has activity_scheduled "
    )


def test_a_replay_in_json_has_problem_and_lines(shop: Shop, run_id: str) -> None:
    accepted = shop.cli("replay", run_id, "--json", "--verbose").json
    assert (accepted["run_id"], accepted["problem"]) == (run_id, None)
    assert [event["code"] for event in accepted["events"]] == ["paid = await charge(amount)"] * 2
    shop.deploy(SHIPS)
    refused = shop.cli("replay", run_id, "--json")
    assert refused.code == 1
    assert refused.json["problem"].startswith("at event 0 ")
    assert "events" not in refused.json


def test_an_exported_file_is_replayed_and_debugged(shop: Shop, run_id: str, tmp_path: Path) -> None:
    path = tmp_path / "runs.ndjson"
    path.write_text(shop.cli("runs", "export", run_id).out, encoding="utf-8")
    words = ("--file", str(path), "--module", shop.name)
    assert shop.cli("replay", *words).out == "the code accepts 2 events, and waits for signal 'go'\n"
    session = debug(shop, run_id, *words, "--at", "end", typed="p paid; c")
    assert "(Pdb) 2\n" in session.stdout


@pytest.mark.parametrize("command", ["debug", "replay"])
def test_a_command_without_a_run_or_code_says_what_is_missing(
    shop: Shop, run_id: str, command: str, tmp_path: Path
) -> None:
    missing = shop.cli(command)
    assert (missing.code, "name a RUN, or a file with --file" in missing.err) == (2, True)
    path = tmp_path / "runs.ndjson"
    path.write_text(shop.cli("runs", "export", run_id).out, encoding="utf-8")
    unknown = shop.cli(command, "--file", str(path))
    assert (unknown.code, "add --module" in unknown.err) == (2, True)
    other = shop.cli(command, "--file", str(path), "--module", shop.name, "--namespace", "us")
    assert (other.code, "no run has the id" in other.err) == (1, True)


def test_a_run_that_no_node_has_loaded_needs_a_module(shop: Shop) -> None:
    run = shop.cli("start", "nowhere.flow").out.strip()
    outcome = shop.cli("replay", run)
    assert outcome.code == 1
    assert "no node has loaded 'nowhere.flow' from a module that can be imported" in outcome.err


def test_a_run_without_an_event_can_be_stopped_at_its_start(shop: Shop) -> None:
    shop.write(SHOP)
    run = shop.cli("start", shop.flow, "1").out.strip()
    session = debug(shop, run, "--module", shop.name, "--at", "start", typed="p amount; c")
    assert "(Pdb) 1\n" in session.stdout
    assert session.stdout.endswith(
        f"the code continues with activity_scheduled {shop.name}.charge from order\n"
    )
    refused = debug(shop, run, "--module", shop.name, "--at", "0")
    assert (refused.returncode, "the history has no event; use `--at end`" in refused.stderr) == (2, True)
