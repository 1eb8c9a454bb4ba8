"""`--find`: lists and exports of the runs that a search finds."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

import continuum
from continuum.errors import InvalidQuery, UnindexedQuery
from continuum.journal.postgres import PostgresJournal
from tests.cli.commands import CommandLine
from tests.cli.test_commands import on_journal, started
from tests.cli.test_run_forks import failed_run
from tests.unit.client.working import Ending


def listed(cli: CommandLine, search: str, *options: str) -> list[str]:
    """Return the ids that a list has."""
    outcome = cli("runs", "list", "--json", "--find", search, *options)
    assert (outcome.code, outcome.err) == (0, "")
    return [run["id"] for run in outcome.json["entries"]]


def test_a_list_has_the_runs_that_a_search_finds(cli: CommandLine) -> None:
    vip = started(cli, "--attribute", "vip=true", "--namespace", "eu")
    failed, other = started(cli), started(cli)

    async def failing(journal: PostgresJournal) -> None:
        ending = Ending(journal)
        await ending.fail(failed, "Timeout", "too late")
        await ending.fail(other, "ValueError", "wrong")

    on_journal(cli, failing)

    assert listed(cli, "@vip:true started:<1h") == [vip]
    assert listed(cli, "state:failed -error:Timeout") == [other]
    assert listed(cli, "error:Timeout") == [failed]
    assert listed(cli, "workflow:greet* state:failed", "--state", "failed") == [other, failed]
    assert listed(cli, "started:>1h") == []
    exported = cli("runs", "export", "--find", "error:Time*")
    assert [json.loads(line)["run"]["id"] for line in exported.out.splitlines()] == [failed]


def test_pages_of_a_search_with_an_age_continue(cli: CommandLine) -> None:
    runs = [started(cli) for _ in range(3)]
    first = cli("runs", "list", "--json", "--find", "started:<1d", "--limit", "2").json
    cursor = first["next_cursor"]
    assert listed(cli, "started:<1d", "--limit", "2", "--cursor", cursor) == [runs[0]]
    other = cli("runs", "list", "--find", "started:<2d", "--cursor", cursor)
    assert (other.code, other.out) == (1, "")
    assert "the cursor is of another query" in other.err


def test_a_wrong_search_is_one_line_that_says_what_to_write(cli: CommandLine) -> None:
    for command in (("runs", "list"), ("runs", "export")):
        refused = cli(*command, "--find", "sate:failed")
        assert (refused.code, refused.out) == (1, "")
        assert refused.err == "continuum: there is no field 'sate'; did you mean state?\n"


def test_an_error_of_this_package_is_found_without_its_name(cli: CommandLine) -> None:
    failed = started(cli)
    on_journal(cli, lambda journal: Ending(journal).fail(failed, "continuum.ActivityError", "wrong"))
    assert listed(cli, "error:ActivityError") == listed(cli, "error:continuum.ActivityError") == [failed]
    assert listed(cli, "state:failed -error:ActivityError") == []
    nothing = cli("runs", "list", "--find", "error:Timeout")
    assert "error:*Timeout* a part of one" in nothing.err


def test_a_run_that_goes_on_in_another_is_marked_and_found(cli: CommandLine) -> None:
    old, other = failed_run(cli), started(cli)
    new = cli("runs", "restart", old, "--yes", "--json").json["run_id"]
    (line,) = [line for line in cli("runs", "list").out.splitlines() if line.startswith(old)]
    assert f"continues as {new}" in line
    assert listed(cli, "continued:yes") == [old]
    assert set(listed(cli, "continued:no")) == {new, other}
    assert "write yes or no" in cli("runs", "list", "--find", "continued:maybe").err


def test_a_list_that_no_index_serves_is_of_the_newest_runs_and_says_so(
    cli: CommandLine, dsn: str, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill = (
        "insert into {schema}.runs (id, workflow, version, namespace, state, input, started_at, waits_for) "
        "select gen_random_uuid(), 'pay', 'v1', 'default', 2, '\\x92c4019080', now() - n * interval '1 s', "
        "jsonb_build_array(jsonb_build_array('signal', -1, case when n in (7, 27, 47) "
        "then 'review' else 'go' end, "
        "1, null, null)) from generate_series(1, 12000) n"
    )
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(SQL(fill).format(schema=Identifier(schema)))
    monkeypatch.setattr("continuum.cli.runs.LOOKED_AT", 40)
    change = ("runs", "list", "--find", "waits:signal:review")

    listed = cli(*change)

    assert (listed.code, len(listed.out.splitlines())) == (0, 1 + 2)
    why = "because no index leads to what was asked for; narrow it with workflow:, started: or an attribute"
    looked, more = listed.err.splitlines()
    assert looked == f"looked at the newest 40 runs alone, {why}"
    cursor = more.removeprefix("more: --cursor ")
    following = cli(*change, "--cursor", cursor)
    assert len(following.out.splitlines()) == 1 + 1
    assert f"looked at the next 40 runs alone, {why}" in following.err
    page = cli(*change, "--json").json
    assert (len(page["entries"]), page["looked_at"], page["next_cursor"]) == (2, 40, cursor)
    ask: dict[str, Any] = {"find": "waits:signal:review", "namespace": None}
    with continuum.connect_sync(dsn, schema=schema) as client:
        with pytest.raises(UnindexedQuery):
            client.query(**ask)
        assert client.query(**ask, look_at=40).next_cursor == cursor
        with pytest.raises(UnindexedQuery):
            client.query(**ask, look_at=40, order_by="updated_at")
        with pytest.raises(InvalidQuery, match="look_at is a whole number from 1"):
            client.query(**ask, look_at=0)
    # An export goes through all of them.
    monkeypatch.setattr("continuum.cli.run_export.LOOKED_AT", 5_000)
    assert len(cli("runs", "export", "--find", "waits:signal:review").out.splitlines()) == 3
