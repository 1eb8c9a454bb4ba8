"""A run may be named by the beginning of its id, wherever the command line takes one."""

from __future__ import annotations

from uuid import UUID

import click
import pytest

from continuum.cli.main import continuum
from continuum.cli.run_ids import RUN
from tests.cli.commands import CommandLine, place
from tests.cli.test_commands import started
from tests.cli.test_namespaces import ARGUMENTS, commands

# Two ids that differ in their tenth digit.
ONE = "a0000000-1000-4000-8000-000000000001"
TWO = "a0000000-1100-4000-8000-000000000002"
NAMES = {"run", "run_ids", "runs", "parent", "parent_id", "run_id"}


@pytest.fixture(autouse=True)
def runs(cli: CommandLine) -> None:
    """Two runs."""
    for run_id in (ONE, TWO):
        assert started(cli, "--id", run_id) == run_id


def test_every_command_that_takes_a_run_takes_the_beginning_of_its_id() -> None:
    whole = {
        (name, part.name)
        for name, command in commands(continuum)
        for part in command.params
        if (part.name in NAMES or "RUN" in (part.metavar or "")) and part.type is not RUN
    }
    # The id of a new run, and words that these commands convert themselves.
    apart = {("start", "run_id"), ("runs attributes", "words"), ("runs signal", "words")}
    assert whole == apart, "`type=RUN` makes an argument the id of a run"


def test_no_option_that_a_run_depends_on_comes_after_it() -> None:
    late = {
        (name, option.name)
        for name, command in commands(continuum)
        if any(isinstance(part, click.Argument) and part.type is RUN for part in command.params)
        for option in command.params
        if option.name in ("dsn", "schema", "namespace", "path") and not option.is_eager
    }
    assert late == {("runs export", "namespace")}, "it chooses runs there"


@pytest.mark.parametrize("beginning", [TWO[:11], TWO[:12].replace("-", ""), TWO[:11].upper(), TWO[:35]])
def test_the_beginning_of_an_id_is_enough(cli: CommandLine, beginning: str) -> None:
    assert cli("runs", "show", beginning, "--json").json["id"] == TWO
    assert cli.bare("runs", "show", "--json", *cli.options, beginning).json["id"] == TWO


@pytest.mark.parametrize("name", ARGUMENTS)
def test_every_command_finds_the_run(cli: CommandLine, name: str) -> None:
    """The guard of the namespace answers with the whole id."""
    refused = cli(*name.split(), TWO[:11], *ARGUMENTS[name], "--namespace", "eu")
    assert refused.err.startswith(f"continuum: no run has the id {TWO[:11]} in namespace 'eu'")
    found = cli(*name.split(), TWO[:11], *ARGUMENTS[name], *(["--timeout", "0"] if name == "result" else []))
    assert "no run has the id" not in found.err


def test_options_and_lists_of_runs_take_it_too(cli: CommandLine) -> None:
    exported = cli("runs", "export", TWO[:11], ONE[:11])
    assert [line.count(each) > 0 for line, each in zip(exported.out.splitlines(), (TWO, ONE), strict=True)]
    assert cli("verify", "--run", TWO[:11], "--run", ONE).code == 0
    assert f"--parent {TWO} " in cli("runs", "list", "--parent", TWO[:11]).err


def test_a_beginning_that_several_runs_have_lists_them(cli: CommandLine) -> None:
    refused = cli("cancel", TWO[:9])
    assert (refused.code, refused.out) == (2, "")
    assert f": {ONE} (greeting, running), {TWO} (greeting, running); give more of it" in refused.err
    for number in range(3, 8):
        started(cli, "--id", str(UUID(int=UUID(TWO).int + number)))
    many = cli("cancel", TWO[:9]).err
    assert (many.count("(greeting, running)"), " and more; give more of it" in many) == (5, True)


def test_a_beginning_that_no_run_has_is_not_found(cli: CommandLine) -> None:
    refused = cli("runs", "show", "b0000000")
    nobody = "no run has the id b0000000; `continuum runs list` shows those there are"
    assert (refused.code, refused.err) == (1, f"continuum: {nobody}; looked in {place(cli)}\n")


def test_a_beginning_of_a_few_characters_is_refused(cli: CommandLine) -> None:
    refused = cli("runs", "show", TWO[:7])
    assert (refused.code, refused.out) == (2, "")
    assert "'a000000' is too short; give 8 characters of the id or more" in refused.err
