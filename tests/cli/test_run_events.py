"""`continuum runs events`."""

from __future__ import annotations

import json
from datetime import datetime

from tests.cli.commands import CommandLine
from tests.cli.test_commands import on_journal, started
from tests.unit.client.working import Ending


def test_events_prints_each_change_once_and_continues_after_a_cursor(cli: CommandLine) -> None:
    first = started(cli, "--namespace", "eu")
    (line,) = cli("runs", "events", "--limit", "1").out.splitlines()
    cursor, _, *rest = line.split("\t")
    assert rest == [first, "started", "greeting", "eu"]
    second = started(cli)
    on_journal(cli, lambda journal: Ending(journal).complete(second, "hi"))
    later = cli("runs", "events", "--since", cursor, "--limit", "2", "--json").out.splitlines()
    changes = [json.loads(each) for each in later]
    assert [(change["run_id"], change["state"]) for change in changes] == [
        (second, "started"),
        (second, "completed"),
    ]
    assert datetime.fromisoformat(changes[0]["at"]).tzinfo is not None


def test_events_prints_those_of_one_workflow_or_namespace(cli: CommandLine) -> None:
    started(cli)
    wanted = started(cli, "--namespace", "eu")
    for options in (("--namespace", "eu"), ("--workflow", "greeting", "--since", "1")):
        outcome = cli("runs", "events", *options, "--limit", "1", "--json")
        assert (outcome.code, outcome.json["run_id"]) == (0, wanted)


def test_events_refuses_what_is_no_cursor(cli: CommandLine) -> None:
    outcome = cli("runs", "events", "--since", "yesterday")
    assert (outcome.code, outcome.out) == (1, "")
    assert "allowed is the cursor of a StateChange, 'now'" in outcome.err
