"""A list that finds nothing says what was looked for, where, and what to try."""

from __future__ import annotations

import pytest

from continuum.cli.main import continuum
from tests.cli.commands import CommandLine, place
from tests.cli.test_commands import started
from tests.cli.test_namespaces import commands

# Every command that lists, with its arguments; `list` commands are found in the tree of commands.
LISTS = [name for name, _ in commands(continuum) if name.endswith(" list")]
OTHERS = [("runs", "export", "--all"), ("versions", "check", "tests.unit.client.working")]


@pytest.mark.parametrize("arguments", [*(tuple(name.split()) for name in LISTS), *OTHERS], ids=" ".join)
def test_an_empty_list_says_so_in_one_line(cli: CommandLine, arguments: tuple[str, ...]) -> None:
    found = cli(*arguments)
    assert (found.code, len(found.out.splitlines()) <= 1) == (0, True)
    (line,) = found.err.splitlines()
    assert line.startswith("no ")
    assert f" in {place(cli)}; " in line


@pytest.mark.parametrize("name", LISTS)
def test_an_empty_list_as_json_says_nothing_else(cli: CommandLine, name: str) -> None:
    assert cli(*name.split(), "--json").err == ""


def test_the_options_that_chose_nothing_are_repeated(cli: CommandLine) -> None:
    started(cli)
    chosen = ("--state", "failed", "--state", "blocked", "--workflow", "pay", "--attribute", 'city="Rome"')
    found = cli("runs", "list", *chosen, "--limit", "7")
    options = '--state failed --state blocked --workflow pay --attribute city="Rome"'
    assert found.err == f"no run for {options} in {place(cli)}; leave an option out to find more\n"
    assert cli("runs", "list").err == ""


def test_a_history_without_events_says_what_to_ask(cli: CommandLine) -> None:
    run_id = started(cli)
    ask = f"`continuum explain {run_id}` says what it waits for"
    assert cli("runs", "history", run_id).err == f"no event of run {run_id} in {place(cli)}; {ask}\n"
    elsewhere = cli("runs", "export", "--namespace", "eu")
    assert elsewhere.err == f"no run for --namespace eu in {place(cli)}; leave an option out to find more\n"
