"""`--find`: lists and exports of the runs that a search finds."""

from __future__ import annotations

import json

from continuum.journal.postgres import PostgresJournal
from tests.cli.commands import CommandLine
from tests.cli.test_commands import on_journal, started
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
