"""A database that is older than the program: every command says what is missing there and what to do."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from tests.cli.commands import CommandLine
from tests.cli.stored_world import stored_world

COMMANDS = (
    "start orders",
    "signal RUN go 1",
    "runs signal go 1 --find state:open --yes",
    "cancel RUN --yes",
    "result RUN --timeout 1",
    "attributes RUN {}",
    "explain RUN",
    "health",
    "health review 0123456789ab",
    "doctor",
    "verify",
    "repair lost-wake RUN --yes",
    "audit list",
    "nodes list",
    "nodes show north",
    "pauses",
    "pause --workflow orders --yes",
    "resume --workflow orders --yes",
    "operations list",
    "versions list",
    "replay RUN",
    "runs list",
    "runs list --find waits:signal:go",
    "runs list --find waits:nothing",
    "runs show RUN",
    "runs history RUN",
    "runs export --find state:open",
    "runs unblock --find state:blocked --yes",
    "runs cancel --find state:open --yes",
    "runs attributes {} --find state:open --yes",
    "runs pause RUN --yes",
    "runs restart RUN --yes",
    "runs delete --find state:ended --yes",
)
MISSING = {
    "a column": "alter table {s}.runs drop column for_nothing, drop column waits_for cascade",
    "more columns": "alter table {s}.runs drop column paused_at cascade, drop column has_children cascade",
    "tables": "drop table {s}.audit, {s}.operations, {s}.pauses, {s}.health_reviews cascade",
    "a function": "drop function {s}.record_change cascade",
    "types": "drop type {s}.commit_transitions, {s}.claim_group cascade",
}


@pytest.mark.parametrize("missing", MISSING)
def test_every_command_says_what_an_older_database_lacks_and_what_to_do(
    cli: CommandLine, dsn: str, schema: str, missing: str
) -> None:
    world = stored_world(dsn, schema)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(SQL(MISSING[missing]).format(s=Identifier(schema)))
    said: dict[str, str] = {}
    for command in COMMANDS:
        outcome = cli(*command.replace("RUN", world.asleep).split())
        if outcome.code and outcome.err:
            said[command] = outcome.err
    wrong = {
        command: err
        for command, err in said.items()
        if "psycopg" in err
        or "Traceback" in err
        or (" does not exist" in err and "`continuum migrate`" not in err)
    }
    assert wrong == {}
    assert any("run `continuum migrate" in err for err in said.values())
